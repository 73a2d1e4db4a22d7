"""`on_error(error, queue_msg)`: how the caller's own function hears of a call that did not succeed."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

from interakt_loader.errors import APIError
from interakt_loader.safety.masking import masked
from interakt_loader.wire import FAILURES, PATHS, Message, Outcome

logger = logging.getLogger("interakt_loader")

OnError = Callable[[Exception, dict[str, Any]], object]


def queue_msg(message: Message) -> dict[str, Any]:
    """Return a message in the form of the vendor's SDK: the endpoint's path and the body as a dict."""
    return {"path": PATHS[message.kind], "body": json.loads(message.body) if message.body else {}}


def tell(on_error: OnError, outcome: Outcome) -> None:
    """Call `on_error` for an outcome that is an error. What it raises is logged, and harms nobody."""
    if outcome.status not in FAILURES:
        return
    error = APIError(False, outcome.http_status, outcome.text or str(outcome.status))
    call(on_error, error, queue_msg(outcome.message))


def call(on_error: OnError, error: Exception, message: dict[str, Any]) -> None:
    """Call `on_error`; an exception of its own is logged."""
    try:
        on_error(error, message)
    except Exception:  # noqa: BLE001 - it is the caller's own, and may be anything
        log_raised()


def log_raised() -> None:
    """Log what `on_error` just raised; that may well say whom the call was about, so it is masked."""
    logger.error("on_error raised\n%s", masked(traceback.format_exc().rstrip()))
