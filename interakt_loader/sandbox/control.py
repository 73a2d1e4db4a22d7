"""The sandbox's own endpoints, / and /sandbox/: read back what came, change faults. No key; this machine only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox.answers import NOT_FOUND, as_json, refused
from interakt_loader.sandbox.api import Api
from interakt_loader.sandbox.http1 import Head, Reply
from interakt_loader.sandbox.page import FILES, page_file

PAGE = 1000
"""Records in an answer if the call says no limit; a longer answer would hold up the calls beside it."""


def control(api: Api, head: Head, body: bytes) -> Reply:
    """Answer a call to a path under /sandbox/, or for the page."""
    # A web page could reach 127.0.0.1 under a name of its own; what was sent here may be real people's data.
    if head.host.rpartition(":")[0] not in ("127.0.0.1", "localhost") and head.host not in ("127.0.0.1", "localhost"):
        return refused(403, "The sandbox's own endpoints are for 127.0.0.1 and localhost")
    try:
        if head.method == "GET":
            return _read(api, head.path, parse_qs(head.query, keep_blank_values=True))
        if head.method == "POST":
            return _change(api, head.path, body)
    except (ValueError, TypeError, AttributeError) as error:  # SettingsError is a ValueError
        return refused(400, str(error))
    return refused(405, f'Method "{head.method}" not allowed.', "Allow: GET, POST\r\n")


def _read(api: Api, path: str, query: dict[str, list[str]]) -> Reply:
    if path in FILES:
        return page_file(path)
    limit, offset = _whole(query, "limit", PAGE), _whole(query, "offset", 0)
    if path == "/sandbox/users" and "identity" in query:
        user = api.find_user(query["identity"][-1])
        return _records([] if user is None else [user])
    if path == "/sandbox/users":
        return _records(api.users(limit, offset, query.get("search", [""])[-1]))
    if path == "/sandbox/events" and "identity" in query:
        return _records(api.latest_events(limit, offset, query["identity"][-1]))
    if path == "/sandbox/events" and query.get("latest") == ["first"]:
        return _records(api.latest_events(limit, offset))
    if path == "/sandbox/events":
        return _records(api.events(limit, offset))
    if path == "/sandbox/arrivals":
        return as_json(api.arrivals())
    if path == "/sandbox/stats":
        return as_json(asdict(api.stats()))
    return NOT_FOUND


def _records(records: Iterable[Any]) -> Reply:
    return as_json([record._asdict() for record in records])


def _whole(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[-1]
    if not (text.isascii() and text.isdigit()):
        raise SettingsError(f"{name} is {text!r}; expected a whole number")
    return int(text)


def _change(api: Api, path: str, body: bytes) -> Reply:
    if path == "/sandbox/reset":
        api.reset()
        return as_json({"result": True})
    if path not in ("/sandbox/faults", "/sandbox/key"):
        return NOT_FOUND
    change = json.loads(body)
    if path == "/sandbox/key":
        api.renew_key(change["api_key"])
        return as_json({"result": True})
    unknown = change.keys() - {"faults", "force", "force_for"}
    if unknown:
        raise SettingsError(f"{', '.join(sorted(unknown))}: expected faults, force or force_for")
    if "faults" in change:
        api.set_faults(change["faults"])
    api.force(change.get("force", ()))
    for identity, kinds in change.get("force_for", {}).items():
        api.force_for(identity, kinds)
    return as_json({"result": True})
