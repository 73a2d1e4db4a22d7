"""The digests by which calls are known, and the decision which of them are sent. Pure.

A digest has 16 bytes and is keyed. Each destination (account and address) has a random secret of its own (`account`).
So no digest of one destination matches one of another, and whoever finds a ledger cannot try out phone numbers on it.

A user call replaces traits, so the sequence of a user's calls counts. The ledger holds one digest of the calls that
were accepted since the first (`Known.state`). The input's rows of that user are unchanged as far as they lead to the
same digest. Usually a user has one row, and the digest is that of its body. A row that repeats the one before it
changes nothing, and leads to the same digest.

The *step* of a call is what it does to the ledger once it is accepted: the state after it. The state before it comes
first in the step, unless the call is the first of its sequence. That state may not be what the ledger holds, because an
earlier call of the user failed. Then the new state matches nothing, and the next load sends all rows of the user again,
in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from interakt_loader.model import DIGEST

PERSON = DIGEST // 2
"""The first bytes of the state of an event with an id: they identify the person."""


class Keys:
    """Digests for one destination."""

    def __init__(self, secret: bytes) -> None:
        self._key = secret
        self._begun: dict[bytes, blake2b] = {}

    def __repr__(self) -> str:
        return "<Keys>"

    def of_input(self, salt: bytes) -> Keys:
        """Return other keys, for the events of one input: equal events of two inputs are two events."""
        return Keys(self._digest(salt, b"input"))

    def user(self, ordering_key: str) -> bytes:
        """Return the key of a user; `ordering_key` is the identity that the messages of one user share."""
        return self._digest(ordering_key.encode(), b"user")

    def users(self, ordering_keys: Iterable[bytes]) -> list[bytes]:
        """Return the keys of several users."""
        return self._digests(ordering_keys, b"user")

    def body(self, body: bytes) -> bytes:
        """Return the digest of a user call's body."""
        return self._digest(body, b"body")

    def bodies(self, bodies: Iterable[bytes]) -> list[bytes]:
        """Return the digests of several bodies."""
        return self._digests(bodies, b"body")

    def chain(self, before: bytes, body: bytes) -> bytes:
        """Return the state after a call: from the state before it and the digest of its body."""
        return self._digest(before + body, b"chain")

    def event(self, body: bytes) -> bytes:
        """Return the key of an event: the digest of its whole body, with the user and `createdAt`."""
        return self._digest(body, b"event")

    def events(self, bodies: Iterable[bytes]) -> list[bytes]:
        """Return the keys of several events."""
        return self._digests(bodies, b"event")

    def repeated_event(self, event: bytes, number: int) -> bytes:
        """Return the key of an equal event that is in the input for the `number`th time (from 2)."""
        return self._digest(event + number.to_bytes(8, "big"), b"repeated event")

    def event_id(self, event: str, event_id: str) -> bytes:
        """Return the key of an event with an id: the digest of its name and the id."""
        return self._digest(f"{len(event)}:{event}{event_id}".encode(), b"event id")

    def event_state(self, ordering_key: str, body: bytes) -> bytes:
        """Return the state of an accepted event with an id: one half for the person, one for the content."""
        return self._digest(ordering_key.encode(), b"person")[:PERSON] + self._digest(body, b"event")[PERSON:]

    def topic(self, text: str) -> bytes:
        """Return the key of the notes about a topic."""
        return self._digest(text.encode(), b"topic")

    def name(self, text: str) -> bytes:
        """Return the key of one note of a topic."""
        return self._digest(text.encode(), b"name")

    def _digest(self, data: bytes, what: bytes) -> bytes:
        digest = self._begin(what).copy()
        digest.update(data)
        return digest.digest()

    def _begin(self, what: bytes) -> blake2b:
        begun = self._begun.get(what)
        # hashing the key is half the work of a short digest, so it is done once for each kind
        if begun is None:
            begun = self._begun[what] = blake2b(digest_size=DIGEST, key=self._key, person=what)
        return begun

    def _digests(self, data: Iterable[bytes], what: bytes) -> list[bytes]:
        begun, digests = self._begin(what), []
        for one in data:
            digest = begun.copy()
            digest.update(one)
            digests.append(digest.digest())
        return digests


EVENT = b"\x01"
"""The state of each accepted event without an id."""


class Known(NamedTuple):
    """What the ledger knows of a user, or of an event."""

    state: bytes | None
    """Digest of the calls accepted; None: none."""
    doubt: bytes | None
    """The state that there may be instead: a call was sent, and it is unknown whether it was accepted."""
    maybe_duplicate: bool
    """The call that led to the state may have been accepted more than once."""


