"""The shape of the package, counted: `python -m tests.shape [CHECKOUT] [--since COMMIT]`.

`CHECKOUT` is a folder with the package in it, by default the one that this file belongs to. Nothing is imported from it
here: the files are parsed, and the rows are loaded in other processes.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from tests.docs.sentences import LONGEST, sentences

ROOT = Path(__file__).resolve().parents[1]
NAME = "interakt_loader"
CONSUMER = "interakt-consumer"
"""How the names of the threads begin that make the calls."""

SHORT_FILE = 50
LONGEST_SUBJECT = 72
REPEATED_LINES = 6


def modules(checkout: Path) -> dict[str, Path]:
    """Return the file of each module, by its full name."""
    package = checkout / NAME
    return {
        ".".join(path.relative_to(checkout).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(package.rglob("*.py"))
    }


def line_counts(checkout: Path) -> list[int]:
    """Return the number of lines of each module, blank ones included."""
    return [len(path.read_text(encoding="utf-8").splitlines()) for path in modules(checkout).values()]


def names(checkout: Path) -> list[str]:
    """Return the names of functions, classes, constants and methods, without those that Python gives a meaning to."""
    found = []
    for path in modules(checkout).values():
        top = ast.parse(path.read_text(encoding="utf-8")).body
        methods = [inner for node in top if isinstance(node, ast.ClassDef) for inner in node.body]
        for node in [*top, *(inner for inner in methods if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef))]:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.append(name)
                case ast.Assign(targets=targets):
                    found += [target.id for target in targets if isinstance(target, ast.Name)]
                case ast.AnnAssign(target=ast.Name(id=name)):
                    found.append(name)
    return [name for name in found if not (name.startswith("__") and name.endswith("__"))]


def imports(checkout: Path) -> dict[str, set[str]]:
    """Return which modules each module needs by an import: at its top, in a function, or for type checkers only.

    A name that a package's `__init__` imports from elsewhere counts as imported from there.
    """
    known = modules(checkout)
    named = {importer: list(_imported(importer, path, known)) for importer, path in known.items()}
    homes = {
        (importer, name): (module, name)
        for importer, path in known.items()
        if path.name == "__init__.py"
        for module, name in named[importer]
        if name
    }

    def home(one: tuple[str, str]) -> str:
        return home(homes[one]) if one in homes else one[0]

    return {importer: {home(one) for one in all_named} - {importer} for importer, all_named in named.items()}


def _imported(importer: str, path: Path, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import inside the package; the name is empty where it is the module itself."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = importer.split(".")
                package = parts if path.name == "__init__.py" else parts[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [base])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                if whole in known:
                    yield whole, ""
                elif base in known:
                    yield base, alias.name


def circles(checkout: Path) -> list[list[str]]:
    """Return the groups of modules in which each module needs each other one."""
    needs = imports(checkout)

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = [start]
        while ahead:
            new = needs.get(ahead.pop(), set()) - found
            found |= new
            ahead += new
        return found

    all_reached = {name: reached(name) for name in needs}
    groups = {
        frozenset(other for other in found if name in all_reached.get(other, ()))
        for name, found in all_reached.items()
        if name in found
    }
    return sorted((sorted(group) for group in groups), key=len, reverse=True)


class Passage(NamedTuple):
    """What ran in a load of one row.

    `files` are those in which a function ran. In those of `row_files`, more functions ran than in a load of no row.
    `stays` are the files that the argument `data` went through, in turn.
    """

    files: set[str]
    row_files: set[str]
    consumer_files: set[str]
    stays: list[str]

    @property
    def turns_back(self) -> int:
        """How often `data` entered a file that it had left before."""
        return len(self.stays) - len(set(self.stays))


def passage(checkout: Path, form: str = "path", *, ledger: bool = False) -> Passage:
    """Load one row, and no row, with the package of the checkout. `form` is `path` (of a CSV file) or `frame`."""
    none, one = (_probed(checkout, form, "ledger" if ledger else "none", rows) for rows in (0, 1))
    calls = {thread: set(files) for thread, files in one["calls"].items()}
    before, after = (
        {file: sum(files.get(file, 0) for files in run["calls"].values()) for file in set().union(*calls.values())}
        for run in (none, one)
    )
    return Passage(
        set(after),
        {file for file in after if after[file] > before[file]},
        set().union(*(files for thread, files in calls.items() if thread.startswith(CONSUMER))),
        one["stays"],
    )


def _probed(checkout: Path, form: str, ledger: str, rows: int) -> dict[str, Any]:
    """Return what `tests/row_probe.py` notes of a load."""
    probe = (ROOT / "tests" / "row_probe.py").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("INTERAKT_")}
        done = subprocess.run(
            [sys.executable, "-c", probe, str(checkout), form, ledger, str(rows)],
            cwd=folder,
            env=outside | {"PYTHONPATH": str(checkout), "INTERAKT_STATE_DIR": folder},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    noted: dict[str, Any] = json.loads(done.stdout)
    return noted


def long_sentences(path: Path) -> int:
    """Return how many sentences of a page have too many words."""
    return sum(one.words > LONGEST for one in sentences(path))


def repeated(checkout: Path) -> list[tuple[str, str]]:
    """Return each pair of places that have the same run of lines, as `file:line`.

    A run has at least six lines. Blank lines, comments and imports are left out, and indentation does not count.
    """
    lines = list(_code_lines(checkout))
    windows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for start in range(len(lines) - REPEATED_LINES + 1):
        window = lines[start : start + REPEATED_LINES]
        if window[0].file == window[-1].file:
            windows[tuple(line.text for line in window)].append(start)
    pairs = {pair for starts in windows.values() for pair in combinations(starts, 2)}
    return sorted(
        (lines[first].place, lines[second].place)
        for first, second in pairs
        if (first - 1, second - 1) not in pairs and second - first >= REPEATED_LINES
    )


class _Line(NamedTuple):
    file: str
    number: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"


def _code_lines(checkout: Path) -> Iterator[_Line]:
    for path in modules(checkout).values():
        text = path.read_text(encoding="utf-8")
        imported = {
            number
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        for number, line in enumerate(map(str.strip, text.splitlines()), 1):
            if line and not line.startswith("#") and number not in imported:
                yield _Line(path.relative_to(checkout).as_posix(), number, line)


def long_subjects(checkout: Path, since: str | None) -> tuple[int, int]:
    """Return how many commits have a subject that is too long, and how many there are. Raises if it has no history."""
    commits = f"{since}..HEAD" if since else "HEAD"
    done = subprocess.run(
        ["git", "-C", str(checkout), "log", "--format=%s", commits], capture_output=True, text=True, check=True
    )
    subjects = done.stdout.splitlines()
    return sum(len(one) > LONGEST_SUBJECT for one in subjects), len(subjects)


def figures(checkout: Path, since: str | None) -> Iterator[tuple[str, str]]:
    """Yield each figure with what it counts."""
    lines, defined = line_counts(checkout), names(checkout)
    private = sum(name.startswith("_") for name in defined)
    short = sum(count < SHORT_FILE for count in lines)
    yield "modules", f"{len(lines)}"
    yield "lines", f"{sum(lines):,}"
    yield "lines a module, mean", f"{statistics.mean(lines):.0f}"
    yield "lines a module, median", f"{statistics.median(lines):.0f}"
    yield f"modules under {SHORT_FILE} lines", f"{short} ({short / len(lines):.0%})"
    yield "private names", f"{private} of {len(defined)} ({private / len(defined):.0%})"
    groups = circles(checkout)
    yield "import circles", f"{len(groups)}, of {sum(map(len, groups))} modules"
    for form, ledger in (("path", False), ("path", True), ("frame", False), ("frame", True)):
        one = passage(checkout, form, ledger=ledger)
        name = f"{'CSV file' if form == 'path' else 'DataFrame'}, {'with' if ledger else 'no'} ledger"
        yield f"{name}: files executed in a load of one row", f"{len(one.files)}"
        yield f"{name}: of these, for the row itself", f"{len(one.row_files)}"
        yield f"{name}: on the consumer thread", f"{len(one.consumer_files)}"
        stays = f"{one.turns_back} ({len(one.stays)} stays in {len(set(one.stays))} files)"
        yield f"{name}: turns back on the way of `data`", stays
    readme, docs = checkout / "README.md", sorted((checkout / "docs").glob("*.md"))
    yield "README lines", f"{len(readme.read_text(encoding='utf-8').splitlines())}"
    yield f"sentences over {LONGEST} words, README", f"{long_sentences(readme)}"
    yield f"sentences over {LONGEST} words, docs", f"{sum(map(long_sentences, docs))}"
    yield f"pairs of repeated runs of {REPEATED_LINES} lines or more", f"{len(repeated(checkout))}"
    try:
        long, commits = long_subjects(checkout, since)
    except subprocess.CalledProcessError:
        return
    yield f"commit subjects over {LONGEST_SUBJECT} characters", f"{long} of {commits}"


def main() -> None:
    """Print the figures of a checkout as a table, or where something is."""
    parser = argparse.ArgumentParser(prog="python -m tests.shape", description=main.__doc__)
    parser.add_argument("checkout", nargs="?", type=Path, default=ROOT, help="the folder with the package")
    parser.add_argument("--since", metavar="COMMIT", help="count the subjects of the commits after this one only")
    parser.add_argument("--list", action="store_true", help="list the circles and the repeated runs instead")
    asked = parser.parse_args()
    checkout = asked.checkout.resolve()
    if asked.list:
        for group in circles(checkout):
            print("circle:", *group)
        for first, second in repeated(checkout):
            print(f"repeated: {first} {second}")
        return
    print("| what | figure |\n|---|---|")
    for what, figure in figures(checkout, asked.since):
        print(f"| {what} | {figure} |", flush=True)


if __name__ == "__main__":
    main()
