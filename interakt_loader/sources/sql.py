"""SQL over sources (DuckDB): a query whose result is loaded, or a condition that rows have to meet.

The rows come in through our own readers. They are first written to a temporary folder that only its owner can read, so
that a query may read them more than once. The result is written there too, and the connection is closed before the
first call. The connection cannot reach any file, extension or variable of the program.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns import Target, coerce
from interakt_loader.columns.normalize import Mixed, Unsendable, as_text, unsendable
from interakt_loader.errors import SettingsError, SourceError, option
from interakt_loader.settings.values import did_you_mean, is_address
from interakt_loader.sources.base import (
    BATCH_ROWS,
    CELL_ERRORS_COLUMN,
    PROBLEM_COLUMN,
    RESERVED,
    Batches,
    Lines,
    Part,
    Source,
)
from interakt_loader.sources.spool import Interruptible, Spool, TemporaryFolder
from interakt_loader.values import unicode_text

if TYPE_CHECKING:
    import duckdb

TABLE = "source"
"""What a query calls a single source."""

MEMORY = "512MB"
"""Memory of a query; what does not fit is in the temporary folder."""

_CONFIG = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    # rows stay in the input's order where a query does not change it
    "preserve_insertion_order": "true",
    "memory_limit": MEMORY,
}

_TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest", "json_each", "json_tree"})
"""Table functions that read nothing but their arguments."""


def named(data: Any) -> dict[str, Any]:
    """Return the tables of a query by name: `source`, or several paths by their names without endings.

    Characters that SQL allows in quotes only become `_`: `customers-2026-11-28.csv` is `customers_2026_11_28`. A dict
    has the names already.
    """
    if isinstance(data, dict):
        return data
    paths = [*data] if isinstance(data, (list, tuple)) else []
    if len(paths) < 2 or not all(isinstance(path, (str, os.PathLike)) for path in paths):
        return {TABLE: data}
    names = [_stem(os.fsdecode(path)) for path in paths]
    for name, count in Counter(name.lower() for name in names).items():
        if count > 1:
            raise SourceError(f"{option('query')}: {count} sources are called {name!r}: rename one of the files")
    return dict(zip(names, paths, strict=True))


def _stem(path: str) -> str:
    """Return a file's name without its folder and endings, as a query writes it without quotes."""
    name = re.split(r"[/\\]", urlsplit(path).path if is_address(path) else path)[-1].lstrip(".")
    word = re.sub(r"\W+", "_", name.split(".")[0]).strip("_")
    return f"_{word}" if not word or word[0].isdigit() else word


def query(sources: Mapping[str, Source], text: str) -> Source:
    """Return the result of a query as a source. It runs now, once. `sources` are the tables, by name.

    Raises `SettingsError`, in one line with the place in the query, for anything but one SELECT over these tables.
    Raises `SourceError` for a source with a row that cannot be read.
    """
    named = option("query")
    _check_text(text, named)
    folder = TemporaryFolder()
    with folder.removed_on_error(), _connection(folder, named) as connection:
        statement = _Statement.parsed(connection, text, named)
        statement.check_tables(sources, named)
        for name, source in sources.items():
            if statement.reads(name):
                connection.register(name, _spooled(_whole_rows(source), folder, source, named))
        result = _result(connection, folder, text, named)
    first, *others = sources.values()
    return Source(
        name=first.name if not others else f"{first.name} and {len(others)} more",
        columns=result.schema.names,
        rows=result.rows,
        rows_exact=True,
        read=result.batches,
        notes=[note for source in sources.values() for note in source.notes],
        parts=_parts(sources.values(), result.schema.names),
        repeats=None if statement.is_ordered else partial(repeats, result),
    )


