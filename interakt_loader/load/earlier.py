"""How a load compares with earlier ones: its source, its input, and events that are long past.

With a ledger, a load is compared with what the ledger remembers of earlier loads. Without one, this process remembers
the events that it has sent.
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
from typing import NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import option
from interakt_loader.ledger.loads import Loads, ThisLoad, event_id_of, known_row, shape_of
from interakt_loader.load.job import Job
from interakt_loader.mapping import Mapping
from interakt_loader.model import Kind, destination
from interakt_loader.privacy.text import number_of
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import drop_dates, is_failures, load_name
from interakt_loader.settings.values import is_address
from interakt_loader.sources import RESERVED, Source, peek
from interakt_loader.sources.addresses import DatabaseAddress
from interakt_loader.sources.paths import STANDARD_INPUT


class Origin(NamedTuple):
    """Where rows come from: names that each day's file has too, and exact paths. DataFrames and streams have none."""

    name: str = ""
    """The default name of a load of them; empty for DataFrames and streams."""
    sources: tuple[tuple[str, ...], ...] = ()
    """Each source by its folder and its name without dates, as it was given and with its links resolved."""
    place: str = ""
    """The exact files, patterns or folders, with their dates."""
    is_failures: bool = False
    """The rows are those of an earlier load that failed."""


def origin_of(source: Source) -> Origin:
    """Return where the rows of a load come from."""
    paths = source.given_paths
    if not paths or STANDARD_INPUT in paths:
        return Origin("stdin" if paths else "", is_failures=source.of_failures)
    located = [_locate(one) for one in paths]
    places = sorted({place for place, _ in located})
    # a person who corrects the rows may remove the columns by which a failures file is known; its name stays
    failed = source.of_failures or all(map(is_failures, paths))
    return Origin(load_name(paths), tuple(names for _, names in located), "\n".join(places), failed)


def _locate(path: str) -> tuple[str, tuple[str, ...]]:
    """Return a path with its links resolved, and its folder and name without dates: as given, and resolved.

    So `orders-2026-11-28.csv` and `orders-2026-11-29.csv` have the same name. An address is without its credentials.
    """
    database = DatabaseAddress.of(path) if is_address(path) else None
    if database is not None and database.file:
        path = database.file
    if not is_address(path):
        place = os.path.realpath(Path(path).expanduser())
        return place, tuple(dict.fromkeys((_folder_and_name(path), _folder_and_name(place))))
    parts = urlsplit(path)
    scheme, host, folders = parts.scheme.lower(), _host(parts.netloc), parts.path.split("/")[:-1]
    place = f"{scheme}://{host}{parts.path}"
    if scheme == "file":
        return place, (_folder_and_name(parts.path),)
    return place, ("\n".join([scheme, host, *map(drop_dates, folders), load_name([path])]),)


def _folder_and_name(path: str) -> str:
    # absolute, but links are followed in the folder only
    whole = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - `resolve` would follow all links
    fixed = list(takewhile(lambda part: not glob.has_magic(part), whole.parts[:-1]))
    folder = os.path.normcase(os.path.realpath(Path(*fixed)))
    inner = whole.parts[len(fixed) : -1]
    return "\n".join([*map(drop_dates, Path(folder).parts), *map(drop_dates, inner), load_name([str(whole)])])


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2].lower()


# A campaign of the account that waits for an event cannot tell an event of today from one of last year. So the first
# load of an event name asks a person if there are many events or old ones. Only the command line asks; elsewhere it
# warns.

MANY = 1000
"""Events of one name above which their first load is asked about."""

OLD = timedelta(days=7)
"""Age of an event above which the first load of its name is asked about."""

_SHOWN = 5
"""Names that are shown; of more, their number."""

_TEXT = r'"(?:[^"\\]|\\.)*"'
_CREATED_AT = rf'^\{{(?:"(?:userId|countryCode|phoneNumber|event)":{_TEXT},)*"createdAt":"(?P<at>[^"]*)"'
"""Where the time of an event is in its body. All times are written in one form, so they sort as text."""


class NewName(NamedTuple):
    """An event name that was not loaded before, and its events."""

    name: str
    rows: int
    oldest: str
    """As in the body; empty if none has a time."""


