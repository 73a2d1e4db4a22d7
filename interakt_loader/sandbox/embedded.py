"""Three ways to run the sandbox: in a thread, in a process of its own, and as a program until a signal."""

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
from itertools import islice
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
    """A local copy of the track API, in a daemon thread with an event loop of its own.

        with Sandbox(SandboxOptions(limit_per_minute=300)) as sandbox:
            load_users(df, api_key=sandbox.api_key, base_url=sandbox.url)
            sandbox.users()

    `stop` and `start` make an outage: port, records and counts stay. Reading also works while it is stopped.
    `start` raises `SettingsError` if the port is not available.
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
        """The port that it listens on, once started. It stays the same after `stop` and `start`."""
        return self._port

    @property
    def url(self) -> str:
        """The option `base_url` of a load to this sandbox."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_key(self) -> str:
        """The option `api_key` of a load to this sandbox."""
        return self.options.api_key

    def start(self) -> None:
        """Start to listen; returns once calls can arrive. Does nothing if it runs."""
        if self._thread is not None:
            return
        ready: Future[tuple[int, Callable[[], None]]] = Future()
        thread = threading.Thread(target=self._run, args=(ready,), name="interakt-sandbox", daemon=True)
        thread.start()
        try:
            self._port, self._stop = ready.result()
        # Ctrl-C may come while the server starts: it is stopped as soon as it runs.
        except BaseException:
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
        """Forget records, counts, forced faults and the limit's windows; the shares of faults stay."""
        self._api.reset()

    def renew_key(self, api_key: str) -> None:
        """Accept this key from now on, and no longer the one before, as an account does. Raises `SettingsError`."""
        self._api.renew_key(api_key)
        self.options = replace(self.options, api_key=api_key)

    def set_faults(self, faults: str | Mapping[str, float]) -> None:
        """Change the shares of calls that fail, e.g. `"500=2%,reset=1%"`. Raises `SettingsError`."""
        self._api.set_faults(faults)

    def force(self, kinds: Iterable[str | None]) -> None:
        """Make the next calls end in these faults, in order of arrival; None: the call has no fault."""
        self._api.force(kinds)

    def force_for(self, identity: str, kinds: Iterable[str | None]) -> None:
        """Make the next calls of one user (userId, or `+` and the whole number) end in these faults."""
        self._api.force_for(identity, kinds)

    def contacts(self, limit: int | None = None, offset: int = 0) -> list[dict[str, Any]]:
        """Return what a reader should find now, in the API's form, in the order in which users were first seen."""
        return self._api.contacts(limit, offset)

    def put(
        self,
        *,
        user_id: str | None = None,
        country_code: str | None = None,
        phone: str | None = None,
        traits: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        created: float | None = None,
        modified: float | None = None,
    ) -> str:
        """Create or update a contact as somebody does in the dashboard, and return its id.

        `created` and `modified` are seconds since the epoch; default: now. Raises `SettingsError`.
        """
        row = _row(user_id, country_code, phone, traits, tags, created, modified)
        return next(self._api.put([row]))

    def put_many(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Put a contact for each row, with the arguments of `put` as its keys; return how many."""
        return sum(1 for _ in self._api.put(rows))

    def change(self, identity: str, /, **traits: Any) -> None:
        """Set traits of a contact, named by userId or whole number, as somebody does in the dashboard."""
        self._api.change(identity, traits)

    def delete(self, identity: str) -> None:
        """Delete a contact, named by userId or whole number, as somebody does in the dashboard."""
        self._api.delete(identity)

    def advance(self, seconds: float) -> None:
        """Move the clock of the contacts' times and of `read_delay` forward. Limits and latency do not follow it."""
        self._api.advance(seconds)

    def set_clock(self, now: float | None) -> None:
        """Stop that clock at this time, in seconds since the epoch; None: let it run on from where it is."""
        self._api.set_clock(now)

    def on_read(self, callback: Callable[[list[dict[str, Any]]], object] | None) -> None:
        """Call this after each page or look-up with its contacts, before they are sent; None: no longer.

        It runs in the sandbox's thread, and may change contacts.
        """
        self._api.on_read(callback)


_MOST_WAIT = 10.0
"""Seconds that the process may take to end or to answer."""

_ROWS = 2000
"""Contacts in one call to the process."""


def _row(
    user_id: str | None,
    country_code: str | None,
    phone: str | None,
    traits: Mapping[str, Any] | None,
    tags: Iterable[str],
    created: float | None,
    modified: float | None,
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "country_code": country_code,
        "phone": phone,
        "traits": dict(traits or {}),
        "tags": list(tags),
        "created": created,
        "modified": modified,
    }


class SandboxProcess:
    """A `Sandbox` in a process of its own, so that it does not share the client's interpreter lock.

    It ends when this process ends, in whatever way. Its records end with it: read them before `stop`.
    `start` raises `SettingsError` if the port is not available.
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
        """The option `base_url` of a load to this sandbox."""
        return self._url

    @property
    def api_key(self) -> str:
        """The option `api_key` of a load to this sandbox."""
        return self.options.api_key

    def start(self) -> None:
        """Start the process; returns once calls can arrive. Does nothing if it runs."""
        if self._process is not None:
            return
        options = {option.name: getattr(self.options, option.name) for option in fields(self.options)}
        if not isinstance(self.options.faults, str):
            options["faults"] = dict(self.options.faults)
        # The child has to import the same package as this process. The key is left out: it is not the sandbox's.
        home = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        inherited = {name: value for name, value in os.environ.items() if name != "INTERAKT_API_KEY"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "interakt_loader.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**inherited, "PYTHONPATH": path},
        )
        try:
            self._url = self._connect(self._process, options)
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def _connect(process: subprocess.Popen[bytes], options: dict[str, Any]) -> str:
        """Send the options to the process, and return its URL."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(options).encode() + b"\n")
            process.stdin.flush()
            line = json.loads(process.stdout.readline())
        except (OSError, ValueError) as error:
            raise InteraktLoaderError("the sandbox's process ended before it was ready") from error
        if "error" in line:
            raise SettingsError(line["error"])
        return str(line["url"])

    def stop(self) -> None:
        """End the process. Does nothing if it is stopped."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            # This closes its stdin, which ends the process, and our ends of both pipes.
            process.communicate(timeout=_MOST_WAIT)
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
        for name in ("by_status", "reads_by_status"):
            counts[name] = {int(status): count for status, count in counts[name].items()}
        return Stats(**counts)

    def arrivals(self) -> list[float]:
        """Return when each call arrived, in the other process's monotonic seconds; empty without `record_arrivals`."""
        found: list[float] = self._ask("GET", "/sandbox/arrivals")
        return found

    def reset(self) -> None:
        """Forget records, counts, forced faults and the limit's windows; the shares of faults stay."""
        self._ask("POST", "/sandbox/reset")

    def renew_key(self, api_key: str) -> None:
        """Accept this key from now on, and no longer the one before, as an account does. Raises `SettingsError`."""
        self._ask("POST", "/sandbox/key", {"api_key": api_key})
        self.options = replace(self.options, api_key=api_key)

    def set_faults(self, faults: str | Mapping[str, float]) -> None:
        """Change the shares of calls that fail, e.g. `"500=2%,reset=1%"`. Raises `SettingsError`."""
        self._ask("POST", "/sandbox/faults", {"faults": faults if isinstance(faults, str) else dict(faults)})

    def force(self, kinds: Iterable[str | None]) -> None:
        """Make the next calls end in these faults, in order of arrival; None: the call has no fault."""
        self._ask("POST", "/sandbox/faults", {"force": list(kinds)})

    def force_for(self, identity: str, kinds: Iterable[str | None]) -> None:
        """Make the next calls of one user (userId, or `+` and the whole number) end in these faults."""
        self._ask("POST", "/sandbox/faults", {"force_for": {identity: list(kinds)}})

    def contacts(self, limit: int | None = None, offset: int = 0) -> list[dict[str, Any]]:
        """Return what a reader should find now, in the API's form, in the order in which users were first seen."""
        return list(self._pages("/sandbox/contacts", limit, offset))

    def put(
        self,
        *,
        user_id: str | None = None,
        country_code: str | None = None,
        phone: str | None = None,
        traits: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        created: float | None = None,
        modified: float | None = None,
    ) -> str:
        """Create or update a contact as somebody does in the dashboard, and return its id.

        `created` and `modified` are seconds since the epoch; default: now. Raises `SettingsError`.
        """
        row = _row(user_id, country_code, phone, traits, tags, created, modified)
        found: str = self._ask("POST", "/sandbox/contacts", {"put": [row]})["ids"][0]
        return found

    def put_many(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Put a contact for each row, with the arguments of `put` as its keys; return how many."""
        rows = iter(rows)
        count = 0
        while part := [dict(row) for row in islice(rows, _ROWS)]:
            count += len(self._ask("POST", "/sandbox/contacts", {"put": part})["ids"])
        return count

    def change(self, identity: str, /, **traits: Any) -> None:
        """Set traits of a contact, named by userId or whole number, as somebody does in the dashboard."""
        self._ask("POST", "/sandbox/contacts", {"change": {identity: traits}})

    def delete(self, identity: str) -> None:
        """Delete a contact, named by userId or whole number, as somebody does in the dashboard."""
        self._ask("POST", "/sandbox/contacts", {"delete": [identity]})

    def advance(self, seconds: float) -> None:
        """Move the clock of the contacts' times and of `read_delay` forward. Limits and latency do not follow it."""
        self._ask("POST", "/sandbox/clock", {"advance": seconds})

    def set_clock(self, now: float | None) -> None:
        """Stop that clock at this time, in seconds since the epoch; None: let it run on from where it is."""
        self._ask("POST", "/sandbox/clock", {"time": now})

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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_MOST_WAIT)
        try:
            connection.request(method, path, json.dumps(body).encode())
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status == 400:
            raise SettingsError(content["message"])
        return content


def run_forever(options: SandboxOptions, ready: Callable[[str], object]) -> None:
    """Run until SIGINT or SIGTERM. `ready` gets the URL once calls can arrive.

    Call it from the main thread. Raises `SettingsError` if the port is not available.
    """
    stops: list[Callable[[], None]] = []
    signalled = threading.Event()

    def end(*_: object) -> None:
        signalled.set()
        for stop in stops:
            stop()

    def listening(port: int, stop: Callable[[], None]) -> None:
        stops.append(stop)
        # A signal may come while the port is opened.
        if signalled.is_set():
            stop()
        else:
            ready(f"http://{HOST}:{port}")

    # signal.signal, because the event loops of Windows have no add_signal_handler. It comes before the loop starts:
    # asyncio replaces Python's handler, and its own one must not be restored at the end.
    with ExitStack() as stack:
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                stack.callback(signal.signal, number, signal.getsignal(number) or signal.SIG_DFL)
                signal.signal(number, end)
        asyncio.run(serve(Api(options), options.port, listening))


def run_for_parent() -> int:
    """Run for a `SandboxProcess`; return the exit code.

    The options, with the key, come as one JSON line on stdin: other users of the machine can read a program's
    arguments. The URL goes out as one JSON line. The end of stdin ends the process.
    """
    # Ctrl-C at the terminal is for the parent, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = b""
    while not line.endswith(b"\n"):
        # os.read, because a thread that waits in sys.stdin keeps the interpreter from ending.
        piece = os.read(0, 65536)
        if not piece:
            return 2
        line += piece

    def listening(port: int, stop: Callable[[], None]) -> None:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
        _write_line({"url": f"http://{HOST}:{port}"})

    try:
        options = SandboxOptions(**json.loads(line))
        asyncio.run(serve(Api(options), options.port, listening))
    except SettingsError as error:
        _write_line({"error": str(error)})
        return 2
    return 0


def _stop_at_end_of_input(stop: Callable[[], None]) -> None:
    try:
        while os.read(0, 65536):
            pass
    finally:
        stop()


def _write_line(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
