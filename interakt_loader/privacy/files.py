"""Files with personal data: readable by their owner only (mode 0600), and locked by one load at a time.

Also the user's state folder, which all loads of one user on one machine share.
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
    """Open a file to write it from its start; only its owner can read it. Raises `OSError`.

    With `keep` the old content stays until `truncate`.
    """
    # No O_TRUNC: the file is truncated after everybody else's rights to it have been removed.
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | getattr(os, "O_BINARY", 0), OWNER_ONLY)
    file = os.fdopen(handle, "wb")
    try:
        make_private(handle)
        if not keep:
            truncate(file)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def replacing(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file whose content replaces the old one in one step: readers see either the old or the new content.

    If an error is raised, the old content stays. A pipe, and a file in a folder that is not writable, are written
    directly. Raises `OSError`.
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


def truncate(file: IO[bytes]) -> None:
    """Delete the content of a file; do nothing for a pipe."""
    with suppress(OSError):
        file.truncate(0)


def make_private(file: str | Path | int) -> None:
    """Remove all rights of others to a file, if it exists. Does nothing on Windows.

    Does nothing for a pipe, for a file of another user, or on a disk without rights.
    """
    if os.name != "posix":
        return
    # `file` may be a handle, which has no Path.
    with suppress(OSError):
        mode = os.stat(file).st_mode  # noqa: PTH116
        if stat.S_ISREG(mode) and mode & 0o077:
            os.chmod(file, stat.S_IMODE(mode) & ~0o077)  # noqa: PTH101


VARIABLE = "INTERAKT_STATE_DIR"
"""The environment variable with another folder; `none`: no folder."""


def state_folder() -> Path | None:
    """Return the user's state folder; create it if needed, for its owner only (mode 0700).

    Return None if it cannot be created or written, or if `INTERAKT_STATE_DIR` is `none`. Its name is `interakt-loader`,
    in the system's folder for such files: on Linux `~/.local/state`, or `XDG_STATE_HOME`.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if given.lower() == "none":
        return None
    try:
        folder = Path(given).expanduser() if given else user_state_path("interakt-loader", appauthor=False)
        folder.mkdir(mode=OWNER_ONLY | 0o100, parents=True, exist_ok=True)
    # RuntimeError: the user has no home folder.
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


_LOCKED_BYTE = 1 << 62
"""The byte that Windows locks, beyond the end of any file: nobody could read a locked part."""


def try_lock(handle: int) -> bool:
    """Lock an open file without waiting; return False if another process or thread on this machine holds the lock.

    The lock belongs to the open file. It stays if the process opens and closes the same file elsewhere, and ends with
    the process. Others can still read the file. Return True for a pipe, and on a file system without locks.
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
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(handle, at, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_still_at(handle: int, path: str | os.PathLike[str]) -> bool:
    """Return True if a path still leads to the open file. The last holder of its lock may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))  # noqa: PTH116
    except FileNotFoundError:
        return False
