"""One measurement, in a process of its own: prints its figures as JSON.

    python -m benchmarks.contenders NAME TABLE ROWS WORKERS URL

The key comes from INTERAKT_API_KEY. `script` is what somebody writes in an hour: a thread pool around
`requests.post`, without retries, order, bound or report.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interakt_loader.settings import Options

MAPPING = {"user_id": "id", "phone": "phone", "traits": "*"}

NOWHERE = "http://127.0.0.1:9"
"""Where the ledger of known rows says that they were sent; nobody listens there."""


def loader(table: str, rows: int, workers: int, url: str) -> int:
    """Load with interakt_loader, its report written."""
    return _sent(table, rows, workers, url, {})


def with_ledger(table: str, rows: int, workers: int, url: str) -> int:
    """Load with a new ledger."""
    ledger = Path(table).with_suffix(".new.ledger")
    ledger.unlink(missing_ok=True)
    return _sent(table, rows, workers, url, {"ledger": ledger})


def patient(table: str, rows: int, workers: int, url: str) -> int:
    """Load with a short timeout, from a server that has faults."""
    return _sent(table, rows, workers, url, {"timeout": 2, "max_retries": 8})


def _sent(table: str, rows: int, workers: int, url: str, options: Options) -> int:
    from interakt_loader import load_users

    options |= {"base_url": url, "limit": rows, "workers": workers, "rate_limit": None}
    options["report"] = Path(table).with_suffix(".report.csv")
    return load_users(table, MAPPING, **options).sent


def again(table: str, rows: int, _workers: int, _url: str) -> int:
    """Load what the ledger knows: every row is unchanged."""
    from interakt_loader import load_users

    report, ledger = Path(table).with_suffix(".report.csv"), Path(table).with_suffix(".ledger")
    return load_users(table, MAPPING, base_url=NOWHERE, limit=rows, report=report, ledger=ledger).unchanged


def dry_run(table: str, rows: int, _workers: int, _url: str) -> int:
    """Prepare and check every row, and write the report."""
    from interakt_loader import check

    return check(table, MAPPING, limit=rows, report=Path(table).with_suffix(".report.csv")).unsent


def script(table: str, rows: int, workers: int, url: str) -> int:
    """Send with a thread pool around `requests`, one session for all."""
    import pyarrow.parquet as pq
    import requests

    key = base64.b64encode(f"{os.environ['INTERAKT_API_KEY']}:".encode()).decode()
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=workers))
    session.headers["Authorization"] = f"Basic {key}"

    def send(row: dict[str, object]) -> bool:
        body = {"userId": row.pop("id"), "countryCode": "+91", "phoneNumber": row.pop("phone"), "traits": row}
        text = json.dumps(body, default=str)
        answer = session.post(f"{url}/v1/public/track/users/", data=text, headers={"Content-Type": "application/json"})
        return answer.ok

    records = pq.read_table(table).slice(0, rows).to_pylist()
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(send, records))


CONTENDERS: dict[str, Callable[[str, int, int, str], int]] = {
    one.__name__: one for one in (loader, with_ledger, patient, again, dry_run, script)
}


def main() -> None:
    """Run the contender that the arguments name."""
    name, table, rows, workers, url = sys.argv[1:]
    began = time.perf_counter()
    done = CONTENDERS[name](table, int(rows), int(workers), url)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024
    figures = {
        "done": done,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": peak,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
