"""`result.failures()`: the user's own rows come back, to be fixed and loaded again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader import InteraktLoaderError, MappingDict, check, load_events, load_users
from interakt_loader.sandbox import Sandbox, SandboxOptions

ROWS = 9_000  # more than two batches
BAD = (0, 4_095, 4_096, 8_999)
MAPPING: MappingDict = {"user_id": "id", "traits": {"Age": {"column": "age", "type": "number"}, "Status": "status"}}


def table() -> pa.Table:
    """Every row good but for four; a column is called as one of the report's."""
    ages = [str(row) for row in range(ROWS)]
    for row in BAD:
        ages[row] = f"about {row}"
    return pa.table({"id": [f"u{row}" for row in range(ROWS)], "age": ages, "status": ["gold"] * ROWS})


def as_csv(made: pa.Table, folder: Path) -> Any:
    made.to_pandas().to_csv(folder / "users.csv", index=False)
    return folder / "users.csv"


def as_parquet(made: pa.Table, folder: Path) -> Any:
    pq.write_table(made, folder / "users.parquet")
    return str(folder / "users.parquet")


def as_two_files(made: pa.Table, folder: Path) -> Any:
    pq.write_table(made.slice(0, 5_000), folder / "1.parquet")
    pq.write_table(made.slice(5_000), folder / "2.parquet")
    return [folder / "1.parquet", folder / "2.parquet"]


@pytest.mark.parametrize(
    "form",
    [
        lambda made, _: made.to_pandas(),
        lambda made, _: made,
        lambda made, _: made.to_pylist(),
        lambda made, _: pl.from_arrow(made),
        as_csv,
        as_parquet,
        as_two_files,
    ],
    ids=["frame", "arrow", "dicts", "polars", "csv", "parquet", "files"],
)
def test_they_have_their_own_columns(form: Callable[[pa.Table, Path], Any], tmp_path: Path) -> None:
    """From whatever the table was: the rows that failed, with what is wrong beside them."""
    failures = check(form(table(), tmp_path), MAPPING).failures()
    assert failures["row"].tolist() == list(BAD)
    assert failures["id"].tolist() == [f"u{row}" for row in BAD]
    assert failures["age"].tolist() == [f"about {row}" for row in BAD]
    assert failures["status"].tolist() == ["gold"] * 4
    assert failures["load_status"].tolist() == ["invalid"] * 4
    assert failures["code"].tolist() == ["not_a_number"] * 4
    assert failures["column"].tolist() == ["age"] * 4
    assert "about 4095" in failures["message"][failures.index[1]]


def test_mended_they_are_loaded_as_they_are(sandbox: Sandbox) -> None:
    """The same mapping, and none without one: what stands beside the user's columns becomes no trait."""
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    frame = pd.DataFrame({"user_id": ["1", None, "3"], "age": [24.0, 25.0, 26.0]})
    mended = load_users(frame, {"user_id": "user_id", "traits": ["age"]}, **there).failures()
    assert mended["code"].tolist() == ["identity_missing"]
    mended["user_id"] = "2"
    second = load_users(mended, None, **there)
    assert second.ok
    user = sandbox.find_user("2")
    assert user is not None
    assert user.traits == {"age": 25.0}
    assert second.failures().empty


def test_mended_by_a_merge_they_are_loaded_without_the_reports_columns(caplog: pytest.LogCaptureFixture) -> None:
    """pandas forgets what a frame is when it merges it with another; what was put beside the rows is known all the
    same, and that is said. A table that has columns called so of its own keeps them."""
    frame = pd.DataFrame({"id": ["1", "2"], "age": ["old", "31"]})
    mapping: MappingDict = {"user_id": "id", "traits": [{"column": "age", "type": "number"}]}
    failures = check(frame, mapping).failures().drop(columns="age")
    mended = failures.merge(pd.DataFrame({"id": ["1"], "age": [30]}), on="id")
    assert check(mended, {"user_id": "id", "traits": "*"}).examples == ['{"userId":"1","traits":{"age":30}}']
    assert "not loaded: row, status, code, column, message, which come from a report" in caplog.text
    own = mended.assign(status="gold").drop(columns=["row", "code", "column", "message"])
    assert check(own, {"user_id": "id", "traits": "*"}).examples == [
        '{"userId":"1","traits":{"age":30,"status":"gold"}}'
    ]
    own = mended.assign(status="gold")
    assert '"status":"gold"' in check(own, {"user_id": "id", "traits": "*"}).examples[0]


def test_failures_of_failures() -> None:
    """Loaded again without being fixed they fail again, and do not gather columns."""
    once = check(table().to_pandas(), MAPPING).failures()
    twice = check(once, MAPPING).failures()
    assert list(twice.columns) == list(once.columns)
    assert twice["row"].tolist() == [0, 1, 2, 3]
    assert twice["message"].tolist() == once["message"].tolist()


