"""The parts of a ledger, while several processes write at once: the tasks of a load by Spark.

- `NAME.ledger` is not written while tasks run. Each task compares with it.
- `NAME.ledger.parts/load` has the id of the load. Its tasks may begin as long as this file exists.
- `NAME.ledger.parts/00000.ledger` and so on hold what each task has sent. Each is a ledger with its own other files.

One process has the ledger for the whole load. It makes the parts, and merges them into the ledger at the end. All calls
of a user, and all equal events, are in one part. If that process is killed, the next one that opens the ledger merges
the parts. No step of this loses a call, whenever a process is killed:

- The ledger notes the parts when all of them are complete, and before the first task. So a lost part is detected.
- A task begins only if `load` has the id of its load. Before the merge that file is removed, and no task holds a part.
- Nobody writes to the ledger while a task holds a part, because tasks read the ledger without its log.
- The ledger takes in all parts in one transaction, with the note that this is done. Then the parts are removed.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.ledger.in_flight import forget, left_behind, warn_of_loss
from interakt_loader.ledger.store import Store, is_whole, set_aside
from interakt_loader.model import DIGEST
from interakt_loader.privacy.files import OWNER_ONLY, FileLock, LockHeld, replacing

logger = logging.getLogger("interakt_loader")

TOPIC = b"parts"
"""Of the notes about parts: in the ledger the number of parts by load, in a part the ledger's id by load."""

_MERGED = b"merged"
"""The ledger's note when it has taken in the parts, until they are removed."""

_LOAD = "load"
_PART = re.compile(r"\d{5,}\.ledger")
_FILE = re.compile(r"load|\.load-.*\.part|\d{5,}\.ledger(-\w+)?")
"""All files that a load makes there, also temporary ones. What was set aside has another name, and stays."""
_HINT = "delete it: then what its task has sent is sent again"


class PartsHeld(NotJustNow):
    """Tasks of a load that has ended still write to their parts; they end by themselves."""


def folder_of(ledger: Path) -> Path:
    """Return the folder of a ledger's parts."""
    real = Path(os.path.realpath(ledger))
    return real.with_name(f"{real.name}.parts")


def paths_of(folder: Path) -> list[Path]:
    """Return the parts in this folder. There are none if the folder does not exist."""
    return _found(folder, _PART)


def _found(folder: Path, names: re.Pattern[str]) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(path for path in folder.iterdir() if names.fullmatch(path.name))
    return []


@dataclass(frozen=True)
class Parts:
    """The parts of a ledger for one load, as its tasks find them."""

    ledger: Path
    """The absolute path of the ledger. It may be a link."""
    load: str
    """The id of the load."""
    salt: bytes | None = None
    """Added to the digests of this input, as in `Loads`."""

    def path(self, number: int) -> Path:
        """Return the path of a part."""
        return folder_of(self.ledger) / f"{number:05}.ledger"

    def open(self, number: int) -> Store:
        """Open a part, to which other tasks do not write. Raises `SettingsError`."""
        self._check_open()
        store = Store(self.path(number), creates=False, hint=_HINT)
        try:
            # the load may have ended meanwhile; from now on nobody removes or merges this part
            self._check_open()
            self._check_base(store)
        except sqlite3.Error as error:
            store.close()
            raise store.unusable(error) from error
        except BaseException:
            store.close()
            raise
        return store

    def _check_open(self) -> None:
        folder = folder_of(self.ledger)
        try:
            load = (folder / _LOAD).read_text(encoding="ascii")
        except (OSError, ValueError):
            load = None
        if load is None and not folder.is_dir():
            raise SettingsError(
                f"ledger {self.ledger}: its parts are not on this worker, or their load has ended; give a ledger in a "
                "folder that all workers share"
            )
        if load != self.load:
            raise SettingsError(f"ledger {self.ledger}: the load of this task has ended; nothing was sent")

    def _check_base(self, store: Store) -> None:
        base = Path(os.path.realpath(self.ledger))
        try:
            with base.open("rb") as file:
                is_good = is_whole(file.fileno())
        except OSError as error:
            raise SettingsError(f"ledger {self.ledger}: cannot be read: {error.strerror or error}") from None
        if not is_good or store.attach(base) != store.notes(TOPIC).get(bytes.fromhex(self.load)):
            raise SettingsError(
                f"ledger {self.ledger}: is not as its load has left it, or is damaged; nothing was sent; run the load "
                "again"
            )


