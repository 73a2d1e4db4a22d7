"""The fenced blocks of a Markdown page, run as a reader would who follows it from top to bottom.

- a block with `title="NAME"` is a file, and is written; with `made` behind it, it is what a file holds by then;
- `python` runs, all of a page in one namespace, unless `notest` stands behind it; a `text` block right after it is what
  it prints;
- `console` is a terminal: lines that begin with `$ ` are commands, the others what they print; with `notest` behind it,
  a test in `tests/external` follows it.

All other blocks, `bash` among them, are to be read only.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interakt_loader.mapping.files import SCHEMA
from interakt_loader.settings.values import BASE_URL

ROOT = Path(__file__).resolve().parents[1]

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')

# With no address of its own a dry run speaks of the real API, as a reader's does; a load goes to the sandbox.
_SHELL = """
interakt-loader() {
    case " $* " in
        *" --dry-run "* | *" infer "*) env -u INTERAKT_BASE_URL "$PYTHON" -m interakt_loader "$@" ;;
        *) "$PYTHON" -m interakt_loader "$@" ;;
    esac
}
exec 2>&1
"""
_MARK = "\x1e"

AS_WATCHED = {"INTERAKT_PROGRESS_EVERY": "86400"}
"""A reader has a terminal, and so a bar in place of a line a minute."""


@dataclass(frozen=True)
class Fence:
    """One fenced block."""

    language: str
    info: str
    """What stands behind the language."""
    text: str
    start: int
    """Where its text begins in the page."""


@dataclass(frozen=True)
class Shown:
    """What a page says that comes of a block, and what comes of it today."""

    fence: Fence
    actual: str


def fences(page: str) -> list[Fence]:
    """Return the fenced blocks of a page in Markdown."""
    return [Fence(found[1], found[2].strip(), found[3], found.start(3)) for found in _FENCE.finditer(page)]


def followed(page: str, folder: Path) -> Iterator[Shown]:
    """Follow a page in `folder`, which is the working folder; yield each block that shows what is printed."""
    names: dict[str, object] = {}
    printed = ""
    for fence in fences(page):
        title = _TITLE.search(fence.info)
        if title is not None and "made" in fence.info.split():
            yield Shown(fence, _anywhere((folder / title[1]).read_text(encoding="utf-8")))
        elif title is not None:
            (folder / title[1]).write_text(fence.text, encoding="utf-8")
        elif fence.language == "python" and "notest" not in fence.info.split():
            printed = run_python(fence, names)
            continue
        elif fence.language == "console" and "notest" not in fence.info.split():
            yield Shown(fence, _run_console(fence.text, folder))
        elif fence.language == "text" and printed:
            yield Shown(fence, printed)
        printed = ""


def run_python(fence: Fence, names: dict[str, object]) -> str:
    """Run a block with these names, add its own to them, and return what it printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(fence.text, "snippet", "exec"), names)
    return out.getvalue()


def _run_console(text: str, folder: Path) -> str:
    commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    script = _SHELL + "".join(f"{command}\nprintf '{_MARK}'\n" for command in commands)
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"} | AS_WATCHED
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    # a page calls the API, where its test calls the sandbox
    outputs = _anywhere(done.stdout).replace(os.environ.get("INTERAKT_BASE_URL") or BASE_URL, BASE_URL).split(_MARK)
    return "".join(f"$ {command}\n{output}" for command, output in zip(commands, outputs, strict=False))


def _anywhere(text: str) -> str:
    """Return text without the folder in which the package is."""
    return text.replace(SCHEMA.parents[1].as_uri(), "file:///…/interakt_loader")


def timeless(text: str) -> str:
    """Return text without what is another one each time: how long things took, and when `history` says they began."""
    text = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d  (.*)  \d+:\d\d:\d\d ", r"… \1 … ", text, flags=re.MULTILINE)
    text = re.sub(r"in [\d.,]+ s \([\d.,]+ a second\)", "in … s", text)
    text = re.sub(r"(calls? in|\"seconds\":) [\d.,]+", r"\1 …", text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def with_shown(page: str, shown: list[Shown]) -> str:
    """Return the page with what comes of its blocks today; where only times differ it stays."""
    for one in reversed(shown):
        fence = one.fence
        if timeless(fence.text) != timeless(one.actual):
            page = page[: fence.start] + one.actual + page[fence.start + len(fence.text) :]
    return page