def where(source: Source, text: str) -> Source:
    """Return the rows of a source that meet a condition, an SQL expression, in the source's order and as they were.

    A row that cannot be read stays, and so does one for which the condition is unknown because a cell holds an error:
    both are refused later, with their reasons. Raises `SettingsError` for anything but one expression.
    """
    named = option("where")
    _check_text(text, named)
    folder = TemporaryFolder()
    with folder.removed_on_error(), _connection(folder, named) as connection:
        _check_condition(connection, text, named)
        rows = _Rows(folder)
        every = _numbered(rows.all.keep(source.batches(flat=False)))
        connection.register(TABLE, _spooled(every, folder, source, named, {_ROW: pa.int64(), _DOUBT: pa.int64()}))
        condition = f"(\n{text}\n)"
        unknown = f'"{_DOUBT}" = {_CELL_ERROR} AND {condition} IS NULL'
        chosen = (
            f'SELECT "{_ROW}", {unknown} FROM "{TABLE}" '  # noqa: S608 - the condition is the user's own
            f'WHERE {condition} OR "{_DOUBT}" = {_UNREADABLE} OR ({unknown}) ORDER BY 1'
        )
        count = rows.choose(_read(connection, chosen, named, lines=2 + text.count("\n")), source.lines)
    return Source(
        name=source.name,
        columns=source.columns,
        rows=count,
        rows_exact=True,
        read=rows.chosen,
        notes=source.notes,
        open_ended=source.open_ended,
        parts=_parts([source], source.columns, open_ended=source.open_ended),
        doubled=source.doubled,
        of_failures=source.of_failures,
        left_out=source.left_out,
        lines=rows.lines,
    )


