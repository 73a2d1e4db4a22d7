"""The digests that calls are known by: 16 bytes each, keyed by the destination. Pure.

The key is made from the base URL and the API key. So a ledger of another account or another address has no digest
that matches, and who finds a ledger cannot try out phone numbers on it.
"""

from __future__ import annotations

from hashlib import blake2b

from interakt_loader.safety.secret import Secret
from interakt_loader.wire import DIGEST, destination


class Keys:
    """Digests for one destination."""

    def __init__(self, base_url: str, api_key: Secret | str) -> None:
        self._key = blake2b(destination(base_url, api_key).encode(), person=b"destination").digest()

    def __repr__(self) -> str:
        return "<Keys>"

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

    def event_id(self, event_id: str) -> bytes:
        """Return what an event is known by that has an id of its own."""
        return self._digest(event_id.encode(), b"event id")

    def input(self, kind: str, name: str) -> tuple[bytes, bytes]:
        """Return what all inputs of a kind have in common, and what this one is known by."""
        return self._digest(kind.encode(), b"inputs"), self._digest(f"{kind} {name}".encode(), b"input")

    def _digest(self, data: bytes, what: bytes) -> bytes:
        return blake2b(data, digest_size=DIGEST, key=self._key, person=what).digest()
