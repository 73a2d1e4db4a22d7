"""What the ledger promises, each promise a test, over the real sandbox."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from interakt_loader import MappingDict, check, load_events, load_users
from interakt_loader.errors import SettingsError
from interakt_loader.result import LoadResult
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess

USERS: MappingDict = {"user_id": "user", "traits": ["city"]}
EVENTS: MappingDict = {"user_id": "user", "event": {"value": "Visit"}, "traits": ["page"]}


class Loader:
    """Loads with one ledger into one sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.ledger = sandbox, folder / "own.ledger"

    def options(self, **options: Any) -> dict[str, Any]:
        return {
            "api_key": self.sandbox.api_key,
            "base_url": self.sandbox.url,
            "ledger": self.ledger,
            "rate_limit": None,
            **options,
        }

    def users(self, data: Any, **options: Any) -> LoadResult:
        return load_users(data, USERS, **self.options(**options))

    def events(self, data: Any, **options: Any) -> LoadResult:
        return load_events(data, EVENTS, **self.options(**options))


@pytest.fixture
def load(sandbox: Sandbox, tmp_path: Path) -> Loader:
    return Loader(sandbox, tmp_path)


def users(cities: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"user": list(cities), "city": list(cities.values())})


def counts(result: LoadResult) -> dict[str, int]:
    return {status: count for status, count in result.summary.counts.items() if count}


FIVE = {"a": "Pune", "b": "Agra", "c": "Goa", "d": "Kochi", "e": "Surat"}

# ------------------------------------------------------------------ resume


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_resume_after_a_kill(tmp_path: Path) -> None:
    """Killed with -9 in the middle, the same command continues: what was accepted is unchanged, the rest is sent."""
    rows = 400
    pd.DataFrame({"customer_id": [f"u{n}" for n in range(rows)], "city": "Pune"}).to_csv(tmp_path / "c.csv")
    with SandboxProcess(SandboxOptions(latency=0.01)) as sandbox:
        command = [sys.executable, "-m", "interakt_loader", "c.csv", "--base-url", sandbox.url, "--workers", "4", "-q"]
        command += ["--map", "user_id=customer_id"]
        environ = os.environ | {"INTERAKT_API_KEY": sandbox.api_key}
        process = subprocess.Popen(command, cwd=tmp_path, env=environ)
        while sandbox.stats().accepted < rows // 3:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        before = sandbox.stats().accepted
        command += ["--output", "json"]
        again = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=True, timeout=60)
        said = json.loads(again.stdout)
        assert said["exit"] == 0
        assert said["status"]["sent"] + said["status"]["unchanged"] == rows
        assert before - 4 <= said["status"]["unchanged"] <= before  # the four in flight may have been accepted
        assert sandbox.stats().users == rows
        assert sandbox.stats().accepted <= rows + 4


def test_resume_after_an_outage(load: Loader) -> None:
    """The server goes away for good in mid-load: exit 3; when it is back, the same load sends just the rest."""
    load.sandbox.force(["503"] * 3)
    first = load.users(users(FIVE), max_retries=0, workers=1)
    assert counts(first) == {"sent": 2, "failed": 3}
    second = load.users(users(FIVE))
    assert counts(second) == {"sent": 3, "unchanged": 2}


def test_resume_after_the_load_was_stopped(load: Loader) -> None:
    """A refused key in mid-load: what was accepted before is unchanged next time, all else is sent."""
    load.sandbox.force_for("c", ["401"])
    first = load.users(users(FIVE), workers=1)
    assert first.exit_code == 3
    assert counts(first) == {"sent": 2, "rejected": 1, "unsent": 2}
    assert counts(load.users(users(FIVE))) == {"sent": 3, "unchanged": 2}


# ------------------------------------------------------------------ only what failed


def test_only_what_failed_is_tried_again(load: Loader) -> None:
    """Rejected, failed, unknown and invalid rows go out the next time, fixed or not; accepted ones do not."""
    load.sandbox.force_for("b", ["400"])
    load.sandbox.force_for("c", ["500"])
    load.sandbox.force_for("d", ["cut"])
    frame = pd.concat([users(FIVE), pd.DataFrame({"user": [None], "city": ["Delhi"]})])
    first = load.users(frame, max_retries=0)
    assert counts(first) == {"sent": 2, "invalid": 1, "rejected": 1, "failed": 1, "unknown": 1}
    frame.iloc[5, 0] = "f"
    second = load.users(frame)
    assert counts(second) == {"sent": 4, "unchanged": 2}
    assert second.to_pandas().query("maybe_duplicate")["user_id"].tolist() == ["d"]
    assert counts(load.users(frame)) == {"unchanged": 6}


