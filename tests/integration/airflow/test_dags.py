"""Loads as tasks of a real Airflow, run by `dag.test()` against the sandbox."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from interakt_loader.sandbox import Sandbox
from tests.integration.airflow.conftest import DAGS, connect
from tests.integration.airflow.running import Ran, run


def write(path: Path, users: list[str | None]) -> str:
    pd.DataFrame({"user": users, "city": "Pune"}).to_parquet(path)
    return str(path)


def only(ran: dict[str, list[Ran]]) -> Ran:
    ((one,),) = ran.values()
    return one


def test_a_load_succeeds(connected: Sandbox, tmp_path: Path) -> None:
    """Every row is sent; XCom carries a plain dict; report and ledger lie beside the file."""
    source = write(tmp_path / "customers.parquet", ["u1", "u2", "u3"])
    state, tries, xcom = only(run(DAGS, "users", source=source))
    assert (state, tries) == ("success", 1)
    assert xcom["status"]["sent"] == xcom["rows"] == 3
    assert xcom["report"] == str(tmp_path / "customers.report.csv")
    assert xcom["ledger"] == str(tmp_path / "customers.ledger")
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "customers.ledger",
        "customers.parquet",
        "customers.report.csv",
    ]
    assert {one.user_id for one in connected.users()} == {"u1", "u2", "u3"}
