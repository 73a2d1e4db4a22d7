"""`pull`: the account's contacts as a table."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from interakt_loader.account.contacts import Contact, read_time
from interakt_loader.account.kept import KeptReading
from interakt_loader.account.reader import AccountReader
from interakt_loader.account.windows import past_at
from interakt_loader.errors import LoadInterrupted, LoadStopped, RecordBroken, SettingsError, option
from interakt_loader.load.job import Observer
from interakt_loader.load.run import Interrupts, Shown
from interakt_loader.model import StopToken
from interakt_loader.privacy.files import replacing
from interakt_loader.privacy.formula_guard import guarded
from interakt_loader.privacy.process import usable_stderr
from interakt_loader.privacy.text import number_of
from interakt_loader.progress import Progress
from interakt_loader.report.writer import Summary
from interakt_loader.settings import Options, Settings, Unpack, lists_options

logger = logging.getLogger("interakt_loader")

OPTIONS = (
    "api_key", "base_url", "timeout", "max_retries", "workers", "rate_limit", "share", "max_outage", "progress"
)  # fmt: skip
"""The options of `Settings` that are about the account and its calls."""

ROWS = 4096
"""Rows of a batch."""

MOST_TRAITS = 2000
"""Columns of traits. Further traits are together in one column."""

_OWN = ("id", "user_id", "country_code", "phone", "created_at", "modified_at", "tags")
_OTHERS = "other_traits"
_TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class PullResult:
    """What `pull` has written."""

    path: Path
    contacts: int
    columns: dict[str, str]
    """Each trait's column, and its type: `number`, `boolean`, `text` or `list`."""
    incomplete: list[tuple[str, str | None]]
    """Spans of `modified_at` of which some contacts may be missing: the account changed whenever it was read."""
    calls: int
    """Calls that were made, with those that were tried again."""
    seconds: float
    notes: list[str] = field(default_factory=list)
    """What the user should know, such as a trait with values of several types."""

    @property
    def ok(self) -> bool:
        """Whether every contact is there."""
        return not self.incomplete

    @property
    def exit_code(self) -> int:
        """That of the command: 0, or 1 if some contacts may be missing."""
        return 0 if self.ok else 1

    def as_dict(self) -> dict[str, Any]:
        """Return it as values that can be written as JSON."""
        return {
            "path": str(self.path),
            "contacts": self.contacts,
            "columns": self.columns,
            "incomplete": [list(one) for one in self.incomplete],
            "calls": self.calls,
            "seconds": round(self.seconds, 3),
            "notes": self.notes,
            "exit": self.exit_code,
        }


@lists_options(*OPTIONS)
@usable_stderr()
def pull(path: str | Path, *, since: str | dt.datetime | None = None, **options: Unpack[Options]) -> PullResult:
    """Write the account's contacts to a file: Parquet, CSV or JSON lines, by its ending.

    The columns are `id`, `user_id`, `country_code`, `phone`, `created_at`, `modified_at` and `tags`, and then one for
    each trait. `since` leaves out contacts that were not modified since then: an ISO 8601 time in UTC. The options are
    those of `Settings` about the account and the calls.

    If it ends early, `PATH.part` has what was read, and the same call continues from there. Raises `UsageError` before
    any call, `LoadStopped` if the account cannot be read, and `LoadInterrupted` after Ctrl-C.
    """
    for name, value in options.items():
        if name in Settings.__dataclass_fields__ and name not in OPTIONS and value is not None:
            raise SettingsError(f"{option(name)} is no option of pull; these are: {', '.join(OPTIONS)}")
    return pulled(Path(path), since, Settings.resolve(cast("dict[str, Any]", options), variables=OPTIONS))


