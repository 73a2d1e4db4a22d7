"""Several user calls of one user → one call that does what all of them would have done. Pure.

A user call replaces each trait that it names, so the last value of each trait wins; tags can only be added, so all of
them go. The last of the rows *carries* the others: its call stands for theirs, and they end as it ends.
"""

from __future__ import annotations

import json
from typing import Any

from interakt_loader.codes import NoteCode
from interakt_loader.wire import LARGEST_BODY, Message, Outcome, Status

_CARRIES: dict[NoteCode, str] = {
    "coalesced": "row {} carries it",
    "event_id_repeated": "row {} has the same event id and stands for both",
}


class Fold:
    """The body of a call that stands for those of several rows."""

    def __init__(self, body: bytes) -> None:
        self._said = json.loads(body)
        self._most = len(body)  # bytes that the body has at most

    def take(self, body: bytes) -> bool:
        """Fold the next row's body in; False, and nothing is done, if the call would be too large."""
        said, most = _folded(self._said, json.loads(body)), self._most + len(body)
        if most > LARGEST_BODY:
            most = len(_written(said))
        if most > LARGEST_BODY:
            return False
        self._said, self._most = said, most
        return True

    @property
    def body(self) -> bytes:
        """The folded body."""
        return _written(self._said)


def folded(earlier: Message, later: Message) -> Message:
    """Return the later row's message with what the earlier one says and it does not."""
    entry = later.entry
    if entry is not None and earlier.entry is not None:
        entry = earlier.entry.then(entry)
    return later._replace(
        body=_written(_folded(json.loads(earlier.body), json.loads(later.body))),
        country_code=later.country_code or earlier.country_code,
        phone=later.phone or earlier.phone,
        entry=entry,
        doubted=earlier.doubted or later.doubted,
    )


def carried(message: Message, carrier: Outcome, code: NoteCode = "coalesced") -> Outcome:
    """Return the outcome of a row whose call another row carries: merged if that was accepted, else as that ended."""
    row = carrier.message.row
    status, why, text = carrier.status, carrier.code, f"row {row} carries it: {carrier.text}"
    if status in (Status.SENT, Status.RECORDED):
        status, why, text = Status.MERGED, code, _CARRIES[code].format(row)
    return Outcome(
        message,
        status,
        0,
        None,
        why,
        None,
        text,
        maybe_duplicate=False,
        latency_ms=None,
        finished_at=carrier.finished_at,
    )


def _folded(first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    said = {**first, **then, "traits": {**first.get("traits", {}), **then.get("traits", {})}}
    if "tags" in first and "tags" in then:
        said["tags"] = list(dict.fromkeys([*first["tags"], *then["tags"]]))
    return said


def _written(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
