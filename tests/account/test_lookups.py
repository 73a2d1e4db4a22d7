"""Single look-ups find who is there, and never say that somebody is absent who is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from interakt_loader.account.contacts import PATH, Contact, Page, Request, page_request
from interakt_loader.account.lookups import Undecided, Wanted, fewer_calls, look_up
from interakt_loader.account.reader import AccountReader
from interakt_loader.errors import KeyRefused
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.settings import Settings

# ------------------------------------------------------------------ an account over a socket

PEOPLE = [
    {"user_id": "C-1", "country_code": "+91", "phone": "9876543210"},
    {"user_id": "C-2", "country_code": "+1", "phone": "2025550123"},
    {"country_code": "+91", "phone": "9876543211"},
]


@pytest.fixture
def account() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.put_many(PEOPLE)
        yield sandbox


def reader(sandbox: Sandbox, **options: Any) -> AccountReader:
    return AccountReader(Settings(api_key=sandbox.api_key, base_url=sandbox.url, **options))


def found(sandbox: Sandbox, *users: tuple[str | None, str | None, str | None], **options: Any) -> list[str]:
    """Look users up after a page that is known; return the identities of who is found, in order."""
    with reader(sandbox, **options) as asked:
        known = asked.fetch([page_request(0, None, 0)])[0].contacts
        groups = look_up([Wanted(*user) for user in users], known, asked.look_up, asked.probe)
        return sorted(str(one.user_id or one.phone) for group in groups for one in group)


def by_id(*names: str) -> list[tuple[str, None, None]]:
    return [(name, None, None) for name in names]


IN, US = ("+91", "9876543210"), ("+1", "2025550123")


def test_users_are_found_by_id_and_by_phone(account: Sandbox) -> None:
    """One call for each, besides a page and two probes."""
    assert found(account, ("C-1", *IN), ("C-2", None, None), (None, "+91", "9876543211")) == [
        "9876543211",
        "C-1",
        "C-2",
    ]
    assert account.stats().reads == 6


def test_only_users_without_an_id_need_a_probe_by_phone(account: Sandbox) -> None:
    """The page, one probe, and one call for each user."""
    assert found(account, ("C-1", *IN), ("C-2", *US)) == ["C-1", "C-2"]
    assert account.stats().reads == 4


@pytest.mark.parametrize("read_404", ["404", "empty"])
def test_who_is_absent_is_not_found(read_404: Any) -> None:
    """By a 404 and by an empty list; an absent id is looked up by its phone, too."""
    with Sandbox(SandboxOptions(read_404=read_404)) as sandbox:
        sandbox.put_many(PEOPLE)
        assert found(sandbox, ("C-9", None, None), ("C-8", "+91", "9"), (None, "+91", "8")) == []
        assert sandbox.stats().reads == 7


def test_many_absent_users_are_no_failures(account: Sandbox) -> None:
    """They are not counted by `max_failures`."""
    assert found(account, *by_id(*(f"D-{number}" for number in range(400))), max_failures=1) == []


def test_another_contact_with_the_phone_of_a_row_is_found(account: Sandbox) -> None:
    """Whether nobody has the row's id, or somebody has it with another phone."""
    assert found(account, ("C-9", *US)) == ["C-2"]
    assert found(account, ("C-1", *US)) == ["C-1", "C-2"]


def test_each_identity_is_asked_for_once(account: Sandbox) -> None:
    """And each contact comes once, by id or by phone."""
    users = [("C-1", *US), ("C-1", *US), ("C-2", *US), (None, *US), ("C-1", *IN), (None, *IN)]
    assert found(account, *users) == ["C-1", "C-2"]
    assert account.stats().reads == 7


def test_nobody_by_a_phone_whose_code_may_be_longer_decides_nothing(account: Sandbox) -> None:
    """Some write +1 242 as a code of its own."""
    assert found(account, (None, *US)) == ["C-2"]
    with pytest.raises(Undecided, match="may be written longer"):
        found(account, (None, "+1", "2423591234"))


