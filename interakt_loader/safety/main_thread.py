"""The thread in which Python takes signals."""

from __future__ import annotations

import threading


def is_main_thread() -> bool:
    """Tell whether this is the main thread; under eventlet it is one of another `threading`, with its own class."""
    this = threading.current_thread()
    return this is threading.main_thread() or type(this).__name__ == "_MainThread"
