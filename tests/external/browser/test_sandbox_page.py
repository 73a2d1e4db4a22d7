"""The page of a running sandbox, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
from playwright.sync_api import expect

from interakt_loader import MappingDict, load_events, load_users
from interakt_loader.sandbox import Sandbox
from tests.external.browser.conftest import PHONE, Opener

USERS = pd.DataFrame(
    {
        "id": ["asha", "ravi", "<img src=x onerror=alert(1)>"],
        "mobile": ["9876543210", "9812345678", None],
        "age": [31, 42, None],
        "points": ["12345678901234567890", "7", None],
        "since": ["2024-01-31", "2023-12-01", None],
        "vip": [True, False, None],
        "likes": [["tea", "chess"], ["cricket"], None],
        "note": ["says <b>hello</b>", None, None],
    }
)
EVENTS = pd.DataFrame(
    {
        "id": ["asha", "ravi", "asha", "nobody"],
        "amount": [10.5, 20.0, 30.0, 1.0],
        "at": ["2024-05-01T10:00:00Z", "2024-05-02T10:00:00Z", "2024-05-03T10:00:00Z", None],
    }
)


@pytest.fixture
def filled() -> Iterator[Sandbox]:
    """A sandbox with users of every type of trait, and events; one of a user whom no call has brought."""
    with Sandbox() as sandbox:
        to: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "workers": 1}
        mapping: MappingDict = {
            "user_id": "id",
            "phone": "mobile",
            "traits": [
                "age",
                {"column": "points", "type": "number"},
                {"column": "since", "type": "date"},
                {"column": "vip", "type": "boolean"},
                "likes",
                "note",
            ],
        }
        assert load_users(USERS, mapping, **to).ok
        event: MappingDict = {
            "user_id": "id",
            "event": {"value": "Order Placed"},
            "created_at": "at",
            "traits": ["amount"],
        }
        assert load_events(EVENTS, event, **to).ok
        yield sandbox


def test_users_are_listed_and_counted(filled: Sandbox, opened: Opener) -> None:
    """In the order in which they came, with their phones; nothing is fetched from elsewhere, and nothing is wrong."""
    watched = opened(filled.url)
    expect(watched.page.locator("tbody tr")).to_have_count(3)
    expect(watched.page.locator("tbody tr").first).to_contain_text("asha")
    expect(watched.page.locator("tbody tr").first).to_contain_text("+91 9876543210")
    expect(watched.page.locator("#counts")).to_contain_text("events4")
    assert {urlsplit(url).netloc for url in watched.requests} - {""} == {urlsplit(filled.url).netloc}
    assert watched.complaints == []


def test_a_user_has_typed_traits_and_a_timeline(filled: Sandbox, opened: Opener) -> None:
    """Each trait with its type and every digit of it; the events that name this user, the latest first."""
    watched = opened(filled.url)
    watched.page.get_by_role("link", name="asha").click()
    traits = watched.page.get_by_role("table", name="Traits", exact=True)
    expect(traits).to_be_visible()
    rows = [row.split("\t") for row in traits.locator("tbody").inner_text().split("\n")]
    assert rows == [
        ["age", "number", "31"],
        ["likes", "list", "tea, chess"],
        ["note", "text", "says <b>hello</b>"],
        ["points", "number", "12345678901234567890"],
        ["since", "date", rows[4][2]],
        ["vip", "boolean", "true"],
    ]
    assert rows[4][2].startswith("2024-01-31")
    expect(watched.page.locator(".timeline li")).to_have_count(2)
    expect(watched.page.locator(".timeline li").first).to_contain_text("2024-05-03T10:00:00")
    expect(watched.page.locator(".timeline li").last).to_contain_text("10.5")
    assert watched.complaints == []


def test_a_user_of_events_only_has_a_timeline_too(filled: Sandbox, opened: Opener) -> None:
    """The API takes events of users that it does not know; the page says so."""
    watched = opened(filled.url)
    watched.page.get_by_role("link", name="Events").click()
    expect(watched.page.locator(".timeline li")).to_have_count(4)
    watched.page.get_by_role("link", name="nobody").click()
    expect(watched.page.get_by_text("No user call has brought this user")).to_be_visible()
    expect(watched.page.locator(".timeline li")).to_have_count(1)


def test_search_goes_over_identities_and_traits(filled: Sandbox, opened: Opener) -> None:
    """As one types, without losing the place in the field."""
    watched = opened(filled.url)
    search = watched.page.get_by_label("Search")
    for text, found in (("CRICKET", "ravi"), ("98765", "asha"), ("12345678901", "asha")):
        search.fill("")
        search.press_sequentially(text)
        expect(watched.page.locator("tbody tr")).to_have_count(1)
        expect(watched.page.locator("tbody tr")).to_contain_text(found)
        expect(search).to_be_focused()
        expect(search).to_have_value(text)
    search.fill("nothing like it")
    expect(watched.page.get_by_text("No user matches.")).to_be_visible()
    assert watched.complaints == []


def test_what_was_sent_is_text(filled: Sandbox, opened: Opener) -> None:
    """Markup in an identity is shown, linked to and searched for as it stands."""
    watched = opened(filled.url)
    watched.page.get_by_role("link", name="onerror").click()
    expect(watched.page.get_by_role("heading", name="<img src=x onerror=alert(1)>")).to_be_visible()
    assert watched.page.locator("main img").count() == 0
    assert watched.complaints == []


def test_what_comes_later_appears_by_itself(filled: Sandbox, opened: Opener) -> None:
    """A load can be watched."""
    watched = opened(filled.url)
    expect(watched.page.locator("tbody tr")).to_have_count(3)
    frame = pd.DataFrame({"id": ["meera"]})
    load_users(frame, {"user_id": "id"}, api_key=filled.api_key, base_url=filled.url)
    expect(watched.page.locator("tbody tr")).to_have_count(4)
    expect(watched.page.locator("#counts")).to_contain_text("users4")


def test_many_users_are_paged(opened: Opener) -> None:
    """Fifty at a time; the address tells the page, so that it can be sent to somebody."""
    with Sandbox() as sandbox:
        frame = pd.DataFrame({"id": [f"u{number:03}" for number in range(120)]})
        load_users(frame, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url, workers=1)
        watched = opened(sandbox.url)
        expect(watched.page.get_by_role("button", name="Back")).to_be_disabled()
        watched.page.get_by_role("button", name="Next").click()
        expect(watched.page.locator("tbody tr").first).to_contain_text("u050")
        watched.page.get_by_role("button", name="Next").click()
        expect(watched.page.locator("tbody tr")).to_have_count(20)
        expect(watched.page.get_by_role("button", name="Next")).to_be_disabled()
        assert watched.page.url.endswith("#/users?offset=100")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["users", "user/asha", "events"])
def test_it_is_accessible_and_fits(filled: Sandbox, opened: Opener, scheme: str, view: str) -> None:
    """Axe finds nothing wrong with any view in light and dark, and no phone has to scroll sideways."""
    watched = opened(f"{filled.url}/#/{view}", color_scheme=scheme, viewport=PHONE)
    expect(watched.page.get_by_text("asha").first).to_be_visible()
    expect(watched.page.locator("#counts div")).to_have_count(5)
    watched.picture(f"sandbox-{view.replace('/', '-')}-{scheme}")
    assert watched.violations() == []
    assert watched.overflow() <= 0


# The text of each line on which a name is shown.
LINES = """element => {
  const range = document.createRange(), lines = [], walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let top = null;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (let at = 0; at < node.length; at += 1) {
      range.setStart(node, at); range.setEnd(node, at + 1);
      const box = range.getBoundingClientRect();
      if (top === null || box.top > top + 4) { lines.push(""); top = box.top; }
      lines[lines.length - 1] += node.data[at];
    }
  }
  return lines;
}"""


def test_ids_and_tags_break_at_words_on_a_phone(opened: Opener) -> None:
    """Not at letters, unless a word is longer than the column. The names are what was sent."""
    name, mail, tag = "customer-of-pune_north-0001", "asha.kulkarni@example.in", "diwali offer of this year"
    frame = pd.DataFrame({"id": [name, mail], "mobile": ["9876543210", "9812345678"], "tags": [[tag], ["vip"]]})
    with Sandbox() as sandbox:
        mapping: MappingDict = {"user_id": "id", "phone": "mobile", "tags": "tags"}
        load_users(frame, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
        watched = opened(sandbox.url, viewport=PHONE)
        expect(watched.page.locator("tbody tr")).to_have_count(2)
        watched.picture("sandbox-phone-names")
        for text, role in ((name, "a"), (mail, "a"), (tag, ".tag")):
            shown = watched.page.locator(role, has_text=text)
            lines = shown.evaluate(LINES)
            assert "".join(lines) == text
            assert len(lines) <= 3
            assert all(re.search(r"[-_.@ ]$", line) for line in lines[:-1]), lines
        assert watched.overflow() <= 0
        watched.page.get_by_role("link", name=name).click()
        expect(watched.page.get_by_role("heading", name=name)).to_be_visible()