def test_a_phone_of_another_country_decides_nothing(account: Sandbox) -> None:
    """The API may show one contact of several."""
    with pytest.raises(Undecided, match="phone finds another contact"):
        found(account, (None, "+44", "9876543210"))
    account.put(user_id="C-4", country_code="+44", phone="9876543210")
    assert found(account, (None, "+44", "9876543210")) == ["C-1", "C-4"]


IDS = ["a/b", "..", ".", "é", "50%", " ", "a?b#c", "%2F", "अ-1", "+1", "x" * 3000]


def test_any_id_is_looked_up(account: Sandbox) -> None:
    account.put_many({"user_id": name} for name in IDS)
    for name in IDS:
        assert found(account, *by_id(name)) == [name]
    assert found(account, *by_id(*IDS)) == sorted(IDS)


@pytest.mark.parametrize("name", ["a/b", "..", "é", "50%", "a b"])
def test_an_id_with_characters_that_were_not_found_is_not_called_absent(account: Sandbox, name: str) -> None:
    """A server may not get them as they were sent."""
    with pytest.raises(Undecided, match="with characters"):
        found(account, *by_id("C-1", name))


def test_an_id_with_characters_that_were_found_can_be_absent(account: Sandbox) -> None:
    """In the probe or in another user of the table; dots alone are no other id's dots."""
    for name in ("asha@x.in", "a/b@x.in", "7"):
        account.put(user_id=name)
    assert found(account, *by_id("ravi", "ravi@x.in")) == []
    assert found(account, *by_id("50@x", "asha@x.in", "C-1")) == ["C-1", "asha@x.in"]
    with pytest.raises(Undecided, match="with characters"):
        found(account, *by_id("asha@x.in", ".."))


@pytest.mark.parametrize(("read_id", "decides"), [("both", True), ("user_id", True), ("id", False)])
def test_ids_are_looked_up_only_where_they_are_those_that_were_sent(read_id: Any, decides: bool) -> None:
    """Where the account's own ids are asked for, phones can be looked up still."""
    with Sandbox(SandboxOptions(read_id=read_id)) as sandbox:
        sandbox.put_many(PEOPLE)
        if decides:
            assert found(sandbox, ("C-1", *IN)) == ["C-1"]
        else:
            with pytest.raises(Undecided, match="does not take the id that was sent"):
                found(sandbox, ("C-1", *IN))
            # a page and a probe
            assert sandbox.stats().reads == 2
        assert found(sandbox, (None, *IN)) == ["C-1"]


def test_an_empty_account_decides_nothing() -> None:
    """There is nobody to try a look-up by."""
    with Sandbox() as sandbox:
        for user in [("C-1", None, None), (None, *IN)]:
            with pytest.raises(Undecided, match="no contact is known"):
                found(sandbox, user)
        assert sandbox.stats().reads == 2


@pytest.mark.parametrize("fault", ["429", "429-retry-after", "500", "503", "cut", "reset", "html502"])
def test_failed_calls_are_tried_again(account: Sandbox, fault: str) -> None:
    """Those of a probe, and those after it."""
    account.force([None, fault, None, fault, None])
    assert found(account, *by_id("C-1", "C-9")) == ["C-1"]
    assert account.stats().faults == {fault: 2}
    assert account.stats().reads == 6


@pytest.mark.parametrize("calls_before", [1, 2])
def test_a_refused_key_stops_it(account: Sandbox, calls_before: int) -> None:
    """In a probe, and after it."""
    account.force([*[None] * calls_before, "401"])
    with pytest.raises(KeyRefused):
        found(account, *by_id("C-1"))
    assert account.stats().reads == calls_before + 1


@pytest.mark.parametrize("calls_before", [1, 2])
def test_a_refused_look_up_decides_nothing(account: Sandbox, calls_before: int) -> None:
    """In a probe, and after it. The reader is not stopped."""
    account.force([*[None] * calls_before, "400"])
    with pytest.raises(Undecided, match="not usable"):
        found(account, *by_id("C-1"))


