"""The plan: what it makes of prepared rows and a ledger, with no source and no server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from interakt_loader.ledger.digests import EVENT, Keys
from interakt_loader.ledger.plan import Plan
from interakt_loader.ledger.store import JournalEntry, Store
from interakt_loader.mapping import PREPARED
from interakt_loader.model import Entry, Kind, Message, Outcome, Status, Stop
from interakt_loader.sending.work import WORK_BATCH
from interakt_loader.settings import Settings

KEYS = Keys(bytes(32))
ANN, BOB = KEYS.user("ann"), KEYS.user("bob")
A, B, C = (KEYS.body(name.encode()) for name in "ABC")
AB = KEYS.chain(A, B)


def batch(kind: Kind, first: int, *rows: tuple[str, str | None], event_ids: list[str] | None = None) -> pa.RecordBatch:
    """Return prepared rows of (ordering key, body), numbered from `first`; one without a body is invalid."""
    lines: list[dict[str, Any]] = [
        {"row": number, "kind": kind, "ordering_key": ordering_key, "body": body and body.encode()}
        | ({} if body else {"code": "phone_invalid", "column": "mobile", "message": "no phone"})
        for number, (ordering_key, body) in enumerate(rows, start=first)
    ]
    for line, event_id in zip(lines, event_ids or [], strict=False):
        line |= {"event": "Visit", "event_id": event_id}
    return pa.RecordBatch.from_pylist(lines, schema=PREPARED)


@contextmanager
def planned(
    folder: Path, kind: Kind, *batches: pa.RecordBatch, known: list[JournalEntry] | None = None, **options: Any
) -> Iterator[Plan]:
    """Plan these batches with a ledger that has taken in what is `known`."""
    store = Store(folder / "own.ledger")
    store.append(known or [])
    store.merge()
    plan = Plan(store, KEYS, kind, Settings(api_key="key", **options), options.get("event_id"))
    try:
        plan.make(batches)
        yield plan
    finally:
        plan.close()
        store.close()


def taken(plan: Plan) -> tuple[list[Message], list[Outcome], list[tuple[int, bool, str | None]]]:
    """Go through all pieces: calls, settled rows, and (row, maybe_duplicate, code) of the unchanged ones."""
    calls, settled, unchanged = [], [], []
    for piece in plan.work_batches():
        calls += piece.calls
        settled += piece.settled
        if piece.unchanged is not None:
            assert piece.unchanged.num_rows
            assert set(piece.unchanged["status"].to_pylist()) == {"unchanged"}
            unchanged += [(one["row"], one["maybe_duplicate"], one["code"]) for one in piece.unchanged.to_pylist()]
    return calls, settled, unchanged


def counts(plan: Plan) -> dict[str, int]:
    """Return what the plan counts, but for the noughts."""
    named = {name: getattr(plan, name) for name in ("rows", "calls", "unchanged", "merged", "skipped", "doubted")}
    return {name: count for name, count in named.items() if count}


def test_with_an_empty_ledger_every_row_goes_out_known_by_its_own_digests(tmp_path: Path) -> None:
    """Two batches, three users, one row that is invalid: that one is settled, and is no call."""
    first, second = batch("user", 0, ("ann", "A"), ("cay", None)), batch("user", 2, ("bob", "B"))
    with planned(tmp_path, "user", first, second) as plan:
        assert counts(plan) == {"rows": 3, "calls": 2}
        calls, settled, unchanged = taken(plan)
    assert [(one.row, one.ordering_key, one.body, one.entry) for one in calls] == [
        (0, "ann", b"A", Entry(ANN, A)),
        (2, "bob", b"B", Entry(BOB, B)),
    ]
    assert not any(one.doubted for one in calls)
    assert [(one.message.row, one.status.value, one.code) for one in settled] == [(1, "invalid", "phone_invalid")]
    assert unchanged == []


def test_rows_of_one_user_are_steps_on_top_of_one_another(tmp_path: Path) -> None:
    """With `--no-coalesce`, in whichever batches they are: the first starts anew, and each later one names the state
    before it."""
    first, second = batch("user", 0, ("ann", "A"), ("bob", "A")), batch("user", 2, ("ann", "B"))
    with planned(tmp_path, "user", first, second, coalesce=False) as plan:
        assert counts(plan) == {"rows": 3, "calls": 3}
        calls, _, _ = taken(plan)
    assert [one.entry for one in calls] == [Entry(ANN, A), Entry(BOB, A), Entry(ANN, A + AB)]


def test_what_was_accepted_is_unchanged_and_keeps_its_mark(tmp_path: Path) -> None:
    """A row that may be there twice says so still; a user of whom nothing goes out is not counted among the users."""
    known: list[JournalEntry] = [(ANN, A, None, True), (BOB, B, None, False)]
    rows = batch("user", 0, ("ann", "A"), ("bob", "B"), ("ann", "B"))
    with planned(tmp_path, "user", rows, known=known) as plan:
        assert counts(plan) == {"rows": 3, "calls": 1, "unchanged": 2}
        calls, settled, unchanged = taken(plan)
    assert [(one.row, one.entry) for one in calls] == [(2, Entry(ANN, A + AB))]
    assert settled == []
    assert unchanged == [(0, True, None), (1, False, None)]


def test_a_call_in_doubt_is_marked(tmp_path: Path) -> None:
    """The very call that was out goes out as doubted; a user with one row too."""
    known: list[JournalEntry] = [(ANN, b"", A, False)]
    with planned(tmp_path, "user", batch("user", 0, ("ann", "A"), ("bob", "B")), known=known) as plan:
        assert counts(plan) == {"rows": 2, "calls": 2, "doubted": 1}
        calls, settled, _ = taken(plan)
    assert [(one.entry, one.doubted) for one in calls] == [(Entry(ANN, A), True), (Entry(BOB, B), False)]
    assert settled == []


def test_an_event_in_doubt_can_be_left_alone_and_a_user_cannot(tmp_path: Path) -> None:
    """With `on_unknown="skip"` the event is unknown again, and everything else goes out."""
    doubted: list[JournalEntry] = [(KEYS.event(b"A"), b"", EVENT, False), (ANN, b"", A, False)]
    for kind, on_unknown, sent in (
        ("event", "skip", [1]),
        ("event", "resend", [0, 1]),
        ("user", "skip", [0, 1]),
    ):
        rows = batch(kind, 0, ("ann", "A"), ("bob", "B"))  # type: ignore[arg-type]
        with planned(tmp_path, kind, rows, known=doubted, on_unknown=on_unknown) as plan:  # type: ignore[arg-type]
            assert (plan.calls, plan.skipped) == (len(sent), 2 - len(sent))
            calls, settled, _ = taken(plan)
        assert [one.row for one in calls] == sent
        assert [(one.message.row, one.status.value) for one in settled] == ([(0, "unknown")] if len(sent) < 2 else [])


def test_the_same_event_in_one_input_is_as_many_events(tmp_path: Path) -> None:
    """The second and third are known by their number; of three, the ledger holds the first and the third."""
    key = KEYS.event(b"A")
    rows = batch("event", 0, ("ann", "A"), ("ann", "A"), ("ann", "A"))
    with planned(tmp_path, "event", rows) as plan:
        assert counts(plan) == {"rows": 3, "calls": 3}
        calls, _, _ = taken(plan)
    keys = [key, KEYS.repeated_event(key, 2), KEYS.repeated_event(key, 3)]
    assert [one.entry for one in calls] == [Entry(one, EVENT) for one in keys]
    known: list[JournalEntry] = [(keys[0], EVENT, None, False), (keys[2], EVENT, None, True)]
    with planned(tmp_path, "event", rows, known=known) as plan:
        assert counts(plan) == {"rows": 3, "calls": 1, "unchanged": 2}
        calls, _, unchanged = taken(plan)
    assert [(one.row, one.entry) for one in calls] == [(1, Entry(keys[1], EVENT))]
    assert unchanged == [(0, False, None), (2, True, None)]


def carried(plan: Plan, *calls: Message) -> list[tuple[int, str, str | None]]:
    """Return what is reported of the rows that these carry, once they were accepted."""
    sent = [Outcome(one, Status.SENT, 1, 202, None, None, None, False, 1.0, 0.0) for one in calls]
    return [(one.message.row, one.status.value, one.code) for lot in plan.carried(sent) for one in lot]


def test_an_event_id_counts_once(tmp_path: Path) -> None:
    """The first row with an id goes out; each later one that says the same is merged into it."""
    rows = batch("event", 0, ("ann", "A"), ("ann", "A"), ("ann", "C"), ("ann", "A"), event_ids=["7", "7", "8", "7"])
    known: list[JournalEntry] = [(KEYS.event_id("Visit", "8"), KEYS.event_state("ann", b"C"), None, False)]
    with planned(tmp_path, "event", rows, known=known, event_id="order", ledger="own.ledger") as plan:
        assert counts(plan) == {"rows": 4, "calls": 1, "unchanged": 1, "merged": 2}
        calls, _, unchanged = taken(plan)
        assert carried(plan, *calls) == [(1, "merged", "event_id_repeated"), (3, "merged", "event_id_repeated")]
    assert [(one.row, one.entry) for one in calls] == [
        (0, Entry(KEYS.event_id("Visit", "7"), KEYS.event_state("ann", b"A")))
    ]
    assert unchanged == [(2, False, None)]


def test_an_event_id_that_stands_for_two_things_is_a_conflict(tmp_path: Path) -> None:
    """A later row with the id and other content, or another person, is refused and names the first row with it."""
    first = batch("event", 0, ("ann", "A"), ("ann", "B"), event_ids=["7", "7"])
    second = batch("event", 2, ("bob", "C"), ("ann", "A"), ("ann", "D"), event_ids=["7", "7", "8"])
    with planned(tmp_path, "event", first, second, event_id="order", ledger="own.ledger") as plan:
        assert counts(plan) == {"rows": 5, "calls": 2, "merged": 1}
        calls, settled, unchanged = taken(plan)
        assert carried(plan, *calls) == [(3, "merged", "event_id_repeated")]
    assert [one.row for one in calls] == [0, 4]
    assert [(one.message.row, one.status.value, one.code, one.column, one.text) for one in settled] == [
        (1, "invalid", "event_id_conflict", "order", "order: '7': row 0 has the same event id and has other content"),
        (
            2,
            "invalid",
            "event_id_conflict",
            "order",
            "order: '7': row 0 has the same event id and is about another person",
        ),
    ]
    assert unchanged == []
    with planned(tmp_path, "event", first, event_id="order", ledger="own.ledger") as plan:
        lines = [line for lines in plan.checked() for line in lines.to_pylist()]
    assert [(line["status"], line["code"]) for line in lines] == [("unsent", None), ("invalid", "event_id_conflict")]


def test_what_the_ledger_knows_of_an_id(tmp_path: Path) -> None:
    """Another person is a conflict, other content is unchanged with a note, in doubt too; the line keeps its mark."""
    known: list[JournalEntry] = [
        (KEYS.event_id("Visit", "7"), KEYS.event_state("ann", b"A"), None, True),
        (KEYS.event_id("Visit", "8"), b"", KEYS.event_state("ann", b"A"), False),
    ]
    rows = batch(
        "event", 0, ("bob", "A"), ("ann", "B"), ("bob", "A"), ("ann", "B"), event_ids=["7", "7", "8", "8"]
    )  # fmt: skip
    with planned(tmp_path, "event", rows, known=known, event_id="order", ledger="own.ledger") as plan:
        assert counts(plan) == {"rows": 4, "calls": 1, "unchanged": 1, "doubted": 1}
        calls, settled, unchanged = taken(plan)
    assert [(one.row, one.doubted) for one in calls] == [(3, True)]
    assert [(one.message.row, one.text) for one in settled] == [
        (0, "order: '7' is on record as the id of this event for another person"),
        (2, "order: '8' is on record as the id of this event for another person"),
    ]
    assert unchanged == [(1, True, "event_content_differs")]


def test_resend_takes_nothing_for_accepted_and_marks_events_that_are(tmp_path: Path) -> None:
    """A user call is the same twice; an event that is there already will be there twice."""
    known: list[JournalEntry] = [(ANN, A, None, False), (KEYS.event(b"A"), EVENT, None, False)]
    for kind, doubted in (("user", [False, False]), ("event", [True, False])):
        rows = batch(kind, 0, ("ann", "A"), ("bob", "B"))  # type: ignore[arg-type]
        with planned(tmp_path, kind, rows, known=known, resend=True, ledger="own.ledger") as plan:  # type: ignore[arg-type]
            assert counts(plan)["calls"] == 2
            calls, _, unchanged = taken(plan)
        assert [one.doubted for one in calls] == doubted
        assert unchanged == []


def test_a_part_of_the_rows_is_planned_by_the_numbers_that_they_have_in_the_input(tmp_path: Path) -> None:
    """Rows 100 to 103: one repeated event, one unchanged."""
    known: list[JournalEntry] = [(KEYS.event(b"B"), EVENT, None, False)]
    rows = [batch("event", 100, ("ann", "A"), ("ann", "B")), batch("event", 102, ("ann", "A"), ("ann", "C"))]
    with planned(tmp_path, "event", *rows, known=known, rows="100:104") as plan:
        calls, _, unchanged = taken(plan)
    key = KEYS.event(b"A")
    assert [(one.row, one.entry and one.entry.key) for one in calls] == [
        (100, key),
        (102, KEYS.repeated_event(key, 2)),
        (103, KEYS.event(b"C")),
    ]
    assert unchanged == [(101, False, None)]
    rows = [batch("event", 100, ("ann", "A"), ("ann", "A"), event_ids=["7", "7"])]
    with planned(tmp_path, "event", *rows, rows="100:104", event_id="order", ledger="own.ledger") as plan:
        calls, _, _ = taken(plan)
        assert carried(plan, *calls) == [(101, "merged", "event_id_repeated")]


def test_a_dry_run_has_a_line_for_each_row_in_their_order_and_the_first_three_calls(tmp_path: Path) -> None:
    """Unchanged ones among them; an unchanged or invalid row is no example."""
    known: list[JournalEntry] = [(BOB, B, None, False)]
    first = batch("user", 0, ("ann", "A"), ("bob", "B"), ("cay", None), ("dan", "D"))
    second = batch("user", 4, ("eve", "E"), ("fay", "F"))
    with planned(tmp_path, "user", first, second, known=known) as plan:
        lines = [line for lines in plan.checked() for line in lines.to_pylist()]
        assert [one.ordering_key for one in plan.examples] == ["ann", "dan", "eve"]
    assert [one["row"] for one in lines] == list(range(6))
    assert [one["status"] for one in lines] == ["unsent", "unchanged", "invalid", "unsent", "unsent", "unsent"]


def test_a_stop_tells_of_the_rows_that_nobody_has_come_to(tmp_path: Path) -> None:
    """After the first batch: those of the second, with the stop's reason; what is unchanged is so still."""
    first, second = batch("user", 0, ("ann", "A")), batch("user", 1, ("bob", "B"), ("cay", "C"))
    with planned(tmp_path, "user", first, second, known=[(BOB, B, None, False)]) as plan:
        assert [one.row for one in next(plan.work_batches()).calls] == [0]
        lines = [line for lines in plan.unsent(Stop("interrupted", "stopped")) for line in lines.to_pylist()]
    assert [(one["row"], one["status"], one["code"]) for one in lines] == [
        (1, "unchanged", None),
        (2, "unsent", "interrupted"),
    ]


