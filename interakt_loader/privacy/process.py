"""The process of a load: its main thread, its standard streams, and its memory.

A standard stream may be gone: a full disk, a pipe without a reader, a closed terminal. The report is the record of a
load. So a line that cannot be written to a stream is left out, and the load continues.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TextIO


def is_main_thread() -> bool:
    """Return True on the main thread, which receives Python's signals."""
    # Under eventlet it belongs to another `threading`, with a class of its own.
    this = threading.current_thread()
    return this is threading.main_thread() or type(this).__name__ == "_MainThread"


_LOST = (OSError, ValueError, RuntimeError)
"""What a write raises: no space or no reader; a closed stream; a call from a signal handler during another write."""


class TolerantStream:
    """A text stream that leaves out what it cannot write. All other attributes are the stream's."""

    def __init__(self, stream: TextIO | None) -> None:
        """Write to this stream. None, which Python uses for a stream that was closed at the start: write nothing."""
        self._stream = stream
        self.closed = False
        self.error: OSError | None = None
        """The first error of the stream's other end, such as a full disk."""

    def write(self, text: str) -> int:
        """Write a text, with escapes for characters that the stream's encoding lacks."""
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
        """Write the buffered text."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except _LOST as error:
            self._lost(error)

    def isatty(self) -> bool:
        """Return True if the stream is a terminal."""
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
    """Make standard output and error leave out what cannot be written; yield standard output."""
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
    """Replace a closed `sys.stderr` by one that writes nothing, because Python's logging would raise."""
    if sys.stderr is None or not sys.stderr.closed:
        yield
        return
    former, sys.stderr = sys.stderr, TolerantStream(None)
    try:
        yield
    finally:
        sys.stderr = former


def hold_standard_handles() -> None:
    """Open the null device for each standard stream that was closed before the process began (`2>&-`).

    Otherwise the next opened file, such as a ledger, gets the stream's number, and all that libraries print there.
    """
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            # It gets the lowest free number.
            os.open(os.devnull, os.O_RDWR)


class _Unused:
    """A finder that reports modules as missing that pyarrow would import, and a load from files never uses.

    pyarrow imports pandas for its first array, which costs 45 MB and a quarter of a second. With Parquet it imports its
    own access to S3, which costs 10 MB and 9 ms. Here fsspec reads `s3://` addresses.
    """

    _NAMES = ("pandas", "pyarrow._s3fs")

    def find_spec(self, name: str, *_: Sequence[str] | ModuleType | None) -> ModuleSpec | None:
        """Refuse these modules; leave every other one to the next finders."""
        if name in self._NAMES:
            raise ModuleNotFoundError(f"the command line does not use {name}", name=name)
        return None


def save_memory() -> None:
    """Import no pandas, let Arrow use malloc, and let NumPy start no threads, unless the environment says otherwise.

    Arrow's own allocators keep about 35 MB more. NumPy starts a thread for each core, for linear algebra, which a load
    never uses. That costs 20 to 50 ms of CPU on two cores. Call this before pyarrow is imported, and only in the
    command line's own process.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.meta_path.insert(0, _Unused())


_OF_HELP = ("pyarrow.vendored.docscrape", "numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars")
"""Modules that only write the text that Python's `help` shows of functions."""


def import_arrow() -> None:
    """Import Arrow's functions as fast as can be: without the text of their help, and on an empty stack.

    No command shows that text, and to write it takes an eighth of the start.
    """
    empty = {name: ModuleType(name) for name in _OF_HELP if name not in sys.modules}
    for module in empty.values():
        # what `pyarrow.compute` asks of the first one
        vars(module)["NumpyDocString"] = lambda _: {"Parameters": ()}
    sys.modules |= empty
    try:
        import_on_empty_stack("pyarrow.compute")
    finally:
        for name in empty:
            sys.modules.pop(name, None)


def import_on_empty_stack(name: str) -> None:
    """Import a module on a thread of its own. An error is left to the next import of the module.

    Python 3.11 and later keep the frames of calls in chunks of 16 KB. Calls at the end of a chunk map the next one, and
    give it back when they return. In a command, the import of NumPy did so 1,800 times, which took 30 ms.
    """

    def attempt() -> None:
        with suppress(Exception):
            importlib.import_module(name)

    thread = threading.Thread(target=attempt, name="interakt-import")
    # RuntimeError: the system allows no more threads
    with suppress(RuntimeError):
        thread.start()
        thread.join()


def freeze_imports() -> None:
    """Start the garbage collector after the imports, and exclude the objects that exist already.

    Imports make no garbage. Searching their objects costs a tenth of the start, and of each later call.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
