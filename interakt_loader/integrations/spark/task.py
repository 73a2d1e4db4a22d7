"""Which partition a user belongs to, the ledger of a partition, and its part of the account's rate.

Arrow's schemas as Spark's.

Spark matches the columns that a task returns by position and never casts them: a wrong type fails only after the calls
have been made, and the task is run again. So both forms come from one schema.

What runs on Spark's workers: rows are prepared on all of them, and each partition of users is sent by one task.

A task that dies is run again by Spark, and its ledger makes the second go on: what was accepted is `unchanged` then.
A task never raises for a row, nor where its ledger or clock cannot be had: Spark would run it again at once.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import StopReason
from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.load.job import Job, open_shared_clock
from interakt_loader.load.pipeline import deliver
from interakt_loader.mapping import PREPARED, Mapping, Preparation
from interakt_loader.model import Kind, Stop
from interakt_loader.privacy.secrets import Secret, hidden
from interakt_loader.report.outcomes import OUTCOMES, not_sent
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate, hidden_share
from interakt_loader.sources.base import flattened

if TYPE_CHECKING:
    from interakt_loader.ledger import Ledger

MARKER = "partitions.json"
"""In a folder of ledgers: how many there are. Another number would look for users in another's ledger."""

LOADS = "driver.notes"
"""In a folder of ledgers: what the driver remembers of the loads so far. No calls."""


def buckets(calls: pa.RecordBatch, count: int) -> pa.Int32Array:
    """Return the bucket of each prepared call: all rows of a user have the same, today and tomorrow."""
    users = calls["ordering_key"].dictionary_encode()
    of_users = pa.array([zlib.crc32(user.encode()) % count for user in users.dictionary.to_pylist()], pa.int32())
    nobodys = pa.array((row % count for row in calls["row"].to_pylist()), pa.int32())  # rows that name no user
    return pc.coalesce(of_users.take(users.indices), nobodys)


def ledger_of(folder: Path, bucket: int) -> Path:
    """Return where the ledger of a bucket lies."""
    return folder / f"{bucket:05}.ledger"