def test_nothing_is_left_of_a_plan(tmp_path: Path) -> None:
    """The rows' digests go once they are compared; closed, it holds no file and no table, and nothing comes of it."""
    store = Store(tmp_path / "own.ledger")
    plan = Plan(store, KEYS, "user", Settings(api_key="key"))
    plan.make([batch("user", 0, ("ann", "A"))])
    assert store.db.execute("SELECT name FROM plan.sqlite_master").fetchall() == [
        (name,) for name in ("wanted", "special", "conflicts", "candidates", "merged", "lines")
    ]
    pieces = plan.work_batches()
    plan.close()
    assert [one[1] for one in store.db.execute("PRAGMA database_list")] == ["main"]
    assert list(pieces) == []
    with pytest.raises(ValueError, match="closed"):
        plan._file.read()
    plan.close()  # a load that fails may close it again
    store.close()


def test_the_plan_is_kept_beside_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where temporary files go else, which may be memory: it is as large as the input."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with planned(tmp_path, "user", batch("user", 0, ("ann", "A"))) as plan:
        assert len(taken(plan)[0]) == 1


def test_a_stop_within_a_batch_loses_no_row(tmp_path: Path) -> None:
    """A batch becomes messages some at a time: what is left of it is unsent."""
    rows = batch("user", 0, *((f"u{number}", "A") for number in range(WORK_BATCH + 10)))
    with planned(tmp_path, "user", rows) as plan:
        begun = [one.row for one in next(plan.work_batches()).calls]
        lines = [line for lines in plan.unsent(Stop("interrupted", "stopped")) for line in lines.to_pylist()]
    assert begun == list(range(WORK_BATCH))
    assert [(one["row"], one["status"]) for one in lines] == [(WORK_BATCH + at, "unsent") for at in range(10)]
