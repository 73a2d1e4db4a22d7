"""`pull` writes the account as a table: every contact once, each trait with one type, in memory of one size."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader import LoadStopped, MappingDict, UsageError, load_users, pull
from interakt_loader.cli import run
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from tests.account.reading import START, all_ids, environment, fill, ids, pulled

OWN = ["id", "user_id", "country_code", "phone", "created_at", "modified_at", "tags"]


@pytest.fixture
def account() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.set_clock(START)
        yield sandbox


def table(sandbox: Sandbox, folder: Path, **options: Any) -> pa.Table:
    return pq.read_table(pulled(sandbox, folder / "out.parquet", **options).path)


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a CSV file or of JSON lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return [*csv.DictReader(io.StringIO(text))]
    return [json.loads(line) for line in text.splitlines()]


def test_the_columns_are_those_of_a_contact_and_its_traits(account: Sandbox, tmp_path: Path) -> None:
    """The account's own first, and then the traits by name, each with the type of its values."""
    own_id = account.put(
        user_id="C-1",
        country_code="+91",
        phone="9876543210",
        tags=["vip", "diwali"],
        traits={"whole": 1, "fraction": 0.5, "yes": True, "text": "é", "list": ["a", 1], "object": {"a": [1]}},
    )
    account.put(user_id="C-2", traits={"whole": -(2**62), "fraction": 1, "none": None})
    found = table(account, tmp_path)
    assert {one.name: str(one.type) for one in found.schema} == dict.fromkeys(OWN[:4], "string") | {
        "created_at": "timestamp[us, tz=UTC]",
        "modified_at": "timestamp[us, tz=UTC]",
        "tags": "list<element: string>",
        "fraction": "double",
        "list": "list<element: string>",
        "object": "string",
        "text": "string",
        "whole": "int64",
        "yes": "bool",
    }
    first = next(one for one in found.to_pylist() if one["user_id"] == "C-1")
    at = dt.datetime.fromtimestamp(START, dt.timezone.utc)
    assert first == {
        "id": own_id,
        "user_id": "C-1",
        "country_code": "+91",
        "phone": "9876543210",
        "created_at": at,
        "modified_at": at,
        "tags": ["vip", "diwali"],
        "fraction": 0.5,
        "list": ["a", "1"],
        "object": '{"a":[1]}',
        "text": "é",
        "whole": 1,
        "yes": True,
    }


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_text_files_have_the_same(account: Sandbox, tmp_path: Path, ending: str) -> None:
    """Lists are JSON in CSV, times have a `Z`, and what is missing is empty or left out."""
    account.put(user_id="C-1", tags=["vip"], traits={"n": 1, "yes": True, "list": ["a", "b"], "अ": "आशा\n😀"})
    found = rows(pulled(account, tmp_path / f"out{ending}").path)
    (one,) = found
    del one["id"]
    assert one == (
        {
            "user_id": "C-1",
            "country_code": "",
            "phone": "",
            "created_at": "2023-11-14T22:13:20.000Z",
            "modified_at": "2023-11-14T22:13:20.000Z",
            "tags": '["vip"]',
            "list": '["a","b"]',
            "n": "1",
            "yes": "true",
            "अ": "आशा\\x0a😀",
        }
        if ending == ".csv"
        else {
            "user_id": "C-1",
            "created_at": "2023-11-14T22:13:20.000Z",
            "modified_at": "2023-11-14T22:13:20.000Z",
            "tags": ["vip"],
            "list": ["a", "b"],
            "n": 1,
            "yes": True,
            "अ": "आशा\n😀",
        }
    )


@pytest.mark.parametrize(
    ("values", "written", "why"),
    [
        ([1, "x"], ["1", "x"], "has values of several types (number, text), so it is text"),
        ([True, 2], ["true", "2"], "has values of several types (boolean, number), so it is text"),
        ([["a"], "b"], ['["a"]', "b"], "has values of several types (list, text), so it is text"),
        ([{"a": 1}, 0.5], ['{"a":1}', "0.5"], "has values of several types (number, object), so it is text"),
        ([2**64, 1], [str(2**64), "1"], "has numbers that are too long for a column of numbers, so it is text"),
        ([2**53 + 1, 0.5], [str(2**53 + 1), "0.5"], "too long for a column of numbers"),
        ([10**400], [str(10**400)], "too long for a column of numbers"),
    ],
)
def test_a_trait_of_several_types_is_text_and_that_is_said(
    account: Sandbox, tmp_path: Path, values: list[Any], written: list[str], why: str
) -> None:
    """Nothing is rounded, and nothing left out."""
    for number, value in enumerate(values):
        account.put(user_id=f"C-{number}", traits={"a": value})
    result = pulled(account, tmp_path / "out.parquet")
    assert sorted(pq.read_table(result.path)["a"].to_pylist()) == sorted(written)
    assert result.columns == {"a": "text"}
    (note,) = result.notes
    assert note.startswith("a: ")
    assert why in note


