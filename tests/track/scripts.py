"""Scripts as users write them, run as separate processes against the sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

from interakt_loader.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]


class Ended(NamedTuple):
    """How a script ended."""

    returncode: int
    stdout: str
    stderr: str
    at: float
    """Seconds since the epoch."""


def run(script: str, sandbox: Sandbox, *arguments: str, folder: Path | None = None) -> Ended:
    """Run a script with the key and the sandbox's address in its environment. It must end within 30 s."""
    process = start(script, sandbox, *arguments, folder=folder)
    try:
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    return Ended(process.returncode, stdout, stderr, time.time())


def start(script: str, sandbox: Sandbox, *arguments: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """Start a script in the same way."""
    environ = {
        **os.environ,
        "INTERAKT_API_KEY": sandbox.api_key,
        "INTERAKT_BASE_URL": sandbox.url,
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
