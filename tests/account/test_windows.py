"""No contact is missed while an account changes: a property over a simulated account, without any network."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from interakt_loader.account import windows
from interakt_loader.account.contacts import Contact, NotTheApi, Page, page_request, read_time, written_time
from interakt_loader.account.kept import KeptReading
from interakt_loader.account.windows import MILLISECOND, SECOND, SKEW, Reading, Window, joined, past_at, read_windows
from interakt_loader.settings import Settings

SIZE, MOST = 5, 20
"""Contacts of a page and of a window, so that a small account has many of both."""

START = 1_700_000_000 * SECOND
DAY = 86_400 * SECOND

ORDERS = ("created", "modified", "random", "oldest_created", "oldest_modified")
EXACTNESS = {"ms": (MILLISECOND, MILLISECOND), "us": (1, 1), "short": (1, MILLISECOND), "seconds": (SECOND, SECOND)}
"""To how many microseconds times are kept, and shown."""


@dataclass
class Account:
    """An account that changes between any two calls."""

    rng: random.Random
    order: str
    times: str
    busy: float
    """How likely something happens between two calls."""
    pause: int
    """Microseconds that a call takes at most."""
    now: int = START
    contacts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """When each was created and modified, as it is kept."""
    history: dict[str, list[int]] = field(default_factory=dict)
    """The times of each, as they are shown, since the reading began."""
    always: set[str] = field(default_factory=set)
    """Those that exist since the reading began."""
    served: dict[str, int] = field(default_factory=dict)
    """The last time that a page has shown of each."""
    calls: int = 0
    created: int = 0

    def keep(self, time: int) -> int:
        kept, _ = EXACTNESS[self.times]
        return time // kept * kept

    def shown(self, time: int) -> int:
        _, shown = EXACTNESS[self.times]
        return time // shown * shown

    def put(self, time: int | None = None, name: str | None = None) -> None:
        time = self.keep(self.now if time is None else time)
        if name is None:
            self.created += 1
            name = f"c{self.created}"
        self.contacts[name] = (self.contacts.get(name, (time, 0))[0], time)
        self.history.setdefault(name, []).append(self.shown(time))

    def delete(self, name: str) -> None:
        del self.contacts[name]
        self.always.discard(name)

    def begin(self, since: int) -> None:
        """Forget what was before the reading."""
        self.history = {name: [self.shown(time)] for name, (_, time) in self.contacts.items()}
        self.always = {name for name, (time,) in self.history.items() if time >= since}

    def happens(self) -> None:
        """Change something, or not; the clock is never still, because a call takes time."""
        self.now += self.rng.randint(MILLISECOND, self.pause)
        while self.rng.random() < self.busy:
            chosen = self.rng.choice(list(self.contacts)) if self.contacts else None
            what = self.rng.random()
            if what < 0.05:
                # an import: many at one moment
                for _ in range(self.rng.randint(1, 3 * SIZE)):
                    self.put()
            elif what < 0.3 or chosen is None:
                self.put()
            elif what < 0.8:
                self.put(name=chosen)
            else:
                self.delete(chosen)
            self.now += self.rng.choice([0, 1, 400, self.pause])

    def fetch(self, window: Window, offsets: Sequence[int]) -> list[Page]:
        """Return pages, as `AccountReader.windows` does: each of another moment."""
        return [self.page(page_request(window.since, window.until, offset, SIZE).body, offset) for offset in offsets]

    def page(self, body: bytes, offset: int) -> Page:
        self.happens()
        self.calls += 1
        after, *before = (read_time(one["val"]) for one in json.loads(body)["filters"])
        assert after is not None
        matching = [
            name
            for name, (_, time) in self.contacts.items()
            if time > after and (not before or time < (before[0] or 0))
        ]
        matching.sort(key=self.place, reverse=not self.order.startswith("oldest"))
        found = matching[offset : offset + SIZE]
        return Page(len(matching), offset + SIZE < len(matching), [self.contact(name) for name in found])

    def place(self, name: str) -> tuple[float, ...]:
        created, modified = self.contacts[name]
        if self.order == "random":
            return modified, self.rng.random()
        return created if self.order.endswith("created") else modified, int(name[1:])

    def contact(self, name: str) -> Contact:
        time = self.served[name] = self.shown(self.contacts[name][1])
        return Contact(name, None, None, None, None, time, written_time(time), [], {})


@contextmanager
def small_pages() -> Iterator[None]:
    with patch.multiple(windows, PAGE=SIZE, MOST=MOST):
        yield


@st.composite
def accounts(draw: st.DrawFn, busy: float | None = None) -> Account:
    """Accounts with contacts of years ago, of one moment, and of the last minutes."""
    account = Account(
        random.Random(draw(st.integers(0, 2**32))),
        draw(st.sampled_from(ORDERS)),
        draw(st.sampled_from([*EXACTNESS])),
        draw(st.sampled_from([0.0, 0.03, 0.2, 0.5])) if busy is None else busy,
        draw(st.sampled_from([2 * MILLISECOND, 200 * MILLISECOND, 20 * SECOND])),
    )
    ages = st.one_of(st.integers(0, 2 * SECOND), st.integers(0, SKEW * 2), st.integers(0, 900 * DAY))
    for _ in range(draw(st.integers(0, 4))):
        age, spread = draw(ages), draw(st.sampled_from([0, 1000, SECOND, 3600 * SECOND, 100 * DAY]))
        for _ in range(draw(st.integers(1, 60))):
            account.put(START - age - account.rng.randint(0, spread))
    return account


def kept_at(folder: str, since: int, past: int) -> KeptReading:
    return KeptReading(Path(folder) / "out.part", Settings(api_key="key"), since, past)


def missing_without_a_word(account: Account, found: Sequence[Contact], incomplete: Sequence[Window]) -> set[str]:
    """Return the contacts that existed during the whole reading, were not found, and no incomplete window has."""
    missing = account.always - {contact.id for contact in found}
    return {
        name
        for name in missing
        if not any(
            one.since <= time and (one.until is None or time < one.until)
            for one in incomplete
            for time in account.history[name]
        )
    }


@settings(max_examples=400)
@given(accounts(), st.integers(-SKEW, SKEW), st.data())
def test_no_contact_is_missing_without_a_word_and_none_is_there_twice(
    account: Account, clock: int, data: st.DataObject
) -> None:
    """Contacts are created, changed and deleted between any two calls, and the process is killed a few times."""
    since = data.draw(st.sampled_from([0, 0, START - 30 * DAY + 7, START - SECOND - 999, START]))
    past = past_at(account.now + clock, since)
    account.begin(since)
    with tempfile.TemporaryDirectory() as folder, small_pages():
        for _ in range(data.draw(st.integers(0, 2))):
            with closing(kept_at(folder, since, past)) as kept:
                for reading in islice(
                    read_windows(account.fetch, kept.past, since, kept.done), data.draw(st.integers(0, 40))
                ):
                    kept.add(reading)
            account.now += data.draw(st.sampled_from([0, SECOND, DAY]))
            account.happens()
            past = past_at(account.now + clock, since)
        with closing(kept_at(folder, since, past)) as kept:
            for reading in read_windows(account.fetch, kept.past, since, kept.done):
                kept.add(reading)
            found, incomplete = [*kept.contacts()], kept.incomplete
    event(f"busy {account.busy}: {'incomplete' if incomplete else 'complete'}")
    assert missing_without_a_word(account, found, incomplete) == set()
    ids = [contact.id for contact in found]
    assert len(ids) == len(set(ids))
    for contact in found:
        assert contact.modified >= since
        assert contact.modified in account.history[contact.id]
        # what the API has shown last
        assert incomplete or contact.id not in account.always or contact.modified == account.served[contact.id]


@settings(max_examples=200)
@given(accounts(busy=0.0), st.integers(-SKEW, SKEW))
def test_an_account_that_stands_still_is_complete_in_few_calls(account: Account, clock: int) -> None:
    """It takes a page each, and a few more for the search of where the contacts are."""
    account.begin(0)
    with small_pages():
        readings = [*read_windows(account.fetch, past_at(account.now + clock))]
    found = [contact for one in readings for contact in one.contacts]
    incomplete = [one.window for one in readings if not one.is_complete]
    assert missing_without_a_word(account, found, incomplete) == set()
    # an order that changes with each call may hide the same contact each time
    assert account.order == "random" or not incomplete
    # dividing years down to a millisecond takes some 40 steps, for each of at most four moments
    assert account.calls <= 2.5 * len(account.contacts) / SIZE + 4 * 45 + 20


def numbered(count: int, times: Sequence[int], order: str = "created") -> Account:
    account = Account(random.Random(0), order, "short", 0.0, 200 * MILLISECOND)
    for number in range(count):
        account.put(times[number % len(times)])
    return account


def test_a_reading_continues_after_each_window() -> None:
    """Whatever was read before, the rest brings all other contacts, and none of these."""
    account = numbered(200, [START - DAY + number * 20 * MILLISECOND for number in range(200)])
    past = past_at(START)
    with small_pages():
        whole = [*read_windows(account.fetch, past)]
        for count in range(len(whole)):
            done = [one.window for one in whole[:count] if not one.is_late]
            before = {contact.id for one in whole[:count] for contact in one.contacts}
            rest = {contact.id for one in read_windows(account.fetch, past, 0, done) for contact in one.contacts}
            assert rest == account.contacts.keys() - before


def test_calls_are_few_more_than_contacts_by_the_hundred() -> None:
    """Real sizes: 50,000 contacts of a year."""
    rng = random.Random(1)
    account = numbered(50_000, [START - rng.randint(0, 365 * DAY) for _ in range(50_000)])
    account_page = 100
    with patch(f"{__name__}.SIZE", account_page):
        readings = [*read_windows(account.fetch, past_at(START))]
    assert sum(len(one.contacts) for one in readings) == 50_000
    assert account.calls <= 500 * 1.15


@pytest.mark.parametrize("order", [one for one in ORDERS if one != "random"])
@pytest.mark.parametrize("part", [0, 1, 500, 999])
def test_an_import_at_one_moment_is_read_once(order: str, part: int) -> None:
    """All contacts of a long window have one time, which no window can divide: it is not read for its neighbours."""
    account = numbered(3_000, [START - 10 * DAY + part], order)
    with patch(f"{__name__}.SIZE", 100):
        readings = [*read_windows(account.fetch, past_at(START))]
    assert sum(len(one.contacts) for one in readings) == 3_000
    assert account.calls <= 30 + 75


def test_an_import_just_now_is_complete() -> None:
    """The newest window has many contacts of one moment, and can be read all the same."""
    account = numbered(1_000, [START - SECOND // 2])
    with patch(f"{__name__}.SIZE", 100):
        readings = [*read_windows(account.fetch, past_at(START))]
    assert all(one.is_complete for one in readings)
    assert sum(len(one.contacts) for one in readings) == 1_000
    assert account.calls <= 60


def page_of(*ids: str, total: int, has_next: bool, modified: int = START - DAY) -> Page:
    contacts = [Contact(one, None, None, None, None, modified, written_time(modified), [], {}) for one in ids]
    return Page(total, has_next, contacts)


def covers(window: Window, page: Page) -> bool:
    return all(window.since <= one.modified < (window.until or one.modified + 1) for one in page.contacts)


def read_from(answer: Callable[[Window], Page]) -> tuple[list[Reading], int]:
    """Read an API that gives one page for a window, whatever the offset; return the number of calls, too."""
    calls = 0

    def fetch(window: Window, offsets: Sequence[int]) -> list[Page]:
        nonlocal calls
        calls += len(offsets)
        return [answer(window)] * len(offsets)

    return [*read_windows(fetch, past_at(START))], calls


@pytest.mark.parametrize(
    "page",
    [
        page_of("a", total=1, has_next=True),
        page_of("a", "a", total=2, has_next=False),
        page_of(total=5, has_next=False),
        page_of(total=0, has_next=True),
        page_of("a", total=10**30, has_next=False),
        page_of(total=10**30, has_next=True),
        page_of("a", total=0, has_next=False),
    ],
)
def test_an_api_that_contradicts_itself_is_incomplete(page: Page) -> None:
    """It ends, after a bounded number of calls."""
    readings, calls = read_from(lambda window: page if covers(window, page) else page._replace(contacts=[]))
    assert not all(one.is_complete for one in readings)
    assert calls < 1_000


def test_a_total_of_the_whole_account_is_no_complete_reading() -> None:
    """`total_customers` may not be that of the filters: all contacts are read, and nothing is certain."""
    account = numbered(3_000, [START - number * SECOND for number in range(3_000)])
    with patch(f"{__name__}.SIZE", 100):
        fetch = account.fetch
        readings = [
            *read_windows(lambda *asked: [page._replace(total=3_000) for page in fetch(*asked)], past_at(START))
        ]
    assert {contact.id for one in readings for contact in one.contacts} == {*account.contacts}
    assert not any(one.is_complete for one in readings)
    assert account.calls < 2_000


def test_filters_that_do_not_work_are_refused() -> None:
    """Else no window would ever be short."""
    with pytest.raises(NotTheApi, match="not modified in the time that was asked for"):
        read_from(lambda _: page_of("a", total=10**6, has_next=True))


def test_a_contact_of_the_far_future_is_read() -> None:
    """A time that no filter can name does not end in an error."""
    page = page_of("a", total=1, has_next=False, modified=read_time("9999-12-31T23:59:59.999Z") or 0)
    readings, _ = read_from(lambda window: page if covers(window, page) else page_of(total=0, has_next=False))
    assert {contact.id for one in readings for contact in one.contacts} == {"a"}


def test_windows_that_touch_are_one() -> None:
    """A user reads few spans, not each window."""
    windows = [Window(30, None), Window(0, 10), Window(10, 20), Window(25, 40)]
    assert joined(windows) == [Window(0, 20), Window(25, None)]
