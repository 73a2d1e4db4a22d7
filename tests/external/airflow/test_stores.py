"""Files in object stores: `ObjectStoragePath`, opened with the connection that it has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from interakt_loader.sandbox import Sandbox
from tests.external.airflow.conftest import DAGS
from tests.external.airflow.running import Ran, run

MAPPING = yaml.safe_dump({"user_id": "user", "traits": ["city"]})


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A store in memory that only the connection `the_store` opens: without it, its files are not there."""
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    class Behind(MemoryFileSystem):
        """Has files of its own."""

        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]
        cachable = False

    monkeypatch.setenv("AIRFLOW_CONN_THE_STORE", json.dumps({"conn_type": "generic", "password": "store-secret"}))
    files = Behind()
    # the DAG file may have attached it already
    attach("memory", "the_store").fs = files
    for name in "ab":
        files.pipe(f"/bucket/{name}.csv", f"user,city\n{name}1,Pune\n{name}2,Goa\n".encode())
    files.pipe("/bucket/mapping.yaml", MAPPING.encode())
    yield files
    Behind.store.clear()


def only(ran: dict[str, list[Ran]]) -> Ran:
    ((one,),) = ran.values()
    return one


def test_a_file_of_this_machine_has_report_and_ledger_beside_it(connected: Sandbox, tmp_path: Path) -> None:
    """`file://` is a path like any other, of the source and of the mapping."""
    (tmp_path / "a.csv").write_text("user,city\nu1,Pune\n", encoding="utf-8")
    (tmp_path / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    ((state, _, xcom),) = run(DAGS, "local_store", folder=str(tmp_path))["load"]
    assert (state, xcom["report"], xcom["ledger"]) == (
        "success",
        str(tmp_path / "a.report.csv"),
        str(tmp_path / "a.ledger"),
    )
    assert connected.stats().users == 1


@pytest.mark.usefixtures("store")
def test_files_and_a_mapping_are_opened_with_the_connection_of_their_path(connected: Sandbox, tmp_path: Path) -> None:
    """A list of them is one load, whose report is in a folder of this machine."""
    state, _, xcom = only(run(DAGS, "store_of_a_connection", folder=str(tmp_path)))
    assert (state, xcom["rows"]) == ("success", 4)
    assert Path(xcom["report"]).parent == tmp_path
    assert {one.user_id for one in connected.users()} == {"a1", "a2", "b1", "b2"}


@pytest.mark.usefixtures("store")
def test_mapped_tasks_load_a_path_each(connected: Sandbox, tmp_path: Path) -> None:
    """The paths come from another task; each has its own report."""
    ran = run(DAGS, "mapped_stores", folder=str(tmp_path))["load"]
    assert [(one.state, one.xcom["rows"]) for one in ran] == [("success", 2)] * 2
    assert len({one.xcom["report"] for one in ran}) == 2
    assert connected.stats().users == 4


@pytest.mark.usefixtures("store")
def test_a_callable_takes_them_too(connected: Sandbox, tmp_path: Path) -> None:
    assert only(run(DAGS, "store_by_callable", folder=str(tmp_path))).xcom["rows"] == 2
    assert connected.stats().users == 2


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("dag_id", "line"),
    [
        ("store_without_a_place", "report: give a path, or a folder that ends in /: the source is at an address"),
        ("report_in_a_store", "report: is at an address; expected a path on this machine"),
    ],
)
def test_a_report_is_on_this_machine(
    connected: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], dag_id: str, line: str
) -> None:
    """In one line, and no call is made."""
    assert only(run(DAGS, dag_id, source=str(tmp_path / "a.csv"))) == Ran("failed", 1, None)
    assert line in capsys.readouterr().out
    assert connected.stats().calls == 0
