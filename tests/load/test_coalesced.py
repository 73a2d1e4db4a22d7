"""Rows of a user as one call: the account ends as with a call for each row, and there are as few calls as can be."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interakt_loader import MappingDict, baseline, check, load_events, load_users
from interakt_loader.result import LoadResult
from interakt_loader.sandbox import Sandbox

MAPPING: MappingDict = {
    "user_id": "user",
    "phone": "phone",
    "created_at": "since",
    "add_to_sales_cycle": "pipeline",
    "tags": "tags",
    "traits": ["city", "tier"],
}

Row = tuple[str, int, str | None, str | None, str | None, float | None]
"""A user, whether the row has the phone, a time, tags, a city and a tier."""

PIPELINE = {"2026-01-31T12:00:00Z": True, "2026-02-01": False, None: None}
"""Whether a row of that time puts the user into the sales pipeline."""

ROW = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from([0, 0, 1]),
    st.sampled_from(["2026-01-31T12:00:00Z", "2026-02-01", None]),
    st.sampled_from(["vip", "vip,new", "old", None]),
    st.sampled_from(["Pune", "Goa", None]),
    st.sampled_from([1.0, 2.0, None]),
)
INPUT = st.lists(ROW, min_size=1, max_size=8)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[list[Row], str, bool]]:
    """Return up to four inputs, each the one before it with changes, how empty traits are sent, and `coalesce`."""
    inputs = [draw(INPUT)]
    for _ in range(draw(st.integers(0, 3))):
        rows = list(inputs[-1])
        how = draw(st.sampled_from(["same", "repeated", "appended", "changed", "new"]))
        if how == "repeated":
            rows = [row for one in rows for row in (one, one)]
        elif how == "appended":
            rows += draw(INPUT)
        elif how == "changed":
            rows[draw(st.integers(0, len(rows) - 1))] = draw(ROW)
        elif how == "new":
            rows = draw(INPUT)
        inputs.append(rows)
    return [(rows, draw(st.sampled_from(["omit", "clear"])), draw(st.booleans())) for rows in inputs]


class Account:
    """A sandbox and a ledger of its own."""

    def __init__(self, sandbox: Sandbox, ledger: Path) -> None:
        self._sandbox = sandbox
        self._options: dict[str, Any] = {
            "api_key": sandbox.api_key,
            "base_url": sandbox.url,
            "rate_limit": None,
            "progress": False,
            "ledger": ledger,
        }

    def load(self, rows: list[Row], *, dry: bool = False, **more: Any) -> LoadResult:
        frame = pd.DataFrame(rows, columns=["user", "phone", "since", "tags", "city", "tier"], dtype=object)
        # a number of each user's own, that some rows lack
        frame["pipeline"] = frame["since"].map(PIPELINE).astype(object)
        frame["phone"] = [f"98765432{ord(user)}" if has else None for user, has, *_ in rows]
        return (check if dry else load_users)(frame, MAPPING, **{**self._options, **more})

    def load_file(self, path: Path) -> LoadResult:
        return load_users(path, MAPPING, **self._options)

    @property
    def users(self) -> dict[str | None, tuple[Any, ...]]:
        return {
            one.user_id: (one.full_phone, one.traits, sorted(one.tags), one.created_at) for one in self._sandbox.users()
        }

    @property
    def calls(self) -> int:
        return self._sandbox.stats().calls


def calls_of(wanted: list[Any], accepted: list[Any]) -> int:
    """Return the fewest calls for the rows of a user: one, and one more when the user leaves the sales pipeline."""
    if wanted == accepted:
        return 0
    done = len(accepted) if wanted[: len(accepted)] == accepted else 0
    flags = [flag for (row, _) in wanted[done:] if (flag := PIPELINE[row[2]]) is not None]
    return 1 + sum(pair == (True, False) for pair in pairwise(flags))


@contextmanager
def account(sandbox: Sandbox) -> Iterator[Account]:
    sandbox.reset()
    with tempfile.TemporaryDirectory() as folder:
        yield Account(sandbox, Path(folder) / "own.ledger")


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    """Yield two accounts for all examples."""
    with Sandbox() as one, Sandbox() as other:
        yield one, other


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories())
def test_the_account_ends_the_same_and_no_call_is_too_many(
    sandboxes: tuple[Sandbox, Sandbox], history: list[tuple[list[Row], str, bool]]
) -> None:
    """Load after load, against an account that gets every row by itself: one call for each user with a change."""
    # user → its rows, without repeats, in the load before
    accepted: dict[str, list[Any]] = {}
    with account(sandboxes[0]) as folded, account(sandboxes[1]) as single:
        for rows, nulls, folds in history:
            single.load(rows, nulls=nulls, coalesce=False, resend=True)
            by_user: dict[str, list[Any]] = {}
            for row in rows:
                # `nulls` is about empty traits alone
                by_user.setdefault(row[0], []).append((row, nulls if None in row[-2:] else None))
            wanted = {user: [one for one, _ in groupby(theirs)] for user, theirs in by_user.items()}
            fewest = sum(calls_of(theirs, accepted.get(user, [])) for user, theirs in wanted.items())
            forecast = folded.load(rows, nulls=nulls, dry=True)
            before = folded.calls
            result = folded.load(rows, nulls=nulls, coalesce=None if folds else False)
            assert folded.users == single.users
            if folds:
                assert folded.calls - before == result.sent == forecast.unsent == fewest
                assert result.merged == forecast.merged
            accepted |= wanted
        again = folded.load(rows, nulls=nulls)
        assert (again.unchanged, again.attempts) == (len(rows), 0)


def test_each_user_is_one_call_with_any_limit(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    """500 rows of 100 users: 100 calls at once and with a limit, none for the same rows, one for a row more."""
    rows: list[Row] = [(f"u{number % 100}", 0, None, None, str(number), None) for number in range(500)]
    for rate in ("none", "200/s"):
        with account(sandboxes[0]) as one:
            assert str(one.load(rows, dry=True).forecast).startswith("500 rows, 400 merged; 100 calls")
            result = one.load(rows, rate_limit=rate)
            assert (result.sent, result.merged, one.calls) == (100, 400, 100)
            assert one.load(rows).unchanged == 500
            more = one.load([*rows, ("u7", 0, None, None, "Goa", 2.0)])
            assert (more.sent, more.unchanged) == (1, 500)


def test_the_rows_of_a_call_that_fails_can_all_be_loaded_again(
    sandboxes: tuple[Sandbox, Sandbox], tmp_path: Path
) -> None:
    """Each names the row that carries it, is in the failures file and comes to `on_error`; then it is one call."""
    rows: list[Row] = [("a", 1, None, "x", "Pune", None), ("b", 0, None, None, None, None)]
    rows += [("a", 0, None, "y", None, 1.0), ("a", 0, None, None, "Goa", None)]
    failures, told = tmp_path / "failures.csv", []
    with account(sandboxes[0]) as one:
        sandboxes[0].force_for("a", ["400"])
        result = one.load(rows, failures=failures, on_error=lambda error, _: told.append(str(error)))
        lines = result.to_pandas()
        assert lines["status"].tolist() == ["rejected", "sent", "rejected", "rejected"]
        assert lines["message"][0] == lines["message"][2] == f"row 3 carries it: {lines['message'][3]}"
        assert len(told) == 3
        assert one.load_file(failures).attempts == 1
        assert one.users["a"][1:3] == ({"city": "Goa", "tier": 1.0}, ["x", "y"])
        assert one.load(rows).unchanged == 4


def test_rows_count_as_failures_and_not_calls(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    """`max_failures` is about rows: two calls of three rows each are too many for 4."""
    rows: list[Row] = [(user, 0, None, None, str(at), None) for at in range(3) for user in "abc"]
    with account(sandboxes[0]) as one:
        for user in "abc":
            sandboxes[0].force_for(user, ["400"])
        stopped = one.load(rows, max_failures=4, workers=1, max_queue_size=1).stopped
        assert stopped is not None
        assert stopped.reason == "too_many_failures"


def test_a_call_in_doubt_is_one_call_again(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    """Its answer never came. Rows that were accepted before stay unchanged, and the others are sent once more."""
    rows: list[Row] = [("a", 0, None, None, city, None) for city in ("Pune", "Goa", "Agra")]
    with account(sandboxes[0]) as one:
        assert one.load(rows[:1]).sent == 1
        sandboxes[0].force_for("a", ["cut"])
        assert one.load(rows, max_retries=0).to_pandas()["status"].tolist() == ["unchanged", "unknown", "unknown"]
        again = one.load(rows)
        assert (again.unchanged, again.merged, again.attempts) == (1, 1, 1)
        assert one.load(rows).unchanged == 3


def test_without_a_ledger_and_for_events_there_is_a_call_for_each_row(
    sandboxes: tuple[Sandbox, Sandbox], tmp_path: Path
) -> None:
    """The default is for users with a ledger, and a baseline records each row by itself."""
    frame = pd.DataFrame({"user": ["a", "a"], "city": ["Pune", "Goa"]})
    to: dict[str, Any] = {"api_key": sandboxes[0].api_key, "base_url": sandboxes[0].url}
    users: MappingDict = {"user_id": "user", "traits": ["city"]}
    assert load_users(frame, users, **to).sent == 2
    assert load_events(frame, {**users, "event": {"value": "X"}}, ledger=tmp_path / "events", **to).sent == 2
    assert baseline(frame, users, ledger=tmp_path / "users", **to).recorded == 2
    assert load_users(frame, users, ledger=tmp_path / "users", **to).unchanged == 2
