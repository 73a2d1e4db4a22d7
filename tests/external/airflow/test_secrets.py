"""The key is in the connection, and Airflow shows it nowhere."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.external.airflow.conftest import DAGS, KEY, connect
from tests.external.airflow.test_dags import write


def test_the_key_is_in_no_file_and_no_line(tmp_path: Path, airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that fail, and whose key is refused, with our log at level DEBUG. No form of the key is in the output, in
    the load's files, or in Airflow's files, such as its database."""
    monkeypatch.setenv("AIRFLOW__LOGGING__NAMESPACE_LEVELS", "interakt_loader=DEBUG urllib3=DEBUG requests=DEBUG")
    printed = ""
    for let_in in (KEY, "c29tZXRoaW5nIGVsc2U6"):
        with Sandbox(SandboxOptions(api_key=let_in)) as sandbox:
            connect(monkeypatch, sandbox, key=KEY)
            source = write(tmp_path / "a.parquet", ["u1", None])
            printed += in_a_process(
                *(f"{dag_id} source={source}" for dag_id in ("visits", "by_callable", "wrong_option"))
            )
    assert "RowsFailed" in printed
    assert "AirflowFailException: KeyRefused" in printed
    files = [path for folder in (airflow_home, tmp_path) for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    twice = base64.b64encode(KEY.encode()).decode().rstrip("=")
    for form in (KEY, KEY.rstrip("="), "secret-key-of-the-tests", twice, KEY.removesuffix("6")):
        assert form not in printed
        assert [path for path in files if form.encode() in path.read_bytes()] == []


RUN = (
    "from tests.external.airflow.running import run; from pathlib import Path; import sys;"
    "[run(Path(sys.argv[1]), *one.split()[:1], **dict(part.split('=', 1) for part in one.split()[1:]))"
    " for one in sys.argv[2:]]"
)


def in_a_process(*runs: str) -> str:
    """Run DAGs one after another in a process of their own; return all that it printed, the tasks' logs among it.

    A run is the DAG and its params: `users source=a.csv`.
    """
    command = [sys.executable, "-c", RUN, str(DAGS), *runs]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_tasks_log_is_without_phones_and_addresses(tmp_path: Path, connected: Sandbox) -> None:
    """At Airflow's own level: refused rows, a mapping that is inferred from values, and errors with their reason."""
    source = tmp_path / "people.csv"
    rows = [f"asha{n}@example.com,98765432{n},Asha" for n in (10, 11, 12)] + ["ben@example.com,987654321012345,Ben"]
    source.write_text("\n".join(["email,phone,name", *rows]), encoding="utf-8")
    printed = in_a_process(f"found_out source={source}")
    assert "proposed from the columns" in printed
    assert "RowsFailed" in printed
    assert "•••••" in printed
    for said in ("asha10@", "ben@", "9876543210", "987654321012345"):
        assert said not in printed


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": "k"},
        {"old_api_key": "hunter2", "same_account": "true"},
        {"share": "redis://:hunter2@cache:6379/0", "rate_limit": "300/min"},
    ],
)
def test_a_secret_among_the_options_is_refused(options: dict[str, str]) -> None:
    """What an operator holds is shown to everybody: the DAG file does not even load, and the line does not say it."""
    from interakt_loader.integrations.airflow import InteraktLoadOperator

    with pytest.raises(SettingsError, match="would be shown to everybody; put it into the connection") as refused:
        InteraktLoadOperator(task_id="load", source="a.csv", options=options)
    assert "hunter2" not in str(refused.value)
