"""A dry run is the load, but for the calls: over the real sandbox, after any earlier loads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interakt_loader import MappingDict, check, load_events, load_users
from interakt_loader.result import LoadResult
from interakt_loader.sandbox import Sandbox

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", ""]),  # without a user the row is invalid
        st.sampled_from(["x", "y", None]),
        st.sampled_from(["Paid", "Placed"]),
        st.sampled_from(["1", "2", "3", "4", None]),
    ),
    min_size=1,
    max_size=8,
)
ANSWERS = st.lists(st.sampled_from(["400", "500", "cut"]), max_size=3)
EARLIER = st.lists(st.tuples(ROWS, ANSWERS, st.booleans()), max_size=2)


class Options(NamedTuple):
    """What may differ from load to load."""

    kind: str
    ids: str
    """Where an event's id comes from: nowhere, the mapping, or the option."""
    coalesce: bool
    resend: bool
    on_unknown: str


OPTIONS = st.one_of(
    st.builds(Options, st.just("user"), st.just(""), st.booleans(), st.booleans(), st.just("resend")),
    st.builds(
        Options,
        st.just("event"),
        st.sampled_from(["", "mapping", "option"]),
        st.just(value=False),
        st.booleans(),
        st.sampled_from(["resend", "skip"]),
    ),
)


class Loads:
    """Loads of one account with one ledger, if any."""

    def __init__(self, sandbox: Sandbox, options: Options, ledger: Path | None) -> None:
        self._options, self._ledger = options, ledger
        self._to = {"api_key": sandbox.api_key, "base_url": sandbox.url, "rate_limit": None, "progress": False}

    def __call__(self, rows: list[Any], *, dry: bool = False, **more: Any) -> LoadResult:
        frame = pd.DataFrame(rows, columns=["user", "city", "name", "id"], dtype=object)
        mapping: MappingDict = {"user_id": "user", "traits": ["city"]}
        given = {**self._to, "ledger": self._ledger, "coalesce": self._options.coalesce, **more}
        if self._options.kind == "event":
            mapping |= {"event": "name", "created_at": {"value": "2026-01-31T12:00:00Z"}}
            if self._options.ids == "mapping":
                mapping["event_id"] = "id"
            elif self._options.ids == "option" and self._ledger is not None:
                given["event_id"] = "id"
        load = check if dry else load_users if self._options.kind == "user" else load_events
        return load(frame, mapping, **given)


def lines(result: LoadResult) -> list[tuple[Any, ...]]:
    """Return row, status, code, column and message of each line; what was sent as what would be."""
    table = result.to_arrow().sort_by("row").select(["row", "status", "code", "column", "message"])
    return [
        ("unsent" if one["status"] == "sent" else one["status"], one["row"], one["code"], one["column"], one["message"])
        for one in table.to_pylist()
    ]


@pytest.fixture(scope="module")
def sandbox() -> Any:
    """Yield one sandbox for all examples."""
    with Sandbox() as running:
        yield running


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(EARLIER, ROWS, OPTIONS, st.booleans())
def test_a_dry_run_says_what_the_load_does(
    sandbox: Sandbox, earlier: list[Any], rows: list[Any], options: Options, with_ledger: bool
) -> None:
    """After loads that were refused, failed or cut off: the same lines, as many calls, and the same forecast."""
    if not with_ledger:  # then nothing of earlier loads counts, and rows are folded as the load goes
        options, earlier = options._replace(coalesce=False, resend=False), []
    with tempfile.TemporaryDirectory() as folder:
        loads = Loads(sandbox, options, Path(folder) / "own.ledger" if with_ledger else None)
        for before, answers, coalesce in earlier:
            sandbox.force(answers)
            loads(before, max_retries=0, coalesce=coalesce and options.kind == "user")
            sandbox.reset()
        more: dict[str, Any] = {"resend": options.resend, "on_unknown": options.on_unknown}
        calls = sandbox.stats().calls
        dry = loads(rows, dry=True, **more)
        assert sandbox.stats().calls == calls
        assert lines(loads(rows, dry=True, **more)) == lines(dry)
        real = loads(rows, **more)
    assert lines(dry) == lines(real)
    assert real.attempts == real.sent == dry.unsent == sandbox.stats().calls - calls
    if with_ledger and options.coalesce:
        assert real.sent == len({one["user_id"] for one in real.to_arrow().to_pylist() if one["status"] == "sent"})