_ROW, _DOUBT = "__interakt_row__", "__interakt_doubt__"
_CELL_ERROR, _UNREADABLE = 1, 2


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the rows for a condition, with their numbers and with what is wrong with them."""
    row = 0
    for batch in batches:
        doubt = pa.repeat(0, batch.num_rows)
        for name, kind in ((CELL_ERRORS_COLUMN, _CELL_ERROR), (PROBLEM_COLUMN, _UNREADABLE)):
            if name in batch.schema.names:
                doubt = pc.if_else(batch[name].is_valid(), kind, doubt)
        numbers = pa.array(range(row, row + batch.num_rows), pa.int64())
        row += batch.num_rows
        own = batch.drop_columns([name for name in RESERVED if name in batch.schema.names])
        yield own.append_column(_ROW, numbers).append_column(_DOUBT, doubt)


class _Rows:
    """All rows of a source, as they are, in a file; and which of them are chosen, in another."""

    def __init__(self, folder: TemporaryFolder) -> None:
        self.all, self._chosen = Spool(folder), folder.file()
        self.lines = Lines()
        """On which line of its file each chosen row begins."""

    def choose(self, found: Iterator[pa.RecordBatch], lines: Lines) -> int:
        """Write which rows are chosen, and return how many there are. `found`: numbers, and where it is unknown."""
        count = 0
        with self._chosen.open("wb") as file:
            for batch in found:
                rows, unknown = np.asarray(batch[0]), np.asarray(batch[1].fill_null(fill_value=False))
                file.write((rows * 2 + unknown).astype(np.int64).tobytes())
                for row in rows.tolist():
                    self.lines.note(count, lines.of(row) or 0)
                    count += 1
        return count

    def chosen(self) -> Batches:
        """Yield the chosen rows."""
        if not self._chosen.stat().st_size:
            return
        marks = np.memmap(self._chosen, np.int64, "r")
        start = at = 0
        for batch in self.all.batches():
            end = start + batch.num_rows
            until = at + int(np.searchsorted(marks[at:], 2 * end))
            if until > at:
                mine = np.array(marks[at:until])
                yield _with_unknown(batch.take(pa.array(mine // 2 - start)), pa.array(mine % 2 == 1))
            start, at = end, until


def _with_unknown(batch: pa.RecordBatch, unknown: pa.BooleanArray) -> pa.RecordBatch:
    """Return the batch with a reason in the rows for which the condition is unknown."""
    if not pc.any(unknown).as_py():
        return batch
    names = batch.schema.names
    before = batch[PROBLEM_COLUMN] if PROBLEM_COLUMN in names else pa.nulls(batch.num_rows, pa.string())
    reasons = pc.if_else(unknown, "the condition is unknown, because a cell of this row holds an error", before)
    return batch.drop_columns([one for one in names if one == PROBLEM_COLUMN]).append_column(PROBLEM_COLUMN, reasons)


def _parts(sources: Iterable[Source], columns: list[str], *, open_ended: bool = False) -> tuple[Part, ...]:
    """Return the files that were read: no output may overwrite them."""
    paths = [part for source in sources for part in ([one.path for one in source.parts] or filter(None, [source.path]))]
    return tuple(Part(path, columns, open_ended) for path in paths)


# ------------------------------------------------------------------ what a query may be


@contextmanager
def _connection(folder: TemporaryFolder, named: str) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        import duckdb
    except ModuleNotFoundError:
        raise SettingsError(f"{named} needs the package duckdb: pip install duckdb") from None
    spill = folder.path / "spill"
    spill.mkdir(mode=0o700)
    with closing(duckdb.connect(":memory:", config={**_CONFIG, "temp_directory": str(spill)})) as connection:
        connection.execute("SET lock_configuration = true")
        yield connection


@dataclass(frozen=True)
class _Statement:
    """One SELECT, as DuckDB parses it."""

    tables: set[str]
    """The tables that it names, in small letters."""
    is_ordered: bool
    """Whether it says in which order its rows come."""

    @classmethod
    def parsed(cls, connection: duckdb.DuckDBPyConnection, text: str, named: str) -> _Statement:
        """Parse a query. Raises `SettingsError` if it is not exactly one SELECT, or reads something else."""
        import duckdb

        try:
            statements = connection.extract_statements(text)
        except duckdb.Error as error:
            raise duckdb_error(error, text, named) from None
        kinds = [str(one.type).rpartition(".")[2] for one in statements]
        if kinds != ["SELECT"]:
            found = f"{len(kinds)} statements" if len(kinds) != 1 else kinds[0]
            raise SettingsError(f"{named}: expected exactly one SELECT, and this is {found.lower()}")
        tree = _tree(connection, text, named)
        functions = _found(tree, "TABLE_FUNCTION", lambda node: node["function"]["function_name"].lower())
        other = sorted(functions - _TABLE_FUNCTIONS)
        if other:
            raise SettingsError(f"{named}: {other[0]}(…) is no table of a query here: it reads the sources alone")
        if _found(tree, "SHOW_REF", lambda _: "show"):
            raise SettingsError(f"{named}: expected one SELECT that returns rows of the sources")
        own = {name.lower() for name in _with_names(tree)}
        tables = _found(tree, "BASE_TABLE", lambda node: ".".join([*_qualifiers(node), node["table_name"]]).lower())
        modifiers = [one["type"] for one in tree["node"].get("modifiers", ())]
        return cls(tables - own, "ORDER_MODIFIER" in modifiers)

    def reads(self, name: str) -> bool:
        """Tell whether it names a table."""
        return name.lower() in self.tables

    def check_tables(self, sources: Iterable[str], named: str) -> None:
        """Refuse tables that are no sources."""
        names = list(sources)
        unknown = sorted(self.tables - {name.lower() for name in names})
        if unknown:
            hint = did_you_mean(unknown[0], names)
            shown = ", ".join(f'"{name}"' if not name.isidentifier() else name for name in names)
            raise SettingsError(f"{named}: there is no table {unknown[0]!r}{hint} (there are {shown})")


def _check_text(text: str, named: str) -> None:
    """Refuse what DuckDB would not get as it is written."""
    if "\0" in text or unicode_text(text) is None:
        raise SettingsError(f"{named}: holds a character that is no text, such as NUL")


def _qualifiers(node: Mapping[str, Any]) -> list[str]:
    return [name for name in (node.get("catalog_name"), node.get("schema_name")) if name]


def _check_condition(connection: duckdb.DuckDBPyConnection, text: str, named: str) -> None:
    """Refuse what is not one expression, such as one with a second statement, a UNION or a bracket that closes ours."""
    import duckdb

    inside = f'SELECT * FROM "{TABLE}" WHERE (\n{text}\n)'  # noqa: S608 - it is only parsed
    expected = f"{named}: expected one condition, such as opted_in = 'yes'"
    if not text.strip():
        raise SettingsError(expected)
    try:
        if len(connection.extract_statements(f"SELECT\n{text}\n")) != 1:
            raise SettingsError(f"{expected}, and this has a second statement")
        if len(connection.extract_statements(inside)) != 1:
            raise SettingsError(expected)
    except duckdb.Error as error:
        raise duckdb_error(error, f"SELECT\n{text}\n", named, lines=2 + text.count("\n")) from None
    node = _tree(connection, f"SELECT\n{text}\n", named)["node"]
    outer = _tree(connection, inside, named)["node"]
    is_one = (
        node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not any(node.get(key) for key in ("where_clause", "group_expressions", "having", "qualify", "modifiers"))
        and not node["select_list"][0].get("alias")
        and node["select_list"][0]["class"] != "STAR"
        and outer["type"] == "SELECT_NODE"
        and _without_places(outer["where_clause"]) == _without_places(node["select_list"][0])
    )
    if not is_one:
        raise SettingsError(expected)
    _Statement.parsed(connection, inside, named).check_tables([TABLE], named)


def _tree(connection: duckdb.DuckDBPyConnection, text: str, named: str) -> dict[str, Any]:
    """Return the syntax tree of one SELECT."""
    ((serialized,),) = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()
    tree: dict[str, Any] = json.loads(serialized)
    if tree["error"]:
        raise SettingsError(f"{named}: expected one SELECT")
    statement: dict[str, Any] = tree["statements"][0]
    return statement


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _found(tree: Any, kind: str, name: Callable[[dict[str, Any]], str]) -> set[str]:
    return {name(node) for node in _nodes(tree) if node.get("type") == kind}


def _with_names(tree: Any) -> Iterator[str]:
    """Yield the names that WITH gives to queries."""
    for node in _nodes(tree):
        for entry in (node.get("cte_map") or {}).get("map", ()):
            yield entry["key"]
        if node.get("type") in ("RECURSIVE_CTE_NODE", "CTE_NODE") and node.get("cte_name"):
            yield node["cte_name"]


def _without_places(tree: Any) -> Any:
    """Return a syntax tree without where in the text its parts are."""
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items() if not key.startswith("query_location")}
    return [*map(_without_places, tree)] if isinstance(tree, list) else tree


# ------------------------------------------------------------------ errors in one line

_PLACE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)
_KIND = re.compile(r"^[A-Z][A-Za-z ]+ Error: ")
_FAILURES = {
    "OutOfMemoryException": f"it needs more than {MEMORY} of memory",
    "IOException": "its temporary files cannot be written: is the disk full?",
}
_OF_A_VALUE = (
    "a value of a row cannot be converted or computed. It is not shown, because it may be personal; TRY_CAST gives "
    "null instead"
)
"""What is said of an error while rows are read. DuckDB's own text may quote any value, in any form."""


