"""Where the rows of a load come from, whatever way that is spelled: the same source each day, and the very input."""

from __future__ import annotations

import glob
import os
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from interakt_loader.settings.default_paths import is_failures, load_name, without_dates
from interakt_loader.sources import is_pandas
from interakt_loader.sources.frames import BESIDE
from interakt_loader.sources.places import STANDARD_INPUT
from interakt_loader.sources.remote import is_address


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
        return Origin("stdin" if paths else "", (), "", is_pandas(data, "DataFrame") and BESIDE in data.attrs)
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
            return "\n".join([scheme, host, *map(without_dates, folders), load_name([path])])
        path = parts.path
    whole = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - links are followed below, in the folder
    fixed = list(takewhile(lambda part: not glob.has_magic(part), whole.parts[:-1]))
    folder = os.path.normcase(os.path.realpath(Path(*fixed)))
    inner = whole.parts[len(fixed) : -1]
    return "\n".join([*map(without_dates, Path(folder).parts), *map(without_dates, inner), load_name([str(whole)])])


def _place(path: str) -> str:
    """Return a path without links; an address without what opens it."""
    if is_address(path):
        parts = urlsplit(path)
        return f"{parts.scheme.lower()}://{_host(parts.netloc)}{parts.path}"
    return os.path.realpath(Path(path).expanduser())


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2].lower()
