"""Events that a campaign may answer though they are long past: noticed before they are sent for the first time. Pure.

A campaign of the account that waits for an event cannot tell an event of today from one of last year. So the first load
of an event name asks (on the command line; elsewhere it warns) where there are many of them, or old ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

MANY = 1000
"""Events of one name above which their first load is asked about."""

OLD = timedelta(days=7)
"""Age of an event above which the first load of its name is asked about."""

_SHOWN = 5
"""Names that are shown; of more, their number."""

_TEXT = r'"(?:[^"\\]|\\.)*"'
_CREATED_AT = rf'^\{{(?:"(?:userId|countryCode|phoneNumber|event)":{_TEXT},)*"createdAt":"(?P<at>[^"]*)"'
"""Where the time of an event stands in its body: times are all written alike, so that they sort as texts."""


class FirstOf(NamedTuple):
    """The events of one name that was not loaded before."""

    name: str
    rows: int
    oldest: str
    """As in the body; empty where none has a time."""


class EventNames:
    """The event names of a load, taken in as its rows are prepared; of those that are new, how many and how old."""

    def __init__(self, is_known: Callable[[str], bool] | None) -> None:
        """`is_known` tells whether a name was loaded before. None: nobody wants to know."""
        self.wanted = is_known is not None
        self._is_known: Callable[[str], bool] = is_known or (lambda _: True)
        self._new: dict[str, FirstOf | None] = {}

    @property
    def names(self) -> list[str]:
        """All names so far."""
        return list(self._new)

    @property
    def first_ones(self) -> list[FirstOf]:
        """What there is of names that are new."""
        return [one for one in self._new.values() if one is not None]

    def add(self, prepared: pa.RecordBatch) -> None:
        """Take in prepared rows."""
        good = prepared.filter(pc.is_valid(prepared["body"])).select(["event", "body"])
        for name in pc.unique(good["event"]).to_pylist():
            if name not in self._new:
                self._new[name] = None if self._is_known(name) else FirstOf(name, 0, "")
        if any(self._new.values()):
            at = pc.struct_field(pc.extract_regex(good["body"].cast(pa.string()), _CREATED_AT), [0])
            events = pa.table({"event": good["event"], "at": at}).group_by("event", use_threads=False)
            for one in events.aggregate([("at", "min"), ([], "count_all")]).to_pylist():
                known = self._new[one["event"]]
                if known is not None:
                    oldest = min(filter(None, (known.oldest, one["at_min"])), default="")
                    self._new[known.name] = FirstOf(known.name, known.rows + one["count_all"], oldest)


def worth_asking(first_ones: Sequence[FirstOf], now: datetime) -> list[FirstOf]:
    """Return the names of which there are many events, or old ones. `now` is in UTC."""
    since = (now - OLD).strftime("%Y-%m-%dT%H:%M:%S")
    return [one for one in first_ones if one.rows > MANY or ("" < one.oldest < since)]


def said(asked: Sequence[FirstOf], *, ledger: bool, complete: bool) -> str:
    """Return one line about these events. `complete` False: they are the first rows of perhaps more."""
    texts = []
    for one in asked[:_SHOWN]:
        count = f"{one.rows:,} event{'' if one.rows == 1 else 's'}" if complete else f"{one.rows:,} events or more"
        oldest = f", the oldest of {one.oldest[:10]}" if one.oldest else ""
        texts.append(f"{one.name!r} ({count}{oldest})")
    more = len(asked) - _SHOWN
    names = ", ".join(texts) + (f" and {more} more names" if more > 0 else "")
    where = "the first load from this ledger of" if ledger else "a load without a ledger of"
    return f"{where} {names}: campaigns that are on may message these people now"