def duckdb_error(
    error: Exception, text: str, named: str, *, lines: int | None = None, more: int = 0, of_rows: bool = False
) -> SettingsError:
    """Return what is wrong with a query in one line: where, and what. It has no value of a row.

    Args:
        error: DuckDB's error.
        text: The query that was run.
        named: The option that has it.
        lines: The query has a condition of so many lines, from its second line on, perhaps several times.
        more: Lines that were put before the query.
        of_rows: It came while rows were read.
    """
    message = str(error)
    what = " ".join(_KIND.sub("", message.split("\n\n", maxsplit=1)[0]).split())
    # the columns that a condition gets from us
    what = re.sub(r', "__interakt_\w+"', "", what)
    if of_rows:
        what = _FAILURES.get(type(error).__name__, _OF_A_VALUE)
    # the last one: a value may hold such lines too
    place = next(iter([*_PLACE.finditer(message)][-1:]), None)
    if place is None or not 0 < int(place[1]) <= text.count("\n") + 1:
        return SettingsError(f"{named}: {what}")
    number, shown, before = int(place[1]), place[2], len(place[3]) - len(f"LINE {place[1]}: ")
    written = text.splitlines()
    if shown.startswith("...") and number <= len(written):
        # DuckDB shows a part of a long line
        part = shown[3:].removesuffix("...")
        before += written[number - 1].find(part) - 3
    number -= more
    if lines is not None:
        number = max(0, number - 2) % lines + 1
    return SettingsError(f"{named}: line {number}, column {max(1, before + 1)}: {what}")


# ------------------------------------------------------------------ rows in, rows out


