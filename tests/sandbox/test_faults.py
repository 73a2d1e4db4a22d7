"""Each fault as a client sees it, on a raw socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.sandbox.api import Faults
from interakt_loader.sandbox.options import KINDS, parse_shares
from tests.sandbox.raw import EVENTS, USERS, RawClient, ask, post

USER = post(USERS, {"userId": "c1"})


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "status"), [("500", 500), ("503", 503), ("html502", 502), ("429", 429), ("429-retry-after", 429)]
)
def test_an_error_is_answered_and_nothing_kept(sandbox: Sandbox, kind: str, status: int) -> None:
    """A fault with a status answers it, keeps no record, and leaves the connection fit for the next call."""
    sandbox.force([kind])
    with RawClient(sandbox.port) as client:
        answer = client.ask(USER)
        assert sandbox.users() == []
        assert client.ask(USER).status == 202
    assert answer.status == status
    assert ("retry-after" in answer.headers) == (kind == "429-retry-after")
    assert sandbox.stats().faults == {kind: 1}
    assert sandbox.stats().refused_by_limit == 0


def test_the_bodies_differ_as_gateways_do(sandbox: Sandbox) -> None:
    """A 500 is JSON, a 503 is empty, a 502 is a page and a 429 says what the API says."""
    sandbox.force(["500", "503", "html502", "429"])
    with RawClient(sandbox.port) as client:
        server, gone, gateway, limit = (client.ask(USER) for _ in range(4))
    assert server.json["result"] is False
    assert gone.body == b""
    assert gateway.headers["content-type"] == "text/html"
    assert gateway.body.startswith(b"<html>")
    assert limit.json["message"] == "Rate limit exceeded for this resource"


def test_garbage_is_a_200_that_is_no_json(sandbox: Sandbox) -> None:
    """Garbage has status 200 and a body that is neither JSON nor UTF-8; nothing is kept."""
    sandbox.force(["garbage"])
    answer = ask(sandbox.port, USER)
    assert answer.status == 200
    with pytest.raises(ValueError):  # noqa: PT011 - either decoding may fail, both mean no JSON
        json.loads(answer.body)
    assert sandbox.users() == []


def test_reset_is_a_reset_before_anything_is_done(sandbox: Sandbox) -> None:
    """The client gets ECONNRESET, and nothing is kept."""
    sandbox.force(["reset"])
    with pytest.raises(ConnectionResetError):
        ask(sandbox.port, USER)
    assert sandbox.users() == []


def test_cut_keeps_the_record_and_answers_nothing(sandbox: Sandbox) -> None:
    """The connection ends without a byte, yet the event is there: the call to repeat with care."""
    sandbox.force(["cut"])
    with pytest.raises(EOFError):
        ask(sandbox.port, post(EVENTS, {"userId": "c1", "event": "Order Placed"}))
    stats = sandbox.stats()
    assert (stats.events, stats.accepted, stats.by_status) == (1, 1, {})


def test_hang_answers_nothing_and_holds_the_connection(sandbox: Sandbox) -> None:
    """No answer comes and the connection stays; others are served, and the call is in flight until the client goes."""
    sandbox.force(["hang"])
    gone = threading.Event()
    with RawClient(sandbox.port) as client:
        client.send(USER)
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        assert ask(sandbox.port, USER).status == 202
        assert sandbox.stats().in_flight == 1
    with RawClient(sandbox.port) as other:  # its calls come after the closing: each answer is a turn of the loop
        for _ in range(1000):
            other.ask(USER)
            if sandbox.stats().in_flight == 0:
                gone.set()
                break
    assert gone.is_set()
    assert sandbox.stats().users == 1


def test_a_script_goes_in_order_and_then_ends(sandbox: Sandbox) -> None:
    """Forced faults come one by one, None lets a call pass, and after the script no call fails."""
    sandbox.force(["500", None])
    sandbox.force(["503"])
    with RawClient(sandbox.port) as client:
        assert [client.ask(USER).status for _ in range(5)] == [500, 202, 503, 202, 202]


def test_an_empty_script_changes_nothing(sandbox: Sandbox) -> None:
    """Neither for all nor for one user, who is not remembered for it."""
    sandbox.force([])
    sandbox.force_for("c1", [])
    assert ask(sandbox.port, USER).status == 202
    assert sandbox.stats().faults == {}


@pytest.mark.parametrize("identity", ["c1", "+919876543210"])
def test_a_users_script_befalls_that_user_only(sandbox: Sandbox, identity: str) -> None:
    """A user's script waits for the user's own calls, under either name, on either endpoint."""
    sandbox.force_for(identity, ["500", "503"])
    who = {"userId": "c1", "countryCode": "+91", "phoneNumber": "9876543210"}
    calls = [
        post(USERS, {"userId": "c2"}),
        post(USERS, who),
        post(USERS, b"no JSON"),
        post(EVENTS, {**who, "event": "Order Placed"}),
        post(USERS, who),
    ]
    with RawClient(sandbox.port) as client:
        assert [client.ask(call).status for call in calls] == [202, 500, 400, 503, 202]


def test_the_rng_are_seeded_and_hit_their_shares() -> None:
    """One seed gives one sequence of faults, in about the shares that were asked for."""
    shares = {"500": 0.2, "cut": 0.1}
    one, same, other = (Faults(shares, seed) for seed in (1, 1, 2))
    first, second, third = ([faults.choose(tuple) for _ in range(5000)] for faults in (one, same, other))
    assert first == second != third
    assert 900 < first.count("500") < 1100
    assert 400 < first.count("cut") < 600
    assert one.counts() == {"500": first.count("500"), "cut": first.count("cut")}


def test_a_forced_fault_costs_the_rng_nothing() -> None:
    """A script does not move the sequence that the seed gives."""
    plain, forced = Faults({"500": 0.5}, 7), Faults({"500": 0.5}, 7)
    forced.force(["503", None])
    assert [forced.choose(tuple) for _ in range(2)] == ["503", None]
    assert [forced.choose(tuple) for _ in range(50)] == [plain.choose(tuple) for _ in range(50)]


def test_shares_can_change_while_it_runs(sandbox: Sandbox) -> None:
    """New shares hold from the next call on."""
    with RawClient(sandbox.port) as client:
        sandbox.set_faults("503=100%")
        assert client.ask(USER).status == 503
        sandbox.set_faults({})
        assert client.ask(USER).status == 202


def test_shares_are_read_from_text_or_a_mapping() -> None:
    """Percent signs, shares without them and spaces are read; an empty text means no faults."""
    assert parse_shares(" 500=2%, reset = 0.01,") == {"500": 0.02, "reset": 0.01}
    assert parse_shares(dict.fromkeys(KINDS, 0.05)) == dict.fromkeys(KINDS, 0.05)
    assert parse_shares("") == parse_shares({}) == {}


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ("500", "has no share"),
        ("500=much", "has no share"),
        ("501=2%", r"no fault '501'.*\(there are 400, 401, 500, 503"),
        ("500=200%", "expected 0 to 1"),
        ("500=-1%", "expected 0 to 1"),
        ("500=nan", "expected 0 to 1"),
        ("500=60%,503=60%", "add up to 120%"),
        ({"500": 2}, "expected 0 to 1"),
    ],
)
def test_bad_shares_are_refused(faults: str | dict[str, float], reason: str) -> None:
    """An invalid share is a `SettingsError`, when the options are made."""
    with pytest.raises(SettingsError, match=reason):
        SandboxOptions(faults=faults)


def test_an_unknown_kind_cannot_be_forced(sandbox: Sandbox) -> None:
    """A typing mistake in a script is an error there and then, and nothing of the script is taken."""
    with pytest.raises(SettingsError, match="no fault 'rest'"):
        sandbox.force(["500", "rest"])
    with pytest.raises(SettingsError, match="no fault 'rest'"):
        sandbox.force_for("c1", ["rest"])
    assert ask(sandbox.port, USER).status == 202
