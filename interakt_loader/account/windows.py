"""Which pages to ask for, and whether all contacts were seen. Pure: `fetch` makes the calls.

Contacts change while they are read. A changed contact gets a new time of modification and another place, so the pages
move. Their order is not documented. So the account is read by windows of `modified_at_utc`:

- A window that ends in the past can only lose contacts. If all its pages say the same total, and as many ids were seen,
  then nothing moved, and the window is complete. Else it is read again, twice at most.
- The newest window has no end, and contacts come into it. It is complete if it is one page, which is one moment. If it
  is longer, the times of the contacts in it are certainly past. The part up to them is a window of the first kind. The
  rest is the next newest window, which is shorter.

A contact that changes leaves its window for the newest one, which is read last. So none is missing without a window
that is said to be incomplete. One that was read before its change is there twice: the later one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from interakt_loader.account.contacts import PAGE, Contact, NotTheApi, Page

MILLISECOND = 1000
"""Microseconds."""

SECOND = 1_000_000
"""Microseconds."""

SKEW = 600 * SECOND
"""Microseconds by which the clock of this machine may differ from the API's."""

MOST = 2000
"""Contacts of a window, if it can be divided. More would be read again after a change, fewer cost more calls."""

SHORTEST = 2 * MILLISECOND
"""Microseconds of a window that is not divided."""

GROUP = 160
"""Pages that are asked for together. There may be fewer than a total says."""

BEYOND = 100
"""Pages that are read at most after those that the total says."""

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
"""Return the pages of a window with these offsets, with the contacts of a millisecond before it, too."""


