"""Several files as one table: each has the mapped columns, or nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interakt_loader import MappingDict, UsageError, load_events, load_users
from interakt_loader.sandbox import Sandbox

A = "customer_id,name\nC1,Asha\nC2,Bob\n"


def written(folder: Path, files: dict[str, str]) -> list[str]:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [str(folder / name) for name in files]


@pytest.mark.parametrize(
    ("files", "odd"),
    [
        ({"a.csv": A, "b.csv": "C3,Cy\n"}, "b.csv"),
        ({"a.csv": A, "b.csv": "Zed,Cy\nYan,Di\nWim,Ed\n"}, "b.csv"),
        ({"a.csv": "C3,Cy\n", "b.csv": A}, "a.csv"),  # the first may be the odd one
        ({"a.csv": A, "b.csv": "3,9876543210\n4,9876543211\n"}, "b.csv"),  # plainly values
        ({"a.csv": A, "b.csv": A, "c.csv": "Customer_ID,name\nC4,Di\n"}, "c.csv"),
        ({"a.csv": A, "b.csv": "name\nCy\n"}, "b.csv"),
        ({"a.csv": A, "b.csv": "customer_id,customer_id,name\nC3,C3,Cy\n"}, "two|more than one"),
        ({"a.csv": A, "b.jsonl": '{"name": "Cy"}\n'}, "b.jsonl"),
        ({"a.csv": A, "b.csv": ""}, r"b\.csv: the file is empty"),
        ({"a.csv": A, "b.csv": "\n\n"}, r"b\.csv: the file has no header"),
    ],
)
@pytest.mark.parametrize("form", ["list", "folder", "pattern"])
def test_a_file_without_the_mapped_columns_is_refused_by_name(
    form: str, files: dict[str, str], odd: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    """Before anything is sent: its first row may be a row, and must not be lost."""
    paths = written(tmp_path, files)
    data: Any = {"list": paths, "folder": str(tmp_path), "pattern": str(tmp_path / "*.*")}[form]
    if form == "folder" and "b.jsonl" in files:
        odd = "the folder holds files of several formats"
    with pytest.raises(UsageError, match=odd):
        load_users(data, {"user_id": "customer_id"}, api_key=sandbox.api_key, base_url=sandbox.url)
    assert sandbox.stats().calls == 0


def test_the_message_says_what_is_lacking_and_what_is_there(tmp_path: Path, sandbox: Sandbox) -> None:
    """A name that differs in case is pointed at."""
    paths = written(tmp_path, {"a.csv": A, "b.csv": "Customer_id,name\nC3,Cy\n"})
    with pytest.raises(UsageError) as refused:
        load_users(paths, {"user_id": "customer_id"}, api_key=sandbox.api_key, base_url=sandbox.url)
    assert str(refused.value) == (
        f"{paths[1]}: lacks 'customer_id', which the mapping names; did you mean 'Customer_id'?; the columns by its "
        "first row: Customer_id, name. Every file needs a header with the names that are mapped"
    )


@pytest.mark.parametrize(
    "second",
    [
        "name,customer_id\nCy,C3\n",
        " customer_id ,name\nC3,Cy\n",
        "customer_id,name,city\nC3,Cy,Pune\n",
        "\ufeffcustomer_id;name\nC3;Cy\n",
        "sep=;\ncustomer_id;name\nC3;Cy\n",
    ],
)
def test_files_may_differ_in_all_that_does_not_matter(second: str, tmp_path: Path, sandbox: Sandbox) -> None:
    """The columns' order, white space around names, delimiters, columns that only one file has."""
    paths = written(tmp_path, {"a.csv": A, "b.csv": second})
    mapping: MappingDict = {"user_id": "customer_id", "traits": ["name"]}
    result = load_users(paths, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    assert (result.sent, result.rows) == (3, 3)
    assert {user.user_id: user.traits["name"] for user in sandbox.users()} == {"C1": "Asha", "C2": "Bob", "C3": "Cy"}


def test_parquet_files_are_held_to_the_mapping_too(tmp_path: Path, sandbox: Sandbox) -> None:
    """A part that lacks a mapped trait would be sent without it, and nobody would know."""
    pq.write_table(pa.table({"id": ["1"], "city": ["Pune"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": ["2"]}), tmp_path / "b.parquet")
    with pytest.raises(UsageError, match=r"b\.parquet: lacks 'city'"):
        load_users(str(tmp_path), {"user_id": "id", "traits": ["city"]}, api_key=sandbox.api_key, base_url=sandbox.url)
    assert sandbox.stats().calls == 0


def test_json_lines_may_lack_what_a_call_can_do_without(tmp_path: Path, sandbox: Sandbox) -> None:
    """A key that is absent is a null; without any identity, or without the event, the file is another one."""
    paths = written(tmp_path, {"a.jsonl": '{"id": "1", "ev": "E", "n": 5}\n', "b.jsonl": '{"id": "2", "ev": "F"}\n'})
    mapping: MappingDict = {"user_id": "id", "event": "ev", "traits": ["n"]}
    assert load_events(paths, mapping, api_key=sandbox.api_key, base_url=sandbox.url).sent == 2
    (tmp_path / "b.jsonl").write_text('{"id": "2"}\n')
    with pytest.raises(UsageError, match=r"b\.jsonl: lacks 'ev'"):
        load_events(paths, mapping, api_key=sandbox.api_key, base_url=sandbox.url)


@pytest.mark.parametrize(
    ("mapping", "sent"), [({"traits": ["name"]}, True), ({"traits": ["note"]}, False), ({"traits": "*"}, False)]
)
def test_two_columns_of_one_name_matter_only_to_who_wants_them(
    mapping: MappingDict, sent: bool, tmp_path: Path, sandbox: Sandbox
) -> None:
    """Neither is guessed at."""
    (path,) = written(tmp_path, {"a.csv": "id,name,note,note\n1,Ann,x,y\n"})
    if sent:
        result = load_users(path, {"user_id": "id", **mapping}, api_key=sandbox.api_key, base_url=sandbox.url)
        assert (result.sent, sandbox.users()[0].traits) == (1, {"name": "Ann"})
        return
    with pytest.raises(UsageError, match="more than one column is called note"):
        load_users(path, {"user_id": "id", **mapping}, api_key=sandbox.api_key, base_url=sandbox.url)