def pulled(
    path: Path, since: str | dt.datetime | None, settings: Settings, observer: Observer | None = None
) -> PullResult:
    """Write the account's contacts to a file: what `pull` shares with the command line."""
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise SettingsError(f"{path}: expected a name that ends in {', '.join(_WRITERS)}")
    if path.is_dir() or not path.parent.is_dir():
        raise SettingsError(f"{path}: expected a file in a folder that exists")
    settings.require_key()
    began, begin = time.monotonic(), _since(since)
    past = past_at(time.time_ns() // 1000, begin)
    kept = KeptReading(Path(f"{path}.part"), settings, begin, past)
    try:
        calls = read_account(kept, settings, begin, str(path), observer or Observer())
        table = _Table(kept)
        try:
            with replacing(path) as file:
                writer(file, table)
        except OSError as error:
            raise RecordBroken(f"{path}: cannot be written: {error.strerror or error}") from None
    except BaseException:
        (kept.close if kept.done else kept.remove)()
        raise
    kept.remove()
    return PullResult(
        path, table.rows, table.types, kept.incomplete_spans(), calls, time.monotonic() - began, table.notes
    )


def _since(given: str | dt.datetime | None) -> int:
    """Return the time in microseconds since the epoch; 0 for all contacts."""
    if given is None:
        return 0
    if isinstance(given, dt.datetime):
        given = (
            (given if given.tzinfo else given.replace(tzinfo=dt.timezone.utc)).astimezone(dt.timezone.utc).isoformat()
        )
    text = f"{given}T00:00:00Z" if len(given) == len("2026-11-29") else given
    found = read_time(text.replace("+00:00", "Z"))
    if found is None:
        raise SettingsError(
            f"{option('since')} is {given!r}; expected a time in UTC, such as 2026-11-29 or 2026-11-29T12:30:00Z"
        )
    return found


def read_account(kept: KeptReading, settings: Settings, since: int, name: str, observer: Observer) -> int:
    """Read the account into a folder, as far as it is not there. Return the number of calls."""
    token = StopToken()
    with (
        Progress(None, name, wanted=settings.progress, reported=observer.reported) as bar,
        Interrupts(token, "reading the account was interrupted") as interrupts,
    ):
        try:
            with AccountReader(settings, token, Shown(bar, Summary(), observer)) as reader:
                reader.read_into(kept, reader.count(), since)
                return reader.attempts
        except LoadStopped:
            if interrupts.signum is not None:
                raise LoadInterrupted(None, interrupts.signum) from None
            raise


# ------------------------------------------------------------------ contacts as a table

_KINDS: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "object"}


