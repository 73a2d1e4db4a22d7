"""What a ledger remembers of the loads so far: their mappings, sources, inputs and event names.

A call is known by its digest. That says nothing about whether the same rows would make the same digests again, or
whether a row that says the same is the same event. So a load is held against the earlier ones before its first call:

- its mapping has the shape that it had (`shape`), or the rows would go out again as others;
- events come from a source that the ledger knows, or somebody gave the load its name;
- events that have neither `created_at` nor an event id are of an input that the ledger knows by its first rows. Each
  such input has digests of its own, so what says the same in two inputs is never taken for one event.

What is noted is noted right before the first call, and taken back if no call of the load was accepted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from interakt_loader.errors import UsageError
from interakt_loader.ledger.keys import Keys
from interakt_loader.ledger.shape import Shape, changes, shown
from interakt_loader.ledger.store import Store
from interakt_loader.wire import DIGEST, Kind

ROW = 8
"""Bytes by which a row of an input's beginning is known: whether it could be sent, and seven of a digest."""

_OF_FAILURES = "of failures"
"""In a shape: the load was one of failed rows, of whose source no row was accepted."""

_Notes = dict[bytes, bytes]


@dataclass(frozen=True)
class ThisLoad:
    """What a load is held against the earlier ones by."""

    names: tuple[str, ...]
    """What it is called. If somebody gave it a name, that comes first, and then what its source is called: a later load
    without a name finds its mapping by that. Frames and streams without a name are all `""`. Last, what its failures
    file is called, which may be by the mapping."""
    is_named: bool
    """Whether somebody gave it its name, and so answers for its source."""
    shape: Shape
    constants: dict[str, str]
    """Constants of the mapping, for messages."""
    sources: tuple[tuple[str, ...], ...] = ()
    """Each source by the spellings of its folder and name. Frames and streams have none."""
    place: str = ""
    """Where the very input lies; empty for frames and streams."""
    failures_name: str = ""
    """What a load of its failures file is called, if not by its first name."""
    is_failures: bool = False
    """The rows are failed ones of an earlier load of this name."""
    renews: bool = False
    """All rows are to be sent, or recorded, whatever the ledger knows."""
    beginning: bytes | None = None
    """Digests of the first rows, `ROW` bytes each. None: the events have a time or an id of their own, or are users."""


class Input(NamedTuple):
    """An input of events that are known by nothing but what they say."""

    place: bytes
    name: bytes
    number: int
    """Counts the inputs of a ledger."""
    beginning: bytes

    @classmethod
    def read(cls, value: bytes) -> Input:
        """Return what a note says."""
        place, name, number = value[:DIGEST], value[DIGEST : 2 * DIGEST], value[2 * DIGEST : 2 * DIGEST + 4]
        return cls(place, name, int.from_bytes(number, "big"), value[2 * DIGEST + 4 :])

    def written(self) -> bytes:
        """Return the note."""
        return self.place + self.name + self.number.to_bytes(4, "big") + self.beginning


