"""What was sent can be read back: merged users, a timeline of events, counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.sandbox.raw import EVENTS, USERS, RawClient, ask, get, post

PHONE = {"countryCode": "+91", "phoneNumber": "9876543210"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def test_a_user_call_replaces_the_traits_that_it_names(sandbox: Sandbox) -> None:
    """Named traits are replaced, null overwrites, others stay; tags are added once each; calls are counted."""
    one = {"userId": "c1", "traits": {"name": "Asha", "city": "Pune", "list": [1, 2]}, "tags": ["a", "b"]}
    two = {"userId": "c1", "traits": {"name": "Asha Rao", "city": None, "list": [3]}, "tags": ["b", "c"]}
    ask(sandbox.port, post(USERS, one), post(USERS, {**two, "createdAt": "2025-01-01"}))
    (user,) = sandbox.users()
    assert user.traits == {"name": "Asha Rao", "city": None, "list": [3]}
    assert user.tags == ["a", "b", "c"]
    assert (user.calls, user.created_at) == (2, "2025-01-01")
    assert user.first_seen <= user.last_seen


def test_a_call_with_both_names_links_them(sandbox: Sandbox) -> None:
    """A user first sent by phone gets its userId from a later call, and is then found under both."""
    first, second = {**PHONE, "traits": {"a": 1}}, {**PHONE, "userId": "c1", "traits": {"b": 2}}
    third = {"userId": "c1", "traits": {"c": 3}}
    ask(sandbox.port, *(post(USERS, call) for call in (first, second, third)))
    (user,) = sandbox.users()
    assert user.traits == {"a": 1, "b": 2, "c": 3}
    assert (user.user_id, user.country_code, user.phone) == ("c1", "+91", "9876543210")
    assert sandbox.find_user("c1") == sandbox.find_user("+919876543210") == user
    assert sandbox.find_user("c2") is None


def test_a_whole_number_is_the_same_user_as_its_parts(sandbox: Sandbox) -> None:
    """`fullPhoneNumber` and the two fields name one user; the parts are known once they have come."""
    ask(sandbox.port, post(USERS, {"fullPhoneNumber": "919876543210"}))
    assert [(user.full_phone, user.phone) for user in sandbox.users()] == [("+919876543210", None)]
    ask(sandbox.port, post(USERS, PHONE))
    assert [(user.full_phone, user.phone) for user in sandbox.users()] == [("+919876543210", "9876543210")]


def test_a_users_number_can_change(sandbox: Sandbox) -> None:
    """A userId that comes with a new number moves to it, and the old number is free again."""
    old, new = {"userId": "c1", **PHONE}, {"userId": "c1", "countryCode": "+91", "phoneNumber": "9000000001"}
    ask(sandbox.port, post(USERS, old), post(USERS, new))
    assert sandbox.find_user("+919876543210") is None
    assert ask(sandbox.port, post(USERS, {**PHONE, "userId": "c2"})).status == 202
    assert [(user.user_id, user.phone) for user in sandbox.users()] == [("c1", "9000000001"), ("c2", "9876543210")]


def test_a_users_id_cannot_change(sandbox: Sandbox) -> None:
    """A userId lasts for the customer's life: another one for the same number is refused."""
    ask(sandbox.port, post(USERS, {"userId": "c1", **PHONE}))
    assert ask(sandbox.port, post(USERS, {"userId": "c2", **PHONE})).status == 400
    assert [user.user_id for user in sandbox.users()] == ["c1"]


def test_events_are_a_timeline(sandbox: Sandbox) -> None:
    """Each accepted event is there as it was sent, in order of arrival, repeats included; none makes a user."""
    one = {
        "userId": "c1",
        **PHONE,
        "event": "Order Placed",
        "traits": {"no": 1},
        "createdAt": "2025-03-27T13:26:52.926Z",
    }
    two = {"userId": "c1", "event": "ऑर्डर", "traits": {"note": "é"}}
    ask(sandbox.port, *(post(EVENTS, call) for call in (one, two, two)))
    first, second, third = sandbox.events()
    assert (first.user_id, first.country_code, first.phone) == ("c1", "+91", "9876543210")
    assert (first.event, first.traits, first.created_at) == ("Order Placed", {"no": 1}, "2025-03-27T13:26:52.926Z")
    assert (second.event, second.traits, second.created_at, second.phone) == ("ऑर्डर", {"note": "é"}, None, None)
    assert third.traits == second.traits
    assert first.received_at <= second.received_at <= third.received_at
    assert sandbox.users() == []


