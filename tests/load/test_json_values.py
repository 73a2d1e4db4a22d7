"""JSON lines arrive value by value: held against a reading of the same lines by Python's `json` alone."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import MappingDict, load_events, load_users
from interakt_loader.mapping.prepare import Preparation
from interakt_loader.mapping.spec import Mapping
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"

REFUSED = "refused"
"""Stands for a row that has no body."""


def case(name: str) -> Path:
    """Return a shared input that once went wrong; skip the test where there is none."""
    if not (CASES / name).is_file():
        pytest.skip(f"the shared cases have no {name} here")
    return CASES / name


# ---------------------------------------------------------------------------- the other reading


def meant(value: Any) -> Any:
    """Say what a value of JSON should arrive as; None for nothing, REFUSED for what cannot be sent."""
    if isinstance(value, str):
        if any(0xD800 <= ord(one) < 0xE000 for one in value):
            return REFUSED
        words = "".join(" " if one in "\t\r\n" else one for one in value)
        return None if not value.strip() else value if words == value and "   " not in value else squeezed(value)
    if isinstance(value, float):
        return REFUSED if value in (float("inf"), -float("inf")) else value
    if isinstance(value, int) and not isinstance(value, bool):
        return REFUSED if abs(value) > 10**308 else value
    if isinstance(value, list):
        items = [REFUSED if isinstance(one, list | dict) else meant(one) for one in value]
        return REFUSED if REFUSED in items else [one for one in items if one is not None]
    return value


def squeezed(text: str) -> str:
    """Make runs of white space one space where they hold a line break, a tab or three spaces."""
    found, run = "", ""
    for one in [*text, ""]:
        if one and one in " \t\r\n":
            run += one
            continue
        found += " " if "   " in run or set(run) & set("\t\r\n") else run
        found, run = found + one, ""
    return found


def traits_of(record: dict[str, Any]) -> dict[str, Any] | str:
    """Return the traits that a line should have by `traits: "*"`, objects as their fields."""
    found: dict[str, Any] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{path}.{name}", inner)
        else:
            found[path] = meant(value)

    for name, value in record.items():
        if name != "id":
            walk(name, value)
    return REFUSED if REFUSED in found.values() else {name: one for name, one in found.items() if one is not None}


# ---------------------------------------------------------------------------- random lines


def some_text(rng: random.Random) -> str:
    words = [
        "Asha",
        "Pune",
        "two\nlines",
        "a\tb",
        "a   b",
        "a  b",
        "",
        " ",
        "007",
        "2025-03-27",
        "नमस्ते",
        "😀",
        '"\\',
        "null",
    ]
    return (
        rng.choice(words) if rng.random() < 0.9 else "".join(rng.choices('ab \n\t\\"é\u2028\x00', k=rng.randrange(12)))
    )


def some_scalar(rng: random.Random) -> Any:
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice([True, False])
    if kind == 1:
        return rng.choice([0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 2**70, -(10**40)])
    if kind == 2:
        return rng.randrange(10**6)
    if kind == 3:
        return rng.choice(
            [0.0, -0.0, 1.0, 0.1, 1e-7, 1e-10, 1e16, 1e22, 5e-324, 1.7e308, rng.random(), rng.random() * 1e6]
        )
    if kind == 4:
        return None
    return some_text(rng)


def some_value(rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.75:
        return some_scalar(rng)
    if kind < 0.9:
        return [some_scalar(rng) for _ in range(rng.randrange(4))]
    if kind < 0.98:
        return {name: some_value(rng) for name in rng.sample(["x", "y", "z"], rng.randrange(3))}
    return rng.choice(["\ud83d", ["a", "\udc00"], [[1]], [{"a": 1}], 10**400])


def some_lines(seed: int, rows: int) -> list[str]:
    """Return lines whose columns are of one type for a while, and then of any, as files are; keys come late and go."""
    rng = random.Random(seed)
    uniform: dict[str, Any] = {
        "n": lambda: rng.randrange(100),
        "f": lambda: rng.choice([1.5, 2, 3.0]),
        "t": lambda: some_text(rng),
        "b": lambda: rng.random() < 0.5,
        "l": lambda: [rng.randrange(9)],
        "o": lambda: {"x": 1, "y": "a"},
        "d": lambda: "2025-03-27",
    }
    lines = []
    for row in range(rows):
        record: dict[str, Any] = {"id": f"u{row}"}
        for name, make in uniform.items():
            if rng.random() < 0.95:
                record[name] = make() if rng.random() < 0.997 else some_value(rng)
        record["any"] = some_value(rng)
        if row > rows * 0.8:
            record["late"] = some_value(rng)
        lines.append(json.dumps(record, ensure_ascii=rng.random() < 0.5 or "\\ud" in json.dumps(record)))
    return lines


@pytest.mark.parametrize("form", ["lines", "array", "dicts", "frame"])
def test_each_field_of_random_lines_is_what_json_says(tmp_path: Path, form: str) -> None:
    """Over several batches, every field of every row: the same JSON, or the row is refused."""
    compared = 0
    for seed in range(2):
        lines = some_lines(seed, 6_000)
        records = [json.loads(line) for line in lines]
        data: Any = records
        if form == "frame":
            columns = dict.fromkeys(name for one in records for name in one)
            data = pd.DataFrame({name: pd.Series([one.get(name) for one in records], dtype=object) for name in columns})
        if form in ("lines", "array"):
            data = tmp_path / ("t.jsonl" if form == "lines" else "t.json")
            data.write_text("\n".join(lines) if form == "lines" else f"[{','.join(lines)}]", encoding="utf-8")
        prepare = Preparation(Mapping.of({"user_id": "id", "traits": "*"}), "user", Settings())
        row = 0
        for batch in open_source(data).batches():
            for body in prepare(batch, row)["body"].to_pylist():
                arrived = REFUSED if body is None else json.loads(body)["traits"]
                expected = traits_of(records[row])
                assert same(arrived, expected), (seed, row, lines[row], arrived)
                compared += 1 if arrived == REFUSED else len(arrived)
                row += 1
        assert row == len(lines)
    assert compared > 80_000


def same(one: Any, other: Any) -> bool:
    """Tell whether two are the same JSON: 1 is not true, and 1.0 is 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return (
        bool(one == other)
        and isinstance(one, bool) == isinstance(other, bool)
        and isinstance(one, str) == isinstance(other, str)
    )


