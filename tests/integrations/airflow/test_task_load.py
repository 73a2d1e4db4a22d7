"""A load in a task that may end at any time."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
import pytest

from interakt_loader.errors import MappingError
from interakt_loader.integrations.airflow.task_load import TaskLoad
from interakt_loader.sandbox import Sandbox, SandboxOptions

FRAME = pd.DataFrame({"user": [f"u{number}" for number in range(40)]})
VISITS = {"user_id": "user", "event": {"value": "Visit"}}


class TimeIsUp(BaseException):
    """As Airflow's, which no `except Exception` sees."""


@pytest.fixture
def _one_second() -> Iterator[None]:
    """Raise `TimeIsUp` on the main thread after a second, wherever it is, as Airflow does."""

    def raise_it(_signum: int, _frame: FrameType | None) -> None:
        raise TimeIsUp

    former = signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


def options(sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    paths = {"report": folder / "a.report.csv", "ledger": folder / "a.ledger"}
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "workers": 4, "progress": False, **paths}


@pytest.mark.usefixtures("_one_second")
def test_what_is_raised_meanwhile_drains_the_load(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The calls in flight are finished, recorded and in the report before the error is raised. The log says how far the
    load came."""
    caplog.set_level(logging.INFO, "interakt_loader")
    with Sandbox(SandboxOptions(latency=0.3)) as sandbox:
        with pytest.raises(TimeIsUp):
            TaskLoad().run(FRAME, VISITS, "event", options(sandbox, tmp_path))
        stats = sandbox.stats()
        assert stats.in_flight == 0
        assert 0 < stats.calls < len(FRAME)
        report = pd.read_csv(tmp_path / "a.report.csv")
        assert report["status"].value_counts().to_dict() == {"sent": stats.calls, "unsent": len(FRAME) - stats.calls}
        assert f"{stats.calls} sent, {len(FRAME) - stats.calls} unsent" in caplog.text
        result = TaskLoad().run(FRAME, VISITS, "event", options(sandbox, tmp_path))
        assert (result.unchanged, result.sent) == (stats.calls, len(FRAME) - stats.calls)


def test_a_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    """While the load is being drained, and a call gets no answer, Ctrl-C does not wait for it."""
    with Sandbox() as sandbox:
        sandbox.force(["hang"] * len(FRAME))

        def interrupt() -> None:
            while sandbox.stats().in_flight < 4:
                pass
            load.stop()
            os.kill(os.getpid(), signal.SIGINT)

        load = TaskLoad()
        killer = threading.Thread(target=interrupt)
        killer.start()
        with pytest.raises(KeyboardInterrupt):
            load.run(FRAME, VISITS, "event", options(sandbox, tmp_path) | {"timeout": 60})
        killer.join()
        (left,) = [one for one in threading.enumerate() if one.name == "interakt-load"]
        sandbox.stop()
        left.join()


def test_a_load_that_is_stopped_before_it_begins_makes_no_call(sandbox: Sandbox, tmp_path: Path) -> None:
    """A kill can come while the imports run."""
    load = TaskLoad()
    load.stop("the task was killed")
    result = load.run(FRAME, VISITS, "event", options(sandbox, tmp_path))
    assert result.stopped is not None
    assert (result.stopped.reason, result.stopped.message) == ("interrupted", "the task was killed")
    assert sandbox.stats().calls == 0


def test_an_error_of_the_load_is_raised_as_it_is(sandbox: Sandbox, tmp_path: Path) -> None:
    """It crosses from the load's thread to the task's."""
    with pytest.raises(MappingError, match="costumer"):
        TaskLoad().run(FRAME, {"user_id": "costumer"}, "user", options(sandbox, tmp_path))


@pytest.mark.parametrize("mapping", [{"user_id": "user"}, None])
def test_the_event_can_be_given_apart(sandbox: Sandbox, tmp_path: Path, mapping: Any) -> None:
    """With a mapping, and with an inferred one."""
    frame = FRAME.rename(columns={"user": "user_id"}) if mapping is None else FRAME
    result = TaskLoad().run(frame, mapping, None, options(sandbox, tmp_path), "Order Placed")
    assert (result.kind, result.sent) == ("event", len(FRAME))
    assert {one.event for one in sandbox.events()} == {"Order Placed"}
