"""The account can be read back, page by page and one contact at a time, as the vendor's pages say."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.sandbox.options import parse_assumptions
from interakt_loader.sandbox.order import Order
from tests.sandbox.raw import BASIC, EVENTS, USERS, RawAnswer, RawClient, ask, post
from tests.snippets import ROOT

READ = "/v1/public/apis/users"
ALL = {"trait": "created_at_utc", "op": "gt", "val": "1970-01-01T00:00:00.000Z"}
START = 1_700_000_000.0
"""2023-11-14T22:13:20Z"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.set_clock(START)
        yield running


def read(port: int, *filters: dict[str, Any], query: str = "?offset=0&limit=100", slash: str = "/") -> RawAnswer:
    return ask(port, post(f"{READ}{slash}{query}", {"filters": list(filters or [ALL])}))


def look_up(port: int, kind: str, name: str) -> RawAnswer:
    return ask(port, look_up_call(kind, name))


def look_up_call(kind: str, name: str) -> bytes:
    path = f"{READ}/{kind}/{quote(name, safe='')}"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BASIC}\r\n\r\n".encode()


def data(answer: RawAnswer) -> dict[str, Any]:
    assert answer.status == 200, answer
    assert answer.json.keys() == {"result", "message", "data"}
    assert answer.json["result"] is True
    found: dict[str, Any] = answer.json["data"]
    assert found.keys() == {"total_customers", "has_next_page", "customers"}
    return found


def user_ids(answer: RawAnswer) -> list[str]:
    return [customer["user_id"] for customer in data(answer)["customers"]]


def window(trait: str, after: str, before: str) -> list[dict[str, Any]]:
    return [
        {"trait": trait, "op": "gt", "val": after},
        {"trait": trait, "op": "lt", "val": before, "supr_op": "and"},
    ]


class Reader(RawClient):
    """Pages through the account over one connection, as a client that was written from the vendor's page does."""

    def __enter__(self) -> Reader:
        return self

    def page(self, offset: int, *filters: dict[str, Any], limit: int = 100) -> dict[str, Any]:
        query = f"?offset={offset}&limit={limit}"
        return data(self.ask(post(f"{READ}/{query}", {"filters": list(filters or [ALL])})))

    def all(self, *filters: dict[str, Any], limit: int = 100) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self.page(len(found), *filters, limit=limit)
            found += page["customers"]
            if not page["has_next_page"]:
                return found


def test_a_contact_is_what_was_sent_with_the_servers_times(sandbox: Sandbox) -> None:
    """Names, traits and tags are those of the calls; both times are the server's, whatever createdAt says."""
    who = {"userId": "c1", "countryCode": "+91", "phoneNumber": "9876543210"}
    traits = {"name": "आशा", "n": 1, "x": 1.5, "ok": True, "none": None, "list": [1, "a"]}
    accepted = ask(sandbox.port, post(USERS, {**who, "traits": traits, "tags": ["b", "a"], "createdAt": "2020-01-01"}))
    sandbox.advance(60)
    ask(sandbox.port, post(USERS, {**who, "traits": {"n": 2}}))
    (customer,) = data(read(sandbox.port))["customers"]
    assert customer == {
        "id": accepted.json["message"].split()[2],
        "user_id": "c1",
        "phone_number": "9876543210",
        "country_code": "+91",
        "traits": {**traits, "n": 2},
        "tags": ["b", "a"],
        "created_at_utc": "2023-11-14T22:13:20.000Z",
        "modified_at_utc": "2023-11-14T22:14:20.000Z",
    }
    assert sandbox.contacts() == [customer]


def test_pages_follow_one_another(sandbox: Sandbox) -> None:
    """Each contact is on one page, the newest first; each page knows the total and whether another comes."""
    for number in range(25):
        sandbox.advance(1)
        sandbox.put(user_id=f"c{number}")
    pages = [data(read(sandbox.port, query=f"?offset={offset}&limit=10")) for offset in (0, 10, 20, 30)]
    assert [page["total_customers"] for page in pages] == [25] * 4
    assert [page["has_next_page"] for page in pages] == [True, True, False, False]
    found = [customer["user_id"] for page in pages for customer in page["customers"]]
    assert found == [f"c{number}" for number in reversed(range(25))]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("query", "count"), [("", 100), ("?limit=1", 1), ("?offset=100", 1), ("?offset=101", 0)])