NOTHING = Known(None, None, maybe_duplicate=False)


class Decision(NamedTuple):
    """The decision about one row."""

    step: bytes | None
    """None: unchanged, no call."""
    doubted: bool = False
    """An earlier load ended while this call was in flight."""
    maybe_duplicate: bool = False
    """Of an unchanged row: it may have been accepted more than once."""


def decide(known: Known, bodies: Sequence[bytes], chain: Callable[[bytes, bytes], bytes]) -> Iterator[Decision]:
    """Decide about each row of one user: the digests of their bodies, in the input's order."""
    states = _states(bodies, chain)
    accepted, before = _accepted_rows(known, states), b""
    for number, state in enumerate(states, start=1):
        if number > accepted:
            yield Decision(before + state, doubted=state == known.doubt)
        else:
            yield Decision(None, maybe_duplicate=known.maybe_duplicate and number == accepted)
        before = state


def decide_as_one(
    known: Known, bodies: Sequence[bytes], chain: Callable[[bytes, bytes], bytes]
) -> tuple[int, Decision | None]:
    """Decide about the rows of one user as one call.

    Return how many rows are on record, from the first one on, and the decision about the others.
    """
    states = _states(bodies, chain)
    accepted = _accepted_rows(known, states)
    if accepted == len(states):
        return accepted, None
    before = states[accepted - 1] if accepted else b""
    return accepted, Decision(before + states[-1], doubted=known.doubt in states[accepted:])


def _accepted_rows(known: Known, states: Sequence[bytes]) -> int:
    """Return how many rows of a user, from the first one on, are on record."""
    accepted, doubt_follows = 0, known.doubt is None
    for number, state in enumerate(states if known.state or known.doubt else (), start=1):
        if state == known.state:
            accepted, doubt_follows = number, known.doubt is None
        elif state == known.doubt:
            doubt_follows = True
    # any other call in doubt, if it was accepted, has changed what earlier calls had set
    return accepted if doubt_follows else 0


def _states(bodies: Iterable[bytes], chain: Callable[[bytes, bytes], bytes]) -> list[bytes]:
    """Return the state after each call."""
    states = []
    state = last = b""
    for body in bodies:
        # the same call again changes nothing
        if body != last:
            state = chain(state, body) if state else body
        last = body
        states.append(state)
    return states


def decide_event(known: Known, state: bytes, *, resend: bool = False) -> Decision:
    """Decide about one event; `state` is its state once it is accepted."""
    if known.doubt is not None:
        return Decision(state, doubted=True)
    if not known.state:
        return Decision(state)
    # the API will hold it twice, as requested
    if resend:
        return Decision(state, doubted=True)
    return Decision(None, maybe_duplicate=known.maybe_duplicate)


class EventDecision(NamedTuple):
    """The decision about one of the rows that share an event's name and id."""

    decision: Decision
    differs: bool = False
    """Of an unchanged row: the accepted event has other content."""
    conflict: bool = False
    """Refused: another person, or other content than another row of the input."""
    counts_instead: int | None = None
    """The index, among these rows, of the one that counts instead. None: this one counts, or the ledger decided."""


def decide_event_id(known: Known, states: Sequence[bytes], *, resend: bool = False) -> list[EventDecision]:
    """Decide about the rows of the input that share an event's name and id. `states` are those after each of them.

    An id belongs to one person for ever. A row about another person than in the ledger is refused, with `resend` too.
    One of the others counts: the first with the accepted content, else the first. Equal rows are merged into it; rows
    with other content are refused. An accepted event cannot be changed: if the row that counts has other content, it is
    unchanged all the same.
    """
    held = [one for one in (known.state, known.doubt) if one]
    mine = [at for at, state in enumerate(states) if all(one[:PERSON] == state[:PERSON] for one in held)]
    refused = EventDecision(Decision(None), conflict=True)
    decisions = [refused] * len(states)
    if not mine:
        return decisions
    counts = next((at for one in held for at in mine if states[at] == one), mine[0])
    decision = decide_event(known, states[counts], resend=resend)
    differs = decision.step is None and states[counts] != known.state
    for at in mine:
        if states[at] != states[counts]:
            decisions[at] = refused._replace(counts_instead=counts)
        elif at == counts or decision.step is None:
            decisions[at] = EventDecision(decision, differs)
        else:
            decisions[at] = EventDecision(Decision(None), counts_instead=counts)
    return decisions
