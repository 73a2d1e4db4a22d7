"""The ledger's file."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interakt_loader.errors import SettingsError
from interakt_loader.ledger.decide import Known
from interakt_loader.ledger.store import VERSION, News, Store
from tests.ledger.test_decide import A, B, C, state, taken

KEY = b"k" * 16


def after(path: Path, *groups: list[News]) -> Known | None:
    """Append each group and merge, then say what is known of KEY."""
    store = Store(path)
    try:
        for group in groups:
            store.append(group)
            store.merge()
        return store.known(KEY)
    finally:
        store.close()


def test_steps_of_one_user_in_one_go(tmp_path: Path) -> None:
    """First A, then B on top of it: the state of the two."""
    news: list[News] = [(KEY, A, None, False), (KEY, A + state(A, B), None, True)]
    assert after(tmp_path / "l", news) == Known(state(A, B), None, True)


def test_a_step_whose_predecessor_failed_matches_nothing(tmp_path: Path) -> None:
    """B on top of A, but A is not there: no state that any input leads to."""
    known = after(tmp_path / "l", [(KEY, A + state(A, B), None, False)])
    assert known is not None
    assert known.state not in (A, B, state(A, B))
    assert after(tmp_path / "l", [(KEY, A + state(A, B), None, False)], [(KEY, A + state(A, B), None, False)]) == Known(
        b"", None, False
    )


def test_taking_the_same_in_again_changes_nothing(tmp_path: Path) -> None:
    """What a killed load left behind may be taken in twice."""
    news: list[News] = [(KEY, A, None, False), (KEY, A + state(A, B), None, False)]
    assert after(tmp_path / "l", news, news, news) == Known(state(A, B), None, False)


def test_a_doubt_leaves_the_state_and_an_acceptance_ends_the_doubt(tmp_path: Path) -> None:
    """In doubt about B after A; then B is accepted."""
    doubt: News = (KEY, b"", state(A, B), False)
    assert after(tmp_path / "l", [(KEY, A, None, True)], [doubt]) == Known(A, state(A, B), True)
    assert after(tmp_path / "l", [(KEY, A + state(A, B), None, True)]) == Known(state(A, B), None, True)
    assert after(tmp_path / "new", [doubt]) == Known(b"", state(A, B), False)


@settings(deadline=None)  # it writes files: how long that takes says nothing
@given(
    steps=st.lists(st.sampled_from([A, B, C, A + state(A, B), state(A, B) + state(A, B, C)]), min_size=1, max_size=6)
)
def test_the_sql_does_what_the_model_of_the_other_test_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[bytes]
) -> None:
    """Any sequence of steps, all at once or one by one, leads to the state that `taken` leads to."""
    held: bytes | None = None
    for step in steps:
        held = taken(held, step)
    folder = tmp_path_factory.mktemp("store")
    news: list[News] = [(KEY, step, None, False) for step in steps]
    for known in (after(folder / "at once", news), after(folder / "one by one", *[[one] for one in news])):
        assert known is not None
        matches = {A, B, C, state(A, B), state(A, B, C)}
        assert (known.state if known.state in matches else b"") == held


def test_two_loads_cannot_have_it_at_once(tmp_path: Path) -> None:
    """A second one, in this process or another, is told so in one line; after the first it may."""
    store = Store(tmp_path / "l")
    with pytest.raises(SettingsError, match="is in use by another load"):
        Store(tmp_path / "l")
    path = str(tmp_path / "l")
    code = f"from pathlib import Path; from interakt_loader.ledger.store import Store; Store(Path({path!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "is in use by another load" in done.stderr
    store.close()
    Store(tmp_path / "l").close()


def test_what_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A text file, somebody's database, a ledger of a later version, a folder, a folder that is not there."""
    text = tmp_path / "text"
    text.write_text("customer_id,mobile\n" * 100)
    with pytest.raises(SettingsError, match="is no ledger; choose another path"):
        Store(text)
    assert text.read_text() == "customer_id,mobile\n" * 100
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE calls (number)")
    db.close()
    with pytest.raises(SettingsError, match="some other SQLite database"):
        Store(other)
    later = tmp_path / "later"
    Store(later).close()
    with sqlite3.connect(later) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(SettingsError, match="newer interakt_loader"):
        Store(later)
    with pytest.raises(SettingsError, match="cannot be opened"):
        Store(tmp_path)
    with pytest.raises(SettingsError, match=r"cannot be opened: No such file|cannot be opened: .*directory"):
        Store(tmp_path / "nowhere" / "l")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")
def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """The file is made with mode 0600."""
    Store(tmp_path / "l").close()
    assert stat.S_IMODE((tmp_path / "l").stat().st_mode) == 0o600
