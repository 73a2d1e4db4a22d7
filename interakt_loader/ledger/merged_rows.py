"""Rows of a load that have no call of their own, and the call of the rows of a user. Kept in tables of the plan."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

import pyarrow as pa

from interakt_loader.codes import NoteCode
from interakt_loader.ledger.digests import Decision
from interakt_loader.model import Entry, Kind, Message, Outcome
from interakt_loader.sending.pending import Fold, carried

LOT = 2048
"""Outcomes that are yielded at a time."""

_CARRIED = """
SELECT code, lines.* FROM plan.merged JOIN plan.lines USING (row) WHERE carrier = ? ORDER BY row
"""

_BODIES = "SELECT body FROM plan.merged JOIN plan.lines USING (row) WHERE carrier = ? ORDER BY row"

_LINES = ("row", "body", "user_id", "country_code", "phone", "event", "source")
"""The columns of the table `lines`."""


class UserCall(NamedTuple):
    """The call that rows of a user become. The last of them carries the others."""

    rows: list[int]
    entry: Entry
    doubted: bool
    """An earlier load ended while a call of one of these rows was in flight."""

    def with_row(self, row: int, entry: Entry, *, doubted: bool) -> UserCall:
        """Return the call with one more row, which is added to the list of rows."""
        self.rows.append(row)
        return UserCall(self.rows, self.entry.then(entry), self.doubted or doubted)


class MergedRows:
    """Rows that have no call of their own, because the call of another row, their *carrier*, includes them.

    They end as their carrier ends. Until then they are in temporary tables: there may be any number of them, and the
    carrier may be far away in the input.
    """

    def __init__(self, db: sqlite3.Connection, kind: Kind, label: Callable[[int], str]) -> None:
        """Make the tables, in the attached database `plan`."""
        self._db, self._kind, self._label = db, kind, label
        self.count = 0
        """How many rows have a carrier."""
        self.has_candidates = False
        """Whether there are rows of `add_candidates`."""
        db.execute(
            "CREATE TABLE plan.candidates "
            "(number INTEGER PRIMARY KEY, row INTEGER, key BLOB, step BLOB, doubted INTEGER)"
        )
        db.execute("CREATE TABLE plan.merged (row INTEGER PRIMARY KEY, carrier INTEGER, code TEXT)")
        db.execute(
            "CREATE TABLE plan.lines (row INTEGER PRIMARY KEY, body BLOB, user_id TEXT, country_code TEXT, "
            "phone TEXT, event TEXT, source TEXT)"
        )

    def add(self, row: int, carrier: int, code: NoteCode) -> None:
        """Note the carrier of a row, and why it has one."""
        self.count += 1
        self._db.execute("INSERT INTO plan.merged VALUES (?, ?, ?)", (row, carrier, code))

    def add_calls(self, calls: Sequence[UserCall]) -> None:
        """Note the carrier of the other rows of each call."""
        self.count += sum(len(call.rows) - 1 for call in calls)
        others = ((row, call.rows[-1]) for call in calls for row in call.rows[:-1])
        self._db.executemany("INSERT INTO plan.merged VALUES (?, ?, 'coalesced')", others)

    def add_candidates(self, key: bytes, decisions: Iterable[tuple[int, Decision]]) -> None:
        """Note rows of a user that may be one call or several. Their bodies tell (`calls`)."""
        self.has_candidates = True
        self._db.executemany(
            "INSERT INTO plan.candidates (row, key, step, doubted) VALUES (?, ?, ?, ?)",
            ((row, key, one.step, one.doubted) for row, one in decisions),
        )

    def keep(self, merged: pa.RecordBatch) -> None:
        """Store what the report lines and the calls of merged rows need."""
        lines = zip(*(merged[name].to_pylist() for name in _LINES), strict=True)
        self._db.executemany("INSERT INTO plan.lines VALUES (?, ?, ?, ?, ?, ?, ?)", lines)

    def calls(self) -> Iterator[UserCall]:
        """Yield the calls of the candidates: as few for each user as can be."""
        found = self._db.execute(
            "SELECT key, row, step, doubted, body FROM plan.candidates JOIN plan.lines USING (row) ORDER BY number"
        )
        for key, group in groupby(found, itemgetter(0)):
            of_user = iter(group)
            _, row, step, doubted, body = next(of_user)
            call, fold = UserCall([row], Entry(key, step), bool(doubted)), Fold(body)
            for _, row, step, doubted, body in of_user:
                entry = Entry(key, step)
                if fold.take(body):
                    call = call.with_row(row, entry, doubted=bool(doubted))
                    continue
                yield call
                call, fold = UserCall([row], entry, bool(doubted)), Fold(body)
            yield call

    def complete(self) -> None:
        """Get ready for `outcomes`."""
        self._db.execute("CREATE INDEX plan.merged_by_carrier ON merged (carrier)")

    def fold(self, carrier: int, body: bytes) -> Fold:
        """Return the call of a carrier and the rows of its user that it carries."""
        bodies = chain((one for (one,) in self._db.execute(_BODIES, (carrier,))), [body])
        fold = Fold(next(bodies))
        for one in bodies:
            fold.add(one)
        return fold

    def carrier(self, row: int) -> int:
        """Return the carrier of a row."""
        return self.reason(row)[0]

    def reason(self, row: int) -> tuple[int, NoteCode]:
        """Return the carrier of a row, and why it has one."""
        found: tuple[int, NoteCode] = self._db.execute(
            "SELECT carrier, code FROM plan.merged WHERE row = ?", (row,)
        ).fetchone()
        return found

    def outcome(self, message: Message, carrier: Outcome, code: NoteCode) -> Outcome:
        """Return the outcome of a merged row."""
        if code == "grouped" and isinstance(carrier.message, Message):
            message = message._replace(body=carrier.message.body)
        return carried(message, carrier, code, self._label)

    def outcomes(self, carriers: Iterable[Outcome]) -> Iterator[list[Outcome]]:
        """Yield the outcomes of the rows of these carriers, some at a time."""
        if not self.count:
            return
        lot: list[Outcome] = []
        for carrier in carriers:
            row = (carrier.message.row,)
            found = self._db.execute(_CARRIED, row)
            while some := found.fetchmany(LOT):
                lot += [self.outcome(self._message(*one), carrier, code) for code, *one in some]
                if len(lot) >= LOT:
                    yield lot
                    lot = []
        if lot:
            yield lot

    def _message(
        self,
        row: int,
        body: bytes,
        user_id: str | None,
        country_code: str | None,
        phone: str | None,
        event: str | None,
        source: str | None,
    ) -> Message:
        return Message(row, self._kind, "", body, user_id, country_code, phone, event, source)
