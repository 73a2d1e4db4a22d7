"""The same rows as text of a CSV file, in a table with types, and in a Spark frame: the same calls and digests.

With `auto`, text stays text. So the mapping has to name the types.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.integrations.spark.task import ROW, prepare_rows
from interakt_loader.load.opening import opened
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.settings import Settings

AT = dt.datetime(2024, 2, 29, 12, 30, 15, 123000, tzinfo=dt.timezone.utc)

# as Arrow has the columns that Spark brings: INT, BIGINT, DECIMAL, TIMESTAMP, DATE, BOOLEAN, ARRAY and STRING
TYPED = pa.table(
    {
        "id": pa.array([1, 2], pa.int64()),
        "phone": pa.array([9876543210, 9812345678], pa.int64()),
        "at": pa.array([AT, AT.replace(microsecond=0)], pa.timestamp("us", "UTC")),
        "n": pa.array([5, None], pa.int32()),
        "price": pa.array([Decimal("12.50"), Decimal("3.00")], pa.decimal128(10, 2)),
        "day": pa.array([AT.date(), None], pa.date32()),
        "ok": pa.array([True, False]),
        "tags": pa.array([["x", "y"], ["z"]], pa.list_(pa.string())),
        "zip": pa.array(["00123", "5"]),
    }
)

TEXT = """zip,tags,ok,day,price,n,at,phone,id
00123,"x,y",true,2024-02-29,12.50,5,2024-02-29T18:00:15.123+05:30,9876543210,1
5,z,false,,3.00,,2024-02-29T12:30:15Z,9812345678,2
"""

TYPES = {"n": "number", "price": "number", "day": "date", "ok": "boolean", "tags": "list", "zip": "string"}

MAPPING: dict[str, Any] = {
    "user_id": "id",
    "phone": "phone",
    "event": {"value": "Seen"},
    "created_at": "at",
    "traits": [{"column": name, "type": kind} for name, kind in TYPES.items()],
}


def bodies(data: Any, mapping: dict[str, Any]) -> list[bytes]:
    settings = Settings()
    source = opened(data, settings)
    prepare = Preparation(Mapping.of(mapping), "event", settings)
    return [body for batch in source.batches() for body in prepare(batch, 0)["body"].to_pylist()]


def bodies_by_spark(table: pa.Table, mapping: dict[str, Any]) -> list[bytes]:
    numbered = table.append_column(ROW, pa.array(range(table.num_rows), pa.int64()))
    calls = prepare_rows(numbered.to_batches(), Preparation(Mapping.of(mapping), "event", Settings()), 2)
    return [body for batch in calls for body in batch["body"].to_pylist()]


def as_text(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_with_the_types_in_the_mapping_text_and_columns_with_types_give_the_same_calls(tmp_path: Path) -> None:
    """Numbers, times in any zone, dates, booleans, lists, ids and phones, in any order of columns."""
    by_spark = bodies_by_spark(TYPED, MAPPING)
    assert by_spark == bodies(TYPED, MAPPING) == bodies(as_text(tmp_path, TEXT), MAPPING)
    assert None not in by_spark
    assert by_spark == bodies_by_spark(TYPED.select(TYPED.column_names[::-1]), MAPPING)


def test_without_types_text_is_text_and_gives_other_calls(tmp_path: Path) -> None:
    """Also with `"*"`: the number 5 and the text 5 are two events."""
    for traits in (list(TYPES), "*"):
        mapping = {**MAPPING, "traits": traits}
        assert bodies_by_spark(TYPED, mapping) == bodies(TYPED, mapping)
        assert bodies_by_spark(TYPED, mapping) != bodies(as_text(tmp_path, TEXT), mapping)


def test_a_number_is_sent_with_the_digits_that_its_source_has(tmp_path: Path) -> None:
    """A DOUBLE has no last zeros, a DECIMAL and text have. So money is a DECIMAL in Spark, or text in both places."""
    double = TYPED.set_column(TYPED.column_names.index("price"), "price", pa.array([12.5, 3.0]))
    text = as_text(tmp_path, TEXT)
    assert bodies_by_spark(double, MAPPING) != bodies(text, MAPPING)
    shorter = as_text(tmp_path, TEXT.replace("12.50", "12.5").replace("3.00", "3"))
    assert bodies_by_spark(double, MAPPING) == bodies(shorter, MAPPING)
