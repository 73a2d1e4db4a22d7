"""Read JSON lines (one object on each line), small files with one array of objects, and lists of dicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import (
    BATCH_BYTES,
    BATCH_ROWS,
    PROBLEM_COLUMN,
    RESERVED,
    Batches,
    Lines,
    ReadOptions,
    Source,
    flat_names,
    heading,
    reason,
    refuse_doubled,
)
from interakt_loader.sources.local_file import File
from interakt_loader.sources.memory import laid_out, records_to_batch
from interakt_loader.sources.text import Text, open_text
from interakt_loader.values import OUT_OF_RANGE, type_shown

# NaN and Infinity are not values. A number such as 1e400, which Python reads as infinite too, is a value.
_decode = json.JSONDecoder(parse_constant=lambda _: None).decode

# A whole array has to be held in memory.
_ARRAY_CHARACTERS = 64 << 20


def open_json(file: File, options: ReadOptions) -> Source:
    """Return a JSON lines file as a source; the row count is an estimate from the lines.

    Raises SourceError when its encoding is unknown, or when none of the first rows is a JSON object. Also when it is
    one JSON array of more than 64 million characters.
    """
    text = open_text(file, options.encoding)
    path = file.given
    if _begins_array(text):
        return _open_array(text)
    with closing(_batches(text, Lines())) as batches:
        first = next(batches, None)
    if first is None:
        raise SourceError(f"{path}: the file holds only blank lines")
    schema = first.schema.remove(first.schema.get_field_index(PROBLEM_COLUMN))
    problem = first.column(PROBLEM_COLUMN)[0].as_py()
    if not schema.names and problem is not None:
        raise SourceError(f"{path}: expected one JSON object on each line, but {problem}")
    lines = Lines()
    return Source(
        name=file.name,
        columns=flat_names(schema, path),
        rows=text.lines,
        rows_exact=False,
        read=lambda: _batches(text, lines),
        path=path,
        notes=text.notes,
        open_ended=True,
        lines=lines,
    )


def open_records(records: Sequence[Mapping[Any, Any]]) -> Source:
    """Return a list of dicts as a source. Each is a row, and all keys are columns."""
    for at, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise SourceError(f"list: expected dicts, but item {at} is {type_shown(record)}")
    keys = _keys("list", records)

    def read() -> Batches:
        for start in range(0, len(records), BATCH_ROWS):
            yield records_to_batch(records[start : start + BATCH_ROWS], names=keys)

    return Source(name="list", columns=_columns(records, keys), rows=len(records), rows_exact=True, read=read)


def _keys(where: str, records: Sequence[Mapping[Any, Any]]) -> list[Any]:
    keys = list(dict.fromkeys(key for record in records for key in record))
    refuse_doubled(where, [heading(str(key)) for key in keys])
    return keys


def _columns(records: Sequence[Mapping[Any, Any]], keys: Sequence[Any]) -> list[str]:
    """Return the names of the columns that records make; each field of an object is one."""
    return [*laid_out({str(key): [record.get(key) for record in records] for key in keys})]


def _begins_array(text: Text) -> bool:
    # Not by lines: a whole array may be one line.
    with text.open() as stream:
        while characters := stream.read(4096):
            if not characters.isspace():
                return characters.lstrip().startswith("[")
    return False


def _open_array(text: Text) -> Source:
    path = text.file.given
    with text.open() as stream:
        content = stream.read(_ARRAY_CHARACTERS + 1)
    if len(content) > _ARRAY_CHARACTERS:
        raise SourceError(
            f"{path}: a JSON array of more than {_ARRAY_CHARACTERS >> 20} MB; "
            "write one object on each line (JSON lines) instead"
        )
    try:
        items = _decode(content)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: the JSON array cannot be read: {reason(error)}") from error
    records, problems = [], {}
    for at, item in enumerate(items):
        problem = _not_a_record(item)
        if problem:
            problems[at] = f"item {at + 1} {problem}"
        records.append({} if problem else item)
    keys = _keys(path, records)

    def read() -> Batches:
        for start in range(0, len(records), BATCH_ROWS):
            of_batch = {row - start: text for row, text in problems.items() if start <= row < start + BATCH_ROWS}
            yield records_to_batch(records[start : start + BATCH_ROWS], of_batch, names=keys, infinity=OUT_OF_RANGE)

    return Source(
        name=text.file.name,
        columns=_columns(records, keys),
        rows=len(records),
        rows_exact=True,
        read=read,
        path=path,
        notes=text.notes,
        open_ended=True,
    )


def _batches(text: Text, line_of: Lines) -> Batches:
    records: list[Mapping[str, Any]] = []
    problems: dict[int, str] = {}
    characters = first_row = next_line = 0
    with text.open() as stream:
        for number, line in enumerate(text.each_line(stream), start=1):
            if line.isspace():
                continue
            record, problem = _parsed(line)
            if problem:
                problems[len(records)] = f"line {number} {problem}"
            if number != next_line:
                line_of.note(first_row + len(records), number)
            next_line = number + 1
            records.append(record)
            characters += len(line)
            if len(records) == BATCH_ROWS or characters > BATCH_BYTES:
                yield records_to_batch(records, problems, infinity=OUT_OF_RANGE)
                first_row += len(records)
                records, problems, characters = [], {}, 0
    if records:
        yield records_to_batch(records, problems, infinity=OUT_OF_RANGE)


def _parsed(line: str) -> tuple[dict[str, Any], str | None]:
    try:
        value = _decode(line)
    except json.JSONDecodeError as error:
        return {}, f"is not JSON: {error.msg}"
    # Python has a limit, because of the time that it takes.
    except ValueError:
        return {}, "holds a whole number of thousands of digits"
    except RecursionError as error:
        return {}, f"is not JSON: {reason(error)}"
    problem = _not_a_record(value)
    return ({}, problem) if problem else (value, None)


def _not_a_record(value: object) -> str | None:
    if not isinstance(value, dict):
        return f"is not a JSON object but {'null' if value is None else type_shown(value)}"
    reserved = next((name for name in RESERVED if name in value), None)
    return f"uses the name {reserved!r}, which is reserved" if reserved else None