# ------------------------------------------------------------------ the decisions, without any network


@pytest.mark.parametrize(
    ("users", "total", "fewer"),
    [(1, 0, False), (1, 400, False), (1, 401, True), (10, 2_200, False), (10, 2_201, True), (10_000, 10**6, False)],
)
def test_look_ups_are_for_few_users(users: int, total: int, fewer: bool) -> None:
    """Two calls for each at most, and two probes."""
    assert fewer_calls(users, total) is fewer


class Api(NamedTuple):
    """An account that answers look-ups in one of the ways in which the API may."""

    contacts: list[Contact]
    takes: str
    """Which id: `id`, `user_id`, or `both`."""
    shows: slice
    """Which of the contacts with a phone an answer has."""
    loses: str
    """A character before which an id ends when it arrives."""
    folds: bool
    """Ids are compared without their case."""
    refuses_nobody: bool
    """The answer for nobody is not usable."""

    def ask(self, requests: Sequence[Request]) -> list[Page | None]:
        return [*map(self.probe, requests)]

    def probe(self, request: Request) -> Page | None:
        by, _, name = request.path.removeprefix(PATH).partition("/")
        name = unquote(name)
        if by == "id":
            name = name.split(self.loses)[0] if self.loses in name else name
            taken = ("id", "user_id") if self.takes == "both" else (self.takes,)
            here = [one for one in self.contacts if any(self.same(getattr(one, field), name) for field in taken)][:1]
        else:
            here = [one for one in self.contacts if one.phone == name][self.shows]
        return None if self.refuses_nobody and not here else Page(len(here), has_next=False, contacts=here)

    def same(self, one: str | None, other: str) -> bool:
        return one is not None and (one == other or (self.folds and one.casefold() == other.casefold()))


def contact(number: int, user_id: str | None, phone: tuple[str, str] | None) -> Contact:
    code, digits = phone or (None, None)
    # its own id may be the user id of another
    return Contact("ab"[number] if number < 2 else f"#{number}", user_id, code, digits, None, 0, "", [], {})


DOCUMENTED = Api([], "user_id", slice(None), "#", folds=False, refuses_nobody=False)


def test_an_answer_that_shows_one_contact_of_several_decides_nothing() -> None:
    """For whom it shows, it does."""
    contacts = [contact(number, None, (code, "9")) for number, code in enumerate(["+1", "+91"])]
    api = DOCUMENTED._replace(contacts=contacts, shows=slice(1))
    assert [*look_up([Wanted(None, "+1", "9")], contacts, api.ask, api.probe)] == [contacts[:1]]
    both = [Wanted(None, code, "9") for code in ("+1", "+91")]
    with pytest.raises(Undecided, match="phone finds another contact"):
        [*look_up(both, contacts, api.ask, api.probe)]


def test_an_id_that_finds_another_contact_decides_nothing() -> None:
    """Ids may be compared without their case, and the one that was sent may be there too."""
    contacts = [contact(number, user_id, None) for number, user_id in enumerate(["a1", "A1"])]
    api = DOCUMENTED._replace(contacts=contacts, folds=True)
    assert [*look_up([Wanted("a1", None, None)], contacts, api.ask, api.probe)] == [contacts[:1]]
    with pytest.raises(Undecided, match="id finds another contact"):
        [*look_up([Wanted("A1", None, None)], contacts[:1], api.ask, api.probe)]


@pytest.mark.parametrize(("total", "has_next"), [(2, False), (0, False), (1, True)])
def test_an_answer_that_is_a_part_decides_nothing(total: int, has_next: bool) -> None:
    """Whether its total or its next page says so."""
    contacts = [contact(0, "C-1", None)]
    api = DOCUMENTED._replace(contacts=contacts)
    parts = [Page(total, has_next, contacts)]
    with pytest.raises(Undecided, match="does not bring all"):
        [*look_up([Wanted("C-1", None, None)], contacts, lambda _: [*parts], api.probe)]
    with pytest.raises(Undecided, match="does not bring all"):
        [*look_up([Wanted("C-1", None, None)], contacts, api.ask, lambda _: parts[0])]


