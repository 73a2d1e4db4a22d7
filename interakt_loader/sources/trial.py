"""A first reading of Arrow, Feather and ORC files in another process, because a damaged file can crash it.

Arrow trusts these files: one with a few changed bytes can crash the process that reads it, such as a notebook. So
another Python process reads each of them whole before this one opens it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from interakt_loader.errors import InteraktLoaderError, SourceError
from interakt_loader.sources.base import Source, reason
from interakt_loader.sources.file import File
from interakt_loader.sources.formats import Format, is_marked
from interakt_loader.sources.ipc_files import open_ipc
from interakt_loader.sources.orc_files import open_orc

OPENERS: dict[Format, Callable[[File], Source]] = {"ipc": open_ipc, "orc": open_orc}
"""The forms that are tried, and how each is opened."""

_BEGIN = "import sys; sys.path[:] = sys.argv[1:]; from interakt_loader.sources.trial import serve; serve()"
_READY = "ready"
_PATIENCE = 300.0  # seconds, and one more for each million bytes
_MEMORY = 4 << 30  # bytes, and a multiple of the file's size: more is a damaged length, or a bomb
_MEMORY_FACTOR = 16


def unpacked(form: Format, file: File) -> File:
    """Return an uncompressed copy of a file that is to be tried, if it begins as its form does; else the file."""
    return file.uncompressed() if form in OPENERS and is_marked(file, form) else file


def refuse_unreadable(files: Sequence[tuple[Format, File]]) -> None:
    """Have another process read such files whole; SourceError names the first that it could not read.

    `files` are pairs of a form and a file; what is compressed is not tried. Where no other Python can be started, as
    in a frozen application, nothing is tried.
    """
    tried = [(form, file) for form, file in files if form in OPENERS and file.compression is None]
    python = _python()
    if not tried or python is None:
        return
    size = sum(file.location.stat().st_size for _, file in tried)
    wanted = ([form, file.given, file.name, str(file.location.absolute())] for form, file in tried)
    lines = "".join(json.dumps(one) + "\n" for one in wanted)
    try:
        done = subprocess.run(  # noqa: S603 - the Python that runs this
            [python, "-c", _BEGIN, *map(str, sys.path)],
            check=False,
            input=lines.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE + size / 1e6,
            env={name: value for name, value in os.environ.items() if name != "INTERAKT_API_KEY"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        output, ended = done.stdout, f"ends the process that reads it (exit code {done.returncode})"
    except OSError:
        return
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        ended = "takes too long to read"
    ready, *answers = output.decode().split("\n")
    answers = answers[:-1]  # what comes after the last line's end is no answer
    if ready != _READY:  # this Python does not find the package: no file has been looked at
        return
    for at, (_, file) in enumerate(tried):
        problem = json.loads(answers[at]) if at < len(answers) else f"{file.given}: the file is damaged: it {ended}"
        if problem is not None:
            raise SourceError(problem)


def serve() -> None:
    """Read the files that standard input names, a line each, and answer each with a line: null, or what is wrong."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    print(_READY, file=answers, flush=True)
    for line in sys.stdin:
        form, given, name, location = json.loads(line)
        _limit_memory(Path(location).stat().st_size)
        print(json.dumps(_problem(form, File(given, name, Path(location)))), file=answers, flush=True)


def _problem(form: Format, file: File) -> str | None:
    try:
        for batch in OPENERS[form](file).batches():
            del batch
    except InteraktLoaderError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return f"{file.given}: cannot be read: {reason(error)}"
    return None


def _limit_memory(size: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _MEMORY + _MEMORY_FACTOR * size
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def _python() -> str | None:
    """Return the Python that runs this, unless what runs this is an application that has Python in it."""
    name = Path(sys.executable or "").name.lower()
    is_python = name.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)
    return sys.executable if is_python else None
