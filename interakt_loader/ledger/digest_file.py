"""The digests of all calls of a load, in a temporary file, and which of them share a key.

They are sorted some at a time, in NumPy. If there are more, they are first divided into files by their keys. So memory
stays flat, and rows that share a key are found together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from interakt_loader.model import DIGEST

LOT = 1 << 15
"""Digests that are sorted at a time, unless more of them share a key."""

_MOST_FILES = 64
"""A system may allow a process only 256 open files. Above two million calls, each file holds more than `LOT`."""

_DIGESTS = np.dtype([("key", f"V{DIGEST}"), ("state", f"V{DIGEST}"), ("row", "i8")])


class Lot(NamedTuple):
    """Some calls, sorted by key and then by row. Calls that share a key are in one lot."""

    rows: npt.NDArray[np.int64]
    keys: bytes
    states: bytes
    starts: npt.NDArray[np.int64]
    """Where the calls of each key begin, and after these the number of calls."""

    def key(self, group: int) -> bytes:
        """Return the key of a group: of the calls that share it."""
        return _digest(self.keys, int(self.starts[group]))

    def group(self, group: int) -> tuple[list[int], list[bytes]]:
        """Return the rows of a group, and the state after each."""
        start, end = self.starts[group : group + 2].tolist()
        return self.rows[start:end].tolist(), [_digest(self.states, at) for at in range(start, end)]


def _digest(digests: bytes, at: int) -> bytes:
    return digests[at * DIGEST : (at + 1) * DIGEST]


class DigestFile:
    """Takes in the digests of calls, in the input's order; then `lots` yields them by key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._file = self._new()
        self._count = 0

    def _new(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder))

    def add(self, rows: npt.NDArray[np.int64], keys: Sequence[bytes], states: Sequence[bytes] | None) -> None:
        """Add the digests of some calls: the key of each, and the state after it, if that is a digest."""
        added = np.zeros(len(rows), _DIGESTS)
        added["row"] = rows
        added["key"] = np.frombuffer(b"".join(keys), f"V{DIGEST}")
        if states is not None:
            added["state"] = np.frombuffer(b"".join(states), f"V{DIGEST}")
        self._file.write(added.tobytes())
        self._count += len(rows)

    def lots(self, largest: int = LOT) -> Iterator[Lot]:
        """Yield all digests, sorted, about `largest` at a time."""
        for file in [self._file] if self._count <= largest else self._divided(largest):
            file.seek(0)
            yield _sorted(np.frombuffer(file.read(), _DIGESTS))
            file.close()

    def _divided(self, largest: int) -> list[IO[bytes]]:
        """Return files of about so many digests each, by ascending keys."""
        count = min(-(-self._count // largest), _MOST_FILES)
        files = [self._new() for _ in range(count)]
        self._file.seek(0)
        while chunk := self._file.read(largest * _DIGESTS.itemsize):
            digests = np.frombuffer(chunk, _DIGESTS)
            # keys are digests, so they are spread evenly over all numbers
            of_file = (_halves(digests)[0] >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)
            for number, file in enumerate(files):
                file.write(digests[of_file == number].tobytes())
        return files

    def close(self) -> None:
        """Remove the files."""
        self._stack.close()


def _sorted(digests: npt.NDArray[np.void]) -> Lot:
    high, low = _halves(digests)
    # stable, so that rows stay in the input's order
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return Lot(
        digests["row"][order],
        digests["key"][order].tobytes(),
        digests["state"][order].tobytes(),
        np.append(np.flatnonzero(is_first), len(order)),
    )


def _halves(digests: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the keys as two numbers each, which order them as bytes would."""
    halves = np.frombuffer(digests["key"].tobytes(), ">u8").astype(np.uint64)
    return halves[::2], halves[1::2]
