"""Which pages to ask for, and whether all contacts were seen. Pure: `fetch` makes the calls.

Contacts change while they are read. A changed contact gets a new time of modification and goes to another place, so the
pages move. Nobody says in which order they come. So the account is read by windows of `modified_at_utc`:

- A window that ends in the past can only lose contacts. If all its pages say the same total, and as many ids were seen,
  then nothing moved, and the window is complete. Else it is read again, twice at most.
- The newest window has no end, and contacts come into it. It is complete if it is one page, which is one moment. If it
  is longer, the time of the newest contact in it is certainly past: the part up to it is a window of the first kind, and
  the rest is the next newest window, which is shorter.

A contact that changes leaves its window for the newest one, which is read last. So none is missing without a window that
is told to be incomplete. One that was read before its change is there twice: the later one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from interakt_loader.account.contacts import PAGE, Contact, Page

MILLISECOND = 1000
"""Microseconds."""

SKEW = 600 * 1_000_000
"""Microseconds by which the clock of this machine may differ from the API's."""

MOST = 2000
"""Contacts of a window, if it can be divided. More would be read again after a change, fewer cost more calls."""

READINGS = 3
"""How often a window is read at most."""

ROUNDS = 8
"""How often the newest window is divided at most."""


class Window(NamedTuple):
    """Contacts that were modified at `since` or later, and before `until` (None: it has no end). Microseconds."""

    since: int
    until: int | None


class Reading(NamedTuple):
    """The contacts of a window."""

    window: Window
    contacts: list[Contact]
    is_complete: bool
    is_late: bool
    """They may be there in another window too, with an earlier state."""


Fetch = Callable[[Window, Sequence[int]], list[Page]]
"""Return the pages of a window with these offsets, each with contacts of a millisecond more at both ends."""


def read_windows(
    fetch: Fetch, now: int, since: int = 0, done: Sequence[Window] = (), past: int | None = None
) -> Iterator[Reading]:
    """Yield the windows of an account.

    Args:
        fetch: Makes the calls.
        now: The time of this machine's clock.
        since: Contacts that were modified before are not read.
        done: Windows that were read before this process, which need not be read again.
        past: Where the windows of that reading ended.
    """
    past = max(since, now - SKEW) if past is None else past
    if past > since:
        yield from _bounded(fetch, Window(since, past), done, is_late=False)
    yield from _newest(fetch, past)


def _bounded(fetch: Fetch, window: Window, done: Sequence[Window], *, is_late: bool) -> Iterator[Reading]:
    """Yield a window that ends in the past, in parts that are not too long."""
    waiting = [window]
    while waiting:
        one = waiting.pop()
        assert one.until is not None
        covering = next((each for each in done if each.since <= one.since and (each.until or 0) >= one.until), None)
        if covering is not None:
            continue
        touches = any(each.since < one.until and (each.until or 0) > one.since for each in done)
        first = None if touches else fetch(one, [0])[0]
        if first is not None and (first.total <= MOST or one.until - one.since < 2 * MILLISECOND):
            yield _whole(fetch, one, first, is_late=is_late)
            continue
        middle = (one.since + one.until) // 2 // MILLISECOND * MILLISECOND
        waiting += [Window(middle, one.until), Window(one.since, middle)]


def _whole(fetch: Fetch, window: Window, first: Page, *, is_late: bool) -> Reading:
    """Read all pages of a window, again if something moved meanwhile."""
    found: dict[str, Contact] = {}
    for reading in range(READINGS):
        if reading:
            first = fetch(window, [0])[0]
        pages = [first, *_rest(fetch, window, first)]
        ids = {contact.id for page in pages for contact in page.contacts}
        for page in pages:
            _note(found, page.contacts, window)
        if all(page.total == len(ids) for page in pages) and not pages[-1].has_next:
            return Reading(window, [*found.values()], is_complete=True, is_late=is_late)
    return Reading(window, [*found.values()], is_complete=False, is_late=is_late)


def _rest(fetch: Fetch, window: Window, first: Page) -> list[Page]:
    pages = fetch(window, range(PAGE, first.total, PAGE)) if first.total > PAGE else []
    offset = PAGE * (len(pages) + 1)
    # it grew meanwhile, or its total is wrong
    while (last := pages[-1] if pages else first).has_next and last.contacts:
        pages += fetch(window, [offset])
        offset += PAGE
    return pages


def _note(found: dict[str, Contact], contacts: Sequence[Contact], window: Window) -> None:
    """Add the contacts of a window. Pages have those of a millisecond before and after, too."""
    for contact in contacts:
        if contact.modified < window.since or (window.until is not None and contact.modified >= window.until):
            continue
        known = found.get(contact.id)
        if known is None or known.modified <= contact.modified:
            found[contact.id] = contact


def _newest(fetch: Fetch, since: int) -> Iterator[Reading]:
    """Yield the window without an end, which is read last."""
    found: dict[str, Contact] = {}
    for _ in range(ROUNDS):
        window = Window(since, None)
        first = fetch(window, [0])[0]
        if first.total <= PAGE and len({one.id for one in first.contacts}) == first.total and not first.has_next:
            found.clear()
            _note(found, first.contacts, window)
            yield Reading(window, [*found.values()], is_complete=True, is_late=True)
            return
        found.clear()
        for page in [first, *_rest(fetch, window, first)]:
            _note(found, page.contacts, window)
        newest = max((one.modified for one in found.values()), default=since)
        # this millisecond is over by now: the answer has come since then
        past = newest // MILLISECOND * MILLISECOND + MILLISECOND
        yield from _bounded(fetch, Window(since, past), (), is_late=True)
        since = past
    yield Reading(Window(since, None), [*found.values()], is_complete=False, is_late=True)
