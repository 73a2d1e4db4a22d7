"""Rows that are one event: which rows are a group, what its call holds, and what refuses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader import LoadResult, MappingDict, baseline, check, load_events
from interakt_loader.errors import MappingError, SettingsError
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.mapping.groups import MOST_ROWS, Groups, whole_groups
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.settings import Settings
from interakt_loader.sources import GROUP_COLUMN, open_source

ORDERS: MappingDict = {
    "user_id": "customer",
    "event": {"value": "Order Placed"},
    "group_by": "order",
    "traits": {
        "Order": "order",
        "Total": {"column": "total", "type": "number"},
        "Items": {"column": "item", "collect": True},
        "Quantities": {"column": "quantity", "collect": True, "default": 1},
    },
}
WITH_IDS: MappingDict = {**ORDERS, "event_id": "order"}
COLUMNS = ["order", "customer", "item", "quantity", "total"]
TWO = [("1", "c1", "shirt", 2, "99.50"), ("1", None, "cap", None, None), ("2", "c2", "shoe", 1, "50")]


def table(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Return a table of order lines."""
    return pd.DataFrame(rows, columns=COLUMNS)


def to(sandbox: Sandbox, **options: Any) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "progress": False, **options}


def lines(result: LoadResult) -> list[tuple[str, str | None]]:
    """Return status and code of each row."""
    return [(one["status"], one["code"]) for one in result.to_arrow().to_pylist()]


