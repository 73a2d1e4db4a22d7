"""Runs of several days under a real scheduler: with and without a date, and two at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from interakt_loader.sandbox import SandboxProcess
from tests.external.airflow.live.processes import LiveAirflow, wait_until
from tests.external.airflow.test_dags import numbered, write
from tests.external.airflow.test_examples import customers, today_and_tomorrow

EXAMPLE = "/dags/interakt_daily_customers"


def test_runs_with_and_without_a_date_load_the_file_of_their_day(live: LiveAirflow, tmp_path: Path) -> None:
    """The example, as the scheduler starts it for a day, and as somebody triggers it."""
    wait_until(lambda: live.ask("PATCH", EXAMPLE, {"is_paused": False}), "the example is known")
    (own,) = wait_until(lambda: live.ask("GET", f"{EXAMPLE}/dagRuns")["dag_runs"], "the scheduler starts the last day")
    # its folder is not there, and one run at a time may be active
    assert own["run_type"] == "scheduled"
    live.ask("PATCH", f"{EXAMPLE}/dagRuns/{own['dag_run_id']}", {"state": "failed"})
    customers(tmp_path, "2025-01-01", {"c1": "Asha"})
    for day in today_and_tomorrow():
        customers(tmp_path, day, {"c1": "Asha", "c2": "Ben"})
    dated = live.trigger("interakt_daily_customers", day="2025-01-01", folder=str(tmp_path))
    assert live.ended(dated) == "success"
    assert live.xcom(dated, "load_customers")["status"]["sent"] == 1
    undated = live.trigger("interakt_daily_customers", folder=str(tmp_path))
    assert live.ended(undated) == "success"
    status = live.xcom(undated, "load_customers")["status"]
    assert (status["unchanged"], status["sent"]) == (1, 1)


@pytest.mark.parametrize(
    ("days", "one_ledger"), [(("2025-02-01", "2025-02-02"), False), (("2025-02-03", "2025-02-04"), True)]
)
def test_two_days_at_once(
    live: LiveAirflow, api: SandboxProcess, tmp_path: Path, days: tuple[str, str], one_ledger: bool
) -> None:
    """Each file has a ledger of its own, so neither run waits for the other. With one ledger for all days, the second
    run gets a line that says so, frees its slot, and is tried again. Nothing is sent twice either way."""
    users = [f"{days[0]} {user}" for user in numbered(300)], [f"{days[1]} {user}" for user in numbered(60)]
    for day, names in zip(days, users, strict=True):
        write(tmp_path / f"visits-{day}.parquet", [*names])
    ledger = str(tmp_path / "all.ledger") if one_ledger else ""
    runs = [live.trigger("visits_of_a_day", day=day, folder=str(tmp_path), ledger=ledger) for day in days]
    assert [live.ended(run) for run in runs] == ["success", "success"]
    tries = [live.ask("GET", f"{run}/taskInstances/load")["try_number"] for run in runs]
    sent = [str(one.user_id) for one in api.events(limit=1000)]
    if one_ledger:
        late = runs[tries.index(max(tries))]
        assert "is in use by another load" in live.log(late, "load").read_text()
    else:
        assert tries == [1, 1]
        # the smaller load was made within the other
        assert {day for day in days if any(one.startswith(day) for one in sent[100:200])} == {*days}
    assert api.stats().calls == 360
    assert Counter(sent) == Counter([*users[0], *users[1]])
