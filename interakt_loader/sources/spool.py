"""Rows that are read once and kept in a temporary file, so that they can be read again without their origin.

The folder of the files is for its owner alone. It is removed at the end, and the next run removes that of a process
that was killed.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.columns.normalize import Mixed, Unsendable
from interakt_loader.errors import SourceError
from interakt_loader.privacy.files import FileLock, LockHeld
from interakt_loader.sources.base import Batches, reason

PREFIX = "interakt-loader-rows-"
"""What the names of the folders begin with."""

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
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = FileLock(self.path / "lock")
        self.remove = weakref.finalize(self, _removed, self.path, self._lock)

    @contextmanager
    def removed_on_error(self) -> Iterator[None]:
        """Remove the folder at once if the block raises, Ctrl-C included."""
        try:
            yield
        except BaseException:
            self.remove()
            raise

    def file(self) -> Path:
        """Return the path of a new file."""
        with tempfile.NamedTemporaryFile(dir=self.path, suffix=".arrow", delete=False) as file:
            return Path(file.name)


def _removed(path: Path, lock: FileLock) -> None:
    lock.close()
    shutil.rmtree(path, ignore_errors=True)


def _remove_abandoned() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # another user's folder, or one of a process that runs
        with suppress(OSError, LockHeld):
            if (path / "lock").exists():
                FileLock(path / "lock").close()
                shutil.rmtree(path, ignore_errors=True)


class Spool:
    """Rows in a file of a temporary folder, which stays as long as this object does. Memory is that of one batch.

    The file has a stream of Arrow for each run of batches with one schema, one after the other.
    """

    def __init__(self, folder: TemporaryFolder) -> None:
        self._folder, self._path = folder, folder.file()
        self.rows = 0
        self.schema = pa.schema([])
        """That of the first batch."""

    def keep(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches, and write each to the file first."""
        writer: pa.ipc.RecordBatchStreamWriter | None = None
        schema: pa.Schema | None = None
        with pa.OSFile(str(self._path), "wb") as file:
            for batch in batches:
                with self._named_errors():
                    if writer is None or batch.schema != schema:
                        if writer is None:
                            self.schema = batch.schema
                        else:
                            writer.close()
                        schema = batch.schema
                        writer = pa.ipc.new_stream(file, schema)
                    writer.write_batch(batch)
                self.rows += batch.num_rows
                yield batch
            if writer is not None:
                with self._named_errors():
                    writer.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            folder = self._folder.path.parent
            raise SourceError(
                f"{folder}: the rows cannot be kept there: {reason(error)}. Set TMPDIR to a folder with more space"
            ) from None

    def write(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Write batches to the file."""
        for _ in self.keep(batches):
            pass

    def batches(self) -> Batches:
        """Yield the rows."""
        with pa.memory_map(str(self._path)) as file:
            while file.tell() < file.size():
                yield from pa.ipc.open_stream(file)


_GLANCE = 0.2
"""Longest wait for a call in seconds, until Ctrl-C is noticed."""


class Interruptible:
    """Runs calls of a connection in a thread of its own, so that Ctrl-C ends them at once.

    `interrupt` ends a running call from another thread.
    """

    def __init__(self, interrupt: Callable[[], Any]) -> None:
        self._interrupt, self._pool = interrupt, ThreadPoolExecutor(1)
        self._running: Future[Any] | None = None

    def __enter__(self) -> Interruptible:
        return self

    def __exit__(self, *_: object) -> None:
        if self._running is not None and not self._running.done():
            self._interrupt()
        self._pool.shutdown()

    def __call__(self, call: Callable[[], Any]) -> Any:
        """Run a call, and return what it returns."""
        self._running = running = self._pool.submit(call)
        while not running.done():
            # Windows notices Ctrl-C between waits only
            wait([running], timeout=_GLANCE)
        return running.result()
