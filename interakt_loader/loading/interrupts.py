"""Ctrl-C and SIGTERM during a load: the first lets it finish its calls in flight, the second leaves at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """Calls `on_first` at the first SIGINT or SIGTERM; a second one raises KeyboardInterrupt where the program is.

    A context manager that puts the former handlers back. Outside the main thread, where Python lets nobody handle
    signals, it does nothing.
    """

    def __init__(self, on_first: Callable[[], object]) -> None:
        self._on_first = on_first
        self._former: dict[int, Any] = {}
        self.signum: int | None = None
        """The first signal that came."""
        self.at_once = False
        """Set this while no call is out: then the first signal leaves at once."""

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
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

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None or self.at_once:
            raise KeyboardInterrupt(signum)
        self.signum = signum
        self._on_first()
        name = "Ctrl-C" if signum == signal.SIGINT else "SIGTERM"
        if sys.stderr is not None:
            sys.stderr.write(f"\n{name}: finishing the calls in flight and the report; once more leaves at once\n")
            sys.stderr.flush()
