"""What each call begins with. The key stands in it, so it shows itself nowhere, and goes straight to the socket."""

from __future__ import annotations

from interakt_loader.safety.secret import Secret
from interakt_loader.wire import authorization


class Head:
    """The head of the calls to one endpoint, but for the length of the body."""

    __slots__ = ("_head",)

    def __init__(self, first_line: str, host: str, key: Secret, headers: dict[str, str]) -> None:
        """Take the request line, the Host and the other headers; the key goes in as Authorization."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = (
            f"{first_line}\r\nHost: {host}\r\nAuthorization: {authorization(key)}\r\n{lines}Content-Length: "
        ).encode("latin-1")

    def __repr__(self) -> str:
        return "<Head>"

    def __reduce__(self) -> str:
        raise TypeError("a head holds the key, and does not go into a pickle")

    def before(self, body: bytes) -> memoryview:
        """Return the bytes of a call; of a `memoryview`, no traceback shows what is in it."""
        return memoryview(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