def test_reading_can_be_paged(sandbox: Sandbox) -> None:
    """`limit` and `offset` select the same part of all records, and ids do not change."""
    with RawClient(sandbox.port) as client:
        for number in range(7):
            client.ask(post(USERS, {"userId": f"c{number}"}))
            client.ask(post(EVENTS, {"userId": f"c{number}", "event": "x"}))
    assert sandbox.users(limit=3, offset=2) == sandbox.users()[2:5]
    assert sandbox.events(limit=3, offset=5) == sandbox.events()[5:]
    assert sandbox.events(offset=7) == []


def test_reading_over_http(sandbox: Sandbox) -> None:
    """The sandbox's own endpoints give the same records as JSON, without a key, and page by page."""
    with RawClient(sandbox.port) as client:
        for number in range(3):
            client.ask(post(USERS, {"userId": f"c{number}", "traits": {"n": number}}))
            client.ask(post(EVENTS, {"userId": f"c{number}", "event": "x"}))
        assert client.ask(get("/sandbox/users")).json == [user._asdict() for user in sandbox.users()]
        assert [user["user_id"] for user in client.ask(get("/sandbox/users?limit=1&offset=1")).json] == ["c1"]
        assert [user["user_id"] for user in client.ask(get("/sandbox/users?identity=c2")).json] == ["c2"]
        assert client.ask(get("/sandbox/users?identity=c9")).json == []
        assert client.ask(get("/sandbox/events?offset=2")).json == [event._asdict() for event in sandbox.events()[2:]]
        assert client.ask(get("/sandbox/stats")).json["by_status"] == {"202": 3, "201": 3}
        assert client.ask(get("/sandbox/users?limit=-1")).status == 400


def test_faults_over_http(sandbox: Sandbox) -> None:
    """Shares and scripts can be set over HTTP; what cannot be read changes nothing and says why."""
    user = post(USERS, {"userId": "c1"})
    with RawClient(sandbox.port) as client:
        assert client.ask(post("/sandbox/faults", {"faults": "503=100%"})).status == 200
        assert client.ask(user).status == 503
        script = {"faults": {}, "force": [None, "500"], "force_for": {"c1": ["html502"]}}
        assert client.ask(post("/sandbox/faults", script)).status == 200
        assert [client.ask(user).status for _ in range(4)] == [502, 202, 500, 202]
        for bad in (b"", b"[]", {"fault": ""}, {"faults": "501=1%"}, {"force": ["no"]}, {"force": 7}, {"faults": 7}):
            assert client.ask(post("/sandbox/faults", bad)).status == 400
        assert client.ask(user).status == 202


def test_reset_forgets_all_but_the_shares(sandbox: Sandbox) -> None:
    """Records, counts and scripts are gone after a reset; the shares of faults stay."""
    with RawClient(sandbox.port) as client:
        client.ask(post(USERS, {"userId": "c1"}))
        client.ask(post(EVENTS, {"userId": "c1", "event": "x"}))
        sandbox.set_faults("503=100%")
        sandbox.force(["500"])
        assert client.ask(post("/sandbox/reset", {})).status == 200
        assert (sandbox.users(), sandbox.events(), sandbox.find_user("c1")) == ([], [], None)
        stats = sandbox.stats()
        assert (stats.calls, stats.accepted, stats.by_status, stats.faults) == (0, 0, {}, {})
        assert client.ask(post(USERS, {"userId": "c1"})).status == 503


def test_own_endpoints_are_for_this_machine_only(sandbox: Sandbox) -> None:
    """A page that reaches 127.0.0.1 under a name of its own reads nothing."""
    for host in ("127.0.0.1", "localhost", f"127.0.0.1:{sandbox.port}", f"localhost:{sandbox.port}"):
        assert ask(sandbox.port, get("/sandbox/users", host)).status == 200
    for host in ("evil.example", f"evil.example:{sandbox.port}", ""):
        assert ask(sandbox.port, get("/sandbox/users", host)).status == 403


def test_arrivals_are_kept_if_asked_for() -> None:
    """With the option on, each call's instant is kept, refused calls included, and they never go backwards."""
    with Sandbox(SandboxOptions(record_arrivals=True, limit_per_minute=1)) as sandbox:
        ask(sandbox.port, *(post(USERS, {"userId": "c1"}) for _ in range(3)))
        arrivals = sandbox.arrivals()
        assert len(arrivals) == 3
        assert arrivals == sorted(arrivals)
        assert ask(sandbox.port, get("/sandbox/arrivals")).json == arrivals


def test_calls_in_flight_are_counted() -> None:
    """`max_in_flight` is the number of calls that waited for their answers at one time."""
    with Sandbox(SandboxOptions(latency=0.05)) as sandbox:
        clients = [RawClient(sandbox.port) for _ in range(5)]
        for number, client in enumerate(clients):
            client.send(post(USERS, {"userId": f"c{number}"}))
        assert [client.read().status for client in clients] == [202] * 5
        for client in clients:
            with client:
                pass
        assert (sandbox.stats().max_in_flight, sandbox.stats().in_flight) == (5, 0)