def test_whole_numbers_of_64_bits_stay_exact(account: Sandbox, tmp_path: Path) -> None:
    for number, value in enumerate((2**63 - 1, -(2**63), 2**53 + 1)):
        account.put(user_id=f"C-{number}", traits={"a": value})
    found = table(account, tmp_path)
    assert sorted(found["a"].to_pylist()) == [-(2**63), 2**53 + 1, 2**63 - 1]


def test_a_spreadsheet_runs_nothing(account: Sandbox, tmp_path: Path) -> None:
    """Neither a value nor a trait's name is a formula."""
    account.put(user_id="=1+1", tags=["=2"], traits={"=HYPERLINK(1)": "@x", "n": -5, "s": "-5", "-1+1": ["=3"]})
    text = pulled(account, tmp_path / "out.csv").path.read_text()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert [cell for cell in cells if re.match(r"[=@]|[+-](?!\d+$)", cell)] == []
    assert {"'=1+1", "'=HYPERLINK(1)", "'@x", "'-1+1", '["=3"]', "-5"} <= set(cells)


def test_a_trait_may_have_the_name_of_a_column(account: Sandbox, tmp_path: Path) -> None:
    """It gets another one, and nothing is overwritten."""
    account.put(user_id="C-1", traits={"id": 7, "id (trait)": 8, "tags": "x", "": "y", "other_traits": 9})
    (row,) = table(account, tmp_path).to_pylist()
    assert row["user_id"] == "C-1"
    assert row["id"] != 7
    assert (row["id (trait)"], row["id (trait) (trait)"], row["tags"], row["tags (trait)"]) == (7, 8, [], "x")
    assert (row[""], row["other_traits (trait)"]) == ("y", 9)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_an_account_without_contacts_is_an_empty_table(account: Sandbox, tmp_path: Path, ending: str) -> None:
    """With the columns of each contact."""
    result = pulled(account, tmp_path / f"out{ending}")
    assert (result.ok, result.contacts, result.columns) == (True, 0, {})
    if ending == ".parquet":
        assert pq.read_table(result.path).column_names == OWN
    else:
        header = ",".join(f'"{one}"' for one in OWN) + "\n"
        assert result.path.read_text() == (header if ending == ".csv" else "")


@pytest.mark.parametrize("count", [2000, 2001])
def test_more_than_2000_traits_are_together_in_one_column(account: Sandbox, tmp_path: Path, count: int) -> None:
    """None is lost; exactly 2,000 need no such column."""
    account.put(user_id="C-1", traits={f"t{number}": number for number in range(count)})
    result = pulled(account, tmp_path / "out.parquet")
    (row,) = pq.read_table(result.path).to_pylist()
    others = row.pop("other_traits", None)
    assert len(row) == len(OWN) + 2000
    assert others == (None if count == 2000 else '{"t2000":2000}')
    assert result.notes == ([] if count == 2000 else ["other_traits: has all but 2,000 traits, as JSON"])


@pytest.mark.parametrize(
    "since",
    [
        "2023-11-14T22:13:21Z",
        "2023-11-14T22:13:20.0005Z",
        "2023-11-14 22:13:20.001",
        dt.datetime(2023, 11, 15, 3, 43, 21, tzinfo=dt.timezone(dt.timedelta(hours=5.5))),
        dt.datetime(2023, 11, 14, 22, 13, 21),
    ],
)
def test_since_leaves_out_what_was_not_modified_since(account: Sandbox, tmp_path: Path, since: Any) -> None:
    """The time itself belongs to it."""
    account.put(user_id="before")
    account.advance(1)
    account.put(user_id="at")
    account.advance(1)
    account.put(user_id="after")
    assert ids(pulled(account, tmp_path / "out.parquet", since=since).path) == ["after", "at"]


