"""The sandbox's options and the kinds of faults. *Assumed* marks what Interakt does not document."""

from __future__ import annotations

import base64
import binascii
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from interakt_loader.errors import SettingsError


def _option(meaning: str, *, default: Any, secret: bool = False, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, repr=not secret, metadata={"meaning": meaning, "choices": choices})


@dataclass(frozen=True)
class SandboxOptions:
    """How the sandbox behaves. Raises `SettingsError` for an invalid value."""

    api_key: str = _option(
        "The key that is accepted: as text, or the dashboard's Secret Key.", default="sandbox-key", secret=True
    )
    port: int = _option("Port on 127.0.0.1; 0 picks a free one.", default=0)
    limit_per_minute: int | None = _option("Calls accepted in each window; None: no limit.", default=None)
    window: float = _option("Seconds of the limit's window. Tests use less than a minute.", default=60.0)
    limit_shape: Literal["fixed", "sliding"] = _option(
        "Window that begins with its first call (fixed), or that moves with the clock (sliding). *Assumed*.",
        default="fixed",
        choices=("fixed", "sliding"),
    )
    limit_per: Literal["account", "endpoint"] = _option(
        "What has a limit of its own. *Assumed*.", default="account", choices=("account", "endpoint")
    )
    refused_calls_count: bool = _option("Count calls that got a 429 against the limit too. *Assumed*.", default=False)
    retry_after: bool = _option(
        "Send Retry-After with a 429 of the limit. *Assumed* that the API does not.", default=False
    )
    plan_without_api: bool = _option("Answer every call with 403, as for a plan without the API.", default=False)
    unknown_user: Literal["accept", "reject"] = _option(
        "Response to an event of a user that was never sent: 201 or 400. *Assumed*.",
        default="accept",
        choices=("accept", "reject"),
    )
    read_types: Literal["as_sent", "text"] = _option(
        "Numbers and booleans come back as they were sent, or as text. *Assumed*.",
        default="as_sent",
        choices=("as_sent", "text"),
    )
    read_traits: Literal["object", "list"] = _option(
        "Traits come back as an object, or as a list of objects with name and value. *Assumed*.",
        default="object",
        choices=("object", "list"),
    )
    read_missing: Literal["null", "absent"] = _option(
        "A contact without userId or phone has null in these fields, or does not have them. *Assumed*.",
        default="null",
        choices=("null", "absent"),
    )
    read_extra: bool = _option("A contact has more fields, such as channel_type. *Assumed*.", default=False)
    read_times: Literal["ms", "us", "short"] = _option(
        "Times of contacts are kept and shown in milliseconds (ms) or in microseconds (us), or kept in microseconds "
        "and shown in milliseconds (short). *Assumed*.",
        default="ms",
        choices=("ms", "us", "short"),
    )
    read_order: Literal["created", "modified", "random"] = _option(
        "Order of a page, the newest first: by the time created or modified, or by the time modified with those of the "
        "same time in another order in each call (random). *Assumed*.",
        default="created",
        choices=("created", "modified", "random"),
    )
    read_delay: float = _option("Seconds until a change can be read. *Assumed*.", default=0.0)
    read_events_modify: bool = _option("An event changes when its user was modified. *Assumed*.", default=False)
    read_id: Literal["both", "id", "user_id"] = _option(
        "Which id a contact is looked up by: the account's own, the userId that was sent, or either. *Assumed*.",
        default="both",
        choices=("both", "id", "user_id"),
    )
    read_404: Literal["404", "empty"] = _option(
        "Response to a look-up of a contact that there is none of: 404, or 200 with an empty list. *Assumed*.",
        default="404",
        choices=("404", "empty"),
    )
    read_limit: Literal["shared", "apart"] = _option(
        "Calls that read count against the limit of the calls that track, or have one of their own. *Assumed*.",
        default="shared",
        choices=("shared", "apart"),
    )
    max_body: int = _option("Bytes of a body; a longer one gets 413. The status is *assumed*.", default=32 * 1024)
    latency: float = _option("Seconds from a call's arrival, when it is recorded, to its response.", default=0.0)
    jitter: float = _option("Most seconds that are added to the latency at random.", default=0.0)
    faults: str | Mapping[str, float] = _option(
        'Shares of calls that fail, e.g. "500=2%,reset=1%" or {"500": 0.02}. The bodies are *assumed*.', default=""
    )
    fault_retry_after: str = _option("Retry-After header of the fault 429-retry-after.", default="1")
    seed: int = _option("Seed of the random choice of faults and jitter.", default=0)
    record_arrivals: bool = _option("Keep the time of each call, to check rates.", default=False)

    def __post_init__(self) -> None:
        if not self.api_key.strip() or not self.api_key.isprintable():
            raise SettingsError("api_key of the sandbox is empty, or is not printable text")
        limit = self.limit_per_minute
        checks = (
            ("port", "0 to 65535", 0 <= self.port <= 65535),
            ("limit_per_minute", "1 or more, or None", limit is None or limit >= 1),
            ("window", "seconds above 0", 0 < self.window < math.inf),
            ("read_delay", "seconds, 0 or more", 0 <= self.read_delay < math.inf),
            ("max_body", "1 byte or more", self.max_body >= 1),
            ("latency", "seconds, 0 or more", 0 <= self.latency < math.inf),
            ("jitter", "seconds, 0 or more", 0 <= self.jitter < math.inf),
            ("fault_retry_after", "one line of text", self.fault_retry_after.isprintable()),
        )
        choices = (
            (option.name, " or ".join(allowed), getattr(self, option.name) in allowed)
            for option in fields(self)
            if (allowed := option.metadata["choices"])
        )
        for name, expected, is_valid in (*checks, *choices):
            if not is_valid:
                raise SettingsError(f"{name} of the sandbox is {getattr(self, name)!r}; expected {expected}")
        parse_shares(self.faults)

    @property
    def secret_key(self) -> str:
        """The key as the dashboard shows it, base64 of `key:`. A correct call has it after `Basic `."""
        if _is_secret_key(self.api_key):
            return self.api_key
        return base64.b64encode(f"{self.api_key}:".encode()).decode("ascii")


