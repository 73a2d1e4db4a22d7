"""Loads as tasks of a real Airflow, run by `dag.test()` against the sandbox."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.external.airflow.conftest import DAGS, connect
from tests.external.airflow.running import Ran, run


def write(path: Path, users: list[str | None]) -> str:
    pd.DataFrame({"user": users, "city": "Pune"}).to_parquet(path)
    return str(path)


def numbered(count: int) -> list[str | None]:
    return [f"u{number}" for number in range(count)]


def only(ran: dict[str, list[Ran]]) -> Ran:
    ((one,),) = ran.values()
    return one


def statuses(report: Path) -> Counter[str]:
    with report.open(newline="") as file:
        return Counter(line["status"] for line in csv.DictReader(file))


def test_a_load_succeeds(connected: Sandbox, tmp_path: Path) -> None:
    """Every row is sent; XCom carries a plain dict; report and ledger lie beside the file."""
    source = write(tmp_path / "customers.parquet", ["u1", "u2", "u3"])
    state, tries, xcom = only(run(DAGS, "users", source=source))
    assert (state, tries) == ("success", 1)
    assert xcom["status"]["sent"] == xcom["rows"] == 3
    assert xcom["report"] == str(tmp_path / "customers.report.csv")
    assert xcom["ledger"] == str(tmp_path / "customers.ledger")
    names = sorted(one.name for one in tmp_path.iterdir())
    assert names == ["customers.ledger", "customers.parquet", "customers.report.csv"]
    assert {one.user_id for one in connected.users()} == {"u1", "u2", "u3"}


def test_a_retry_makes_only_the_missing_calls(connected: Sandbox, tmp_path: Path) -> None:
    """One call of twenty is refused in the first try; the second makes this one, and the task succeeds."""
    connected.force_for("u7", ["400"])
    state, tries, xcom = only(run(DAGS, "visits", source=write(tmp_path / "visits.parquet", numbered(20))))
    assert (state, tries) == ("success", 2)
    assert (xcom["status"]["sent"], xcom["status"]["unchanged"]) == (1, 19)
    assert connected.stats().calls == 21
    assert Counter(one.user_id for one in connected.events()) == Counter(numbered(20))


@pytest.mark.parametrize("dag_id", ["visits", "by_callable"])
def test_failed_rows_are_tried_again_and_then_fail_the_task(connected: Sandbox, tmp_path: Path, dag_id: str) -> None:
    """A row without a user fails in both tries; the others are sent once."""
    source = write(tmp_path / "visits.parquet", ["u1", None, "u3"])
    assert only(run(DAGS, dag_id, source=source)) == Ran("failed", 2, None)
    assert connected.stats().calls == 2
    assert statuses(tmp_path / "visits.report.csv") == {"unchanged": 2, "invalid": 1}


def test_failed_rows_can_be_accepted(connected: Sandbox, tmp_path: Path) -> None:
    """With `raise_for_failures=False` the task succeeds, and the counts say what failed."""
    source = write(tmp_path / "visits.parquet", ["u1", None, "u3"])
    state, _, xcom = only(run(DAGS, "visits_accepting_failures", source=source))
    assert state == "success"
    assert (xcom["status"]["sent"], xcom["status"]["invalid"], xcom["exit"]) == (2, 1, 1)


@pytest.mark.parametrize("dag_id", ["visits", "by_callable"])
def test_a_refused_key_is_not_tried_again(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dag_id: str
) -> None:
    """401: the task fails in its first try, though it has another."""
    connect(monkeypatch, sandbox, key="some-other-key")
    assert only(run(DAGS, dag_id, source=write(tmp_path / "a.parquet", numbered(50)))) == Ran("failed", 1, None)
    assert set(sandbox.stats().by_status) == {401}


def test_a_plan_without_the_api_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """403: likewise."""
    with Sandbox(SandboxOptions(plan_without_api=True)) as sandbox:
        connect(monkeypatch, sandbox)
        assert only(run(DAGS, "visits", source=write(tmp_path / "a.parquet", ["u1"]))) == Ran("failed", 1, None)


def test_a_wrong_option_is_not_tried_again(connected: Sandbox, tmp_path: Path) -> None:
    """An option that there is not fails the task at once, before any call."""
    assert only(run(DAGS, "wrong_option", source=write(tmp_path / "a.parquet", ["u1"]))) == Ran("failed", 1, None)
    assert connected.stats().calls == 0


@pytest.mark.parametrize("dag_id", ["options_as_text", "no_event"])
def test_a_template_that_gives_no_options_or_no_event_is_not_tried_again(
    connected: Sandbox, tmp_path: Path, dag_id: str
) -> None:
    """Text in place of a dict, and the `None` of a missing value, which must not be the name of the events."""
    assert only(run(DAGS, dag_id, source=write(tmp_path / "a.parquet", ["u1"]))) == Ran("failed", 1, None)
    assert connected.stats().calls == 0


def test_a_missing_value_for_the_ledger_does_not_turn_it_off(connected: Sandbox, tmp_path: Path) -> None:
    """The second try would send all events again."""
    source = write(tmp_path / "a.parquet", ["u1", None])
    assert only(run(DAGS, "visits_with_missing_values", source=source)) == Ran("failed", 2, None)
    assert connected.stats().calls == 1
    assert (tmp_path / "a.ledger").exists()


def test_a_file_that_is_not_there_is_tried_again(connected: Sandbox, tmp_path: Path) -> None:
    """It may be late."""
    assert only(run(DAGS, "visits", source=str(tmp_path / "late.parquet"))) == Ran("failed", 2, None)


def test_mapped_tasks_that_would_write_one_report_are_refused(connected: Sandbox, tmp_path: Path) -> None:
    """Each would overwrite the other's. They are not tried again, and no call is made."""
    source, report = write(tmp_path / "a.parquet", ["u1"]), str(tmp_path / "report.csv")
    Path(f"{source}.csv").write_text("user,city\nu2,Pune\n", encoding="utf-8")
    assert run(DAGS, "one_report_for_all", source=source, report=report) == {"load": [Ran("failed", 1, None)] * 2}
    assert connected.stats().calls == 0
    (ran,) = run(DAGS, "one_report_for_all", source=source, report=f"{tmp_path}/reports/").values()
    assert [one.state for one in ran] == ["success", "success"]
    assert len(list((tmp_path / "reports").glob("a*-*.report.csv"))) == 2


