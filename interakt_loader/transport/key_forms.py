"""How a server may repeat the key: an answer that does is not shown, in whichever of its forms the key stands there."""

from __future__ import annotations

import base64
from urllib.parse import quote

from interakt_loader.safety.secret import Secret
from interakt_loader.wire import authorization

SHORTEST_SECRET = 6
"""Characters from which on a part of an answer can be told to be the key."""


class KeyForms:
    """The forms of one key."""

    __slots__ = ("_bytes", "_texts")

    def __init__(self, key: Secret) -> None:
        self._texts = _forms(key.reveal(), authorization(key).removeprefix("Basic "))
        self._bytes = [one.encode() for one in self._texts]

    def __repr__(self) -> str:
        return "<KeyForms>"

    def __reduce__(self) -> str:
        raise TypeError("the forms of the key do not go into a pickle")

    def are_in(self, message: str, body: bytes) -> bool:
        """Tell whether an answer repeats the key: its bytes, or its message, from which escapes are gone."""
        for one in self._bytes:
            if one in body:
                return True
        for text in self._texts:  # noqa: SIM110 - `any` takes twice as long, and this is done for each call
            if text in message:
                return True
        return False


def _forms(given: str, token: str) -> list[str]:
    """Return the key as given, as it travels, decoded, and encoded twice; each as URLs, JSON and base64url write it.

    Of two forms of which one is a part of the other, the shorter one is enough.
    """
    decoded = base64.b64decode(token).decode().rstrip(":")
    twice = base64.b64encode(token.encode()).decode()
    plain = {given.strip(), decoded, *(one.rstrip("=") for one in (token, twice, given.strip()))}
    written = {
        form
        for one in plain
        for form in (one, quote(one), quote(one, safe=""), one.replace("/", "\\/"), one.translate(_OF_BASE64URL))
    }
    long = sorted((one for one in written if len(one) >= SHORTEST_SECRET), key=len)
    return [one for at, one in enumerate(long) if not any(shorter in one for shorter in long[:at])]


_OF_BASE64URL = str.maketrans("+/", "-_")
