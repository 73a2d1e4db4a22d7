"""Users in the orders of their times, for reading the account in pages. Pure; not thread-safe.

A page costs its own length, a binary search, and one step for each thousand users: a million users can be read, and
changed while they are read.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

_CHUNK = 1000


class Timed(Protocol):
    """What can be ordered."""

    number: int
    created: float
    """Seconds since the epoch."""
    modified: float


T = TypeVar("T", bound=Timed)
Key = tuple[float, float]
"""A time and, among equal times, a number."""


class Bounds(NamedTuple):
    """Times that all lie outside of what is wanted, in seconds since the epoch."""

    created_after: float = -math.inf
    created_before: float = math.inf
    modified_after: float = -math.inf
    modified_before: float = math.inf

    def contains(self, item: Timed) -> bool:
        """Return True if both times of the item lie between the bounds."""
        return (
            self.created_after < item.created < self.created_before
            and self.modified_after < item.modified < self.modified_before
        )


class Order(Generic[T]):
    """A sorted list in chunks, so that a change moves no more than a chunk.

    An item's key must not change while it is in the list.
    """

    def __init__(self, items: Iterable[T], key: Callable[[T], Key]) -> None:
        self.key = key
        found = sorted(items, key=key)
        self._chunks = [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)]

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

    def _chunk_of(self, key: Key) -> int:
        return bisect_left(self._chunks, key, key=lambda chunk: self.key(chunk[-1]))

    def add(self, item: T) -> None:
        """Insert an item."""
        if not self._chunks:
            self._chunks.append([item])
            return
        place = min(self._chunk_of(self.key(item)), len(self._chunks) - 1)
        chunk = self._chunks[place]
        insort(chunk, item, key=self.key)
        if len(chunk) > 2 * _CHUNK:
            self._chunks[place : place + 1] = [chunk[:_CHUNK], chunk[_CHUNK:]]

    def remove(self, item: T) -> None:
        """Remove an item that is in the list."""
        key = self.key(item)
        place = self._chunk_of(key)
        chunk = self._chunks[place]
        del chunk[bisect_left(chunk, key, key=self.key)]
        if not chunk:
            del self._chunks[place]

    def rank(self, key: Key) -> int:
        """Return how many items have a smaller key."""
        place = self._chunk_of(key)
        before = sum(map(len, self._chunks[:place]))
        return before + (bisect_left(self._chunks[place], key, key=self.key) if place < len(self._chunks) else 0)

    def between(self, after: float, before: float) -> tuple[int, int]:
        """Return the first place and the place past the last of the items between two times, which are outside."""
        start = self.rank((after, math.inf))
        return start, max(start, self.rank((before, -1)))

    def part(self, start: int, stop: int) -> list[T]:
        """Return the items of these places."""
        found: list[T] = []
        for chunk in self._chunks:
            if stop <= 0:
                break
            if start < len(chunk):
                found += chunk[max(start, 0) : stop]
            start -= len(chunk)
            stop -= len(chunk)
        return found


class Orders(Generic[T]):
    """The same items by the time they were created, and by the time they were modified."""

    def __init__(self, items: Sequence[T]) -> None:
        self._by: dict[str, Order[T]] = {
            "created": Order(items, attrgetter("created", "number")),
            "modified": Order(items, attrgetter("modified", "number")),
        }
        self._found: tuple[Bounds, str, Order[T]] | None = None

    def add(self, item: T) -> None:
        """Insert an item."""
        self._found = None
        for order in self._by.values():
            order.add(item)

    def remove(self, item: T) -> None:
        """Remove an item. An item is removed before its times change, and added afterwards."""
        self._found = None
        for order in self._by.values():
            order.remove(item)

    def page(
        self, bounds: Bounds, by: Literal["created", "modified"], offset: int, limit: int, rng: random.Random | None
    ) -> tuple[list[T], int]:
        """Return a page of the items between the bounds, the newest first, and how many there are.

        With `rng` items with equal times are in another order each time.
        """
        order, start, stop = self._matching(bounds, by)
        high = stop - offset
        low = max(start, high - limit)
        if high <= low:
            return [], stop - start
        if rng is None:
            found = order.part(low, high)
        else:
            oldest, newest = (order.key(order.part(place, place + 1)[0])[0] for place in (low, high - 1))
            first = max(start, order.rank((oldest, -1)))
            ties = order.part(first, min(stop, order.rank((newest, math.inf))))
            ties.sort(key=lambda item: (order.key(item)[0], rng.random()))
            found = ties[low - first : high - first]
        return found[::-1], stop - start

    def _matching(self, bounds: Bounds, by: Literal["created", "modified"]) -> tuple[Order[T], int, int]:
        order = self._by[by]
        places = {
            "created": self._by["created"].between(bounds.created_after, bounds.created_before),
            "modified": self._by["modified"].between(bounds.modified_after, bounds.modified_before),
        }
        other = "modified" if by == "created" else "created"
        if places[other] == (0, len(order)):
            return order, *places[by]
        # Bounds in one order, pages in the other: the window is sorted once, and again only after a change.
        if self._found is None or self._found[:2] != (bounds, by):
            narrow = min(places, key=lambda name: places[name][1] - places[name][0])
            window = self._by[narrow].part(*places[narrow])
            self._found = (bounds, by, Order(filter(bounds.contains, window), order.key))
        found = self._found[2]
        return found, 0, len(found)
