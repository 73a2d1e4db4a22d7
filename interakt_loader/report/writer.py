"""The report: a file with one line for each row of the input, and the summary that counts the same lines."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import NotJustNow, SettingsError, option
from interakt_loader.model import FAILURES, Status
from interakt_loader.privacy.files import is_still_at, open_private, truncate, try_lock
from interakt_loader.privacy.formula_guard import guard
from interakt_loader.privacy.text import masked, printable_json
from interakt_loader.report.outcomes import OUTCOMES

ENDINGS = (".csv", ".jsonl", ".parquet")

PARQUET_GROUP = 65_536
"""Rows of a row group in a Parquet report. Batches are small, and a group for each would make a slow file."""

TRIES = 100
"""Times to open a file that others keep removing."""

EXAMPLES = 3
"""Row numbers and one message are kept for each reason."""


class Writer(Protocol):
    """Writes batches of outcomes to a file. When `write` returns, the lines are on disk, except in Parquet."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the lines of a batch."""
        ...

    def close(self) -> None:
        """Complete the file."""
        ...


class Report:
    """The report file of one load. A context manager.

    While it is open, no other load can use the file. A report of an earlier load is kept until `begin`. So a load that
    is refused before its first call leaves that report.
    """

    def __init__(self, path: str | Path) -> None:
        """Open `path`, whose ending gives the format.

        Raises `SettingsError` if the file cannot be written, and `NotJustNow` while another load writes it.
        """
        self.path = Path(path)
        ending = self.path.suffix.lower()
        if ending not in ENDINGS:
            raise SettingsError(f"{option('report')} {self.path}: expected a name ending in {', '.join(ENDINGS)}")
        self._make: Callable[[IO[bytes]], Writer] = _WRITERS[ending]
        self._writer: Writer | None = None
        self._closed = False
        self._is_new = not self.path.exists()
        try:
            self._file = self._opened()
        except OSError as error:
            raise self._unwritable(error) from None

    def _opened(self) -> IO[bytes]:
        for _ in range(TRIES):
            file = open_private(self.path, keep=True)
            if not try_lock(file.fileno()):
                file.close()
                raise NotJustNow(
                    f"report {self.path}: is being written by another load; wait for it, or give this one a report of "
                    "its own"
                )
            if is_still_at(file.fileno(), self.path):
                return file
            # its last holder has removed it
            file.close()
        raise FileNotFoundError(errno.ENOENT, "it is removed again and again")

    def begin(self) -> None:
        """Overwrite an earlier report. A second call does nothing. Raises `SettingsError` if it cannot be written."""
        try:
            self._begun()
        except OSError as error:
            raise self._unwritable(error) from None

    def _begun(self) -> Writer:
        if self._writer is None:
            truncate(self._file)
            self._writer = self._make(self._file)
        return self._writer

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(f"report {self.path}: cannot be written: {error.strerror or error}")

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._writer is None:
            self._leave()
        self.close()

    def _leave(self) -> None:
        """Leave everything as it was, because there is nothing to report."""
        # Windows cannot remove an open file
        if os.name != "posix":
            self.give_up()
        if self._is_new:
            # while it is locked, no other load can have begun with it
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        self.give_up()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the lines of a batch."""
        self._begun().write(batch)

    def close(self) -> None:
        """Complete the file. A second call does nothing."""
        if not self._closed:
            self._closed = True
            try:
                self._begun().close()
            finally:
                self._file.close()

    def give_up(self) -> None:
        """Close a file that cannot be written any more, without its buffer, which would raise once more."""
        self._closed = True
        with suppress(OSError):
            self._file.close()


class CsvWriter:
    """Writes CSV, in UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        """Write the names of the columns."""
        import pyarrow.csv as pa_csv

        self._file = file
        self._options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
        self._write_csv = pa_csv.write_csv
        file.write(",".join(OUTCOMES.names).encode() + b"\n")
        file.flush()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the lines of a batch."""
        # Arrow takes a microsecond to write a time with a zone: most of what a line costs. Without one, only the last
        # letter of each line is missing. `guard` has left no other line break.
        last = batch.num_columns - 1
        local = batch.set_column(last, OUTCOMES.names[last], batch[last].cast(pa.timestamp("ms")))
        lines = pa.BufferOutputStream()
        self._write_csv(guard(local), lines, self._options)
        with_letters = lines.getvalue().to_pybytes().replace(b"\n", b"Z\n")
        # a line without a time
        self._file.write(with_letters.replace(b",Z\n", b",\n"))
        self._file.flush()

    def close(self) -> None:
        """Do nothing: all lines are written."""


class _JsonLines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, batch: pa.RecordBatch) -> None:
        finished = batch["finished_at"].cast(pa.timestamp("ms")).cast(pa.string())
        # all but the last, `finished_at`
        columns = {name: batch[name].to_pylist() for name in OUTCOMES.names[:-1]}
        columns["finished_at"] = [f"{one.replace(' ', 'T')}Z" for one in finished.to_pylist()]
        lines = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        self._file.write("".join(printable_json(line) + "\n" for line in lines).encode())
        self._file.flush()

    def close(self) -> None:
        """Do nothing: all lines are written."""


class _Parquet:
    def __init__(self, file: IO[bytes]) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(file, OUTCOMES, compression="zstd")
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._rows += batch.num_rows
        if self._rows >= PARQUET_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches), row_group_size=PARQUET_GROUP)
            self._batches, self._rows = [], 0


_WRITERS: dict[str, Callable[[IO[bytes]], Writer]] = {".csv": CsvWriter, ".jsonl": _JsonLines, ".parquet": _Parquet}


@dataclass
class Reason:
    """Why rows ended as they did: one status and code, and the column at fault if there is one."""

    status: str
    code: str | None
    column: str | None
    count: int = 0
    rows: list[int] = field(default_factory=list)
    """The first few row numbers."""
    example: str | None = None
    """One row's message."""


