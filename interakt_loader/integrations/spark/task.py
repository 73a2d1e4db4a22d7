"""What runs on Spark's workers: rows are prepared on all of them, and each partition of users is sent by one task.

A task that dies is run again by Spark, and its ledger makes the second go on: what was accepted is `unchanged` then.
A task never raises for a row, nor where its ledger or clock cannot be had: Spark would run it again at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interakt_loader.codes import StopReason
from interakt_loader.delivery.job import Job
from interakt_loader.delivery.pipeline import deliver
from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.integrations.spark.partitions import MARKER, buckets, ledger_of
from interakt_loader.integrations.spark.schemas import BUCKET, CALLS, LINES
from interakt_loader.mapping import PREPARED, Mapping, Preparation
from interakt_loader.report.outcomes import not_sent
from interakt_loader.safety.secret import Secret, hidden
from interakt_loader.sending.ticket import Stop
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate, hidden_share
from interakt_loader.sources.structs import flattened
from interakt_loader.wire import Kind

if TYPE_CHECKING:
    from interakt_loader.ledger import Ledger

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
        secrets = (self.settings.api_key, self.settings.hidden_share)
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
            if load.settings.hidden_share is not None and not load.settings.dry_run:
                from interakt_loader.share import open_share

                assert isinstance(load.settings.rate, Rate)  # the settings see to it
                key = load.settings.require_key()
                share = open_share(load.settings.hidden_share, load.settings.base_url, key, load.settings.rate)
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