def test_since_may_be_a_day_or_lie_ahead(account: Sandbox, tmp_path: Path) -> None:
    account.put(user_id="C-1")
    assert table(account, tmp_path, since="2023-11-14").num_rows == 1
    assert table(account, tmp_path, since="2023-11-15").num_rows == 0
    assert table(account, tmp_path, since="2999-01-01").num_rows == 0


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("out.txt", {}, "expected a name that ends in .parquet, .csv, .jsonl"),
        ("nowhere/out.csv", {}, "expected a file in a folder that exists"),
        ("out.csv", {"since": "yesterday"}, "since is 'yesterday'; expected a time in UTC"),
        ("out.csv", {"since": "2023-11-14T22:13:20+05:30"}, "expected a time in UTC"),
        ("out.csv", {"limit": 10}, "limit is no option of pull"),
        ("out.csv", {"dry_run": True}, "dry_run is no option of pull"),
        ("out.csv", {"rate_limits": "1/s"}, "there is no option 'rate_limits'; did you mean 'rate_limit'"),
        ("out.csv", {"share": "sqlite:///x"}, "share needs a declared limit"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_call(
    account: Sandbox, tmp_path: Path, name: str, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        pulled(account, tmp_path / name, **options)
    assert (account.stats().reads, [*tmp_path.iterdir()]) == (0, [])


READ_OPTIONS: list[dict[str, Any]] = [
    {"read_types": "text"},
    {"read_traits": "list"},
    {"read_missing": "absent"},
    {"read_extra": True},
    {"read_times": "us"},
    {"read_times": "short"},
    {"read_order": "modified"},
    {"read_order": "random"},
    {"read_events_modify": True},
    {"read_id": "id"},
    {"read_404": "empty"},
    {"read_limit": "apart"},
    {"read_types": "text", "read_traits": "list", "read_missing": "absent", "read_extra": True, "read_times": "short"},
]


@pytest.mark.parametrize("options", READ_OPTIONS, ids=str)
def test_whatever_the_api_does_every_contact_is_there(options: dict[str, Any], tmp_path: Path) -> None:
    """The sandbox says what a reader should find, under each assumption."""
    with Sandbox(SandboxOptions(**options)) as sandbox:
        fill(sandbox, 500)
        sandbox.put(country_code="+91", phone="9876543210", traits={"city": "Pune"})
        sandbox.put(user_id="now", tags=["x"])
        result = pulled(sandbox, tmp_path / "out.parquet")
        found = {one["id"]: one for one in pq.read_table(result.path).to_pylist()}
        expected = sandbox.contacts()
    assert (result.ok, result.contacts, len(found)) == (True, 502, 502)
    for contact in expected:
        row = found[contact["id"]]
        traits = contact["traits"]
        if isinstance(traits, list):
            traits = {one["name"]: one["value"] for one in traits}
        assert {name: row[name] for name in traits} == traits
        assert (row["user_id"], row["phone"]) == (contact.get("user_id"), contact.get("phone_number"))
        assert row["tags"] == contact["tags"]
        assert row["modified_at"].isoformat(timespec="milliseconds")[:23] == contact["modified_at_utc"][:23]


def test_a_change_that_cannot_be_read_yet_is_not_there(tmp_path: Path) -> None:
    """`read_delay`: the account is what the API shows."""
    with Sandbox(SandboxOptions(read_delay=60)) as sandbox:
        sandbox.set_clock(START)
        sandbox.put(user_id="C-1")
        sandbox.advance(60)
        sandbox.put(user_id="C-2")
        assert ids(pulled(sandbox, tmp_path / "out.parquet").path) == ["C-1"]


@pytest.mark.parametrize("order", ["created", "modified", "random"])
@pytest.mark.parametrize("times", ["ms", "us", "short"])
def test_an_account_that_changes_at_each_call_is_read_whole(order: Any, times: Any, tmp_path: Path) -> None:
    """Contacts are created, changed and deleted meanwhile: those that stay are there, once, or it says what is not."""
    with Sandbox(SandboxOptions(read_order=order, read_times=times)) as sandbox:
        fill(sandbox, 3_000)
        sandbox.set_clock(time.time())
        counted = itertools.count()

        def change(_: Any) -> None:
            number = next(counted)
            sandbox.advance(0.2)
            sandbox.put(user_id=f"new-{number}")
            sandbox.change(f"C-{number * 37 % 2_000}", seen=number)
            if number % 3 == 0:
                sandbox.delete(f"C-{2_999 - number // 3}")

        sandbox.on_read(change)
        result = pulled(sandbox, tmp_path / "out.parquet")
        sandbox.on_read(None)
        there = {contact["user_id"] for contact in sandbox.contacts()}
    found = ids(result.path)
    assert len(found) == len(set(found))
    missing = {one for one in there if one.startswith("C-")} - set(found)
    assert not missing or not result.ok


def test_what_is_incomplete_is_said(account: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and the time of what may be missing."""
    fill(account, 1_000)
    account.set_clock(time.time())
    counted = itertools.count()
    account.on_read(lambda _: account.change(f"C-{next(counted)}", seen=True))
    flags = ["--base-url", account.url, "--api-key-file", str(tmp_path / "key")]
    (tmp_path / "key").write_text(account.api_key)
    (tmp_path / "key").chmod(0o600)
    path = str(tmp_path / "out.csv")
    assert run(["pull", path, *flags]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("incomplete: some contacts modified since ") for line in lines)
    assert lines[-1] == "to do: pull again when fewer contacts change"
    account.on_read(None)
    assert run(["pull", path, *flags, "--output", "json", "-q"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result.keys() == {"path", "contacts", "columns", "incomplete", "calls", "seconds", "notes", "exit"}
    assert (result["contacts"], result["incomplete"], result["exit"]) == (1_000, [], 0)


def test_what_was_loaded_comes_back(account: Sandbox, tmp_path: Path) -> None:
    """From a load to the table, through the API alone."""
    (tmp_path / "users.csv").write_text("id,phone,city,visits\nC-1,9876543210,Pune,3\nC-2,9876543211,,4\n")
    mapping: MappingDict = {
        "user_id": "id",
        "phone": "phone",
        "traits": ["city", {"column": "visits", "type": "number"}],
    }
    options: Any = {"api_key": account.api_key, "base_url": account.url}
    assert load_users(tmp_path / "users.csv", mapping, **options).ok
    found = table(account, tmp_path).sort_by("user_id").select(["user_id", "country_code", "phone", "city", "visits"])
    assert found.to_pylist() == [
        {"user_id": "C-1", "country_code": "+91", "phone": "9876543210", "city": "Pune", "visits": 3},
        {"user_id": "C-2", "country_code": "+91", "phone": "9876543211", "city": None, "visits": 4},
    ]


def test_the_old_file_stays_until_the_new_one_is_complete(account: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("of yesterday")
    account.set_faults("401=100%")
    with pytest.raises(LoadStopped):
        pulled(account, path)
    assert path.read_text() == "of yesterday"
    account.set_faults("")
    assert pulled(account, path).path.read_text().startswith('"id"')


def test_a_sandbox_of_another_process_is_read(tmp_path: Path) -> None:
    with SandboxProcess() as sandbox:
        fill(sandbox, 200)
        pull(tmp_path / "out.parquet", api_key=sandbox.api_key, base_url=sandbox.url)
    assert ids(tmp_path / "out.parquet") == all_ids(200)


PEAK = """
import resource, sys
from interakt_loader import pull
result = pull(sys.argv[1], rate_limit=None, progress=False)
assert result.ok, result
print(result.contacts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(count: int, path: Path) -> int:
    """Return the kilobytes that reading so many contacts takes at most."""
    with SandboxProcess() as sandbox:
        sandbox.put_many(
            {"user_id": f"C-{number}", "traits": {"name": f"Person {number}", "n": number}, "modified": START + number}
            for number in range(count)
        )
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path)],
            env=environment(sandbox),
            capture_output=True,
            text=True,
            check=True,
            timeout=110,
        )
    contacts, kilobytes = map(int, done.stdout.split())
    assert contacts == count
    return kilobytes


@pytest.mark.alone
@pytest.mark.parametrize("ending", [".parquet"])
def test_memory_does_not_grow_with_the_account(tmp_path: Path, ending: str) -> None:
    """Ten times as many contacts."""
    small, large = (peak(count, tmp_path / f"out{ending}") for count in (20_000, 200_000))
    assert large < small * 1.3
