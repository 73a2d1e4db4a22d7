"""The parts of a ledger: nothing is lost and nothing sent twice, whichever process is killed and whoever comes next."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interakt_loader import load_events
from interakt_loader.errors import NotJustNow, SettingsError
from interakt_loader.integrations.spark.task import send_calls
from interakt_loader.ledger import Ledger
from interakt_loader.ledger.loads import ThisLoad
from interakt_loader.ledger.parts import PartsHeld, folder_of, paths_of
from interakt_loader.ledger.plan import _KNOWN_IN_PART
from interakt_loader.ledger.store import _TAKE_OVER, Store
from interakt_loader.model import Kind
from interakt_loader.privacy.secrets import hidden
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.settings import Settings
from tests.ledger.in_parts import (
    NOWHERE,
    Fate,
    Row,
    calls_of,
    each_kill,
    left_by_kill,
    load_in_parts,
    load_of,
    mapping_of,
    process,
    record_of,
)
from tests.thorough import IS_LONG

POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork, and no SIGKILL")
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def rows(count: int, first: int = 0) -> list[Row]:
    return [(f"u{number % 10}", f"city {number}") for number in range(first, count)]


def to(sandbox: Sandbox | SandboxProcess, **options: int) -> Settings:
    return Settings(api_key=hidden(sandbox.api_key), base_url=sandbox.url, rate_limit=None, **options)  # type: ignore[arg-type]


def statuses(lines: list[dict[str, object]]) -> dict[object, int]:
    return dict(Counter(line["status"] for line in lines))


def arrived(sandbox: Sandbox | SandboxProcess) -> Counter[str]:
    """Return how often each event was accepted."""
    return Counter(one.traits["city"] for one in sandbox.events())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def on_record(path: Path, expected: list[Row], kind: Kind = "event") -> tuple[int, int]:
    """Return how many of these rows are on record, and how many are in doubt, in a copy of the ledger."""
    with Ledger.snapshot(path, kind, NOWHERE) as ledger:
        plan = ledger.plan([one.drop_columns(["bucket"]) for one in calls_of(expected, kind, 1)[0]])
        return plan.unchanged, plan.doubted


# ------------------------------------------------------------------ one ledger


def test_what_parts_send_is_on_record_in_the_one_ledger(sandbox: Sandbox, tmp_path: Path) -> None:
    """A load in 3 parts, one in 2 and one without: each sends what is new. Nothing stays beside the ledger."""
    ledger = tmp_path / "own.ledger"
    assert statuses(load_in_parts(ledger, rows(40), to(sandbox), count=3)) == {"sent": 40}
    assert statuses(load_in_parts(ledger, rows(60), to(sandbox), count=2)) == {"sent": 20, "unchanged": 40}
    assert names(tmp_path) == {"own.ledger"}
    table = {"user": [user for user, _ in rows(70)], "city": [city for _, city in rows(70)]}
    result = load_events(
        pa.table(table),
        mapping_of("event"),
        api_key=sandbox.api_key,
        base_url=sandbox.url,
        ledger=ledger,
        name="seen",
    )
    assert (result.sent, result.unchanged) == (10, 60)
    assert statuses(load_in_parts(ledger, rows(70), to(sandbox), count=5)) == {"unchanged": 70}
    assert arrived(sandbox) == Counter(f"city {number}" for number in range(70))


def test_a_changed_user_is_sent_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Parts compare users with the ledger: a user with several rows, one who changed, one who returned."""
    ledger = tmp_path / "own.ledger"
    first: list[Row] = [("a", "Pune"), ("b", "Agra"), ("a", "Goa"), ("c", "Leh")]
    assert statuses(load_in_parts(ledger, first, to(sandbox), "user")) == {"sent": 3, "merged": 1}
    second: list[Row] = [("a", "Pune"), ("b", "Surat"), ("a", "Goa"), ("c", "Leh"), ("a", "Diu")]
    lines = load_in_parts(ledger, second, to(sandbox), "user", count=2)
    assert statuses(lines) == {"unchanged": 3, "sent": 2}
    assert statuses(load_in_parts(ledger, second, to(sandbox), "user")) == {"unchanged": 5}
    assert statuses(load_in_parts(ledger, [("b", "Agra")], to(sandbox), "user")) == {"sent": 1}
    assert {one.user_id: one.traits["city"] for one in sandbox.users()} == {"a": "Diu", "b": "Agra", "c": "Leh"}


