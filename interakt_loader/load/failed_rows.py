"""The rows that a person has to look at, as they stand in the input, with what the report says of each beside them.

The failures file: the rows of a load that need a person, as they stand in the input, to be fixed and loaded again.

It is one for people, so it is CSV for spreadsheets: UTF-8 with a mark, every text in quotes, and what a spreadsheet
would run made harmless. `sources.failures` reads it back; what it could not read back as the same value is not written
as one.
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

from interakt_loader.codes import hint
from interakt_loader.columns import Target, coerce
from interakt_loader.columns.normalize import is_mixed
from interakt_loader.errors import InteraktLoaderError, SourceBroken, SourceError
from interakt_loader.load.outputs import files_of
from interakt_loader.model import FAILURES, Status
from interakt_loader.privacy.files import replacing
from interakt_loader.privacy.formula_guard import guarded
from interakt_loader.report.reading import read_batches
from interakt_loader.sources import (
    CELL_ERRORS_COLUMN,
    OF_AN_OBJECT,
    PROBLEM_COLUMN,
    RESERVED,
    Source,
    is_pandas,
)
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


def as_they_stand(lines: pa.Table, data: Any, source: Source) -> pd.DataFrame:
    """Return the input's own columns of the rows of these lines of the report, with `REPORT_COLUMNS` beside them.

    `lines` are in the input's order. The input is read again, as it is now; of one that can be read only once, the
    report's lines come back alone. A column of the report has `load_` before its name where the input has one called
    so. Loaded again, the frame is without the report's columns (`sources.frames` sees to it).

    Raises `InteraktLoaderError` where the input has become shorter.
    """
    try:
        if is_pandas(data, "DataFrame"):
            own = own_columns(data).iloc[lines["row"].to_numpy()]
        elif isinstance(data, list | tuple) and isinstance(data[0], dict):
            own = _of_records([data[row] for row in lines["row"].to_pylist()])
        else:
            own = _read_again(source, lines)
    except SourceError as error:
        logger.warning("%s: the failures come without its own columns", error)
        frame: pd.DataFrame = lines.to_pandas()
        return frame
    except (IndexError, SourceBroken):
        raise _has_fewer_rows(source) from None
    taken = [str(name) for name in own.columns]
    names = {_free(name, taken): name for name in REPORT_COLUMNS}
    said = lines.select(list(REPORT_COLUMNS)).to_pandas()
    beside = own.assign(**{name: said[column].to_numpy() for name, column in names.items()})
    beside.attrs[REPORT_COLUMNS_KEY] = list(names)
    return beside


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name = f"load_{name}"
    return name


def _of_records(records: Sequence[dict[Any, Any]]) -> pd.DataFrame:
    """Return dicts as rows, their values as they are."""
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
    """Yield the rows of these numbers, which ascend; nothing is read beyond the last of them."""
    first = 0
    for batch in source.batches():
        if not len(rows):
            return
        count = int(rows.searchsorted(first + batch.num_rows))
        if count:
            yield batch.take(rows[:count] - first)
            rows = rows[count:]
        first += batch.num_rows


def _of_numbers(arrow: pa.DataType) -> Any:
    """Return the pandas type that keeps a whole number whole and a boolean one, where others are missing."""
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


class FailuresFile:
    """The failures file of one load."""

    def __init__(self, path: str | Path, source: Source) -> None:
        """Make it known before the load begins to read its source, which is read again at the end."""
        self._path, self._source = Path(path), source
        self._files = self._fingerprint()

    def _fingerprint(self) -> list[tuple[int, int]]:
        """Return what changes with the source's files on this machine."""
        return [(status.st_size, status.st_mtime_ns) for status in (one.stat() for one in files_of(self._source))]

    def settle(self, result: LoadResult, *, whole: bool) -> Path | None:
        """Write the rows that need a person, or remove the file where there are none; return it if it is there.

        `whole`: the load has come to every row of its source. If not, rows that are in the file may still have to be
        loaded: it stays where it is the source itself, or where there is nothing to write. What goes wrong is worth a
        warning and no more, as the rows are on record.
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
        if count:
            with replacing(path) as file:
                _write(file, _rows(_lines(result.report), source))
            return path
        if path.is_file() and is_failures_file(path):
            path.unlink()
        return None


def _is_same(path: Path, other: str) -> bool:
    with suppress(OSError):
        return path.samefile(Path(other).expanduser())
    return False


def _lines(report: Path) -> pa.Table:
    """Return what the report says of the rows, in the input's order."""
    wanted = pa.array(_NEED_A_PERSON)
    batches = read_batches(report, ["row", "status", "code", "column", "message"])
    return pa.Table.from_batches([one.filter(pc.is_in(one["status"], wanted)) for one in batches]).sort_by("row")


