"""Findings about the rows of a batch: why some cannot be sent, and notes on some that are."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import NoteCode, ProblemCode
from interakt_loader.wire import Problem


class Findings:
    """The first problem of each row, and all notes; rows are positions in the batch."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._problems: dict[int, tuple[str | None, Problem]] = {}
        self._notes: dict[int, list[tuple[str, Problem]]] = {}  # of rows that are sent, with something changed

    def note(self, row: int, column: str, note: Problem) -> None:
        """Keep what was done to a row that is sent."""
        self._notes.setdefault(row, []).append((column, note))

    def note_all(self, column: str, notes: dict[int, Problem]) -> None:
        """Keep the notes of a column."""
        for row, note in notes.items():
            self.note(row, column, note)

    def problem(self, row: int, column: str | None, problem: Problem) -> None:
        """Keep a row's first problem: identity is looked at before traits, and one reason is enough to mend."""
        self._problems.setdefault(row, (column, problem))

    def refuse(self, column: str, problems: dict[int, Problem]) -> None:
        """Keep the problems of a column."""
        for row, problem in problems.items():
            self.problem(row, column, problem)

    def has(self, code: ProblemCode | NoteCode) -> bool:
        """Tell whether a row has a problem of this code."""
        return any(problem.code == code for _, problem in self._problems.values())

    @property
    def refused(self) -> pa.BooleanArray:
        """A mask that is true at the rows that have a problem."""
        return self.at(self._problems)

    def at(self, rows: Iterable[int]) -> pa.BooleanArray:
        """Return a mask that is true at these rows."""
        return pc.is_in(pa.array(range(self._rows), pa.int64()), pa.array(sorted(rows), pa.int64()))

    def columns(self) -> tuple[pa.StringArray, pa.StringArray, pa.StringArray]:
        """Return code, column at fault and message of each row, null where there is nothing to say."""
        if not self._problems and not self._notes:
            nothing = pa.nulls(self._rows, pa.string())
            return nothing, nothing, nothing
        code: list[str | None] = [None] * self._rows
        column, message = list(code), list(code)
        for row, notes in self._notes.items():
            column[row], code[row] = notes[0][0], notes[0][1].code
            message[row] = "; ".join(f"{name}: {note.message}" for name, note in notes)
        for row, (at_fault, problem) in self._problems.items():
            code[row], column[row] = problem.code, at_fault
            message[row] = problem.message if at_fault is None else f"{at_fault}: {problem.message}"
        return pa.array(code, pa.string()), pa.array(column, pa.string()), pa.array(message, pa.string())
