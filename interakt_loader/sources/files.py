"""Paths → one source: the files that they mean, each opened by the reader of its form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import Batches, Part, Source, check_names, reason
from interakt_loader.sources.csv_files import open_csv
from interakt_loader.sources.excel import open_excel
from interakt_loader.sources.file import File
from interakt_loader.sources.folders import Partitions, some
from interakt_loader.sources.formats import Format, format_of
from interakt_loader.sources.ipc_files import open_ipc
from interakt_loader.sources.json_lines import open_json
from interakt_loader.sources.options import ReadOptions
from interakt_loader.sources.orc_files import open_orc
from interakt_loader.sources.parquet import open_parquet
from interakt_loader.sources.peek import without_counter
from interakt_loader.sources.places import Found, find
from interakt_loader.sources.trial import refuse_unreadable, unpacked


def open_paths(paths: Sequence[str], options: ReadOptions) -> Source:
    """Return the files that the paths mean, read in turn, as one source.

    All are opened now, so that none fails late. SourceError in one line says what is wrong with one of them.
    """
    files: list[File] = []
    notes: list[str] = []
    for path in paths:
        found = _found(path)
        notes += found.notes
        files += found.files
    forms = [_form(file) for file in files]
    files = [unpacked(form, file) for form, file in zip(forms, files, strict=True)]
    refuse_unreadable([*zip(forms, files, strict=True)])
    sources = [_opened(form, file, options) for form, file in zip(forms, files, strict=True)]
    if len(sources) == 1:
        return replace(sources[0], notes=[*notes, *sources[0].notes])
    return _in_turn(sources, notes)


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
    source = without_counter(source)
    return _with_partitions(source, file.partitions) if file.partitions else source


def _read_as(form: Format, file: File, options: ReadOptions) -> Source:
    match form:
        case "csv":
            return open_csv(file, options)
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
