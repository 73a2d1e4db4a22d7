"""What goes out, by what the ledger knows: pure, so every history of loads that hypothesis can think of."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.ledger.digests import (
    EVENT,
    NOTHING,
    Decision,
    EventDecision,
    Keys,
    Known,
    decide,
    decide_as_one,
    decide_event,
    decide_event_id,
)
from interakt_loader.model import Entry

KEYS = Keys(bytes(32))
A, B, C = (KEYS.body(name) for name in (b"a", b"b", b"c"))


def state(*bodies: bytes) -> bytes:
    """Return what the ledger holds once these were accepted, one after another."""
    held = bodies[0]
    for before, body in pairwise(bodies):
        held = held if body == before else KEYS.chain(held, body)
    return held


def goes(known: Known, *bodies: bytes) -> list[bool]:
    """Tell of each row whether it goes out."""
    return [one.step is not None for one in decide(known, bodies, KEYS.chain)]


@pytest.mark.parametrize(
    ("held", "rows", "expected"),
    [
        ([], [A], [True]),
        ([A], [A], [False]),
        ([A], [B], [True]),
        ([A], [A, B], [False, True]),
        ([A, B], [A, B], [False, False]),
        ([A, B], [A, B, C], [False, False, True]),
        ([A, B], [A], [True]),  # the user has B's values now
        ([A, B], [B], [True]),  # as far as anybody knows, A set traits that B does not name
        ([A, B], [B, A], [True, True]),
        ([A], [A, A], [False, False]),  # the same call again changes nothing
        ([A, A], [A], [False]),
        ([A, A], [A, A, B], [False, False, True]),
        ([A, B], [A, A, B, B], [False, False, False, False]),
        ([A, B], [A, B, A], [False, False, True]),
    ],
)
def test_rows_are_unchanged_as_far_as_the_same_sequence_was_accepted(
    held: list[bytes], rows: list[bytes], expected: list[bool]
) -> None:
    """Row after row of one user, by the sequence that the ledger holds."""
    known = Known(state(*held), None, False) if held else NOTHING
    assert goes(known, *rows) == expected


@pytest.mark.parametrize(
    ("held", "doubted", "rows", "expected", "marked"),
    [
        ([], [A], [A], [True], [True]),
        ([A], [B], [A], [True], [False]),  # B may have been accepted: A must be set anew
        ([A], [B], [B], [True], [True]),
        ([A], [A, B], [A, B], [False, True], [False, True]),
        ([A], [A, B], [A, C], [True, True], [False, False]),
        ([A], [A, B], [A, B, C], [False, True, True], [False, True, False]),
        ([A], [A, B, C], [A, B, C], [False, True, True], [False, False, True]),  # one call of the last two rows
    ],
)
def test_a_call_in_doubt(
    held: list[bytes], doubted: list[bytes], rows: list[bytes], expected: list[bool], marked: list[bool]
) -> None:
    """A doubted user call goes out again, and with it whatever it may have overwritten; it alone is marked."""
    known = Known(state(*held) if held else b"", state(*doubted), False)
    decisions = [*decide(known, rows, KEYS.chain)]
    assert [one.step is not None for one in decisions] == expected
    assert [one.doubted for one in decisions] == marked


def test_a_step_is_the_state_after_it_preceded_by_the_one_before_it() -> None:
    """The first of a sequence has none before it; a row that goes out has no mark of its own."""
    states = [A, state(A, B), state(A, B, C), state(A, B, C, A)]
    expected = [Decision(states[0]), *(Decision(states[n - 1] + states[n], False, False) for n in (1, 2, 3))]
    assert [*decide(NOTHING, [A, B, C, A], KEYS.chain)] == expected
    assert expected[0] == (states[0], False, False)
    held = Known(states[1], None, False)
    assert [*decide(held, [A, B, C, A], KEYS.chain)] == [Decision(None), Decision(None), *expected[2:]]


@given(
    st.lists(st.sampled_from([A, B]), max_size=2),
    st.lists(st.sampled_from([A, B]), max_size=3),
    st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=5),
)
def test_one_call_does_what_a_call_for_each_row_does(
    held: list[bytes], doubted: list[bytes], rows: list[bytes]
) -> None:
    """As many rows are on record. It leads from before the first call to after the last, and a doubt is one of it."""
    known = Known(state(*held) if held else None, state(*doubted) if doubted else None, False)
    single = [one for one in decide(known, rows, KEYS.chain) if one.step is not None]
    accepted, decision = decide_as_one(known, rows, KEYS.chain)
    assert accepted == len(rows) - len(single)
    if decision is None:
        assert single == []
    else:
        first, last = (Entry(b"", one.step or b"") for one in (single[0], single[-1]))
        assert decision.step == first.then(last).step
        assert decision.doubted == any(one.doubted for one in single)


def test_an_unchanged_row_keeps_its_mark() -> None:
    """What may have been accepted twice is still marked when it is unchanged in a later load."""
    (decision,) = decide(Known(A, None, True), [A], KEYS.chain)
    assert (decision.step, decision.maybe_duplicate) == (None, True)


Step = tuple[bytes, bool]


@given(
    loads=st.lists(
        st.lists(st.tuples(st.sampled_from([A, B, C]), st.booleans()), min_size=1, max_size=4), min_size=1, max_size=4
    ),
    last=st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=4),
)
def test_after_any_history_the_user_ends_as_an_undisturbed_load_would_have_it(
    loads: list[list[Step]], last: list[bytes]
) -> None:
    """Loads in which some calls fail, then one in which none does: what the API holds is what the last input says."""
    held: bytes | None = None
    accepted: list[bytes] = []  # by the API, in order
    for load in [*loads, [(body, True) for body in last]]:
        decisions = decide(Known(held, None, False) if held is not None else NOTHING, [b for b, _ in load], KEYS.chain)
        for (body, succeeds), decision in zip(load, decisions, strict=True):
            if decision.step is not None and succeeds:
                accepted.append(body)
                held = taken(held, decision.step)
    assert accepted[-1] == last[-1]
    # each row of the last input was accepted, and nothing else since the first of them; but for repeated rows
    ended, wanted = without_repeats(accepted), without_repeats(last)
    assert ended[len(ended) - len(wanted) :] == wanted


def without_repeats(bodies: list[bytes]) -> list[bytes]:
    return [body for body, _ in groupby(bodies)]


def taken(held: bytes | None, step: bytes) -> bytes:
    """Do what the store's SQL does (`test_store` holds the two together)."""
    entry = Entry(b"", step)
    if len(step) <= 16 or held in (step[:16], entry.after):
        return entry.after
    return b""


