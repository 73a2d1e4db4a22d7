"""The keyword options of the Python functions, for type checkers: nothing imports this when it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from interakt_loader.safety.secret import Secret


class Options(TypedDict, total=False):
    """The keyword options of `load_users`, `load_events` and `check`; `Settings` says what each means."""

    api_key: str | Secret | None
    base_url: str | None
    timeout: float
    max_retries: int
    max_queue_size: int
    workers: int
    rate_limit: str | None
    share: str | Secret | None
    max_outage: float
    max_failures: str | int | None
    name: str | None
    report: str | Path | None
    failures: str | Path | None
    html: str | Path | None
    mask: bool
    ledger: str | Path | None
    resend: bool
    same_account: bool
    old_api_key: str | Secret | None
    event_id: str | None
    on_unknown: str
    coalesce: bool
    default_country: str
    phones: str
    timezone: str
    bad_values: str
    nulls: str
    null_values: str | Sequence[str]
    dry_run: bool
    encoding: str | None
    delimiter: str | None
    header: bool | None
    sheet: str | None
    limit: int | None
    rows: str | None
    progress: bool | None
    on_error: Callable[[Exception, dict[str, Any]], object] | None
