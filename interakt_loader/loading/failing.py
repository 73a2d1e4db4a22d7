"""The rows that a person has to look at, as they stand in the input, with what the report says of each beside them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from interakt_loader.errors import InteraktLoaderError, SourceBroken, SourceError
from interakt_loader.plain import is_mixed
from interakt_loader.sources import RESERVED, Source, is_pandas
from interakt_loader.sources.frames import BESIDE, SAID, own_columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

Rows: TypeAlias = "npt.NDArray[np.int64]"

logger = logging.getLogger("interakt_loader")


def as_they_stand(lines: pa.Table, data: Any, source: Source) -> pd.DataFrame:
    """Return the input's own columns of the rows that these lines of the report are about, and `SAID` beside them.

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
        raise _changed(source) from None
    taken = [str(name) for name in own.columns]
    names = {_free(name, taken): name for name in SAID}
    said = lines.select(list(SAID)).to_pandas()
    beside = own.assign(**{name: said[column].to_numpy() for name, column in names.items()})
    beside.attrs[BESIDE] = list(names)
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
        raise _changed(source)
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


def _changed(source: Source) -> InteraktLoaderError:
    return InteraktLoaderError(f"{source.name}: has fewer rows than when it was loaded; its failures are in the report")
