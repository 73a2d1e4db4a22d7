"""What a task loads, as a field that everybody may see.

Airflow stores the fields of a task in its database and shows them on its pages. A path may be seen. Rows may not: they
have the phones and e-mail addresses of customers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_PATH = 4096
"""Characters of a path at most."""

_OF_ROWS = re.compile(r"""\s*(\{(?![{%#])|\[\s*[\[({"'])""")
"""The begin of rows as text. A template begins with `{{`, `{%` or `{#`; a pattern of paths may begin with `[a-z]`."""


class Table:
    """A table that a task has made. It is shown by its type and its number of rows, as in `<list of 3 rows>`."""

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<{type(self.data).__name__}{_size(self.data)}>"


def shown_source(given: Any) -> Any:
    """Return a source as a field can hold it: paths and what is not known yet as they are, anything else as a `Table`.

    It imports nothing, because DAG files are parsed with it.
    """
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes, bytearray, list, tuple)):
        # what several mapped tasks have returned is read one by one
        given = list(given)
    if isinstance(given, (list, tuple)):
        return given if all(map(_may_be_seen, given)) else Table(given)
    if isinstance(given, dict):
        is_variable = [*given] == ["env"] and isinstance(given["env"], str)
        return given if is_variable or _waits_for_tables(given) else Table(given)
    return given if given is None or isinstance(given, Table) or _may_be_seen(given) else Table(given)


def data_of(source: Any) -> Any:
    """Return the data of a source: the table itself."""
    return source.data if isinstance(source, Table) else source


def _waits_for_tables(given: dict[Any, Any]) -> bool:
    """Tell whether tables by name are the results of other tasks. Airflow replaces them only if it sees them."""
    return any(map(_is_unresolved, given.values())) and all(map(_may_be_seen, given.values()))


def _is_unresolved(given: Any) -> bool:
    return callable(getattr(type(given), "resolve", None))


def _may_be_seen(given: Any) -> bool:
    if isinstance(given, str):
        return not _holds_rows(given)
    # UPath and ObjectStoragePath have a file system; the result of another task resolves when it is known
    return isinstance(given, os.PathLike) or hasattr(type(given), "fs") or _is_unresolved(given)


def _holds_rows(text: str) -> bool:
    """Tell whether a text is CSV or JSON, or what a template makes of rows: `{'phone': …}`, `[(…`."""
    return "\n" in text or len(text) > LONGEST_PATH or _OF_ROWS.match(text) is not None


def _size(data: Any) -> str:
    unit = "row"
    if isinstance(data, (list, tuple)):
        count: Any = len(data)
        unit = "row" if data and isinstance(data[0], Mapping) else "item"
    else:
        # of Arrow, and of pandas and polars
        shape = getattr(data, "shape", None)
        count = getattr(data, "num_rows", shape[0] if isinstance(shape, tuple) and shape else None)
    return f" of {count:,} {unit}{'' if count == 1 else 's'}" if isinstance(count, int) else ""
