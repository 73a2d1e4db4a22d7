"""What others do with the same table, from Parquet to the last answer: scripts that people write, and tools.

Each sends one user call a row and returns how many were accepted. None of the scripts retries, keeps a user's order,
writes a report or keeps a ledger; what the tools do of that is in RESULTS.md.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

PATH = "/v1/public/track/users/"


def vendors_sdk(table: str, rows: int, _workers: int, url: str) -> int:
    """Send with the vendor's SDK: one thread of its own, and a queue that is waited for before it is full."""
    import track

    refused: list[object] = []
    track.api_key, track.host = os.environ["INTERAKT_API_KEY"], url
    track.on_error = lambda error, _: refused.append(error)
    sent = 0
    for row in records(table, rows):
        track.user(user_id=row.pop("id"), phone_number=row.pop("phone"), traits=_plain(row))
        sent += 1
        if sent % 5_000 == 0:
            track.flush()
    track.flush()  # before join, which forgets what is queued
    track.join()
    return sent - len(refused)


def drt(table: str, rows: int, _workers: int, url: str) -> int:
    """Send with drt's REST destination, as its engine calls it: batch after batch."""
    from drt.config.models import RateLimitConfig, RestApiDestinationConfig, SyncOptions
    from drt.destinations.rest_api import RestApiDestination

    pace = RateLimitConfig(requests_per_second=1_000_000)
    config = RestApiDestinationConfig(type="rest_api", url=url + PATH, headers=_headers(), rate_limit=pace)
    sent, batch = 0, list[dict[str, Any]]()

    def send() -> int:
        done = RestApiDestination().load(batch, config, SyncOptions())
        batch.clear()
        return int(done.success)

    for row in records(table, rows):
        batch.append(_body(_plain(row)))
        if len(batch) == 1_000:
            sent += send()
    return sent + send()


def dlt(table: str, rows: int, _workers: int, url: str) -> int:
    """Send with a dlt pipeline to a custom destination that posts each row with one session of requests."""
    import dlt
    import requests

    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    session = requests.Session()
    session.headers.update(_headers())
    sent = 0

    def post(items: list[dict[str, Any]], table: Any) -> None:
        del table  # its schema, which nobody needs here
        nonlocal sent
        for row in items:
            body = {key: value for key, value in row.items() if not key.startswith("_dlt")}
            session.post(url + PATH, data=json.dumps(_body(body), default=str), timeout=10).raise_for_status()
            sent += 1

    interakt = dlt.destination(post, name="interakt", batch_size=1_000, naming_convention="direct")
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("users", destination=interakt, pipelines_dir=folder)
        pipeline.run(records(table, rows), table_name="users")
    return sent


def thread_pool_requests(table: str, rows: int, workers: int, url: str) -> int:
    """Send with a thread pool around `requests`, one session for all."""
    import requests

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=workers))
    session.headers.update(_headers())

    def send(body: str) -> bool:
        return session.post(url + PATH, data=body, timeout=10).ok

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(send, bodies(table, rows)))


def thread_pool_urllib3(table: str, rows: int, workers: int, url: str) -> int:
    """Send with a thread pool around one urllib3 pool."""
    import urllib3

    host = urlsplit(url)
    calls = urllib3.HTTPConnectionPool(host.hostname or "", host.port, maxsize=workers, timeout=10, headers=_headers())

    def send(body: str) -> bool:
        return 200 <= calls.urlopen("POST", PATH, body=body, retries=False).status < 300

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(send, bodies(table, rows)))


def aiohttp_script(table: str, rows: int, workers: int, url: str) -> int:
    """Send with aiohttp: one session, and as many tasks as there are workers, which share out the rows."""
    import aiohttp

    async def work(session: aiohttp.ClientSession, todo: Iterator[str]) -> int:
        done = 0
        for body in todo:
            async with session.post(url + PATH, data=body) as answer:
                await answer.read()
                done += 200 <= answer.status < 300
        return done

    async def send_all() -> int:
        todo = bodies(table, rows)
        connector = aiohttp.TCPConnector(limit=workers)
        async with aiohttp.ClientSession(connector=connector, headers=_headers()) as session:
            return sum(await asyncio.gather(*(work(session, todo) for _ in range(workers))))

    return asyncio.run(send_all())


def threads_http_client(table: str, rows: int, workers: int, url: str) -> int:
    """Send with threads that each have a connection of the standard library, and share out the rows."""
    host = urlsplit(url)
    headers = _headers()

    def work(todo: Callable[[], str | None]) -> int:
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=10)
        done = 0
        while (body := todo()) is not None:
            connection.request("POST", PATH, body, headers)
            answer = connection.getresponse()
            answer.read()
            done += 200 <= answer.status < 300
        connection.close()
        return done

    return _in_threads(work, workers, bodies(table, rows))


def raw_sockets(table: str, rows: int, workers: int, url: str) -> int:
    """Send one and the same call over bare sockets, and look at nothing but the first bytes."""
    host = urlsplit(url)
    body = next(bodies(table, 1)).encode()
    lines = [f"{name}: {value}" for name, value in _headers().items()]
    head = "\r\n".join([f"POST {PATH} HTTP/1.1", f"Host: {host.netloc}", *lines, f"Content-Length: {len(body)}"])
    call = head.encode() + b"\r\n\r\n" + body

    def work(todo: Callable[[], str | None]) -> int:
        done = 0
        with socket.create_connection((host.hostname or "", host.port or 80), timeout=10) as connection:
            while todo() is not None:
                connection.sendall(call)
                done += connection.recv(65_536).startswith(b"HTTP/1.1 2")
        return done

    return _in_threads(work, workers, ("" for _ in range(rows)))


def _in_threads(work: Callable[[Callable[[], str | None]], int], workers: int, bodies: Iterator[str]) -> int:
    lock = threading.Lock()
    accepted: list[int] = []

    def next_body() -> str | None:
        with lock:
            return next(bodies, None)

    threads = [threading.Thread(target=lambda: accepted.append(work(next_body))) for _ in range(workers)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(accepted)


def bodies(table: str, rows: int) -> Iterator[str]:
    """Yield the calls' bodies, made row by row as scripts make them."""
    for row in records(table, rows):
        yield json.dumps(_body(row), default=str)


def records(table: str, rows: int) -> Iterator[dict[str, Any]]:
    """Yield the rows as dicts."""
    import pyarrow.parquet as pq

    left = rows
    for batch in pq.ParquetFile(table).iter_batches(10_000):
        yield from batch.slice(0, left).to_pylist()
        left -= batch.num_rows
        if left <= 0:
            return


def _body(row: dict[str, Any]) -> dict[str, Any]:
    return {"userId": row.pop("id"), "countryCode": "+91", "phoneNumber": row.pop("phone"), "traits": row}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that `json` takes as it is: the tools encode by themselves."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def _headers() -> dict[str, str]:
    key = base64.b64encode(f"{os.environ['INTERAKT_API_KEY']}:".encode()).decode()
    return {"Authorization": f"Basic {key}", "Content-Type": "application/json"}


PEERS: dict[str, Callable[[str, int, int, str], int]] = {
    one.__name__: one
    for one in (
        aiohttp_script,
        threads_http_client,
        thread_pool_urllib3,
        thread_pool_requests,
        vendors_sdk,
        drt,
        dlt,
        raw_sockets,
    )
}

if __name__ == "__main__":
    contender, path, count, workers_, address = sys.argv[1:]
    print(PEERS[contender](path, int(count), int(workers_), address))
