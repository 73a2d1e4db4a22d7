"""The digests that calls are known by: 16 bytes each, keyed by the destination's secret. Pure.

Each destination (account and address) has a random secret of its own (`account`), so no digest of one destination
matches one of another, and nobody who finds a ledger can try out phone numbers on it.
"""

from __future__ import annotations

from hashlib import blake2b

from interakt_loader.wire import DIGEST

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

    def user(self, lane: str) -> bytes:
        """Return what a user is known by; `lane` is the identity that the messages of one user share."""
        return self._digest(lane.encode(), b"user")

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

    def event_state(self, lane: str, body: bytes) -> bytes:
        """Return the state of an accepted event with an id: half of it is who it is about, half what it says."""
        return self._digest(lane.encode(), b"person")[:PERSON] + self._digest(body, b"event")[PERSON:]

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
