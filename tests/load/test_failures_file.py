"""The failures file: rows that need a person, to be fixed and loaded; what it sends is settled for its source."""

from __future__ import annotations

import csv
import datetime as dt
import json
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.orc as po
import pyarrow.parquet as pq
import pytest

from interakt_loader import MappingDict, check, infer, load_events, load_users
from interakt_loader.errors import UsageError
from interakt_loader.load import load
from interakt_loader.load.job import Observer
from interakt_loader.load.opening import opened
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source

MAPPING: MappingDict = {
    "user_id": "id",
    "phone": "mobile",
    "event": {"value": "Order Placed"},
    "created_at": "at",
    "traits": "*",
}

TEXTS = [
    "plain",
    "=1+1",
    "'=1+1",
    "+91 98765 43210",
    "-5",
    "@all",
    "00012",
    'a "quoted" one, and more',
    "two\nlines",
    "return\r\nand line",
    " spaces ",
    "semi;colon\tand tab",
    "ग्राहक",
    "😀 é",
    "NULL",
    "true",
    "1e5",
    "2026-01-31",
    '="007"',
    "\u202eright to left",
    "[1, 2]",
    "{}",
    "(cannot be sent)",
]


def there(sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "ledger": folder / "orders.ledger"}


def columns() -> dict[str, pa.Array]:
    """A column of each type that a source can have, with extremes."""
    n = len(TEXTS)

    def of(values: list[Any], dtype: pa.DataType) -> pa.Array:
        return pa.array([values[at % len(values)] for at in range(n)], dtype)

    instant = dt.datetime(2026, 1, 31, 23, 59, 59, 999999)
    return {
        "text": pa.array(TEXTS),
        "small": of([1, -1, None, 127], pa.int8()),
        "whole": of([2**62 + 1, -(2**63), 0, None], pa.int64()),
        "large": of([2**64 - 1, 0, None], pa.uint64()),
        "float": of([0.1, 1e300, -1.5e-7, 24.0, None, 1e16, float("nan"), -0.0], pa.float64()),
        "narrow": of([0.1, 16777217.0, None, 1e30, -0.0], pa.float32()),
        "half": pa.array(np.array([0.1, 2.5] * n, np.float16)[:n]),
        "money": of([Decimal("1.10"), Decimal("-0.01"), None, Decimal("99999999.99")], pa.decimal128(12, 2)),
        "tiny": of([Decimal("0.00000000012"), None], pa.decimal128(20, 11)),
        "yes": of([True, False, None], pa.bool_()),
        "day": of([dt.date(2026, 1, 31), dt.date(1, 1, 1), None, dt.date(9999, 12, 31)], pa.date32()),
        "naive": of([instant, dt.datetime(1969, 12, 31, 23, 59, 59, 1), None], pa.timestamp("us")),
        "seconds": of([instant.replace(microsecond=0), dt.datetime(1, 1, 1), None], pa.timestamp("s")),
        "nanos": of([1, -1, -999_999, -1_000_001, None, 1_769_900_000_123_456_789], pa.timestamp("ns")),
        "aware": of([instant.replace(tzinfo=ZoneInfo("Asia/Kolkata")), None], pa.timestamp("us", "Asia/Kolkata")),
        "clock": of([dt.time(10, 30), dt.time(23, 59, 59, 999000), None], pa.time64("us")),
        "words": of([["a", "b, c"], [], None, ['"']], pa.list_(pa.string())),
        "numbers": of([[1, 2], None, [2**60]], pa.list_(pa.int64())),
        "kind": of(["gold", "silver", None], pa.dictionary(pa.int32(), pa.string())),
        "bytes": of([b"abc", None], pa.binary()),
    }