# ---------------------------------------------------------------------------- the shared cases


@pytest.mark.parametrize("mapping", [{"user_id": "id", "traits": "*"}, {"user_id": "id", "traits": ["v"]}])
def test_one_text_among_thousands_of_numbers_changes_no_number(sandbox: Sandbox, mapping: Any) -> None:
    """Each row of the file arrives with the type that its line has."""
    path = case("types.jsonl")
    result = load_users(path, mapping, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=None)
    assert result.sent == 5_000
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    expected = {line["id"]: line["v"] for line in lines}
    assert {type(one) for one in expected.values()} == {int, str}
    arrived = {one.user_id: one.traits["v"] for one in sandbox.users()}
    assert {name: (value, type(value)) for name, value in arrived.items()} == {
        name: (value, type(value)) for name, value in expected.items()
    }


def test_half_a_surrogate_pair_in_a_file_is_refused(sandbox: Sandbox) -> None:
    """It is never sent as U+FFFD: the row is invalid, and the column and the value are named."""
    path = case("surrogate.jsonl")
    mapping: MappingDict = {"user_id": "id", "traits": "*"}
    result = load_users(path, mapping, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=None)
    (line,) = result.to_arrow().to_pylist()
    assert (line["status"], line["code"], line["column"], "ud83d" in line["message"]) == (
        "invalid",
        "not_text",
        "d",
        True,
    )
    assert sandbox.stats().calls == 0


@pytest.mark.parametrize(
    ("record", "code", "column"),
    [
        ({"id": "\ud83d"}, "user_id_invalid", "id"),
        ({"id": "a", "phone": "98765\udc0043210"}, "phone_invalid", "phone"),
        ({"id": "a", "cc": "\ud83d", "phone": "9876543210"}, "country_code_invalid", "cc"),
        ({"id": "a", "event": "\ud83d"}, "not_text", "event"),
        ({"id": "a", "note": "x\ud83d"}, "not_text", "note"),
        ({"id": "a", "note": ["x", "\ud83d"]}, "not_text", "note"),
        ({"id": "a", "\ud83d": 1}, "row_unreadable", None),
        ({"id": "a", "note": {"\ud83d": 1}}, "not_text", "note"),
    ],
)
def test_half_a_pair_is_refused_wherever_it_stands(
    tmp_path: Path, record: dict[str, Any], code: str, column: str | None
) -> None:
    """In an id, a phone, a country, an event, a trait, a list and a name; the other rows go out."""
    path = tmp_path / "t.jsonl"
    whole = {"id": "b", "phone": "9876543211", "cc": "+91", "event": "E", "note": "fine 😀"}
    path.write_text("\n".join(json.dumps({**whole, **one}) for one in ({}, record, {})))
    mapping: MappingDict = {
        "user_id": "id",
        "phone": "phone",
        "country_code": "cc",
        "event": "event",
        "traits": ["note"],
    }
    prepare = Preparation(Mapping.of(mapping), "event", Settings())
    (batch,) = open_source(path).batches()
    rows = prepare(batch, 0).to_pylist()
    assert [row["body"] is not None for row in rows] == [True, False, True]
    assert (rows[1]["code"], rows[1]["column"]) == (code, column)


def test_a_list_of_objects_is_refused_and_the_way_out_is_said(sandbox: Sandbox) -> None:
    """Nothing of it is sent in another form; an empty list is one."""
    path = case("nested_items.jsonl")
    mapping: MappingDict = {"user_id": "customer_id", "event": "event", "traits": ["items"]}
    result = load_events(path, mapping, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=None)
    lines = result.to_arrow().to_pylist()
    assert [(line["status"], line["code"], line["column"]) for line in lines] == [
        ("invalid", "unsupported_type", "items"),
        ("sent", None, None),
    ]
    assert "an object inside a list cannot be sent" in lines[0]["message"]
