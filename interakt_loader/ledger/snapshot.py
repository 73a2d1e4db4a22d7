"""A copy of a ledger as it is at one moment, for a dry run: nothing of the ledger itself changes, not even a lock."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from interakt_loader.errors import NotJustNow, SettingsError

_TRIES = 20

_ENDINGS = ("-calls", "", "-journal", "-wal")
"""In the order in which they are copied, so that what is in the file of calls is not newer than what is on record, and
what is brought from the log into the file meanwhile is in the copy of the log too."""

_LOG_HEADER = 32


def copied(path: Path, folder: Path) -> Path:
    """Copy a ledger, and what a load has beside it, to a folder; return where it is. A load may be using it.

    SQLite's log is only written at its end, until it begins anew, which its first bytes and the ledger's own file show.
    As long as both stay the same, the copies belong together. Raises `SettingsError`.
    """
    ledger = Path(os.path.realpath(path))
    if not ledger.is_file():
        raise SettingsError(f"ledger {path}: cannot be opened: is no file")
    try:
        for _ in range(_TRIES):
            before = _state(ledger)
            for ending in _ENDINGS:
                of, to = (one / (ledger.name + ending) for one in (ledger.parent, folder))
                to.unlink(missing_ok=True)
                if of.is_file():
                    with suppress(FileNotFoundError):  # a load has ended
                        shutil.copyfile(of, to)
            if before == _state(ledger):
                return folder / ledger.name
    except OSError as error:
        raise SettingsError(f"ledger {path}: cannot be copied: {error.strerror or error}") from None
    raise NotJustNow(f"ledger {path}: is being written by a load; try again")


def _state(ledger: Path) -> tuple[object, ...]:
    found = ledger.stat()
    log = b""
    with suppress(FileNotFoundError), ledger.with_name(f"{ledger.name}-wal").open("rb") as file:
        log = file.read(_LOG_HEADER)
    return found.st_ino, found.st_size, found.st_mtime_ns, log