def test_a_selection_of_rows() -> None:
    """With `rows` the numbers are still those of the whole table."""
    failures = check(table(), MAPPING, rows="4000:4096").failures()
    assert (failures["row"].tolist(), failures["id"].tolist()) == ([4_095], ["u4095"])


def test_values_keep_what_they_are() -> None:
    """A whole number beside a missing one stays whole, a boolean too; dates, decimals and lists come as they were."""
    made = pa.table(
        {
            "id": pa.array([None, None, "3"], pa.string()),
            "whole": pa.array([2**60 + 1, None, 3]),
            "yes": pa.array([True, None, False]),
            "day": pa.array([dt.date(2026, 1, 2), None, None]),
            "money": pa.array([Decimal("1.10"), None, None]),
            "tags": pa.array([["a", "b"], None, []]),
        }
    )
    failures = check(made, {"user_id": "id", "traits": ["whole"]}).failures()
    assert failures["whole"][0] == 2**60 + 1
    assert pd.isna(failures["whole"][1])
    assert failures["yes"][0] is True or failures["yes"][0] == True  # noqa: E712 - numpy's
    assert (failures["day"][0], failures["money"][0]) == (dt.date(2026, 1, 2), Decimal("1.10"))
    assert list(failures["tags"][0]) == ["a", "b"]


def test_a_frame_keeps_its_index_and_types() -> None:
    """So that what is fixed can go back into the frame that it came from."""
    frame = table().to_pandas().set_index(pd.Index([f"row {row}" for row in range(ROWS)]))
    frame["age"] = frame["age"].astype("category")
    failures = check(frame, MAPPING).failures()
    assert failures.index.tolist() == [f"row {row}" for row in BAD]
    assert failures["age"].dtype == "category"
    assert list(frame.columns) == ["id", "age", "status"]  # the user's frame is left alone


def test_a_stream_that_is_gone() -> None:
    """It comes once, and what it gave is kept: the failures are its own rows."""
    failures = check(table().to_reader(), MAPPING).failures()
    assert failures["row"].tolist() == list(BAD)
    assert failures["id"].tolist() == [f"u{row}" for row in BAD]


@pytest.mark.parametrize("form", [as_csv, as_two_files])
def test_a_file_that_has_become_shorter(form: Callable[[pa.Table, Path], Any], tmp_path: Path) -> None:
    """Rows that are no longer there are no rows of nothing: one line says so."""
    result = check(form(table(), tmp_path), MAPPING)
    form(table().slice(0, 8_000), tmp_path)
    with pytest.raises(InteraktLoaderError, match="has fewer rows than when it was loaded"):
        result.failures()


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # pandas 3.1 warns of it, and people have it
def test_a_frame_that_has_become_shorter() -> None:
    """Likewise of a frame that somebody has cut in place."""
    frame = table().to_pandas()
    result = check(frame, MAPPING)
    frame.drop(frame.index[8_000:], inplace=True)
    with pytest.raises(InteraktLoaderError, match="has fewer rows than when it was loaded"):
        result.failures()


def test_what_the_server_failed_at_comes_back_too() -> None:
    """Not only what is found here: a row that used up its retries has its own columns as well."""
    frame = pd.DataFrame({"who": ["1", "2"], "what": ["Visit", "Order"]})
    with Sandbox(SandboxOptions(faults="500=100%")) as broken:
        result = load_events(
            frame,
            {"user_id": "who", "event": "what"},
            api_key=broken.api_key,
            base_url=broken.url,
            max_retries=0,
            max_outage=0,
        )
    assert result.rows == 2
    failures = result.failures()
    assert failures["what"].tolist() == ["Visit", "Order"]
    assert failures["status"].isin(["failed", "unsent"]).all()


def test_values_of_several_types_come_as_they_were(tmp_path: Path) -> None:
    """Beside others of another type, and also what cannot be sent: loaded again it is refused again."""
    records: list[dict[str, Any]] = [
        {"id": None, "x": 1},
        {"id": None, "x": "a"},
        {"id": "a", "x": "\ud83d"},
        {"id": "b", "x": [{"sku": 1}, 2**70]},
        {"id": None, "x": 2**70},
        {"id": None, "x": ["a", 1]},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    for data in (path, records):
        failures = check(data, {"user_id": "id", "traits": "*"}).failures()
        assert failures["x"].tolist() == [one["x"] for one in records]
        again = check(failures, {"user_id": "id", "traits": "*"})
        assert again.failures()["message"].tolist() == failures["message"].tolist()
    took = dt.timedelta(1)
    (found,) = check([{"id": "a", "x": took}, {"id": "b", "x": 1}], {"user_id": "id", "traits": "*"}).failures()["x"]
    assert found == took
