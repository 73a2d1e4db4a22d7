"""The rows that failed, with the columns of the input and with what the report says of each: a frame and a file.

The failures file is for people, who correct it in a spreadsheet and load it again. So it is CSV in UTF-8 with a byte
order mark, every text is quoted, and text that a spreadsheet would run as a formula is guarded. `sources.failures`
reads it back. A value that it could not read back as the same value is not written as one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns import Target, coerce
from interakt_loader.columns.normalize import is_mixed
from interakt_loader.errors import InteraktLoaderError, SourceBroken, SourceError
from interakt_loader.load.opening import files_of
from interakt_loader.model import FAILURES, Kind, Status
from interakt_loader.privacy.files import replacing
from interakt_loader.privacy.formula_guard import guarded
from interakt_loader.report.reading import read_batches
from interakt_loader.result.view import hint
from interakt_loader.sources import CELL_ERRORS_COLUMN, OF_AN_OBJECT, PROBLEM_COLUMN, RESERVED, Source, is_pandas
from interakt_loader.sources.failures import (
    CANNOT_BE_SENT,
    EXTRA_COLUMNS,
    OBJECTS,
    UNREADABLE,
    VALUE_KINDS,
    is_failures_file,
    read_back,
    written,
)
from interakt_loader.sources.memory import REPORT_COLUMNS, REPORT_COLUMNS_KEY, own_columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from interakt_loader.result import LoadResult

Rows: TypeAlias = "npt.NDArray[np.int64]"

logger = logging.getLogger("interakt_loader")


def as_in_the_input(lines: pa.Table, source: Source) -> pd.DataFrame:
    """Return the input's own columns of the rows of these report lines, with `REPORT_COLUMNS` added.

    `lines` are in the input's order. The input is read again, as it is now. If it can be read only once, only the
    report's lines are returned. A column of the report has `load_` before its name if the input has one of this name.
    When the frame is loaded, the report's columns are left out (see `sources.memory`).

    Raises `InteraktLoaderError` if the input has become shorter.
    """
    data = source.data
    try:
        if is_pandas(data, "DataFrame"):
            own = own_columns(data).iloc[lines["row"].to_numpy()]
        elif isinstance(data, list | tuple) and isinstance(data[0], dict):
            own = _of_records([data[row] for row in lines["row"].to_pylist()])
        else:
            own = _read_again(source, lines)
    except SourceError as error:
        logger.warning("%s: the failures come without the columns of the input", error)
        frame: pd.DataFrame = lines.to_pandas()
        return frame
    except (IndexError, SourceBroken):
        raise _has_fewer_rows(source) from None
    taken = [str(name) for name in own.columns]
    names = {_free(name, taken): name for name in REPORT_COLUMNS}
    reported = lines.select(list(REPORT_COLUMNS)).to_pandas()
    failed = own.assign(**{name: reported[column].to_numpy() for name, column in names.items()})
    failed.attrs[REPORT_COLUMNS_KEY] = list(names)
    return failed


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name = f"load_{name}"
    return name


def _of_records(records: Sequence[dict[Any, Any]]) -> pd.DataFrame:
    """Return dicts as rows, with unchanged values."""
    import pandas as pd

    names = dict.fromkeys(name for one in records for name in one)
    return pd.DataFrame({name: pd.Series([one.get(name) for one in records], dtype=object) for name in names})


def _read_again(source: Source, lines: pa.Table) -> pd.DataFrame:
    import pandas as pd

    rows = lines["row"].to_numpy()
    pieces = list(_pieces(source, rows))
    if sum(map(len, pieces)) != len(rows):
        raise _has_fewer_rows(source)
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=source.columns)


def _pieces(source: Source, rows: Rows) -> Iterator[pd.DataFrame]:
    import pandas as pd

    for batch in taken_rows(source, rows):
        own = batch.select([name for name in batch.schema.names if name not in RESERVED])
        frame = own.to_pandas(types_mapper=_of_numbers)
        for at, column in enumerate(own.columns):
            if is_mixed(column.type):
                frame.isetitem(at, pd.Series(column.to_pylist(), dtype=object))
        yield frame


def taken_rows(source: Source, rows: Rows) -> Iterator[pa.RecordBatch]:
    """Yield the rows of these ascending numbers; nothing is read beyond the last one."""
    first = 0
    batches = source.batches()
    while len(rows) and (batch := next(batches, None)) is not None:
        count = int(rows.searchsorted(first + batch.num_rows))
        if count:
            yield batch.take(rows[:count] - first)
            rows = rows[count:]
        first += batch.num_rows


def _of_numbers(arrow: pa.DataType) -> Any:
    """Return the pandas type in which whole numbers and booleans stay what they are beside missing values."""
    import pandas as pd
    import pyarrow.types as of

    if of.is_integer(arrow):
        return pd.api.types.pandas_dtype(str(arrow).replace("int", "Int").replace("uI", "UI"))
    return pd.BooleanDtype() if of.is_boolean(arrow) else None


def _has_fewer_rows(source: Source) -> InteraktLoaderError:
    return InteraktLoaderError(f"{source.name}: has fewer rows than when it was loaded; its failures are in the report")


_MARK = b"\xef\xbb\xbf"

_NEED_A_PERSON = [one.value for one in FAILURES if one is not Status.UNSENT]
"""The statuses of the rows that are written; an `unsent` one is sent by the next load of the same source."""


_ACCEPTED = [one.value for one in (Status.SENT, Status.UNCHANGED, Status.RECORDED, Status.MERGED)]

_NOT_OF_A_ROW = ("key_refused", "plan_without_api", "certificate_untrusted")
"""Codes that stop a load. Nothing in a row is to be fixed, and the next load of the same source sends it."""

_LATER = "nothing to fix: this row comes after one of the same user, and its newer values stay"

_IDENTITY = ("user_id", "country_code", "phone")
"""Columns of the report that tell who a row is about."""


class FailuresFile:
    """The failures file of one load."""

    def __init__(self, path: str | Path, source: Source) -> None:
        """Remember the state of the source's files. At the end they are read again, and have to be the same."""
        self._path, self._source = Path(path), source
        self._files = self._fingerprint()

    def _fingerprint(self) -> list[tuple[int, int]]:
        """Return the size and the time of change of each of the source's files on this machine."""
        return [(status.st_size, status.st_mtime_ns) for status in (one.stat() for one in files_of(self._source))]

    def settle(self, result: LoadResult, *, whole: bool) -> Path | None:
        """Write the rows that need a person, or remove the file if there are none. Return its path if it exists.

        `whole`: the load has reached every row of its source. If not, rows of the file may still have to be loaded. So
        it is kept if it is the source itself, or if there is nothing to write. An error is only a warning, because the
        rows are on record.
        """
        try:
            return self._settled(result, whole=whole)
        except OSError as error:
            logger.warning("failures %s: cannot be written: %s", self._path, error.strerror or error)
        except InteraktLoaderError as error:
            logger.warning("failures %s: not written: %s", self._path, error)
        return None

    def _settled(self, result: LoadResult, *, whole: bool) -> Path | None:
        path, source = self._path, self._source
        is_source = source.of_failures and source.path is not None and _is_same(path, source.path)
        count = sum(result.summary.counts[one] for one in _NEED_A_PERSON)
        if not whole and (is_source or not count):
            return path if path.exists() else None
        if (count or is_source) and self._fingerprint() != self._files:
            raise _changed(source)
        lines = _lines(result.report, result.kind) if count else None
        if lines is not None and lines.num_rows:
            with replacing(path) as file:
                _write(file, _rows(lines, source))
            return path
        if whole and path.is_file() and is_failures_file(path):
            path.unlink()
        return None


