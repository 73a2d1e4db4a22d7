"""The sandbox as a program of its own: until a signal, or until the program that started it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox.api import Api
from interakt_loader.sandbox.options import SandboxOptions
from interakt_loader.sandbox.server import HOST, serve


def run_forever(options: SandboxOptions, ready: Callable[[str], object]) -> None:
    """Run until SIGINT or SIGTERM; `ready` is told the URL once calls can come in.

    Call it from the main thread. Raises `SettingsError` if the port cannot be had.
    """
    stops: list[Callable[[], None]] = []
    signalled = threading.Event()

    def end(*_: object) -> None:
        signalled.set()
        for stop in stops:
            stop()

    def listening(port: int, stop: Callable[[], None]) -> None:
        stops.append(stop)
        if signalled.is_set():  # it came while the port was being opened
            stop()
        else:
            ready(f"http://{HOST}:{port}")

    # signal.signal, as Windows' event loops have no add_signal_handler; before the loop starts, as asyncio puts a
    # handler of its own in place of Python's, and that one must not be what is put back at the end.
    with ExitStack() as stack:
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                stack.callback(signal.signal, number, signal.getsignal(number) or signal.SIG_DFL)
                signal.signal(number, end)
        asyncio.run(serve(Api(options), options.port, listening))


def run_for_parent() -> int:
    """Run for a `SandboxProcess`: options come as one JSON line on stdin, the URL goes out as one, EOF ends it.

    The key comes that way too: other users of the machine can read a program's arguments.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is for the parent, which then ends this
    line = b""
    while not line.endswith(b"\n"):
        # os.read, not sys.stdin: a thread that waits in there would keep the interpreter from ending
        piece = os.read(0, 65536)
        if not piece:
            return 2
        line += piece

    def listening(port: int, stop: Callable[[], None]) -> None:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
        _say({"url": f"http://{HOST}:{port}"})

    try:
        options = SandboxOptions(**json.loads(line))
        asyncio.run(serve(Api(options), options.port, listening))
    except SettingsError as error:
        _say({"error": str(error)})
        return 2
    return 0


def _stop_at_end_of_input(stop: Callable[[], None]) -> None:
    try:
        while os.read(0, 65536):
            pass
    finally:
        stop()


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
