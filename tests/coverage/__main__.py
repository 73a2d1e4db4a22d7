"""Check the measured coverage: all branches of the pure modules, and 95 % of the package; list what is not covered.

Ends with status 1 if it is less. The figures are coverage.py's: statements and branches together.
"""

from __future__ import annotations

import fnmatch
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PURE = [
    "account/compare.py",
    "account/contacts.py",
    "account/windows.py",
    "arguments.py",
    "codes.py",
    "columns/*.py",
    "errors.py",
    "identity/*.py",
    "ledger/digests.py",
    "mapping/*.py",
    "mapping/infer/*.py",
    "mapping/presets/*.py",
    "model.py",
    "privacy/text.py",
    "project/written.py",
    "report/outcomes.py",
    "result/view.py",
    "sending/pending.py",
    "sending/rate_limit.py",
    "sending/retry_policy.py",
    "sending/scheduler.py",
    "sending/work.py",
    "settings/settings.py",
    "settings/values.py",
    "shared_limit/clock.py",
    "transport/responses.py",
]
"""The modules that decide and compute, and touch no file, socket, thread or process: every branch of them is tested."""

NOT_PURE = ["mapping/files.py"]
"""Modules that the patterns match, and that read files."""

WHOLE = 95.0
"""Percent of the package."""

PACKAGE = "interakt_loader/"


def is_pure(path: str) -> bool:
    """Return True for a module whose branches all have to be tested."""
    name = path.replace("\\", "/").partition(PACKAGE)[2]
    return any(fnmatch.fnmatch(name, one) for one in PURE) and name not in NOT_PURE


def ranges(lines: list[int]) -> str:
    """Return line numbers in the form 3–5, 9."""
    parts: list[list[int]] = []
    for line in lines:
        if parts and line == parts[-1][1] + 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in parts)


def missing(file: dict[str, Any]) -> str:
    """Return the lines and branches of a file that no test has run."""
    lines = file["missing_lines"]
    jumps = [f"{start}→{end if end > 0 else 'out'}" for start, end in file["missing_branches"] if start not in lines]
    return "; ".join(part for part in (ranges(lines), ", ".join(jumps)) if part)


def main() -> int:
    """Print a line for each file that is not fully covered, and the totals."""
    written = Path(".coverage.json")
    subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", written], check=True)
    measured = json.loads(written.read_text(encoding="utf-8"))
    files: dict[str, Any] = measured["files"]
    too_low = []
    for path, file in sorted(files.items()):
        summary = file["summary"]
        if summary["percent_covered"] < 100:
            mark = "pure  " if is_pure(path) else "      "
            sys.stdout.write(f"{mark}{summary['percent_covered']:5.1f} %  {path}: {missing(file)}\n")
            too_low += [path] if is_pure(path) else []
    whole = measured["totals"]["percent_covered"]
    pure = [path for path in files if is_pure(path)]
    sys.stdout.write(f"{len(pure) - len(too_low)} of {len(pure)} pure modules are covered whole, all branches\n")
    sys.stdout.write(f"{whole:.1f} % of the package's {len(files)} modules; at least {WHOLE:g} % are wanted\n")
    return 1 if too_low or whole < WHOLE else 0


if __name__ == "__main__":
    sys.exit(main())