class Loads:
    """The loads of one kind to one destination, as far as a ledger remembers them."""

    def __init__(self, store: Store, keys: Keys, kind: Kind) -> None:
        self._store, self._keys, self._kind = store, keys, kind
        self._load: ThisLoad | None = None
        self._before: list[tuple[bytes, _Notes]] = []
        self.salt: bytes | None = None
        """What the digests of this input are made with; None: with nothing, as the events are known by more."""

    def check(self, load: ThisLoad, ledger: str) -> None:
        """Take in a load, or refuse it with what there is to do. Raises `UsageError`."""
        self._load = load
        where = f"ledger {ledger}"
        self._check_source(load, where)
        self._check_shape(load, where)
        if load.beginning:  # an input without rows is none
            self.salt = self._input_of(load, where)

    @property
    def is_of_failures(self) -> bool:
        """Whether the load is one of rows that failed in an earlier load."""
        return self._load is not None and self._load.is_failures

    @property
    def is_first(self) -> bool:
        """Whether the ledger remembers no load of this kind to this destination."""
        return not self._notes("shapes")

    def digest(self, text: str) -> bytes:
        """Return what a text is known by, such as a constant of a mapping."""
        return self._keys.name(text)

    def knows_event(self, name: str) -> bool:
        """Tell whether events of this name were loaded before."""
        return self._keys.name(name) in self._notes("event names")

    def begin(self, events: Iterable[str] = ()) -> None:
        """Note the load, and the names of its events: the first call is about to go out."""
        load = self._load
        if load is None:
            return
        own = {**load.shape, _OF_FAILURES: []} if load.is_failures else load.shape
        shape = json.dumps(own, ensure_ascii=False).encode()
        self._note("shapes", dict.fromkeys(self._names(load), shape))
        spellings = [one for several in load.sources for one in several]
        if not load.is_failures:  # a file of failures may lie anywhere
            self._note("sources", {self._keys.name(one): b"1" for one in spellings})
        self._note("event names", {self._keys.name(name): b"1" for name in events})
        if self.salt is not None and load.beginning:
            inputs = self._inputs()
            number = inputs[self.salt].number if self.salt in inputs else 1 + len(inputs)
            if self.salt not in inputs or not load.is_failures:
                place, name = self._keys.name(load.place), self._keys.name(load.failures_name or load.names[0])
                self._note("inputs", {self.salt: Input(place, name, number, load.beginning).written()})

    def _names(self, load: ThisLoad) -> list[bytes]:
        """Return the names whose mapping this load's is from now on.

        A second load of a source, with a name of its own, says nothing about the one that goes by the source's name;
        failed rows say nothing about any that is known.
        """
        own, *others = map(self._keys.name, load.names)
        known = self._notes("shapes")
        if load.is_failures:
            return [one for one in (own, *others) if one not in known]
        return [own, *(one for one in others if load.renews or known.get(one) in (None, known.get(own)))]

    def take_back(self) -> None:
        """Forget the load again, because none of its calls was accepted."""
        for topic, values in reversed(self._before):
            self._store.note(topic, values)
        self._before.clear()

    def _check_source(self, load: ThisLoad, where: str) -> None:
        if self._kind != "event" or load.is_named or not load.sources or self.is_first:
            return
        known = self._notes("sources")
        # a failures file is a source by its name alone, and so is its own source where none of its rows was good
        if (load.is_failures or not known) and self._keys.name(load.names[0]) in self._notes("shapes"):
            return
        if all(any(self._keys.name(one) in known for one in several) for several in load.sources):
            return
        raise UsageError(
            f"nothing was sent: {where} holds events of other sources, and this source is new to it. If its events "
            f"belong there, name the load: --name {load.names[0]} (in Python name={load.names[0]!r}); else give it a "
            "ledger of its own (--ledger)"
        )

    def _check_shape(self, load: ThisLoad, where: str) -> None:
        notes = self._notes("shapes")
        known = notes.get(self._keys.name(load.names[0]))
        if known is None or load.renews:
            return
        before: Shape = json.loads(known)
        from_failures = before.pop(_OF_FAILURES, None) is not None
        changed = changes(before, load.shape, self._kind)
        if (load.is_failures or from_failures) and ("traits" in before) != ("traits" in load.shape):
            # one of the two spells out the columns of a file of which nobody knew them all
            changed = [name for name in changed if name != "traits" and not name.startswith("trait ")]
        if not changed:
            return
        said = shown(changed, before, load.shape, load.constants.get)
        rows = "users" if self._kind == "user" else "events"
        raise UsageError(
            f"nothing was sent: the mapping is not the one by which {where} knows these {rows} ({said}), so all of "
            f"them would go out again. Change it back; or {self._ways(load)}; or, if these are other rows, give them "
            "a name of their own (--name)"
        )

    def _ways(self, load: ThisLoad) -> str:
        ways = "put the rows on record as they are now (interakt-loader baseline), or send all of them again (--resend)"
        if self._kind == "user" or "event_id" in load.shape:
            return ways
        return f"map event_id, so that later changes do no harm, and {ways}"

    def _input_of(self, load: ThisLoad, where: str) -> bytes:
        """Return the salt of the input that this is, or of a new one."""
        assert load.beginning is not None
        known = self._inputs()
        place, name = self._keys.name(load.place), self._keys.name(load.names[0])
        if load.is_failures:
            own = [(one.number, salt) for salt, one in known.items() if one.name == name]
            if own:
                return max(own)[1]
        same = [
            (len(one.beginning), one.number, salt)
            for salt, one in known.items()
            if one.place == place and begins_alike(one.beginning, load.beginning)
        ]
        if same:
            return max(same)[2]
        if not (self.is_first or load.renews):
            raise UsageError(
                f"nothing was sent: {where} holds events of another input, and these events have neither created_at "
                "nor an event id, so nothing tells whether one that says the same was sent before. Map created_at or "
                "event_id; or say that all rows are new events (--resend); or give the input a ledger of its own "
                "(--ledger)"
            )
        return os.urandom(DIGEST)

    def _inputs(self) -> dict[bytes, Input]:
        return {salt: Input.read(value) for salt, value in self._notes("inputs").items()}

    def _topic(self, what: str) -> bytes:
        return self._keys.topic(f"{what} {self._kind}")

    def _notes(self, what: str) -> _Notes:
        return {name: value for name, value in self._store.notes(self._topic(what)).items() if value}

    def _note(self, what: str, values: _Notes) -> None:
        topic = self._topic(what)
        known = self._store.notes(topic)
        new = {name: value for name, value in values.items() if known.get(name) != value}
        if new:
            self._before.append((topic, {name: known.get(name, b"") for name in new}))
            self._store.note(topic, new)


def known_row(digest: bytes, *, sent: bool) -> bytes:
    """Return what a row of an input's beginning is known by; `sent`: it could be sent."""
    return bytes([sent]) + digest[: ROW - 1]


def begins_alike(before: bytes, now: bytes) -> bool:
    """Tell whether an input whose first rows were `before` may now begin with `now`: rows were only added behind them.

    A row that could not be sent then may have been corrected since. At least one row has to be the same.
    """
    if len(now) < len(before):
        return False
    same = 0
    for at in range(0, len(before), ROW):
        old, new = before[at : at + ROW], now[at : at + ROW]
        corrected = not old[0] and new[0]
        if old != new and not corrected:
            return False
        same += old == new
    return same > 0