def known_count(folder: Path) -> int | None:
    """Return for how many partitions a folder of ledgers was made; None where there is none yet."""
    try:
        return int(json.loads((folder / MARKER).read_text(encoding="utf-8"))["partitions"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(f"ledger {folder}: {MARKER} cannot be read; choose another folder") from None


def make_folder(folder: Path, count: int) -> None:
    """Make a folder for so many ledgers, or see that it was made for as many. Raises `SettingsError`."""
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        known = known_count(folder)
        if known is None:
            if any(folder.iterdir()):
                raise SettingsError(f"ledger {folder}: expected an empty folder, or one that a load has made")
            (folder / MARKER).write_text(json.dumps({"partitions": count}), encoding="utf-8")
            known = count
    except OSError as error:
        raise SettingsError(f"ledger {folder}: cannot be made: {error.strerror or error}") from None
    if known != count:
        raise SettingsError(f"ledger {folder}: was made for {known} partitions; give partitions={known}")


def part_of(rate: Rate, count: int) -> Rate:
    """Return what each of so many partitions may call: whole calls, so that together they never exceed the rate."""
    if rate.calls < count:
        raise SettingsError(
            f"rate_limit is {rate} for {count} partitions, less than a call each: give partitions={int(rate.calls)} or "
            "fewer, or share=URL"
        )
    return Rate(float(rate.calls // count), rate.seconds)


BUCKET = "bucket"

INSTANT = pa.timestamp("us", "UTC")
"""The one kind of instant that Spark has."""

_NAMES = {
    pa.int64(): "BIGINT",
    pa.int32(): "INT",
    pa.float64(): "DOUBLE",
    pa.string(): "STRING",
    pa.binary(): "BINARY",
    pa.bool_(): "BOOLEAN",
    INSTANT: "TIMESTAMP",
}


def _sparks(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(one.name, INSTANT if pa.types.is_timestamp(one.type) else one.type) for one in schema])


CALLS = _sparks(PREPARED).append(pa.field(BUCKET, pa.int32()))
"""Prepared calls on their way to the worker that sends them."""

LINES = _sparks(OUTCOMES)
"""Lines of the report."""


def ddl(schema: pa.Schema) -> str:
    """Return a schema in Spark's words."""
    return ", ".join(f"`{one.name}` {_NAMES[one.type]}" for one in schema)


ROW = "__interakt_row"
"""The column that numbers the rows on their way to `prepare_rows`."""

LONGEST_WAIT = 60.0
"""Seconds that a task waits for its ledger: one that Spark gave up may go on for some seconds, and holds it."""


@dataclass(frozen=True)
class Load:
    """What all tasks of a load have to know.

    The workers need the key, and a pickle of `Settings` does not hold it. So this is the one thing whose pickle does:
    it goes to them as a broadcast, never in the plan, and the broadcast is destroyed when the load ends.
    """

    mapping: Mapping
    kind: Kind
    settings: Settings
    """Of one task: its part of the rate; `ledger` is the folder."""
    limit: Rate | None = None
    """The whole limit, where no clock is shared: what the tasks and other loads of a machine hold together."""
    with_secrets: bool = False
    """Whether a pickle holds the key, and the password of the share."""

    def __reduce__(self) -> tuple[Any, ...]:
        secrets = (self.settings.api_key, self.settings.share)
        carried = [one.reveal() if self.with_secrets and isinstance(one, Secret) else one for one in secrets]
        bare = replace(self.settings, api_key=None, share=None)
        return _arrived, (self.mapping, self.kind, bare, self.limit, carried)


def _arrived(
    mapping: Mapping, kind: Kind, settings: Settings, limit: Rate | None, carried: list[str | Secret | None]
) -> Load:
    return Load(mapping, kind, replace(settings, api_key=hidden(carried[0]), share=hidden_share(carried[1])), limit)


def prepare_rows(batches: Iterable[pa.RecordBatch], preparation: Preparation, count: int) -> Iterator[pa.RecordBatch]:
    """Yield the calls of numbered rows, each with the bucket of its user (schema `CALLS`)."""
    for batch in batches:
        rows = batch[ROW]
        calls = preparation(flattened(batch.drop_columns([ROW])), 0)
        calls = calls.set_column(0, "row", rows)
        yield calls.append_column(BUCKET, buckets(calls, count)).cast(CALLS)


def send_calls(batches: Iterable[pa.RecordBatch], bucket: int, load: Load) -> Iterator[pa.RecordBatch]:
    """Send the prepared calls of one bucket, and yield what became of each (schema `LINES`)."""
    numbers = _Numbers()
    calls = numbers.of(batch.select(PREPARED.names).cast(PREPARED) for batch in batches)
    with ExitStack() as stack:
        job = Job(load.mapping, load.kind, load.settings, limit=load.limit, prepare=numbers)
        reason: StopReason = "ledger_broken"
        try:
            if load.settings.ledger is not None and not load.settings.dry_run:
                ledger = open_ledger(Path(load.settings.ledger), bucket, load.kind, load.settings)
                job = replace(job, ledger=stack.enter_context(ledger))
            reason = "share_lost"
            share = open_shared_clock(load.settings)
            if share is not None:
                job = replace(job, share=stack.enter_context(closing(share)))
            reason = "abandoned" if job.ledger is None else "ledger_broken"
            for lines in deliver(calls, job):
                yield lines.set_column(0, "row", numbers.first(lines["row"])).cast(LINES)
        except SettingsError as error:  # before the first call: the ledger, the clock, or what this machine allows
            stop = Stop(reason, str(error))
            yield from (not_sent(batch, stop).cast(LINES) for batch in chain(numbers.taken(load.kind), calls))


def open_ledger(folder: Path, bucket: int, kind: Kind, settings: Settings) -> Ledger:
    """Open the ledger of a bucket, once whoever holds it has let it go."""
    from interakt_loader.ledger import Ledger

    if not (folder / MARKER).exists():  # a folder of the same name is not the one that the driver has made
        raise SettingsError(f"ledger {folder}: is not there on this worker; give a folder that all workers share")
    until = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            return Ledger(ledger_of(folder, bucket), kind, settings)
        except NotJustNow:
            if time.monotonic() > until:
                raise
        time.sleep(0.5)


class _Numbers:
    """Calls that are prepared already, numbered from 0 on their way in; the numbers that they had are remembered."""

    def __init__(self) -> None:
        self._numbers: list[pa.Int64Array] = []

    def of(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches, and remember the numbers of their rows."""
        for batch in batches:
            self._numbers.append(batch["row"])
            yield batch

    def taken(self, kind: Kind) -> Iterator[pa.RecordBatch]:
        """Yield the rows that have gone through, as far as they are remembered: their numbers."""
        for rows in self._numbers:
            known = {"row": rows, "kind": pa.repeat(kind, len(rows))}
            columns = [known.get(one.name, pa.nulls(len(rows), one.type)) for one in PREPARED]
            yield pa.RecordBatch.from_arrays(columns, schema=PREPARED)

    def __call__(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        return batch.set_column(0, "row", pa.array(range(first_row, first_row + batch.num_rows), pa.int64()))

    identities = __call__

    def first(self, rows: pa.Int64Array) -> pa.Int64Array:
        """Return the numbers that these rows had at first."""
        return pa.chunked_array(self._numbers, pa.int64()).take(rows).combine_chunks()
