"""A sandbox with an account to read, and what a program prints and writes that reads it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from interakt_loader import PullResult, pull
from interakt_loader.sandbox import Sandbox, SandboxProcess

HOME = Path(__file__).resolve().parents[2]
START = 1_700_000_000


def fill(sandbox: Sandbox | SandboxProcess, count: int, first: int = 0) -> None:
    """Put contacts with a minute between them."""
    sandbox.put_many(
        {"user_id": f"C-{number}", "traits": {"n": number}, "modified": START + 60 * number}
        for number in range(first, first + count)
    )


def pulled(sandbox: Sandbox, path: Path, **options: Any) -> PullResult:
    """Read the account to a file."""
    return pull(path, api_key=sandbox.api_key, base_url=sandbox.url, progress=False, **options)


def ids(path: Path) -> list[str]:
    """Return the user ids in a file, in order."""
    return sorted(pq.read_table(path)["user_id"].to_pylist())


def all_ids(count: int) -> list[str]:
    """Return those that `fill` has put."""
    return sorted(f"C-{number}" for number in range(count))


def environment(sandbox: Sandbox | SandboxProcess) -> Mapping[str, str]:
    """Return the variables of a process that reads a sandbox."""
    own = {"INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url, "PYTHONPATH": str(HOME)}
    return os.environ | own


def start(sandbox: Sandbox, path: Path, *flags: str) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "interakt_loader", "pull", str(path), "--output", "json", *flags],
        env=environment(sandbox),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """Wait for a process; return its exit code, its result and its messages."""
    out, messages = process.communicate(timeout=60)
    return process.returncode, json.loads(out) if out.strip() else {}, messages


def after(reads: int, act: Callable[[], object]) -> Callable[[Any], None]:
    """Return what a sandbox calls after each read: it acts after that many."""
    counted = itertools.count(1)

    def callback(_: Any) -> None:
        if next(counted) == reads:
            act()

    return callback
