"""Single calls of a task: `InteraktHook().user(…)` and `.event(…)`."""

from __future__ import annotations

import gc
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.errors import APIError, NotJustNow, SettingsError
from interakt_loader.integrations import airflow as ours
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.shared_limit import account_limit
from tests.external.airflow.conftest import DAGS, connect
from tests.external.airflow.running import Ran, run


def not_tried_again() -> type[BaseException]:
    """Return Airflow's error. Airflow is imported only when its environment is made."""
    from airflow.sdk.exceptions import AirflowFailException

    failing: type[BaseException] = AirflowFailException
    return failing


def test_a_user_and_an_event_are_one_call_each(connected: Sandbox) -> None:
    """The arguments have the vendor's names; the API's answer comes back."""
    hook = ours.InteraktHook()
    assert hook.user(user_id="u1", traits={"city": "Pune"})["result"] is True
    assert hook.event(user_id="u1", event="Visit", phone_number="9876543210")["result"] is True
    assert connected.stats().calls == 2
    assert [one.user_id for one in connected.users()] == [one.user_id for one in connected.events()] == ["u1"]


@pytest.mark.parametrize(("status", "retried"), [(400, False), (401, False), (503, True)])
def test_a_call_that_is_not_accepted_raises(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, status: int, retried: bool
) -> None:
    """What the API refuses is not tried again by Airflow; what it could not answer is."""
    connect(monkeypatch, sandbox, max_retries=0)
    sandbox.force([str(status)])
    with pytest.raises(APIError if retried else not_tried_again(), match=f"HTTP {status}: "):
        ours.InteraktHook().user(user_id="u1")


def test_an_unreachable_api_may_be_tried_again(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, sandbox, max_retries=0, max_outage=0)
    sandbox.stop()
    with pytest.raises(APIError):
        ours.InteraktHook().user(user_id="u1")


@pytest.mark.parametrize("arguments", [{}, {"user_id": "u1", "traits": {"x": object()}}])
def test_an_argument_that_the_api_would_refuse_makes_no_call(connected: Sandbox, arguments: dict[str, Any]) -> None:
    with pytest.raises(not_tried_again(), match="BadArgument"):
        ours.InteraktHook().user(**arguments)
    assert connected.stats().calls == 0


def test_no_body_and_no_phone_is_logged(
    connected: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At level DEBUG too, and in the error of a call that the API refuses."""
    caplog.set_level(logging.DEBUG)
    connected.force(["400"])
    with pytest.raises(not_tried_again()) as refused:
        ours.InteraktHook().user(phone_number="9876543210", traits={"email": "asha.marked@example.com"})
    ours.InteraktHook().event(phone_number="9876543210", event="Visit", traits={"email": "asha.marked@example.com"})
    for text in (caplog.text, str(refused.value)):
        assert "9876543210" not in text
        assert "asha.marked" not in text


@pytest.mark.parametrize("shared", [False, True])
def test_the_calls_keep_to_the_limit_of_the_connection(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """Two hooks at once, as of two tasks, share it: by themselves on one machine, and by the clock of `share`."""
    share = {"share": f"sqlite:///{tmp_path / 'rate.db'}"} if shared else {}
    connect(monkeypatch, sandbox, rate_limit="20/s", **share)
    hooks = [ours.InteraktHook().get_conn(), ours.InteraktHook().get_conn()]
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda client: [client.user(user_id=f"u{number}") for number in range(15)], hooks))
    assert sandbox.stats().calls == 30
    # 29 calls after the first take 1.45 s; with a limit for each hook they would take 0.7 s
    assert time.monotonic() - began > 1.3


def test_a_client_is_closed_with_its_hook(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its part of the machine's limit ends then: a later load need not wait for it."""
    connect(monkeypatch, sandbox, rate_limit="20/s")
    hook = ours.InteraktHook()
    assert hook.get_conn() is hook.get_conn()
    assert declared() == 1
    hook.close()
    assert declared() == 0
    hook.get_conn()
    assert declared() == 1
    del hook
    gc.collect()
    assert declared() == 0


def declared() -> int:
    return sum(len(limit._loads) for limit in account_limit._registry.values())


def test_a_connection_without_a_key_is_one_line(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, sandbox, key=" ")
    with pytest.raises(SettingsError, match=r"^no API key: "):
        ours.InteraktHook().get_conn()


def test_a_shared_clock_that_is_away_may_be_back_later(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox, rate_limit="20/s", share=f"sqlite:///{tmp_path}/away/rate.db")
    with pytest.raises(NotJustNow, match=r"^share sqlite:.*/away/rate.db: "):
        ours.InteraktHook().user(user_id="u1")


def test_a_task_makes_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused key fails it in its first try; an outage does not."""
    with Sandbox(SandboxOptions(api_key="other")) as refusing:
        connect(monkeypatch, refusing, key="wrong")
        assert run(DAGS, "single_calls") == {"calls": [Ran("failed", 1, None)]}
    with Sandbox() as sandbox:
        connect(monkeypatch, sandbox, max_retries=0)
        sandbox.force(["503"])
        ((one,),) = run(DAGS, "single_calls").values()
        assert (one.state, one.tries, sandbox.stats().calls) == ("success", 2, 3)
