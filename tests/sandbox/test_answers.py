"""Each answer that the API's documents show, over a real socket."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator

import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.sandbox.raw import BASIC, EVENTS, USERS, ask, get, post

USER = {"userId": "c1", "traits": {"name": "Asha"}}
EVENT = {"userId": "c1", "event": "Order Placed", "traits": {"value": 50.5}}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def test_a_user_gets_202_and_the_customers_uuid(sandbox: Sandbox) -> None:
    """A good user call gets 202, and the message names the same customer each time."""
    first, second = ask(sandbox.port, post(USERS, USER)), ask(sandbox.port, post(USERS, USER))
    match = re.fullmatch(r"Customer with (\S+) updated successfully", first.json["message"])
    assert match is not None
    assert (first.status, first.json["result"]) == (202, True)
    assert str(uuid.UUID(match[1])) == sandbox.users()[0].id
    assert first.body == second.body


def test_an_event_gets_201_and_an_id_of_its_own(sandbox: Sandbox) -> None:
    """A good event call gets 201 and a UUID; the same body sent again gets another."""
    first, second = ask(sandbox.port, post(EVENTS, EVENT)), ask(sandbox.port, post(EVENTS, EVENT))
    assert (first.status, first.json["result"]) == (201, True)
    assert first.json["message"] == "Event created successfully"
    assert [event.id for event in sandbox.events()] == [first.json["id"], second.json["id"]]
    assert len({uuid.UUID(first.json["id"]), uuid.UUID(second.json["id"])}) == 2


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Bearer " + BASIC[6:],
        "Basic " + base64.b64encode(b"another-key:").decode(),
        "Basic " + base64.b64encode(b"sandbox-key").decode(),
        "Basic sandbox-key",
        BASIC[6:],
        pytest.param("Basic " + base64.b64encode(BASIC[6:].encode()).decode(), id="encoded twice"),
        pytest.param("Basic " + base64.b64encode(BASIC[6:].encode() + b":").decode(), id="encoded twice by an SDK"),
    ],
)
def test_a_wrong_key_gets_401(sandbox: Sandbox, authorization: str) -> None:
    """Any Authorization but the Secret Key gets 401, and nothing is kept."""
    answer = ask(sandbox.port, post(USERS, USER, authorization))
    assert (answer.status, answer.json) == (401, {"result": False, "message": "Invalid token provided"})
    assert sandbox.users() == []


@pytest.mark.parametrize("key", ["plain-key", base64.b64encode(b"plain-key:").decode()])
def test_the_key_may_be_set_in_either_form(key: str) -> None:
    """The sandbox set up with the key as text or with the Secret Key accepts the same header, and no other."""
    header = "Basic " + base64.b64encode(b"plain-key:").decode()
    with Sandbox(SandboxOptions(api_key=key)) as sandbox:
        assert ask(sandbox.port, post(USERS, USER, header)).status == 202
        assert ask(sandbox.port, post(USERS, USER, BASIC)).status == 401
        assert sandbox.options.secret_key == header.removeprefix("Basic ")
        assert key not in repr(sandbox.options)


def test_a_plan_without_api_gets_403() -> None:
    """On a plan without the API every call gets 403 with this reason; a wrong key still gets 401."""
    with Sandbox(SandboxOptions(plan_without_api=True)) as sandbox:
        answer = ask(sandbox.port, post(USERS, USER))
        assert ask(sandbox.port, post(USERS, USER, "Basic x")).status == 401
    assert answer.status == 403
    assert answer.json["result"] is False
    assert answer.json["message"].startswith("This API is currently not supported on your Interakt account")


@pytest.mark.parametrize("path", ["/", USERS.rstrip("/"), EVENTS.rstrip("/"), "/v1/public/track/batch/", "/sandbox/no"])
def test_another_path_gets_an_html_404(sandbox: Sandbox, path: str) -> None:
    """A wrong path, a missing trailing slash included, gets 404 and an HTML page."""
    answer = ask(sandbox.port, post(path, USER))
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert b"<h1>" in answer.body


def test_another_method_gets_405(sandbox: Sandbox) -> None:
    """GET on an endpoint gets 405, with the allowed method."""
    answer = ask(sandbox.port, get(USERS))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_bad_body_gets_400_with_a_message(sandbox: Sandbox) -> None:
    """A body that breaks a rule gets 400, `"result": false` and the reason."""
    answer = ask(sandbox.port, post(EVENTS, {"userId": "c1", "traits": {}}))
    assert answer.status == 400
    assert answer.json == {"result": False, "message": "event is required and must be a non-empty string"}


def test_another_content_type_gets_415(sandbox: Sandbox) -> None:
    """A body without the JSON content type is not read; parameters of the type do not matter."""
    assert ask(sandbox.port, post(USERS, USER, content_type="text/plain")).status == 415
    assert ask(sandbox.port, post(USERS, USER, content_type="Application/JSON; charset=utf-8")).status == 202


def test_a_taken_user_id_gets_400(sandbox: Sandbox) -> None:
    """Giving a user the userId of another one is refused, and changes neither."""
    one = {"userId": "c1", "countryCode": "+91", "phoneNumber": "9999999991"}
    two = {"countryCode": "+91", "phoneNumber": "9999999992"}
    answer = ask(sandbox.port, post(USERS, one), post(USERS, two), post(USERS, {**two, "userId": "c1"}))
    assert (answer.status, answer.json["result"]) == (400, False)
    assert [(user.user_id, user.phone) for user in sandbox.users()] == [("c1", "9999999991"), (None, "9999999992")]


@pytest.mark.parametrize(("unknown_user", "status", "kept"), [("accept", 201, 1), ("reject", 400, 0)])
def test_an_event_of_an_unknown_user(unknown_user: str, status: int, kept: int) -> None:
    """What happens to an event of a user that was never sent is an option; a known user's is always taken."""
    with Sandbox(SandboxOptions(unknown_user=unknown_user)) as sandbox:  # type: ignore[arg-type]
        assert ask(sandbox.port, post(EVENTS, EVENT)).status == status
        assert len(sandbox.events()) == kept
        assert ask(sandbox.port, post(USERS, USER), post(EVENTS, EVENT)).status == 201


