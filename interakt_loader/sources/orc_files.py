"""ORC files, stripe by stripe."""

from __future__ import annotations

from typing import Any

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Batches, Source, check_names, reason
from interakt_loader.sources.file import File


def open_orc(file: File) -> Source:
    """Return an ORC file as a source; SourceError when it is none. Memory is bounded by its stripes."""
    file = file.uncompressed()
    try:
        opened = _opened(file)
        schema, rows = opened.schema, opened.nrows
    except Exception as error:
        raise SourceError(f"{file.given}: this is not an ORC file: {reason(error)}") from error

    def read() -> Batches:
        opened = _opened(file)
        for stripe in range(opened.nstripes):
            yield opened.read_stripe(stripe)

    return Source(
        name=file.name,
        columns=check_names(file.given, schema),
        rows=rows,
        rows_exact=True,
        read=read,
        path=file.given,
    )


def _opened(file: File) -> Any:
    from pyarrow import orc

    return orc.ORCFile(str(file.location))
