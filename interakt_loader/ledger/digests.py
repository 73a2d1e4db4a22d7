"""The digests that calls are known by: 16 bytes each, keyed by the destination's secret. Pure.

Each destination (account and address) has a random secret of its own (`account`), so no digest of one destination
matches one of another, and nobody who finds a ledger can try out phone numbers on it.

What goes out, by what the ledger knows. Pure.

A user call replaces traits, so what counts is the sequence of a user's calls: the ledger holds one digest of the
calls accepted since the first of them (`Known.state`), and the input's rows of that user are unchanged as far as
the same sequence leads there. Usually a user has one row, and the digest is that of its body.

What a call does to the ledger once it is accepted is its *step*: the state after it; preceded by the state before
it, unless it is the first of its sequence. A step whose *before* is not what the ledger holds, because an earlier
call of the user failed, leaves a state that matches nothing: then the user's rows all go out next time, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from interakt_loader.model import DIGEST

PERSON = DIGEST // 2
"""Bytes at the beginning of the state of an event with an id that say who it is about."""


class Keys:
    """Digests for one destination."""

    def __init__(self, secret: bytes) -> None:
        self._key = secret
        self._begun: dict[bytes, blake2b] = {}

    def __repr__(self) -> str:
        return "<Keys>"

    def of_input(self, salt: bytes) -> Keys:
        """Return other keys, for the events of one input: what says the same in two inputs are two events there."""
        return Keys(self._digest(salt, b"input"))

    def user(self, ordering_key: str) -> bytes:
        """Return what a user is known by; `ordering_key` is the identity that the messages of one user share."""
        return self._digest(ordering_key.encode(), b"user")

    def body(self, body: bytes) -> bytes:
        """Return what a user call's body is known by."""
        return self._digest(body, b"body")

    def chain(self, before: bytes, body: bytes) -> bytes:
        """Return what a user's calls up to this one are known by: those before it, and its own body's digest."""
        return self._digest(before + body, b"chain")

    def event(self, body: bytes) -> bytes:
        """Return what an event is known by: all that it says, the user and `createdAt` among it."""
        return self._digest(body, b"event")

    def repeated_event(self, event: bytes, number: int) -> bytes:
        """Return what the same event is known by when it stands in the input for the `number`th time (from 2)."""
        return self._digest(event + number.to_bytes(8, "big"), b"repeated event")

    def event_id(self, event: str, event_id: str) -> bytes:
        """Return what an event with an id is known by: its name and the id."""
        return self._digest(f"{len(event)}:{event}{event_id}".encode(), b"event id")

    def event_state(self, ordering_key: str, body: bytes) -> bytes:
        """Return the state of an accepted event with an id: half of it is who it is about, half what it says."""
        return self._digest(ordering_key.encode(), b"person")[:PERSON] + self._digest(body, b"event")[PERSON:]

    def topic(self, text: str) -> bytes:
        """Return what notes about a topic are known by."""
        return self._digest(text.encode(), b"topic")

    def name(self, text: str) -> bytes:
        """Return what one of a topic's notes is known by."""
        return self._digest(text.encode(), b"name")

    def _digest(self, data: bytes, what: bytes) -> bytes:
        begun = self._begun.get(what)
        if begun is None:  # the key is taken in once for each kind: that is half the work of a short digest
            begun = self._begun[what] = blake2b(digest_size=DIGEST, key=self._key, person=what)
        digest = begun.copy()
        digest.update(data)
        return digest.digest()


EVENT = b"\x01"
"""The state of an event without an id that was accepted: there is nothing more to say about one."""


class Known(NamedTuple):
    """What the ledger knows of a user, or of an event."""

    state: bytes | None
    """Digest of the calls accepted; None: none."""
    doubt: bytes | None
    """The state that there may be instead: a call went out, and nobody knows whether it was accepted."""
    maybe_duplicate: bool
    """The call that led to the state may have been accepted more than once."""


NOTHING = Known(None, None, False)


class Decision(NamedTuple):
    """What is done about one row."""

    step: bytes | None
    """None: unchanged, no call."""
    doubted: bool = False
    """An earlier load ended while this very call was out."""
    maybe_duplicate: bool = False
    """Of an unchanged row: it may have been accepted more than once."""


def decide(known: Known, bodies: Sequence[bytes], chain: Callable[[bytes, bytes], bytes]) -> list[Decision]:
    """Decide about the rows of one user (or about one event): the digests of their bodies, in the input's order."""
    states = [bodies[0]]
    for body in bodies[1:]:
        states.append(chain(states[-1], body))
    matched = states.index(known.state) + 1 if known.state in states else 0
    if known.doubt is not None and states[matched : matched + 1] != [known.doubt]:
        matched = 0  # the doubted call, if it was accepted, has changed what those before it had set
    unchanged = [Decision(None)] * (matched - 1) + [Decision(None, maybe_duplicate=known.maybe_duplicate)] * (
        matched > 0
    )
    to_send = [
        Decision(states[at] if at == 0 else states[at - 1] + states[at], doubted=states[at] == known.doubt)
        for at in range(matched, len(states))
    ]
    return unchanged + to_send


def decide_event(known: Known, state: bytes, *, resend: bool = False) -> Decision:
    """Decide about one event, whose state is this once it is accepted."""
    if known.doubt is not None:
        return Decision(state, doubted=True)
    if not known.state:
        return Decision(state)
    if resend:  # the API will hold it twice, as was asked for
        return Decision(state, doubted=True)
    return Decision(None, maybe_duplicate=known.maybe_duplicate)


class EventDecision(NamedTuple):
    """What is done about one of the rows that share an event's name and id."""

    decision: Decision
    differs: bool = False
    """Of an unchanged row: what was accepted said something else."""
    conflict: bool = False
    """Refused: another person, or other content than another row of the input."""
    beside: int | None = None
    """The place, among these rows, of the one that counts instead; None: this one counts, or the ledger is why not."""


def decide_event_id(known: Known, states: Sequence[bytes], *, resend: bool = False) -> list[EventDecision]:
    """Decide about the rows of the input that share an event's name and id, by the states they would lead to.

    An id stands for one person for ever: a row about another one than the ledger knows, or has in doubt, is refused,
    with `resend` too. Of the others one counts: the first that says what was accepted before, else the first. Its
    equals go with it; those that say something else are refused. An event that was accepted cannot be changed: if the
    row that counts says something else, it is unchanged all the same.
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
            decisions[at] = refused._replace(beside=counts)
        elif at == counts or decision.step is None:
            decisions[at] = EventDecision(decision, differs)
        else:
            decisions[at] = EventDecision(Decision(None), beside=counts)
    return decisions
