"""Rows of one user that become one call, and rows that end as another row does."""

from __future__ import annotations

import json
from pathlib import Path

from interakt_loader.ledger.store import JournalEntry
from interakt_loader.model import Entry, Stop
from tests.ledger.test_plan import ANN, BOB, KEYS, batch, carried, counts, planned, taken


def test_rows_of_one_user_become_one_call(tmp_path: Path) -> None:
    """Of what is to be sent, in whichever batches it is; the step leads from before to after it."""
    bodies = [json.dumps({"userId": "ann", "traits": {name: at}}) for at, name in enumerate("abab")]
    states = [KEYS.body(bodies[0].encode())]
    for body in bodies[1:]:
        states.append(KEYS.chain(states[-1], KEYS.body(body.encode())))
    first = batch("user", 0, ("ann", bodies[0]), ("ann", bodies[1]), ("bob", '{"userId":"bob"}'))
    second = batch("user", 3, ("ann", bodies[2]), ("cay", None), ("ann", bodies[3]))
    known: list[JournalEntry] = [(ANN, states[0], None, False)]
    with planned(tmp_path, "user", first, second, known=known) as plan:
        assert counts(plan) == {"rows": 6, "calls": 2, "unchanged": 1, "merged": 2}
        before = plan.first_call()
        calls, settled, unchanged = taken(plan)
        assert carried(plan, *calls) == [(1, "merged", "coalesced"), (3, "merged", "coalesced")]
    assert before is not None
    assert [(one.row, one.entry) for one in calls] == [
        (2, Entry(BOB, KEYS.body(b'{"userId":"bob"}'))),
        (5, Entry(ANN, states[0] + states[3])),
    ]
    assert json.loads(calls[1].body) == {"userId": "ann", "traits": {"b": 3, "a": 2}}
    assert (len(settled), unchanged) == (1, [(0, False, None)])
    with planned(tmp_path, "user", first, second, known=known) as plan:
        lines = [line for lines in plan.checked() for line in lines.to_pylist()]
    assert [one["status"] for one in lines] == ["unchanged", "merged", "unsent", "merged", "invalid", "unsent"]


def test_rows_of_any_number_are_one_call_if_it_is_small_enough(tmp_path: Path) -> None:
    """Three rows of 15 KB each for one trait: the call has only the last."""
    bodies = [json.dumps({"userId": "ann", "traits": {"a": letter * 15_000}}) for letter in "xyz"]
    with planned(tmp_path, "user", batch("user", 0, *(("ann", one) for one in bodies))) as plan:
        assert counts(plan) == {"rows": 3, "calls": 1, "merged": 2}
        calls, _, _ = taken(plan)
    assert [json.loads(one.body) for one in calls] == [json.loads(bodies[2])]


def test_a_contact_that_leaves_the_sales_pipeline_has_entered_it_first(tmp_path: Path) -> None:
    """A row with `false` after one with `true` is a call of its own. Other rows in between change nothing."""
    flags = (',"add_to_sales_cycle":true', "", ',"add_to_sales_cycle":false', ',"add_to_sales_cycle":true')
    rows = [("ann", f'{{"userId":"ann"{flag},"traits":{{"n":{at}}}}}') for at, flag in enumerate(flags)]
    with planned(tmp_path, "user", batch("user", 0, *rows, ("bob", rows[2][1]), ("bob", rows[3][1]))) as plan:
        assert counts(plan) == {"rows": 6, "calls": 3, "merged": 3}
        calls, _, _ = taken(plan)
    assert [(one.row, json.loads(one.body)["add_to_sales_cycle"]) for one in calls] == [(1, True), (3, True), (5, True)]


def test_a_user_whose_call_would_be_too_large_takes_several(tmp_path: Path) -> None:
    """Three rows of 15 KB each under names of their own: two fit into one call."""
    bodies = [json.dumps({"userId": "ann", "traits": {name: "x" * 15_000}}) for name in "abc"]
    with planned(tmp_path, "user", batch("user", 0, *(("ann", one) for one in bodies))) as plan:
        calls, _, _ = taken(plan)
        assert carried(plan, *calls) == [(0, "merged", "coalesced")]
    assert [sorted(json.loads(one.body)["traits"]) for one in calls] == [["a", "b"], ["c"]]
    states = [one.entry.step for one in calls if one.entry]
    assert states[1][:16] == states[0]


def test_what_a_stop_leaves_takes_those_along_that_it_carries(tmp_path: Path) -> None:
    """Ann's first row has been passed when the load stops, and her last one has not: both are unsent."""
    body = '{"userId": "ann"}'
    first, second = batch("user", 0, ("ann", body), ("bob", body)), batch("user", 2, ("ann", body))
    with planned(tmp_path, "user", first, second) as plan:
        assert [one.row for one in next(plan.work_batches()).calls] == [1]
        lines = [line for lines in plan.unsent(Stop("interrupted", "stopped")) for line in lines.to_pylist()]
    assert [(one["row"], one["status"], one["code"], one["message"]) for one in lines] == [
        (2, "unsent", "interrupted", "not sent: stopped"),
        (0, "unsent", "interrupted", "row 2 carries it: not sent: stopped"),
    ]
