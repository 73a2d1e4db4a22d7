"""Several rows of one user become one call: pure, in the schedule, and with the real sandbox."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader import MappingDict, load_events, load_users
from interakt_loader.codes import Code
from interakt_loader.errors import SettingsError
from interakt_loader.model import LARGEST_BODY, Entry, Message, Outcome, Status
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.sending.pending import Fold, PendingCall, carried, folded
from interakt_loader.sending.rate_limit import RateLimit
from interakt_loader.sending.scheduler import Schedule
from interakt_loader.transport import read_answer

OK = read_answer(202, b'{"result": true}', 0.1)
MAPPING: MappingDict = {"user_id": "user", "traits": ["city", "tier"]}


def both_of(earlier: Message, later: Message) -> Message:
    both = folded(earlier, later)
    assert both is not None
    return both


def message(row: int, ordering_key: str = "u", **body: Any) -> Message:
    return Message(row, "user", ordering_key, json.dumps({"userId": ordering_key, **body}).encode())


def test_what_is_folded() -> None:
    """The last value of each trait, all tags once, the phone of the row that has one; the later row's number."""
    earlier = message(3, phoneNumber="98", traits={"city": "Pune", "tier": 1}, tags=["a", "b"], createdAt="2024")
    later = message(7, traits={"city": "Goa", "name": None}, tags=["b", "c"])
    both = both_of(earlier._replace(phone="98", country_code="+91"), later)
    assert json.loads(both.body) == {
        "userId": "u",
        "phoneNumber": "98",
        "createdAt": "2024",
        "traits": {"city": "Goa", "tier": 1, "name": None},
        "tags": ["a", "b", "c"],
    }
    assert (both.row, both.phone, both.country_code) == (7, "98", "+91")


def test_a_row_without_traits_or_tags_is_folded_too() -> None:
    """Either of the two may lack them. What the other one has stays."""
    bare, full = message(1), message(2, traits={"city": "Goa"}, tags=["b"])
    for both in (both_of(bare, full), both_of(full, bare)):
        assert json.loads(both.body) == {"userId": "u", "traits": {"city": "Goa"}, "tags": ["b"]}
    assert json.loads(both_of(bare, bare).body) == {"userId": "u", "traits": {}}


def test_the_body_is_as_short_as_any_other() -> None:
    """No white space, and Devanagari unescaped, because the limit on a body's size is in bytes."""
    both = both_of(message(1, traits={"a": 1}), message(2, traits={"city": "पुणे"}))
    assert both.body.decode() == '{"userId":"u","traits":{"a":1,"city":"पुणे"}}'


def test_numbers_stay_as_they_are_written() -> None:
    """A float would lose digits of the first one, and write the others in another way."""
    first = b'{"userId":"u","traits":{"a":12345678901234567.50,"b":[1E-400,19.90],"c":"1.50"}}'
    then = b'{"userId":"u","traits":{"d":-0.10,"e":9223372036854775808}}'
    both = b'{"userId":"u","traits":{"a":12345678901234567.50,"b":[1E-400,19.90],"c":"1.50",'
    both += b'"d":-0.10,"e":9223372036854775808}}'
    fold = Fold(first)
    assert fold.take(then)
    assert fold.body == both
    one, other = (message(row)._replace(body=body) for row, body in enumerate((first, then)))
    assert both_of(one, other).body == both


def test_what_the_ledger_knows_of_both_is_one_step() -> None:
    """From the state before the earlier row to the state after the later one. If only one is known, it is the later
    one."""
    one, two = b"1" * 16, b"2" * 16
    earlier, later = Entry(b"k" * 16, b"0" * 16 + one), Entry(b"k" * 16, one + two)
    first, second = message(1), message(2)
    assert both_of(first._replace(entry=earlier), second._replace(entry=later)).entry == Entry(
        b"k" * 16, b"0" * 16 + two
    )
    assert both_of(first, second._replace(entry=later)).entry == later
    assert both_of(first._replace(entry=earlier), second).entry is None
    assert both_of(first, second).entry is None


