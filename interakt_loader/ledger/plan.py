"""The whole input, prepared and compared with the ledger before the first call goes out.

What is to be sent depends on rows that come later (a user may have several), so the input is read to its end first.
The prepared rows go to a temporary file beside the ledger, and the calls are then made from there: a source that
changes or goes away during hours of loading does no harm. Their digests go to a temporary SQLite table, which sorts
them and brings them together with the ledger's; memory stays flat (a byte a row).
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.ledger.decide import EVENT, NOTHING, Decision, Known, decide
from interakt_loader.ledger.keys import Keys
from interakt_loader.ledger.store import Store
from interakt_loader.mapping import PREPARED, messages
from interakt_loader.plain import without
from interakt_loader.report.outcomes import accepted_before, invalid, not_sent
from interakt_loader.sending.ticket import Stop, skipped
from interakt_loader.settings import Settings
from interakt_loader.wire import Entry, Kind, Message
from interakt_loader.work import EXAMPLES, Piece, first_calls

_NO_CALL, _UNCHANGED, _MAYBE_TWICE, _REPEATED_ID, _SEND, _SPECIAL, _ID_CONFLICT = range(7)
"""What a row is, as a byte: invalid; unchanged (perhaps sent twice, or the second with its event id); to be sent; to
be sent, and the table `special` says how; refused, as an earlier row has its event id and says something else."""

_COMPARE = """
SELECT rows.key, rows.row, rows.body, calls.state, calls.doubt, calls.maybe_duplicate
FROM plan.rows LEFT JOIN calls ON calls.key = rows.key ORDER BY rows.key, rows.row
"""


_Compared = tuple[bytes, int, bytes, "bytes | None", "bytes | None", "int | None"]
"""A row of `_COMPARE`."""


class Plan:
    """What a load will do with each row: `make` it, then go through its `pieces`."""

    def __init__(self, store: Store, keys: Keys, kind: Kind, settings: Settings) -> None:
        self._store, self._keys, self._kind = store, keys, kind
        self._event_id = settings.event_id
        self._resend = settings.resend
        self._skip_doubted = kind == "event" and settings.on_unknown == "skip"
        self._file = tempfile.TemporaryFile(dir=store.path.parent, prefix=f"{store.path.name}-")  # noqa: SIM115 - held
        self._first = settings.row_range[0]
        self._decisions = bytearray()  # a byte a row, from that first one on
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self.examples: list[Message] = []
        """The first calls that go out, once the rows have been gone through."""
        self.rows = 0
        """Rows of the input."""
        self.unchanged = 0
        """Rows that the ledger shows accepted."""
        self.calls = 0
        """Rows that go out."""
        self.users = 0
        """Users (or events) among them: what `coalesce` brings the calls down to at best."""
        self.doubted = 0
        """Rows that were out when an earlier load ended."""

    def make(self, prepared: Iterable[pa.RecordBatch]) -> None:
        """Take in all rows, then decide about each."""
        db = self._store.db
        db.execute("ATTACH '' AS plan")  # a temporary database, on disk where it gets large
        db.execute("PRAGMA plan.journal_mode = OFF")
        db.execute("PRAGMA plan.synchronous = OFF")
        db.execute("CREATE TABLE plan.rows (row INTEGER PRIMARY KEY, key BLOB, body BLOB)")
        db.execute("CREATE TABLE plan.special (row INTEGER PRIMARY KEY, key BLOB, step BLOB, doubted INTEGER)")
        db.execute("CREATE TABLE plan.conflicts (row INTEGER PRIMARY KEY, first INTEGER)")
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(self._file, PREPARED, options=options) as spool:
            for batch in prepared:
                spool.write_batch(batch)
                self.rows += batch.num_rows
                db.execute("BEGIN")
                db.executemany("INSERT INTO plan.rows VALUES (?, ?, ?)", self._contents(batch))
                db.execute("COMMIT")
        self._decisions = bytearray(self.rows)
        db.execute("BEGIN")
        for key, rows in groupby(db.execute(_COMPARE), itemgetter(0)):
            self._decide(key, list(rows))
        db.execute("COMMIT")
        db.execute("DROP TABLE plan.rows")
        self._rewind()

    def _rewind(self) -> None:
        self._file.seek(0)
        self._batches = iter(pa.ipc.open_stream(self._file))

    def first_call(self) -> Message | None:
        """Return the first call, and begin again."""
        found = (one for batch, _ in self._parted() for one in first_calls(batch, self._kind, 1))
        first = next(found, None) if self.calls else None
        self._rewind()
        return first

    def _decide(self, key: bytes, rows: list[_Compared]) -> None:
        """Decide about the rows that share a key: a user's, or the same event time and again."""
        _, row, body, state, doubt, maybe_duplicate = rows[0]
        known = NOTHING if state is None else Known(state, doubt, bool(maybe_duplicate))
        if self._kind == "user":
            decisions = decide(self._again(known), [one[2] for one in rows], self._keys.chain)
            for (_, row, *_), decision in zip(rows, decisions, strict=True):
                self._note(row, key, decision, single=len(rows) == 1)
        else:
            self._note(row, key, self._event(known), single=True)
            first = row
            for number, (_, row, other, *_) in enumerate(rows[1:], start=2):
                if self._event_id is not None:
                    self._same_event_id(row, first, same=other == body)
                    continue
                repeated = self._keys.repeated_event(key, number)
                self._note(row, repeated, self._event(self._store.known(repeated) or NOTHING), single=False)
        self.users += any(self._decisions[one[1] - self._first] in (_SEND, _SPECIAL) for one in rows)

    def _same_event_id(self, row: int, first: int, *, same: bool) -> None:
        """Decide about a row whose event id an earlier row of the input has."""
        if same:
            self._decisions[row - self._first] = _REPEATED_ID
            self.unchanged += 1
        else:
            self._decisions[row - self._first] = _ID_CONFLICT
            self._store.db.execute("INSERT INTO plan.conflicts VALUES (?, ?)", (row, first))

    def _again(self, known: Known) -> Known:
        return known._replace(state=None) if self._resend else known

    def _event(self, known: Known) -> Decision:
        decision = decide(self._again(known), [EVENT], self._keys.chain)[0]
        if self._resend and known.state == EVENT:  # the API will hold it twice, as was asked for
            return decision._replace(doubted=True)
        return decision

    def _note(self, row: int, key: bytes, decision: Decision, *, single: bool) -> None:
        if decision.step is None:
            self._decisions[row - self._first] = _MAYBE_TWICE if decision.maybe_duplicate else _UNCHANGED
            self.unchanged += 1
            return
        self.calls += 1
        self.doubted += decision.doubted
        if single and not decision.doubted:  # the key and the step follow from the row itself
            self._decisions[row - self._first] = _SEND
            return
        self._decisions[row - self._first] = _SPECIAL
        special = (row, key, decision.step, decision.doubted)
        self._store.db.execute("INSERT INTO plan.special VALUES (?, ?, ?, ?)", special)

    def _contents(self, batch: pa.RecordBatch) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield each call's row, its key, and a digest of what it says: by that, rows of one key are compared."""
        for (row, key, state), body in zip(self._digests(batch), _bodies(batch), strict=True):
            yield row, key, state if self._event_id is None else self._keys.event(body)

    def _digests(self, batch: pa.RecordBatch) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield each call's row, its key, and the state that the ledger holds once it is accepted."""
        keys = self._keys
        good = batch.filter(pc.is_valid(batch["body"]))
        rows, bodies = good["row"].to_pylist(), good["body"].to_pylist()
        if self._event_id is not None:
            ids = good["event_id"].to_pylist()
            return zip(rows, map(keys.event_id, ids), [EVENT] * len(rows), strict=True)
        if self._kind == "event":
            return zip(rows, map(keys.event, bodies), [EVENT] * len(rows), strict=True)
        return zip(rows, map(keys.user, good["lane"].to_pylist()), map(keys.body, bodies), strict=True)

    def pieces(self) -> Iterator[Piece]:
        """Yield what becomes of the rows, batch by batch."""
        for batch, unchanged in self._parted():
            good, refused = messages(batch, self._kind)
            calls = self._entered(batch, good)
            settled = [invalid(one) for one in refused]
            if self._skip_doubted:
                settled += [skipped(one) for one in calls if one.doubted]
                calls = [one for one in calls if not one.doubted]
            yield Piece(calls, settled, unchanged)

    def checked(self) -> Iterator[pa.RecordBatch]:
        """Yield report lines of all rows without sending any."""
        return self._lines(None)

    def unsent(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Yield the report lines of the rows that `pieces` has not come to."""
        return self._lines(stop)

    def _lines(self, stop: Stop | None) -> Iterator[pa.RecordBatch]:
        for batch, unchanged in self._parted():
            self.examples += first_calls(batch, self._kind, EXAMPLES - len(self.examples))
            lines = [not_sent(batch, stop)] + ([] if unchanged is None else [unchanged])
            yield from pa.Table.from_batches(lines).sort_by("row").combine_chunks().to_batches()

    def _parted(self) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]:
        """Yield the prepared rows that are not unchanged, and the report lines of those that are."""
        for spooled in self._batches:
            first = spooled["row"][0].as_py() - self._first
            decisions = pa.array(memoryview(self._decisions)[first : first + spooled.num_rows], pa.uint8())
            batch = self._with_conflicts(spooled, _is(decisions, _ID_CONFLICT))
            here = _is(decisions, _UNCHANGED, _MAYBE_TWICE, _REPEATED_ID)
            lines, of = batch.filter(here), decisions.filter(here)
            unchanged = accepted_before(lines, _is(of, _MAYBE_TWICE), _is(of, _REPEATED_ID)) if len(of) else None
            yield batch.filter(pc.invert(here)), unchanged

    def _with_conflicts(self, batch: pa.RecordBatch, conflicts: pa.BooleanArray) -> pa.RecordBatch:
        """Return the batch with no call, but a reason, in the rows whose event id an earlier row has."""
        rows = batch["row"].filter(conflicts).to_pylist()
        if not rows:
            return batch
        first_of = [self._store.db.execute("SELECT first FROM plan.conflicts WHERE row = ?", (row,)) for row in rows]
        said = [
            f"{self._event_id}: row {found.fetchone()[0]} has the same event id and says something else"
            for found in first_of
        ]
        new = {
            "body": without(batch["body"], conflicts),
            "code": pc.if_else(conflicts, "event_id_conflict", batch["code"]),
            "column": pc.if_else(conflicts, self._event_id, batch["column"]),
            "message": pc.replace_with_mask(batch["message"], conflicts, pa.array(said, pa.string())),
        }
        return pa.RecordBatch.from_arrays([new.get(name, batch[name]) for name in PREPARED.names], schema=PREPARED)

    def _entered(self, batch: pa.RecordBatch, calls: list[Message]) -> list[Message]:
        """Return the calls with what the ledger knows them by."""
        entered = []
        for message, (row, key, body) in zip(calls, self._digests(batch), strict=True):
            entry, doubted = Entry(key, body), False
            if self._decisions[row - self._first] == _SPECIAL:
                found = self._store.db.execute("SELECT key, step, doubted FROM plan.special WHERE row = ?", (row,))
                *special, doubted = found.fetchone()
                entry = Entry(*special)
            entered.append(message._replace(entry=entry, doubted=bool(doubted)))
        return entered

    def close(self) -> None:
        """Remove the temporary file and tables."""
        self._batches = iter(())
        self._file.close()
        with contextlib.suppress(sqlite3.Error):  # it goes with the connection anyway
            self._store.db.execute("DETACH plan")


def _bodies(batch: pa.RecordBatch) -> list[bytes]:
    bodies: list[bytes] = batch["body"].drop_null().to_pylist()
    return bodies


def _is(decisions: pa.Array, *which: int) -> pa.BooleanArray:
    return pc.is_in(decisions, pa.array(which, pa.uint8()))
