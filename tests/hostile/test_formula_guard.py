"""The report as CSV: no cell from outside is a formula or moves a cursor, and reading gives back what was there."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interakt_loader import load_users
from interakt_loader.privacy.formula_guard import COLUMNS, guard, unguard
from interakt_loader.report.outcomes import OUTCOMES
from interakt_loader.report.reading import read_batches, read_report
from interakt_loader.report.writer import Report
from interakt_loader.sandbox import Sandbox
from tests.hostile.texts import HARMFUL, RAW

FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")

OURS = {"row": 0, "attempts": 1, "maybe_duplicate": False, "kind": "user", "status": "rejected"}

# apostrophes and what formulas begin with come often, and so do the cuts between them
TEXTS = st.one_of(
    st.none(),
    st.text("'=+-@\t\r\n\"＝,1.5aé"),
    st.lists(
        st.sampled_from(
            ["\\", "\x1b", "x1b", "\\x1b", "\u202e", "u202e", "\\u202e", "\U000e0041", "U000e0041", "=", "'"]
        )
    ).map("".join),
    st.sampled_from(["C:\\x1b\\u202e.csv", "\\ud83d", "\\x41", "क्\u200dष", "\\\\x1b", "a\\\x1b"]),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from([*HARMFUL.values(), "+91", "-5", "+1.5", "'-5", "''", "'", "", "+91\n", "NULL"]),
)
LINES = st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, TEXTS)), max_size=3)

FEW = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def batch_of(lines: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([OURS | {"row": at} | line for at, line in enumerate(lines)], OUTCOMES)


def written(batch: pa.RecordBatch, path: Path) -> Path:
    with Report(path) as report:
        report.write(batch)
    return path


@given(lines=LINES, cut=st.integers(0, 3))
@FEW
def test_what_a_csv_report_holds_reads_back_as_it_was(lines: list[dict[str, Any]], cut: int, tmp_path: Path) -> None:
    """Whatever the texts, through a real file; also of a batch that is the end of another, as slices are."""
    batch = batch_of(lines).slice(cut)
    path = written(batch, tmp_path / "report.csv")
    assert read_report(path).to_pylist() == batch.to_pylist()
    some = ["message", "row", "phone"]
    assert [one for read in read_batches(path, some) for one in read.to_pylist()] == batch.select(some).to_pylist()


@given(LINES)
@FEW
def test_the_guard_is_a_bijection_and_leaves_no_formula(lines: list[dict[str, Any]]) -> None:
    """Reading undoes writing and writing undoes reading; no cell begins like a formula, but for plain numbers."""
    batch = batch_of(lines)
    assert unguard(guard(batch)).to_pylist() == batch.to_pylist()
    assert guard(unguard(guard(batch))).to_pylist() == guard(batch).to_pylist()
    for cell in (line[name] or "" for line in guard(batch).to_pylist() for name in COLUMNS):
        assert FORMULA.match(cell) is None or re.fullmatch(r"[+-][0-9]+(\.[0-9]+)?", cell)


@pytest.mark.parametrize("cell", ["+91", "-5", "+1.5", "98765", "'98765", "a=b", "", "O'Neil", "'x' is no phone"])
def test_what_is_no_formula_stays_as_it_is(cell: str) -> None:
    """People join reports on these columns."""
    batch = batch_of([dict.fromkeys(COLUMNS, cell)])
    assert guard(batch).to_pylist() == batch.to_pylist()


@given(LINES)
@FEW
def test_no_cell_holds_what_a_terminal_obeys(lines: list[dict[str, Any]]) -> None:
    """ESC and all other control characters, marks of direction, what nobody sees: none is left, wherever it stood."""
    for line in guard(batch_of(lines)).to_pylist():
        for cell in (line[name] or "" for name in COLUMNS):
            assert RAW.search(cell) is None
            assert "\n" not in cell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x9b31mred", r"\x9b31mred"),
        ("sent\u202edeliaf", r"sent\u202edeliaf"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("500 failed\r  0 failed", r"500 failed\x0d  0 failed"),
        ("x\nreport: all rows sent", r"x\x0areport: all rows sent"),
        ("ad\u200bmin", r"ad\u200bmin"),
        ("x\U000e0041", r"x\U000e0041"),
        ("\t=1+1", r"\x09=1+1"),
        ("\u202e=1+1", r"\u202e=1+1"),
        (r"\x1b", r"\\x1b"),
        ("\\\x1b", r"\\\x1b"),
        (r"C:\x41\new\users", r"C:\x41\new\users"),
        ("नमस्ते क्\u200dष", "नमस्ते क्\u200dष"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d👧", "👩\u200d👧"),
    ],
)
def test_what_is_neutralised_stays_recognisable(text: str, shown: str, tmp_path: Path) -> None:
    """As an escape in its place; a backslash is doubled only before one; joiners stay. Through a real file and back."""
    batch = batch_of([dict.fromkeys(COLUMNS, text)])
    path = written(batch, tmp_path / "report.csv")
    with path.open(newline="", encoding="utf-8") as file:
        (line,) = csv.DictReader(file)
    assert {line[name] for name in COLUMNS} == {shown}
    assert read_report(path).to_pylist() == batch.to_pylist()


def test_the_parquet_report_has_all_text_as_it_is(tmp_path: Path) -> None:
    """Nobody looks at it with `cat`."""
    batch = batch_of([dict.fromkeys(COLUMNS, one) for one in HARMFUL.values()])
    assert pq.read_table(written(batch, tmp_path / "report.parquet")).to_pylist() == batch.to_pylist()


def test_a_load_of_formulas(tmp_path: Path) -> None:
    """User ids, phones, a column's name and the file's own name: in the file harmless, and read back as they are."""
    source = tmp_path / "=1+1.csv"
    rows = [["id", "@mobile", "cc"], *([text, "+" + text, "=IN"] for text in HARMFUL.values() if "\0" not in text)]
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    with Sandbox() as sandbox:
        options = {"api_key": sandbox.api_key, "base_url": sandbox.url, "report": tmp_path / "out.csv"}
        mapping = {"user_id": "id", "phone": "@mobile", "country_code": "cc"}
        result = load_users(source, mapping, **options)  # type: ignore[arg-type]
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == result.rows == len(rows) - 1
    assert [cell for line in cells for cell in line.values() if FORMULA.match(cell) and cell != "+91"] == []
    assert RAW.search((tmp_path / "out.csv").read_text(encoding="utf-8")) is None
    assert len((tmp_path / "out.csv").read_bytes().splitlines()) == len(rows)
    as_json = result.write_report(tmp_path / "again.jsonl")
    as_parquet = result.write_report(tmp_path / "again.parquet")
    assert read_report(as_json).to_pylist() == read_report(as_parquet).to_pylist() == result.to_arrow().to_pylist()
    frame = result.to_pandas()
    assert any(one.startswith("=HYPERLINK") for one in frame["user_id"].dropna())
    assert frame["column"].dropna().str.startswith("@mobile").any() or frame["column"].dropna().eq("cc").any()
    assert result.failures()["id"].tolist() == [rows[1 + row][0] for row in result.failures()["row"]]
