"""The page of types: what it says is what the code does, and it leaves no type out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from docs.mkdocs import types_table
from interakt_loader.columns import Target, coerce
from interakt_loader.columns.normalize import problems_at
from interakt_loader.mapping.prepare import collapse_whitespace
from interakt_loader.sources.memory import to_arrow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "types.md"

_NOT_SHOWN = (
    "struct",  # read as its fields
    "union",  # refused like maps
    "run_end_encoded",  # says how values are stored, not what they are; so do large_list_view and the one below
    "large_list_view",
    "uuid",  # not in every pyarrow that we run on; so are the ones below
    "decimal32",
    "decimal64",
    "bool8",
    "json_",
    "opaque",
)


def test_the_page_is_what_the_code_does_today() -> None:
    """docs/types.md is what `python -m docs.mkdocs.types_table` prints."""
    printing = [sys.executable, "-X", "utf8", "-m", "docs.mkdocs.types_table"]
    printed = subprocess.run(printing, check=True, capture_output=True, encoding="utf-8", timeout=60).stdout
    assert PAGE.read_text(encoding="utf-8") == printed


def test_no_type_is_left_out() -> None:
    """Each type that Arrow can tell apart has a value on the page."""
    checks = {name[3:] for name in dir(pa.types) if name.startswith("is_") and not name.endswith("_value")}
    types = [values.type for _, values in types_table.examples()]
    missing = {name for name in checks if not any(getattr(pa.types, f"is_{name}")(one) for one in types)}
    assert missing <= set(_NOT_SHOWN)


def test_every_refusal_on_the_page_is_a_code() -> None:
    """No cell shows an exception, a NaN or a Python value."""
    rows = [line for line in types_table.page().splitlines() if line.startswith("|")]
    cells = {cell.strip() for row in rows for cell in row.split("|")}
    codes = {cell.strip("*") for cell in cells if cell.startswith("*")}
    assert codes == {
        "left out",
        "datetime_invalid",
        "not_a_boolean",
        "not_a_date",
        "not_a_datetime",
        "not_a_number",
        "not_text",
        "out_of_range",
        "unsupported_type",
    }


def test_python_values_are_the_same_for_tables() -> None:
    """What the page says of `track` is what a column of objects gives, all in one."""
    values = [value for value, _ in types_table.python_values()]
    coerced = coerce(to_arrow(values), Target())
    tidy = collapse_whitespace(coerced.json)[0].to_pylist()
    found = [
        f"*{coerced.problems[at].code}*" if at in coerced.problems else f"`{json}`" if json else "*left out*"
        for at, json in enumerate(tidy)
    ]
    assert found == [said for _, said in types_table.python_values()]


def test_a_value_of_any_type_can_be_shown_in_a_message() -> None:
    """If Arrow cannot print a value, the message names its type."""
    for name, values in types_table.examples():
        problems = problems_at(values, values.is_valid(), "unsupported_type", "cannot be sent")
        assert len(problems) == len(values) - values.null_count
        shown = {problem.message.removesuffix(" cannot be sent") for problem in problems.values()}
        assert shown.isdisjoint({"", "None"}), name
    views = pa.array(["a"], pa.string_view())
    told = problems_at(views, views.is_valid(), "unsupported_type", "cannot be sent")[0].message
    assert told in ("a cannot be sent", "a value of type string_view cannot be sent")