def test_parts_are_for_their_owner_only(tmp_path: Path) -> None:
    """The folder and all files in it, as every ledger."""
    with Ledger(tmp_path / "own.ledger", "event", NOWHERE) as ledger:
        load = load_of(NOWHERE, "event", ledger, 2)
        assert load.parts is not None
        with Ledger.of_part(load.parts, 0, "event", NOWHERE):
            folder = tmp_path / "own.ledger.parts"
            assert names(folder) == {
                "load", "00000.ledger", "00000.ledger-calls", "00000.ledger-wal", "00001.ledger"
            }  # fmt: skip
            if os.name == "posix":
                assert folder.stat().st_mode & 0o777 == 0o700
                assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}


def test_a_first_load_with_a_wrong_key_leaves_the_ledger_to_the_right_one(tmp_path: Path) -> None:
    """Nothing was accepted, so nothing is on record that belongs to an account."""
    with Sandbox(SandboxOptions(api_key="right")) as sandbox:
        wrong = replace(to(sandbox), api_key=hidden("wrong"))
        assert "sent" not in statuses(load_in_parts(tmp_path / "own.ledger", rows(9), wrong))
        assert statuses(load_in_parts(tmp_path / "own.ledger", rows(9), to(sandbox))) == {"sent": 9}


@POSIX
def test_a_link_and_a_relative_path_lead_to_the_parts(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are beside the real file, whatever characters its path has."""
    folder = tmp_path / "100 % #1"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    Path("link.ledger").symlink_to(folder / "own.ledger")
    assert statuses(load_in_parts(Path("link.ledger"), rows(9), to(sandbox))) == {"sent": 9}
    assert statuses(load_in_parts(Path("100 % #1/own.ledger"), rows(9), to(sandbox))) == {"unchanged": 9}
    assert names(folder) == {"own.ledger"}


# ------------------------------------------------------------------ killed


@POSIX
@FORKS
@pytest.mark.parametrize("killed", ["task", "driver and tasks"])
def test_a_kill_costs_the_calls_in_flight_only(tmp_path: Path, killed: str) -> None:
    """Killed with -9 while the parts send. The next opening knows every call that was accepted. The rest is sent. At
    most the calls in flight arrive twice, and they are marked."""
    path, all_rows, workers = tmp_path / "own.ledger", rows(300), 4
    with SandboxProcess(SandboxOptions(latency=0.01)) as sandbox:
        options = to(sandbox, workers=workers)
        ready = os.pipe()
        driver = os.fork()
        if driver == 0:
            ledger = Ledger(path, "event", options)
            os.write(ready[1], pickle.dumps(replace(load_of(options, "event", ledger, 2), with_secrets=True)))
            signal.pause()
        load = pickle.loads(os.read(ready[0], 1 << 16))
        tasks = []
        for number, calls in enumerate(calls_of(all_rows, "event", 2)):
            if (task := os.fork()) == 0:
                list(send_calls(calls, number, load))
                os._exit(0)
            tasks.append(task)
        while sandbox.stats().accepted < 100:
            time.sleep(0.005)
        ended = [driver, *tasks] if killed == "driver and tasks" else tasks[:1]
        os.kill(ended[0], signal.SIGKILL)
        os.waitpid(ended[0], 0)
        if killed == "driver and tasks":
            with pytest.raises(PartsHeld, match="tasks of a load by Spark that has ended still write to its parts"):
                Ledger(path, "event", options)
            for task in tasks:
                os.kill(task, signal.SIGKILL)
                os.waitpid(task, 0)
            in_flight = 2 * workers
        else:
            os.waitpid(tasks[1], 0)
            list(send_calls(calls_of(all_rows, "event", 2)[0], 0, load))
            os.kill(driver, signal.SIGKILL)
            os.waitpid(driver, 0)
            in_flight = workers
        lines = load_in_parts(path, all_rows, options, count=3)
        for end in ready:
            os.close(end)
        came = arrived(sandbox)
        twice = {city for city, times in came.items() if times > 1}
        assert set(came) == {city for _, city in all_rows}
        assert max(came.values()) <= 2
        assert len(twice) <= in_flight
        print(f"{killed} killed: {sum(came.values())} calls accepted for 300 rows, {len(twice)} twice")
        assert statuses(lines).keys() <= {"sent", "unchanged"}
        assert statuses(lines)["unchanged"] >= 100 - in_flight
        assert sum(bool(line["maybe_duplicate"]) for line in lines) >= len(twice)
        assert statuses(load_in_parts(path, all_rows, options)) == {"unchanged": 300}
        assert names(tmp_path) == {"own.ledger"}


def killed_load(path: Path, kind: Kind = "event", *, accepted: int = 20) -> list[Row]:
    """Leave what a killed load in 3 parts leaves: calls on record, merged into the part or not, one answered and not on
    record, one in flight. What is not merged yet continues what is, so that a second merge would not be the same."""
    # a call for each row, so that a user has several journal entries
    settings = replace(NOWHERE, coalesce=False)
    with Ledger(path, kind, settings) as ledger:
        process(ledger, calls_of(rows(accepted), kind, 1)[0], ["sent"])
    # the rows of a user follow one another, so that each part has several of one user
    more = sorted(rows(2 * accepted + 10, accepted))
    ledger = Ledger(path, kind, settings)
    load = load_of(settings, kind, ledger, 3)
    assert load.parts is not None
    for number, calls in enumerate(calls_of(more, kind, 3)):
        with Ledger.of_part(load.parts, number, kind, settings) as part:
            process(part, calls, ["sent", "refused", "unknown" if number == 2 else "refused"])
        part = Ledger.of_part(load.parts, number, kind, settings)
        assert process(part, calls, ["sent", "answered"] if number else ["in flight"])[0]
        left_by_kill(load.parts.path(number), part.close)
    left_by_kill(path, ledger.close, others=True)
    return [*rows(accepted), *more]


@POSIX
@FORKS
@pytest.mark.parametrize("kind", ["event", "user"])
def test_a_merge_that_is_killed_at_any_step_is_completed(tmp_path: Path, kind: Kind) -> None:
    """Whoever opens the ledger next has the same record as after a merge that was not killed."""
    folder = tmp_path / "left"
    folder.mkdir()
    expected = killed_load(folder / "own.ledger", kind)
    shutil.copytree(folder, tmp_path / "whole")
    Ledger(tmp_path / "whole" / "own.ledger", kind, NOWHERE).close()
    whole = record_of(tmp_path / "whole" / "own.ledger")
    assert names(tmp_path / "whole") == {"own.ledger"}
    known = on_record(tmp_path / "whole" / "own.ledger", expected, kind)
    # the input of these users is not what was sent, so that only their record shows it
    assert kind == "user" or (known[0] > 30 and known[1] > 0)
    kills = 0
    for copy in each_kill(folder, lambda at: Ledger(at / "own.ledger", kind, NOWHERE).close(), every=3):
        kills += 1
        assert on_record(copy / "own.ledger", expected, kind) == known
        Ledger(copy / "own.ledger", kind, NOWHERE).close()
        assert record_of(copy / "own.ledger") == whole
        assert names(copy) == {"own.ledger"}
    print(f"a merge killed at {kills} steps")
    assert kills > 30


@POSIX
@FORKS
def test_parts_that_are_only_half_created_are_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Killed at any step before the first task: the next load finds the ledger as it was, and no warning says that
    something is lost."""
    folder = tmp_path / "left"
    folder.mkdir()
    path = folder / "own.ledger"
    with Ledger(path, "event", NOWHERE) as ledger:
        process(ledger, calls_of(rows(20), "event", 1)[0], ["sent"])
    before, kills = record_of(path), 0

    def divide(at: Path) -> None:
        opened = Ledger(at / "own.ledger", "event", NOWHERE)
        opened.divide(2)
        os.kill(os.getpid(), signal.SIGKILL)

    for copy in each_kill(folder, divide, every=3):
        kills += 1
        Ledger(copy / "own.ledger", "event", NOWHERE).close()
        assert record_of(copy / "own.ledger") == before
        assert names(copy) == {"own.ledger"}
        if kills > 50:
            break
    print(f"the making of parts killed at {kills} steps")
    assert kills > 20
    assert caplog.text == ""


@pytest.mark.parametrize("sends", [False, True])
def test_a_load_in_parts_that_fails_leaves_no_trace_unless_something_was_sent(tmp_path: Path, sends: bool) -> None:
    """Such as by an error of a query: what was noted before it is there again."""
    path = tmp_path / "own.ledger"

    def fail() -> None:
        with Ledger(path, "event", NOWHERE) as ledger:
            ledger.loads.check(ThisLoad(("orders",), False, {"user_id": ["id"]}, {}), "l")
            ledger.loads.begin()
            parts = ledger.divide(1)
            with Ledger.of_part(parts, 0, "event", NOWHERE) as part:
                process(part, calls_of(rows(3), "event", 1)[0], ["sent" if sends else "refused"])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with Ledger(path, "event", NOWHERE) as ledger:
        assert ledger.loads.is_first is not sends
    assert names(tmp_path) == {"own.ledger"}


# ------------------------------------------------------------------ the next opening


def test_of_two_openings_at_once_one_merges(tmp_path: Path) -> None:
    """The other waits for its turn, and both find the same."""
    expected = killed_load(tmp_path / "own.ledger")
    begin, found, refused = threading.Barrier(4), [], []

    def run() -> None:
        begin.wait()
        try:
            with Ledger(tmp_path / "own.ledger", "event", NOWHERE) as ledger:
                found.append(ledger.on_record)
        except NotJustNow:
            refused.append(True)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for action in (threading.Thread.start, threading.Thread.join):
        for thread in threads:
            action(thread)
    assert len(found) + len(refused) == 4
    assert len(set(found)) == 1
    assert on_record(tmp_path / "own.ledger", expected)[0] > 30
    assert names(tmp_path) == {"own.ledger"}


def test_while_a_task_holds_its_part_nobody_writes_to_the_ledger(tmp_path: Path) -> None:
    """The driver leaves the merge to the next opening, which is refused until the task has ended."""
    path = tmp_path / "own.ledger"
    with Ledger(path, "event", NOWHERE) as ledger:
        process(ledger, calls_of(rows(5), "event", 1)[0], ["sent"])
    ledger = Ledger(path, "event", NOWHERE)
    load = load_of(NOWHERE, "event", ledger, 2)
    assert load.parts is not None
    part = Ledger.of_part(load.parts, 0, "event", NOWHERE)
    before = path.read_bytes()
    assert not ledger.merge_parts()
    ledger.close()
    with pytest.raises(
        PartsHeld, match=r"own\.ledger: tasks of a load by Spark that has ended .*, then run this again$"
    ):
        Ledger(path, "event", NOWHERE)
    assert path.read_bytes() == before
    process(part, calls_of(rows(9), "event", 2)[0], ["sent"])
    part.close()
    with pytest.raises(SettingsError, match="the load of this task has ended"):
        load.parts.open(1)
    unchanged, _ = on_record(path, rows(9))
    assert unchanged > 5
    Ledger(path, "event", NOWHERE).close()
    assert on_record(path, rows(9)) == (unchanged, 0)
    assert names(tmp_path) == {"own.ledger"}


def test_a_task_that_begins_late_writes_to_no_other_load(tmp_path: Path) -> None:
    """Its load has ended, and another one has made parts with the same names. Where there are none it makes none."""
    path = tmp_path / "own.ledger"
    with Ledger(path, "event", NOWHERE) as ledger:
        late = load_of(NOWHERE, "event", ledger, 2).parts
    assert late is not None
    with pytest.raises(SettingsError, match="not on this worker, or their load has ended"):
        late.open(0)
    assert names(tmp_path) == {"own.ledger"}
    with Ledger(path, "event", NOWHERE) as ledger:
        ledger.divide(2)
        before = {one.name: one.read_bytes() for one in folder_of(path).iterdir()}
        with pytest.raises(SettingsError, match="the load of this task has ended"):
            late.open(0)
        assert {one.name: one.read_bytes() for one in folder_of(path).iterdir()} == before


def test_a_dry_run_counts_what_parts_hold_and_changes_nothing(tmp_path: Path) -> None:
    """Those of a killed load, and those of one that is running."""
    path = tmp_path / "own.ledger"
    expected = killed_load(path)

    def state() -> dict[str, tuple[int, bytes]]:
        return {str(one): (one.stat().st_mtime_ns, one.read_bytes()) for one in tmp_path.rglob("*") if one.is_file()}

    before = state()
    assert len(before) > 6
    counts = [on_record(path, expected) for _ in range(2)]
    assert state() == before
    assert counts[0] == counts[1]
    assert counts[0][0] > 30
    with Ledger(path, "event", NOWHERE) as ledger:
        assert on_record(path, expected) == counts[0]
        load = load_of(NOWHERE, "event", ledger, 2)
        assert load.parts is not None
        with Ledger.of_part(load.parts, 0, "event", NOWHERE) as part:
            process(part, calls_of(rows(90), "event", 2)[0], ["sent"])
            before = state()
            assert on_record(path, rows(90))[0] > counts[0][0]
            assert state() == before


def test_a_damaged_part_is_refused_in_one_line_and_loses_nothing(tmp_path: Path) -> None:
    """The line names the file and the way out. What the other parts hold is still there after it."""
    path = tmp_path / "own.ledger"
    expected = killed_load(path)
    whole = on_record(path, expected)[0]
    part = paths_of(folder_of(path))[1]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    good = part.read_bytes()
    part.write_bytes(content)
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"parts.00001\.ledger: is damaged .*; put back a copy of it, or delete it: then what its task has sent is sent again$"):  # fmt: skip # noqa: E501
            Ledger(path, "event", NOWHERE)
    assert len(paths_of(folder_of(path))) == 3
    part.unlink()
    assert 0 < on_record(path, expected)[0] < whole
    part.write_bytes(good)
    Ledger(path, "event", NOWHERE).close()
    assert names(tmp_path) == {"own.ledger"}


