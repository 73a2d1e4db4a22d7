"""Files that hold people's data: for their owner only (mode 0600), new ones and those that are written over.

The user's state folder: what the loads of one user on one machine share.

A lock on an open file: at most one holder on this machine, in whichever process or thread.

It belongs to the open file, so that opening and closing the same file elsewhere in the process does not end it, and it
ends with the process, however that ends. Reading is not hindered.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from platformdirs import user_state_path

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


VARIABLE = "INTERAKT_STATE_DIR"
"""Names another folder; `none` means to do without one."""


def state_folder() -> Path | None:
    """Return the user's state folder, made if it is not there, for its owner only (mode 0700).

    None where it cannot be made or written, or where `INTERAKT_STATE_DIR` is `none`. It is `interakt-loader` in the
    place that the system has for such files: on Linux `~/.local/state`, or `XDG_STATE_HOME`.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if given.lower() == "none":
        return None
    try:
        folder = Path(given).expanduser() if given else user_state_path("interakt-loader", appauthor=False)
        folder.mkdir(mode=OWNER_ONLY | 0o100, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home folder, or one that cannot be written
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


_FAR = 1 << 62
"""Where Windows locks a byte: beyond what any file holds, as nobody could read a locked part."""


def try_lock(handle: int) -> bool:
    """Lock the open file, and return whether nobody else has locked it; does not wait.

    True as well for what is no regular file, such as a pipe, and on a file system that knows no locks.
    """
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        return True
    try:
        _lock(handle)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        at = os.lseek(handle, 0, os.SEEK_CUR)
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(handle, at, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_still_at(handle: int, path: str | os.PathLike[str]) -> bool:
    """Tell whether a path still leads to the open file: whoever held the lock before may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))  # noqa: PTH116 - a handle has no Path
    except FileNotFoundError:
        return False
