"""A proposed mapping: by the names and types of the columns, with what a sample of the rows says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from interakt_loader.errors import MappingError
from interakt_loader.mapping.inference import names
from interakt_loader.mapping.inference.evidence import Evidence, evidence
from interakt_loader.mapping.inference.fitting import fitted_preset
from interakt_loader.mapping.inference.guess import Guess
from interakt_loader.mapping.inference.inferred import InferredMapping, Line, inferred
from interakt_loader.mapping.inference.proposal import Proposal, propose
from interakt_loader.mapping.inference.sample import Look, looks
from interakt_loader.mapping.inference.types import guess
from interakt_loader.mapping.presets import Preset, recognise
from interakt_loader.mapping.spec import listed
from interakt_loader.safety.printable import printable
from interakt_loader.settings import Settings
from interakt_loader.sources import PROBLEM_COLUMN
from interakt_loader.wire import Kind

__all__ = ["SAMPLE_ROWS", "InferredMapping", "infer"]

SAMPLE_ROWS = 10_000
"""Rows that a sample should have, if there are as many."""

_EVENT = Line("event", {"value": "Order Placed"}, "the name of the events, which no column holds", active=False)


def infer(
    columns: Sequence[str],
    kind: Kind | None = None,
    event: str | None = None,
    sample: Iterable[pa.RecordBatch] = (),
    *,
    preset: Preset | None = None,
    settings: Settings | None = None,
    country_given: bool = False,
) -> InferredMapping:
    """Propose which column is which field, and what each of the others holds.

    Args:
        columns: The names of the table's columns.
        kind: What the rows are, where the user says it.
        event: The constant name of the events, where the user gives it.
        sample: The first rows; without any, only the names tell.
        preset: The preset that the user names; else it is recognised by the columns.
        settings: Those on phones and missing values count.
        country_given: The user named the default country, so the country of bare numbers is not asked.

    Raises:
        MappingError: No column says who a row is about, or the preset does not fit.
    """
    columns, sample, settings = list(columns), list(sample), settings or Settings()
    wanted: Kind | None = "event" if event is not None else kind
    found = recognise(columns) if preset is None else preset
    if preset is not None and wanted not in (None, preset.kind):
        raise MappingError(f"preset {preset.name}: its rows are {preset.kind}s, not {wanted}s")
    looked = looks(columns, sample, settings.null_words)
    if found is not None and wanted in (None, found.kind):
        return fitted_preset(
            found, columns, looked, event, settings, named=preset is not None, country_given=country_given
        )
    proposal = propose({name: look.sort for name, look in looked.items()}, kind, event_given=event is not None)
    if proposal.identity is None:
        raise _no_identity(columns, proposal)
    said = evidence(proposal, looked, settings, country_given=country_given, kind_known=wanted is not None)
    return _written(proposal, said, looked, event, kind, sample)


def _written(
    proposal: Proposal,
    said: Evidence,
    looked: Mapping[str, Look],
    event: str | None,
    kind: Kind | None,
    sample: Sequence[pa.RecordBatch],
) -> InferredMapping:
    """Put the lines of the fields and of the traits together."""
    lines, questions = said.lines, [*proposal.questions, *said.questions]
    if event is not None:
        identity = sum(line.field in ("user_id", "phone", "country_code") for line in lines)
        lines.insert(identity, Line("event", {"value": event}, "given"))
    elif proposal.kind == "event" and "event" not in proposal.columns:
        lines.append(_EVENT)
        questions.append("event: no column holds the name of the events: --event NAME")
    elif any(one.startswith("kind: ") for one in questions) and proposal.kind == "user":
        lines.append(_EVENT)
        lines += _as_events(looked)
    rest = {name: look for name, look in looked.items() if name not in proposal.columns.values()}
    if not any(look.rows for look in looked.values()):
        notes = ["Proposed by the column names alone."]
        lines.append(Line("traits", "*", "every other column"))
        return inferred(lines, proposal.kind, notes=notes, undecided=questions, remarks=proposal.remarks)
    guesses = {name: guess(look) for name, look in rest.items()}
    remarks = [*_unreadable(sample), *proposal.remarks, *said.remarks]
    if proposal.kind == "event" and "created_at" not in proposal.columns:
        _without_time(guesses, questions, remarks)
    known = event is not None or kind is not None
    return inferred(
        [*lines, *_traits(guesses, list(looked))],
        proposal.kind,
        notes=[
            _looked_at(looked),
            f"The rows are {proposal.kind}s" + ("." if known else ", as far as the columns tell."),
        ],
        undecided=questions,
        remarks=[
            *remarks,
            *(f"traits: {name}: {one.reason}" for name, one in guesses.items() if one.undecided is not None),
            *(
                f"{name or 'the first column'} is left out: {one.reason}"
                for name, one in guesses.items()
                if one.left_out and (looked[name].refused is not None or looked[name].filled)
            ),
        ],
    )


def _as_events(looked: Mapping[str, Look]) -> list[Line]:
    """Offer the time that the rows would have as events."""
    as_events = propose({name: look.sort for name, look in looked.items()}, "event", event_given=True)
    time = as_events.columns.get("created_at")
    if time is None or not looked[time].rows:
        return []
    found = guess(looked[time])
    form = {"format": found.options["format"]} if found.is_time and "format" in found.options else {}
    return [Line("created_at", {"column": time, "type": "datetime"} | form, found.reason, active=False)]


def _without_time(guesses: Mapping[str, Guess], questions: list[str], remarks: list[str]) -> None:
    """Say that events have no time: it cannot be corrected once they are sent."""
    if any(one.startswith("created_at: ") for one in questions):
        return
    times = [name for name, one in guesses.items() if one.is_time and names.names_an_event_time(name, typed=True)]
    if times:
        questions.append(
            f"created_at: {', '.join(times[:3])} may be the time of the event: a mapping line such as "
            f'created_at: {{column: "{times[0]}", type: datetime}}'
        )
    else:
        near = [name for name in guesses if names.names_an_event_time(name, typed=False)]
        said = f"; {', '.join(near)} cannot be read as one" if near else ""
        remarks.append(f"created_at: no column holds the time of the event{said}: the time of arrival counts")


def _traits(guesses: Mapping[str, Guess], columns: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    for name, found in guesses.items():
        trait = {"column": name} if name else {"column": name, "name": f"column_{columns.index(name) + 1}"}
        lines.append(Line("traits", trait | found.options, found.reason, active=not found.left_out))
        lines += [Line("traits", trait | one.options, one.reason, active=False) for one in found.instead]
    return lines


def _looked_at(looked: Mapping[str, Look]) -> str:
    rows = next(iter(looked.values())).rows
    which = f"the first {rows:,} rows" if rows >= SAMPLE_ROWS else f"all {rows:,} rows"
    return f"Proposed by the column names, and {which}. Look it over: lines that begin with # do nothing."


def _unreadable(sample: Iterable[pa.RecordBatch]) -> list[str]:
    """Say how many rows the reader of the file could make nothing of; here they count as empty."""
    count = sum(len(one) - one[PROBLEM_COLUMN].null_count for one in sample if PROBLEM_COLUMN in one.schema.names)
    return [f"{count:,} of the rows cannot be read: they count as empty here, and are refused"] if count else []


def _no_identity(columns: Sequence[str], proposal: Proposal) -> MappingError:
    said = f"no column looks like a user_id or a phone among {listed(columns)}: "
    if proposal.offered_phones:
        name = proposal.offered_phones[0]
        said += f'{name} is the phone of somebody else; give --map phone="{name}" to write to it all the same, or '
    elif columns and all(names.says_nothing(name) for name in columns):
        said += "the columns have no names; "
    elif mails := [name for name in columns if "email" in names.words(name)]:
        said += f'{mails[0]} is an e-mail address; give --map user_id="{mails[0]}" to make it the id, or '
    return MappingError(
        printable(f"{said}give a mapping that says which is: --map user_id=COLUMN or --map phone=COLUMN")
    )
