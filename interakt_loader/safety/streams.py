"""Standard streams that may be gone: a full disk, a pipe that nobody reads any more, a terminal that was closed.

What a load says there is for people who may not be there. Its report is the record, so a line that cannot be written is
left out, and the load goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_LOST = (OSError, ValueError, RuntimeError)
"""What writing raises: no room or no reader; a stream that was closed; a signal handler's call while others write."""


class TolerantStream:
    """A text stream that leaves out what it cannot write. Everything else is the stream's own."""

    def __init__(self, stream: TextIO | None) -> None:
        """Write to this stream; None, as Python calls one that was closed from the start: to nowhere."""
        self._stream = stream
        self.closed = False
        self.error: OSError | None = None
        """The first reason why something was left out, if the other end is to blame."""

    def write(self, text: str) -> int:
        """Write a text, with escapes for characters that the stream's encoding does not have."""
        if self._stream is None:
            return len(text)
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except _LOST as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        """Write what waits in buffers."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except _LOST as error:
            self._lost(error)

    def isatty(self) -> bool:
        """Tell whether a person may be reading."""
        try:
            return self._stream is not None and self._stream.isatty()
        except _LOST:
            return False

    def _lost(self, error: Exception) -> None:
        if self.error is None and isinstance(error, OSError):
            self.error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def tolerant_streams() -> Iterator[TolerantStream]:
    """Have standard output and error leave out what cannot be written; yield the former."""
    former = sys.stdout, sys.stderr
    out = TolerantStream(sys.stdout)
    sys.stdout, sys.stderr = out, TolerantStream(sys.stderr)
    try:
        yield out
    finally:
        out.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = former


@contextmanager
def usable_stderr() -> Iterator[None]:
    """Where the program has closed `sys.stderr`, have it take nothing: else Python's own logging raises."""
    if sys.stderr is None or not sys.stderr.closed:
        yield
        return
    former, sys.stderr = sys.stderr, TolerantStream(None)
    try:
        yield
    finally:
        sys.stderr = former


def hold_standard_handles() -> None:
    """Open the null device in place of each standard stream that was closed before the process began (`2>&-`).

    The next file that is opened, a ledger perhaps, would take its number, and with it whatever a library prints there.
    """
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