def _rows(lines: pa.Table, source: Source) -> Iterator[pa.RecordBatch]:
    """Yield the rows of these lines as text; of an input that can be read only once, what is said of them alone."""
    done = 0
    names: list[str] | None = None
    try:
        for batch in taken_rows(source, lines["row"].to_numpy()):
            own, kinds = _own(batch, [name for name in source.columns if name not in RESERVED])
            said = _said(lines.slice(done, batch.num_rows))
            done += batch.num_rows
            names = [*own, *said, VALUE_KINDS]
            yield pa.RecordBatch.from_arrays([*own.values(), *said.values(), kinds], names=names)
    except SourceError as error:
        if done:
            raise
        logger.warning("%s: the failures file has not its own columns, and cannot be loaded", error)
        said = _said(lines)
        yield pa.RecordBatch.from_arrays([*said.values()], names=[*said])
        return
    except (IndexError, SourceBroken):
        raise _changed(source) from None
    if done != lines.num_rows:
        raise _changed(source)


def _changed(source: Source) -> InteraktLoaderError:
    return InteraktLoaderError(
        f"{source.name}: is another than when the load began, so its rows are not written; see the report"
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
    said = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) if one else None for one in kinds]
    if PROBLEM_COLUMN in batch.schema.names:
        for row in pc.indices_nonzero(batch.column(PROBLEM_COLUMN).is_valid()).to_pylist():
            said[row] = UNREADABLE
    return texts, pa.array(said, pa.string())


def _column(column: pa.Array, wrong: set[int]) -> tuple[pa.StringArray, list[str | None] | None]:
    """Return a column as text, and the kinds of its values; what would be sent as another value has none that reads."""
    text, kinds = written(column)
    if kinds is not None:
        before, after = (coerce(one, Target()) for one in (column, read_back(text, kinds)))
        same = pc.or_kleene(pc.equal(before.json, after.json), pc.and_(before.json.is_null(), after.json.is_null()))
        wrong = wrong.union(before.problems, pc.indices_nonzero(pc.invert(same.fill_null(False))).to_pylist())
    if not wrong:
        return text, kinds
    texts = [CANNOT_BE_SENT if row in wrong else one for row, one in enumerate(text.to_pylist())]
    kinds = ["other" if row in wrong else one for row, one in enumerate(kinds or [None] * len(texts))]
    return pa.array(texts, pa.string()), kinds


def _wrong_cells(batch: pa.RecordBatch) -> dict[str, set[int]]:
    """Return the rows of each column whose cell holds an error of a workbook."""
    wrong: dict[str, set[int]] = {}
    if CELL_ERRORS_COLUMN in batch.schema.names:
        for row, cells in enumerate(batch.column(CELL_ERRORS_COLUMN).to_pylist()):
            for cell in cells or ():
                wrong.setdefault(cell["column"], set()).add(row)
    return wrong


def _said(lines: pa.Table) -> dict[str, pa.Array]:
    hints = [hint(code) for code in lines["code"].to_pylist()]
    texts = (
        lines["row"].cast(pa.string()).to_pylist(),
        *(lines[name].to_pylist() for name in ("code", "column", "message")),
        hints,
    )
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