@pytest.mark.parametrize("lost", ["folder", "one part"])
def test_a_ledger_without_all_of_its_parts_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lost: str
) -> None:
    """As one that was copied without its log: what those parts held is sent again."""
    path = tmp_path / "own.ledger"
    expected = killed_load(path)
    if lost == "folder":
        shutil.rmtree(folder_of(path))
    else:
        paths_of(folder_of(path))[0].unlink()
    for _ in range(2):
        with caplog.at_level(logging.WARNING):
            Ledger(path, "event", NOWHERE).close()
    assert [one.message for one in caplog.records] == [
        f"ledger {path}: was copied or moved while a load by Spark was using it, without all files of the folder "
        "own.ledger.parts: what that load sent is not on record here, and is sent again"
    ]
    assert on_record(path, expected)[0] >= 20


def test_a_part_without_the_files_beside_it_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As a ledger does: somebody has copied only the parts themselves."""
    path = tmp_path / "own.ledger"
    killed_load(path)
    for number in range(3):
        for ending in ("calls", "wal"):
            (folder_of(path) / f"{number:05}.ledger-{ending}").unlink()
    Ledger(path, "event", NOWHERE).close()
    assert [one.message.partition(", without")[0] for one in caplog.records] == [
        f"ledger {part}: was copied or moved while a load was using it"
        for part in (folder_of(path) / f"{number:05}.ledger" for number in range(3))
    ]


def test_parts_of_another_ledger_are_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody has put another ledger in the place of one whose load was killed. Both keep what they know."""
    path, other = tmp_path / "own.ledger", tmp_path / "other.ledger"
    expected = killed_load(path)
    with Ledger(other, "event", NOWHERE) as ledger:
        process(ledger, calls_of(rows(7), "event", 1)[0], ["sent"])
    whole = on_record(path, expected)
    (tmp_path / "kept").mkdir()
    path.rename(tmp_path / "kept" / "own.ledger")
    for one in tmp_path.glob("own.ledger-*"):
        one.unlink()
    other.rename(path)
    Ledger(path, "event", NOWHERE).close()
    assert on_record(path, rows(7)) == (7, 0)
    assert "own.ledger.parts: belongs to another ledger, and is set aside as own.ledger.parts-1" in caplog.text
    (tmp_path / "own.ledger.parts-1").rename(tmp_path / "kept" / "own.ledger.parts")
    assert on_record(tmp_path / "kept" / "own.ledger", expected) == whole


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """And so are other files in the folder of the parts."""
    path = tmp_path / "own.ledger"
    folder_of(path).mkdir()
    (folder_of(path) / "notes.txt").write_text("mine", encoding="utf-8")
    with Ledger(path, "event", NOWHERE) as ledger:
        ledger.divide(2)
    assert names(folder_of(path)) == {"notes.txt"}
    shutil.rmtree(folder_of(path))
    folder_of(path).write_text("mine", encoding="utf-8")
    with Ledger(path, "event", NOWHERE) as ledger, pytest.raises(SettingsError, match="its parts cannot be made in"):
        ledger.divide(2)
    assert folder_of(path).read_text(encoding="utf-8") == "mine"