def traits(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return the traits of each event in the sandbox, by order; an order that came twice fails the test."""
    events = [event.traits for event in sandbox.events()]
    by_order = {one["Order"]: one for one in events}
    assert len(by_order) == len(events)
    return by_order


# ------------------------------------------------------------------ what is sent


@pytest.mark.parametrize("ledger", [False, True])
def test_an_order_of_several_rows_is_one_event(sandbox: Sandbox, tmp_path: Path, *, ledger: bool) -> None:
    """One call an order, with lists of its items; every row has its line, and a second load sends nothing."""
    options = to(sandbox, ledger=tmp_path / "l.ledger") if ledger else to(sandbox)
    result = load_events(table(TWO), WITH_IDS, **options)
    assert lines(result) == [("sent", None), ("merged", "grouped"), ("sent", None)]
    assert (result.attempts, result.ok) == (2, True)
    assert traits(sandbox) == {
        "1": {"Order": "1", "Total": 99.5, "Items": ["shirt", "cap"], "Quantities": [2, 1]},
        "2": {"Order": "2", "Total": 50, "Items": ["shoe"], "Quantities": [1]},
    }
    row = result.to_arrow().to_pylist()[1]
    assert (row["user_id"], row["message"]) == ("c1", "row 0 carries it, as both are one event")
    if ledger:
        again = load_events(table(TWO), WITH_IDS, **options)
        assert (lines(again), again.attempts) == ([("unchanged", None)] * 3, 0)


@pytest.mark.parametrize("ledger", [False, True])
def test_a_dry_run_says_the_calls_that_the_load_makes(sandbox: Sandbox, tmp_path: Path, *, ledger: bool) -> None:
    """Two could be sent, and one is a part of another; without a file of a ledger too."""
    options = to(sandbox, ledger=tmp_path / "l.ledger") if ledger else to(sandbox)
    result = check(table(TWO), WITH_IDS, **options)
    assert lines(result) == [("unsent", None), ("merged", "grouped"), ("unsent", None)]
    assert "2 calls" in str(result.as_dict().get("forecast", "2 calls"))
    assert load_events(table(TWO), WITH_IDS, **options).attempts == 2


def test_baseline_puts_whole_orders_on_record(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is sent; the load afterwards knows every row."""
    options = to(sandbox, ledger=tmp_path / "l.ledger")
    assert lines(baseline(table(TWO), WITH_IDS, **options)) == [
        ("recorded", None),
        ("merged", "grouped"),
        ("recorded", None),
    ]
    assert lines(load_events(table(TWO), WITH_IDS, **options)) == [("unchanged", None)] * 3
    assert sandbox.events() == []


@pytest.mark.parametrize("ledger", [False, True])
def test_a_row_of_a_group_ends_as_its_call_ends(tmp_path: Path, *, ledger: bool) -> None:
    """Where the API rejects the call, both rows are rejected, and both are in the failures file."""
    with Sandbox(SandboxOptions(faults="400=100%")) as sandbox:
        options = to(sandbox, failures=tmp_path / "f.csv")
        if ledger:
            options["ledger"] = tmp_path / "l.ledger"
        result = load_events(table(TWO), WITH_IDS, **options)
    assert [status for status, _ in lines(result)] == ["rejected"] * 3
    assert pd.read_csv(tmp_path / "f.csv")["order"].tolist() == [1, 1, 2]


def test_failed_rows_of_an_order_load_again_as_one_event(sandbox: Sandbox, tmp_path: Path) -> None:
    """An order with a bad row is refused whole; the failures file, with the row fixed, sends it once and whole."""
    bad = [("1", "c1", "shirt", 2, "99.50"), ("1", None, "cap", None, "ninety"), *TWO[2:]]
    source, failures = tmp_path / "orders.csv", tmp_path / "orders.failures.csv"
    table(bad).to_csv(source, index=False)
    options = to(sandbox, ledger=tmp_path / "l.ledger", failures=failures)
    first = load_events(source, WITH_IDS, **options)
    assert lines(first) == [("invalid", "group_invalid"), ("invalid", "not_a_number"), ("sent", None)]
    failures.write_text(failures.read_text(encoding="utf-8").replace("ninety", ""), encoding="utf-8")
    second = load_events(failures, WITH_IDS, **options)
    assert lines(second) == [("sent", None), ("merged", "grouped")]
    assert traits(sandbox)["1"]["Items"] == ["shirt", "cap"]
    assert not failures.exists()


# ------------------------------------------------------------------ one value for all rows


def test_a_field_takes_the_first_value_that_is_not_blank(sandbox: Sandbox) -> None:
    """In any row of the order, identity and time too."""
    rows = [("1", "", "a", 1, None), ("1", " c1", "b", 1, " "), ("1", "c1", "c", 1, "7")]
    written: MappingDict = {**ORDERS, "created_at": {"column": "at"}}
    result = load_events(table(rows).assign(at=[None, "2025-01-01", "2025-01-01"]), written, **to(sandbox))
    assert result.ok
    (event,) = sandbox.events()
    assert (event.user_id, event.created_at, event.traits["Total"]) == ("c1", "2025-01-01T00:00:00.000Z", 7)


@pytest.mark.parametrize(
    ("column", "values", "named"),
    [
        ("customer", ("c1", "c2"), "customer: 'c2', and 'c1' 2 rows before"),
        ("total", ("1", "2"), "total: 2, and 1 2 rows before"),
    ],
)
def test_two_different_values_refuse_the_order(
    sandbox: Sandbox, column: str, values: tuple[str, str], named: str
) -> None:
    """The row with the second value says what both are; no call is made."""
    rows = table([("1", "c1", "a", 1, "1")] * 3)
    rows[column] = [values[0], None, values[1]]
    result = load_events(rows, ORDERS, **to(sandbox))
    assert lines(result) == [("invalid", "group_invalid")] * 2 + [("invalid", "group_conflict")]
    assert named in result.to_arrow()["message"][2].as_py()
    assert sandbox.events() == []


def test_values_that_are_sent_alike_are_one_value(sandbox: Sandbox) -> None:
    """1 and 1.00 are the same number, and 98765 43210 and +919876543210 the same phone."""
    rows = table([("1", None, "a", 1, "1"), ("1", None, "b", 1, "1.00")]).assign(p=["98765 43210", "+919876543210"])
    written: MappingDict = {**ORDERS, "phone": "p"}
    del written["user_id"]
    assert load_events(rows, written, **to(sandbox)).ok


# ------------------------------------------------------------------ groups that cannot be sent


def test_a_value_that_comes_back_later_is_split(sandbox: Sandbox, tmp_path: Path) -> None:
    """The later rows are refused, however far away; the rest of the order would be a second event."""
    rows = [TWO[0], TWO[2], ("1", None, "late", 1, None), ("1", None, "later", 1, None)]
    result = load_events(table(rows), ORDERS, **to(sandbox, ledger=tmp_path / "l.ledger"))
    assert lines(result) == [("sent", None), ("sent", None), *[("invalid", "group_split")] * 2]
    assert "'1' was there before" in result.to_arrow()["message"][2].as_py()


def test_a_row_without_a_group_refuses_its_neighbours(sandbox: Sandbox) -> None:
    """It may be the last line of the order before, or the first of the one behind: neither is sent with a hole."""
    rows = [*TWO, (None, None, "?", 1, None), ("3", "c3", "d", 1, "1"), ("4", "c4", "e", 1, "1")]
    result = load_events(table(rows), ORDERS, **to(sandbox))
    assert lines(result) == [("sent", None), ("merged", "grouped"), *[("invalid", "group_invalid")] * 3, ("sent", None)]


def test_a_row_that_cannot_be_read_refuses_its_neighbours(sandbox: Sandbox, tmp_path: Path) -> None:
    """A line with a cell too many may be a part of either order."""
    path = tmp_path / "orders.csv"
    path.write_text("order,customer,item,quantity,total\n1,c1,a,1,5\n1,,b,1,,,\n2,c2,c,1,5\n3,c3,d,1,5\n", "utf-8")
    result = load_events(path, ORDERS, **to(sandbox))
    assert lines(result) == [
        ("invalid", "group_invalid"),
        ("invalid", "row_unreadable"),
        ("invalid", "group_invalid"),
        ("sent", None),
    ]


def test_a_header_in_the_middle_of_an_order_does_not_cut_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two exports were joined: the header is no row of the order, and the order is whole."""
    path = tmp_path / "orders.csv"
    header = "order,customer,item,quantity,total\n"
    path.write_text(f"{header}1,c1,a,1,5\n{header}1,,b,1,\n2,c2,c,1,5\n", "utf-8")
    result = load_events(path, ORDERS, **to(sandbox))
    assert lines(result) == [("sent", None), ("invalid", "row_unreadable"), ("merged", "grouped"), ("sent", None)]
    assert traits(sandbox)["1"]["Items"] == ["a", "b"]


def test_a_group_of_too_many_rows_is_refused(sandbox: Sandbox) -> None:
    """One of the most rows is sent; one of a row more is not, and memory holds none of it."""
    sizes = {"ok": MOST_ROWS, "large": MOST_ROWS + 1, "huge": 3 * MOST_ROWS + 5}
    rows = [(order, "c1", "i", 1, None) for order, size in sizes.items() for _ in range(size)]
    result = load_events(table(rows), ORDERS, **to(sandbox))
    codes = [code for _, code in lines(result)]
    assert codes == [None, *["grouped"] * (MOST_ROWS - 1), *["too_large"] * (4 * MOST_ROWS + 6)]
    assert len(sandbox.events()) == 1


def test_items_that_are_too_long_for_a_call_refuse_the_order(sandbox: Sandbox) -> None:
    """The call would be over the API's limit: the largest trait is named."""
    rows = [("1", "c1", "x" * 400, 1, None)] * 100
    result = load_events(table(rows), ORDERS, **to(sandbox))
    assert lines(result)[0] == ("invalid", "too_large")
    assert result.to_arrow()["column"][0].as_py() == "item"
    assert {code for _, code in lines(result)} == {"too_large", "group_invalid"}


def test_a_list_cannot_be_collected(sandbox: Sandbox) -> None:
    """A list cannot hold lists: refused with its row; a list in text is text unless its type says list."""
    rows = pd.DataFrame({"order": ["1", "2"], "customer": ["c1", "c2"], "item": [["a", "b"], ["c"]]})
    written: MappingDict = {**ORDERS, "traits": {"Order": "order", "Items": {"column": "item", "collect": True}}}
    assert {status for status, _ in lines(load_events(rows, written, **to(sandbox)))} == {"invalid"}
    written["traits"] = {"Order": "order", "Items": {"column": "item", "collect": True, "separator": ";"}}
    with pytest.raises(MappingError, match="a list cannot hold lists"):
        load_events(rows, written, **to(sandbox))


# ------------------------------------------------------------------ limits, kinds, ids


@pytest.mark.parametrize(("limit", "rows"), [(1, 2), (2, 2), (3, 3), (4, 6), (5, 6), (6, 6), (7, 7), (99, 7)])
def test_a_limit_counts_rows_and_ends_after_a_whole_order(sandbox: Sandbox, limit: int, rows: int) -> None:
    """Orders of 2, 1, 3 and 1 rows."""
    given = table([(order, f"c{order}", "i", 1, None) for order in "1123334"])
    result = load_events(given, ORDERS, **to(sandbox, limit=limit))
    assert (result.rows, result.ok) == (rows, True)


def test_a_range_of_rows_is_refused(sandbox: Sandbox) -> None:
    """It would cut an order in two: the message says what to use."""
    with pytest.raises(SettingsError, match=r"rows could cut an event of several rows \(group_by\) in two"):
        load_events(table(TWO), ORDERS, **to(sandbox, rows="0:2"))


def test_group_by_is_for_events() -> None:
    """Users with it are refused in one line."""
    with pytest.raises(MappingError, match="group_by is for events"):
        check(table(TWO), {"user_id": "customer", "group_by": "order"})


def test_the_same_order_twice_in_one_input_is_merged_or_a_conflict(sandbox: Sandbox, tmp_path: Path) -> None:
    """An event id of its own, which two groups share: equal content is merged with all rows, other content refused."""
    rows = table([*TWO[:2], ("9", "c1", "shirt", 2, "99.50"), ("9", None, "cap", None, None), ("8", "c1", "x", 1, "1")])
    written: MappingDict = {**ORDERS, "event_id": "key", "traits": {"Items": {"column": "item", "collect": True}}}
    result = load_events(rows.assign(key="K1"), written, **to(sandbox, ledger=tmp_path / "l.ledger"))
    assert lines(result) == [
        ("sent", None),
        ("merged", "grouped"),
        ("merged", "event_id_repeated"),
        ("merged", "event_id_repeated"),
        ("invalid", "event_id_conflict"),
    ]
    assert len(sandbox.events()) == 1


def _keep(seen: list[dict[str, Any]], _: Exception, message: dict[str, Any]) -> None:
    seen.append(message)


def test_rows_on_error_get_the_call_that_failed(tmp_path: Path) -> None:
    """`on_error` is called for each row, with the body of the whole order."""
    for ledger in (None, tmp_path / "l.ledger"):
        seen: list[dict[str, Any]] = []
        with Sandbox(SandboxOptions(faults="400=100%")) as sandbox:
            on_error = partial(_keep, seen)
            load_events(table(TWO[:2]), WITH_IDS, **to(sandbox, ledger=ledger, on_error=on_error))
        assert [message["body"]["traits"]["Items"] for message in seen] == [["shirt", "cap"]] * 2


def test_a_stop_lists_every_row_once() -> None:
    """The key is refused in the middle: all rows have one line, and rows of one order end alike."""
    rows = table([(f"o{at // 3}", f"c{at // 3}", "i", 1, None) for at in range(9000)])
    with Sandbox() as sandbox:
        result = load_events(rows, ORDERS, **to(sandbox) | {"api_key": "wrong"})
    found = result.to_arrow()
    assert found["row"].to_pylist() == list(range(9000))
    statuses = found["status"].to_pylist()
    assert all(len(set(statuses[at : at + 3])) == 1 for at in range(0, 9000, 3))
    assert set(statuses) == {"rejected", "unsent"}


def test_a_killed_load_goes_on_with_whole_orders(tmp_path: Path) -> None:
    """Killed three times in the middle: no order is lost or has a hole, and one that came twice is marked."""
    orders = 200
    rows = [
        (f"o{at}", f"c{at % 20}" if line == 0 else None, f"i{line}", 1, None)
        for at in range(orders)
        for line in range(3)
    ]
    table(rows).to_csv(tmp_path / "orders.csv", index=False)
    (tmp_path / "orders.json").write_text(json.dumps(WITH_IDS), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "interakt_loader",
        "orders.csv",
        "--mapping",
        "orders.json",
        "--rate-limit",
        "none",
    ]
    with SandboxProcess(SandboxOptions(latency=0.005)) as sandbox:
        environ = {**os.environ, "INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url}
        environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        for enough in (20, 80, 140):
            with subprocess.Popen([*command, "--workers", "2", "--quiet"], cwd=tmp_path, env=environ) as process:
                while len(sandbox.events()) < enough and process.poll() is None:
                    pass
                process.kill()
        subprocess.run([*command, "--quiet"], cwd=tmp_path, env=environ, check=True)
        events = [event.traits for event in sandbox.events()]
    assert all(one["Items"] == ["i0", "i1", "i2"] for one in events)
    times = Counter(one["Order"] for one in events)
    assert len(times) == orders
    lines_of = pd.read_csv(tmp_path / "orders.report.csv")
    assert lines_of["row"].tolist() == list(range(3 * orders))
    twice = {f"o{row // 3}" for row in lines_of.loc[lines_of["maybe_duplicate"], "row"]}
    assert {order for order, count in times.items() if count > 1} <= twice


# ------------------------------------------------------------------ batches


def batches_of(sizes: Sequence[int], keys: Sequence[str | None]) -> Iterator[pa.RecordBatch]:
    """Yield the keys in batches of these sizes, each row with its number."""
    row = 0
    for size in sizes:
        some = keys[row : row + size]
        if some:
            numbers = range(row, row + len(some))
            yield pa.RecordBatch.from_pydict({"key": pa.array(some, pa.string()), "row": pa.array(numbers)})
        row += size


@given(
    keys=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=30),
    size=st.integers(1, 9),
    end=st.one_of(st.none(), st.integers(1, 35)),
)
def test_batches_hold_whole_groups_whatever_the_sizes(keys: list[str | None], size: int, end: int | None) -> None:
    """Against a plain computation: no row lost, no group in two batches, and the same reasons for any batch size."""
    found = list(whole_groups(batches_of([size] * len(keys), keys), lambda batch: batch["key"], "key", end))
    expected: list[str | None] = []
    runs = [(key, len(list(some))) for key, some in groupby(keys)]
    for at, (key, count) in enumerate(runs):
        if end is not None and len(expected) >= end:
            break
        code: str | None
        before = runs[at - 1][0] if at else key
        after = runs[at + 1][0] if at + 1 < len(runs) else key
        if key is None or before is None:
            code = "group_invalid"
        elif key in [earlier for earlier, _ in runs[:at]]:
            code = "group_split"
        else:
            code = "group_invalid" if after is None else None
        expected += [code] * count
    rows = [row for batch in found for row in batch["row"].to_pylist()]
    assert rows == list(range(len(expected)))
    codes = [code["code"] for batch in found for code in batch[GROUP_COLUMN].to_pylist()]
    if end is None:
        assert codes == expected
    numbers = [sorted({one["number"] for one in batch[GROUP_COLUMN].to_pylist()}) for batch in found]
    assert all(first[-1] < then[0] for first, then in pairwise(numbers))


def test_a_group_across_batches_of_other_types_keeps_each_value(sandbox: Sandbox, tmp_path: Path) -> None:
    """JSON lines: a group whose rows are in two batches, with a number in one and text, or nothing, in the other."""
    path = tmp_path / "orders.jsonl"
    rows = [{"order": f"o{at}", "customer": "c", "item": at} for at in range(4095)]
    rows[0]["more"] = {"x": 0}
    rows += [{"order": "last", "customer": "c", "item": 7}, {"order": "last", "item": "seven", "more": {"x": 1}}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    written: MappingDict = {
        **ORDERS,
        "traits": {"Order": "order", "Items": {"column": "item", "collect": True}, "X": "more.x"},
    }
    result = load_events(path, written, **to(sandbox, workers=64))
    assert result.ok
    assert traits(sandbox)["last"] == {"Order": "last", "Items": [7, "seven"], "X": 1}


def test_groups_go_on_from_file_to_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """An order whose rows are in two files of one export is one event; each line has its own file."""
    for name, rows in (("a.csv", TWO[:1]), ("b.csv", TWO[1:])):
        table(rows).to_csv(tmp_path / name, index=False)
    result = load_events([tmp_path / "a.csv", tmp_path / "b.csv"], ORDERS, **to(sandbox))
    assert lines(result) == [("sent", None), ("merged", "grouped"), ("sent", None)]
    assert [Path(name).name for name in result.to_arrow()["source"].to_pylist()] == ["a.csv", "b.csv", "b.csv"]


TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(['"x"', '"y"', "1"])), min_size=1, max_size=20)


