"""Paths → one source: the files that they mean, each opened by the reader of its form."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Batches, Part, Source, check_names, reason
from interakt_loader.sources.csv_files import open_csv
from interakt_loader.sources.excel import open_excel
from interakt_loader.sources.failures import options_for, without_said
from interakt_loader.sources.file import File
from interakt_loader.sources.folders import Partitions, some
from interakt_loader.sources.formats import Format, format_of
from interakt_loader.sources.ipc_files import open_ipc
from interakt_loader.sources.json_lines import open_json
from interakt_loader.sources.options import ReadOptions
from interakt_loader.sources.orc_files import open_orc
from interakt_loader.sources.parquet import open_parquet
from interakt_loader.sources.peek import without_counter
from interakt_loader.sources.places import Found, find, is_file_of_a_load
from interakt_loader.sources.trial import refuse_unreadable, unpacked

_HEAD = 1 << 12
"""Bytes by which nearly all files differ."""


def open_paths(paths: Sequence[str], options: ReadOptions) -> Source:
    """Return the files that the paths mean, read in turn, as one source.

    All are opened now, so that none fails late. SourceError in one line says what is wrong with one of them.
    """
    files: list[File] = []
    notes: list[str] = []
    paths, left_out = _without_own(paths)
    if left_out:
        notes.append(f"left out, files of earlier loads: {some(left_out)}")
    for path in paths:
        found = _found(path)
        notes += found.notes
        files += found.files
    files, again = _once(files)
    if again:
        notes.append(f"left out, files that are read already under another name or pattern: {some(again)}")
    notes += _copies(files)
    forms = [_form(file) for file in files]
    files = [unpacked(form, file) for form, file in zip(forms, files, strict=True)]
    refuse_unreadable([*zip(forms, files, strict=True)])
    sources = [_opened(form, file, options) for form, file in zip(forms, files, strict=True)]
    if len(sources) == 1:
        return replace(sources[0], notes=[*notes, *sources[0].notes])
    return _in_turn(sources, notes)


def _without_own(paths: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Return the paths without the files of earlier loads among them, where a shell has made them of a pattern."""
    own = [path for path in paths if is_file_of_a_load(path)]
    if not 0 < len(own) < len(paths):
        return paths, []
    return [path for path in paths if path not in own], own


def _once(files: list[File]) -> tuple[list[File], list[str]]:
    """Return each file once, and how the others were given: a link beside its file, or a file that two patterns mean.

    Read a second time, its rows would be further events, and go out twice.
    """
    known: dict[object, File] = {}
    again = [file.given for file in files if known.setdefault(_identity(file), file) is not file]
    return [*known.values()], again


def _identity(file: File) -> object:
    if file.copy is not None:
        return file.given
    status = file.location.stat()
    return (status.st_dev, status.st_ino) if status.st_ino else file.location.resolve()


def _copies(files: list[File]) -> list[str]:
    """Say which files hold the same as another, such as `orders (1).csv`: perhaps nobody wants their rows twice."""
    again = []
    alike: dict[object, list[File]] = {}
    for file in files if len(files) > 1 else ():
        with file.location.open("rb") as stream:
            alike.setdefault((file.location.stat().st_size, stream.read(_HEAD)), []).append(file)
    for some_files in alike.values():
        first: dict[bytes, File] = {}
        for file in some_files if len(some_files) > 1 else ():
            same = first.setdefault(_digest(file.location), file)
            if same is not file:
                again.append(f"{file.given} (as {same.given})")
    return [f"read, though they hold the very same as others of the files: {some(again)}"] if again else []


def _digest(path: Path) -> bytes:
    digest = hashlib.blake2b()
    with path.open("rb") as stream:
        while part := stream.read(1 << 20):
            digest.update(part)
    return digest.digest()


def _in_turn(sources: list[Source], notes: list[str]) -> Source:
    counts = [source.rows for source in sources]

    def read() -> Batches:
        for source in sources:
            yield from source.batches()

    return Source(
        name=f"{sources[0].name} and {len(sources) - 1} more",
        columns=list(dict.fromkeys(name for source in sources for name in source.columns)),
        rows=None if None in counts else sum(count for count in counts if count is not None),
        rows_exact=all(source.rows_exact for source in sources),
        read=read,
        notes=[*notes, *_gathered(sources), *_differing(sources)],
        parts=tuple(Part(str(source.path), source.columns, source.open_ended) for source in sources),
        of_failures=all(source.of_failures for source in sources),
        doubled=tuple(dict.fromkeys(name for source in sources for name in source.doubled)),
    )


def _differing(sources: list[Source]) -> list[str]:
    """Say which columns only some of the files have."""
    tables = [source for source in sources if not source.open_ended]
    every = list(dict.fromkeys(name for source in tables for name in source.columns))
    lacking = [source for source in tables if len(source.columns) < len(every)]
    if not lacking:
        return []
    missing = some([name for name in every if any(name not in source.columns for source in lacking)])
    paths = [str(source.path) for source in lacking]
    return [f"{some(paths)}: without columns that others of the files have: {missing}"]


def _gathered(sources: list[Source]) -> list[str]:
    """Return the sources' notes; a note about several files comes once."""
    files_of: dict[str, list[str]] = {}
    for source in sources:
        for note in source.notes:
            files_of.setdefault(note.removeprefix(f"{source.path}: "), []).append(str(source.path))
    return [
        f"{files[0]}{f' and {len(files) - 1} more' if len(files) > 1 else ''}: {note}"
        for note, files in files_of.items()
    ]


def _found(path: str) -> Found:
    try:
        return find(path)
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except Exception as error:
        raise SourceError(f"{path}: cannot be opened: {reason(error)}") from error


def _form(file: File) -> Format:
    try:
        return format_of(file)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{file.given}: cannot be read: {reason(error)}") from error


def _opened(form: Format, file: File, options: ReadOptions) -> Source:
    try:
        source = _read_as(form, file, options)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{file.given}: cannot be read: {reason(error)}") from error
    source = without_counter(without_said(source))
    return _with_partitions(source, file.partitions) if file.partitions else source


def _read_as(form: Format, file: File, options: ReadOptions) -> Source:
    match form:
        case "csv":
            return open_csv(file, options_for(file, options))
        case "json":
            return open_json(file, options)
        case "excel":
            return open_excel(file, options)
        case "parquet":
            return open_parquet(file)
        case "ipc":
            return open_ipc(file)
        case "orc":
            return open_orc(file)


def _with_partitions(source: Source, partitions: Partitions) -> Source:
    """Add the columns that the folders' names hold, as text; a column of the file itself goes before."""

    def read() -> Batches:
        for batch in source.read():
            for name, value in partitions:
                if name not in batch.schema.names:
                    repeated = pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)
                    batch = batch.append_column(name, repeated)  # noqa: PLW2901 - the batch with one column more
            yield batch

    added = [name for name, _ in partitions if name not in source.columns]
    columns = check_names(str(source.path), [*source.columns, *added])
    return replace(source, columns=columns, read=read)
