"""Read Parquet, Arrow, Feather and ORC files.

Parquet is streamed: memory is bounded by a few pages of each column, not by the row group. Arrow and Feather files are
read by record batches, and ORC by stripes. Arrow trusts the last three: a damaged file can crash the process that
reads it, such as a notebook. So another Python process reads each of them whole before this one opens it.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns.normalize import null_where
from interakt_loader.errors import InteraktLoaderError, SourceError
from interakt_loader.sources.base import (
    BATCH_ROWS,
    PROBLEM_COLUMN,
    WIDE_BYTES,
    Batches,
    Source,
    flat_names,
    flattened,
    reason,
    with_meanings,
)
from interakt_loader.sources.local_file import File, Format, is_marked

# Parquet's old INT96 times can have more years than any timestamp of Arrow.
# In milliseconds. Beyond this, microseconds do not fit into 64 bits.
_LARGEST = (2**63 - 1) // 1000
# In milliseconds. Older Arrows wrote times before 1970 as 2**64 nanoseconds too late: a birth in 1960 as one in 2544.
_DAMAGED = (2**63 // 10**6, 3 * 2**63 // 10**6)
_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
# Bytes of a column chunk that are read at a time. Without this, Arrow holds whole row groups.
_READ_BYTES = 64 << 10
_SENDABLE = (
    *("None", "String", "Enum", "JSON", "UUID", "Null", "Int", "Decimal", "Float16", "Date", "Time", "Timestamp"),
    *("List", "Map"),
)
"""Logical types that Arrow reads as their values. The bytes of any other type mean something else."""
# The ratio of compression that distinct values do not reach, unless one of them is very long.
_SQUEEZED = 100
# Batches after which unused memory is released, which the allocator does not do without a request.
_RELEASE_EVERY = 8
# Four in old streams, and in those of JavaScript.
_END_MARK_BYTES = (4, 8)
_BEGIN = "import sys; sys.path[:] = sys.argv[1:]; from interakt_loader.sources.columnar import serve; serve()"
_READY = "ready"
# Seconds, and one more for each million bytes.
_PATIENCE = 300.0
# Bytes, plus a multiple of the file's size. More is due to a damaged length, or a bomb.
_MEMORY = 4 << 30
_MEMORY_FACTOR = 16


def open_parquet(file: File) -> Source:
    """Return a Parquet file as a source; SourceError when it is not one, or its footer cannot be read."""
    path = file.given
    # Checked before it is unpacked.
    if not is_marked(file, "parquet"):
        raise SourceError(f"{path}: this is not a Parquet file, whatever its name says")
    file = file.uncompressed()
    _check_ends(file)
    try:
        with _opened(file) as opened:
            schema, rows = opened.schema_arrow, _rows(path, opened)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{path}: the Parquet footer cannot be read: {reason(error)}") from error

    def read() -> Batches:
        with _opened(file) as opened, ExitStack() as stack:
            instants = int96_columns(opened)
            again = stack.enter_context(_opened(file, "ms")) if instants else None
            yield from _batches(opened, again, instants)

    return Source(name=file.name, columns=flat_names(schema, path), rows=rows, rows_exact=True, read=read, path=path)


def is_parquet_file(data: object) -> bool:
    """Return whether data is a pyarrow ParquetFile; False if that part of pyarrow is not imported."""
    module = sys.modules.get("pyarrow.parquet")
    return module is not None and isinstance(data, module.ParquetFile)


def open_parquet_file(file: Any) -> Source:
    """Return a pyarrow ParquetFile as a source. It stays open, since the caller opened it."""
    return Source(
        name="ParquetFile",
        columns=flat_names(file.schema_arrow, "ParquetFile"),
        rows=_rows("ParquetFile", file),
        rows_exact=True,
        read=lambda: _batches(file),
    )


def _check_ends(file: File) -> None:
    with file.open() as stream:
        head = stream.read(4)
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 4))
        tail = stream.read(4)
    if _ENCRYPTED in (head, tail):
        raise SourceError(f"{file.given}: the Parquet file is encrypted; decrypt it first")
    if tail != _MAGIC or size < 12:
        raise SourceError(f"{file.given}: the Parquet file is cut short; copy or write it again")


def _opened(file: File, int96_unit: str = "us") -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(
        file.location,
        pre_buffer=False,
        buffer_size=_READ_BYTES,
        page_checksum_verification=True,
        # As nanoseconds, Spark's INT96 times would overflow after the year 2262.
        coerce_int96_timestamp_unit=int96_unit,
    )


def _rows(where: str, file: Any) -> int:
    """Return how many rows the footer promises; SourceError if it contradicts itself.

    A column with fewer values than its row group has rows would end the table early, without an error.
    """
    metadata = file.metadata
    rows = 0
    repeated = [metadata.schema.column(at).max_repetition_level > 0 for at in range(metadata.num_columns)]
    for at, group in enumerate(map(metadata.row_group, range(metadata.num_row_groups))):
        for column, is_repeated in zip(_columns(file, at), repeated, strict=False):
            # A repeated column has a value for each item, and one for each row without items.
            if column.num_values < group.num_rows or (column.num_values > group.num_rows and not is_repeated):
                raise SourceError(
                    f"{where}: the Parquet file is damaged: its footer promises {group.num_rows} rows, and "
                    f"{column.num_values} values in the column {column.path_in_schema!r}"
                )
        rows += group.num_rows
    # Some writers leave the count of the file at 0. The row groups count for reading.
    if metadata.num_rows not in (0, rows):
        raise SourceError(
            f"{where}: the Parquet file is damaged: its footer promises {metadata.num_rows} rows, and {rows} in its "
            "row groups"
        )
    return rows


def _columns(file: Any, at: int) -> list[Any]:
    """Return the entries of a row group's columns in the footer; none if reading that group fails.

    With a damaged entry, `group.column` ends the process. Reading no rows uses the same entry, and raises.
    """
    try:
        # Of the reader itself: `iter_batches` of the file takes no 0, and a row costs a page of each column.
        next(file.reader.iter_batches(0, row_groups=[at], use_threads=False), None)
    except Exception:  # noqa: BLE001 - reading the rows raises it again, with the row
        return []
    group = file.metadata.row_group(at)
    return [group.column(number) for number in range(group.num_columns)]


def _annotations(file: Any) -> dict[str, str]:
    """Return the logical types that Arrow does not give, or gives wrongly, by the column's path in the file."""
    columns = map(file.schema.column, range(len(file.schema.names)))
    types = {column.path: str(column.logical_type).partition("(")[0] for column in columns}
    return {path: kind.upper() for path, kind in types.items() if kind not in _SENDABLE or kind == "UUID"}


