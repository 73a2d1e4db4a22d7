"""The sandbox in a process of its own, so that it and the client do not share one interpreter's lock."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

from interakt_loader.errors import InteraktLoaderError, SettingsError
from interakt_loader.sandbox.api import Stats
from interakt_loader.sandbox.control import PAGE
from interakt_loader.sandbox.options import SandboxOptions
from interakt_loader.sandbox.store import EventRecord, UserRecord

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