def past_at(now: int, since: int = 0) -> int:
    """Return where the windows end that are past for certain, whichever clock is wrong. A whole millisecond."""
    return max(since, (now - SKEW) // MILLISECOND * MILLISECOND)


def read_windows(fetch: Fetch, past: int, since: int = 0, done: Sequence[Window] = ()) -> Iterator[Reading]:
    """Yield the windows of an account. Raises `NotTheApi` if its answers are of other times.

    Args:
        fetch: Makes the calls.
        past: Where the windows in the past end: see `past_at`. A reading that continues has that of its beginning.
        since: Contacts that were modified before are not read.
        done: Windows that were read before this process, which need not be read again.
    """
    fetch = _checked(fetch)
    yield from _bounded(fetch, Window(since, past), done, is_late=False)
    yield from _newest(fetch, past)


def _checked(fetch: Fetch) -> Fetch:
    """Refuse contacts of other times. Then the filters do not work, and no window would ever be short."""

    def checked(window: Window, offsets: Sequence[int]) -> list[Page]:
        pages = fetch(window, offsets)
        for page in pages:
            for one in page.contacts:
                is_early = one.modified < window.since - 2 * MILLISECOND
                if is_early or (window.until is not None and one.modified > window.until + MILLISECOND):
                    raise NotTheApi("it has contacts that were not modified in the time that was asked for")
        return pages

    return checked


def _bounded(fetch: Fetch, window: Window, done: Sequence[Window], *, is_late: bool) -> Iterator[Reading]:
    """Yield a window that ends in the past, in parts that are not too long, the oldest first."""
    assert window.until is not None
    at, width = window.since, window.until - window.since
    # the end of the last part that was too long, and how many contacts it still has
    dense, there = at, 0
    while at < window.until:
        covering = next((one.until for one in done if one.since <= at < (one.until or 0)), None)
        if covering is not None:
            at = covering
            continue
        most = min([window.until, *(one.since for one in done if one.since > at)])
        part = Window(at, _end(at, width, most))
        first = fetch(part, [0])[0]
        width = _end(at, width, most) - at
        # a page without a next one is all there is, whatever its total says
        is_long = first.total > MOST and first.has_next and bool(first.contacts)
        if is_long and width > SHORTEST:
            dense, there = at + width, first.total
            width = max(SHORTEST, width // 2)
            continue
        if is_long:
            # all have one time: it must not be in the last millisecond, which the next part has too
            part = Window(at, _end(at, 2 * SHORTEST, most))
            first = fetch(part, [0])[0]
        reading = _whole(fetch, part, first, is_late=is_late)
        yield reading
        count = len(reading.contacts)
        at, there = part.until or at, there - count
        if at < dense and there > MOST:
            width = (dense - at) // 2
        else:
            width = width * MOST * 3 // 4 // max(count, MOST * 3 // 32)
        width = max(SHORTEST, width)


def joined(windows: Sequence[Window]) -> list[Window]:
    """Return windows in order, with those that touch as one."""
    found: list[Window] = []
    for one in sorted(windows, key=lambda window: window.since):
        if found and (found[-1].until is None or one.since <= found[-1].until):
            ends = (found[-1].until, one.until)
            found[-1] = Window(found[-1].since, None if None in ends else max(end or 0 for end in ends))
        else:
            found.append(one)
    return found


def _end(at: int, width: int, most: int) -> int:
    """Return where a part ends: at a whole millisecond, because the API may show times less exact than it has them."""
    return min(most, (at + width) // MILLISECOND * MILLISECOND)


def _whole(fetch: Fetch, window: Window, first: Page, *, is_late: bool) -> Reading:
    """Read all pages of a window, again if something moved meanwhile."""
    found: dict[str, Contact] = {}
    totals, ids, has_next = {first.total}, set[str](), first.has_next
    for reading in range(READINGS):
        if reading:
            first = fetch(window, [0])[0]
        if totals != {first.total}:
            totals, ids = {first.total}, set()
        # else nothing has left, and what one reading has not seen another one has
        for page in _pages(fetch, window, first):
            totals.add(page.total)
            ids |= {contact.id for contact in page.contacts}
            has_next = page.has_next
            _note(found, page.contacts, window)
        if totals == {len(ids)} and not has_next:
            return Reading(window, [*found.values()], is_complete=True, is_late=is_late)
    return Reading(window, [*found.values()], is_complete=False, is_late=is_late)


def _pages(fetch: Fetch, window: Window, first: Page) -> Iterator[Page]:
    """Yield the pages of a window: as many as its total says, or more while there are more.

    Pages without a new contact end it: then the API does not know the offset.
    """
    yield first
    seen = {one.id for one in first.contacts}
    last, offset, beyond, brought = first, PAGE, 0, bool(seen)
    while last.has_next and beyond < BEYOND and brought:
        end = min(first.total, offset + GROUP * PAGE)
        if offset >= first.total:
            # it grew meanwhile, or its total is wrong
            end, beyond = offset + PAGE, beyond + 1
        pages = fetch(window, range(offset, end, PAGE))
        yield from pages
        new = {one.id for page in pages for one in page.contacts} - seen
        last, offset, brought = pages[-1], offset + PAGE * len(pages), bool(new)
        seen |= new


def _note(found: dict[str, Contact], contacts: Sequence[Contact], window: Window) -> None:
    """Add the contacts of a window. Pages have those of a millisecond before, too."""
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
        found.clear()
        _note(found, first.contacts, window)
        if first.total <= PAGE and len({one.id for one in first.contacts}) == first.total and not first.has_next:
            yield Reading(window, [*found.values()], is_complete=True, is_late=True)
            return
        # the newest come first or last
        if first.total > PAGE:
            for page in fetch(window, [(first.total - 1) // PAGE * PAGE]):
                _note(found, page.contacts, window)
        newest = max((one.modified for one in found.values()), default=since) // MILLISECOND * MILLISECOND
        # its second may not be over yet, if the API's times are no more exact; the newest window can have its contacts
        past = newest - SECOND if newest - SECOND > since else newest + MILLISECOND
        yield from _bounded(fetch, Window(since, past), (), is_late=True)
        since = past
    window = Window(since, None)
    yield _whole(fetch, window, fetch(window, [0])[0], is_late=True)._replace(is_complete=False)
