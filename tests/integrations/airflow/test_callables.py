"""The callables for `@task` and `PythonOperator`, without Airflow."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from interakt_loader.errors import LoadInterrupted, RowsFailed, SettingsError
from interakt_loader.integrations import airflow
from interakt_loader.integrations.airflow import load_events_task, load_users_task
from interakt_loader.sandbox import Sandbox, SandboxOptions

MAPPING = {"user_id": "user", "traits": ["city"]}
VISITS = MAPPING | {"event": {"value": "Visit"}}


@pytest.fixture(autouse=True)
def _the_key(monkeypatch: pytest.MonkeyPatch, _no_settings_from_outside: None) -> None:
    monkeypatch.setenv("INTERAKT_API_KEY", "sandbox-key")


def write(path: Path, users: list[str | None]) -> str:
    pd.DataFrame({"user": users, "city": "Pune"}).to_parquet(path)
    return str(path)


def test_what_comes_back_is_plain(sandbox: Sandbox, tmp_path: Path) -> None:
    """Counts and paths, fit for JSON; report and ledger lie beside the file."""
    said = load_users_task(write(tmp_path / "good.parquet", ["u1", "u2"]), MAPPING, base_url=sandbox.url)
    assert json.loads(json.dumps(said)) == said
    assert (said["kind"], said["rows"], said["status"]["sent"]) == ("user", 2, 2)
    assert said["report"] == str(tmp_path / "good.report.csv")
    assert said["ledger"] == str(tmp_path / "good.ledger")


def test_failed_rows_raise_and_the_next_try_makes_the_missing_calls(sandbox: Sandbox, tmp_path: Path) -> None:
    """The ledger is the same for each try, so that one call is made in the second."""
    source = write(tmp_path / "visits.parquet", ["u1", "u2", "u3"])
    sandbox.force_for("u2", ["400"])
    with pytest.raises(RowsFailed, match=r"2 sent, 1 rejected .* report: .*visits\.report\.csv"):
        load_events_task(source, VISITS, base_url=sandbox.url)
    assert load_events_task(source, VISITS, base_url=sandbox.url)["attempts"] == 1
    assert [one.user_id for one in sandbox.events()].count("u2") == 1


def test_a_ledger_can_be_declined(sandbox: Sandbox, tmp_path: Path) -> None:
    """`ledger=None`, or the text `none` of a template."""
    source = write(tmp_path / "a.parquet", ["u1"])
    assert load_users_task(source, MAPPING, base_url=sandbox.url, ledger=None)["ledger"] is None
    assert load_users_task(source, MAPPING, base_url=sandbox.url, ledger="none")["ledger"] is None
    assert not (tmp_path / "a.ledger").exists()


def test_several_files_are_one_load(sandbox: Sandbox, tmp_path: Path) -> None:
    """The report lies beside the first."""
    sources = [write(tmp_path / f"{name}.parquet", [name]) for name in ("a", "b")]
    said = load_users_task(sources, MAPPING, base_url=sandbox.url)
    assert (said["rows"], said["report"]) == (2, str(tmp_path / "a.report.csv"))


@pytest.mark.parametrize("address", ["s3://bucket/a.parquet", "dbfs:/loads/a.parquet"])
def test_beside_an_address_nothing_can_be_put(sandbox: Sandbox, address: str) -> None:
    """A source at an address needs a path for the report: without Airflow, an error of the loader's own says so."""
    with pytest.raises(SettingsError, match="report: give a path"):
        load_users_task(address, MAPPING, base_url=sandbox.url)


def test_sigterm_drains_the_load(tmp_path: Path) -> None:
    """The calls in flight are finished and recorded, the handler from before is back, and the next try makes the
    calls that are missing."""
    source = write(tmp_path / "visits.parquet", [f"u{number}" for number in range(40)])
    before = signal.getsignal(signal.SIGTERM)
    with Sandbox(SandboxOptions(latency=0.2)) as sandbox:

        def kill() -> None:
            while not sandbox.stats().accepted:
                pass
            signal.raise_signal(signal.SIGTERM)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(LoadInterrupted) as stopped:
            load_events_task(source, VISITS, base_url=sandbox.url, workers=4)
        killer.join()
        assert signal.getsignal(signal.SIGTERM) is before
        result = stopped.value.result
        assert result is not None
        assert result.sent == sandbox.stats().accepted < 40
        assert result.sent + result.unsent == 40
        load_events_task(source, VISITS, base_url=sandbox.url)
        assert sandbox.stats().calls == len(sandbox.events()) == 40


@pytest.mark.parametrize("name", ["InteraktLoadOperator", "InteraktHook"])
def test_what_needs_airflow_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Airflow, one line names the package to install; a mistyped name gets the usual error."""
    for module in [one for one in sys.modules if one.partition(".")[0] == "airflow"] + ["airflow"]:
        monkeypatch.setitem(sys.modules, module, None)
    for module in ("hook", "operator", "sdk"):
        monkeypatch.delitem(sys.modules, f"{airflow.__name__}.{module}", raising=False)
    with pytest.raises(ImportError, match=r"^interakt_loader\S+ needs Airflow 3\.1 or newer, and .*: pip install "):
        getattr(airflow, name)
    with pytest.raises(AttributeError, match="no attribute 'InteraktOperator'"):
        airflow.InteraktOperator  # type: ignore[attr-defined]  # noqa: B018 - the access is what is tested
