"""Which calls fail, and how: by seeded dice, or by a script that a test has written.

Every option of the sandbox, said once. *Assumed* marks what the API's documents do not say.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import math
import random
import threading
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal

from interakt_loader.errors import SettingsError

KINDS: dict[str, str] = {
    "400": "a refusal of the API's own; the record is not applied",
    "401": "the key is refused, as when somebody has just made a new one; the record is not applied",
    "500": "a server error in JSON; the record is not applied",
    "503": "unavailable, with an empty body; the record is not applied",
    "reset": "the connection is reset before anything is done",
    "hang": "no answer ever: the connection stays open until the client closes it; the record is not applied",
    "cut": "the call is done, then the connection is closed without an answer",
    "html502": "a gateway's HTML page; the record is not applied",
    "garbage": "status 200 with bytes that are no JSON; the record is not applied",
    "429": "over the limit, without Retry-After; the record is not applied",
    "429-retry-after": "over the limit, with Retry-After; the record is not applied",
}
"""Every kind of fault and what the client sees of it."""


def parse_shares(faults: str | Mapping[str, float]) -> dict[str, float]:
    """Return the share of calls, 0 to 1, that each kind takes; reads `"500=2%,reset=0.01"` or a mapping.

    Raises `SettingsError` for an unknown kind, a share that is none, or shares above 1 in all.
    """
    pairs = _pairs(faults) if isinstance(faults, str) else list(faults.items())
    shares: dict[str, float] = {}
    for kind, share in pairs:
        known_kind(kind)
        if not 0 <= share <= 1:
            raise SettingsError(f"the share of fault {kind} is {share:g}; expected 0 to 1, or 0% to 100%")
        shares[kind] = shares.get(kind, 0.0) + share
    if sum(shares.values()) > 1 + 1e-9:
        raise SettingsError(f"the shares of the faults add up to {sum(shares.values()):.0%}; expected 100% at most")
    return shares


def _pairs(text: str) -> Iterable[tuple[str, float]]:
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, _, share = (piece.strip() for piece in part.partition("="))
        try:
            yield kind, float(share[:-1]) / 100 if share.endswith("%") else float(share)
        except ValueError:
            raise SettingsError(f"fault {part!r} has no share; expected KIND=SHARE such as 500=2%") from None


def known_kind(kind: str) -> str:
    """Return the kind, or raise `SettingsError` if there is no such fault."""
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise SettingsError(f"there is no fault {kind!r}{meant} (there are {', '.join(KINDS)})")
    return kind


class Faults:
    """Chooses the next call's fault. What is forced comes first, and costs the dice nothing. Thread-safe."""

    def __init__(self, shares: Mapping[str, float], seed: int) -> None:
        self._lock = threading.Lock()
        self._rng = random.Random(seed)  # noqa: S311 - faults that come again are wanted
        self._script: deque[str | None] = deque()
        self._scripts: dict[str, deque[str | None]] = {}
        self._happened: Counter[str] = Counter()
        self.set_shares(shares)

    def set_shares(self, shares: Mapping[str, float]) -> None:
        """Give each kind this share of the calls from now on."""
        with self._lock:
            self._kinds = list(shares)
            self._borders = list(accumulate(shares.values()))

    def force(self, kinds: Iterable[str | None]) -> None:
        """Append to the script: the next calls end so, in order of arrival; None lets one pass."""
        kinds = [kind if kind is None else known_kind(kind) for kind in kinds]
        with self._lock:
            self._script.extend(kinds)

    def force_for(self, identity: str, kinds: Iterable[str | None]) -> None:
        """Append to the script of one user, known by userId or by `+` and the whole phone number."""
        kinds = [kind if kind is None else known_kind(kind) for kind in kinds]
        with self._lock:
            if kinds:
                self._scripts.setdefault(identity, deque()).extend(kinds)

    def counts(self) -> dict[str, int]:
        """Return how often each kind has happened."""
        with self._lock:
            return dict(self._happened)

    def forget(self) -> None:
        """Drop all scripts and what has happened; the shares stay."""
        with self._lock:
            self._script.clear()
            self._scripts.clear()
            self._happened.clear()

    def choose(self, identities: Callable[[], Iterable[str]]) -> str | None:
        """Return the fault of the call that has just arrived, or None.

        `identities` says whose call it is, and is asked only if some user has a script.
        """
        with self._lock:
            fault = self._next(identities)
            if fault is not None:
                self._happened[fault] += 1
            return fault

    def _next(self, identities: Callable[[], Iterable[str]]) -> str | None:
        if self._scripts:
            for identity in identities():
                script = self._scripts.get(identity)
                if script is not None:
                    fault = script.popleft()
                    if not script:
                        del self._scripts[identity]
                    return fault
        if self._script:
            return self._script.popleft()
        if not self._kinds:
            return None
        place = bisect_right(self._borders, self._rng.random())
        return self._kinds[place] if place < len(self._kinds) else None


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
