"""Feather and Arrow IPC files, in the file form and the stream form."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Batches, Source, check_names, reason
from interakt_loader.sources.file import File


def open_ipc(file: File) -> Source:
    """Return a Feather or Arrow file as a source; SourceError when it is neither.

    Memory is bounded by the record batches that the file was written with.
    """
    path = file.given
    head = file.head(6)
    if head.startswith(b"FEA1"):
        raise SourceError(f"{path}: this is Feather version 1, which is too old; write it again as version 2")
    file = file.uncompressed()
    random_access = head == b"ARROW1"
    try:
        with pa.OSFile(str(file.location)) as opened, _reader(opened, random_access) as reader:
            schema = reader.schema
            # pyarrow 17 cannot count without reading
            count = getattr(reader, "count_rows", None)
            rows = count() if count else None
    except Exception as error:
        raise SourceError(f"{path}: this is not an Arrow or Feather file: {reason(error)}") from error

    def read() -> Batches:
        with pa.OSFile(str(file.location)) as opened, _reader(opened, random_access) as reader:
            batches = (reader.get_batch(at) for at in range(reader.num_record_batches)) if random_access else reader
            yield from batches

    return Source(
        name=file.name,
        columns=check_names(path, schema),
        rows=rows,
        rows_exact=rows is not None,
        read=read,
        path=path,
    )


def _reader(file: Any, random_access: bool) -> Any:
    return pa.ipc.open_file(file) if random_access else pa.ipc.open_stream(file)
