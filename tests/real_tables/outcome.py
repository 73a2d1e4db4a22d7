"""Load a case of the catalogue into a sandbox, and count how its rows ended."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from interakt_loader import Mapping, check, load_events, load_users
from interakt_loader.sandbox import Sandbox
from tests.real_tables.catalogue import Case


class CaseOutcome(NamedTuple):
    """How the rows of a case ended."""

    rows: int
    sent: int
    refused: dict[str, int]
    """By code."""
    noted: dict[str, int]
    """Rows that were sent, by the code of what is said of them."""


def load_case(case: Case, folder: Path, sandbox: Sandbox) -> CaseOutcome:
    """Send the rows, or check them where they are too many for a test."""
    data, options = str(folder / case.path), dict(case.options)
    if case.too_many_to_send:
        result = check(data, Mapping.of(case.mapping), **options)
        sent = result.unsent
    else:
        load = load_users if case.kind == "user" else load_events
        result = load(data, Mapping.of(case.mapping), api_key=sandbox.api_key, base_url=sandbox.url, **options)
        sent = result.sent
    refused: Counter[str] = Counter()
    noted: Counter[str] = Counter()
    for reason in result.summary.reasons.values():
        is_refused = reason.status not in ("sent", "unsent")
        (refused if is_refused else noted)[str(reason.code)] += reason.count
    return CaseOutcome(result.rows, sent, dict(refused), dict(noted))
