"""The records of a load's runs, read back: for `interakt-loader history`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from interakt_loader.errors import SettingsError
from interakt_loader.load.runs import is_running, records
from interakt_loader.model import FAILURES, Status
from interakt_loader.privacy.text import printable
from interakt_loader.settings.values import did_you_mean

logger = logging.getLogger("interakt_loader")

WIDTH = 80
"""Columns of the table, at most."""

_FOLDER = ".runs"

_HEADINGS = ("start", "command", "rows", "sent", "unchanged", "failed", "time", "exit")

_FAILED = {one.value for one in FAILURES if one is not Status.UNSENT}

_IN_COLUMNS = {Status.SENT.value, Status.UNCHANGED.value} | _FAILED


class History(NamedTuple):
    """The runs of one load, the oldest first."""

    name: str
    runs: list[dict[str, Any]]


def read_history(folder: Path, name: str | None) -> list[History]:
    """Return the runs of a load, or of all loads of a folder. Raises `SettingsError` if the folder cannot be read."""
    try:
        found = {one.stem: one for one in sorted(folder.iterdir()) if one.suffix == _FOLDER and one.is_dir()}
        read = [History(load, [*_read(records(path))]) for load, path in found.items() if name in (None, load)]
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be read: {error.strerror or error}") from None
    return [one for one in read if one.runs]


def _read(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in sorted(paths):
        try:
            record = json.loads(path.read_bytes())
            if record["ended"] is None:
                record["running"] = is_running(path)
            # what cannot be shown is damaged
            _line(record), _note(record)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            logger.warning("%s: is left out, because it is damaged (%s)", path, type(error).__name__)
        else:
            yield record


def as_text(history: Sequence[History], folder: Path, name: str | None) -> str:
    """Return the runs as tables of `WIDTH` columns, or that there are none of this name in the folder."""
    if history:
        return "\n\n".join("\n".join(map(printable, _table(one))) for one in history)
    if name is None:
        return f"no runs in {printable(str(folder))}"
    others = [one.stem for one in folder.glob(f"*{_FOLDER}")]
    return printable(f"no runs of {name!r} in {folder}{did_you_mean(name, others)}")


def _table(history: History) -> Iterator[str]:
    lines = [_HEADINGS, *map(_line, history.runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    gap = "  " if sum(widths) + 2 * len(widths) <= WIDTH else " "
    yield history.name
    for line, run in zip(lines, (None, *history.runs), strict=True):
        cells = [
            text.ljust(width) if at < 2 else text.rjust(width)
            for at, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield gap.join(cells)
        note = None if run is None else _note(run)
        if note:
            yield f"{'':{widths[0]}}{gap}{note}"


def _line(run: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a run."""
    start = f"{datetime.fromisoformat(run['began']).astimezone():%Y-%m-%d %H:%M}"
    command = str(run.get("command", "load"))
    if run["ended"] is None:
        return (start, command, "", "", "", "", "", "")
    status: dict[str, int] = run["status"]
    failed = sum(count for name, count in status.items() if name in _FAILED)
    counts = (run["rows"], status.get(Status.SENT.value, 0), status.get(Status.UNCHANGED.value, 0), failed)
    return (start, command, *map(_count, counts), _took(float(run["seconds"])), f"{int(run['exit'])}")


def _count(rows: int) -> str:
    return f"{rows:,}" if rows < 10_000_000 else f"{rows / 1e6:,.1f}M"


def _took(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _note(run: Mapping[str, Any]) -> str:
    """Return what the columns do not have: other statuses, and why the run ended early."""
    if run["ended"] is None:
        return "still running" if run["running"] else "never ended: it was killed, or the machine stopped"
    notes = [f"{count:,} {name}" for name, count in run["status"].items() if count and name not in _IN_COLUMNS]
    if run["stopped"] is not None:
        notes.append(f"stopped: {run['stopped']}")
    return ", ".join(notes)
