"""Rows that are read once and kept in a temporary file, so that they can be read again without their origin.

The folder of the files is for its owner alone. It is removed at the end, and the next run removes that of a process
that was killed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.columns.normalize import Mixed, Unsendable
from interakt_loader.errors import SourceError
from interakt_loader.privacy.files import FileLock, LockHeld
from interakt_loader.sources.base import Batches, reason

PREFIX = "interakt-loader-rows-"
"""What the names of the folders begin with."""

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4" if pa.Codec.is_available("lz4") else None)
"""A temporary folder may be in memory."""

for _type in (Mixed(pa.struct([])), Unsendable(pa.null(), "")):
    # so that a file of rows gives them back as they were
    with suppress(pa.ArrowKeyError):
        pa.register_extension_type(_type)


class TemporaryFolder:
    """A temporary folder for its owner alone. It is removed when this object is freed.

    A process that is killed leaves its folder. The next one removes it: the lock on it is gone with its process.
    """

    def __init__(self) -> None:
        _remove_abandoned()
        try:
            self.path, self._lock = _new_folder()
        except OSError as error:
            raise _no_room(Path(tempfile.gettempdir()), error) from None
        self._process = os.getpid()
        self.remove = weakref.finalize(self, _removed, self.path, self._lock, self._process)

    @classmethod
    def shared(cls) -> TemporaryFolder:
        """Return the folder that other parts of this process use now, or a new one.

        Each folder has a lock, and so an open file: a source of many files cannot have one for each.
        """
        global _shared  # noqa: PLW0603 - one for the process
        folder = _shared()
        if folder is None or folder._process != os.getpid() or not folder.path.exists():
            folder = cls()
            _shared = weakref.ref(folder)
        return folder

    @contextmanager
    def removed_on_error(self) -> Iterator[None]:
        """Remove the folder at once if the block raises, Ctrl-C included."""
        try:
            yield
        except BaseException:
            self.remove()
            raise

    def file(self, ending: str = "") -> Path:
        """Return the path of a new file."""
        with tempfile.NamedTemporaryFile(dir=self.path, suffix=ending, delete=False) as file:
            return Path(file.name)


_shared: Callable[[], TemporaryFolder | None] = lambda: None  # noqa: E731 - until there is one


def _removed(path: Path, lock: FileLock, process: int) -> None:
    # a process that was forked from the owner does not own it
    if os.getpid() == process:
        lock.close()
        shutil.rmtree(path, ignore_errors=True)


class TemporaryFile:
    """A file of the shared temporary folder. It is removed when this object is freed.

    A pickle of it holds the content, and becomes a temporary file of the process that reads it.
    """

    def __init__(self, ending: str = "", content: bytes | None = b"") -> None:
        self._folder = TemporaryFolder.shared()
        self.path = self._folder.file(ending)
        weakref.finalize(self, _unlinked, self.path, os.getpid())
        if content is None:
            self.path.unlink()
        else:
            self.path.write_bytes(content)

    def __reduce__(self) -> tuple[type[TemporaryFile], tuple[str, bytes | None]]:
        # a program that tidies temporary folders may have removed it
        content = self.path.read_bytes() if self.path.exists() else None
        return TemporaryFile, (self.path.suffix, content)


def _unlinked(path: Path, process: int) -> None:
    # as with a folder; on Windows, a file that is still open stays
    with suppress(OSError):
        if os.getpid() == process:
            path.unlink()


def _new_folder() -> tuple[Path, FileLock]:
    """Return a new folder, and the lock on it. Another load may take it for an abandoned one before it is locked."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError, LockHeld):
            lock = FileLock(path / "lock")
            if lock.is_in_place():
                return path, lock
            lock.close()


def _no_room(folder: Path, error: OSError) -> SourceError:
    return SourceError(
        f"{folder}: the rows cannot be kept there: {reason(error)}. Set TMPDIR to a folder with more space"
    )


def _remove_abandoned() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # another user's folder, or one of a process that runs
        with suppress(OSError, LockHeld):
            if (path / "lock").exists():
                with closing(FileLock(path / "lock")):
                    shutil.rmtree(path, ignore_errors=True)
                # where an open file cannot be deleted
                shutil.rmtree(path, ignore_errors=True)


class Spool:
    """Rows in a file of a temporary folder, which stays as long as this object does. Memory is that of one batch.

    Each batch is a stream of its own, so that it has its own schema, and can be read by its place.
    """

    def __init__(self, folder: TemporaryFolder | None = None) -> None:
        self._folder = folder or TemporaryFolder()
        self._path = self._folder.file()
        self._starts = array("q")
        self.rows = 0
        self.schema = pa.schema([])
        """That of the first batch, or of the first one that has rows."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Write a batch. Raises `SourceError` if the folder cannot be written."""
        try:
            with self._path.open("ab") as file:
                self._starts.append(file.tell())
                with pa.ipc.new_stream(file, batch.schema, options=_COMPRESSED) as writer:
                    writer.write_batch(batch)
        except OSError as error:
            raise _no_room(self._folder.path.parent, error) from None
        if self.rows == 0:
            self.schema = batch.schema
        self.rows += batch.num_rows

    def keep(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches, and write each first."""
        for batch in batches:
            self.add(batch)
            yield batch

    def batch(self, at: int) -> pa.RecordBatch:
        """Return a batch by its place."""
        with self._path.open("rb") as file:
            file.seek(self._starts[at])
            return pa.ipc.open_stream(file).read_next_batch()

    def batches(self) -> Batches:
        """Yield the rows."""
        for at in range(len(self._starts)):
            yield self.batch(at)


_GLANCE = 0.2
"""Longest wait for a call in seconds, until Ctrl-C is noticed."""

_PATIENCE = 5.0
"""Seconds that an interrupted call has to end."""


class Interruptible:
    """Runs calls of a connection in a thread of its own, so that Ctrl-C ends them at once.

    `interrupt` ends a running call from another thread. `close` is the last call.
    """

    def __init__(self, interrupt: Callable[[], object], close: Callable[[], object] | None = None) -> None:
        self._interrupt, self._close, self._pool = interrupt, close, ThreadPoolExecutor(1)
        self._running: Future[Any] | None = None

    def __enter__(self) -> Interruptible:
        return self

    def __exit__(self, *_: object) -> None:
        if self._running is not None and not self._running.done():
            self._interrupt()
        last = [self._running] if self._close is None else [self._pool.submit(self._close)]
        # a call may wait for a server that does not answer any more
        wait([one for one in last if one is not None], timeout=_PATIENCE)
        self._pool.shutdown(wait=False)

    def __call__(self, call: Callable[[], Any], waiting: Callable[[], object] | None = None) -> Any:
        """Run a call, and return what it returns. `waiting` is called while it runs, several times a second."""
        self._running = running = self._pool.submit(call)
        while not running.done():
            # Windows notices Ctrl-C between waits only
            wait([running], timeout=_GLANCE)
            if waiting is not None:
                waiting()
        return running.result()
