"""Feather and Arrow IPC files, in the file form and the stream form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Batches, Source, check_names, reason
from interakt_loader.sources.file import File
from interakt_loader.sources.formats import is_marked

_END_MARK_BYTES = (4, 8)  # four in streams of old and in those of JavaScript


def open_ipc(file: File) -> Source:
    """Return a Feather or Arrow file as a source; SourceError when it is neither.

    Memory is bounded by the record batches that the file was written with.
    """
    path = file.given
    head = file.head(6)
    if head.startswith(b"FEA1"):
        raise SourceError(f"{path}: this is Feather version 1, which is too old; write it again as version 2")
    if file.compression is not None and not is_marked(file, "ipc"):  # before it is unpacked
        raise SourceError(f"{path}: this is not an Arrow or Feather file")
    file = file.uncompressed()
    try:
        with pa.OSFile(str(file.location)) as opened, _reader(opened) as reader:
            schema = reader.schema
            # pyarrow 17 cannot count without reading
            count = getattr(reader, "count_rows", None)
            rows = count() if count else None
    except Exception as error:
        raise SourceError(f"{path}: this is not an Arrow or Feather file: {reason(error)}") from error

    def read() -> Batches:
        yield from read_ipc(file.location)

    return Source(
        name=file.name,
        columns=check_names(path, schema),
        rows=rows,
        rows_exact=rows is not None,
        read=read,
        path=path,
    )


def read_ipc(location: Path) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a file, each of them valid, or raise what is wrong with it."""
    with pa.OSFile(str(location)) as file, _reader(file) as reader:
        batches = _whole_stream(file, reader) if isinstance(reader, pa.RecordBatchStreamReader) else _blocks(reader)
        for batch in batches:
            batch.validate(full=True)
            yield batch


def _blocks(reader: Any) -> Iterator[pa.RecordBatch]:
    for at in range(reader.num_record_batches):
        yield reader.get_batch(at)


def _whole_stream(file: Any, reader: Any) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a stream; ValueError where it has no end mark, or more stands behind it."""
    while True:
        at = file.tell()
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            break
        yield batch
    if file.tell() - at not in _END_MARK_BYTES:
        raise ValueError("the stream has no end mark, so rows may be missing: was its writer closed?")
    if file.read().strip(b"\0"):
        raise ValueError("more stands behind the end of the stream: write one stream a file")


def _reader(file: Any) -> Any:
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    return pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