# ------------------------------------------------------------------ only what changed


def test_only_what_changed_is_sent(load: Loader) -> None:
    """Tomorrow's export: one user moved, one is new; two calls."""
    assert counts(load.users(users(FIVE))) == {"sent": 5}
    result = load.users(users({**FIVE, "c": "Panaji", "f": "Delhi"}))
    assert counts(result) == {"sent": 2, "unchanged": 4}
    assert set(result.to_pandas().query("status == 'sent'")["user_id"]) == {"c", "f"}
    user = load.sandbox.find_user("c")
    assert user is not None
    assert user.traits == {"city": "Panaji"}


def test_there_and_back_again_is_sent_again(load: Loader) -> None:
    """A→B→A across three loads: the third sends A, and the API ends with A."""
    for city in ("Pune", "Agra", "Pune"):
        assert counts(load.users(users({"a": city}))) == {"sent": 1}
    user = load.sandbox.find_user("a")
    assert user is not None
    assert user.traits == {"city": "Pune"}


def test_rows_added_on_top_or_shuffled_change_nothing(load: Loader) -> None:
    """Row numbers do not matter."""
    load.users(users(FIVE))
    on_top = pd.concat([users({"z": "Leh"}), users(FIVE)])
    assert counts(load.users(on_top)) == {"sent": 1, "unchanged": 5}
    assert counts(load.users(on_top.sample(frac=1, random_state=3))) == {"unchanged": 6}


def test_a_user_with_several_rows_is_unchanged_as_a_whole(load: Loader) -> None:
    """The same rows again: none is sent. A row less at the end: what is last now is sent."""
    frame = pd.DataFrame({"user": ["a", "b", "a", "a"], "city": ["Pune", "Agra", "Goa", "Kochi"]})
    assert counts(load.users(frame)) == {"sent": 2, "merged": 2}
    assert counts(load.users(frame)) == {"unchanged": 4}
    assert counts(load.users(frame.iloc[:3])) == {"sent": 1, "merged": 1, "unchanged": 1}
    user = load.sandbox.find_user("a")
    assert user is not None
    assert user.traits == {"city": "Goa"}


def test_a_user_of_whom_a_row_failed_is_sent_in_order_next_time(load: Loader) -> None:
    """a's first row is rejected, the second accepted: next time both go out, in order, and the last one wins."""
    frame = pd.DataFrame({"user": ["a", "a"], "city": ["Pune", "Goa"]})
    load.sandbox.force_for("a", ["400"])
    assert counts(load.users(frame, coalesce=False)) == {"sent": 1, "rejected": 1}
    assert counts(load.users(frame, coalesce=False)) == {"sent": 2}
    user = load.sandbox.find_user("a")
    assert user is not None
    assert user.traits == {"city": "Goa"}


# ------------------------------------------------------------------ events once


def visits(*pages: str) -> pd.DataFrame:
    return pd.DataFrame({"user": "a", "page": list(pages)})


def test_events_go_once(load: Loader) -> None:
    """Two identical rows are two events; the same input again sends none; one row more of it sends one."""
    frame = visits("/home", "/home", "/cart")
    assert counts(load.events(frame)) == {"sent": 3}
    assert counts(load.events(frame)) == {"unchanged": 3}
    assert counts(load.events(visits("/home", "/home", "/cart", "/home"))) == {"sent": 1, "unchanged": 3}
    assert Counter(event.traits["page"] for event in load.sandbox.events()) == {"/home": 3, "/cart": 1}


def test_an_identical_event_that_failed_is_tried_again(load: Loader) -> None:
    """Of three identical events the second is refused: next time just one goes out."""
    load.sandbox.force(["500"])
    frame = visits("/home", "/home", "/home")
    assert counts(load.events(frame, max_retries=0)) == {"sent": 2, "failed": 1}
    assert counts(load.events(frame)) == {"sent": 1, "unchanged": 2}
    assert load.sandbox.stats().events == 3


