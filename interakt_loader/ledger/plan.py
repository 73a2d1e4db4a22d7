"""The plan of a load: the whole input, prepared and compared with the ledger before the first call.

What is to be sent depends on rows that come later, because a user may have several rows. So the input is read to its
end first. The prepared rows are written to a temporary file next to the ledger, and the calls are made from there. So a
source may change or disappear during hours of loading. Their digests are sorted by user or event (`digest_file`) and
compared with the ledger's. Memory stays flat: at most two bytes a row.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import null_where
from interakt_loader.ledger.digest_file import DigestFile, Lot
from interakt_loader.ledger.digests import (
    EVENT,
    NOTHING,
    PERSON,
    Decision,
    Keys,
    Known,
    decide,
    decide_as_one,
    decide_event,
    decide_event_id,
)
from interakt_loader.ledger.merged_rows import MergedRows, UserCall
from interakt_loader.ledger.store import Store
from interakt_loader.mapping import PREPARED, messages
from interakt_loader.model import DIGEST, LARGEST_BODY, Entry, Kind, Message, Outcome, Status, Stop
from interakt_loader.report.outcomes import accepted_before, from_outcomes, in_order, not_sent
from interakt_loader.sending.pending import TAKES_OUT, PendingCall, outcome, skipped, unsent
from interakt_loader.sending.work import EXAMPLES, WORK_BATCH, WorkBatch, first_rows
from interakt_loader.settings import Settings
from interakt_loader.values import shortened

NOTED_AT_A_TIME = 1024
"""Calls of several rows whose decisions are noted at a time."""

OVERSIZE = 255
"""The size of a body that may have to stay apart, and of one that is larger than any call."""

UNITS = 128
"""The largest size of a call, in the units that the sizes of bodies are counted in. So a size takes a byte a row."""


# The decision about a row.
# Invalid:
_NO_CALL = 0
# accepted before; perhaps twice:
_UNCHANGED, _MAYBE_TWICE = 1, 2
# likewise, for an event with an id whose content was different then:
_DIFFERS, _DIFFERS_MAYBE_TWICE = 3, 4
# sent, and key and step follow from the row itself:
_SEND = 5
# sent, with key and step from the table `special`:
_SPECIAL = 6
# likewise, with the body of several rows:
_FOLDED = 7
# in doubt, and not sent again:
_SKIPPED = 8
# the call of another row includes it:
_MERGED = 9
# refused, because its event id belongs to another event:
_CONFLICT = 10

_KNOWN = """
SELECT number, state, doubt, maybe_duplicate FROM plan.wanted JOIN calls USING (key)
"""

# A part of a ledger knows the calls of this load; the ledger itself knows the others.
_KNOWN_IN_PART = """
SELECT number,
    CASE WHEN calls.key IS NULL THEN before.state ELSE calls.state END,
    CASE WHEN calls.key IS NULL THEN before.doubt ELSE calls.doubt END,
    CASE WHEN calls.key IS NULL THEN before.maybe_duplicate ELSE calls.maybe_duplicate END
