"""The sandbox inside the program that uses it: a loop of its own in a daemon thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType

from interakt_loader.sandbox.api import Api, Stats
from interakt_loader.sandbox.options import SandboxOptions
from interakt_loader.sandbox.server import HOST, serve
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
