"""A load beside the earlier ones: held against what the ledger remembers of them, or, without one, this process."""

from __future__ import annotations

import json
import logging
import os
from collections import OrderedDict
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from interakt_loader.delivery.job import Job
from interakt_loader.ledger.loads import Loads, ThisLoad, known_row
from interakt_loader.ledger.shape import event_id_of, shape_of
from interakt_loader.loading.origin import Origin, origin_of
from interakt_loader.mapping import Mapping
from interakt_loader.settings import Settings
from interakt_loader.settings.default_paths import load_name
from interakt_loader.sources import RESERVED, Source, peek
from interakt_loader.wire import Kind, destination

logger = logging.getLogger("interakt_loader")

BEGINNING = 100
"""Rows by which an input is known."""

_MOST_SEEN = 1024
"""Loads without a ledger that a process remembers."""


def check_earlier(loads: Loads, ledger: str, data: Any, source: Source, job: Job) -> Source:
    """Refuse a load that does not go with the earlier ones of its ledger; return the source to read from then on.

    Raises `UsageError`.
    """
    beginning = None
    if is_known_by_content(job.mapping, job.kind, job.settings):
        head, source = peek(source, BEGINNING)
        beginning = b"".join(_rows(head, job, loads))
    renews = job.settings.resend or job.record_only
    loads.check(
        this_load(job.mapping, job.kind, job.settings, source, origin_of(data), loads, beginning, renews=renews), ledger
    )
    return source


def is_known_by_content(mapping: Mapping, kind: Kind, settings: Settings) -> bool:
    """Tell whether the rows are events without a time or an id of their own: what says the same may be two of them."""
    return kind == "event" and mapping.created_at is None and event_id_of(mapping, settings) is None


def this_load(
    mapping: Mapping,
    kind: Kind,
    settings: Settings,
    source: Source,
    origin: Origin,
    loads: Loads,
    beginning: bytes | None,
    *,
    renews: bool,
) -> ThisLoad:
    """Return what a load is held against the earlier ones by."""
    names = [origin.name] if settings.name is None else [settings.name, *([origin.name] if origin.name else [])]
    if settings.failures is not None:
        names.append(load_name([str(settings.failures)]))  # a load of that file is known by this alone
    constants = {
        "event": mapping.event,
        "user_id": mapping.user_id,
        "created_at": mapping.created_at,
        "tags": mapping.tags,
        "country_code": mapping.country_code,
        **{f"trait {name}": one for name, one in mapping.traits},
    }
    return ThisLoad(
        names=tuple(dict.fromkeys(names)),
        failures_name="" if settings.failures is None else names[-1],
        is_named=settings.name is not None,
        shape=shape_of(mapping, kind, settings, source.columns, loads.digest, open_ended=source.open_ended),
        constants={name: repr(one.value) for name, one in constants.items() if one is not None and one.column is None},
        sources=origin.sources,
        place=origin.place,
        is_failures=origin.is_failures or source.of_failures,
        renews=renews,
        beginning=beginning,
    )


def _rows(head: list[pa.RecordBatch], job: Job, loads: Loads) -> Iterator[bytes]:
    """Yield what each of the first rows is known by: the call that it makes, or its cells where it makes none."""
    for batch in head:
        own = batch.select([name for name in batch.schema.names if name not in RESERVED]).to_pylist()
        for body, cells in zip(job.preparation(batch, 0)["body"].to_pylist(), own, strict=True):
            text = str(list(cells.values())) if body is None else body.decode()
            yield known_row(loads.digest(text), sent=body is not None)


class SentByThisProcess:
    """The loads of events without a ledger in this process, so that a second one of the same rows is noticed."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._rows: OrderedDict[bytes, int] = OrderedDict()

    def digest_of(self, source: Source, job: Job) -> tuple[bytes, Source]:
        """Return what a load is known by: its destination, its mapping and its first rows."""
        head, source = peek(source, BEGINNING)
        known = blake2b(key=self._secret, digest_size=16)
        known.update(destination(job.settings.base_url, job.settings.require_key()).encode())
        shape = shape_of(job.mapping, job.kind, job.settings, source.columns, str.encode)
        known.update(json.dumps(shape, sort_keys=True).encode())
        for batch in head:
            own = batch.select([name for name in batch.schema.names if name not in RESERVED])
            known.update(str(own.to_pylist()).encode("utf-8", "surrogatepass"))
        return known.digest(), source

    def warn(self, digest: bytes, rows: int | None) -> None:
        """Say so if these very events were sent before, and will be sent a second time now."""
        before = self._rows.get(digest)
        if before is not None and rows in (None, before):
            logger.warning(
                "this process has sent these %s events before, and without a ledger nothing remembers them: they are "
                'sent a second time. Give both loads a ledger, such as ledger="orders.ledger"',
                f"{before:,}",
            )

    def add(self, digest: bytes, rows: int) -> None:
        """Remember a load that has sent something."""
        self._rows[digest] = rows
        self._rows.move_to_end(digest)
        if len(self._rows) > _MOST_SEEN:
            self._rows.popitem(last=False)


SENT_BY_THIS_PROCESS = SentByThisProcess()
