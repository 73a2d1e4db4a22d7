"""The files of the sandbox's page. tests/external/browser tests them in a real browser."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from interakt_loader.model import authorization
from interakt_loader.sandbox import Sandbox


def read(sandbox: Sandbox, path: str, **query: Any) -> Any:
    return requests.get(f"{sandbox.url}/sandbox/{path}?{urlencode(query)}", timeout=5).json()


def post(sandbox: Sandbox, kind: str, body: dict[str, Any] | bytes) -> None:
    answer = requests.post(
        f"{sandbox.url}/v1/public/track/{kind}/",
        data=body if isinstance(body, bytes) else json.dumps(body),
        headers={"Authorization": authorization(sandbox.api_key), "Content-Type": "application/json"},
        timeout=5,
    )
    assert answer.ok, answer.text


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/sandbox/page.css", "text/css"), ("/sandbox/page.js", "text/javascript")]
)
def test_the_page_and_its_files_are_there(sandbox: Sandbox, path: str, kind: str) -> None:
    """Each with its type, and a policy that lets the page load from the sandbox alone."""
    answer = requests.get(sandbox.url + path, timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; ")
    assert requests.post(sandbox.url + path, timeout=5).status_code == 404


def test_search_finds_users_by_whatever_they_hold(sandbox: Sandbox) -> None:
    """By a part of an identity, of a tag, or of a trait of any type, in any case; by page."""
    post(sandbox, "users", {"userId": "Asha-1", "traits": {"city": "Pune", "age": 31}, "tags": ["vip"]})
    post(sandbox, "users", {"phoneNumber": "9876543210", "countryCode": "+91", "traits": {"likes": ["tea", "Chess"]}})
    post(sandbox, "users", {"userId": "Asha-2", "traits": {"ok": True, "none": None}})

    def found(text: str, **page: int) -> list[str]:
        return [user["user_id"] or user["full_phone"] for user in read(sandbox, "users", search=text, **page)]

    assert found("asha") == ["Asha-1", "Asha-2"]
    assert found("ASHA", limit=1, offset=1) == ["Asha-2"]
    assert found("pUNE") == found("31") == found("VIP") == ["Asha-1"]
    assert found("+9198765") == found("chess") == ["+919876543210"]
    assert found("true") == ["Asha-2"]
    assert found("") == ["Asha-1", "+919876543210", "Asha-2"]
    assert found("nobody") == []


def test_a_users_events_come_by_any_of_their_names(sandbox: Sandbox) -> None:
    """By userId or phone, however the event named the user, and whatever escapes its JSON has; the latest first."""
    post(sandbox, "users", {"userId": "zoë", "phoneNumber": "9876543210", "countryCode": "+91"})
    post(sandbox, "events", {"userId": "zoë", "event": "1"})
    post(sandbox, "events", '{"userId": "zoë", "event": "2"}'.encode())
    post(sandbox, "events", {"phoneNumber": "9876543210", "countryCode": "+91", "event": "3"})
    post(sandbox, "events", {"fullPhoneNumber": "919876543210", "event": "4"})
    post(sandbox, "events", {"userId": "other", "event": "5", "traits": {"note": "zoë 919876543210"}})

    for name in ("zoë", "+919876543210"):
        assert [event["event"] for event in read(sandbox, "events", identity=name)] == ["4", "3", "2", "1"]
    assert [event["event"] for event in read(sandbox, "events", identity="zoë", limit=2, offset=1)] == ["3", "2"]
    assert [event["event"] for event in read(sandbox, "events", identity="other")] == ["5"]
    assert [event["event"] for event in read(sandbox, "events", latest="first", limit=2)] == ["5", "4"]
    assert read(sandbox, "events", identity="nobody") == []


def test_the_page_is_for_this_machine_only(sandbox: Sandbox) -> None:
    """A web page that reaches 127.0.0.1 under another host name is refused, as by the other endpoints."""
    answer = requests.get(sandbox.url, headers={"Host": "evil.example"}, timeout=5)
    assert answer.status_code == 403


def test_a_call_to_the_page_is_no_call_to_the_api(sandbox: Sandbox) -> None:
    """Looking does not count."""
    requests.get(sandbox.url, timeout=5)
    assert sandbox.stats().calls == 0


def test_what_the_endpoints_do_not_know_is_refused(sandbox: Sandbox) -> None:
    """Another path is not found, and another method not allowed."""
    assert requests.get(f"{sandbox.url}/sandbox/nothing", timeout=5).status_code == 404
    put = requests.put(f"{sandbox.url}/sandbox/users", timeout=5)
    assert (put.status_code, put.headers["Allow"]) == (405, "GET, POST")
