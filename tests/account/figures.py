"""Calls, time and memory of `pull`: `python -m tests.account.figures [CONTACTS...]`, by default 100,000 and a million.

The calls are those that the sandbox has counted, without a limit. The time at 300 calls a minute follows from them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from interakt_loader.sandbox import SandboxProcess
from tests.account.reading import environment

YEAR = 365 * 86_400

CODE = """
import resource, sys
from interakt_loader import pull
result = pull(sys.argv[1], rate_limit=None, progress=False)
assert result.ok
print(result.contacts, round(result.seconds, 1), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def main() -> None:
    """Print a line for each size of an account, whose contacts were modified over a year."""
    for count in map(int, sys.argv[1:] or ["100000", "1000000"]):
        with SandboxProcess() as sandbox, tempfile.TemporaryDirectory() as folder:
            began = time.time() - YEAR
            sandbox.put_many(
                {"user_id": f"C-{n}", "traits": {"name": f"Person {n}", "n": n}, "modified": began + n * YEAR / count}
                for n in range(count)
            )
            done = subprocess.run(
                [sys.executable, "-c", CODE, str(Path(folder) / "out.parquet")],
                env=environment(sandbox),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            calls = sandbox.stats().reads
        contacts, seconds, megabytes = done.stdout.split()
        print(
            f"{int(contacts):,} contacts: {calls:,} calls, {calls / 300:.1f} min at 300 a minute; "
            f"without a limit {seconds} s; {megabytes} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