FROM plan.wanted
LEFT JOIN main.calls AS calls ON calls.key = wanted.key
LEFT JOIN base.calls AS before ON before.key = wanted.key
WHERE calls.key IS NOT NULL OR before.key IS NOT NULL
"""

_PLANNED = PREPARED.append(pa.field("key", pa.binary(DIGEST))).append(pa.field("state", pa.binary(DIGEST)))
"""Prepared rows, with the key of each that has a call, and the state once that is accepted; null: `EVENT`."""


class _Part(NamedTuple):
    """Some prepared rows, sorted by the decision about them."""

    calls: pa.RecordBatch
    """Rows that are sent, and invalid ones. What carriers carry is not in their bodies yet (`Plan._with_folded`)."""
    skipped: pa.RecordBatch
    merged: pa.RecordBatch
    unchanged: pa.RecordBatch | None
    """Report lines."""


class Plan:
    """The decision about each row of a load: `make` it, then go through its `work_batches`."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        kind: Kind,
        settings: Settings,
        event_id: str | None = None,
        *,
        of_failures: bool = False,
        label: Callable[[int], str] = str,
        last_states: bool = False,
    ) -> None:
        """Prepare a plan.

        Args:
            event_id: The column of the events' ids, if they have some.
            of_failures: The rows failed in an earlier load.
            label: Gives the number of a row as people read it: `2 (line 4)`.
            last_states: One call for each user, with its last state, whatever the ledger holds and however long.
        """
        self._label = label
        self._store, self._keys, self._kind = store, keys, kind
        self._event_id = event_id
        self._are_by_content = of_failures and kind == "event" and event_id is None
        self._resend = settings.resend or last_states
        self._coalesce = last_states or settings.folds_rows(kind)
        self._last_states = last_states
        self._skip_doubted = kind == "event" and settings.on_unknown == "skip"
        self._file = tempfile.TemporaryFile(dir=store.path.parent, prefix=f"{store.path.name}-")  # noqa: SIM115 - held
        self._first = settings.row_range[0]
        # a byte a row, from the first one on
        self._decisions = bytearray()
        # likewise, of users whose rows may become one call: the size of the body, in units, rounded up
        self._sizes = bytearray()
        self._batches: Iterator[pa.RecordBatch] = iter(())
        # rows of the last part that are not messages yet
        self._left: pa.RecordBatch | None = None
        self._merged: MergedRows | None = None
        self.examples: list[Message] = []
        """After `checked`: the first calls."""
        self.rows = 0
        """Rows of the input."""
        self.unchanged = 0
        """Rows that were accepted before, according to the ledger."""
        self.skipped = 0
        """Rows that may have been accepted, and that `on_unknown="skip"` does not send again."""
        self.calls = 0
        """Rows that are sent."""
        self.doubted = 0
        """Those of them that were in flight when an earlier load ended."""
        self.new_users = 0
        """Users of whom the ledger knows nothing."""

    @property
    def merged(self) -> int:
        """Rows that the call of another row includes."""
        return 0 if self._merged is None else self._merged.count

    def make(self, prepared: Iterable[pa.RecordBatch]) -> None:
        """Read all rows, then decide about each."""
        db = self._store.db
        # a temporary database, on disk if it gets large
        db.execute("ATTACH '' AS plan")
        db.execute("PRAGMA plan.journal_mode = OFF")
        db.execute("PRAGMA plan.synchronous = OFF")
        db.execute("CREATE TABLE plan.wanted (number INTEGER PRIMARY KEY, key BLOB)")
        db.execute("CREATE TABLE plan.special (row INTEGER PRIMARY KEY, key BLOB, step BLOB, doubted INTEGER)")
        db.execute("CREATE TABLE plan.conflicts (row INTEGER PRIMARY KEY, first INTEGER, other_person INTEGER)")
        self._merged = merged = MergedRows(db, self._kind, self._label)
        with closing(DigestFile(self._store.path.parent)) as digests:
            grouped = self._take_in(prepared, digests)
            self._decisions = bytearray(self.rows)
            db.execute("BEGIN")
            for lot in digests.lots():
                self._decide_lot(lot, merged)
        if grouped:
            self._follow_carriers(merged)
            self._rewind()
        self._sizes = bytearray()
        if merged.count or merged.has_candidates:
            for batch, decisions in self._decided():
                merged.keep(_with_bodies(batch.filter(_is(decisions, _MERGED))))
            self._rewind()
            calls = merged.calls()
            while some := [*islice(calls, NOTED_AT_A_TIME)]:
                self._note_calls(some, merged)
            merged.complete()
        db.execute("COMMIT")
        # the allocator keeps 20 MB of what was read, unless it is asked
        pa.default_memory_pool().release_unused()

    def _take_in(self, prepared: Iterable[pa.RecordBatch], digests: DigestFile) -> bool:
        """Read all rows. Return whether some of them are one event with another row."""
        grouped = False
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(self._file, _PLANNED, options=options) as spool:
            for batch in prepared:
                has_call = pc.is_valid(batch["body"])
                calls = batch.filter(has_call)
                found = self._digests(calls)
                digests.add(calls["row"].to_numpy(), *found)
                if self._coalesce:
                    self._sizes += _sizes(batch["body"])
                columns = [_spread(one or [None] * len(calls), has_call) for one in found]
                spool.write_batch(pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=_PLANNED))
                grouped = grouped or batch["carrier"].null_count < batch.num_rows
                self.rows += batch.num_rows
        self._rewind()
        return grouped

    def _rewind(self) -> None:
        self._file.seek(0)
        self._batches = iter(pa.ipc.open_stream(self._file))

    def first_call(self) -> Message | None:
        """Return the first call, and go back to the first row."""
        found = (one for part in self._parts() for one in self._first_calls(part, 1))
        first = next(found, None) if self.calls else None
        self._rewind()
        return first

    def _first_calls(self, part: _Part, count: int) -> list[Message]:
        return messages(self._with_folded(first_rows(part.calls, count)), self._kind)[0]

    def each_call(self) -> Iterator[Message]:
        """Yield every call, and go back to the first row."""
        for part in self._parts():
            yield from messages(self._with_folded(part.calls), self._kind)[0]
        self._rewind()

    def _decide_lot(self, lot: Lot, merged: MergedRows) -> None:
        """Decide about calls by their digests."""
        known = self._known(lot)
        sizes = np.diff(lot.starts)
        is_new = sizes == 1
        is_new[[*known]] = False
        # nearly all rows are such: the same result as from `_decide`, but faster
        new = lot.rows[lot.starts[:-1][is_new]]
        np.frombuffer(self._decisions, np.uint8)[new - self._first] = _SEND
        self.calls += len(new)
        self.new_users += len(new) if self._kind == "user" else 0
        calls: list[UserCall] = []
        for group in np.flatnonzero(~is_new).tolist():
            call = self._decide(lot.key(group), *lot.group(group), known.get(group), merged)
            calls += [call] if call is not None else []
        self._note_calls(calls, merged)

    def _known(self, lot: Lot) -> dict[int, tuple[bytes, bytes | None, int]]:
        """Return what the ledger knows of the keys of a lot, by the number of the group."""
        db = self._store.db
        if self._store.is_new:
            return {}
        db.executemany(
            "INSERT INTO plan.wanted VALUES (?, ?)", ((at, lot.key(at)) for at in range(len(lot.starts) - 1))
        )
        found = db.execute(_KNOWN_IN_PART if self._store.has_base else _KNOWN)
        known = {number: (state, doubt, twice) for number, state, doubt, twice in found}
        db.execute("DELETE FROM plan.wanted")
        return known

    def _decide(
        self,
        key: bytes,
        rows: list[int],
        states: list[bytes],
        found: tuple[bytes, bytes | None, int] | None,
        merged: MergedRows,
    ) -> UserCall | None:
        """Decide about the rows that share a key: those of a user, or equal events.

        Return the call that several rows of a user become. It is not noted yet.
        """
        self.new_users += self._kind == "user" and found is None
        if len(rows) == 1 and not self._resend and found is not None and found[:2] == (states[0], None):
            # as above
            self._decisions[rows[0] - self._first] = _MAYBE_TWICE if found[2] else _UNCHANGED
            self.unchanged += 1
            return None
        known = NOTHING if found is None else Known(found[0], found[1], bool(found[2]))
        if self._kind == "user":
            known = known._replace(state=None) if self._resend else known
            if self._coalesce and len(rows) > 1:
                return self._fold(key, known, rows, states, merged)
            for row, decision in zip(rows, decide(known, states, self._keys.chain), strict=True):
                self._note(row, key, decision, single=len(rows) == 1)
        elif self._event_id is not None:
            self._share_id(key, known, rows, states, merged)
        else:
            self._note(rows[0], key, decide_event(known, EVENT, resend=self._resend), single=True)
            for number, other in enumerate(rows[1:], start=2):
                repeated = self._keys.repeated_event(key, number)
                known = self._store.known(repeated) or NOTHING
                self._note(other, repeated, decide_event(known, EVENT, resend=self._resend), single=False)
        return None

    def _fold(
        self, key: bytes, known: Known, rows: list[int], states: list[bytes], merged: MergedRows
    ) -> UserCall | None:
        """Make as few calls as can be of the rows of a user. Return the call, if it is one."""
        accepted, decision = decide_as_one(known, states, self._keys.chain)
        left = rows[accepted:]
        # usually the sizes tell that one call can include them all
        fits = sum(self._sizes[row - self._first] for row in left) <= UNITS or self._last_states
        decisions = zip(rows, decide(known, states, self._keys.chain), strict=True)
        for row, one in islice(decisions, accepted):
            self._note(row, key, one, single=False)
        if decision is not None and fits:
            return UserCall(left, Entry(key, decision.step or b""), decision.doubted)
        if left:
            for row in left:
                self._decisions[row - self._first] = _MERGED
            merged.add_candidates(key, decisions)
        return None

    def _note_calls(self, calls: Sequence[UserCall], merged: MergedRows) -> None:
        """Note the decisions about the rows of these calls."""
        for call in calls:
            *others, carrier = call.rows
            for row in others:
                self._decisions[row - self._first] = _MERGED
            decision = Decision(call.entry.step, call.doubted)
            self._note(carrier, call.entry.key, decision, single=False, folded=bool(others))
        merged.add_calls(calls)

    def _follow_carriers(self, merged: MergedRows) -> None:
        """Decide about the rows that are one event with another row: as about that row, but they have no call."""
        for batch in self._batches:
            others = batch.filter(batch["carrier"].is_valid())
            for row, carrier in zip(others["row"].to_pylist(), others["carrier"].to_pylist(), strict=True):
                decision = self._decisions[carrier - self._first]
                if decision in (_SEND, _SPECIAL, _SKIPPED):
                    decision = _MERGED
                    merged.add(row, carrier, "grouped")
                elif decision == _MERGED:
                    merged.add(row, merged.carrier(carrier), "event_id_repeated")
                elif decision == _CONFLICT:
                    self._store.db.execute(
                        "INSERT INTO plan.conflicts SELECT ?, first, other_person FROM plan.conflicts WHERE row = ?",
                        (row, carrier),
                    )
                else:
                    self.unchanged += 1
                self._decisions[row - self._first] = decision

    def _share_id(self, key: bytes, known: Known, rows: list[int], states: list[bytes], merged: MergedRows) -> None:
        """Decide about the rows that share an event's name and id."""
        decisions = decide_event_id(known, states, resend=self._resend)
        for row, state, one in zip(rows, states, decisions, strict=True):
            if one.conflict:
                self._decisions[row - self._first] = _CONFLICT
                if one.counts_instead is not None:
                    other = states[one.counts_instead]
                    conflict = (row, rows[one.counts_instead], other[:PERSON] != state[:PERSON])
                    self._store.db.execute("INSERT INTO plan.conflicts VALUES (?, ?, ?)", conflict)
            elif one.counts_instead is not None:
                self._decisions[row - self._first] = _MERGED
                merged.add(row, rows[one.counts_instead], "event_id_repeated")
            else:
                self._note(row, key, one.decision, single=True, differs=one.differs)

    def _note(
        self, row: int, key: bytes, decision: Decision, *, single: bool, folded: bool = False, differs: bool = False
    ) -> None:
        at = row - self._first
        if decision.step is None:
            twice = decision.maybe_duplicate
            if differs:
                self._decisions[at] = _DIFFERS_MAYBE_TWICE if twice else _DIFFERS
            else:
                self._decisions[at] = _MAYBE_TWICE if twice else _UNCHANGED
            self.unchanged += 1
            return
        is_skipped = decision.doubted and self._skip_doubted
        self.skipped += is_skipped
        self.calls += not is_skipped
        self.doubted += decision.doubted and not is_skipped
        if single and not decision.doubted:
            self._decisions[at] = _SEND
            return
        self._decisions[at] = _SKIPPED if is_skipped else _FOLDED if folded else _SPECIAL
        special = (row, key, decision.step, decision.doubted)
        self._store.db.execute("INSERT INTO plan.special VALUES (?, ?, ?, ?)", special)

    def _digests(self, calls: pa.RecordBatch) -> tuple[list[bytes], list[bytes] | None]:
        """Return the key of each call, and the state that the ledger holds once it is accepted; None: `EVENT`."""
        keys, bodies = self._keys, calls["body"].to_pylist()
        if self._event_id is not None:
            ids = map(keys.event_id, calls["event"].to_pylist(), calls["event_id"].to_pylist())
            return [*ids], [*map(keys.event_state, calls["ordering_key"].to_pylist(), bodies)]
        if self._kind == "event":
            return keys.events(bodies), None
        return keys.users(calls["ordering_key"].cast(pa.binary()).to_pylist()), keys.bodies(bodies)

    def work_batches(self) -> Iterator[WorkBatch]:
        """Yield the rows batch by batch, sorted by the decision about them, without merged rows (see `carried`)."""
        for part in self._parts():
            self._left = part.calls
            settled = [*map(skipped, messages(part.skipped, self._kind)[0])]
            unchanged, merged = part.unchanged, part.merged.num_rows
            while self._left.num_rows or settled or unchanged is not None or merged:
                rows, self._left = self._left.slice(0, WORK_BATCH), self._left.slice(WORK_BATCH)
                good, invalid = messages(self._with_folded(rows), self._kind)
                settled += map(Outcome.invalid, invalid)
                yield WorkBatch(self._entered(rows, good), settled, unchanged, merged)
                settled, unchanged, merged = [], None, 0

    def carried(self, outcomes: Sequence[Outcome]) -> Iterator[list[Outcome]]:
        """Yield the outcomes of the merged rows whose carriers have these outcomes, some at a time."""
        return iter(()) if self._merged is None else self._merged.outcomes(outcomes)

    def checked(self) -> Iterator[pa.RecordBatch]:
        """Yield report lines of all rows without sending any."""
        for part in self._parts():
            self.examples += self._first_calls(part, EXAMPLES - len(self.examples))
            others = [*map(skipped, messages(part.skipped, self._kind)[0]), *self._merged_of(part)]
            yield _in_order([not_sent(self._with_folded(part.calls))], others, part.unchanged)

    def _merged_of(self, part: _Part) -> Iterator[Outcome]:
        """Yield the outcomes that merged rows have if every call is accepted."""
        if self._merged is None or not part.merged.num_rows:
            return
        for message in messages(part.merged, self._kind)[0]:
            row, code = self._merged.reason(message.row)
            carrier = message._replace(row=row)
            is_skipped = self._decisions[carrier.row - self._first] == _SKIPPED
            ended = skipped(carrier) if is_skipped else outcome(PendingCall(carrier), Status.SENT, time.time(), None)
            yield self._merged.outcome(message, ended, code)

    def unsent(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of the rows that `work_batches` has not reached, and of those merged into them."""
        for part in chain(self._rest(), self._parts()):
            left = [*map(skipped, messages(part.skipped, self._kind)[0])]
            rows = self._with_folded(part.calls)
            yield _in_order([not_sent(rows, stop)], left, part.unchanged)
            if self.merged:
                calls = [unsent(one, stop) for one in messages(rows, self._kind)[0]]
                yield from map(from_outcomes, self.carried([*calls, *left]))

    def _rest(self) -> Iterator[_Part]:
        """Yield what is left of the part that `work_batches` has reached."""
        if self._left is not None and self._left.num_rows:
            nothing = self._left.slice(0, 0)
            yield _Part(self._left, nothing, nothing, None)

    def _decided(self) -> Iterator[tuple[pa.RecordBatch, pa.UInt8Array]]:
        """Yield the prepared rows that are left, with the decision about each."""
        for batch in self._batches:
            first = batch["row"][0].as_py() - self._first
            yield batch, pa.array(memoryview(self._decisions)[first : first + batch.num_rows], pa.uint8())

    def _parts(self) -> Iterator[_Part]:
        """Yield the prepared rows, sorted by the decision about them."""
        for spooled, decisions in self._decided():
            batch = self._with_conflicts(spooled, _is(decisions, _CONFLICT))
            before = _is(decisions, _UNCHANGED, _MAYBE_TWICE, _DIFFERS, _DIFFERS_MAYBE_TWICE)
            lines, of = batch.filter(before), decisions.filter(before)
            twice, differs = _is(of, _MAYBE_TWICE, _DIFFERS_MAYBE_TWICE), _is(of, _DIFFERS, _DIFFERS_MAYBE_TWICE)
            yield _Part(
                batch.filter(_is(decisions, _NO_CALL, _CONFLICT, _SEND, _SPECIAL, _FOLDED)),
                batch.filter(_is(decisions, _SKIPPED)),
                _with_bodies(batch.filter(_is(decisions, _MERGED))),
                accepted_before(lines, twice, differs, self._event_id, failed_by_content=self._are_by_content)
                if len(of)
                else None,
            )

    def _with_conflicts(self, batch: pa.RecordBatch, conflicts: pa.BooleanArray) -> pa.RecordBatch:
        """Return the batch with a reason in place of a call in the rows whose event id belongs to another event."""
        rows = batch["row"].filter(conflicts).to_pylist()
        if not rows:
            return batch
        ids = batch["event_id"].filter(conflicts).to_pylist()
        texts = [self._conflict(row, event_id) for row, event_id in zip(rows, ids, strict=True)]
        return _replaced(
            batch,
            body=null_where(batch["body"], conflicts),
            code=pc.if_else(conflicts, "event_id_conflict", batch["code"]),
            column=pc.if_else(conflicts, self._event_id, batch["column"]),
            message=pc.replace_with_mask(batch["message"], conflicts, pa.array(texts, pa.string())),
        )

    def _conflict(self, row: int, event_id: str) -> str:
        shown = f"{self._event_id}: {shortened(event_id)}"
        found = self._store.db.execute(
            "SELECT first, other_person FROM plan.conflicts WHERE row = ?", (row,)
        ).fetchone()
        if found is None:
            return f"{shown} is on record as the id of this event for another person"
        first, other_person = found
        what = "is about another person" if other_person else "has other content"
        return f"{shown}: row {self._label(first)} has the same event id and {what}"

    def _with_folded(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with the folded call in the rows that are carriers."""
        if self._merged is None or not self._merged.count:
            return batch
        numbers = batch["row"].to_numpy()
        folded = pa.array(np.frombuffer(self._decisions, np.uint8)[numbers - self._first] == _FOLDED)
        rows = batch["row"].filter(folded).to_pylist()
        if not rows:
            return batch
        own = batch["body"].filter(folded).to_pylist()
        calls = [self._merged.fold(row, body) for row, body in zip(rows, own, strict=True)]
        found = {
            "body": pa.array([one.body for one in calls], pa.binary()),
            "country_code": pa.array([one.member("countryCode") for one in calls], pa.string()),
            "phone": pa.array([one.member("phoneNumber") for one in calls], pa.string()),
        }
        return _replaced(batch, **{name: pc.replace_with_mask(batch[name], folded, one) for name, one in found.items()})

    def _entered(self, batch: pa.RecordBatch, calls: list[Message]) -> list[Message]:
        """Return the calls with their ledger entries."""
        own = batch.filter(pc.is_valid(batch["body"]))
        entered = []
        # `to_pylist` takes twenty times as long for these types
        keys, states = (own[name].to_numpy(zero_copy_only=False).tolist() for name in ("key", "state"))
        for message, key, state in zip(calls, keys, states, strict=True):
            entry, doubted = Entry(key, state or EVENT), False
            if self._decisions[message.row - self._first] != _SEND:
                found = self._store.db.execute(
                    "SELECT key, step, doubted FROM plan.special WHERE row = ?", (message.row,)
                )
                *special, doubted = found.fetchone()
                entry = Entry(*special)
            # as `_replace(entry=…, doubted=…)`, in a third of the time
            entered.append(Message._make((*message[:-2], entry, bool(doubted))))
        return entered

    def close(self) -> None:
        """Remove the temporary file and tables."""
        self._batches = iter(())
        self._file.close()
        # closing the connection removes them anyway
        with contextlib.suppress(sqlite3.Error):
            self._store.db.execute("DETACH plan")


def _is(decisions: pa.Array, *which: int) -> pa.BooleanArray:
    return pc.is_in(decisions, pa.array(which, pa.uint8()))


def _replaced(batch: pa.RecordBatch, **columns: pa.Array) -> pa.RecordBatch:
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([columns.get(name, batch[name]) for name in names], schema=batch.schema)


def _spread(digests: Sequence[bytes | None], has_call: pa.BooleanArray) -> pa.FixedSizeBinaryArray:
    """Return the digests of calls at their rows, with null where a row has no call."""
    values = pa.array(digests, pa.binary(DIGEST))
    if len(values) == len(has_call):
        return values
    return pc.replace_with_mask(pa.nulls(len(has_call), values.type), has_call, values)


def _sizes(bodies: pa.Array) -> bytes:
    """Return the size of each body, in units. One that may have to stay apart counts as larger than any call."""
    unit = LARGEST_BODY // UNITS
    lengths = pc.fill_null(pc.binary_length(bodies), 0).to_numpy()
    sizes = np.minimum((lengths + unit - 1) // unit, OVERSIZE).astype(np.uint8)
    # a look at all of them together first, because a look at each takes a hundred times as long
    text = bodies.buffers()[-1]
    if text is not None and TAKES_OUT in text.to_pybytes():
        sizes[pc.fill_null(pc.match_substring(bodies, TAKES_OUT), fill_value=False).to_numpy(zero_copy_only=False)] = (
            OVERSIZE
        )
    as_bytes: bytes = sizes.tobytes()
    return as_bytes


def _with_bodies(merged: pa.RecordBatch) -> pa.RecordBatch:
    """Return merged rows as rows with a call: the rows of a group have none of their own, and get an empty one."""
    return _replaced(merged, body=pc.fill_null(merged["body"], b"{}"), carrier=pa.nulls(merged.num_rows, pa.int64()))


def _in_order(lines: list[pa.RecordBatch], outcomes: list[Outcome], unchanged: pa.RecordBatch | None) -> pa.RecordBatch:
    lines += [from_outcomes(outcomes)] if outcomes else []
    lines += [] if unchanged is None else [unchanged]
    return in_order(lines)