def test_limit_and_offset_have_defaults(sandbox: Sandbox, slash: str, query: str, count: int) -> None:
    """100 from the first on, with and without the slash before the question mark."""
    sandbox.put_many({"user_id": f"c{number}"} for number in range(101))
    assert len(user_ids(read(sandbox.port, query=query, slash=slash))) == count


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=101", "?limit=-1", "?limit=x", "?limit=", "?offset=-1", "?offset=1.5", "?page=2"]
)
def test_a_wrong_page_gets_400(sandbox: Sandbox, query: str) -> None:
    answer = read(sandbox.port, query=query)
    assert (answer.status, answer.json["result"]) == (400, False)
    assert re.search("limit|offset|page", answer.json["message"])


AND = {**ALL, "supr_op": "and"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        [],
        {},
        {"filters": {}},
        {"filters": []},
        {"filters": ["all"]},
        {"filters": [ALL], "limit": 1},
        {"filters": [{**ALL, "trait": "name"}]},
        {"filters": [{**ALL, "trait": ["created_at_utc"]}]},
        {"filters": [{**ALL, "op": "gte"}]},
        {"filters": [{**ALL, "more": 1}]},
        {"filters": [{"trait": "created_at_utc", "op": "gt"}]},
        {"filters": [AND]},
        {"filters": [ALL, ALL]},
        {"filters": [ALL, {**ALL, "supr_op": "or"}]},
        *(
            {"filters": [{**ALL, "val": val}]}
            for val in (
                None,
                0,
                "",
                "2021-09-08",
                "2021-09-08T11:30:00.000",
                "2021-09-08T11:30:00.000+00:00",
                "2021-09-08 11:30:00.000Z",
                "2021-02-30T11:30:00.000Z",
                "2021-09-08T24:30:00.000Z",
                "٢٠٢١-09-08T11:30:00.000Z",
            )
        ),
    ],
    ids=lambda body: str(body)[:60],
)
def test_a_wrong_filter_gets_400(body: Any) -> None:
    """In the API's form, and the connection stays open."""
    with Sandbox(SandboxOptions(max_body=200_000)) as sandbox, RawClient(sandbox.port) as client:
        answer = client.ask(post(f"{READ}/", body))
        assert (answer.status, answer.json["result"]) == (400, False)
        assert answer.json["message"]
        assert client.ask(post(f"{READ}/", {"filters": [ALL, AND]})).status == 200
        assert sandbox.stats().reads_by_status == {400: 1, 200: 1}


def test_filters_leave_their_own_times_out(sandbox: Sandbox) -> None:
    """`gt` and `lt` are strict, all of them have to hold, and they can name both times."""
    for number in range(5):
        sandbox.put(user_id=f"c{number}", created=START + number, modified=START + 10 - number)
    inside = window("created_at_utc", "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:24.000Z")
    assert user_ids(read(sandbox.port, *inside)) == ["c3", "c2", "c1"]
    modified = {"trait": "modified_at_utc", "op": "gt", "val": "2023-11-14T22:13:27.999Z", "supr_op": "and"}
    assert user_ids(read(sandbox.port, *inside, modified)) == ["c2", "c1"]
    assert user_ids(read(sandbox.port, *inside, {**modified, "val": "2023-11-14T22:13:28Z"})) == ["c1"]
    assert user_ids(read(sandbox.port, *inside, {**modified, "val": "2023-11-14T22:13:28.000001Z"})) == ["c1"]
    nothing = window("modified_at_utc", "2023-11-14T22:13:28.000Z", "2023-11-14T22:13:27.000Z")
    assert data(read(sandbox.port, *nothing)) == {"total_customers": 0, "has_next_page": False, "customers": []}


