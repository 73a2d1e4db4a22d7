"""The program that a `SandboxProcess` starts. People run `python -m interakt_loader sandbox`."""

from __future__ import annotations

import sys

from interakt_loader.sandbox.embedded import run_for_parent

if __name__ == "__main__":
    sys.exit(run_for_parent())