def test_a_ledger_that_is_not_as_the_driver_left_it_is_refused_to_tasks(tmp_path: Path) -> None:
    """Replaced by another one, or damaged: a task sends nothing by it."""
    path = tmp_path / "own.ledger"
    with Ledger(path, "event", NOWHERE) as ledger:
        process(ledger, calls_of(rows(20), "event", 1)[0], ["sent"])
    Ledger(tmp_path / "other.ledger", "event", NOWHERE).close()
    with Ledger(path, "event", NOWHERE) as ledger:
        parts = load_of(NOWHERE, "event", ledger, 1).parts
        assert parts is not None
        good = path.read_bytes()
        for wrong in ((tmp_path / "other.ledger").read_bytes(), good[:-100] + bytes([good[-100] ^ 1]) + good[-99:]):
            path.write_bytes(wrong)
            with pytest.raises(SettingsError, match="is not as its load has left it, or is damaged; nothing was sent"):
                parts.open(0)
        path.write_bytes(good)
        parts.open(0).close()


# ------------------------------------------------------------------ the same record


@st.composite
def _loads(draw: st.DrawFn) -> tuple[Kind, list[tuple[list[Row], int, list[list[list[Fate]]], bool]]]:
    """Draw a kind and some loads: rows, number of parts, the fates in each attempt of each task, a killed driver."""
    kind: Kind = draw(st.sampled_from(["user", "event"]))
    row = st.tuples(st.sampled_from("abcd"), st.sampled_from(["Pune", "Goa", "Leh"]))
    fates = st.lists(st.sampled_from(["sent", "sent", "unknown", "refused", "answered", "in flight"]), min_size=1, max_size=5)  # fmt: skip # noqa: E501
    found = []
    for _ in range(draw(st.integers(1, 3))):
        count = draw(st.integers(1, 3))
        attempts = [draw(st.lists(fates, min_size=1, max_size=3)) for _ in range(count)]
        found.append((draw(st.lists(row, min_size=1, max_size=8)), count, attempts, draw(st.booleans())))
    return kind, found