def _whole_rows(source: Source) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a source without the reserved columns. Raises `SourceError` at a row that has an error."""
    row = 0
    for batch in source.batches(flat=False):
        for name in (PROBLEM_COLUMN, CELL_ERRORS_COLUMN):
            if name in batch.schema.names and batch[name].null_count < batch.num_rows:
                at = pc.indices_nonzero(batch[name].is_valid())[0].as_py()
                found = batch[name][at].as_py()
                why = found if isinstance(found, str) else f"{found[0]['column']}: {found[0]['reason']}"
                raise SourceError(
                    f"{source.where}: row {source.lines.label(row + at)}: {why}. A query cannot tell what the row "
                    "would give: correct it, or remove it"
                )
        row += batch.num_rows
        yield batch.drop_columns([name for name in RESERVED if name in batch.schema.names])


def _spooled(
    batches: Iterator[pa.RecordBatch],
    folder: TemporaryFolder,
    source: Source,
    named: str,
    added: Mapping[str, pa.DataType] | None = None,
) -> pa.Table:
    """Write rows to the folder, and return them as a table that is read from there: it takes no memory.

    Where a column has several types, such as in JSON lines, it gets one type for all rows: that of numbers, or text.
    """
    paths: list[Path] = []
    writer: pa.ipc.RecordBatchFileWriter | None = None
    schemas: list[pa.Schema] = []
    try:
        for batch in batches:
            simple = _with_usual_types(batch)
            if writer is None or simple.schema != schemas[-1]:
                if writer is not None:
                    writer.close()
                paths.append(folder.file())
                schemas.append(simple.schema)
                writer = pa.ipc.new_file(str(paths[-1]), simple.schema)
            writer.write_batch(simple)
    finally:
        if writer is not None:
            writer.close()
    if not paths:
        # no row tells the types
        kinds = {**dict.fromkeys(source.columns, pa.string()), **(added or {})}
        schemas.append(pa.schema(list(kinds.items())))
    _check_case(source, schemas, named)
    if not paths:
        return schemas[0].empty_table()
    if len(paths) == 1:
        return _mapped(paths[0])
    whole = folder.file()
    schema = _common(schemas)
    with pa.ipc.new_file(str(whole), schema) as target:
        for path in paths:
            for batch in _mapped(path).to_batches():
                target.write_batch(_in_schema(batch, schema))
            path.unlink()
    return _mapped(whole)


def _check_case(source: Source, schemas: Sequence[pa.Schema], named: str) -> None:
    """Refuse columns that differ only in case: SQL reads the first of them for both."""
    names: dict[str, str] = {}
    for name in dict.fromkeys(name for schema in schemas for name in schema.names):
        other = names.setdefault(name.casefold(), name)
        if other != name:
            raise SettingsError(
                f"{named}: {source.where} has the columns {other!r} and {name!r}, which SQL cannot tell apart: rename "
                "one of them"
            )


def _mapped(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _with_usual_types(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch that DuckDB can read: without types that are ours, and without columns that cannot be sent."""
    columns = {}
    for field in batch.schema:
        values = batch[field.name]
        if isinstance(field.type, Unsendable):
            continue
        if isinstance(field.type, Mixed):
            values = as_text(values)
        elif _holds_mixed(field.type):
            values = coerce(values, Target()).json
        elif pa.types.is_null(field.type):
            values = values.cast(pa.string())
        columns[field.name] = values
    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])


def _holds_mixed(kind: pa.DataType) -> bool:
    return any(
        isinstance(kind.field(at).type, Mixed) or _holds_mixed(kind.field(at).type) for at in range(kind.num_fields)
    )


