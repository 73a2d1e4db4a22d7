"""The thread in which Python takes signals.

Standard streams that may be gone: a full disk, a pipe that nobody reads any more, a terminal that was closed.

What a load says there is for people who may not be there. Its report is the record, so a line that cannot be written is
left out, and the load goes on.

What makes the command line's own process smaller and faster. Only for a process that is ours alone.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TextIO


def is_main_thread() -> bool:
    """Tell whether this is the main thread; under eventlet it is one of another `threading`, with its own class."""
    this = threading.current_thread()
    return this is threading.main_thread() or type(this).__name__ == "_MainThread"


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


_NOT_NEEDED = "pandas"


class _NotImported:
    """A finder that finds no pandas.

    pyarrow imports it, if it is installed, to make its first array: 45 MB and a quarter of a second for something
    that a load from files never uses.
    """

    def find_spec(self, name: str, *_: Sequence[str] | ModuleType | None) -> ModuleSpec | None:
        """Refuse pandas; leave every other module to the finders behind."""
        if name == _NOT_NEEDED:
            raise ModuleNotFoundError(f"the command line does without {name}", name=name)
        return None


def keep_small() -> None:
    """Do without pandas, and have Arrow use malloc, unless the environment says otherwise.

    Arrow's own allocators keep some 35 MB more; call this before pyarrow is imported.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.meta_path.insert(0, _NotImported())


def imported() -> None:
    """Begin to look for garbage, now that all modules are there, and never among them.

    Nothing that an import makes is garbage: looking for some costs a tenth of the start, and of each call later on.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