@given(_loads())
@settings(max_examples=200 if IS_LONG else 25)
def test_loads_in_parts_leave_the_same_record_as_loads_without(
    tmp_path_factory: pytest.TempPathFactory,
    loads: tuple[Kind, list[tuple[list[Row], int, list[list[list[Fate]]], bool]]],
) -> None:
    """Whatever is accepted, refused or in doubt, and whoever is killed: the same calls are made, and in the end the
    ledgers hold the same."""
    kind, history = loads
    folder = tmp_path_factory.mktemp("record")
    one, many = folder / "one" / "own.ledger", folder / "many" / "own.ledger"
    one.parent.mkdir()
    with Ledger(one, kind, NOWHERE) as ledger:  # both have the same account's secret
        process(ledger, calls_of([("seed", "Pune")], kind, 1)[0], ["sent"])
    shutil.copytree(one.parent, many.parent)
    for rows_of_load, count, attempts, driver_is_killed in history:
        driver = Ledger(many, kind, NOWHERE)
        parts = load_of(NOWHERE, kind, driver, count).parts
        assert parts is not None
        for number, calls in enumerate(calls_of(rows_of_load, kind, count)):
            for fates in attempts[number]:
                ledger, part = Ledger(one, kind, NOWHERE), Ledger.of_part(parts, number, kind, NOWHERE)
                is_killed, made = process(ledger, calls, fates)
                assert process(part, calls, fates) == (is_killed, made)
                if not is_killed:
                    ledger.close()
                    part.close()
                    break
                left_by_kill(one, ledger.close)
                left_by_kill(parts.path(number), part.close)
        if driver_is_killed:
            left_by_kill(many, driver.close, others=True)
        else:
            driver.close()
    for path in (one, many):
        Ledger(path, kind, NOWHERE).close()
    assert record_of(many) == record_of(one)
    assert names(many.parent) == {"own.ledger"}
    shutil.rmtree(folder)


