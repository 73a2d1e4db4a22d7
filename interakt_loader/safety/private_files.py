"""Files that hold people's data: for their owner only (mode 0600), new ones and those that are written over."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

OWNER_ONLY = 0o600


def open_private(path: str | Path, *, keep: bool = False) -> IO[bytes]:
    """Open a file to be written anew; nobody else can read it, from its first byte on. Raises `OSError`.

    With `keep` what is there stays until it is `cut_off`.
    """
    # what is there is cut off by hand, once nobody else can look any more
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | getattr(os, "O_BINARY", 0), OWNER_ONLY)
    file = os.fdopen(handle, "wb")
    try:
        make_private(handle)
        if not keep:
            cut_off(file)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def replacing(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file to be written in place of what is there, in one step: whoever reads it meanwhile reads it whole.

    What is there stays where an error is raised. What is no file, such as a pipe, and a file in a folder that cannot be
    written, are written as they are. Raises `OSError`.
    """
    real = Path(os.path.realpath(path))
    if (real.exists() and not real.is_file()) or not os.access(real.parent, os.W_OK):
        with open_private(path) as file:
            yield file
        return
    handle, part = tempfile.mkstemp(prefix=f".{real.name[:50]}-", suffix=".part", dir=real.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(part).replace(real)
    except BaseException:
        with suppress(OSError):
            Path(part).unlink()
        raise


def cut_off(file: IO[bytes]) -> None:
    """Take away what a file holds; a pipe has no length."""
    with suppress(OSError):
        file.truncate(0)


def make_private(file: str | Path | int) -> None:
    """Take everybody else's rights to a file away, if it is there; Windows has its own way with rights.

    What is no file, such as a pipe, stays as it is; so does what is somebody else's, or on a disk that knows no rights.
    """
    if os.name != "posix":
        return
    with suppress(OSError):
        mode = os.stat(file).st_mode  # noqa: PTH116 - a handle has no Path
        if stat.S_ISREG(mode) and mode & 0o077:
            os.chmod(file, stat.S_IMODE(mode) & ~0o077)  # noqa: PTH101 - likewise