@pytest.mark.parametrize("order", ["created", "modified", "random"])
def test_pages_are_those_of_a_plain_sort(order: str) -> None:
    """Through thousands of contacts with equal times, changes and deletions: as if all were sorted for each page."""
    rng = random.Random(7)
    options = SandboxOptions(read_order=order, seed=1)  # type: ignore[arg-type]
    with Sandbox(options) as sandbox, Reader(sandbox.port) as reader:
        sandbox.set_clock(START)
        sandbox.put_many(
            {"user_id": f"c{number}", "created": START + rng.randrange(300), "modified": START + rng.randrange(300)}
            for number in range(3000)
        )
        names = [f"c{number}" for number in range(3000)]
        sandbox.advance(300)
        for step in range(40):
            for _ in range(20):
                name = names.pop(rng.randrange(len(names)))
                if rng.random() < 0.5:
                    sandbox.delete(name)
                else:
                    sandbox.change(name, step=step)
                    names.append(name)
            sandbox.put(user_id=f"new {step}")
            sandbox.advance(rng.choice([0, 0.001, 1]))
            trait = rng.choice(["created_at_utc", "modified_at_utc"])
            after, before = (f"2023-11-14T22:{rng.randrange(13, 24)}:{rng.randrange(60):02}.000Z" for _ in range(2))
            filters = rng.choice(
                [[ALL], window(trait, after, before), window(trait, min(after, before), "2024" + after[4:])]
            )
            kept = [
                customer
                for customer in sandbox.contacts()
                if all(
                    customer[one["trait"]] > one["val"] if one["op"] == "gt" else customer[one["trait"]] < one["val"]
                    for one in filters
                )
            ]
            key = "created_at_utc" if order == "created" else "modified_at_utc"
            offset = rng.randrange(len(kept) + 10)
            page = reader.page(offset, *filters)
            expected = sorted(kept, key=lambda customer: customer[key], reverse=True)[offset : offset + 100]
            assert page["total_customers"] == len(kept)
            assert page["has_next_page"] is (offset + 100 < len(kept))
            assert [customer[key] for customer in page["customers"]] == [customer[key] for customer in expected]
            ids = [customer["id"] for customer in page["customers"]]
            assert len(set(ids)) == len(ids)
            known = {customer["id"]: customer for customer in kept}
            assert all(known[customer["id"]] == customer for customer in page["customers"])


def test_a_window_of_one_time_is_paged_in_the_order_of_the_other(sandbox: Sandbox) -> None:
    """Of thousands that came after the first page was read, before a change and after it."""
    assert user_ids(read(sandbox.port)) == []
    sandbox.put_many(
        {"user_id": f"c{number}", "created": START + number, "modified": START + 5000 - number * 7 % 5000}
        for number in range(5000)
    )
    inside = window("modified_at_utc", "2023-11-14T22:20:00.000Z", "2023-11-14T23:20:00.000Z")
    with Reader(sandbox.port) as reader:
        for _ in range(2):
            found = [customer["user_id"] for customer in reader.all(*inside)]
            kept = (one for one in sandbox.contacts() if inside[0]["val"] < one["modified_at_utc"] < inside[1]["val"])
            assert found == [one["user_id"] for one in kept][::-1]
            assert 3500 < len(found) < 3700
            sandbox.change(found[50])
            sandbox.delete(found[100])