def test_over_the_limit_gets_429() -> None:
    """The call after the last one allowed gets 429 without Retry-After, and its record is not kept."""
    with Sandbox(SandboxOptions(limit_per_minute=2)) as sandbox:
        calls = [post(USERS, {"userId": f"c{number}"}) for number in range(3)]
        answer = ask(sandbox.port, *calls)
        stats = sandbox.stats()
    assert (answer.status, answer.json["message"]) == (429, "Rate limit exceeded for this resource")
    assert "retry-after" not in answer.headers
    assert (stats.users, stats.accepted, stats.calls, stats.refused_by_limit) == (2, 2, 3, 1)
    assert stats.by_status == {202: 2, 429: 1}


def test_retry_after_can_be_had() -> None:
    """With the option on, a 429 says in whole seconds when the window turns."""
    with Sandbox(SandboxOptions(limit_per_minute=1, window=1000, retry_after=True)) as sandbox:
        answer = ask(sandbox.port, post(USERS, USER), post(USERS, USER))
    assert 990 <= int(answer.headers["retry-after"]) <= 1000


@pytest.mark.parametrize(("limit_per", "status"), [("account", 429), ("endpoint", 201)])
def test_the_limit_is_the_accounts_or_each_endpoints(limit_per: str, status: int) -> None:
    """Users and events share one limit, or have one each, as the option says."""
    with Sandbox(SandboxOptions(limit_per_minute=1, limit_per=limit_per)) as sandbox:  # type: ignore[arg-type]
        assert ask(sandbox.port, post(USERS, USER), post(EVENTS, EVENT)).status == status


def test_a_wrong_key_uses_up_no_limit() -> None:
    """A call that is not let in does not count against the account."""
    with Sandbox(SandboxOptions(limit_per_minute=1)) as sandbox:
        assert ask(sandbox.port, post(USERS, USER, "Basic x"), post(USERS, USER)).status == 202
