"""Files with personal data: readable by their owner only (mode 0600), and locked by one load at a time.

Also the user's state folder, which all loads of one user on one machine share.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

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
    import tempfile

    handle, part = tempfile.mkstemp(prefix=f".{real.name[:50]}-", suffix=".part", dir=real.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(part).replace(real)
    except BaseException:
        with suppress(OSError):
            Path(part).unlink()
        raise


def is_writable(path: Path) -> bool:
    """Tell whether a file can be written, or be created in its folder. Leaves nothing there."""
    if path.exists():
        return os.access(path, os.W_OK)
    import tempfile

    # os.access says nothing about folders such as those of /proc
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return True
    except OSError:
        return False


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
        from platformdirs import user_state_path

        folder = Path(given).expanduser() if given else user_state_path("interakt-loader", appauthor=False)
        folder.mkdir(mode=OWNER_ONLY | 0o100, parents=True, exist_ok=True)
    # RuntimeError: the user has no home folder.
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


_LOCKED_BYTE = 1 << 62
"""Where the locked byte is: beyond the end of any file, so that a lock hinders no reader.

Windows lets nobody else read a locked byte, and SQLite has its own locks around byte 2**30.
"""

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_NO_SUCH_LOCK = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


class LockHeld(Exception):
    """Another process or thread holds the lock."""


def try_lock(handle: int) -> bool:
    """Lock an open file, which is open for writing. Return False if it is locked already; do not wait.

    The lock belongs to the open file. It ends when this file is closed or the process ends. It does not end when the
    process opens and closes the same file elsewhere, as POSIX locks and so SQLite's own do.

    Return True without a lock for a pipe, on a file system without locks, and on a system without such locks (neither
    Linux, macOS nor Windows). Raises `OSError`.
    """
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        return True
    try:
        _lock(handle)
    except OSError as error:
        if error.errno in _HELD:
            return False
        if error.errno not in _NO_SUCH_LOCK:
            raise
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
        command = getattr(fcntl, "F_OFD_SETLK", None)
        if command is None:
            return
        if sys.platform == "darwin":
            wanted = struct.pack("qqihh", _LOCKED_BYTE, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
        else:
            wanted = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)
        fcntl.fcntl(handle, command, wanted)


def is_still_at(handle: int, path: str | os.PathLike[str]) -> bool:
    """Tell whether the path still leads to the open file. The last holder of its lock may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))  # noqa: PTH116
    except FileNotFoundError:
        return False


class FileLock:
    """The lock on one file, held from its creation until `close`.

    Creates the file if it does not exist, unless `creates` is False. Raises `LockHeld` if another has the lock, or had
    it until now and has removed the file. Raises `OSError`.
    """

    def __init__(self, path: Path, *, creates: bool = True) -> None:
        flags = os.O_RDWR | (os.O_CREAT if creates else 0) | getattr(os, "O_BINARY", 0)
        self.handle = os.open(path, flags, OWNER_ONLY)
        """Of the file. It stays open, because the lock belongs to it."""
        try:
            is_locked, found = try_lock(self.handle), os.fstat(self.handle)
        except OSError:
            os.close(self.handle)
            raise
        if not is_locked or not is_still_at(self.handle, path):
            os.close(self.handle)
            raise LockHeld
        self._path = path
        self._file = (found.st_dev, found.st_ino)

    def is_in_place(self) -> bool:
        """Tell whether the path still leads to this file: nobody has deleted or replaced it."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - asked for each group of answers, and a Path is slower
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._file

    def close(self) -> None:
        """Close the file, which ends the lock."""
        handle, self.handle = self.handle, -1
        if handle != -1:
            os.close(handle)
