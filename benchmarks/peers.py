"""What others do with the same table: the scripts that people write, from Parquet to the last answer.

Each sends one user call a row and returns how many were accepted. None of them retries, keeps a user's order, bounds
what is in flight beyond its workers, writes a report or keeps a ledger.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

PATH = "/v1/public/track/users/"


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


def threads_http_client(table: str, rows: int, workers: int, url: str) -> int:
    """Send with threads that each have a connection of the standard library, and share out the rows."""
    host = urlsplit(url)
    headers = _headers()
    todo, lock = bodies(table, rows), threading.Lock()
    accepted: list[int] = []

    def work() -> None:
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=10)
        done = 0
        while True:
            with lock:
                body = next(todo, None)
            if body is None:
                break
            connection.request("POST", PATH, body, headers)
            answer = connection.getresponse()
            answer.read()
            done += 200 <= answer.status < 300
        connection.close()
        accepted.append(done)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(accepted)


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


def bodies(table: str, rows: int) -> Iterator[str]:
    """Yield the calls' bodies, made row by row as scripts make them."""
    import pyarrow.parquet as pq

    records = pq.ParquetFile(table).iter_batches(10_000)
    left = rows
    for batch in records:
        for row in batch.slice(0, left).to_pylist():
            yield json.dumps(_body(row), default=str)
        left -= batch.num_rows
        if left <= 0:
            return


def _body(row: dict[str, Any]) -> dict[str, Any]:
    return {"userId": row.pop("id"), "countryCode": "+91", "phoneNumber": row.pop("phone"), "traits": row}


def _headers() -> dict[str, str]:
    key = base64.b64encode(f"{os.environ['INTERAKT_API_KEY']}:".encode()).decode()
    return {"Authorization": f"Basic {key}", "Content-Type": "application/json"}


PEERS: dict[str, Callable[[str, int, int, str], int]] = {
    one.__name__: one for one in (aiohttp_script, threads_http_client, thread_pool_urllib3, thread_pool_requests)
}
