"""The part of a load that runs on Spark's workers: all of them prepare rows, and one task sends each bucket of users.

If a task dies, Spark runs it again. Its part of the ledger then makes the accepted rows `unchanged`. A task never
raises for a row, nor if its ledger or clock is not available, because Spark would run it again at once.

Spark matches the columns that a task returns by position, and never casts them. A wrong type fails only after the
calls, and then Spark runs the task again. So the Arrow and the Spark schema come from one definition.
"""

from __future__ import annotations

import time
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Dict
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import StopReason
from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.load.job import Job, open_shared_clock
from interakt_loader.load.pipeline import deliver
from interakt_loader.mapping import PREPARED, Mapping, Preparation
from interakt_loader.model import Kind, Stop
from interakt_loader.privacy.secret_places import SecretPlace, read_secret
from interakt_loader.privacy.secrets import Secret, hidden
from interakt_loader.report.outcomes import OUTCOMES, not_sent
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate, hidden_share
from interakt_loader.sources.base import Lines, flattened

if TYPE_CHECKING:
    from interakt_loader.ledger import Ledger
    from interakt_loader.ledger.parts import Parts


def buckets(calls: pa.RecordBatch, count: int) -> pa.Int32Array:
    """Return the bucket of each prepared call: the same one for all rows of a user, in every load."""
    users = calls["ordering_key"].dictionary_encode()
    of_users = pa.array([zlib.crc32(user.encode()) % count for user in users.dictionary.to_pylist()], pa.int32())
    of_rows = pa.array((row % count for row in calls["row"].to_pylist()), pa.int32())
    # Rows without a user are spread over all buckets.
    return pc.coalesce(of_users.take(users.indices), of_rows)


