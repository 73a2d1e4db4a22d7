"""Scripts as users write them, run as processes of their own against the sandbox."""

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


def run(script: str, sandbox: Sandbox) -> Ended:
    """Run a script with the key and the sandbox's address in its environment; 30 s are a hang."""
    environ = {
        **os.environ,
        "INTERAKT_API_KEY": sandbox.api_key,
        "INTERAKT_BASE_URL": sandbox.url,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environ,
        timeout=30,
        check=False,
        capture_output=True,
        text=True,
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.time())
