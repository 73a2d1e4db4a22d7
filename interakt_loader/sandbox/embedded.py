"""The sandbox inside the program that uses it: a loop of its own in a daemon thread.

The sandbox as a program of its own: until a signal, or until the program that started it ends.

The sandbox in a process of its own, so that it and the client do not share one interpreter's lock.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

from interakt_loader.errors import InteraktLoaderError, SettingsError
from interakt_loader.sandbox.api import Api, Stats
from interakt_loader.sandbox.options import SandboxOptions
from interakt_loader.sandbox.server import HOST, PAGE, serve
from interakt_loader.sandbox.store import EventRecord, UserRecord


class Sandbox:
    """A local look-alike of the track API.

        with Sandbox(SandboxOptions(limit_per_minute=300)) as sandbox:
            load_users(df, api_key=sandbox.api_key, base_url=sandbox.url)
            sandbox.users()

    `stop` and `start` again for an outage: port, records and counts stay. Reading works while it is stopped too.
    `start` raises `SettingsError` if the port cannot be had.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self._api = Api(self.options)
        self._port = self.options.port
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<Sandbox {self.url if self._thread else 'stopped'}>"

    @property
    def port(self) -> int:
        """The port that it listens on, once started; it stays the same over `stop` and `start`."""
        return self._port

    @property
    def url(self) -> str:
        """What to give as `base_url`."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_key(self) -> str:
        """What to give as `api_key`."""
        return self.options.api_key

    def start(self) -> None:
        """Listen; returns once calls can come in. Does nothing if it runs."""
        if self._thread is not None:
            return
        ready: Future[tuple[int, Callable[[], None]]] = Future()
        thread = threading.Thread(target=self._run, args=(ready,), name="interakt-sandbox", daemon=True)
        thread.start()
        try:
            self._port, self._stop = ready.result()
        except BaseException:  # Ctrl-C may come in between: the server, once there, is told to stop
            ready.add_done_callback(lambda done: None if done.exception() else done.result()[1]())
            raise
        self._thread = thread

    def _run(self, ready: Future[tuple[int, Callable[[], None]]]) -> None:
        try:
            asyncio.run(serve(self._api, self._port, lambda port, stop: ready.set_result((port, stop))))
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)

    def stop(self) -> None:
        """Close the port and all connections, and end the thread. Does nothing if it is stopped."""
        if self._thread is None or self._stop is None:
            return
        self._stop()
        self._thread.join()
        self._thread = self._stop = None

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def users(self, limit: int | None = None, offset: int = 0) -> list[UserRecord]:
        """Return users in the order in which they were first seen."""
        return self._api.users(limit, offset)

    def events(self, limit: int | None = None, offset: int = 0) -> list[EventRecord]:
        """Return events in order of arrival."""
        return self._api.events(limit, offset)

    def find_user(self, identity: str) -> UserRecord | None:
        """Return the user with this userId or, failing that, this whole phone number (`"+919999999999"`)."""
        return self._api.find_user(identity)

    def stats(self) -> Stats:
        """Return the counts."""
        return self._api.stats()

    def arrivals(self) -> list[float]:
        """Return when each call arrived, in monotonic seconds; empty without `record_arrivals`."""
        return self._api.arrivals()

    def reset(self) -> None:
        """Forget records, counts, what is forced and the limit's windows; the faults' shares stay."""
        self._api.reset()

    def renew_key(self, api_key: str) -> None:
        """Let another key in from now on, and the former one no more, as an account does. Raises `SettingsError`."""
        self._api.renew_key(api_key)
        self.options = replace(self.options, api_key=api_key)

    def set_faults(self, faults: str | Mapping[str, float]) -> None:
        """Change the shares of calls that fail, e.g. `"500=2%,reset=1%"`. Raises `SettingsError`."""
        self._api.set_faults(faults)

    def force(self, kinds: Iterable[str | None]) -> None:
        """Make the next calls end in these faults, in order of arrival; None lets one pass."""
        self._api.force(kinds)

    def force_for(self, identity: str, kinds: Iterable[str | None]) -> None:
        """Make the next calls of one user (userId, or `+` and the whole number) end in these faults."""
        self._api.force_for(identity, kinds)


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


_PATIENCE = 10.0
"""Seconds that the process has to end by itself, and to answer."""


class SandboxProcess:
    """As `Sandbox`, with the server in its own process. It ends with this one, whichever way this one ends.

    What it holds goes with it: read before `stop`. Raises `SettingsError` if the port cannot be had.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def __repr__(self) -> str:
        return f"<SandboxProcess {self._url if self._process else 'stopped'}>"

    @property
    def port(self) -> int:
        """The port that it listens on, once started."""
        return urlsplit(self._url).port or 0

    @property
    def url(self) -> str:
        """What to give as `base_url`."""
        return self._url

    @property
    def api_key(self) -> str:
        """What to give as `api_key`."""
        return self.options.api_key

    def start(self) -> None:
        """Start the process; returns once calls can come in. Does nothing if it runs."""
        if self._process is not None:
            return
        options = {option.name: getattr(self.options, option.name) for option in fields(self.options)}
        if not isinstance(self.options.faults, str):
            options["faults"] = dict(self.options.faults)
        # The child finds the package where this process found it, however that was.
        home = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        inherited = {
            name: value for name, value in os.environ.items() if name != "INTERAKT_API_KEY"
        }  # not its business
        self._process = subprocess.Popen(
            [sys.executable, "-m", "interakt_loader.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**inherited, "PYTHONPATH": path},
        )
        try:
            self._url = self._introduce(self._process, options)
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def _introduce(process: subprocess.Popen[bytes], options: dict[str, Any]) -> str:
        """Hand over the options and return the URL."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(options).encode() + b"\n")
            process.stdin.flush()
            said = json.loads(process.stdout.readline())
        except (OSError, ValueError) as error:
            raise InteraktLoaderError("the sandbox's process ended before it was ready") from error
        if "error" in said:
            raise SettingsError(said["error"])
        return str(said["url"])

    def stop(self) -> None:
        """End the process. Does nothing if it is stopped."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            # Closing its stdin ends it, and closes our ends of both pipes.
            process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def __enter__(self) -> SandboxProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def users(self, limit: int | None = None, offset: int = 0) -> list[UserRecord]:
        """Return users in the order in which they were first seen."""
        return [UserRecord(**user) for user in self._pages("/sandbox/users", limit, offset)]

    def events(self, limit: int | None = None, offset: int = 0) -> list[EventRecord]:
        """Return events in order of arrival."""
        return [EventRecord(**event) for event in self._pages("/sandbox/events", limit, offset)]

    def find_user(self, identity: str) -> UserRecord | None:
        """Return the user with this userId or, failing that, this whole phone number (`"+919999999999"`)."""
        found = self._ask("GET", f"/sandbox/users?identity={quote(identity, safe='')}")
        return UserRecord(**found[0]) if found else None

    def stats(self) -> Stats:
        """Return the counts."""
        counts = self._ask("GET", "/sandbox/stats")
        counts["by_status"] = {int(status): count for status, count in counts["by_status"].items()}
        return Stats(**counts)

    def arrivals(self) -> list[float]:
        """Return when each call arrived, in the other process's monotonic seconds; empty without `record_arrivals`."""
        found: list[float] = self._ask("GET", "/sandbox/arrivals")
        return found

    def reset(self) -> None:
        """Forget records, counts, what is forced and the limit's windows; the faults' shares stay."""
        self._ask("POST", "/sandbox/reset")

    def renew_key(self, api_key: str) -> None:
        """Let another key in from now on, and the former one no more, as an account does. Raises `SettingsError`."""
        self._ask("POST", "/sandbox/key", {"api_key": api_key})
        self.options = replace(self.options, api_key=api_key)

    def set_faults(self, faults: str | Mapping[str, float]) -> None:
        """Change the shares of calls that fail, e.g. `"500=2%,reset=1%"`. Raises `SettingsError`."""
        self._ask("POST", "/sandbox/faults", {"faults": faults if isinstance(faults, str) else dict(faults)})

    def force(self, kinds: Iterable[str | None]) -> None:
        """Make the next calls end in these faults, in order of arrival; None lets one pass."""
        self._ask("POST", "/sandbox/faults", {"force": list(kinds)})

    def force_for(self, identity: str, kinds: Iterable[str | None]) -> None:
        """Make the next calls of one user (userId, or `+` and the whole number) end in these faults."""
        self._ask("POST", "/sandbox/faults", {"force_for": {identity: list(kinds)}})

    def _pages(self, path: str, limit: int | None, offset: int) -> Iterator[dict[str, Any]]:
        while limit is None or limit > 0:
            size = PAGE if limit is None else min(limit, PAGE)
            page = self._ask("GET", f"{path}?limit={size}&offset={offset}")
            yield from page
            if len(page) < size:
                return
            offset += size
            limit = None if limit is None else limit - size

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        try:
            connection.request(method, path, json.dumps(body).encode())
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status == 400:
            raise SettingsError(said["message"])
        return said
