"""Every option of the sandbox, said once. *Assumed* marks what the API's documents do not say."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox.faults import parse_shares


def _option(default: Any, meaning: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"meaning": meaning})


@dataclass(frozen=True)
class SandboxOptions:
    """How the sandbox behaves. Raises `SettingsError` for a value without sense."""

    api_key: str = _option("sandbox-key", "The key that is let in: plain, or the dashboard's Secret Key.", secret=True)
    port: int = _option(0, "Port on 127.0.0.1; 0 picks a free one.")
    limit_per_minute: int | None = _option(None, "Calls let through in each window; None: no limit.")
    window: float = _option(60.0, "Seconds of the limit's window, so that tests need not wait for a minute.")
    limit_shape: Literal["fixed", "sliding"] = _option(
        "fixed", "Window that begins with its first call, or one that slides along. *Assumed*."
    )
    limit_per: Literal["account", "endpoint"] = _option("account", "What has a limit of its own. *Assumed*.")
    refused_calls_count: bool = _option(False, "Whether calls that got a 429 use up the limit too. *Assumed*.")
    retry_after: bool = _option(False, "Say in a 429 of the limit when the window turns. *Assumed* not to be said.")
    plan_without_api: bool = _option(False, "Answer 403 to every call: a plan that has no API.")
    unknown_user: Literal["accept", "reject"] = _option(
        "accept", "What an event of a user that was never sent gets: 201 or 400. *Assumed*."
    )
    max_body: int = _option(32 * 1024, "Bytes of a body; a longer one gets 413. The status is *assumed*.")
    latency: float = _option(0.0, "Seconds between a call's arrival, when it is recorded, and its answer.")
    jitter: float = _option(0.0, "Seconds, at most, that are added to the latency at random.")
    faults: str | Mapping[str, float] = _option(
        "", 'Shares of calls that fail, e.g. "500=2%,reset=1%" or {"500": 0.02}. The bodies are *assumed*.'
    )
    fault_retry_after: str = _option("1", "Retry-After header of the fault 429-retry-after.")
    seed: int = _option(0, "Of the dice that choose faults and jitter.")
    record_arrivals: bool = _option(False, "Keep the instant of each call, to check rates with.")

    def __post_init__(self) -> None:
        if not self.api_key.strip() or not self.api_key.isprintable():
            raise SettingsError("api_key of the sandbox is empty or no printable text")
        _check("port", self.port, "0 to 65535", 0 <= self.port <= 65535)
        limit = self.limit_per_minute
        _check("limit_per_minute", limit, "1 or more, or None", limit is None or limit >= 1)
        _check("window", self.window, "seconds above 0", 0 < self.window < math.inf)
        _check("limit_shape", self.limit_shape, "fixed or sliding", self.limit_shape in ("fixed", "sliding"))
        _check("limit_per", self.limit_per, "account or endpoint", self.limit_per in ("account", "endpoint"))
        _check("unknown_user", self.unknown_user, "accept or reject", self.unknown_user in ("accept", "reject"))
        _check("max_body", self.max_body, "1 byte or more", self.max_body >= 1)
        _check("latency", self.latency, "seconds, 0 or more", 0 <= self.latency < math.inf)
        _check("jitter", self.jitter, "seconds, 0 or more", 0 <= self.jitter < math.inf)
        _check("fault_retry_after", self.fault_retry_after, "one line of text", self.fault_retry_after.isprintable())
        parse_shares(self.faults)

    @property
    def secret_key(self) -> str:
        """The key as the dashboard shows it, base64 of `key:`: what follows `Basic ` in a good call."""
        if _is_secret_key(self.api_key):
            return self.api_key
        return base64.b64encode(f"{self.api_key}:".encode()).decode("ascii")


def _check(name: str, value: Any, expected: str, good: bool) -> None:
    if not good:
        raise SettingsError(f"{name} of the sandbox is {value!r}; expected {expected}")


def _is_secret_key(key: str) -> bool:
    try:
        return base64.b64decode(key, validate=True).decode("ascii").endswith(":")
    except (binascii.Error, ValueError):
        return False
