"""ORC files, stripe by stripe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Batches, Source, check_names, reason
from interakt_loader.sources.file import File
from interakt_loader.sources.formats import is_marked


def open_orc(file: File) -> Source:
    """Return an ORC file as a source; SourceError when it is none. Memory is bounded by its stripes."""
    if not is_marked(file, "orc"):  # before it is unpacked
        raise SourceError(f"{file.given}: this is not an ORC file")
    file = file.uncompressed()
    try:
        opened = _opened(file.location)
        schema, rows = opened.schema, opened.nrows
    except Exception as error:
        raise SourceError(f"{file.given}: this is not an ORC file: {reason(error)}") from error

    def read() -> Batches:
        yield from read_orc(file.location)

    return Source(
        name=file.name,
        columns=check_names(file.given, schema),
        rows=rows,
        rows_exact=True,
        read=read,
        path=file.given,
    )


def read_orc(location: Path) -> Iterator[pa.RecordBatch]:
    """Yield the stripes of a file, each of them valid, or raise what is wrong with it."""
    opened = _opened(location)
    for stripe in range(opened.nstripes):
        batch = opened.read_stripe(stripe)
        batch.validate(full=True)
        yield batch


def _opened(location: Path) -> Any:
    from pyarrow import orc

    return orc.ORCFile(str(location))