def test_an_event_id_tells_events_apart(load: Loader) -> None:
    """Two loads of different inputs: an id that was sent before is not sent again, whatever else the event says."""
    mapping: MappingDict = {"user_id": "user", "event": {"value": "Order Placed"}, "traits": ["amount"]}
    options = load.options(event_id="order")
    monday = pd.DataFrame({"user": "a", "order": [1.0, 2.0, 2.0, None], "amount": [10, 20, 20, 30]})
    first = load_events(monday, mapping, **options)
    assert counts(first) == {"sent": 2, "merged": 1, "invalid": 1}
    lines = first.to_pandas()
    assert lines["code"].tolist()[2:] == ["event_id_repeated", "event_id_missing"]
    tuesday = pd.DataFrame({"user": "a", "order": ["2", "3"], "amount": [21, 10]})
    second = load_events(tuesday, mapping, **options)
    assert counts(second) == {"sent": 1, "unchanged": 1}
    assert second.to_pandas()["code"].tolist()[0] == "event_content_differs"
    assert [event.traits["amount"] for event in load.sandbox.events()] == [10, 20, 10]


# ------------------------------------------------------------------ one ledger, several loads


def test_resend_sends_all_and_renews_the_ledger(load: Loader) -> None:
    """With `resend` every row goes out; events that were there before are marked; afterwards all are unchanged."""
    load.users(users(FIVE))
    assert counts(load.users(users(FIVE), resend=True)) == {"sent": 5}
    assert counts(load.users(users(FIVE))) == {"unchanged": 5}
    load.events(visits("/home"))
    result = load.events(visits("/home", "/cart"), resend=True)
    assert result.to_pandas()["maybe_duplicate"].tolist() == [True, False]
    assert load.events(visits("/home", "/cart")).to_pandas()["maybe_duplicate"].tolist() == [True, False]


def test_a_ledger_of_another_destination_is_never_applied(load: Loader, tmp_path: Path) -> None:
    """Another address: everything is sent there too, and the first destination's knowledge stays."""
    load.users(users(FIVE))
    with Sandbox() as other:
        for expected in ({"sent": 5}, {"unchanged": 5}):
            result = load_users(users(FIVE), USERS, api_key=other.api_key, base_url=other.url, ledger=load.ledger)
            assert counts(result) == expected
    assert counts(load.users(users(FIVE))) == {"unchanged": 5}


def test_users_and_events_of_one_ledger_are_kept_apart(load: Loader) -> None:
    """The same table as users and as events: each is sent once."""
    frame = users(FIVE).assign(page="/home")
    assert counts(load.users(frame)) == {"sent": 5}
    assert counts(load.events(frame)) == {"sent": 5}
    assert counts(load.users(frame)) == {"unchanged": 5}


def test_a_second_load_on_the_same_ledger_is_told_so(load: Loader) -> None:
    """While one load runs, another one with its ledger gets one clear line, and the first is not disturbed."""
    heard: list[str] = []

    def meanwhile(error: Exception, queue_msg: dict[str, Any]) -> None:
        with pytest.raises(SettingsError, match=r"own\.ledger: is in use by another load") as caught:
            load.users(users(FIVE))
        heard.append(str(caught.value))

    load.sandbox.force_for("c", ["400"])
    assert counts(load.users(users(FIVE), on_error=meanwhile)) == {"sent": 4, "rejected": 1}
    assert len(heard) == 1


# ------------------------------------------------------------------ in doubt


def test_a_doubted_event_is_sent_again_and_marked(load: Loader) -> None:
    """Accepted, and the answer was cut: `unknown`. Next time it is sent again, marked, and stays marked."""
    load.sandbox.force_for("a", ["cut"])
    first = load.events(visits("/home", "/cart"), max_retries=0)
    assert counts(first) == {"sent": 1, "unknown": 1}
    second = load.events(visits("/home", "/cart"))
    assert second.to_pandas()["maybe_duplicate"].tolist() == [True, False]
    third = load.events(visits("/home", "/cart"))
    assert counts(third) == {"unchanged": 2}
    assert third.to_pandas()["maybe_duplicate"].tolist() == [True, False]
    assert load.sandbox.stats().events == 3