class _Table:
    """The contacts of a reading as batches: each trait is a column of one type."""

    def __init__(self, kept: KeptReading) -> None:
        self._kept = kept
        found: dict[str, set[str]] = {}
        broken, long, longest = set[str](), set[str](), set[str]()
        bad_times = 0
        self._has_others = False
        self.rows = 0
        for contact in kept.contacts():
            self.rows += 1
            bad_times += contact.created_at is not None and read_time(contact.created_at) is None
            for name, value in contact.traits.items():
                if value is None:
                    continue
                if name not in found and len(found) >= MOST_TRAITS:
                    self._has_others = True
                    continue
                found.setdefault(name, set()).add(_KINDS[type(value)])
                if isinstance(value, float):
                    broken.add(name)
                elif type(value) is int and abs(value) > 2**53:
                    (long if -(2**63) <= value < 2**63 else longest).add(name)
        self._whole = set(found) - broken
        """Traits whose numbers are all whole."""
        # a column of numbers could not have them exactly
        longest |= long & broken
        self.notes: list[str] = []
        self._columns: dict[str, str] = {}
        self.types: dict[str, str] = {}
        taken = {*_OWN, _OTHERS}
        for name in sorted(found):
            kinds = found[name]
            kind = next(iter(kinds)) if len(kinds) == 1 else "mixed"
            column = name
            while column in taken:
                column += " (trait)"
            taken.add(column)
            self._columns[name] = column
            is_long = kind == "number" and name in longest
            self.types[column] = "text" if is_long else {"mixed": "text", "object": "text"}.get(kind, kind)
            if is_long:
                self.notes.append(f"{column}: has numbers that are too long for a column of numbers, so it is text")
            elif kind == "mixed":
                self.notes.append(f"{column}: has values of several types ({', '.join(sorted(kinds))}), so it is text")
        self._kinds = {name: self.types[column] for name, column in self._columns.items()}
        if bad_times:
            self.notes.append(f"created_at: is empty for {number_of(bad_times, 'contact')}, whose time cannot be read")
        if self._has_others:
            self.notes.append(f"{_OTHERS}: has all but {MOST_TRAITS:,} traits, as JSON")

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types."""
        text = pa.string()
        own = [pa.field(name, text) for name in _OWN[:4]] + [pa.field(name, _TIME) for name in _OWN[4:6]]
        own.append(pa.field("tags", pa.list_(text)))
        traits = [pa.field(column, self._type(name)) for name, column in self._columns.items()]
        return pa.schema([*own, *traits, *([pa.field(_OTHERS, text)] if self._has_others else [])])

    def _type(self, name: str) -> pa.DataType:
        match self._kinds[name]:
            case "boolean":
                return pa.bool_()
            case "number":
                return pa.int64() if name in self._whole else pa.float64()
            case "list":
                return pa.list_(pa.string())
            case _:
                return pa.string()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the contacts."""
        contacts = self._kept.contacts()
        while rows := [*islice(contacts, ROWS)]:
            yield self._batch(rows)

    def _batch(self, rows: list[Contact]) -> pa.RecordBatch:
        schema = self.schema
        arrays = [
            pa.array([one.id for one in rows], pa.string()),
            pa.array([one.user_id for one in rows], pa.string()),
            pa.array([one.country_code for one in rows], pa.string()),
            pa.array([one.phone for one in rows], pa.string()),
            pa.array([read_time(one.created_at) for one in rows], pa.int64()).cast(_TIME),
            pa.array([one.modified for one in rows], pa.int64()).cast(_TIME),
            pa.array([one.tags for one in rows], pa.list_(pa.string())),
        ]
        for name, kind in self._kinds.items():
            values = [_as(kind, one.traits.get(name)) for one in rows]
            arrays.append(pa.array(values, self._type(name)))
        if self._has_others:
            others = (_others(one.traits, self._kinds) for one in rows)
            arrays.append(pa.array([_json(one) if one else None for one in others], pa.string()))
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _others(traits: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    return {name: value for name, value in traits.items() if value is not None and name not in columns}


def _as(kind: str, value: Any) -> Any:
    if value is None or kind in ("boolean", "number"):
        return value
    if kind == "list":
        return [_text(one) for one in value]
    return _text(value)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# ------------------------------------------------------------------ the three forms of a file


def _write_parquet(file: IO[bytes], table: _Table) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, table.schema) as writer:
        for batch in table.batches():
            writer.write_batch(batch)


def _write_csv(file: IO[bytes], table: _Table) -> None:
    import pyarrow.csv as pa_csv

    header = pa_csv.WriteOptions(include_header=True)
    rest = pa_csv.WriteOptions(include_header=False)
    is_first = True
    for batch in table.batches() if table.rows else [table.schema.empty_table()]:
        texts = [_csv_column(column) for column in batch.columns]
        # a trait's name can be a formula, too
        flat = pa.table(texts, names=guarded(pa.array(batch.schema.names, pa.string())).to_pylist())
        pa_csv.write_csv(flat, file, header if is_first else rest)
        is_first = False


def _csv_column(column: Any) -> Any:
    """Return a column as a CSV file has it: lists as JSON, and text that no spreadsheet runs."""
    if pa.types.is_list(column.type):
        return pa.array([None if one is None else _json(one) for one in column.to_pylist()], pa.string())
    if pa.types.is_timestamp(column.type):
        return pa.array([None if one is None else _iso(one) for one in column.to_pylist()], pa.string())
    if not pa.types.is_string(column.type):
        return column
    whole = pa.array(column.to_pylist(), pa.string())
    return guarded(whole)


def _write_json_lines(file: IO[bytes], table: _Table) -> None:
    for batch in table.batches():
        for row in batch.to_pylist():
            plain = {name: _iso(one) if isinstance(one, dt.datetime) else one for name, one in row.items()}
            file.write(json.dumps({name: one for name, one in plain.items() if one is not None}).encode() + b"\n")


def _iso(at: dt.datetime) -> str:
    exactness = "microseconds" if at.microsecond % 1000 else "milliseconds"
    return at.replace(tzinfo=None).isoformat(timespec=exactness) + "Z"


_WRITERS: dict[str, Callable[[IO[bytes], _Table], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
}
