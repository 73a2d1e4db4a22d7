"""A mapping guessed from the column names, with the reason for each guess, so that nothing is guessed in silence."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from interakt_loader.errors import MappingError
from interakt_loader.mapping.spec import Field, Mapping
from interakt_loader.wire import Kind

# Names in order of preference, without case and punctuation.
_NAMES = {
    field: names.split()
    for field, names in {
        "user_id": "userid customerid contactid clientid memberid recordid uid id customer",
        "phone": "phone phonenumber mobile mobilenumber mobileno phoneno whatsapp whatsappnumber whatsappno cell "
        "cellphone contactnumber contactno contact telephone tel msisdn",
        "country_code": "countrycode phonecountrycode dialcode dialingcode diallingcode isdcode cc",
        "event": "event eventname eventtype",
        "created_at": "createdat occurredat eventtime eventat timestamp datetime orderedat orderdate purchasedat "
        "purchasedate invoicedate transactiondate paidat date time",
        "tags": "tags tag",
    }.items()
}


@dataclass(frozen=True)
class Inferred:
    """A guessed mapping, and why."""

    mapping: Mapping
    reasons: tuple[tuple[str, str], ...]
    """(field, reason), in the order of the fields."""

    def as_yaml(self) -> str:
        """Return the mapping as a commented YAML file to start from."""
        lines = []
        for name, reason in self.reasons:
            written = self.mapping.as_dict()[name]
            lines.append(f"{name}: {json.dumps(written, ensure_ascii=False)}  # {reason}")
        return "\n".join(lines) + "\n"


def infer(columns: Sequence[str], kind: Kind | None = None, event: str | None = None) -> Inferred:
    """Guess which column is which from their names.

    `kind` says what the rows are, where it is known; `event` is the constant name of the events. Raises
    `MappingError` when no column looks like an identity.
    """
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(columns)}
    found: dict[str, Any] = {}
    reasons: list[tuple[str, str]] = []
    wanted = ["user_id", "phone", "country_code"]
    if kind != "user":
        wanted += ["event"] if event is None else []
    for name in wanted:
        _find(name, plain, found, reasons)
    if event is not None:
        found["event"] = Field(value=event)
        reasons.append(("event", "given"))
    is_event = kind == "event" or "event" in found
    _find("created_at" if is_event else "tags", plain, found, reasons)
    if "user_id" not in found and "phone" not in found:
        raise MappingError(
            f"no column looks like a user_id or a phone among {', '.join(columns)}: give a mapping that says which is"
        )
    if "country_code" in found and "phone" not in found:
        del found["country_code"]
        reasons = [one for one in reasons if one[0] != "country_code"]
    reasons.append(("traits", "every other column"))
    if "phone" in found:
        found["phone"] = (found["phone"],)
    return Inferred(Mapping(**found, all_columns=True), tuple(reasons))


def _find(field: str, plain: dict[str, str], found: dict[str, Any], reasons: list[tuple[str, str]]) -> None:
    for name in _NAMES[field]:
        if name in plain:
            found[field] = Field(column=plain[name])
            reasons.append((field, f"the column is called {plain[name]}"))
            return