def test_a_doubt_about_either_is_one_about_both() -> None:
    """An earlier load ended while one of them was in flight."""
    first, second = message(1), message(2)
    assert both_of(first._replace(doubted=True), second).doubted
    assert both_of(first, second._replace(doubted=True)).doubted
    assert not both_of(first, second).doubted


def ended(status: Status, code: Code | None = None, text: str | None = None) -> Outcome:
    return Outcome(
        message(2), status, 3, 400, code, "city", text, maybe_duplicate=True, latency_ms=1.5, finished_at=99.0
    )


def test_a_row_that_was_folded_ends_as_the_row_that_carries_it() -> None:
    """It made no call, names the row that carries it, and cannot be a duplicate. It is merged if that row was
    accepted."""
    cases: list[tuple[Outcome, tuple[Status, Code | None, str]]] = [
        (ended(Status.SENT, "white_space_tidied", "one space"), (Status.MERGED, "coalesced", "row 2 carries it")),
        (ended(Status.REJECTED, "rejected", "No"), (Status.REJECTED, "rejected", "row 2 carries it: No")),
        (ended(Status.UNKNOWN, "timeout", "late"), (Status.UNKNOWN, "timeout", "row 2 carries it: late")),
        (ended(Status.UNSENT, "outage", "not sent: x"), (Status.UNSENT, "outage", "row 2 carries it: not sent: x")),
    ]
    for carrier, (status, code, text) in cases:
        expected = Outcome.without_call(message(1), status, code=code, text=text, finished_at=99.0)
        assert carried(message(1), carrier) == expected


def test_a_call_never_becomes_larger_than_the_api_takes() -> None:
    """A row that makes the body too large is not added. Rows that replace what is there are, however many they are."""
    big = json.dumps({"userId": "u", "traits": {"a": "x" * (LARGEST_BODY - 100)}}).encode()
    fold = Fold(big)
    assert not fold.take(json.dumps({"userId": "u", "traits": {"b": "y" * 200}}).encode())
    assert all(fold.take(big) for _ in range(3))
    assert len(fold.body) <= LARGEST_BODY
    given = schedule()
    given.admit(message(0, traits={"a": "x" * (LARGEST_BODY - 100)}))
    given.admit(message(1, traits={"b": "y" * 200}))
    first = given.take(0.0)
    assert isinstance(first, PendingCall)
    given.settle(first, OK, 0.1)
    assert isinstance(given.take(0.1), PendingCall)


@pytest.mark.parametrize(
    ("earlier", "later", "apart"),
    [(True, False, True), (True, True, False), (False, True, False), (False, False, False), (None, False, False)],
)
def test_a_contact_is_put_into_the_sales_pipeline_before_it_is_taken_out(
    earlier: bool | None, later: bool, apart: bool
) -> None:
    """What `false` does is unknown. A call with `false` alone would perhaps not do what the two calls do."""
    first = message(0) if earlier is None else message(0, add_to_sales_cycle=earlier)
    then = message(1, add_to_sales_cycle=later)
    assert (folded(first, then) is None) is apart
    assert Fold(first.body).take(then.body) is not apart
    given = schedule()
    given.admit(first)
    given.admit(then)
    pending = given.take(0.0)
    assert isinstance(pending, PendingCall)
    assert json.loads(pending.message.body).get("add_to_sales_cycle") is (earlier if apart else later)


def test_many_rows_take_time_in_proportion() -> None:
    """Each row has a tag of its own. It is not compared with all tags before it: of as many rows, that is minutes."""
    fold = Fold(b'{"userId":"u","traits":{}}')
    began = time.process_time()
    for n in range(50_000):
        fold.add(b'{"userId":"u","traits":{},"tags":["%d"]}' % n)
    assert time.process_time() - began < 20
    assert json.loads(fold.body)["tags"] == [str(n) for n in range(50_000)]


def schedule() -> Schedule:
    return Schedule(
        max_queue_size=100, max_retries=3, rate_limit=RateLimit(None), max_outage=300, coalesce=True,
        label=lambda row: f"{row} (line {row + 2})", rng=random.Random(1),
    )  # fmt: skip


