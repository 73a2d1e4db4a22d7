"""What is refused before any call: things that one process can do and many cannot, or that would send rows twice."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import replace
from pathlib import Path
from typing import Any

from interakt_loader.errors import SettingsError
from interakt_loader.integrations.spark.partitions import known_count, part_of
from interakt_loader.mapping import Mapping
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate, check_number

_NOT_HERE = {
    "limit": "a DataFrame's rows have no order: filter them before",
    "rows": "a DataFrame's rows have no order: filter them before",
    "on_error": "tasks run on other machines: look at result.failing_lines() afterwards",
    "event_id": "name the columns that tell events apart in the mapping, as traits",
    "failures": "look at result.failing_lines() afterwards",
    "html": "call result.write_html(PATH) afterwards",
    "resend": "a task that Spark runs again would send all of its rows again; give another ledger folder",
}


def settings_of(options: Dict[str, Any]) -> Settings:
    """Return the settings of a load by Spark. Raises `SettingsError` for options that have no meaning there."""
    for name, instead in _NOT_HERE.items():
        if options.get(name) not in (None, False):
            raise SettingsError(f"{name} cannot be had with Spark: {instead}")
    settings = Settings.resolve(options)
    if settings.rate == "auto" and not settings.is_local and not settings.dry_run:
        raise SettingsError("rate_limit: say what the account allows, such as 300/min: many tasks cannot find it out")
    return settings


def check_event_id(mapping: Mapping) -> None:
    """Refuse ids of events: a task sees the events of its own users only, and an id stands for one person of all."""
    if mapping.event_id is not None:
        raise SettingsError(f"event_id cannot be had with Spark: {_NOT_HERE['event_id']}")


def check_apart(ledger: str | Path | None, report: str) -> None:
    """Refuse ledgers where Spark puts the report: it empties that folder first."""
    if ledger is not None and Path(ledger).resolve().is_relative_to(Path(report).resolve()):
        raise SettingsError(f"ledger {ledger}: lies in the report, which Spark writes anew; choose another folder")


def session_of(sdf: Any) -> Any:
    """Return the session of a Spark DataFrame; refuse anything else."""
    session = getattr(sdf, "sparkSession", None)
    if session is None:
        raise SettingsError(
            f"this is a {type(sdf).__name__}; expected a Spark DataFrame (pip install 'pyspark>=4.1'), or, "
            "for tables and files, interakt_loader.load_users and load_events"
        )
    return session


def check_session(session: Any) -> None:
    """Refuse a session in which rows could be sent twice at once, or to which the key cannot be given safely."""
    if not hasattr(session, "_jsc") and not hasattr(session, "_jvm"):
        raise SettingsError("this is Spark Connect; expected a classic session, in which the key can be a broadcast")
    if session.conf.get("spark.speculation", "false").lower() == "true":
        raise SettingsError("spark.speculation is on: a task that runs twice at once sends twice; turn it off")


def choose_count(partitions: int | None, settings: Settings, slots: int) -> int:
    """Return how many partitions a load has: as told, as its ledgers are, or as many as tasks can run at once."""
    if partitions is not None:
        check_number("partitions", partitions, least=1, whole=True)
    if partitions is not None:
        return partitions
    known = None if settings.ledger is None else known_count(Path(settings.ledger))
    return slots if known is None else known


def settings_of_task(settings: Settings, count: int) -> Settings:
    """Return the settings of each of so many tasks: its part of the rate, where no clock is shared."""
    settings = replace(settings, same_account=False, old_api_key=None)  # the driver has seen to the ledgers
    rate = settings.rate
    if rate == "auto" or settings.dry_run:  # on this machine, where nobody has limits; or no call is made
        return replace(settings, rate_limit=None)
    if settings.share is not None or not isinstance(rate, Rate):
        return settings
    return replace(settings, rate_limit=str(part_of(rate, count)))


def whole_limit(settings: Settings) -> Rate | None:
    """Return the limit of which each task has a part; None where a clock is shared or nothing is declared."""
    rate = settings.rate
    return rate if isinstance(rate, Rate) and settings.share is None and not settings.dry_run else None