def _batches(file: Any, in_milliseconds: Any = None, instants: Sequence[str] = ()) -> Batches:
    pool = pa.default_memory_pool()
    # One thread: each further one would keep an arena of memory, and the API is far slower anyway.
    how: dict[str, Any] = {"batch_size": rows_at_once(file), "use_threads": False}
    batches = file.iter_batches(**how)
    if in_milliseconds is not None:
        # By row groups: across their borders, batches of other columns are split at other rows.
        groups = [[at] for at in range(file.metadata.num_row_groups)]
        every = (one for group in groups for one in file.iter_batches(row_groups=group, **how))
        times = how | {"columns": list(instants)}
        same = (one for group in groups for one in in_milliseconds.iter_batches(row_groups=group, **times))
        batches = itertools.starmap(without_wrapped, zip(map(flattened, every), map(flattened, same), strict=True))
    annotations = _annotations(file)
    for number, batch in enumerate(batches, start=1):
        yield with_meanings(batch, annotations)
        if number % _RELEASE_EVERY == 0:
            pool.release_unused()


def rows_at_once(file: Any) -> int:
    """Return how many rows to read at a time, so that a batch of wide rows fits into memory.

    A value in a dictionary may be in every row: a few kilobytes can become gigabytes of text.
    """
    widest = 1.0
    metadata = file.metadata
    for at, group in enumerate(map(metadata.row_group, range(metadata.num_row_groups))):
        for column in _columns(file, at):
            size = column.total_uncompressed_size
            is_squeezed = column.has_dictionary_page and size > _SQUEEZED * column.total_compressed_size
            widest = max(widest, size if is_squeezed else size / max(1, group.num_rows))
    return max(1, min(BATCH_ROWS, int(WIDE_BYTES / widest)))


