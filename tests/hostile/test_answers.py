"""Every answer of the catalogue, given to every way of calling: one outcome a row, soon, and nothing left behind."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from interakt_loader import LoadResult, MappingDict, client, load_events, load_users
from interakt_loader.errors import APIError
from interakt_loader.privacy.secrets import Secret
from interakt_loader.sending.retry_policy import ANSWER_TIMEOUTS
from interakt_loader.transport.http import Connection
from interakt_loader.transport.responses import LONGEST_MESSAGE
from interakt_loader.transport.route import Head
from tests.hostile.server import ANSWERS, Answer, HostileServer, elsewhere, said
from tests.hostile.texts import RAW

TIMEOUT = 0.2
ROWS = 3
LONGEST = TIMEOUT * (1 + ANSWER_TIMEOUTS + 1)
"""Seconds that a call may take: until its first byte, for the rest, and the last wait."""
KEY = "the-key-of-this-account"


def load(url: str, report: Path, kind: str, **options: Any) -> LoadResult:
    table = pa.table({"id": [f"{kind}-{row}" for row in range(ROWS)]})
    options = {"timeout": TIMEOUT, "max_retries": 0, "max_outage": 1, "workers": ROWS} | options
    function, mapping = (load_users, USERS) if kind == "user" else (load_events, EVENTS)
    return function(table, mapping, api_key=KEY, base_url=url, report=report, **options)


USERS: MappingDict = {"user_id": "id"}
EVENTS: MappingDict = {"user_id": "id", "event": {"value": "Order Placed"}}


def track(url: str, heard: list[Exception]) -> None:
    """Queue calls, and wait until each has had its end."""
    one = client.Client(KEY, url, timeout=TIMEOUT, max_retries=0, on_error=lambda error, _: heard.append(error))
    for call in range(ROWS):
        assert one.event(f"track-{call}", "Order Placed")[0] is True
    one.join()


def sync(url: str) -> object:
    """Make one call at once; return what comes back or what it raises."""
    try:
        return client.Client(KEY, url, timeout=TIMEOUT, max_retries=0, sync_mode=True).user("sync")
    except APIError as error:
        return error


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_a_server_answers(name: str, tmp_path: Path) -> None:
    """Loads of users and of events, queued calls and one at once: an end for each, in bounded time, and no thread."""
    answer, before = ANSWERS[name], set(threading.enumerate())
    heard: list[Exception] = []
    began = time.monotonic()
    with HostileServer(answer) as server, ThreadPoolExecutor(4) as pool:
        users = pool.submit(load, server.url, tmp_path / "users.csv", "user")
        events = pool.submit(load, server.url, tmp_path / "events.jsonl", "event")
        queued, at_once = pool.submit(track, server.url, heard), pool.submit(sync, server.url)
        results = [users.result(), events.result()]
        queued.result()
        outcome = at_once.result()
    assert time.monotonic() - began < 3 * LONGEST + 5  # those that are out at the same time, twice at most; and slack
    for result in results:
        lines = result.to_arrow().to_pylist()
        assert [line["row"] for line in lines] == list(range(ROWS))
        assert {line["status"] for line in lines} <= set(answer.statuses.split())
        assert all(len(line["message"] or "") <= LONGEST_MESSAGE + 60 for line in lines)
        assert not any(RAW.search(line["message"] or "") or "\n" in (line["message"] or "") for line in lines)
    accepted = answer.statuses == "sent"
    assert len(heard) == (0 if accepted else ROWS)
    assert isinstance(outcome, APIError) is not accepted
    assert not any(RAW.search(str(error)) for error in heard)
    assert [json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    left = [one for one in set(threading.enumerate()) - before if one.name.startswith("interakt")]
    assert left == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_goes_nowhere_else(status: int, tmp_path: Path) -> None:
    """A redirect to another server is the row's end; that server hears nothing at all."""
    with HostileServer(Answer(said(b""), "")) as other:
        with HostileServer(elsewhere(other.url, status)) as server:
            result = load(server.url, tmp_path / "out.csv", "user")
            assert isinstance(sync(server.url), APIError)
            heard: list[Exception] = []
            track(server.url, heard)
        assert {line["code"] for line in result.to_arrow().to_pylist()} == {"redirected"}
        assert len(heard) == ROWS
        assert all(b"Authorization: Basic " in call for call in server.calls)
        assert len(other.calls) == len(other._open) == 0


def test_a_server_that_hardly_reads() -> None:
    """It takes some bytes now and then, so that no wait is long: sending as a whole has a bound, too."""
    over = threading.Event()
    with socket.socket() as listening, socket.socket() as client_side:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client_side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        client_side.connect(listening.getsockname())
        with listening.accept()[0] as reading:

            def read_slowly() -> None:
                while not over.wait(0.02) and reading.recv(512):
                    pass

            reader = threading.Thread(target=read_slowly, daemon=True)
            reader.start()
            began = time.monotonic()
            with pytest.raises(OSError, match=r"timed out|temporarily unavailable"):
                Connection(client_side, TIMEOUT).call(
                    Head("POST / HTTP/1.1", "api", Secret("key"), {}), b"x" * 1_000_000
                )
            seconds = time.monotonic() - began
            over.set()
            reader.join(10)
    assert seconds < 2 * TIMEOUT + 5  # it would be half a minute
