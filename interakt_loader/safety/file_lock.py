"""A lock on an open file: at most one holder on this machine, in whichever process or thread.

It belongs to the open file, so that opening and closing the same file elsewhere in the process does not end it, and it
ends with the process, however that ends. Reading is not hindered.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

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
