"""A task that is killed: SIGTERM to the process in which Airflow runs it, as its supervisor sends it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.external.airflow.conftest import DAGS, connect
from tests.external.airflow.test_dags import numbered, write

ROWS = 60


@pytest.mark.parametrize(
    ("dag_id", "said"), [("visits", "the task was killed"), ("by_callable", "interrupted by SIGTERM")]
)
def test_a_killed_task_is_drained_and_its_retry_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dag_id: str, said: str
) -> None:
    """Killed with calls in flight: these are finished and recorded, and the retry makes all other calls and none of
    them again. An operator hears of it by `on_kill`, a plain callable by the signal."""
    source = write(tmp_path / "visits.parquet", numbered(ROWS))
    code = (
        "from tests.external.airflow.running import run; from pathlib import Path; import sys;"
        "print('came to', [(one.state, one.tries, one.xcom['status']['unchanged'])"
        " for ran in run(Path(sys.argv[1]), sys.argv[2], source=sys.argv[3]).values() for one in ran])"
    )
    with Sandbox(SandboxOptions(latency=0.3)) as sandbox:
        connect(monkeypatch, sandbox)
        command = [sys.executable, "-c", code, str(DAGS), dag_id, source]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as task:
            while sandbox.stats().accepted < 8 or not sandbox.stats().in_flight:
                assert task.poll() is None
                time.sleep(0.01)
            before = sandbox.stats().accepted
            task.send_signal(signal.SIGTERM)
            printed, _ = task.communicate(timeout=60)
        assert task.returncode == 0, printed
        (came,) = [line for line in printed.splitlines() if line.startswith("came to")]
        state, tries, unchanged = eval(came.removeprefix("came to"))[0]
        assert (state, tries) == ("success", 2), printed
        assert said in printed
        assert before <= unchanged < ROWS
        assert sandbox.stats().calls == ROWS
        assert Counter(one.user_id for one in sandbox.events()) == Counter(numbered(ROWS))
