"""Where the rows of a load come from, whatever way that is spelled: the same source each day, and the very input.

Events that a campaign may answer though they are long past: noticed before they are sent for the first time. Pure.

A campaign of the account that waits for an event cannot tell an event of today from one of last year. So the first load
of an event name asks (on the command line; elsewhere it warns) where there are many of them, or old ones.

A load beside the earlier ones: held against what the ledger remembers of them, or, without one, this process.
"""

from __future__ import annotations

import glob
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import option
from interakt_loader.ledger.loads import Loads, ThisLoad, event_id_of, known_row, shape_of
from interakt_loader.load.job import Job
from interakt_loader.mapping import Mapping
from interakt_loader.model import Kind, destination
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import drop_dates, is_failures, load_name
from interakt_loader.sources import RESERVED, Source, is_pandas, peek
from interakt_loader.sources.memory import REPORT_COLUMNS_KEY
from interakt_loader.sources.paths import STANDARD_INPUT, is_address


class Origin(NamedTuple):
    """Where rows come from. Frames and streams come from nowhere that could be told again."""

    name: str
    """What a load of them is called if nobody says; empty for frames and streams."""
    sources: tuple[tuple[str, ...], ...]
    """Each source by its folder and its name without dates, as it was given and as it is without links."""
    place: str
    """The very files, patterns or folders, dates and all."""
    is_failures: bool
    """The rows are those of an earlier load that failed."""


def origin_of(data: Any) -> Origin:
    """Return where the rows of a load come from."""
    paths = paths_in(data)
    if not paths or STANDARD_INPUT in paths:
        return Origin(
            "stdin" if paths else "", (), "", is_pandas(data, "DataFrame") and REPORT_COLUMNS_KEY in data.attrs
        )
    places = sorted({_place(one) for one in paths})
    sources = tuple(tuple(dict.fromkeys((_source(one), _source(_place(one))))) for one in paths)
    return Origin(load_name(paths), sources, "\n".join(places), all(map(is_failures, paths)))


def paths_in(data: Any) -> list[str]:
    """Return the paths among what was given as data."""
    items = data if isinstance(data, (list, tuple)) else [data]
    return [os.fsdecode(one) for one in items if isinstance(one, (str, os.PathLike))]


def _source(path: str) -> str:
    """Return the folder and the name of a source: `orders-2026-11-28.csv` and `orders-2026-11-29.csv` have the same."""
    if is_address(path):
        parts = urlsplit(path)
        scheme, host, folders = parts.scheme.lower(), _host(parts.netloc), parts.path.split("/")[:-1]
        if scheme != "file":
            return "\n".join([scheme, host, *map(drop_dates, folders), load_name([path])])
        path = parts.path
    whole = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - links are followed below, in the folder
    fixed = list(takewhile(lambda part: not glob.has_magic(part), whole.parts[:-1]))
    folder = os.path.normcase(os.path.realpath(Path(*fixed)))
    inner = whole.parts[len(fixed) : -1]
    return "\n".join([*map(drop_dates, Path(folder).parts), *map(drop_dates, inner), load_name([str(whole)])])


def _place(path: str) -> str:
    """Return a path without links; an address without what opens it."""
    if is_address(path):
        parts = urlsplit(path)
        return f"{parts.scheme.lower()}://{_host(parts.netloc)}{parts.path}"
    return os.path.realpath(Path(path).expanduser())


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2].lower()


MANY = 1000
"""Events of one name above which their first load is asked about."""

OLD = timedelta(days=7)
"""Age of an event above which the first load of its name is asked about."""

_SHOWN = 5
"""Names that are shown; of more, their number."""

_TEXT = r'"(?:[^"\\]|\\.)*"'
_CREATED_AT = rf'^\{{(?:"(?:userId|countryCode|phoneNumber|event)":{_TEXT},)*"createdAt":"(?P<at>[^"]*)"'
"""Where the time of an event stands in its body: times are all written alike, so that they sort as texts."""


class FirstOf(NamedTuple):
    """The events of one name that was not loaded before."""

    name: str
    rows: int
    oldest: str
    """As in the body; empty where none has a time."""


class EventNames:
    """The event names of a load, taken in as its rows are prepared; of those that are new, how many and how old."""

    def __init__(self, is_known: Callable[[str], bool] | None) -> None:
        """`is_known` tells whether a name was loaded before. None: nobody wants to know."""
        self.wanted = is_known is not None
        self._is_known: Callable[[str], bool] = is_known or (lambda _: True)
        self._new: dict[str, FirstOf | None] = {}

    @property
    def names(self) -> list[str]:
        """All names so far."""
        return list(self._new)

    @property
    def first_ones(self) -> list[FirstOf]:
        """What there is of names that are new."""
        return [one for one in self._new.values() if one is not None]

    def add(self, prepared: pa.RecordBatch) -> None:
        """Take in prepared rows."""
        good = prepared.filter(pc.is_valid(prepared["body"])).select(["event", "body"])
        for name in pc.unique(good["event"]).to_pylist():
            if name not in self._new:
                self._new[name] = None if self._is_known(name) else FirstOf(name, 0, "")
        if any(self._new.values()):
            at = pc.struct_field(pc.extract_regex(good["body"].cast(pa.string()), _CREATED_AT), [0])
            events = pa.table({"event": good["event"], "at": at}).group_by("event", use_threads=False)
            for one in events.aggregate([("at", "min"), ([], "count_all")]).to_pylist():
                known = self._new[one["event"]]
                if known is not None:
                    oldest = min(filter(None, (known.oldest, one["at_min"])), default="")
                    self._new[known.name] = FirstOf(known.name, known.rows + one["count_all"], oldest)


def worth_asking(first_ones: Sequence[FirstOf], now: datetime) -> list[FirstOf]:
    """Return the names of which there are many events, or old ones. `now` is in UTC."""
    since = (now - OLD).strftime("%Y-%m-%dT%H:%M:%S")
    return [one for one in first_ones if one.rows > MANY or ("" < one.oldest < since)]


def said(asked: Sequence[FirstOf], *, ledger: bool, complete: bool) -> str:
    """Return one line about these events. `complete` False: they are the first rows of perhaps more."""
    texts = []
    for one in asked[:_SHOWN]:
        count = f"{one.rows:,} event{'' if one.rows == 1 else 's'}" if complete else f"{one.rows:,} events or more"
        oldest = f", the oldest of {one.oldest[:10]}" if one.oldest else ""
        texts.append(f"{one.name!r} ({count}{oldest})")
    more = len(asked) - _SHOWN
    names = ", ".join(texts) + (f" and {more} more names" if more > 0 else "")
    where = "the first load from this ledger of" if ledger else "a load without a ledger of"
    return f"{where} {names}: campaigns that are on may message these people now"


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
                "sent a second time. Give both loads a ledger, such as %s",
                f"{before:,}",
                option("ledger", "orders.ledger"),
            )

    def add(self, digest: bytes, rows: int) -> None:
        """Remember a load that has sent something."""
        self._rows[digest] = rows
        self._rows.move_to_end(digest)
        if len(self._rows) > _MOST_SEEN:
            self._rows.popitem(last=False)


SENT_BY_THIS_PROCESS = SentByThisProcess()
