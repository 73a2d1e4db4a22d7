"""Files at addresses (`s3://`, `gs://`, `https://`, …), by fsspec, which is an extra. They are copied here first."""

from __future__ import annotations

import glob
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from interakt_loader.errors import SourceError
from interakt_loader.sources.base import reason
from interakt_loader.sources.file import File, TemporaryCopy, find_file
from interakt_loader.sources.folders import Partitions, choose, is_own_file, partitions_of, some
from interakt_loader.sources.lake import Listing, refuse_files_of_tables, refuse_table

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?=://|::)")
_WEB = ("http", "https")  # no folders or patterns there: a `?` begins the query


def is_address(given: str) -> bool:
    """Tell whether a path has a scheme. One letter is a drive of Windows."""
    return _SCHEME.match(given) is not None


def fetch(address: str) -> tuple[list[File], list[str]]:
    """Return copies of the files that an address means, and notes on those left out.

    An address may be a file, a folder or a pattern; on the web, a file. SourceError names what is missing:
    fsspec, its part for this scheme, the file, the right to read it.
    """
    shown = without_secrets(address)
    scheme = address.partition("://")[0].partition("::")[0]
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        needed = "fsspec aiohttp" if scheme in _WEB else "fsspec"
        raise SourceError(f"{shown}: reading {scheme}:// addresses needs fsspec: pip install {needed}") from error
    try:
        system, path = url_to_fs(address)
        if scheme in _WEB:
            name = unquote(PurePosixPath(urlsplit(address).path).name)
            return [_copied(system, path, shown, name, ())], []
        return _found(system, str(path), shown)
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{shown}: no such file") from error
    except ImportError as error:
        raise SourceError(f"{shown}: cannot be opened: {reason(error)}") from error
    except Exception as error:
        told = reason(error)
        for one in (address, *address.split("::")):
            told = told.replace(one, without_secrets(one))
        raise SourceError(f"{shown}: cannot be opened: {told}") from error


def without_secrets(address: str) -> str:
    """Return the address as it may be shown, each of a chain (`zip://a.csv::https://…`) without what opens it.

    Of a web address that is its user and its query, which sign it; of any other, a user with a password: a user alone
    may be a place, such as the container of `abfs://container@account/…`.
    """
    return "::".join(_without_secrets(one) for one in address.split("::"))


def _without_secrets(address: str) -> str:
    scheme, found, rest = address.partition("://")
    if not found:
        return address
    if scheme.lower() in _WEB:
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    place, slash, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    return f"{scheme}://{host if ':' in user else place}{slash}{path}"


def _found(system: Any, path: str, shown: str) -> tuple[list[File], list[str]]:
    names_in = _names_in(system)
    if glob.has_magic(path) and not system.exists(path):
        matches = sorted(match for match in system.glob(path) if not system.isdir(match))
        own = [] if is_own_file(path) else [match for match in matches if is_own_file(match)]
        if len(matches) == len(own):
            raise SourceError(f"{shown}: no file matches")
        notes = [f"{shown}: left out, files of earlier loads: {some(own)}"] if own else []
        fixed = path[: re.search(r"[*?\[]", path).start()].rpartition("/")[0]  # type: ignore[union-attr]  # has magic
        given = {match: system.unstrip_protocol(match) for match in matches if match not in own}
        refuse_files_of_tables(((name, match) for match, name in given.items()), names_in)
        return [
            _copied(system, match, name, PurePosixPath(match).name, partitions_of(match[len(fixed) :]))
            for match, name in given.items()
        ], notes
    if system.isdir(path):
        root = path.rstrip("/")
        refuse_table(shown, root, names_in)
        chosen = choose(shown, [str(one)[len(root) :].lstrip("/") for one in system.find(root)])
        refuse_files_of_tables(((shown, f"{root}/{one}") for one in chosen.paths), names_in)
        return [
            _copied(system, f"{root}/{one}", f"{shown.rstrip('/')}/{one}", PurePosixPath(one).name, partitions_of(one))
            for one in chosen.paths
        ], chosen.notes
    refuse_files_of_tables([(shown, path)], names_in)
    return [_copied(system, path, shown, PurePosixPath(path).name, ())], []


def _names_in(system: Any) -> Listing:
    def names_in(folder: str) -> list[str]:
        try:
            return [PurePosixPath(str(one)).name for one in system.ls(folder, detail=False)]
        except Exception:  # noqa: BLE001 - no such folder, or none that may be listed; each store has errors of its own
            return []

    return names_in


def _copied(system: Any, path: str, shown: str, name: str, partitions: Partitions) -> File:
    with system.open(path, "rb") as stream:
        copy = TemporaryCopy(stream)
    return find_file(shown, copy.location, name=name, partitions=partitions, copy=copy)
