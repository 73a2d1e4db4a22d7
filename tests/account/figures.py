"""Calls, time and memory of `pull`, `verify` and the load after it: `python -m tests.account.figures [CONTACTS...]`.

By default for 100,000 and a million contacts, of which one in twenty has changed. The sandbox allows 300 calls in each
3 s, and the loader has a limit of 100 a second. That is a clock that is twenty times as fast as one of 300 a minute.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.account.reading import environment

YEAR = 365 * 86_400
SCALE = 20
CHANGED = 20

CODE = """
import resource, sys
from interakt_loader import load_users, pull, verify
what, folder = sys.argv[1:]
fast = {"rate_limit": "100/s", "progress": False}
mapping = {"user_id": "user_id", "traits": ["name", "n"]}
to = fast | {"ledger": f"{folder}/own.ledger"}
if what == "pull":
    result = pull(f"{folder}/out.parquet", **fast)
    assert result.ok
elif what == "verify":
    result = verify(f"{folder}/rows.parquet", mapping, **to)
else:
    result = load_users(f"{folder}/rows.parquet", mapping, **to)
shown = {name: count for name, count in result.summary.counts.items() if count} if what != "pull" else result.contacts
print(round(result.seconds, 1), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, shown)
"""


def main() -> None:
    """Print a line for each step, of accounts whose contacts were modified over a year."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for count in map(int, sys.argv[1:] or ["100000", "1000000"]):
        options = SandboxOptions(limit_per_minute=300, window=60 / SCALE)
        with SandboxProcess(options) as sandbox, tempfile.TemporaryDirectory() as folder:
            began = time.time() - YEAR
            sandbox.put_many(
                {"user_id": f"C-{n}", "traits": {"name": f"Person {n}", "n": n}, "modified": began + n * YEAR / count}
                for n in range(count)
            )
            numbers = range(count)
            rows = {
                "user_id": [f"C-{n}" for n in numbers],
                "name": [f"Person {n}" for n in numbers],
                "n": [-1 if n % CHANGED == 0 else n for n in numbers],
            }
            pq.write_table(pa.table(rows), Path(folder) / "rows.parquet")
            del rows
            for what in ("pull", "verify", "load"):
                before = sandbox.stats()
                done = subprocess.run(
                    [sys.executable, "-c", CODE, what, folder],
                    env=environment(sandbox),
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                after = sandbox.stats()
                calls = after.reads - before.reads + after.calls - before.calls
                seconds, megabytes, shown = done.stdout.strip().split(" ", 2)
                minutes = float(seconds) * SCALE / 60
                print(
                    f"{what} of {count:,}: {calls:,} calls, {seconds} s ({minutes:.1f} min at 300 a minute), "
                    f"{megabytes} MB: {shown}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
