"""Two user calls of one user, neither of them sent yet → one call that does what both would have done. Pure."""

from __future__ import annotations

import json
import time
from typing import Any

from interakt_loader.wire import Message, Outcome, Status


def folded(earlier: Message, later: Message) -> Message:
    """Return the later row's message with what the earlier one says and it does not.

    A user call replaces each trait that it names, so the last value of each trait wins; tags can only be added, so
    all of them go.
    """
    first, then = json.loads(earlier.body), json.loads(later.body)
    body: dict[str, Any] = {**first, **then, "traits": {**first.get("traits", {}), **then.get("traits", {})}}
    if "tags" in first and "tags" in then:
        body["tags"] = list(dict.fromkeys([*first["tags"], *then["tags"]]))
    entry = later.entry
    if entry is not None and earlier.entry is not None:
        entry = earlier.entry.then(entry)
    return later._replace(
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        country_code=later.country_code or earlier.country_code,
        phone=later.phone or earlier.phone,
        entry=entry,
        doubted=earlier.doubted or later.doubted,
    )


def merged(earlier: Message, later: Message) -> Outcome:
    """Return the outcome of the earlier row: the later one carries it."""
    return Outcome(
        earlier,
        Status.MERGED,
        0,
        None,
        None,
        None,
        f"row {later.row} carries it",
        maybe_duplicate=False,
        latency_ms=None,
        finished_at=time.time(),
    )