def _is_secret_key(key: str) -> bool:
    try:
        return base64.b64decode(key, validate=True).decode("ascii").endswith(":")
    except (binascii.Error, ValueError):
        return False


KINDS: dict[str, str] = {
    "400": "the API refuses the call; the record is not applied",
    "401": "the key is refused, as after somebody has made a new one; the record is not applied",
    "500": "a server error in JSON; the record is not applied",
    "503": "unavailable, with an empty body; the record is not applied",
    "reset": "the connection is reset before the record is applied",
    "hang": "no response: the connection stays open until the client closes it; the record is not applied",
    "cut": "the record is applied, then the connection is closed without a response",
    "html502": "a gateway's HTML page; the record is not applied",
    "garbage": "status 200 with bytes that are not JSON; the record is not applied",
    "429": "over the limit, without Retry-After; the record is not applied",
    "429-retry-after": "over the limit, with Retry-After; the record is not applied",
}
"""Every kind of fault, and what the client gets."""


def parse_shares(faults: str | Mapping[str, float]) -> dict[str, float]:
    """Return the share of calls, 0 to 1, that each kind takes; reads `"500=2%,reset=0.01"` or a mapping.

    Raises `SettingsError` for an unknown kind, a share outside 0 to 1, or a sum above 1.
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


def parse_assumptions(text: str) -> dict[str, Any]:
    """Return the options in a text such as `"read_types=text,read_delay=2"`, by name.

    Only those that are *assumed* can be in it. Raises `SettingsError`; `SandboxOptions` checks the choices.
    """
    known = {option.name: option for option in fields(SandboxOptions) if "*Assumed*" in option.metadata["meaning"]}
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in known:
            raise SettingsError(f"there is no assumption {name!r}{_meant(name, known)} (there are {', '.join(known)})")
        default = known[name].default
        if isinstance(default, bool):
            if value not in ("yes", "no"):
                raise SettingsError(f"{name} of the sandbox is {value!r}; expected yes or no")
            found[name] = value == "yes"
        elif isinstance(default, float):
            try:
                found[name] = float(value)
            except ValueError:
                raise SettingsError(f"{name} of the sandbox is {value!r}; expected a number") from None
        else:
            found[name] = value
    return found


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def known_kind(kind: str) -> str:
    """Return the kind. Raises `SettingsError` if there is no such fault."""
    if kind not in KINDS:
        raise SettingsError(f"there is no fault {kind!r}{_meant(kind, KINDS)} (there are {', '.join(KINDS)})")
    return kind
