"""The seal at the end of a ledger's file: a checksum over all of it, by which damage is noticed.

The file is sealed whenever all that was written is in it. SQLite writes to its log (`-wal`) first, which has checksums
of its own, so even while a load runs the file is nearly always sealed. SQLite cuts the seal off, or writes over it,
when it brings the log into the file.

The seal also says whether a load is using the file: what that load records is in SQLite's log at first, so a copy of
the file alone lacks it.

A checksum over the file costs 0.03 s for a million calls; one for each row would cost thirty times that, and would miss
a row that is lost or whose key is damaged.
"""

from __future__ import annotations

import os
import struct
import zlib

_SEAL = struct.Struct("<16sQI4s")
_MAGIC = b"interakt sealed\n"
_USED, _AT_REST = b"used", bytes(4)
"""The last bytes of a seal: a load is using the file, or none is."""

_BLOCK = 512
"""Bytes of which a page of SQLite has a multiple; the seal is shorter."""

_CHUNK = 1 << 18


def has_seal(handle: int) -> bool:
    """Tell whether the file ends in a seal, right or wrong: SQLite has changed nothing since it was made."""
    return _end(handle)[:16] == _MAGIC


def is_whole(handle: int) -> bool:
    """Tell whether the file ends in a seal, and is as it was when it was sealed."""
    end = _end(handle)
    if end[:16] != _MAGIC or end[-4:] not in (_USED, _AT_REST):
        return False
    return end[:-4] == _seal_of(handle, os.fstat(handle).st_size - _SEAL.size)[:-4]


def is_used(handle: int) -> bool:
    """Tell whether the file's seal says that a load is using it."""
    return has_seal(handle) and _end(handle)[-4:] == _USED


def say_used(handle: int, *, used: bool) -> None:
    """Have the seal say so. When this returns, it is on disk."""
    if is_used(handle) != used:
        os.lseek(handle, -4, os.SEEK_END)
        os.write(handle, _USED if used else _AT_REST)
        os.fsync(handle)


def seal(handle: int, *, used: bool = False) -> None:
    """Seal the file as it is. When this returns, the seal is on disk."""
    size = os.fstat(handle).st_size // _BLOCK * _BLOCK
    made = _seal_of(handle, size, used=used)
    os.lseek(handle, size, os.SEEK_SET)
    while made:
        made = made[os.write(handle, made) :]
    os.ftruncate(handle, size + _SEAL.size)
    os.fsync(handle)


def name_of(handle: int) -> int:
    """Return a number that tells this sealed state of the file from others, whether it is in use or not."""
    return zlib.crc32(_end(handle)[:-4])


def _end(handle: int) -> bytes:
    os.lseek(handle, max(0, os.fstat(handle).st_size - _SEAL.size), os.SEEK_SET)
    return os.read(handle, _SEAL.size)


def _seal_of(handle: int, size: int, *, used: bool = False) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    checksum, left = 0, size
    while left > 0 and (chunk := os.read(handle, min(left, _CHUNK))):
        checksum = zlib.crc32(chunk, checksum)
        left -= len(chunk)
    return _SEAL.pack(_MAGIC, size, checksum, _USED if used else _AT_REST)
