"""Signals during a load: the first Ctrl-C or SIGTERM lets it finish its calls in flight, the second leaves at once.

The end of the terminal (SIGHUP) does not end it: nobody has asked it to stop.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from interakt_loader.safety.main_thread import is_main_thread
from interakt_loader.safety.streams import TolerantStream


class Interrupts:
    """Calls `on_first` at the first SIGINT or SIGTERM; a second one raises KeyboardInterrupt where the program is.

    A context manager that puts the former handlers back. Outside the main thread, where Python lets nobody handle
    signals, it does nothing.
    """

    def __init__(self, on_first: Callable[[], object]) -> None:
        self._on_first = on_first
        self._former: dict[int, Any] = {}
        self._terminal = outlive_terminal()
        self.signum: int | None = None
        """The first signal that came."""
        self.at_once = False
        """Set this while no call is out: then the first signal leaves at once."""

    def __enter__(self) -> Interrupts:
        self._terminal.__enter__()
        if is_main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                former = signal.getsignal(signum)
                if former is not None and former is not signal.SIG_IGN:  # nohup and the like ignore them on purpose
                    self._former[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, former in self._former.items():
            signal.signal(signum, former)
        self._terminal.__exit__(kind, error, trace)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None or self.at_once:
            raise KeyboardInterrupt(signum)
        self.signum = signum
        self._on_first()
        name = "Ctrl-C" if signum == signal.SIGINT else "SIGTERM"
        stderr = TolerantStream(sys.stderr)
        stderr.write(f"\n{name}: finishing the calls in flight and the report; once more leaves at once\n")
        stderr.flush()


@contextmanager
def outlive_terminal() -> Iterator[None]:
    """While this runs, do not let the end of the terminal end the process, nor one that it starts.

    A program that has its own way with SIGHUP keeps it. Windows has no such signal, and ends the process.
    """
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or not is_main_thread() or signal.getsignal(hangup) is not signal.SIG_DFL:
        yield
        return
    signal.signal(hangup, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(hangup, signal.SIG_DFL)