def _is_same(path: Path, other: str) -> bool:
    with suppress(OSError):
        return path.samefile(Path(other).expanduser())
    return False


def _lines(report: Path, kind: Kind) -> pa.Table:
    """Return the report's lines of the rows that are written, in the input's order.

    These are the rows that need a person, and of a user also the accepted rows after such a row. Without them, the
    older values of the row that is fixed would replace the newer ones.
    """
    failed = _of_status(report, _NEED_A_PERSON)
    if kind == "event" or not failed.num_rows:
        return failed.sort_by("row")
    first: dict[str, int] = {}
    for user, row in zip(_users(failed).to_pylist(), failed["row"].to_pylist(), strict=True):
        if user is not None:
            first[user] = min(row, first.get(user, row))
    accepted = _of_status(report, _ACCEPTED, pa.array(first, pa.string()))
    users, rows = _users(accepted).to_pylist(), accepted["row"].to_pylist()
    later = accepted.filter(pa.array([row > first[user] for user, row in zip(users, rows, strict=True)], pa.bool_()))
    return pa.concat_tables([failed, later]).sort_by("row")


def _of_status(report: Path, statuses: Sequence[str], users: pa.StringArray | None = None) -> pa.Table:
    """Return the report's lines with one of these statuses, of these users."""
    wanted, others, found = pa.array(statuses), pa.array(_NOT_OF_A_ROW), []
    for batch in read_batches(report, ["row", "status", "code", "column", "message", *_IDENTITY]):
        is_wanted = pc.and_not(pc.is_in(batch["status"], wanted), pc.is_in(batch["code"], others))
        lines = batch.filter(is_wanted)
        found.append(lines if users is None else lines.filter(pc.is_in(_users(lines), users)))
    return pa.Table.from_batches(found)


def _users(lines: pa.Table | pa.RecordBatch) -> pa.StringArray:
    """Return who each line is about: the user id, or without one the phone."""
    user_id, *phone = (lines[name] for name in _IDENTITY)
    return pc.coalesce(pc.binary_join_element_wise("id", user_id, " "), pc.binary_join_element_wise(*phone, " "))