def test_a_row_that_is_out_takes_no_other_in() -> None:
    """While a user's first call is in flight, the second row waits, and the third is combined with the second."""
    given = schedule()
    given.admit(message(0, traits={"n": 0}))
    first = given.take(0.0)
    assert isinstance(first, PendingCall)
    given.admit(message(1, traits={"n": 1}))
    given.admit(message(2, traits={"n": 2}))
    assert given.read() == []  # it is unknown yet how the second ends
    assert json.loads(first.message.body)["traits"] == {"n": 0}
    given.settle(first, OK, 0.1)
    second = given.take(0.1)
    assert isinstance(second, PendingCall)
    assert (second.message.row, json.loads(second.message.body)["traits"]) == (2, {"n": 2})
    given.settle(second, OK, 0.2)
    assert [(one.message.row, one.status, one.text) for one in given.read()] == [
        (0, Status.SENT, None),
        (1, Status.MERGED, "row 2 (line 4) carries it"),
        (2, Status.SENT, None),
    ]


def test_a_row_that_was_tried_takes_no_other_in() -> None:
    """A retry keeps its body, because its answer must be about what was sent."""
    given = schedule()
    given.admit(message(0, traits={"n": 0}))
    first = given.take(0.0)
    assert isinstance(first, PendingCall)
    given.settle(first, read_answer(500, b"", 0.1), 0.1)
    given.admit(message(1, traits={"n": 1}))
    assert [one.message.row for one in given.read()] == []


@given(st.lists(st.tuples(st.integers(0, 3), st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)))))
def test_the_traits_end_as_if_every_row_had_been_sent(rows: list[tuple[int, dict[str, int]]]) -> None:
    """Any rows of four users: the calls, applied in order, have the same effect as all rows."""
    given = schedule()
    held: dict[str, dict[str, int]] = {}
    wanted: dict[str, dict[str, int]] = {}
    for row, (user, traits) in enumerate(rows):
        given.admit(message(row, str(user), traits=traits))
        wanted.setdefault(str(user), {}).update(traits)
        if row % 5 == 4 and isinstance(pending := given.take(0.0), PendingCall):
            held.setdefault(pending.message.ordering_key, {}).update(json.loads(pending.message.body)["traits"])
            given.settle(pending, OK, 0.0)
    while isinstance(pending := given.take(0.0), PendingCall):
        held.setdefault(pending.message.ordering_key, {}).update(json.loads(pending.message.body)["traits"])
        given.settle(pending, OK, 0.0)
    assert held == wanted
    assert sorted(one.message.row for one in given.read()) == list(range(len(rows)))


def test_a_limit_is_spared(tmp_path: Path) -> None:
    """5,000 rows of 100 users: one call each with a ledger, and a few hundred without one at 100 per second."""
    frame = pd.DataFrame({"user": [f"u{n % 100}" for n in range(5000)], "city": range(5000), "tier": 1})
    with Sandbox(SandboxOptions(latency=0.02)) as sandbox:
        options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "rate_limit": "100/s"}
        result = load_users(frame, MAPPING, coalesce=True, ledger=tmp_path / "l", **options)
        users = {user.user_id: user.traits["city"] for user in sandbox.users()}
        assert result.rows == 5000
        assert result.sent == result.attempts == 5000 - result.merged == 100
        assert load_users(frame, MAPPING, coalesce=True, **options).attempts < 500
        assert users == {f"u{n}": 4900 + n for n in range(100)}
        lines = result.to_pandas()
        row, text = lines[lines["status"] == "merged"].iloc[0][["row", "message"]]
        carrier = int(text.split()[1])
        assert carrier % 100 == row % 100
        assert carrier > row
        for again in (True, False):
            assert load_users(frame, MAPPING, coalesce=again, ledger=tmp_path / "l", **options).unchanged == 5000


def test_events_are_never_folded() -> None:
    """To request it for events is an error."""
    with pytest.raises(SettingsError, match="coalesce is for users"):
        load_events(pd.DataFrame({"u": [1]}), {"user_id": "u", "event": {"value": "X"}}, api_key="k", coalesce=True)
