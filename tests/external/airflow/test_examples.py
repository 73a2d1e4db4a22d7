"""The example DAGs that are shipped in the package."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest

from interakt_loader.sandbox import Sandbox
from tests.external.airflow.conftest import EXAMPLES
from tests.external.airflow.running import NO_DATE, dag_bag, run


def test_they_load_without_errors() -> None:
    """Airflow finds both, and nothing wrong with them."""
    bag = dag_bag(EXAMPLES)
    assert bag.import_errors == {}
    assert set(bag.dags) == {"interakt_daily_customers", "interakt_orders_by_file"}


@pytest.mark.parametrize("name", ["daily_customers", "orders_by_file"])
def test_parsing_them_is_light(name: str) -> None:
    """A scheduler parses DAG files all the time: no table library comes in, nor anything that makes calls."""
    code = (
        f"import airflow.sdk, sys; airflow.sdk.DAG, airflow.sdk.BaseOperator; before = set(sys.modules)\n"
        f"import interakt_loader.integrations.airflow.example_dags.{name}\n"
        "print({'pandas', 'pyarrow', 'numpy', 'tqdm', 'phonenumbers', 'interakt_loader.load', "
        "'interakt_loader.transport'} & (set(sys.modules) - before), 'pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1:] == ["set() False"], done.stdout + done.stderr


@pytest.mark.parametrize("name", ["InteraktHook", "InteraktLoadOperator"])
def test_an_import_of_each_class_is_light(name: str) -> None:
    """A DAG file may import the hook, too."""
    code = (
        "import airflow.sdk, sys; airflow.sdk.DAG, airflow.sdk.BaseOperator, airflow.sdk.BaseHook\n"
        f"before = set(sys.modules); from interakt_loader.integrations.airflow import {name}\n"
        "print({'pandas', 'pyarrow', 'numpy', 'openlineage', 'interakt_loader.sources', 'interakt_loader.client'}"
        " & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1:] == ["set()"], done.stdout + done.stderr


def customers(folder: Path, day: str, cities: dict[str, str]) -> None:
    frame = pd.DataFrame({"customer_id": list(cities), "name": list(cities.values()), "mobile": "98765 43210"})
    frame["mobile"] = [f"98765 4321{number}" for number in range(len(frame))]
    frame["email"], frame["signed_up"] = "a@example.com", "2024-01-31"
    frame.to_csv(folder / f"customers-{day}.csv", index=False)


def test_the_daily_load_sends_what_has_changed_since_yesterday(connected: Sandbox, tmp_path: Path) -> None:
    """Each run loads the file of its own day; the ledger is one for all days."""
    customers(tmp_path, "2030-01-01", {"c1": "Asha", "c2": "Bob"})
    customers(tmp_path, "2030-01-02", {"c1": "Asha", "c2": "Rob", "c3": "Chitra"})
    for day in ("2030-01-01", "2030-01-02"):
        ((one,),) = run(EXAMPLES, "interakt_daily_customers", day=day, folder=str(tmp_path)).values()
        assert one.state == "success"
    assert (one.xcom["status"]["unchanged"], one.xcom["status"]["sent"]) == (1, 2)
    assert connected.stats().calls == 4


def test_a_run_without_a_date_loads_the_file_of_the_day_on_which_it_runs(connected: Sandbox, tmp_path: Path) -> None:
    """Somebody triggers it by hand: such a run has no `ds`."""
    for day in today_and_tomorrow():
        customers(tmp_path, day, {"c1": "Asha"})
    ((one,),) = run(EXAMPLES, "interakt_daily_customers", day=NO_DATE, folder=str(tmp_path)).values()
    assert (one.state, one.xcom["status"]["sent"], connected.stats().calls) == ("success", 1, 1)


def today_and_tomorrow() -> list[str]:
    """Return both dates: midnight may come during a test."""
    now = datetime.now(timezone.utc)
    return [f"{now:%Y-%m-%d}", f"{now + timedelta(days=1):%Y-%m-%d}"]


def test_the_fan_out_makes_a_task_for_each_file(connected: Sandbox, tmp_path: Path) -> None:
    """Three files, three tasks, one shared clock, and the sum of what came of them."""
    for number in range(3):
        frame = pd.DataFrame({"customer_id": [f"c{row}" for row in range(4)], "amount": [number] * 4})
        frame["ordered_at"] = pd.Timestamp("2025-01-01T10:00:00Z")
        frame.to_parquet(tmp_path / f"orders-{number}.parquet")
    ran = run(EXAMPLES, "interakt_orders_by_file", folder=str(tmp_path), rate_limit="100/s")
    assert [one.state for one in ran["load_orders"]] == ["success"] * 3
    (total,) = ran["total"]
    assert total.xcom == {"rows": 12, "sent": 12}
    assert (tmp_path / "rate.db").exists()
    assert len(connected.events()) == connected.stats().calls == 12