def _rows(lines: pa.Table, source: Source) -> Iterator[pa.RecordBatch]:
    """Yield the rows of these lines as text; if the input can be read only once, only what the report says of them."""
    done = 0
    try:
        for batch in taken_rows(source, lines["row"].to_numpy()):
            own, kinds = _own(batch, [name for name in source.columns if name not in RESERVED])
            reported = _reported(lines.slice(done, batch.num_rows))
            done += batch.num_rows
            columns = {**own, **reported, VALUE_KINDS: kinds}
            yield pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])
    except SourceError as error:
        if done:
            raise
        logger.warning("%s: the failures file lacks the columns of the input, and cannot be loaded", error)
        reported = _reported(lines)
        yield pa.RecordBatch.from_arrays([*reported.values()], names=[*reported])
        return
    except (IndexError, SourceBroken):
        raise _changed(source) from None
    if done != lines.num_rows:
        raise _changed(source)


def _changed(source: Source) -> InteraktLoaderError:
    return InteraktLoaderError(
        f"{source.name}: has changed since the load began, so its rows are not written; see the report"
    )


def _own(batch: pa.RecordBatch, names: Sequence[str]) -> tuple[dict[str, pa.Array], pa.Array]:
    """Return a batch's own columns as text, and the kinds of their values."""
    wrong = _wrong_cells(batch)
    texts: dict[str, pa.Array] = {}
    objects = [one.name for one in batch.schema if one.metadata == OF_AN_OBJECT]
    kinds: list[dict[str, Any]] = [{OBJECTS: objects} if objects else {} for _ in range(batch.num_rows)]
    for name in dict.fromkeys([*names, *batch.schema.names]):
        if name in RESERVED:
            continue
        if name not in batch.schema.names:
            texts[name] = pa.nulls(batch.num_rows, pa.string())
            continue
        texts[name], found = _column(batch.column(name), wrong.get(name, set()))
        for row, kind in enumerate(found or ()):
            if kind is not None:
                kinds[row][name] = kind
    written_kinds = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) if one else None for one in kinds]
    if PROBLEM_COLUMN in batch.schema.names:
        for row in pc.indices_nonzero(batch.column(PROBLEM_COLUMN).is_valid()).to_pylist():
            written_kinds[row] = UNREADABLE
    return texts, pa.array(written_kinds, pa.string())


def _column(column: pa.Array, wrong: set[int]) -> tuple[pa.StringArray, list[str | None] | None]:
    """Return a column as text, and the kinds of its values. One that cannot be read back is left out."""
    text, kinds = written(column)
    if kinds is not None:
        before, after = (coerce(one, Target()) for one in (column, read_back(text, kinds)))
        same = pc.or_kleene(pc.equal(before.json, after.json), pc.and_(before.json.is_null(), after.json.is_null()))
        wrong = wrong.union(
            before.problems, pc.indices_nonzero(pc.invert(pc.coalesce(same, pa.scalar(value=False)))).to_pylist()
        )
    if not wrong:
        return text, kinds
    texts = [CANNOT_BE_SENT if row in wrong else one for row, one in enumerate(text.to_pylist())]
    kinds = ["other" if row in wrong else one for row, one in enumerate(kinds or [None] * len(texts))]
    return pa.array(texts, pa.string()), kinds


def _wrong_cells(batch: pa.RecordBatch) -> dict[str, set[int]]:
    """Return, for each column, the rows whose cell holds an error of a workbook."""
    wrong: dict[str, set[int]] = {}
    if CELL_ERRORS_COLUMN in batch.schema.names:
        for row, cells in enumerate(batch.column(CELL_ERRORS_COLUMN).to_pylist()):
            for cell in cells or ():
                wrong.setdefault(cell["column"], set()).add(row)
    return wrong


def _reported(lines: pa.Table) -> dict[str, pa.Array]:
    """Return the columns that stand after a row's own: its number in the input, and what is wrong with it."""
    failed = pc.is_in(lines["status"], pa.array(_NEED_A_PERSON))
    said = [pc.if_else(failed, lines[name], None).to_pylist() for name in ("code", "column", "message")]
    hints = [hint(code) if is_failed else _LATER for code, is_failed in zip(said[0], failed.to_pylist(), strict=True)]
    texts = (lines["row"].cast(pa.string()).to_pylist(), *said, hints)
    return {name: guarded(pa.array(text, pa.string())) for name, text in zip(EXTRA_COLUMNS, texts, strict=True)}


def _write(file: IO[bytes], rows: Iterator[pa.RecordBatch]) -> None:
    import pyarrow.csv as pa_csv

    table = pa.concat_tables([pa.Table.from_batches([one]) for one in rows], promote_options="default")
    if VALUE_KINDS in table.schema.names and not table[VALUE_KINDS].null_count < table.num_rows:
        table = table.drop_columns([VALUE_KINDS])
    own = [name for name in table.schema.names if name not in (*EXTRA_COLUMNS, VALUE_KINDS)]
    table = table.select([*own, *(name for name in table.schema.names if name not in own)])
    names = guarded(pa.array(table.schema.names, pa.string())).to_pylist()
    file.write(_MARK)
    pa_csv.write_csv(table.rename_columns(names), file, pa_csv.WriteOptions(quoting_style="all_valid"))
