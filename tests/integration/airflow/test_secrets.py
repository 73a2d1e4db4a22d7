"""The key is in the connection, and Airflow shows it nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.integration.airflow.conftest import DAGS, KEY, connect
from tests.integration.airflow.test_dags import write


def test_the_key_is_in_no_file_and_no_line(tmp_path: Path, airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that fail, and have their key refused, with our own log at level DEBUG: the key, in each of its forms, is
    neither in the output nor in a file of Airflow's (database with rendered templates and XCom) or of the load's."""
    code = (
        "from tests.integration.airflow.running import run; from pathlib import Path; import sys;"
        "[print('came to', run(Path(sys.argv[1]), *one.split(), source=sys.argv[2])) for one in sys.argv[3:]]"
    )
    monkeypatch.setenv("AIRFLOW__LOGGING__NAMESPACE_LEVELS", "interakt_loader=DEBUG urllib3=DEBUG requests=DEBUG")
    printed = ""
    for let_in in (KEY, "c29tZXRoaW5nIGVsc2U6"):
        with Sandbox(SandboxOptions(api_key=let_in)) as sandbox:
            connect(monkeypatch, sandbox, key=KEY)
            command = [sys.executable, "-c", code, str(DAGS), write(tmp_path / "a.parquet", ["u1", None]), "visits"]
            done = subprocess.run(
                [*command, "by_callable", "wrong_option"], check=False, capture_output=True, text=True, timeout=90
            )
            assert done.returncode == 0, done.stderr
            printed += done.stdout + done.stderr
    assert "RowsFailed" in printed
    assert "AirflowFailException: KeyRefused" in printed
    files = [path for folder in (airflow_home, tmp_path) for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    for form in (KEY, KEY.rstrip("="), "secret-key-of-the-tests"):
        assert form not in printed
        assert [path for path in files if form.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    "options", [{"api_key": "k"}, {"share": "redis://:hunter2@cache:6379/0", "rate_limit": "300/min"}]
)
def test_a_secret_among_the_options_is_refused(options: dict[str, str]) -> None:
    """What an operator holds is shown to everybody: the DAG file does not even load, and the line does not say it."""
    from interakt_loader.integrations.airflow import InteraktLoadOperator

    with pytest.raises(SettingsError, match="would be shown to everybody; put it into the connection") as refused:
        InteraktLoadOperator(task_id="load", source="a.csv", options=options)
    assert "hunter2" not in str(refused.value)