def _common(schemas: list[pa.Schema]) -> pa.Schema:
    """Return one schema for batches of several."""
    types: dict[str, list[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            types.setdefault(field.name, []).append(field.type)
    return pa.schema([(name, _common_type(list(dict.fromkeys(found)))) for name, found in types.items()])


def _common_type(types: list[pa.DataType]) -> pa.DataType:
    if len(types) == 1:
        return types[0]
    if all(pa.types.is_integer(one) for one in types):
        return pa.int64()
    return pa.string()


def _in_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        if field.name not in batch.schema.names:
            columns.append(pa.nulls(batch.num_rows, field.type))
        elif batch[field.name].type == field.type:
            columns.append(batch[field.name])
        elif field.type == pa.string():
            nested = pa.types.is_nested(batch[field.name].type)
            columns.append(coerce(batch[field.name], Target()).json if nested else as_text(batch[field.name]))
        else:
            columns.append(batch[field.name].cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _result(connection: duckdb.DuckDBPyConnection, folder: TemporaryFolder, text: str, named: str) -> Spool:
    """Run a query, and keep its rows."""
    with closing(_read(connection, text, named)) as batches:
        return kept_result(batches, folder, named)


def kept_result(batches: Batches, folder: TemporaryFolder, named: str) -> Spool:
    """Keep the rows of a query. Its first batch may have no rows, and tells the columns."""
    spool = Spool(folder)
    first = next(batches)
    doubled = [name for name, count in Counter(name.casefold() for name in first.schema.names).items() if count > 1]
    if doubled:
        raise SettingsError(f"{named}: two columns of the result are called {doubled[0]!r}: rename one with AS")
    for batch in chain([first], batches):
        spool.add(batch)
    return spool


def repeats(spool: Spool, column: str) -> bool:
    """Tell whether a value of a column is in several rows."""
    if column not in spool.schema.names:
        return False
    texts = (pa.RecordBatch.from_arrays([as_text(one[column])], [column]) for one in spool.batches())
    rows = pa.RecordBatchReader.from_batches(pa.schema([(column, pa.string())]), texts)
    name = '"' + column.replace('"', '""') + '"'
    with _connection(TemporaryFolder(), option("query")) as connection:
        connection.register(TABLE, rows)
        counted = f'SELECT count({name}) > count(DISTINCT {name}) FROM "{TABLE}"'  # noqa: S608 - a quoted name
        ((has_repeats,),) = connection.execute(counted).fetchall()
    return bool(has_repeats)


_ODD = ("union", "bit", "uhugeint", "time with time zone", "bignum", "varint", "geometry", "variant")
"""Types that Arrow does not have as what they mean: a UHUGEINT may come as a negative number, a BIT as bytes."""


def _odd_type(kind: Any) -> str | None:
    """Return the name of a type that cannot be sent, which is this one or is in it; None if there is none."""
    if kind.id in _ODD:
        return str(kind.id).upper()
    inner = kind.children if kind.id in ("list", "array", "struct", "map") else ()
    # an array has its size, too
    return next(filter(None, (_odd_type(one) for _, one in inner if not isinstance(one, int))), None)


class ArrowRows:
    """The rows of a query of DuckDB, in Arrow."""

    def __init__(self, relation: Any) -> None:
        self._odd = [*map(_odd_type, relation.types)]
        if any(self._odd):
            wanted = (
                f"#{at}" if odd is None else f"""#{at} IS NOT NULL AS "{name.replace('"', '""')}\""""
                for at, (name, odd) in enumerate(zip(relation.columns, self._odd, strict=True), 1)
            )
            relation = relation.project(", ".join(wanted))
        # as older versions of DuckDB call it
        read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
        self._reader = read(BATCH_ROWS)
        self.schema: pa.Schema = self._reader.schema

    def next_batch(self) -> pa.RecordBatch | None:
        """Return the next rows, or None at the end."""
        batch = next(self._reader, None)
        if batch is None or not any(self._odd):
            return batch
        columns = (
            values if odd is None else unsendable(values, f"{odd} (in DuckDB, ::VARCHAR makes text of it)")
            for values, odd in zip(batch.columns, self._odd, strict=True)
        )
        return pa.RecordBatch.from_arrays([*columns], names=batch.schema.names)


def _read(connection: duckdb.DuckDBPyConnection, text: str, named: str, *, lines: int | None = None) -> Batches:
    """Run a query, and yield its rows in batches; the first one may have none."""
    import duckdb

    try:
        # it is bound first in this way, since these errors have a place
        connection.execute(f"EXPLAIN\n{text}").fetchall()
    except duckdb.Error as error:
        raise duckdb_error(error, f"\n{text}", named, lines=lines, more=1) from None
    try:
        relation = connection.sql(text)
        with Interruptible(connection.interrupt) as interruptible:
            rows = interruptible(lambda: ArrowRows(relation))
            yield pa.RecordBatch.from_arrays([pa.nulls(0, one.type) for one in rows.schema], schema=rows.schema)
            while (batch := interruptible(rows.next_batch)) is not None:
                yield batch
    except duckdb.Error as error:
        raise duckdb_error(error, text, named, lines=lines, of_rows=True) from None
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{named}: the result cannot be read ({type(error).__name__})") from None