class EventNames:
    """Collects the event names of prepared rows, and for each new name how many events there are and how old."""

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        """`is_known` tells whether a name was loaded before."""
        self._is_known = is_known
        self._new: dict[str, NewName | None] = {}

    @property
    def new_names(self) -> list[NewName]:
        """The names that were not loaded before."""
        return [one for one in self._new.values() if one is not None]

    def add(self, prepared: pa.RecordBatch) -> None:
        """Take in prepared rows."""
        good = prepared.filter(pc.is_valid(prepared["body"])).select(["event", "body"])
        for name in pc.unique(good["event"]).to_pylist():
            if name not in self._new:
                self._new[name] = None if self._is_known(name) else NewName(name, 0, "")
        if any(self._new.values()):
            at = pc.struct_field(pc.extract_regex(good["body"].cast(pa.string()), _CREATED_AT), [0])
            events = pa.table({"event": good["event"], "at": at}).group_by("event", use_threads=False)
            for one in events.aggregate([("at", "min"), ([], "count_all")]).to_pylist():
                known = self._new[one["event"]]
                if known is not None:
                    oldest = min(filter(None, (known.oldest, one["at_min"])), default="")
                    self._new[known.name] = NewName(known.name, known.rows + one["count_all"], oldest)


def worth_asking(new_names: Sequence[NewName], now: datetime) -> list[NewName]:
    """Return the names with many events, or with old ones. `now` is in UTC."""
    since = (now - OLD).strftime("%Y-%m-%dT%H:%M:%S")
    return [one for one in new_names if one.rows > MANY or ("" < one.oldest < since)]


def old_events_line(asked: Sequence[NewName], *, ledger: bool, complete: bool) -> str:
    """Return one line about these events. `complete` False: there may be more than these first rows."""
    texts = []
    for one in asked[:_SHOWN]:
        count = number_of(one.rows, "event") if complete else f"{one.rows:,} events or more"
        oldest = f", the oldest of {one.oldest[:10]}" if one.oldest else ""
        texts.append(f"{one.name!r} ({count}{oldest})")
    more = len(asked) - _SHOWN
    names = ", ".join(texts) + (f" and {more} more names" if more > 0 else "")
    where = "the first load from this ledger of" if ledger else "a load without a ledger of"
    return f"{where} {names}: campaigns that are on may message these people now"


logger = logging.getLogger("interakt_loader")

BEGINNING = 100
"""Rows by which an input is recognised."""

_MOST_SEEN = 1024
"""Loads without a ledger that a process remembers."""


def check_earlier(loads: Loads, source: Source, job: Job) -> Source:
    """Refuse a load that contradicts earlier ones of its ledger. Return the source to read from then on.

    Raises `UsageError`.
    """
    settings = job.settings
    beginning = None
    if is_known_by_content(job.mapping, job.kind, settings):
        head, source = peek(source, BEGINNING)
        beginning = b"".join(_rows(head, job, loads))
    renews = settings.resend or job.settler is not None
    load = this_load(job.mapping, job.kind, settings, source, origin_of(source), loads, beginning, renews=renews)
    loads.check(load, str(settings.ledger))
    return source


def is_known_by_content(mapping: Mapping, kind: Kind, settings: Settings) -> bool:
    """Tell whether the rows are events without a time or an id of their own: two equal rows may be two events."""
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
    """Return what of a load is compared with earlier ones."""
    names = [origin.name] if settings.name is None else [settings.name, *([origin.name] if origin.name else [])]
    if settings.failures is not None:
        # a load of that file is known by this name alone
        names.append(load_name([str(settings.failures)]))
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
        constants={name: repr(one.value) for name, one in constants.items() if one is not None and not one.columns},
        sources=origin.sources,
        place=origin.place,
        is_failures=origin.is_failures,
        renews=renews,
        beginning=beginning,
    )


def _rows(head: list[pa.RecordBatch], job: Job, loads: Loads) -> Iterator[bytes]:
    """Yield by what each of the first rows is recognised: its call, or its cells if it makes none."""
    for batch in head:
        own = batch.select([name for name in batch.schema.names if name not in RESERVED]).to_pylist()
        for body, cells in zip(job.preparation(batch, 0)["body"].to_pylist(), own, strict=True):
            text = str(list(cells.values())) if body is None else body.decode()
            yield known_row(loads.digest(text), sent=body is not None)


class SentByThisProcess:
    """Remembers the loads of events without a ledger in this process, so that it notices the same rows again."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._rows: OrderedDict[bytes, int] = OrderedDict()

    def digest_of(self, source: Source, job: Job) -> tuple[bytes, Source]:
        """Return a digest of a load's destination, mapping and first rows, and the source to read from then on."""
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
        """Log a warning if the same events were sent before."""
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