@dataclass
class Summary:
    """The fold over all outcomes: counts that add up, and the reasons of what went wrong."""

    dry_run: bool = False
    """Nothing was to be sent, so an unsent row is not a failure."""
    counts: dict[str, int] = field(default_factory=lambda: {status.value: 0 for status in Status})
    attempts: int = 0
    called: int = 0
    """Rows that had a call of their own."""
    maybe_duplicates: int = 0
    reasons: dict[tuple[str, str | None, str | None], Reason] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows have an outcome."""
        return sum(self.counts.values())

    @property
    def failing(self) -> list[Status]:
        """The statuses that need a person."""
        return [status for status in FAILURES if not (self.dry_run and status is Status.UNSENT)]

    @property
    def failures(self) -> int:
        """How many rows need a person."""
        return sum(self.counts[status.value] for status in self.failing)

    @property
    def is_on_record(self) -> bool:
        """Whether a ledger holds something of these rows: at least one was accepted, or may have been."""
        on_record = (
            Status.SENT, Status.UNCHANGED, Status.RECORDED, Status.MERGED, Status.SAME, Status.UNKNOWN
        )  # fmt: skip
        return any(self.counts[status.value] for status in on_record)

    def add(self, batch: pa.RecordBatch) -> None:
        """Fold a batch of outcomes in."""
        for one in pc.value_counts(batch["status"]).to_pylist():
            self.counts[one["values"]] += one["counts"]
        self.attempts += pc.sum(batch["attempts"]).as_py() or 0
        self.called += pc.sum(pc.greater(batch["attempts"], 0)).as_py() or 0
        self.maybe_duplicates += pc.sum(batch["maybe_duplicate"]).as_py() or 0
        noted = batch.filter(pc.is_valid(batch["code"]))
        if noted.num_rows:
            self._add_reasons(noted)

    def _add_reasons(self, noted: pa.RecordBatch) -> None:
        for key, lines in _by_reason(noted):
            reason = self.reasons.setdefault(key, Reason(*key))
            reason.count += lines.num_rows
            reason.rows = [*reason.rows, *lines["row"][:EXAMPLES].to_pylist()][:EXAMPLES]
            if reason.example is None:
                reason.example = next(iter(lines["message"].drop_null()[:1].to_pylist()), None)

    def reasons_as_dicts(self) -> list[dict[str, Any]]:
        """Return the reasons as values that can be written as JSON. People in the examples are masked."""
        return [
            {
                "status": one.status,
                "code": one.code,
                "column": one.column,
                "rows": one.count,
                "first_rows": one.rows,
                # a program passes it on to who knows where
                "example": None if one.example is None else masked(one.example),
            }
            for one in self.top_reasons()
            if one.code is not None
        ]

    def top_reasons(self) -> list[Reason]:
        """Return the reasons, the commonest first."""
        return sorted(self.reasons.values(), key=lambda one: -one.count)


def _by_reason(noted: pa.RecordBatch) -> Iterator[tuple[tuple[str, str, str | None], pa.RecordBatch]]:
    """Yield the lines of each reason, the reasons in the order in which they first come."""
    # not by `group_by`, which imports a part of pyarrow that takes 10 ms and is used for nothing else
    while noted.num_rows:
        status, code, column = (noted[name][0].as_py() for name in ("status", "code", "column"))
        same = pc.and_(pc.equal(noted["status"], status), pc.equal(noted["code"], code))
        same_column = pc.is_null(noted["column"]) if column is None else pc.equal(noted["column"], column)
        same = pc.and_(same, same_column).fill_null(fill_value=False)
        yield (status, code, column), noted.filter(same)
        noted = noted.filter(pc.invert(same))
