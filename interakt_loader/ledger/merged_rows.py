"""The rows of a plan that make no call of their own, because another row's call stands for theirs.

That row *carries* them, and they end as it ends. Until then they are kept in temporary tables, since there may be any
number of them, and the row that carries them may be far away in the input.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from interakt_loader.codes import NoteCode
from interakt_loader.mapping import messages
from interakt_loader.sending.coalesce import Fold, carried
from interakt_loader.wire import Kind, Message, Outcome

LOT = 2048
"""Outcomes that are made at a time."""

_COLUMNS = "row, body, user_id, country_code, phone, event, source"


class MergedRows:
    """Which row carries which others, and the bodies of the calls that stand for several rows of a user."""

    def __init__(self, db: sqlite3.Connection, kind: Kind) -> None:
        """Make the tables, in the attached database `plan`."""
        self._db, self._kind = db, kind
        self._code: NoteCode = "coalesced" if kind == "user" else "event_id_repeated"
        self.count = 0
        """How many rows another one carries."""
        db.execute("CREATE TABLE plan.contents (row INTEGER PRIMARY KEY, body BLOB)")
        db.execute("CREATE TABLE plan.folded (row INTEGER PRIMARY KEY, body BLOB)")
        db.execute(
            "CREATE TABLE plan.merged (row INTEGER PRIMARY KEY, carrier INTEGER, body BLOB, user_id TEXT, "
            "country_code TEXT, phone TEXT, event TEXT, source TEXT)"
        )

    def keep(self, batch: pa.RecordBatch) -> None:
        """Keep the bodies of prepared rows, to be folded once all rows are known."""
        good = zip(batch["row"].to_pylist(), batch["body"].to_pylist(), strict=True)
        self._db.executemany("INSERT INTO plan.contents VALUES (?, ?)", (one for one in good if one[1] is not None))

    def add(self, row: int, carrier: int) -> None:
        """Note that a row is carried by another."""
        self.count += 1
        self._db.execute("INSERT INTO plan.merged (row, carrier) VALUES (?, ?)", (row, carrier))

    def fold(self, rows: Sequence[int]) -> list[list[int]]:
        """Fold the rows of one user, and return them in groups: the last row of each carries the others.

        There is one group, unless its call would be larger than the API takes.
        """
        groups: list[list[int]] = []
        fold: Fold | None = None
        for row in rows:
            (body,) = self._db.execute("SELECT body FROM plan.contents WHERE row = ?", (row,)).fetchone()
            if fold is not None and fold.take(body):
                groups[-1].append(row)
                continue
            self._keep_folded(groups, fold)
            fold = Fold(body)
            groups.append([row])
        self._keep_folded(groups, fold)
        return groups

    def _keep_folded(self, groups: list[list[int]], fold: Fold | None) -> None:
        if fold is None or len(groups[-1]) == 1:
            return
        *others, carrier = groups[-1]
        self._db.execute("INSERT INTO plan.folded VALUES (?, ?)", (carrier, fold.body))
        for row in others:
            self.add(row, carrier)

    def complete(self, merged: Iterable[pa.RecordBatch]) -> None:
        """Take in what the report lines of the merged rows need, and forget the bodies kept."""
        lines = (
            (one.body, one.user_id, one.country_code, one.phone, one.event, one.source, one.row)
            for batch in merged
            for one in messages(batch, self._kind)[0]
        )
        said = "UPDATE plan.merged SET body = ?, user_id = ?, country_code = ?, phone = ?, event = ?, source = ?"
        self._db.executemany(f"{said} WHERE row = ?", lines)
        self._db.execute("CREATE INDEX plan.merged_by_carrier ON merged (carrier)")

    def body(self, carrier: int) -> bytes:
        """Return the body of the call that stands for several rows of a user."""
        body: bytes = self._db.execute("SELECT body FROM plan.folded WHERE row = ?", (carrier,)).fetchone()[0]
        return body

    def carrier(self, row: int) -> int:
        """Return the row that carries this one."""
        carrier: int = self._db.execute("SELECT carrier FROM plan.merged WHERE row = ?", (row,)).fetchone()[0]
        return carrier

    def outcome(self, message: Message, carrier: Outcome) -> Outcome:
        """Return the outcome of a merged row."""
        return carried(message, carrier, self._code)

    def outcomes(self, carriers: Iterable[Outcome]) -> Iterator[list[Outcome]]:
        """Yield the outcomes of the rows that these have carried, some at a time."""
        if not self.count:
            return
        lot: list[Outcome] = []
        for carrier in carriers:
            row = (carrier.message.row,)
            found = self._db.execute(f"SELECT {_COLUMNS} FROM plan.merged WHERE carrier = ? ORDER BY row", row)  # noqa: S608
            while some := found.fetchmany(LOT):
                lot += [self.outcome(self._message(*one), carrier) for one in some]
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