def test_a_doubted_event_can_be_skipped(load: Loader) -> None:
    """`on_unknown="skip"`: it is not retried, not sent the next time either, and is `unknown` both times."""
    load.sandbox.force_for("a", ["cut"])
    first = load.events(visits("/home", "/cart"), on_unknown="skip")
    assert counts(first) == {"sent": 1, "unknown": 1}
    second = load.events(visits("/home", "/cart"), on_unknown="skip")
    assert counts(second) == {"unchanged": 1, "unknown": 1}
    assert second.to_pandas()["code"].tolist()[0] == "in_doubt"
    assert load.sandbox.stats().events == 2
    assert counts(load.events(visits("/home", "/cart"))) == {"sent": 1, "unchanged": 1}


def test_a_doubted_user_takes_what_it_may_have_overwritten_along(load: Loader) -> None:
    """Pune is accepted; Agra's answer is lost; the next input says Pune: it must be sent, for Agra may hold."""
    load.users(users({"a": "Pune"}))
    load.sandbox.force_for("a", ["cut"])
    assert counts(load.users(users({"a": "Agra"}), max_retries=0)) == {"unknown": 1}
    assert counts(load.users(users({"a": "Pune"}))) == {"sent": 1}
    user = load.sandbox.find_user("a")
    assert user is not None
    assert user.traits == {"city": "Pune"}


# ------------------------------------------------------------------ around it


def test_a_dry_run_tells_what_would_go_and_leaves_the_ledger_alone(load: Loader) -> None:
    """With a ledger: unchanged and to be sent. Without one there, none is made. Nothing is sent either way."""
    changed = users({**FIVE, "c": "Panaji"})
    assert counts(check(changed, USERS, **load.options())) == {"unsent": 5}
    assert not load.ledger.exists()
    load.users(users(FIVE))
    calls = load.sandbox.stats().calls
    for _ in range(2):
        result = check(changed, USERS, **load.options())
        assert counts(result) == {"unsent": 1, "unchanged": 4}
    assert load.sandbox.stats().calls == calls


def test_a_source_that_can_be_read_once_does(load: Loader) -> None:
    """An Arrow reader: planned and sent in one reading."""
    table = pa.Table.from_pandas(users(FIVE))
    assert counts(load.users(table.to_reader())) == {"sent": 5}
    assert counts(load.users(table.to_reader())) == {"unchanged": 5}


def test_a_source_that_changes_during_the_load_does_no_harm(load: Loader, tmp_path: Path) -> None:
    """The file is emptied while the first call is out: every row that was in it at the start is sent."""
    path = tmp_path / "users.csv"
    pd.DataFrame({"user": range(12_000), "city": "Pune"}).to_csv(path)
    emptied: list[bool] = []

    def empty(error: Exception, queue_msg: dict[str, Any]) -> None:
        path.write_text("")
        emptied.append(True)

    load.sandbox.force_for("0", ["400"])
    result = load.users(path, on_error=empty, max_queue_size=100)
    assert emptied
    assert counts(result) == {"sent": 11_999, "rejected": 1}


def test_nothing_is_left_beside_the_ledger(load: Loader, tmp_path: Path) -> None:
    """After a load there is the ledger, and no file of a plan, a journal or calls in flight."""
    load.users(users(FIVE))
    assert [path.name for path in tmp_path.iterdir()] == ["own.ledger"]


def test_options_that_need_a_ledger_say_so() -> None:
    """`resend` and `event_id` without one, `event_id` for users, a column that is not there."""
    frame = visits("/home")
    with pytest.raises(SettingsError, match="resend is about the ledger"):
        load_events(frame, EVENTS, api_key="k", resend=True)
    with pytest.raises(SettingsError, match="event_id is about the ledger"):
        load_events(frame, EVENTS, api_key="k", event_id="page")
    with pytest.raises(SettingsError, match="event_id is for events"):
        load_users(users(FIVE), USERS, api_key="k", event_id="city", ledger="x")
    with pytest.raises(SettingsError, match="no such column: 'pages'; did you mean 'page'"):
        load_events(frame, EVENTS, api_key="k", event_id="pages", ledger="x")
