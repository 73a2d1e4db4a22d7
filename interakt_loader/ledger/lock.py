"""The lock that keeps a ledger to one load at a time.

It is on the file itself, so each of its names, a link too, leads to the same lock. The system frees it when the process
ends, however that ends. SQLite's own lock is not enough: POSIX drops all locks that a process has on a file as soon as
anything in that process closes the file.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_BYTE = 0x4000_0000 + 1024
"""Where the lock is: in the one page of a database that SQLite never writes, beside SQLite's own locks."""

_HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_NO_SUCH_LOCK = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}


class Held(Exception):
    """Somebody else has the lock."""


class FileLock:
    """The lock on one file, held from its making until `close`. Raises `Held`, or `OSError` if it cannot be opened.

    Where the system has no lock that belongs to an open file (neither Linux, macOS nor Windows), there is none, and
    SQLite's has to do.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self.handle = os.open(path, flags, 0o600)
        """Of the file. It stays open: the lock belongs to it."""
        try:
            _lock(self.handle)
            found = os.fstat(self.handle)
        except OSError as error:
            os.close(self.handle)
            if error.errno in _HELD:
                raise Held from None
            raise
        self._path = path
        self._file = (found.st_dev, found.st_ino)

    def is_in_place(self) -> bool:
        """Tell whether the path still leads to this file, and nobody has deleted or replaced it."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - asked for each group of answers, and a Path is slower
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._file

    def close(self) -> None:
        """Let the file go, and the lock with it."""
        handle, self.handle = self.handle, -1
        if handle != -1:
            os.close(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        os.lseek(handle, _BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        return
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        return
    if sys.platform == "darwin":
        wanted = struct.pack("qqihh", _BYTE, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
    else:
        wanted = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)
    try:
        fcntl.fcntl(handle, command, wanted)
    except OSError as error:
        if error.errno not in _NO_SUCH_LOCK:
            raise