def test_a_timeout_drains_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls take 0.3 s and the task may take 1 s. The calls in flight are finished and on record, and the other rows
    are unsent. The next run makes only the missing calls."""
    source = write(tmp_path / "visits.parquet", numbered(60))
    with Sandbox(SandboxOptions(latency=0.3)) as sandbox:
        connect(monkeypatch, sandbox)
        assert only(run(DAGS, "visits_in_time", source=source)).state == "failed"
        accepted = sandbox.stats().accepted
        assert statuses(tmp_path / "visits.report.csv") == {"sent": accepted, "unsent": 60 - accepted}
        assert 0 < accepted < 60
        state, _, xcom = only(run(DAGS, "visits", source=source, workers=32))
        assert (state, xcom["status"]["unchanged"]) == ("success", accepted)
        assert sandbox.stats().calls == len(sandbox.events()) == 60


def test_a_table_that_a_task_has_made(connected: Sandbox) -> None:
    """`InteraktHook().load_users(frame, …)` inside of a task."""
    state, _, xcom = only(run(DAGS, "by_hook"))
    assert (state, xcom) == ("success", {"sent": 2})
    assert connected.stats().users == 2


def test_the_connection_gives_the_options(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extra of the connection, as text too, and the operator's own options over it."""
    connect(monkeypatch, sandbox, default_country="IN", workers="7", limit="2")
    _, _, xcom = only(run(DAGS, "users", source=write(tmp_path / "a.parquet", numbered(5))))
    assert xcom["rows"] == 2


def test_the_connection_may_hold_the_old_key(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key was renewed: the task fails for good. It continues with two more entries in the connection's extra."""
    source = write(tmp_path / "a.parquet", numbered(5))
    connect(monkeypatch, sandbox)
    assert only(run(DAGS, "users", source=source))[2]["status"]["sent"] == 5
    sandbox.stop()
    with Sandbox(SandboxOptions(api_key="renewed", port=sandbox.port)) as other:
        connect(monkeypatch, other)
        assert only(run(DAGS, "users", source=source))[0] == "failed"
        connect(monkeypatch, other, same_account=True, old_api_key=sandbox.api_key)
        state, _, xcom = only(run(DAGS, "users", source=source))
        assert (state, xcom["status"]["unchanged"], other.stats().calls) == ("success", 5, 0)


def test_a_field_that_was_emptied_in_the_form_is_as_if_it_were_not_there(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow keeps such a field as null: the default counts."""
    connect(monkeypatch, sandbox, default_country=None, timezone=None, rate_limit=None)
    state, _, xcom = only(run(DAGS, "users", source=write(tmp_path / "a.parquet", numbered(5))))
    assert (state, xcom["status"]["sent"]) == ("success", 5)


def test_a_key_among_options_that_a_task_has_made_is_refused(connected: Sandbox, tmp_path: Path) -> None:
    """They are known only when the task runs, and would be shown as rendered fields."""
    ran = run(DAGS, "options_of_a_task", source=write(tmp_path / "a.parquet", ["u1"]))
    assert [one.state for one in ran["load"]] == ["failed"]
    assert connected.stats().calls == 0


def test_a_report_among_the_options(connected: Sandbox, tmp_path: Path) -> None:
    """Where the argument of its own is not given, it is an option like any other, and the ledger goes with it."""
    source, report = write(tmp_path / "a.parquet", ["u1"]), str(tmp_path / "b.report.jsonl")
    state, _, xcom = only(run(DAGS, "users", source=source, report=report))
    assert (state, xcom["report"], xcom["ledger"]) == ("success", report, str(tmp_path / "b.ledger"))
