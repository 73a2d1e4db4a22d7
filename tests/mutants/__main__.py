"""Put small mistakes into the modules that decide, one by one: which ones do the module's tests not detect?

    python -m tests.mutants [MODULE …] [--processes N]

For each mistake a child is forked off a process that has imported everything but the package. There the module is
imported with the mistake, and the module's own tests run until the first fails. Hypothesis takes the same examples each
time. Ends with status 1 if the tests fail without a mistake too.
"""

from __future__ import annotations

import argparse
import gc
import importlib.abc
import importlib.machinery
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click
import hypothesis.stateful
import numpy as np
import pandas as pd
import pyarrow.compute
import pyarrow.dataset
import pyarrow.ipc
import pytest
import requests
import urllib3.connection

from tests.mutants.direct import DIRECT
from tests.mutants.mistakes import Mistake, mistakes

WARM = (click, hypothesis.stateful, np, pd, pyarrow.compute, pyarrow.dataset, pyarrow.ipc, requests, urllib3.connection)
"""Imported once, for all children."""

SLOW = (
    "limit_is_spared",
    "begin_to_hang",
    "traits_end_as",
    "always_somebody",
    "window_holds_more",
    "sql_does_what",
    "two_loads_cannot",
    "key_is_renewed_leaves",
)
"""Parts of the names of tests that take almost a second, and detect nothing more than the others."""

OPTIONS = [
    *("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin"),
    *("--hypothesis-profile=ci", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
    *("-k", " and ".join(f"not {one}" for one in SLOW)),
]

PACKAGE = Path("interakt_loader")
PASSED, FAILED, NOT_THERE = 0, 1, 99
LEAST_LIMIT = 20.0
"""Least time limit of a child, in seconds. It has five times what the tests take without a mistake."""


class Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from another source than its file's."""

    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source
        self.was_asked = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        self.was_asked = True
        exec(compile(self._source, f"<{self._name} with a mistake>", "exec"), vars(module))


def run_tests(module: str, source: str, folder: str) -> int:
    """In a child: run the module's tests with this source of it; return pytest's status."""
    name = f"interakt_loader.{module.replace('/', '.')}"
    assert "interakt_loader" not in sys.modules
    importer = Importer(name, source)
    sys.meta_path.insert(0, importer)
    temporary = [f"--basetemp={folder}/{os.getpid()}", "-o", "tmp_path_retention_policy=none"]
    status = int(pytest.main([*OPTIONS, *temporary, *DIRECT[module]]))
    return status if importer.was_asked else NOT_THERE


class Result(NamedTuple):
    """How the tests of one source ended."""

    mistake: Mistake
    status: int | None
    """pytest's; None: out of time."""
    seconds: float


def results(module: str, wrong: Iterable[Mistake], processes: int, limit: float) -> Iterator[Result]:
    """Yield the result of each mistake, when it is known; this many children run at a time."""
    running: dict[int, tuple[Mistake, float]] = {}
    todo = iter(wrong)
    with tempfile.TemporaryDirectory() as folder:
        while True:
            while len(running) < processes and (mistake := next(todo, None)):
                running[_forked(module, mistake.source, folder)] = mistake, time.monotonic()
            if not running:
                return
            time.sleep(0.005)
            for child, (mistake, began) in list(running.items()):
                seconds = time.monotonic() - began
                if seconds > limit:
                    os.kill(child, 9)
                ended, status = os.waitpid(child, 0 if seconds > limit else os.WNOHANG)
                if ended:
                    del running[child]
                    yield Result(mistake, None if seconds > limit else os.waitstatus_to_exitcode(status), seconds)


def _forked(module: str, source: str, folder: str) -> int:
    child = os.fork()
    if child:
        return child
    status = FAILED
    # Whatever a mistake leads to, the child must not return into the parent's code.
    try:
        output = os.open(f"{folder}/{os.getpid()}.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = run_tests(module, source, folder)
    finally:
        os._exit(status)


def main() -> int:
    """Print what survived, and a table."""
    arguments = argparse.ArgumentParser(description="which small mistakes does no test detect?")
    arguments.add_argument(
        "modules",
        nargs="*",
        metavar="MODULE",
        help="such as sending/retry_policy, or sending/retry_policy:11,38 for some of its lines; all if none is named",
    )
    arguments.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    table, began = ["| module | mistakes | seen | out of time | survived |", "|---|---|---|---|---|"], time.monotonic()
    total: Counter[str] = Counter()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    gc.freeze()
    for named in given.modules or DIRECT:
        module, _, lines = named.partition(":")
        source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        (without,) = results(module, [Mistake(0, source, "")], 1, 120.0)
        if without.status != PASSED:
            print(f"{module}: its tests fail without a mistake too (status {without.status})")
            return 1
        wrong = [one for one in mistakes(source) if not lines or str(one.line) in lines.split(",")]
        found = results(module, wrong, given.processes, max(LEAST_LIMIT, 5 * without.seconds))
        count: Counter[str] = Counter()
        for one in sorted(found, key=lambda one: (one.mistake.line, one.mistake.diff)):
            word = {PASSED: "survived", None: "out of time", NOT_THERE: "not imported"}.get(one.status, "seen")
            count[word] += 1
            if word != "seen":
                print(f"{module}.py:{one.mistake.line}: {word}\n{one.mistake.diff}\n", flush=True)
        total += count
        table.append(_row(f"`{module}`", count))
    print("\n".join([*table, _row("all", total)]))
    print(f"\n{time.monotonic() - began:.0f} s, {given.processes} at a time")
    return 0


def _row(name: str, count: Counter[str]) -> str:
    return f"| {name} | {count.total()} | {count['seen']} | {count['out of time']} | {count['survived']} |"


if __name__ == "__main__":
    sys.exit(main())