def create(store: Store, shown: Path, address: bytes, count: int) -> str:
    """Make the parts of a ledger for a load to one address, and note them. Return the id of the load.

    Raises `SettingsError`.
    """
    load, folder = os.urandom(DIGEST), folder_of(store.path)
    wrapped = store.destinations()[address]
    try:
        folder.mkdir(OWNER_ONLY | 0o100, exist_ok=True)
        for number in range(count):
            with closing(Store(folder / f"{number:05}.ledger")) as part:
                part.put_destination(address, wrapped)
                part.note(TOPIC, {load: store.id})
        with replacing(folder / _LOAD) as file:
            file.write(load.hex().encode())
        store.note(TOPIC, {load: count.to_bytes(4, "big")})
        store.seal()
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"ledger {shown}: its parts cannot be made in {folder}: {reason}") from None
    return load.hex()


def merge(store: Store, shown: Path) -> int:
    """Merge the parts into their ledger, and remove them. Return how many calls came in.

    Nothing is written before it is certain that no task holds a part. Raises `PartsHeld` if one does, `SettingsError`
    if a part is damaged, `sqlite3.Error` and `OSError`. After an error the next call continues.
    """
    folder = folder_of(store.path)
    noted = {load: value for load, value in store.notes(TOPIC).items() if value}
    if not noted and not folder.is_dir():
        return 0
    paths = paths_of(folder)
    _close_to_tasks(folder, paths, shown)
    if not _are_of(store, paths, shown):
        set_aside(folder, folder_of(shown), "belongs to another ledger")
        paths = []
    total = 0
    if _MERGED not in noted.values():
        if any(len(paths) < int.from_bytes(count, "big") for count in noted.values()):
            logger.warning(
                "ledger %s: was copied or moved while a load by Spark was using it, without all files of the folder "
                "%s: what that load sent is not on record here, and is sent again",
                *(shown, folder.name),
            )
        total = store.absorb(_recovered(paths, shown), [(TOPIC, load, _MERGED) for load in noted])
        store.merge()
    store.seal()
    for path in _found(folder, _FILE):
        path.unlink()
    # other files there are not ours
    with suppress(OSError):
        folder.rmdir()
    store.drop_notes(TOPIC)
    return total


def _close_to_tasks(folder: Path, paths: list[Path], shown: Path) -> None:
    """Let no other task begin, and check that none holds a part. Raises `PartsHeld`."""
    (folder / _LOAD).unlink(missing_ok=True)
    for path in paths:
        try:
            FileLock(path, creates=False).close()
        except LockHeld:
            raise PartsHeld(
                f"ledger {shown}: tasks of a load by Spark that has ended still write to its parts; they end within "
                "seconds, then run this again"
            ) from None


def _are_of(store: Store, paths: list[Path], shown: Path) -> bool:
    """Tell whether parts belong to this ledger. One that does not tell is not complete: no task has had it."""
    for path in paths:
        with closing(_part(path, shown)) as part:
            owners = part.notes(TOPIC).values()
        if owners:
            return store.id in owners
    return True


def _recovered(paths: list[Path], shown: Path) -> Iterator[Store]:
    """Yield the parts, each while it is open, with the calls on record that a killed task has left behind."""
    for path in paths:
        with closing(_part(path, shown)) as part:
            recover(part)
            yield part


def _part(path: Path, ledger: Path) -> Store:
    part = Store(path, folder_of(ledger) / path.name, creates=False, hint=_HINT)
    # to close it may remove the sign
    warn_of_copy(part, folder_of(ledger) / path.name)
    return part


def warn_of_copy(store: Store, shown: Path) -> None:
    """Log a warning if a load was using this file, and the files beside it are missing."""
    if store.was_used and not store.was_left:
        logger.warning(
            "ledger %s: was copied or moved while a load was using it, without the files beside it (%s-wal, "
            "%s-calls): what that load sent is not on record here, and is sent again",
            *(shown, shown.name, shown.name),
        )


def recover(store: Store) -> None:
    """Put on record the calls that a killed load has left in the calls file. They are merged at the next `merge`.

    Raises `SettingsError` if calls are missing, `sqlite3.Error` and `OSError`.
    """
    left = left_behind(store.calls_path, store.id, store.calls_shown)
    if left.total is None:
        # what sends nothing has no calls in flight
        if store.was_left and store.was_used and store.has_journal_entries():
            warn_of_loss(store.calls_shown)
    elif left.total > store.total and not store.was_replaced:
        raise store.damaged("calls are missing")
    store.append(left.journal_entries)
    forget(store.calls_path)
    store.mark(writing=False)