def int96_columns(file: Any) -> list[str]:
    """Return the names of a ParquetFile's columns that are INT96, fields of structs too, but not those in lists."""
    schema, names = file.schema, flat_names(file.schema_arrow)
    columns = (schema.column(at) for at in range(len(schema.names)))
    return [column.path for column in columns if column.physical_type == "INT96" and column.path in names]


def without_wrapped(batch: pa.RecordBatch, in_milliseconds: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch without the times that overflowed, in microseconds or when they were written.

    Their rows have a problem. Arrow gives no error when a time does not fit. Milliseconds fit all times of INT96, so
    they show it.
    """
    problems: dict[int, str] = {}
    for at, name in enumerate(in_milliseconds.schema.names):
        instants = in_milliseconds.column(at).cast(pa.int64())
        too_far = pc.or_(pc.greater(instants, _LARGEST), pc.less(instants, -_LARGEST))
        damaged = pc.and_(pc.greater(instants, _DAMAGED[0]), pc.less(instants, _DAMAGED[1]))
        for row in pc.indices_nonzero(too_far).to_pylist():
            problems[row] = f"the time in {name!r} is too far from today to be held (INT96)"
        for row in pc.indices_nonzero(damaged).to_pylist():
            problems[row] = (
                f"the time in {name!r} is after the year 2262, or before 1970 and damaged when it was written (INT96)"
            )
        place = batch.schema.get_field_index(name)
        held = null_where(batch.column(place), pc.or_(too_far, damaged))
        batch = batch.set_column(place, batch.schema.field(place), held)
    if problems:
        texts = [problems.get(row) for row in range(batch.num_rows)]
        batch = batch.append_column(PROBLEM_COLUMN, pa.array(texts, pa.string()))
    return batch


def open_ipc(file: File) -> Source:
    """Return a Feather or Arrow file as a source; SourceError when it is neither.

    Memory is bounded by the size of the record batches in the file.
    """
    path = file.given
    head = file.head(6)
    if head.startswith(b"FEA1"):
        raise SourceError(f"{path}: this is Feather version 1, which is too old; write it again as version 2")
    # Checked before it is unpacked.
    if file.compression is not None and not is_marked(file, "ipc"):
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
        columns=flat_names(schema, path),
        rows=rows,
        rows_exact=rows is not None,
        read=read,
        path=path,
    )


def read_ipc(location: Path) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a file, or raise what is wrong with it. Each batch is validated."""
    with pa.OSFile(str(location)) as file, _reader(file) as reader:
        batches = _whole_stream(file, reader) if isinstance(reader, pa.RecordBatchStreamReader) else _blocks(reader)
        for batch in batches:
            batch.validate(full=True)
            yield batch


def _blocks(reader: Any) -> Iterator[pa.RecordBatch]:
    for at in range(reader.num_record_batches):
        yield reader.get_batch(at)


def _whole_stream(file: Any, reader: Any) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a stream; ValueError if it has no end mark, or if anything follows it."""
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
        raise ValueError("something follows the end of the stream: write one stream to each file")


def _reader(file: Any) -> Any:
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    return pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)


def open_orc(file: File) -> Source:
    """Return an ORC file as a source; SourceError when it is not one. Memory is bounded by the size of its stripes."""
    # Checked before it is unpacked.
    if not is_marked(file, "orc"):
        raise SourceError(f"{file.given}: this is not an ORC file")
    file = file.uncompressed()
    try:
        opened = _opened_orc(file.location)
        schema, rows = opened.schema, opened.nrows
    except Exception as error:
        raise SourceError(f"{file.given}: this is not an ORC file: {reason(error)}") from error

    def read() -> Batches:
        yield from read_orc(file.location)

    return Source(
        name=file.name,
        columns=flat_names(schema, file.given),
        rows=rows,
        rows_exact=True,
        read=read,
        path=file.given,
    )


def read_orc(location: Path) -> Iterator[pa.RecordBatch]:
    """Yield the stripes of a file, or raise what is wrong with it. Each stripe is validated."""
    opened = _opened_orc(location)
    for stripe in range(opened.nstripes):
        batch = opened.read_stripe(stripe)
        batch.validate(full=True)
        yield batch


def _opened_orc(location: Path) -> Any:
    from pyarrow import orc

    return orc.ORCFile(str(location))


OPENERS: dict[Format, Callable[[File], Source]] = {"ipc": open_ipc, "orc": open_orc}
"""The formats that are tried in another process, and how each is opened."""


def unpacked(form: Format, file: File) -> File:
    """Return an uncompressed copy of a file that is to be tried, if it begins like its format; else the file."""
    return file.uncompressed() if form in OPENERS and is_marked(file, form) else file


def refuse_unreadable(files: Sequence[tuple[Format, File]]) -> None:
    """Have another process read such files whole; SourceError names the first that it could not read.

    `files` are pairs of a format and a file. Compressed files are not tried. Nothing is tried if no other Python can be
    started, as in a frozen application.
    """
    tried = [(form, file) for form, file in files if form in OPENERS and file.compression is None]
    python = own_python()
    if not tried or python is None:
        return
    size = sum(file.location.stat().st_size for _, file in tried)
    wanted = ([form, file.given, file.name, str(file.location.absolute())] for form, file in tried)
    lines = "".join(json.dumps(one) + "\n" for one in wanted)
    try:
        done = subprocess.run(  # noqa: S603 - the Python that runs this
            [python, "-c", _BEGIN, *map(str, sys.path)],
            check=False,
            input=lines.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE + size / 1e6,
            env={name: value for name, value in os.environ.items() if name != "INTERAKT_API_KEY"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        output, ended = done.stdout, f"ends the process that reads it (exit code {done.returncode})"
    except OSError:
        return
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        ended = "takes too long to read"
    ready, *answers = output.decode().split("\n")
    # What follows the end of the last line is not an answer.
    answers = answers[:-1]
    # This Python does not find the package, so no file was read.
    if ready != _READY:
        return
    for at, (_, file) in enumerate(tried):
        problem = json.loads(answers[at]) if at < len(answers) else f"{file.given}: the file is damaged: it {ended}"
        if problem is not None:
            raise SourceError(problem)


def serve() -> None:
    """Read the files named on standard input, and write a line for each: null, or what is wrong."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What a library prints is not an answer.
    os.dup2(2, 1)
    print(_READY, file=answers, flush=True)
    for line in sys.stdin:
        form, given, name, location = json.loads(line)
        _limit_memory(Path(location).stat().st_size)
        print(json.dumps(_problem(form, File(given, name, Path(location)))), file=answers, flush=True)


def _problem(form: Format, file: File) -> str | None:
    try:
        for batch in OPENERS[form](file).batches():
            del batch
    except InteraktLoaderError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - any error is the answer
        return f"{file.given}: cannot be read: {reason(error)}"
    return None


def _limit_memory(size: int) -> None:
    try:
        import resource
    # On Windows.
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _MEMORY + _MEMORY_FACTOR * size
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def own_python() -> str | None:
    """Return the Python that runs this; None in an application with an embedded Python."""
    name = Path(sys.executable or "").name.lower()
    is_python = name.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)
    return sys.executable if is_python else None