@pytest.mark.parametrize(
    ("known", "resend", "expected"),
    [
        (NOTHING, False, Decision(EVENT)),
        (NOTHING, True, Decision(EVENT)),
        (Known(EVENT, None, True), False, Decision(None, maybe_duplicate=True)),
        (Known(EVENT, None, False), True, Decision(EVENT, doubted=True)),
        (Known(b"", EVENT, False), False, Decision(EVENT, doubted=True)),
        (Known(EVENT, EVENT, False), False, Decision(EVENT, doubted=True)),  # a resend that was cut off
    ],
)
def test_an_event_goes_once(known: Known, resend: bool, expected: Decision) -> None:
    """What was accepted is unchanged; what is in doubt, or sent once more as was asked for, is marked."""
    assert decide_event(known, EVENT, resend=resend) == expected


ANN, ANN_TOO, BOB = (
    KEYS.event_state(ordering_key, body) for ordering_key, body in (("ann", b"a"), ("ann", b"b"), ("bob", b"a"))
)
REFUSED, GOES, GOES_TOO = (
    EventDecision(Decision(None), conflict=True),
    EventDecision(Decision(ANN)),
    EventDecision(Decision(ANN_TOO)),
)
DOUBTED, DOUBTED_TOO = EventDecision(Decision(ANN, doubted=True)), EventDecision(Decision(ANN_TOO, doubted=True))
UNCHANGED, DIFFERS = EventDecision(Decision(None)), EventDecision(Decision(None), differs=True)


def with_row(at: int) -> EventDecision:
    return EventDecision(Decision(None), counts_instead=at)


def refused_for(at: int) -> EventDecision:
    return REFUSED._replace(counts_instead=at)


@pytest.mark.parametrize(
    ("known", "rows", "expected"),
    [
        (NOTHING, [ANN], [GOES]),
        (NOTHING, [ANN, ANN], [GOES, with_row(0)]),
        (NOTHING, [ANN, ANN_TOO, ANN], [GOES, refused_for(0), with_row(0)]),
        (NOTHING, [BOB, ANN], [EventDecision(Decision(BOB)), refused_for(0)]),
        (Known(ANN, None, False), [ANN, ANN], [UNCHANGED, UNCHANGED]),
        (Known(ANN, None, True), [ANN], [EventDecision(Decision(None, maybe_duplicate=True))]),
        (Known(ANN, None, False), [ANN_TOO, ANN_TOO], [DIFFERS, DIFFERS]),
        (Known(ANN, None, False), [ANN_TOO, ANN], [refused_for(1), UNCHANGED]),  # whichever comes first
        (Known(ANN, None, False), [ANN, ANN_TOO], [UNCHANGED, refused_for(0)]),
        (Known(ANN, None, False), [BOB], [REFUSED]),
        (Known(ANN, None, False), [BOB, ANN], [REFUSED, UNCHANGED]),
        (Known(b"", ANN, False), [ANN], [DOUBTED]),
        (Known(b"", ANN, False), [ANN_TOO], [DOUBTED_TOO]),  # the same event, whatever it says now
        (Known(b"", ANN, False), [ANN_TOO, ANN], [refused_for(1), DOUBTED]),
        (Known(b"", ANN, False), [BOB], [REFUSED]),  # it may have been accepted for Ann
        (Known(b"", ANN, False), [BOB, ANN], [REFUSED, DOUBTED]),
        (Known(ANN, ANN_TOO, False), [ANN], [DOUBTED]),
    ],
)
def test_rows_that_share_an_event_id(known: Known, rows: list[bytes], expected: list[EventDecision]) -> None:
    """One person for ever, one content in an input, and no change of what was accepted."""
    assert decide_event_id(known, rows) == expected


@pytest.mark.parametrize(
    ("known", "rows", "expected"),
    [
        (Known(ANN, None, False), [ANN], [DOUBTED]),
        (Known(ANN, None, False), [ANN_TOO], [DOUBTED_TOO]),
        (Known(ANN, None, False), [BOB], [REFUSED]),
        (Known(ANN, None, False), [ANN, ANN], [DOUBTED, with_row(0)]),
    ],
)
def test_resend_sends_an_event_again_but_never_to_another_person(
    known: Known, rows: list[bytes], expected: list[EventDecision]
) -> None:
    """With other content too; once for all rows that say the same."""
    assert decide_event_id(known, rows, resend=True) == expected
