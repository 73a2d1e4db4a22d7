"""Which settings make no sense, by themselves or together. Pure; raises `SettingsError` in one line."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, cast

from interakt_loader.errors import SettingsError
from interakt_loader.settings.values import (
    check_base_url,
    check_key,
    check_name,
    check_number,
    check_share,
    parse_failures,
    parse_rate,
    parse_rows,
    parse_words,
)

if TYPE_CHECKING:
    from interakt_loader.safety.secret import Secret
    from interakt_loader.settings.settings import Settings


def check(settings: Settings) -> None:
    """Refuse an option that is no such value, and options that do not go together."""
    check_number("timeout", settings.timeout, least=0, most=86_400, exclusive=True)
    check_number("max_outage", settings.max_outage, least=0)
    check_number("max_retries", settings.max_retries, least=0, whole=True)
    check_number("max_queue_size", settings.max_queue_size, least=1, whole=True)
    check_number("workers", settings.workers, least=1, most=1024, whole=True)
    parse_failures(settings.max_failures)
    parse_rows(settings.rows)
    parse_words("null_values", settings.null_values)
    if settings.limit is not None:
        check_number("limit", settings.limit, least=0, whole=True)
    for one in fields(settings):
        choices = one.metadata["choices"]
        if choices and getattr(settings, one.name) not in choices:
            raise SettingsError(f"{one.name} is {getattr(settings, one.name)!r}; expected {' or '.join(choices)}")
    if settings.rate_limit is not None and not isinstance(settings.rate_limit, str):
        raise SettingsError(f"rate_limit is {settings.rate_limit!r}; expected text such as '300/min', or None")
    for name, example in (("default_country", "+91"), ("timezone", "UTC")):
        if not isinstance(getattr(settings, name), str):
            raise SettingsError(f"{name} is {getattr(settings, name)!r}; expected text such as {example!r}")
    if settings.on_error is not None and not callable(settings.on_error):
        raise SettingsError(f"on_error is {settings.on_error!r}; expected a function")
    check_share(settings.hidden_share, parse_rate(settings.rate_limit))
    for name in ("resend", "same_account", "event_id"):
        if getattr(settings, name) and settings.ledger is None:
            raise SettingsError(f"{name} is about the ledger: give one too (--ledger PATH, in Python ledger=PATH)")
    if settings.name is not None:
        check_name(settings.name)
    if settings.failures is not None:
        check_failures_path(settings)
    check_base_url(settings.base_url)
    for name in ("api_key", "old_api_key"):
        if getattr(settings, name) is not None:
            check_key(name, cast("Secret", getattr(settings, name)))
    if settings.old_api_key is not None and not settings.same_account:
        raise SettingsError(
            "old_api_key is given without same_account: give same_account=True (--same-account) too if the account's "
            "key was renewed"
        )


def check_failures_path(settings: Settings) -> None:
    """Refuse a failures file of another form, and one beside `mask`."""
    if not str(settings.failures).lower().endswith(".csv"):
        raise SettingsError(f"failures {settings.failures}: expected a name ending in .csv")
    if settings.mask:
        raise SettingsError(
            "failures holds the input's own rows, with the phones that mask would hide; expected one of the two"
        )