def part_of(rate: Rate, count: int) -> Rate:
    """Return the rate of each of `count` partitions, in whole calls, so that together they never exceed the rate."""
    if rate.calls < count:
        raise SettingsError(
            f"rate_limit is {rate} for {count} partitions, less than a call each: give partitions={int(rate.calls)} or "
            "fewer, or share=URL"
        )
    return Rate(float(rate.calls // count), rate.seconds)


BUCKET = "bucket"

INSTANT = pa.timestamp("us", "UTC")
"""The only type of timestamp in Spark."""

_NAMES = {
    pa.int64(): "BIGINT",
    pa.int32(): "INT",
    pa.float64(): "DOUBLE",
    pa.string(): "STRING",
    pa.binary(): "BINARY",
    pa.bool_(): "BOOLEAN",
    INSTANT: "TIMESTAMP",
}


def _for_spark(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(one.name, INSTANT if pa.types.is_timestamp(one.type) else one.type) for one in schema])


CALLS = _for_spark(PREPARED).append(pa.field(BUCKET, pa.int32()))
"""Prepared calls on their way to the worker that sends them."""

LINES = _for_spark(OUTCOMES)
"""Lines of the report."""


def ddl(schema: pa.Schema) -> str:
    """Return a schema in Spark's SQL."""
    return ", ".join(f"`{one.name}` {_NAMES[one.type]}" for one in schema)


ROW = "__interakt_row"
"""The column that numbers the rows on their way to `prepare_rows`."""

LONGEST_WAIT = 60.0
"""Seconds to wait for a part of the ledger. An abandoned task may run for some seconds more, and keep it locked."""


@dataclass(frozen=True)
class Load:
    """The data that all tasks of a load need.

    The workers need the key, which a pickle of `Settings` does not contain. Either each worker reads it from its place,
    or it is in the pickle of this class, the only one that may contain it. Such a pickle reaches the workers as a
    broadcast, never in the plan, and the broadcast is destroyed when the load ends.
    """

    mapping: Mapping
    kind: Kind
    settings: Settings
    """The settings of one task, with its part of the rate."""
    limit: Rate | None = None
    """The whole limit, unless the tasks share a clock. All loads of a machine keep it together."""
    parts: Parts | None = None
    """The parts of the ledger, one for each task; None: the load has no ledger."""
    places: Dict[str, SecretPlace] = field(default_factory=dict)
    """Where each worker finds the key (`api_key`) and the address of the shared clock (`share`)."""
    with_secrets: bool = False
    """Include the key, and the password of the shared clock, in a pickle, if they have no place."""

    def settings_here(self) -> Settings:
        """Return the settings with the secrets that this worker reads. Raises `SettingsError` without a secret."""
        found: dict[str, Any] = {}
        for name, place in self.places.items():
            try:
                secret = read_secret(place)
            except SettingsError as error:
                raise SettingsError(f"{name} cannot be read on this worker: {error}") from None
            found[name] = secret if name == "api_key" else hidden_share(secret.reveal())
        return replace(self.settings, **found) if found else self.settings

    def __reduce__(self) -> tuple[Any, ...]:
        key, share = self.settings.api_key, self.settings.share
        carried = [
            key.reveal() if key is not None and "api_key" not in self.places and self.with_secrets else None,
            share.reveal() if share is not None and (self.with_secrets or not has_password(share)) else None,
        ]
        without_secrets = replace(self.settings, api_key=None, share=None)
        whole = (self.limit, self.parts, dict(self.places))
        return _arrived, (self.mapping, self.kind, without_secrets, *whole, carried)


def _arrived(
    mapping: Mapping,
    kind: Kind,
    settings: Settings,
    limit: Rate | None,
    parts: Parts | None,
    places: Dict[str, SecretPlace],
    carried: list[str | None],
) -> Load:
    settings = replace(settings, api_key=hidden(carried[0]), share=hidden_share(carried[1]))
    return Load(mapping, kind, settings, limit, parts, places)


def has_password(share: Secret) -> bool:
    """Tell whether the address of a shared clock has a part that may not be shown."""
    return str(share) != share.reveal()


def prepare_rows(batches: Iterable[pa.RecordBatch], preparation: Preparation, count: int) -> Iterator[pa.RecordBatch]:
    """Yield the calls of numbered rows, each with its user's bucket (schema `CALLS`)."""
    for batch in batches:
        rows = batch[ROW]
        calls = preparation(flattened(batch.drop_columns([ROW])), 0)
        calls = calls.set_column(0, "row", rows)
        yield calls.append_column(BUCKET, buckets(calls, count)).cast(CALLS)


def send_calls(batches: Iterable[pa.RecordBatch], bucket: int, load: Load) -> Iterator[pa.RecordBatch]:
    """Send the prepared calls of one bucket, and yield a report line for each (schema `LINES`)."""
    numbers = _Numbers()
    calls = numbers.noted(batch.select(PREPARED.names).cast(PREPARED) for batch in batches)
    with ExitStack() as stack:
        reason: StopReason = "secret_missing"
        try:
            settings = load.settings if load.settings.dry_run else load.settings_here()
            job = Job(load.mapping, load.kind, settings, limit=load.limit, prepare=numbers, lines=numbers)
            reason = "ledger_broken"
            if load.parts is not None:
                ledger = open_part(load.parts, bucket, load.kind, settings)
                job = replace(job, ledger=stack.enter_context(ledger))
            reason = "share_lost"
            share = open_shared_clock(settings)
            if share is not None:
                job = replace(job, share=stack.enter_context(closing(share)))
            reason = "abandoned" if job.ledger is None else "ledger_broken"
            for lines in deliver(calls, job):
                yield lines.set_column(0, "row", numbers.original(lines["row"])).cast(LINES)
        # Raised before the first call, for a secret, the ledger, the clock or this machine's limit.
        except SettingsError as error:
            stop = Stop(reason, str(error))
            yield from (not_sent(batch, stop).cast(LINES) for batch in chain(numbers.taken(load.kind), calls))


def open_part(parts: Parts, bucket: int, kind: Kind, settings: Settings) -> Ledger:
    """Open the part of the ledger for a bucket; wait while another task has it."""
    from interakt_loader.ledger import Ledger

    return patiently(lambda: Ledger.of_part(parts, bucket, kind, settings), NotJustNow)


def patiently(open_ledger: Callable[[], Ledger], held: type[NotJustNow]) -> Ledger:
    """Open a ledger or a part; wait while an abandoned task holds it, which raises `held`."""
    until = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            return open_ledger()
        except held:
            if time.monotonic() > until:
                raise
        time.sleep(0.5)


class _Numbers(Lines):
    """Numbers prepared calls from 0, as `deliver` needs them, and keeps their original numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: list[pa.Int64Array] = []
        # the first row of each of these, and of the next
        self._firsts = [0]

    def noted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches, and keep the numbers of their rows."""
        for batch in batches:
            self._numbers.append(batch["row"])
            self._firsts.append(self._firsts[-1] + batch.num_rows)
            yield batch

    def taken(self, kind: Kind) -> Iterator[pa.RecordBatch]:
        """Yield the rows that `noted` has yielded: only their numbers."""
        for rows in self._numbers:
            known = {"row": rows, "kind": pa.repeat(kind, len(rows))}
            columns = [known.get(one.name, pa.nulls(len(rows), one.type)) for one in PREPARED]
            yield pa.RecordBatch.from_arrays(columns, schema=PREPARED)

    def __call__(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        return batch.set_column(0, "row", pa.array(range(first_row, first_row + batch.num_rows), pa.int64()))

    identities = __call__

    def label(self, row: int) -> str:
        """Return the original number of a row."""
        at = bisect_right(self._firsts, row) - 1
        return str(self._numbers[at][row - self._firsts[at]])

    def original(self, rows: pa.Int64Array) -> pa.Int64Array:
        """Return the original numbers of these rows."""
        return pa.chunked_array(self._numbers, pa.int64()).take(rows).combine_chunks()