# ------------------------------------------------------------------ large ledgers


def test_a_part_looks_up_its_rows_in_a_large_ledger_and_does_not_read_it_whole(tmp_path: Path) -> None:
    """By SQLite's own plan: no statement scans the table of the ledger, however many calls it holds."""
    with Ledger(tmp_path / "own.ledger", "event", NOWHERE) as ledger:
        parts = load_of(NOWHERE, "event", ledger, 1).parts
        assert parts is not None
        with closing(parts.open(0)) as store:
            store.db.execute("ATTACH '' AS plan")
            store.db.execute("CREATE TABLE plan.wanted (number INTEGER PRIMARY KEY, key BLOB)")
            for statement in (_KNOWN_IN_PART, _TAKE_OVER):
                steps = [one[3] for one in store.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
                assert [one for one in steps if one.startswith("SEARCH") and "PRIMARY KEY (key=?)" in one]
                assert not [
                    one for one in steps if one.startswith("SCAN") and "wanted" not in one and "journal" not in one
                ]


def test_a_store_that_is_no_part_does_not_create_what_is_missing(tmp_path: Path) -> None:
    """A task never makes the file of a part: only the load that divides the ledger does."""
    with pytest.raises(SettingsError, match="cannot be opened"):
        Store(tmp_path / "none.ledger", creates=False)
    assert names(tmp_path) == set()
    with pytest.raises(sqlite3.OperationalError), closing(Store(tmp_path / "own.ledger")) as store:
        store.attach(tmp_path / "none.ledger")
