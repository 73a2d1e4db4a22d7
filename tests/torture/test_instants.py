"""Loads that are killed between any two system calls that change something about the ledger's files.

`strace` counts these calls and kills before one of them: between them a kill finds the same files, whenever it comes. A
few instants are tried; with `INTERAKT_LONG=1` or `INTERAKT_TORTURE` each of them is.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from interakt_loader import MappingDict, load_events
from interakt_loader.sandbox import Sandbox

ROWS = 40
MAPPING: MappingDict = {"user_id": "user", "event": {"value": "Visit"}, "created_at": "at", "traits": ["page"]}
OPTIONS = {"rate_limit": None, "max_queue_size": 10, "workers": 2}
FILES = ("own.ledger", "own.ledger-wal", "own.ledger-calls", "own.ledger-journal", "own.ledger-shm")

EVERY = bool(os.environ.get("INTERAKT_LONG") or os.environ.get("INTERAKT_TORTURE"))
SAMPLE = 5
CHANGING = "openat,close,write,pwrite64,truncate,ftruncate,unlink,rename,chmod,fchmod,fcntl,fsync,fdatasync,mmap"

LOAD = """
import json, sys
import pandas as pd
from interakt_loader import load_events
load_events(pd.read_json(sys.argv[1], orient="records", convert_dates=False), **json.loads(sys.argv[2]))
"""

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


class Instant(NamedTuple):
    """Right before the `number`th call of one kind."""

    call: str
    number: int


class Loading:
    """A load of events in a process of its own, on a ledger in a folder."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder, self._sandbox = folder, sandbox
        at = pd.date_range("2024-01-01", periods=ROWS, freq="min").strftime("%Y-%m-%dT%H:%M:%SZ")
        self.rows = pd.DataFrame({"user": [f"u{n % 10}" for n in range(ROWS)], "at": at, "page": range(ROWS)})
        self._options: dict[str, Any] = {**OPTIONS, "base_url": sandbox.url, "ledger": str(folder / "own.ledger")}
        self._source = folder.with_suffix(".json")
        self.rows.to_json(self._source, orient="records")

    def traced(self, *how: str) -> tuple[int, str]:
        """Run it under strace; return its end and what strace says of the calls on the ledger's files."""
        log = self.folder.with_suffix(".log")
        paths = [part for name in FILES for part in ("-P", str(self.folder / name))]
        command = ["strace", "-f", "-qq", "-o", str(log), *paths, "-e", f"trace={CHANGING}", *how]
        command += [sys.executable, "-c", LOAD, str(self._source)]
        environ = os.environ | {"INTERAKT_API_KEY": self._sandbox.api_key}
        given = json.dumps({"mapping": MAPPING, **self._options})
        done = subprocess.run([*command, given], env=environ, capture_output=True, text=True, timeout=300, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, log.read_text()

    def instants(self) -> list[Instant]:
        """Run it to its end and return each of its calls on the ledger's files."""
        counts: Counter[str] = Counter(re.findall(r"^\d+ +(\w+)\(", self.traced()[1], re.MULTILINE))
        assert counts["pwrite64"] + counts["write"] > 10, counts
        return [Instant(call, number) for call, count in counts.items() for number in range(1, count + 1)]

    def killed(self, instant: Instant) -> bool:
        """Run it and kill it at an instant; tell whether that came."""
        ended, log = self.traced("-e", f"inject={instant.call}:signal=KILL:when={instant.number}")
        assert ended in (0, -9, 137), log[-500:]
        return ended != 0

    def finish(self) -> set[int]:
        """Run it again, to its end; return the pages of the rows that are marked."""
        result = load_events(self.rows, MAPPING, api_key=self._sandbox.api_key, **self._options)
        assert result.exit_code == 0, result
        lines = result.to_pandas()
        return set(lines[lines["maybe_duplicate"]]["row"])


@pytest.mark.parametrize("before", ["nothing", "a ledger", "what a killed load left"])
def test_a_load_that_is_killed_at_any_instant_is_continued(tmp_path: Path, sandbox: Sandbox, before: str) -> None:
    """The next one ends with 0; no event is lost, and those that are there twice are marked."""
    start = tmp_path / "start"
    start.mkdir()
    if before != "nothing":
        load = Loading(start, sandbox)
        load.rows = load.rows[: ROWS // 2]
        load.finish()
    if before == "what a killed load left":
        assert Loading(start, sandbox).killed(Instant("fdatasync", 5))
        assert (start / "own.ledger-calls").stat().st_size > 64
    shutil.copytree(start, tmp_path / "first")
    known = Counter(event.traits["page"] for event in sandbox.events())
    instants = Loading(tmp_path / "first", sandbox).instants()
    if not EVERY:
        instants = random.Random(7).sample(instants, SAMPLE)
    killed = 0
    for number, instant in enumerate(instants):
        folder = tmp_path / f"load-{number}"
        shutil.copytree(start, folder)
        sandbox.reset()
        load = Loading(folder, sandbox)
        killed += load.killed(instant)
        marked = load.finish()
        assert [path.name for path in folder.iterdir()] == ["own.ledger"], instant
        held = known + Counter(event.traits["page"] for event in sandbox.events())
        assert set(held) == set(range(ROWS)), instant
        assert {page for page, count in held.items() if count > 1} <= marked, instant
        assert load_events(load.rows, MAPPING, api_key=sandbox.api_key, **load._options).unchanged == ROWS
        shutil.rmtree(folder)
        if EVERY:
            print(f"{number}/{len(instants)} {instant}", flush=True)
    print(f"\n{before}: {killed} kills at {len(instants)} instants, {len({one.call for one in instants})} calls")
    assert killed > len(instants) // 2