def as_parquet(table: pa.Table, path: Path) -> Path:
    pq.write_table(table, path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_feather(table: pa.Table, path: Path) -> Path:
    pf.write_feather(table, path.with_suffix(".feather"))
    return path.with_suffix(".feather")


def as_orc(table: pa.Table, path: Path) -> Path:
    left = table.drop_columns(["half", "large", "tiny", "clock", "kind", "day", "seconds"])
    po.write_table(left, path.with_suffix(".orc"))
    return path.with_suffix(".orc")


def as_csv(table: pa.Table, path: Path) -> Path:
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(table.schema.names)
        writer.writerows(table.select(table.schema.names).to_pandas().astype(object).itertuples(index=False))
    return path.with_suffix(".csv")


def as_json_lines(table: pa.Table, path: Path) -> Path:
    rows = table.select(
        ["id", "mobile", "at", "text", "small", "whole", "float", "yes", "words", "numbers"]
    ).to_pylist()
    for at, row in enumerate(rows):
        row["mixed"] = [1, "1", 1.5, True, None, [1, "a"], 2**70, {"inner": 1}][at % 8]
        if at % 3:
            del row["small"]
    path.with_suffix(".jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path.with_suffix(".jsonl")


def as_workbook(table: pa.Table, path: Path) -> Path:
    kept = table.select(["id", "mobile", "at", "small", "float", "yes", "day", "naive", "kind"])
    frame = kept.set_column(6, "day", kept["day"].cast(pa.string())).to_pandas()
    frame["late"] = pd.Timestamp("2026-01-31 10:00")
    frame.to_excel(path.with_suffix(".xlsx"), index=False)
    return path.with_suffix(".xlsx")


FORMS = [as_parquet, as_feather, as_orc, as_csv, as_json_lines, as_workbook]


@pytest.mark.parametrize("form", FORMS)
def test_a_fixed_row_is_settled_for_its_source(
    form: Callable[[pa.Table, Path], Path], sandbox: Sandbox, tmp_path: Path
) -> None:
    """Source, failures, fixed failures, source fixed: each event arrives once, with the very body that it has there."""
    rows = len(TEXTS)
    own = columns()
    phones = [f"98765432{row:02}" for row in range(rows)]
    ids = [f"{row:05}" for row in range(rows)]
    at = ["2026-01-31T10:00:00Z"] * rows
    bad = pa.table({"id": ids, "mobile": ["12"] * rows, "at": at, **own})
    good = pa.table({"id": ids, "mobile": phones, "at": at, **own})
    failures = tmp_path / "orders.failures.csv"
    first = load_events(form(bad, tmp_path / "orders"), MAPPING, failures=failures, **there(sandbox, tmp_path))
    assert (first.sent, first.failures_file) == (0, failures)
    text = failures.read_text(encoding="utf-8-sig")
    lines = [*csv.reader(text.splitlines(keepends=True))]
    phone = lines[0].index("mobile")
    fixed = [[*line[:phone], phones[int(line[0])], *line[phone + 1 :]] for line in lines[1:]]
    with failures.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([lines[0], *fixed])
    second = load_events(failures, MAPPING, failures=failures, **there(sandbox, tmp_path))
    expected = check(form(good, tmp_path / "orders"), MAPPING)
    assert (second.sent, second.invalid) == (expected.unsent, expected.invalid)
    third = load_events(form(good, tmp_path / "orders"), MAPPING, failures=failures, **there(sandbox, tmp_path))
    assert (third.unchanged, third.sent) == (expected.unsent, 0)
    assert sandbox.stats().events == expected.unsent > rows // 2


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [*csv.DictReader(file)]


FRAME = pd.DataFrame({"id": ["1", "2"], "mobile": [9876543210, 12], "age": [24, 25]})


@pytest.mark.parametrize(
    "data",
    [FRAME, pa.Table.from_pandas(FRAME), FRAME.to_dict("records")],
    ids=["frame", "arrow", "dicts"],
)
def test_in_python_it_goes_where_failures_says(data: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    """From any table; as a frame of pandas it is loaded as well, and is gone when nothing needs a person."""
    path = tmp_path / "a.failures.csv"
    mapping: MappingDict = {"user_id": "id", "phone": "mobile", "traits": "*"}
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    result = load_users(data, mapping, failures=path, **there)
    assert (result.failures_file, result.as_dict()["failures"]) == (path, str(path))
    (row,) = rows_of(path)
    assert (row["id"], row["mobile"], row["interakt_types"]) == ("2", "12", '{"mobile":"int","age":"int"}')
    frame = pd.read_csv(path, dtype=str)
    frame["mobile"] = "9876543211"
    assert load_users(frame, mapping, failures=path, **there).failures_file is None
    assert not path.exists()
    user = sandbox.find_user("2")
    assert user is not None
    assert user.traits == {"age": 25}


@pytest.mark.parametrize("ending", [".xlsx", ".parquet"])
def test_what_a_spreadsheet_takes_for_a_number_is_still_text(ending: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """The rows of a CSV file are text: saved as a workbook they are the same calls, so that no event goes out twice."""
    source, path = tmp_path / "orders.csv", tmp_path / "orders.failures.csv"
    source.write_text("id,mobile,at,amount,share\n1,12,2026-01-31,250,0.5\n2,13,2026-01-31,17,2\n")
    load_events(source, MAPPING, failures=path, **there(sandbox, tmp_path))
    frame = pd.read_csv(path)
    assert frame["amount"].dtype == "int64"
    frame["mobile"] = [9876543210, 9876543211]
    saved = path.with_suffix(ending)
    frame.to_excel(saved, index=False) if ending == ".xlsx" else frame.to_parquet(saved, index=False)
    assert load_events(saved, MAPPING, **there(sandbox, tmp_path)).sent == 2
    source.write_text("id,mobile,at,amount,share\n1,9876543210,2026-01-31,250,0.5\n2,9876543211,2026-01-31,17,2\n")
    assert load_events(source, MAPPING, failures=path, **there(sandbox, tmp_path)).unchanged == 2
    assert not path.exists()


@pytest.mark.parametrize(
    ("column", "written", "code"),
    [
        ("day", "31/01/2026", "not_a_date"),
        ("naive", "31/01/26 10:00", "not_a_datetime"),
        ("yes", "WAHR", "not_a_boolean"),
        ("whole", "4.61169E+18", "not_a_number"),
    ],
)
def test_a_value_that_a_spreadsheet_has_rewritten_is_refused(
    column: str, written: str, code: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """And not sent as another one: which of the two numbers is the month is not guessed."""
    path = tmp_path / "a.failures.csv"
    table = pa.table({"id": ["1"], "mobile": ["12"], "at": ["2026-02-01"], column: columns()[column].slice(0, 1)})
    load_events(table, MAPPING, failures=path, **there(sandbox, tmp_path))
    (row,) = rows_of(path)
    text = path.read_text(encoding="utf-8-sig")
    path.write_text(text.replace('"12"', '"9876543210"').replace(f'"{row[column]}"', f'"{written}"'), encoding="utf-8")
    again = load_events(path, MAPPING, failures=path, **there(sandbox, tmp_path))
    assert again.failures()[["code", "column"]].values.tolist() == [[code, column]]
    path.write_text(text.replace('"12"', '"9876543210"'), encoding="utf-8")
    assert load_events(path, MAPPING, **there(sandbox, tmp_path)).sent == 1


def test_a_row_of_another_shape_is_refused_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """An object where a value is meant stays one, and is not left out without a word."""
    source, path = tmp_path / "a.jsonl", tmp_path / "a.failures.csv"
    source.write_text('{"id": "1", "address": {"city": "Pune"}}\n{"id": "2", "address": "Goa"}\n')
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url, "failures": path}
    first = load_users(source, {"user_id": "id", "traits": ["address"]}, **there)
    again = load_users(path, {"user_id": "id", "traits": ["address"]}, **there)
    assert (first.sent, first.invalid, again.sent, again.invalid) == (1, 1, 0, 1)
    assert again.failures()["message"].tolist() == first.failures()["message"].tolist()
    assert load_users(path, {"user_id": "id", "traits": "*"}, **there).sent == 1
    user = sandbox.find_user("1")
    assert user is not None
    assert user.traits == {"address.city": "Pune"}


def test_an_input_that_can_be_read_once_gives_what_is_said_alone(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a warning; no load takes that for rows."""
    path = tmp_path / "a.failures.csv"
    mapping: MappingDict = {"user_id": "id", "phone": "mobile", "traits": "*"}
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    with monkeypatch.context() as patch:
        # so what comes once cannot be kept
        patch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        reader = pa.Table.from_pandas(FRAME).to_reader()
        load_users(reader, mapping, failures=path, report=tmp_path / "report.csv", **there)
    (row,) = rows_of(path)
    assert (row["interakt_row"], row["interakt_code"]) == ("1", "phone_invalid")
    assert "lacks the columns of the input, and cannot be loaded" in caplog.text
    with pytest.raises(UsageError):
        load_users(path, mapping, **there)
    assert sandbox.stats().accepted == 1


def test_a_source_that_was_changed_meanwhile_gives_no_rows(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows are others by now: a warning, and no file that names the wrong ones."""
    source, path = tmp_path / "users.csv", tmp_path / "a.failures.csv"
    source.write_text("id,mobile\n1,12\n2,9876543210\n")

    def changes(error: Exception, message: dict[str, Any]) -> None:
        source.write_text("id,mobile\n0,9876543212\n1,12\n2,9876543210\n")

    load_users(
        source,
        {"user_id": "id", "phone": "mobile"},
        failures=path,
        on_error=changes,
        api_key=sandbox.api_key,
        base_url=sandbox.url,
    )
    assert "has changed since the load began, so its rows are not written" in caplog.text
    assert [one.name for one in tmp_path.iterdir()] == ["users.csv"]


def test_a_value_that_cannot_be_sent_is_refused_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """What no text says, errors of a workbook and rows that could not be read: until somebody has corrected them."""
    path = tmp_path / "a.failures.csv"
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    mapping: MappingDict = {"user_id": "id", "traits": "*"}
    table = pa.table({"id": ["1"], "spent": pa.array([dt.timedelta(1)])})
    load_users(table, mapping, failures=path, **there)
    assert [row["spent"] for row in rows_of(path)] == ["(cannot be sent)"]
    assert load_users(path, mapping, **there).invalid == 1
    path.write_text(path.read_text(encoding="utf-8-sig").replace("(cannot be sent)", ""), encoding="utf-8")
    assert load_users(path, mapping, **there).sent == 1
    source = tmp_path / "users.csv"
    source.write_text("id,name\n2,Asha\n3\n")
    load_users(source, mapping, failures=path, **there)
    again = load_users(path, mapping, failures=path, **there)
    assert again.failures()["code"].tolist() == ["row_unreadable"]
    assert again.failures()["message"].tolist() == ["line 3 has 1 field where the header has 2"]
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",,", '"3","Ben",', 1), encoding="utf-8")
    assert load_users(path, mapping, **there).sent == 1
    book = openpyxl.Workbook()
    for line in (["id", "name"], ["4", "#N/A"], ["5", "Asha"]):
        book.active.append(line)
    book.active["B2"].data_type = "e"
    book.save(tmp_path / "book.xlsx")
    assert load_users(tmp_path / "book.xlsx", mapping, failures=path, **there).invalid == 1
    assert load_users(path, mapping, **there).invalid == 1


def test_only_rows_that_need_a_person_are_in_it(tmp_path: Path) -> None:
    """Not those that a stopped load has not come to, nor those whose key was refused: the next load sends them."""
    path = tmp_path / "a.failures.csv"
    with Sandbox(SandboxOptions()) as sandbox:
        table = pa.table({"id": ["1", "2", "3"], "mobile": ["12", "9876543210", "9876543211"]})
        mapping: MappingDict = {"user_id": "id", "phone": "mobile"}
        there: Any = {"base_url": sandbox.url, "failures": path, "workers": 1}
        result = load_users(table, mapping, api_key="another-key-that-is-refused", **there)
        assert result.stopped is not None
        assert result.rejected >= 1
        assert [row["id"] for row in rows_of(path)] == ["1"]
        assert load_users(table.slice(1), mapping, api_key="another-key-that-is-refused", **there).stopped is not None
        assert [row["id"] for row in rows_of(path)] == ["1"]
        assert load_users(table, mapping, api_key=sandbox.api_key, **there).sent == 2
    assert [row["id"] for row in rows_of(path)] == ["1"]


@pytest.mark.parametrize("coalesce", [True, False])
@pytest.mark.parametrize("ledger", [True, False])
@pytest.mark.parametrize("identity", ["user_id", "phone"])
def test_a_row_that_is_fixed_does_not_replace_newer_values(
    sandbox: Sandbox, tmp_path: Path, identity: str, ledger: bool, coalesce: bool
) -> None:
    """The accepted rows of its user that come after it are in the file too, so that they are sent after it again."""
    file, failures = tmp_path / "c.csv", tmp_path / "c.failures.csv"
    ann, bob = ("C-1", "C-2") if identity == "user_id" else ("98765 43210", "98765 43211")
    rows = [(ann, "Agra", "29"), (ann, "Goa", "x"), (bob, "Bern", "40"), (ann, "Pune", "31"), (bob, "Basel", "41")]
    file.write_text("who,city,age\n" + "".join(f"{','.join(row)}\n" for row in rows), encoding="utf-8")
    mapping: Any = {identity: "who", "traits": ["city", {"column": "age", "type": "number"}]}
    options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "failures": failures}
    options |= {"ledger": tmp_path / "c.ledger" if ledger else None}
    options |= {"coalesce": coalesce} if ledger else {}
    assert load_users(file, mapping, **options).invalid == 1
    lines = list(csv.DictReader(failures.read_text(encoding="utf-8-sig").splitlines()))
    assert [(one["interakt_row"], one["interakt_code"], one["city"]) for one in lines] == [
        ("1", "not_a_number", "Goa"),
        ("3", "", "Pune"),
    ]
    assert lines[1]["interakt_hint"].startswith("nothing to fix")
    failures.write_text(failures.read_text(encoding="utf-8-sig").replace('"x"', '"30"'), encoding="utf-8")
    assert load_users(failures, mapping, **options).failed == 0
    assert not failures.exists()
    found = sorted((one.traits["city"], one.traits["age"]) for one in sandbox.users())
    assert found == [("Basel", 41), ("Pune", 31)]


def test_columns_that_a_spreadsheet_would_run_keep_their_names(sandbox: Sandbox, tmp_path: Path) -> None:
    """They are written with an apostrophe, and read without it; the columns of the file keep their order."""
    path = tmp_path / "a.failures.csv"
    table = pa.table({"=cmd()": ["=cmd()"], "id": ["1"], "mobile": ["12"]})
    mapping: MappingDict = {"user_id": "id", "phone": "mobile", "traits": "*"}
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    load_users(table, mapping, failures=path, **there)
    assert [*rows_of(path)[0]][:3] == ["'=cmd()", "id", "mobile"]
    assert rows_of(path)[0]["'=cmd()"] == "'=cmd()"
    assert open_source(path).columns == ["=cmd()", "id", "mobile"]
    assert next(open_source(path).batches()).column("=cmd()").to_pylist() == ["=cmd()"]


def test_a_failures_file_is_proposed_the_mapping_of_its_source(tmp_path: Path) -> None:
    """What is said beside its rows asks and answers nothing."""
    table = pa.table({"user_id": ["1", "2"], "phone": ["12", "9876543210"], "City": ["Pune", "Goa"]})
    check(table, {"user_id": "user_id", "phone": "phone"}, failures=tmp_path / "a.failures.csv")
    assert infer(tmp_path / "a.failures.csv").as_dict() == infer(table).as_dict()


def test_a_failures_file_that_is_edited_while_it_is_loaded_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    """What somebody has written into it meanwhile is in no load."""
    path = tmp_path / "a.failures.csv"
    mapping: MappingDict = {"user_id": "id", "phone": "mobile"}
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url, "failures": path}
    load_users(pa.table({"id": ["1", "2"], "mobile": ["12", "13"]}), mapping, **there)
    text = path.read_text(encoding="utf-8-sig").replace('"12"', '"9876543210"').replace('"13"', '"9876543211"')
    path.write_text(text, encoding="utf-8")

    class Edits(Observer):
        def overwrites_report(self) -> None:
            path.write_text(text + '"3","9876543212"\n', encoding="utf-8")

    settings = Settings.resolve({**there, "report": tmp_path / "report.csv"})
    result = load(opened(path, settings), mapping, "user", settings, observer=Edits())
    assert (result.invalid, result.failures_file) == (0, None)
    assert '"3"' in path.read_text(encoding="utf-8")


def test_one_of_two_equal_events_that_failed_is_not_lost_in_silence(sandbox: Sandbox, tmp_path: Path) -> None:
    """Without an event id nothing tells it from the one that was sent: its line says so, and the source sends it."""
    rows = pd.DataFrame({"id": ["C-1", "C-1"], "mobile": ["9876543210"] * 2, "at": ["2026-01-31"] * 2, "x": [1, 1]})
    rows.to_csv(tmp_path / "orders.csv", index=False)
    mapping: MappingDict = MAPPING | {"traits": ["x"]}
    options = there(sandbox, tmp_path) | {"failures": tmp_path / "orders.failures.csv", "max_retries": 0}
    sandbox.force([None, "500"])
    assert load_events(tmp_path / "orders.csv", mapping, **options).failed == 1
    again = load_events(tmp_path / "orders.failures.csv", mapping, **options)
    assert again.to_pandas()[["status", "code"]].values.tolist() == [["unchanged", "equal_event_sent"]]
    assert len(sandbox.events()) == 1
    assert load_events(tmp_path / "orders.csv", mapping, **options).sent == 1
    assert len(sandbox.events()) == 2
