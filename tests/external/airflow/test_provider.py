"""What Airflow knows of the package: the provider, the connection type with its form, and the test of a connection."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from interakt_loader import __version__
from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.external.airflow.conftest import connect


def asked(*command: str) -> list[dict[str, Any]]:
    """Return what `airflow …` answers, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *command, "-o", "json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.index("[") :])
    return answer


def test_the_provider_is_listed() -> None:
    """`airflow providers list` shows the distribution with its version."""
    (ours,) = [one for one in asked("providers", "list") if one["package_name"] == "interakt-loader"]
    assert ours["version"] == __version__


def test_the_hook_is_listed() -> None:
    """`airflow providers hooks` has imported it for the connection type."""
    (ours,) = [one for one in asked("providers", "hooks") if one["connection_type"] == "interakt"]
    assert ours["class"] == "interakt_loader.integrations.airflow.hook.InteraktHook"
    assert (ours["conn_id_attribute_name"], ours["hook_name"]) == ("interakt_conn_id", "Interakt")


def form() -> Any:
    """Return what Airflow's pages show of the connection type."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    (ours,) = [one for one in HookMetaService.hook_meta_data() if one.connection_type == "interakt"]
    return ours


def test_the_connection_has_a_form() -> None:
    """Its fields are called what they are, and those that a connection has no use for are hidden."""
    fields = form().standard_fields
    assert (fields.host.title, fields.password.title) == ("Address", "Secret Key")
    assert [fields.login.hidden, fields.port.hidden, fields.url_schema.hidden] == [True] * 3


def test_options_of_an_account_have_fields() -> None:
    """What belongs to the account, and not to a single load, can be filled in."""
    from airflow import __version__ as version

    if version.startswith("3.1."):
        pytest.skip("Airflow before 3.2 has no such fields: the options go into Extra, as JSON")
    assert list(form().extra_fields) == ["rate_limit", "share", "default_country", "timezone"]


def answered() -> tuple[bool, str]:
    from interakt_loader.integrations.airflow import InteraktHook

    answer: tuple[bool, str] = InteraktHook().test_connection()
    return answer


def test_a_good_connection_is_said_to_be_good(connected: Sandbox) -> None:
    """One call, which reads."""
    assert answered() == (True, f"{connected.url} accepts the key: 0 contacts in the account")
    assert (connected.stats().calls, connected.stats().reads) == (0, 1)


def test_a_wrong_key_is_told(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the API's own words."""
    connect(monkeypatch, sandbox, key="some-other-key")
    lets_in, said = answered()
    assert not lets_in
    assert said.startswith(f"{sandbox.url}: the API refuses the key (Invalid token provided): copy the key")


def test_a_plan_without_the_api_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise."""
    with Sandbox(SandboxOptions(plan_without_api=True)) as sandbox:
        connect(monkeypatch, sandbox)
        good, said = answered()
    assert not good
    assert said.startswith(f"{sandbox.url}: the account's plan has no API (")


def test_an_unreachable_address_is_reported(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a long wait."""
    connect(monkeypatch, sandbox)
    sandbox.stop()
    good, message = answered()
    assert not good
    assert message.startswith(f"{sandbox.url}: the key could not be tested: could not connect (")


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        ({"password": ""}, "no API key"),
        ({"extra": {"workes": 3}}, "did you mean 'workers'?"),
        ({"extra": {"workers": "many"}}, "workers is 'many'; expected a whole number"),
        ({"extra": {"api_key": "k"}}, "api_key has a field of its own"),
        ({"host": "http://example.com"}, "the key would travel unencrypted"),
    ],
)
def test_a_connection_without_sense_is_told(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], said: str
) -> None:
    """In one line, before any call."""
    given = {"conn_type": "interakt", "password": "some-key"} | connection
    monkeypatch.setenv("AIRFLOW_CONN_INTERAKT_DEFAULT", json.dumps(given))
    good, line = answered()
    assert not good
    assert said in line


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ({}, "https://api.interakt.ai"),
        ({"host": "api.interakt.ai"}, "https://api.interakt.ai"),
        ({"host": "127.0.0.1", "port": 8077, "schema": "http"}, "http://127.0.0.1:8077"),
        ({"host": "https://elsewhere.example"}, "https://elsewhere.example"),
    ],
)
def test_the_address_of_a_connection(monkeypatch: pytest.MonkeyPatch, host: dict[str, Any], address: str) -> None:
    """As it stands, or put together from host, port and schema; without any, the real one."""
    from interakt_loader.integrations.airflow import InteraktHook

    monkeypatch.setenv("AIRFLOW_CONN_INTERAKT_DEFAULT", json.dumps({"conn_type": "interakt", "password": "k"} | host))
    assert InteraktHook().settings().base_url == address


def test_what_is_given_stands_over_the_connection(connected: Sandbox) -> None:
    """An option of None too, such as no limit; but no key is no reason to forget the connection's."""
    from interakt_loader.integrations.airflow import InteraktHook

    options = InteraktHook().options(api_key=None, rate_limit=None, workers=3)
    assert options.pop("api_key").reveal() == connected.api_key
    assert options == {"base_url": connected.url, "rate_limit": None, "workers": 3}