def test_a_contact_that_shows_nothing_is_no_probe() -> None:
    """One whose two ids are the same, and one whose phone may begin with its country's code."""
    contacts = [contact(0, "a", ("+91", "919876543210"))]
    api = DOCUMENTED._replace(contacts=contacts, takes="id")
    for user in [Wanted("b", None, None), Wanted(None, "+91", "9876543210")]:
        with pytest.raises(Undecided, match="no contact is known"):
            [*look_up([user], contacts, api.ask, api.probe)]


NAMES = st.sampled_from(["a", "A", "b", "1", "a1", "A1", "b/a", "b.a", "b@1", ".", "@"])
PHONES = st.tuples(st.sampled_from(["+91", "+1"]), st.sampled_from(["91", "2", "33", "404"]))
ANYBODY = st.tuples(NAMES, PHONES) | st.tuples(NAMES, st.none()) | st.tuples(st.none(), PHONES)


@st.composite
def accounts_and_users(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """Contacts with each id and phone once, and users of a table, most of whom are there."""
    unique = (lambda one: one[0] or object(), lambda one: one[1] or object())
    people = draw(st.lists(ANYBODY, min_size=1, max_size=8, unique_by=unique))
    return people, draw(st.lists(st.sampled_from(people) | ANYBODY, min_size=1, max_size=5))


@given(
    drawn=accounts_and_users(),
    takes=st.sampled_from(["user_id", "user_id", "both", "id"]),
    shows=st.sampled_from([slice(None), slice(1), slice(-1, None)]),
    loses=st.sampled_from("##/.@"),
    folds=st.booleans(),
    refuses_nobody=st.sampled_from([False, False, True]),
)
def test_nobody_is_called_absent_who_is_there(
    drawn: tuple[list[Any], list[Any]], takes: str, shows: slice, loses: str, folds: bool, refuses_nobody: bool
) -> None:
    """Whichever id an account takes, whatever it shows of several contacts, and whatever it makes of an id."""
    people, users = drawn
    contacts = [contact(number, *one) for number, one in enumerate(people)]
    api = Api(contacts, takes, shows, loses, folds, refuses_nobody)
    wanted = [Wanted(user_id, *(phone or (None, None))) for user_id, phone in users]
    try:
        groups = [*look_up(wanted, contacts[:4], api.ask, api.probe)]
    except Undecided as error:
        assert "\n" not in str(error)  # noqa: PT017 - an error is one of the two good ends
        event(str(error))
        return
    event("decided")
    here = [one for group in groups for one in group]
    assert len({one.id for one in here}) == len(here)
    for user in wanted:
        holds_id = [one for one in contacts if one.user_id == user.user_id is not None]
        holds_phone = [one for one in contacts if one[2:4] == user[1:3] != (None, None)]
        assert [one for one in holds_id if one not in here] == []
        assert (holds_id and holds_id[0][2:4] == user[1:3]) or [one for one in holds_phone if one not in here] == []


def test_it_decides_for_an_account_as_it_is_documented() -> None:
    """Else the claim above would hold for look-ups that never decide."""
    contacts = [contact(number + 3, f"C-{number}", ("+91", f"{number + 20}")) for number in range(500)]
    api = DOCUMENTED._replace(contacts=contacts)
    sizes: list[int] = []

    def ask(requests: Sequence[Request]) -> list[Page | None]:
        sizes.append(len(requests))
        return api.ask(requests)

    wanted = [Wanted(f"C-{number}", "+91", f"{number + 20}") for number in range(400, 600)]
    here = [one for group in look_up(wanted, contacts[:3], ask, api.probe) for one in group]
    assert here == contacts[400:]
    # two hundred ids, and the phones of those who are not found
    assert sizes == [160, 40, 100]