@given(texts=TEXTS, data=st.data())
def test_common_and_listed_values_are_those_of_the_rows(texts: list[str | None], data: st.DataObject) -> None:
    """Against a plain computation, for any division into groups."""
    borders = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    numbers = [sum(borders[1 : at + 1]) + 7 for at in range(len(texts))]
    groups = Groups(pa.array(numbers))
    by_group = [
        [(row, texts[row]) for row in range(len(texts)) if numbers[row] == number] for number in dict.fromkeys(numbers)
    ]
    present = [[(row, text) for row, text in some if text is not None] for some in by_group]
    common, conflicts = groups.common(pa.array(texts, pa.string()))
    assert common.to_pylist() == [some[0][1] if some else None for some in present]
    assert conflicts == [(some[0][0], row) for some in present for row, text in some if text != some[0][1]]
    lists = groups.lists(pa.array(texts, pa.string())).to_pylist()
    assert lists == [f"[{','.join(str(text) for _, text in some)}]" if some else None for some in present]


def test_prepared_rows_without_groups_have_no_carrier() -> None:
    """The column of carriers is empty for all other mappings."""
    (batch,) = open_source(table(TWO[:1])).batches()
    written: MappingDict = {"user_id": "customer", "event": {"value": "E"}}
    assert Preparation(Mapping.of(written), "event", Settings())(batch, 0)["carrier"].to_pylist() == [None]
