"""`NAME.runs/`: records of the last runs of a load, and copies of the reports and failures files before the last ones.

A record has no personal data: it has counts, codes and options, but no ids, values, messages or folders. An error here
is only a warning, because the load matters more than its record.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from interakt_loader._version import __version__
from interakt_loader.privacy.files import OWNER_ONLY, FileLock, LockHeld, open_private
from interakt_loader.privacy.text import masked
from interakt_loader.settings import Settings
from interakt_loader.settings.values import is_address

if TYPE_CHECKING:
    from interakt_loader.result import LoadResult

logger = logging.getLogger("interakt_loader")

RECORDS, COPIES = 30, 2
"""How many records are kept, and how many reports and failures files besides the last ones."""

_MOST_SOURCES = 20

_ID = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z"
"""The start of a run, in UTC."""

_LEFT_OUT = ("name", "report", "failures", "html", "ledger", "share", "base_url", "event_id")
"""Options that hold paths or addresses, or are elsewhere in the record."""


class Runs:
    """The folder of a load's runs, as one run uses it."""

    def __init__(self, folder: Path, name: str, sources: Sequence[str], settings: Settings, command: str) -> None:
        self._folder, self._name, self._settings = folder, name, settings
        self._keeps_copies = command != "verify"
        self._lock: FileLock | None = None
        self._record: dict[str, Any] = {
            "id": None,
            "name": masked(name),
            "command": command,
            "version": __version__,
            "sources": [_shown(one) for one in sources[:_MOST_SOURCES]],
            "to": urlsplit(settings.base_url).netloc,
            "options": _options(settings),
        }

    def begin(self, source: Path | None) -> None:
        """Keep the files of the run before this one, and begin a record. `source` is the one file that is read."""
        self._attempt(lambda: self._begin(source))

    def end(self, result: LoadResult, exit_code: int) -> None:
        """Complete the record, if one was begun."""
        if self._record["id"] is not None:
            if self._lock is not None:
                # Windows replaces no open file
                self._lock.close()
            self._attempt(lambda: self._write({"ended": _now().isoformat(), "exit": exit_code} | _of_result(result)))

    def _attempt(self, step: Callable[[], object]) -> None:
        try:
            step()
        except OSError as error:
            logger.warning("%s: the record of the load cannot be written: %s", self._folder, error.strerror or error)

    def _begin(self, source: Path | None) -> None:
        self._folder.mkdir(mode=OWNER_ONLY | 0o100, exist_ok=True)
        began = _now()
        before = max((path.stem for path in records(self._folder)), default=None)
        for kind in ("report", "failures") if self._keeps_copies else ():
            path = None if getattr(self._settings, kind) is None else Path(getattr(self._settings, kind))
            if path is not None and path.is_file() and path.stat().st_size and not _is_same(path, source):
                self._keep(path, kind, before)
        self._record |= {"id": _id(began), "began": began.isoformat()}
        # history holds the lock only for an instant, and then knows no better
        with suppress(LockHeld):
            self._lock = FileLock(self._write({"ended": None}))
            weakref.finalize(self, self._lock.close)
        self._prune()

    def _keep(self, path: Path, kind: str, before: str | None) -> None:
        """Copy a file of the run before this one."""
        changed = _id(datetime.fromtimestamp(path.stat().st_mtime, timezone.utc))
        kept = self._folder / f"{self._name}-{before or changed}.{kind}{path.suffix}"
        if kept.exists():
            kept = self._folder / f"{self._name}-{changed}.{kind}{path.suffix}"
        try:
            with path.open("rb") as source, open_private(kept) as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except OSError:
            with suppress(OSError):
                kept.unlink()
            raise

    def _write(self, more: dict[str, Any]) -> Path:
        path = self._folder / f"{self._record['id']}.json"
        part = path.with_suffix(".part")
        with open_private(part) as file:
            file.write(json.dumps(self._record | more, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        part.replace(path)
        return path

    def _prune(self) -> None:
        names = re.escape(self._name)
        _keep_newest(records(self._folder), RECORDS)
        for kind in ("report", "failures"):
            pattern = re.compile(rf"{names}-{_ID}\.{kind}\.\w+")
            _keep_newest((path for path in self._folder.iterdir() if pattern.fullmatch(path.name)), COPIES)


def records(folder: Path) -> list[Path]:
    """Return the files of the records in a folder. Their names begin with the time."""
    return [path for path in folder.iterdir() if re.fullmatch(rf"{_ID}\.json", path.name)]


def is_running(path: Path) -> bool:
    """Tell whether the run of a record without an end holds it still. Where files have no locks, it does not."""
    try:
        FileLock(path).close()
    except LockHeld:
        return True
    except OSError:
        return False
    return False


def _keep_newest(paths: Iterable[Path], count: int) -> None:
    """Remove all but the newest files. Their names begin alike and continue with a time."""
    for path in sorted(paths)[:-count]:
        path.unlink(missing_ok=True)


def _is_same(path: Path, source: Path | None) -> bool:
    with suppress(OSError):
        return source is not None and path.samefile(source)
    return False


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _id(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H-%M-%S.") + f"{moment.microsecond // 1000:03}Z"


def _shown(source: str) -> str:
    """Return a source without its folders, and an address without what follows its path."""
    path = urlsplit(source).path if is_address(source) else source.replace("\\", "/")
    return masked(PurePosixPath(path).name or source[:1])


def _options(settings: Settings) -> dict[str, Any]:
    """Return the options that differ from their defaults."""
    defaults = Settings().public()
    return {
        name: value for name, value in settings.public().items() if name not in _LEFT_OUT and value != defaults[name]
    }


def _of_result(result: LoadResult) -> dict[str, Any]:
    counts: dict[tuple[str, str], int] = {}
    for one in result.summary.top_reasons():
        if one.code is not None:
            counts[one.status, one.code] = counts.get((one.status, one.code), 0) + one.count
    files = {
        "report": None if result.options["report"] is None else result.report,
        "failures": result.failures_file,
        "ledger": result.ledger,
        "page": None if result.options["html"] is None else Path(result.options["html"]),
    }
    facts = result.as_dict()
    return {
        "kind": result.kind,
        "rows": result.rows,
        "status": facts["status"],
        "attempts": result.attempts,
        "maybe_duplicates": result.summary.maybe_duplicates,
        "seconds": round(result.seconds, 3),
        "reasons": [{"status": status, "code": code, "rows": rows} for (status, code), rows in counts.items()],
        "stopped": None if result.stopped is None else result.stopped.reason,
        "account": facts.get("account"),
        "files": {name: None if path is None else masked(path.name) for name, path in files.items()},
    }