def test_a_page_and_a_change_look_at_few_of_many_contacts() -> None:
    """At 100,000 items a place is found, and an item moved, with a binary search's number of looks."""
    looks = 0

    def key(item: list[float]) -> tuple[float, float]:
        nonlocal looks
        looks += 1
        return item[0], item[1]

    items = [[float(number % 1000), number] for number in range(100_000)]
    order = Order(items, key)  # type: ignore[type-var]
    looks = 0
    start, stop = order.between(99, 200)
    assert (start, stop) == (10_000, 20_000)
    assert [item[0] for item in order.part(start, stop)] == [float(place // 100) for place in range(start, stop)]
    order.remove(items[500])
    order.add(items[500])
    assert len(order) == 100_000
    assert 0 < looks < 150


def test_equal_times_can_come_in_another_order_each_time() -> None:
    """Then the pages of a window can miss a contact and repeat another, though nothing has changed."""
    with Sandbox(SandboxOptions(read_order="random")) as sandbox, Reader(sandbox.port) as reader:
        sandbox.put_many({"user_id": f"c{number}", "modified": START} for number in range(300))
        found = [customer["user_id"] for customer in reader.all()]
        assert len(found) == 300
        assert len(set(found)) < 300
        first, second = ({customer["user_id"] for customer in reader.page(0)["customers"]} for _ in range(2))
        assert first != second
    with Sandbox() as sandbox, Reader(sandbox.port) as reader:
        sandbox.put_many({"user_id": f"c{number}", "modified": START} for number in range(300))
        assert len({customer["user_id"] for customer in reader.all()}) == 300


def test_a_naive_reader_misses_what_moves_between_two_pages() -> None:
    """A contact that is changed jumps to the first page, and pushes another one onto a page that comes later."""
    with Sandbox(SandboxOptions(read_order="modified")) as sandbox, Reader(sandbox.port) as reader:
        sandbox.put_many({"user_id": f"c{number}", "modified": START + number} for number in range(300))
        pages = []

        def change_once(contacts: list[dict[str, Any]]) -> None:
            pages.append([contact["user_id"] for contact in contacts])
            if len(pages) == 1:
                sandbox.change("c0", name="edited")

        sandbox.on_read(change_once)
        found = [customer["user_id"] for customer in reader.all()]
        sandbox.on_read(None)
        assert found == [name for page in pages for name in page]
        assert found.count("c200") == 2
        assert "c0" not in found
        reader.all()
        assert len(pages) == 3


def test_it_can_change_from_another_thread_while_it_is_read() -> None:
    """Every page is one state of the account: no contact is twice on it, and the total is that of some moment."""
    with Sandbox(SandboxOptions(read_order="modified")) as sandbox, Reader(sandbox.port) as reader:
        sandbox.put_many({"user_id": f"c{number}"} for number in range(1000))
        done = threading.Event()

        def edit() -> None:
            number = 0
            while not done.is_set():
                number += 1
                sandbox.change(f"c{number % 500}", number=number)
                sandbox.put(user_id=f"d{number % 10}")
                sandbox.delete(f"d{number % 10}")

        editor = threading.Thread(target=edit)
        editor.start()
        try:
            for offset in range(0, 1000, 20):
                page = reader.page(offset)
                ids = [customer["id"] for customer in page["customers"]]
                assert len(ids) == len(set(ids)) == min(100, page["total_customers"] - offset)
                assert page["total_customers"] in (1000, 1001)
        finally:
            done.set()
            editor.join()


def test_one_contact_by_its_phone(sandbox: Sandbox) -> None:
    """By the digits alone: each contact with them, whatever its country; 404 in JSON if there is none."""
    sandbox.put(user_id="in", country_code="+91", phone="9876543210")
    sandbox.put(user_id="us", country_code="+1", phone="9876543210")
    sandbox.put(user_id="other", country_code="+1", phone="9")
    answer = look_up(sandbox.port, "phone_number", "9876543210")
    assert sorted(user_ids(answer)) == ["in", "us"]
    assert data(answer)["total_customers"] == 2
    assert user_ids(look_up(sandbox.port, "phone_number", "9")) == ["other"]
    for unknown in ("919876543210", "876543210"):
        answer = look_up(sandbox.port, "phone_number", unknown)
        assert (answer.status, answer.json["result"]) == (404, False)
    assert look_up(sandbox.port, "phone_number", "+919876543210").status == 400


def test_a_whole_number_comes_back_in_two_parts(sandbox: Sandbox) -> None:
    """A number that was sent whole is split by its country's code; one that was sent in parts stays as it was sent."""
    for full in ("919876543210", "12025550123", "971501234567", "6512345678"):
        ask(sandbox.port, post(USERS, {"fullPhoneNumber": full}))
    sandbox.put(country_code="+1242", phone="3591234")
    parts = [(one["country_code"], one["phone_number"]) for one in sandbox.contacts()]
    whole = [("+91", "9876543210"), ("+1", "2025550123"), ("+971", "501234567"), ("+65", "12345678")]
    assert parts == [*whole, ("+1242", "3591234")]
    for _, digits in parts:
        assert len(user_ids(look_up(sandbox.port, "phone_number", digits))) == 1


@pytest.mark.parametrize(("read_id", "own", "sent"), [("both", 200, 200), ("id", 200, 404), ("user_id", 404, 200)])
def test_one_contact_by_its_id(read_id: str, own: int, sent: int) -> None:
    """Which id that is, is an option."""
    with Sandbox(SandboxOptions(read_id=read_id)) as sandbox:  # type: ignore[arg-type]
        ids = [sandbox.put(user_id=name) for name in ("a b/ü", "c2", "c3")]
        sandbox.delete("c2")
        assert look_up(sandbox.port, "id", ids[2]).status == own
        answer = look_up(sandbox.port, "id", "a b/ü")
        assert answer.status == sent
        if sent == 200:
            assert user_ids(answer) == ["a b/ü"]
        for unknown in (ids[1], ids[0][:-1], ids[0][:24] + "x" * 12, "c2"):
            assert look_up(sandbox.port, "id", unknown).status == 404


def test_none_can_be_an_empty_list() -> None:
    with Sandbox(SandboxOptions(read_404="empty")) as sandbox:
        for kind, name in (("phone_number", "9"), ("id", "c1")):
            assert data(look_up(sandbox.port, kind, name))["customers"] == []


def test_ids_are_those_of_the_seed() -> None:
    """Two sandboxes with the same seed give the same ids, and one with another gives others."""
    first, same, other = (Sandbox(SandboxOptions(seed=seed)).put(user_id="c1") for seed in (1, 1, 2))
    assert first == same != other


def test_types_can_come_back_as_text() -> None:
    traits = {"n": 1, "x": 1.5, "ok": True, "none": None, "text": "1", "list": [1, False, "a"]}
    with Sandbox(SandboxOptions(read_types="text")) as sandbox:
        ask(sandbox.port, post(USERS, {"userId": "c1", "traits": traits}))
        (customer,) = data(read(sandbox.port))["customers"]
        assert customer["traits"] == {
            "n": "1", "x": "1.5", "ok": "true", "none": None, "text": "1", "list": ["1", "false", "a"]
        }  # fmt: skip
        assert sandbox.users()[0].traits == traits


def test_traits_can_be_a_list() -> None:
    with Sandbox(SandboxOptions(read_traits="list")) as sandbox:
        sandbox.put(user_id="c1", traits={"a": 1, "b": [2]})
        (customer,) = data(read(sandbox.port))["customers"]
    assert customer["traits"] == [{"name": "a", "value": 1}, {"name": "b", "value": [2]}]


def test_what_a_contact_lacks_is_null_or_absent() -> None:
    with Sandbox() as null, Sandbox(SandboxOptions(read_missing="absent")) as absent:
        for sandbox in (null, absent):
            sandbox.put(user_id="c1")
            sandbox.put(country_code="+91", phone="9")
        (first, second), (third, fourth) = (data(read(one.port))["customers"] for one in (null, absent))
    assert (second["phone_number"], second["country_code"], first["user_id"]) == (None, None, None)
    assert "user_id" not in third
    assert fourth.keys() & {"user_id", "phone_number", "country_code"} == {"user_id"}


def test_a_contact_can_have_more_fields() -> None:
    with Sandbox(SandboxOptions(read_extra=True)) as sandbox:
        who = {"countryCode": "+91", "phoneNumber": "9"}
        ask(sandbox.port, post(USERS, {**who, "createdAt": "2020-01-01"}), post(USERS, {"userId": "c2"}))
        second, first = data(read(sandbox.port))["customers"]
    assert first["full_phone_number"] == "919"
    assert first["customer_created_at_source"] == "2020-01-01"
    assert second["full_phone_number"] is None
    assert {"channel_type", "assigned_agent"} <= first.keys()


@pytest.mark.parametrize(
    ("read_times", "shown", "after", "found"),
    [
        ("ms", "2023-11-14T22:13:20.123Z", "2023-11-14T22:13:20.123Z", 0),
        ("us", "2023-11-14T22:13:20.123456Z", "2023-11-14T22:13:20.123455Z", 1),
        ("us", "2023-11-14T22:13:20.123456Z", "2023-11-14T22:13:20.123456Z", 0),
        ("short", "2023-11-14T22:13:20.123Z", "2023-11-14T22:13:20.123Z", 1),
    ],
)
def test_times_are_as_exact_as_the_option_says(read_times: str, shown: str, after: str, found: int) -> None:
    """With `short` a contact is later than the time that it shows."""
    with Sandbox(SandboxOptions(read_times=read_times)) as sandbox:  # type: ignore[arg-type]
        sandbox.set_clock(START + 0.123456)
        ask(sandbox.port, post(USERS, {"userId": "c1"}))
        sandbox.put(user_id="c2", modified=START + 0.123456)
        assert {customer["modified_at_utc"] for customer in sandbox.contacts()} == {shown}
        answer = read(sandbox.port, {"trait": "modified_at_utc", "op": "gt", "val": after})
        assert data(answer)["total_customers"] == found * 2


def test_every_microsecond_is_kept() -> None:
    """No float on the way makes one of its neighbours of it."""
    with Sandbox(SandboxOptions(read_times="us")) as sandbox:
        sandbox.put_many({"user_id": f"c{us}", "modified": START + us / 1e6} for us in range(0, 1_000_000, 997))
        for customer in sandbox.contacts():
            assert customer["modified_at_utc"] == f"2023-11-14T22:13:20.{int(customer['user_id'][1:]):06}Z"


def test_what_changes_the_time_modified() -> None:
    """Calls for a user and edits, with equal values too; an event only with the option."""
    for option in (False, True):
        with Sandbox(SandboxOptions(read_events_modify=option)) as sandbox:
            sandbox.set_clock(START)
            seen = []
            for change in (
                lambda port: ask(port, post(USERS, {"userId": "c1"})),
                lambda port: ask(port, post(USERS, {"userId": "c1"})),
                lambda _: sandbox.change("c1"),
                lambda _: sandbox.put(user_id="c1"),
                lambda port: ask(port, post(EVENTS, {"userId": "c1", "event": "x"})),
                lambda port: ask(port, post(EVENTS, {"userId": "c2", "event": "x"})),
            ):
                sandbox.advance(1)
                change(sandbox.port)
                (customer,) = data(read(sandbox.port))["customers"]
                seen.append(customer["modified_at_utc"][17:19])
                assert customer["created_at_utc"][17:19] == "21"
            assert seen == ["21", "22", "23", "24", *(["25"] * 2 if option else ["24"] * 2)]


def test_a_change_can_be_read_after_a_delay() -> None:
    """Until then the account shows what was before: of calls, edits and deletions, and in look-ups too."""
    with Sandbox(SandboxOptions(read_delay=5)) as sandbox:
        sandbox.set_clock(START)
        ask(sandbox.port, post(USERS, {"userId": "c1", "traits": {"n": 1}}))
        assert data(read(sandbox.port))["customers"] == sandbox.contacts() == []
        assert look_up(sandbox.port, "id", "c1").status == 404
        sandbox.advance(4)
        ask(sandbox.port, post(USERS, {"userId": "c1", "traits": {"n": 2}}))
        sandbox.advance(1)
        (customer,) = data(read(sandbox.port))["customers"]
        assert (customer["traits"], customer["modified_at_utc"][17:19]) == ({"n": 1}, "20")
        sandbox.delete("c1")
        sandbox.advance(4)
        (customer,) = data(look_up(sandbox.port, "id", customer["id"]))["customers"]
        assert (customer["traits"], customer["modified_at_utc"][17:19]) == ({"n": 2}, "24")
        assert sandbox.users() == []
        sandbox.advance(1)
        assert data(read(sandbox.port))["customers"] == sandbox.contacts() == []


def test_the_clock_stands_and_runs_on() -> None:
    """`set_clock` stops it, `advance` moves it, and with None it runs on from where it stands."""
    with Sandbox() as sandbox:
        before = time.time()
        sandbox.advance(3600)
        sandbox.put(user_id="ahead")
        sandbox.set_clock(START)
        sandbox.put(user_id="stands")
        sandbox.advance(0.5)
        sandbox.put(user_id="moved")
        for _ in range(2):
            sandbox.set_clock(None)
        sandbox.put(user_id="runs")
        ahead, stands, moved, runs = (
            datetime.fromisoformat(one["modified_at_utc"].replace("Z", "+00:00")).timestamp()
            for one in sandbox.contacts()
        )
        assert before + 3599.9 <= ahead <= time.time() + 3600
        assert (stands, moved) == (START, START + 0.5)
        assert START + 0.5 <= runs <= START + 0.5 + (time.time() - before)
        for bad in (-1, float("inf"), float("nan")):
            with pytest.raises(SettingsError, match="seconds, 0 or more"):
                sandbox.advance(bad)


@pytest.mark.parametrize("kind", ["page", "phone_number", "id"])
def test_key_plan_method_and_type(kind: str) -> None:
    """They are checked as for the calls that track."""
    path = f"{READ}/" if kind == "page" else f"{READ}/{kind}/1"
    method, wrong = ("POST", "GET") if kind == "page" else ("GET", "POST")

    def call(method: str, key: str, content_type: str = "application/json") -> bytes:
        body = json.dumps({"filters": [ALL]})
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {key}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    with Sandbox() as sandbox, Sandbox(SandboxOptions(plan_without_api=True)) as plain:
        sandbox.put(country_code="+91", phone="1", user_id="1")
        assert ask(sandbox.port, call(method, BASIC)).status == 200
        assert ask(sandbox.port, call(method, "Basic x")).json["message"] == "Invalid token provided"
        answer = ask(sandbox.port, call(wrong, BASIC))
        assert (answer.status, answer.headers["allow"]) == (405, method)
        assert ask(sandbox.port, call(method, BASIC, "text/plain")).status == (415 if kind == "page" else 200)
        assert ask(plain.port, call(method, BASIC)).status == 403
        assert ask(plain.port, call(method, "Basic x")).status == 401


@pytest.mark.parametrize(
    "path",
    [f"{READ}/phone_number/", f"{READ}/phone_number", f"{READ}/email/x", f"{READ}/id/a/b", f"{READ}x/", f"{READ}/id/"],
)
def test_other_paths_are_an_html_404(sandbox: Sandbox, path: str) -> None:
    answer = ask(sandbox.port, post(path, {"filters": [ALL]}))
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("fault", "status"),
    [("400", 400), ("401", 401), ("429", 429), ("429-retry-after", 429), ("500", 500), ("503", 503), ("html502", 502)],
)
def test_faults_with_an_answer(sandbox: Sandbox, fault: str, status: int) -> None:
    sandbox.force([fault, fault])
    assert read(sandbox.port).status == status
    assert look_up(sandbox.port, "id", "c1").status == status
    stats = sandbox.stats()
    assert (stats.faults, stats.reads_by_status) == ({fault: 2}, {status: 2})


def test_faults_without_an_answer(sandbox: Sandbox) -> None:
    """A reset and a cut end the connection, a hang keeps it open, and garbage is a 200 that is not JSON."""
    sandbox.force(["reset", "cut", "garbage", "hang"])
    for _ in range(2):
        with pytest.raises((EOFError, ConnectionError)):
            read(sandbox.port)
    answer = read(sandbox.port)
    assert answer.status == 200
    with pytest.raises(ValueError, match=r"decode|Expecting"):
        assert answer.json
    with RawClient(sandbox.port) as client:
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.ask(look_up_call("id", "c1"))
    stats = sandbox.stats()
    assert (stats.reads, stats.reads_by_status) == (4, {200: 1})


def test_a_users_script_of_faults_passes_by_reads(sandbox: Sandbox) -> None:
    sandbox.force_for("c1", ["500"])
    assert read(sandbox.port).status == 200
    assert ask(sandbox.port, post(USERS, {"userId": "c1"})).status == 500


@pytest.mark.parametrize(
    ("read_limit", "limit_per", "statuses"),
    [
        ("shared", "account", [202, 429, 429, 429]),
        ("apart", "account", [202, 429, 200, 429]),
        ("shared", "endpoint", [202, 429, 200, 404]),
        ("apart", "endpoint", [202, 429, 200, 429]),
    ],
)
def test_the_limit_is_shared_or_apart(read_limit: str, limit_per: str, statuses: list[int]) -> None:
    """Two calls that track, a page and a look-up, with one call allowed in a minute."""
    options = SandboxOptions(limit_per_minute=1, read_limit=read_limit, limit_per=limit_per)  # type: ignore[arg-type]
    user, page = post(USERS, {"userId": "c1"}), post(f"{READ}/", {"filters": [ALL]})
    with Sandbox(options) as sandbox, RawClient(sandbox.port) as client:
        assert [client.ask(call).status for call in (user, user, page, look_up_call("id", "x"))] == statuses
        assert sandbox.stats().refused_by_limit == statuses.count(429)


def test_calls_that_read_are_counted_apart() -> None:
    """`calls` and `by_status` are those that track; arrivals are all; a reset forgets both."""
    with Sandbox(SandboxOptions(record_arrivals=True, max_body=100)) as sandbox:
        ask(sandbox.port, post(USERS, {"userId": "c1"}))
        read(sandbox.port)
        look_up(sandbox.port, "id", "nobody")
        assert read(sandbox.port, *[ALL] * 9).status == 413
        stats = sandbox.stats()
        assert (stats.calls, stats.by_status, stats.accepted) == (1, {202: 1}, 1)
        assert (stats.reads, stats.reads_by_status) == (3, {200: 1, 404: 1, 413: 1})
        assert len(sandbox.arrivals()) == 3
        sandbox.reset()
        assert (sandbox.stats().reads, sandbox.stats().reads_by_status, sandbox.contacts()) == (0, {}, [])
        assert data(read(sandbox.port))["total_customers"] == 0


def test_a_read_waits_for_its_latency() -> None:
    with Sandbox(SandboxOptions(latency=0.2)) as sandbox:
        before = time.monotonic()
        assert read(sandbox.port).status == 200
        assert time.monotonic() - before >= 0.2


@pytest.mark.parametrize("kind", [Sandbox, SandboxProcess])
def test_the_dashboard_edits_contacts(kind: type[Sandbox] | type[SandboxProcess]) -> None:
    """`put`, `put_many`, `change` and `delete` do the same in this process and in another."""
    with kind(SandboxOptions(seed=3)) as sandbox:
        sandbox.set_clock(START)
        first = sandbox.put(user_id="c1", country_code="+91", phone="9", traits={"Pin code": 1}, tags=["a", "a"])
        sandbox.advance(1)
        assert sandbox.put(user_id="c1", traits={"b": 2}, tags=["b"]) == first
        rows = ({"user_id": f"d{number}", "modified": START} for number in range(12_000))
        assert sandbox.put_many(rows) == 12_000
        sandbox.change("c1", **{"Pin code": 3, "identity": 4})
        sandbox.delete("d0")
        contacts = sandbox.contacts()
        assert contacts[0] == {
            "id": first,
            "user_id": "c1",
            "phone_number": "9",
            "country_code": "+91",
            "traits": {"Pin code": 3, "b": 2, "identity": 4},
            "tags": ["a", "b"],
            "created_at_utc": "2023-11-14T22:13:20.000Z",
            "modified_at_utc": "2023-11-14T22:13:21.000Z",
        }
        assert [contact["user_id"] for contact in contacts[1:]] == [f"d{number}" for number in range(1, 12_000)]
        assert sandbox.contacts(limit=2, offset=1) == contacts[1:3]
        assert data(read(sandbox.port))["total_customers"] == sandbox.stats().users == 12_000
        sandbox.delete("+919")
        assert sandbox.find_user("c1") is None
        assert look_up(sandbox.port, "phone_number", "9").status == 404
        assert sandbox.put(user_id="c1") != first
        assert sandbox.stats().reads == 2
        for wrong in (
            lambda: sandbox.change("nobody", a=1),
            lambda: sandbox.delete("nobody"),
            lambda: sandbox.put(traits={"a": 1}),
            lambda: sandbox.put(phone="9"),
            lambda: sandbox.put(country_code="+91", phone="09"),
        ):
            with pytest.raises(SettingsError, match="sandbox"):
                wrong()
        sandbox.put(user_id="c2", country_code="+91", phone="8")
        with pytest.raises(SettingsError, match="belongs to another customer"):
            sandbox.put(user_id="c3", country_code="+91", phone="8")


def test_a_contact_that_cannot_be_kept_leaves_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        sandbox.put(user_id="c1", traits={"a": object()})
    with pytest.raises(TypeError, match="colour"):
        sandbox.put_many([{"user_id": "c1", "colour": "red"}])
    assert (sandbox.contacts(), sandbox.find_user("c1")) == ([], None)


def test_a_contact_from_the_dashboard_takes_calls(sandbox: Sandbox) -> None:
    """It is the same contact: traits and tags are merged."""
    sandbox.put(user_id="c1", traits={"a": 1, "b": 1}, tags=["x"])
    ask(sandbox.port, post(USERS, {"userId": "c1", "traits": {"b": 2}, "tags": ["y"]}))
    (user,) = sandbox.users()
    assert (user.traits, user.tags, user.calls) == ({"a": 1, "b": 2}, ["x", "y"], 1)


def test_the_page_names_every_assumption() -> None:
    """The tables of "How close it is to the API" have each option that is assumed, and no other."""
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8").partition("## How close it is")[2]
    named = {name for name in re.findall(r"`(\w+)`", page) if name in SandboxOptions.__dataclass_fields__}
    assumed = {one.name for one in fields(SandboxOptions) if "*Assumed*" in one.metadata["meaning"]}
    assert named == assumed


def test_assumptions_are_read_from_text() -> None:
    """As the command line has them: each of its type, none that is documented, and mistakes by name."""
    text = "read_types=text, read_delay=2,read_extra=yes,retry_after=no,limit_per=endpoint,"
    assert parse_assumptions(text) == {
        "read_types": "text", "read_delay": 2.0, "read_extra": True, "retry_after": False, "limit_per": "endpoint"
    }  # fmt: skip
    assert parse_assumptions("") == {}
    for wrong, said in (
        ("read_type=text", "did you mean 'read_types'"),
        ("port=1", "no assumption 'port'"),
        ("read_extra=1", "expected yes or no"),
        ("read_delay=soon", "expected a number"),
    ):
        with pytest.raises(SettingsError, match=said):
            parse_assumptions(wrong)
    for wrong, said in (("read_types=texts", "as_sent or text"), ("read_delay=-1", "seconds, 0 or more")):
        with pytest.raises(SettingsError, match=said):
            SandboxOptions(**parse_assumptions(wrong))
