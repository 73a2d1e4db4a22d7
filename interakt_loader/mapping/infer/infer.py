"""A proposed mapping: by the names and types of the columns, or by a preset, checked against a sample of the rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from interakt_loader.columns import Target
from interakt_loader.errors import MappingError, mapped, option
from interakt_loader.mapping.infer import names
from interakt_loader.mapping.infer.evidence import Evidence, evidence, other_country, shared_numbers, try_phones
from interakt_loader.mapping.infer.inferred import InferredMapping, Line, columns_of, inferred
from interakt_loader.mapping.infer.own_traits import (
    OPTED_IN,
    OWNER,
    OwnTraits,
    consent_line,
    is_consent,
    is_owner_email,
    own_traits,
)
from interakt_loader.mapping.infer.proposal import Proposal, propose
from interakt_loader.mapping.infer.sample import Guess, Look, looks
from interakt_loader.mapping.infer.types import guess
from interakt_loader.mapping.presets import Preset, recognise
from interakt_loader.mapping.spec import FIELDS, listed
from interakt_loader.model import Kind
from interakt_loader.privacy.text import number_of, printable
from interakt_loader.settings import Settings
from interakt_loader.sources import PROBLEM_COLUMN
from interakt_loader.sources.base import Lines

__all__ = ["SAMPLE_ROWS", "InferredMapping", "infer"]

SAMPLE_ROWS = 10_000
"""Rows of a sample, if the source has as many."""

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
    lines: Lines | None = None,
) -> InferredMapping:
    """Propose which column is which field, and what each of the others holds.

    Args:
        columns: The names of the table's columns.
        kind: What the rows are, if the user says it.
        event: The constant name of the events, if the user gives it.
        sample: The first rows; without any, only the names count.
        preset: The preset that the user names; else it is recognised by the columns.
        settings: Those on phones and missing values are used.
        country_given: The user named the default country, so there is no question about numbers without a country.
        lines: The line on which each row of a text file begins.

    Raises:
        MappingError: No column identifies the subject of a row, or the preset does not fit.
    """
    columns, sample, settings = list(columns), list(sample), settings or Settings()
    wanted: Kind | None = "event" if event is not None else kind
    found = recognise(columns) if preset is None else preset
    if preset is not None and wanted not in (None, preset.kind):
        raise MappingError(f"preset {preset.name}: its rows are {preset.kind}s, not {wanted}s")
    looked = looks(columns, sample, settings.null_values, lines or Lines())
    if found is not None and wanted in (None, found.kind):
        return fitted_preset(
            found, columns, looked, event, settings, named=preset is not None, country_given=country_given
        )
    proposal = propose({name: look.sort for name, look in looked.items()}, kind, event_given=event is not None)
    if proposal.identity is None:
        raise _no_identity(columns, proposal)
    values = evidence(proposal, looked, settings, country_given=country_given, kind_known=wanted is not None)
    return _combined(proposal, values, looked, event, kind, sample)


def _combined(
    proposal: Proposal,
    values: Evidence,
    looked: Mapping[str, Look],
    event: str | None,
    kind: Kind | None,
    sample: Sequence[pa.RecordBatch],
) -> InferredMapping:
    """Return the mapping of the lines of the fields and of the traits."""
    lines, questions = values.lines, [*proposal.questions, *values.questions]
    if event is not None:
        identity = sum(line.field in ("user_id", "phone", "country_code") for line in lines)
        lines.insert(identity, Line("event", {"value": event}, "given"))
    elif proposal.kind == "event" and "event" not in proposal.columns:
        lines.append(_EVENT)
        questions.append(f"event: no column holds the name of the events: {option('event', placeholder='NAME')}")
    elif any(question.startswith("kind: ") for question in questions) and proposal.kind == "user":
        lines.append(_EVENT)
        lines += _as_events(looked)
    rest = {name: look for name, look in looked.items() if name not in proposal.columns.values()}
    if not any(look.rows for look in looked.values()):
        notes = ["Proposed by the column names alone."]
        lines.append(Line("traits", "*", "every other column"))
        return inferred(lines, proposal.kind, notes=notes, undecided=questions, remarks=proposal.remarks)
    guesses = {}
    for name, look in rest.items():
        guesses[name] = guess(look)
        look.forget_texts()
    remarks = [*_unreadable(sample), *proposal.remarks, *values.remarks]
    if proposal.kind == "event" and "created_at" not in proposal.columns:
        _without_time(guesses, questions, remarks)
    known = event is not None or kind is not None
    return inferred(
        [*lines, *_traits(guesses, looked, proposal.kind)],
        proposal.kind,
        notes=[
            _looked_at(looked),
            f"The rows are {proposal.kind}s" + ("." if known else ", as far as the columns tell."),
        ],
        undecided=questions,
        remarks=[
            *remarks,
            *(f"traits: {name}: {found.reason}" for name, found in guesses.items() if found.undecided is not None),
            *(
                f"{name or 'the first column'} is left out: {found.reason}"
                for name, found in guesses.items()
                if found.left_out and (looked[name].refused is not None or looked[name].filled)
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
    """Add a question or a remark if events have no time, which cannot be corrected once they are sent."""
    if any(question.startswith("created_at: ") for question in questions):
        return
    times = [name for name, found in guesses.items() if found.is_time and names.names_an_event_time(name, typed=True)]
    if times:
        questions.append(
            f"created_at: {', '.join(times[:3])} may be the time of the event: a mapping line such as "
            f'created_at: {{column: "{times[0]}", type: datetime}}'
        )
    else:
        near = [name for name in guesses if names.names_an_event_time(name, typed=False)]
        unread = f"; {', '.join(near)} cannot be read as one" if near else ""
        remarks.append(f"created_at: no column holds the time of the event{unread}: the time of arrival counts")


def _traits(guesses: Mapping[str, Guess], looked: Mapping[str, Look], kind: Kind) -> list[Line]:
    own = own_traits(guesses, looked) if kind == "user" else OwnTraits()
    called = {"": f"column_{list(looked).index('') + 1}"} if "" in looked else {}
    has_consent = OPTED_IN in guesses or OPTED_IN in own.names.values()
    lines: list[Line] = []
    for name, found in guesses.items():
        trait = {"column": name} | ({"name": of} if (of := own.names.get(name, called.get(name))) else {})
        reason = f"Interakt's own trait; {found.reason}" if name in own.names else found.reason
        is_opted_in = OPTED_IN in (name, of) and is_consent(looked[name], "whatsapp")
        options = found.options | ({"type": "boolean"} if is_opted_in else {})
        lines += own.name_lines if name in own.joined[:1] else []
        lines.append(Line("traits", trait | options, reason, active=not found.left_out))
        others = [other for other in found.instead if other.options != options]
        lines += [Line("traits", trait | other.options, other.reason, active=False) for other in others]
        if kind == "user" and not has_consent and is_consent(looked[name], "other"):
            lines.append(consent_line(name))
    return lines


def _looked_at(looked: Mapping[str, Look]) -> str:
    rows = next(iter(looked.values())).rows
    which = f"the first {rows:,} rows" if rows >= SAMPLE_ROWS else f"all {number_of(rows, 'row')}"
    return f"Proposed by the column names, and {which}. Look it over: lines that begin with # do nothing."


def _unreadable(sample: Iterable[pa.RecordBatch]) -> list[str]:
    """Return a remark with the number of rows that cannot be read; here they count as empty."""
    problems = [batch[PROBLEM_COLUMN] for batch in sample if PROBLEM_COLUMN in batch.schema.names]
    count = sum(len(column) - column.null_count for column in problems)
    return [f"{count:,} of the rows cannot be read: they count as empty here, and are refused"] if count else []


def _no_identity(columns: Sequence[str], proposal: Proposal) -> MappingError:
    message = f"no column looks like a user_id or a phone among {listed(columns)}: "
    if proposal.offered_phones:
        name = proposal.offered_phones[0]
        message += f"{name} is the phone of another person; give {mapped('phone', name)} to write to it anyway, or "
    elif columns and all(names.says_nothing(name) for name in columns):
        message += "the columns have no names; "
    elif mails := [name for name in columns if "email" in names.words(name)]:
        message += f"{mails[0]} is an e-mail address; give {mapped('user_id', mails[0])} to make it the id, or "
    return MappingError(printable(f"{message}give a mapping: {mapped('user_id')} or {mapped('phone')}"))


# ------------------------------------------------------------------ a preset, fitted to the rows

_OPTIONS = ("type", "format", "separator", "timezone", "decimal", "guard")
_MOST = 0.5
"""Above this share of values that do not fit, the rows decide and not the preset."""


def fitted_preset(
    preset: Preset,
    columns: Sequence[str],
    looks: Mapping[str, Look],
    event: str | None,
    settings: Settings,
    *,
    named: bool,
    country_given: bool,
) -> InferredMapping:
    """Return the preset's mapping for these columns, checked against the sample as far as it has rows.

    `named` says that the user asked for this preset: then a remark names the columns that the table lacks.
    """
    written = preset.fitted(columns)
    if event is not None and preset.kind == "event":
        written["event"] = {"value": event}
    fit = _Fit(preset.kind, looks, settings, country_given)
    for name in FIELDS[:-1]:
        if name == "phone" and name in written:
            fit.take_phones(written[name], written.get("country_code"))
        elif name in written:
            fit.take(name, written[name])
    traits = written.get("traits", [])
    called = {trait["name"] for trait in traits if isinstance(trait, dict)}
    for trait in traits:
        if trait == "*":
            fit.lines.append(Line("traits", "*", "every other column"))
        else:
            fit.take_trait(trait, called)
    known = ", ".join(preset.recognised(columns))
    notes = [f"{preset.description}: preset {preset.name}" + (f", known by the columns {known}" if known else "")]
    notes += preset.notes
    lacking = preset.lacking(columns)
    if lacking:
        notes.append(f"Not in this table: {', '.join(lacking)}")
    if named and not known and lacking and len(lacking) * 2 > len(preset.headings):
        fit.remarks.insert(
            0,
            f"the table has {len(preset.headings) - len(lacking)} of the {len(preset.headings)} columns of preset "
            f"{preset.name}; missing: {', '.join(lacking)}",
        )
    found = inferred(
        fit.lines, preset.kind, notes=notes, undecided=fit.undecided, remarks=fit.remarks, preset=preset.name
    )
    return _with_left_out(found, columns)


@dataclass
class _Fit:
    """The lines of the preset, with questions and remarks, so far."""

    kind: Kind
    looks: Mapping[str, Look]
    settings: Settings
    country_given: bool
    lines: list[Line] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def take(self, name: str, written: Any) -> None:
        """Add a field of the preset, or what the rows say in its place."""
        looks = [self.looks[column] for column in columns_of(written)]
        options = {key: written[key] for key in _OPTIONS if key in written} if isinstance(written, dict) else {}
        look = looks[0] if len(looks) == 1 else None
        if look is None or not look.filled:
            empty = bool(looks) and looks[0].rows > 0 and not any(one.filled for one in looks)
            reason = "empty in all rows" if empty else "joined" if len(looks) > 1 else ""
            self.lines.append(Line(name, written, "; ".join(filter(None, ["preset", reason]))))
            return
        misfits = look.refused_as(Target(**options)) if options else {}
        if not misfits:
            self.lines.append(Line(name, written, f"preset; fits {look.counted()}" if options else "preset"))
            return
        row = next(iter(misfits))
        if len(misfits) <= look.filled * _MOST:
            self.lines.append(Line(name, written, f"preset; fits {look.filled - len(misfits):,} of {look.rows:,}"))
            self.remarks.append(
                f"{look.name}: {len(misfits):,} of {look.filled:,} values are no {_in_words(options)}, such as "
                f"{look.example(row)}: those rows are refused"
            )
            return
        reason = f"the preset's {_in_words(options)} does not fit {look.example(row)}"
        self._instead(name, written, options, reason)

    def take_trait(self, written: Any, others: Collection[str]) -> None:
        """Add a trait of the preset, and offer consent to WhatsApp beside other consents; `others`: names of traits."""
        look = next((self.looks[column] for column in columns_of(written)), None)
        if look is not None and look.filled and isinstance(written, dict) and names.names_an_owner(look.name):
            if not is_owner_email(look):
                written = written | {"name": look.name}
            elif OWNER not in others:
                written = written | {"name": OWNER}
        self.take("traits", written)
        if look is not None and OPTED_IN not in others and is_consent(look, "other"):
            self.lines.append(consent_line(look.name))

    def _instead(self, name: str, written: dict[str, Any], options: dict[str, Any], reason: str) -> None:
        """Add a field with options that the rows suggest, for a reason."""
        found = guess(self.looks[written["column"]])
        if name == "created_at" and not found.is_time:
            problem = f"{name}: {reason}: {found.undecided or found.reason}"
            (self.undecided if self.kind == "event" else self.remarks).append(problem)
            self.lines.append(Line(name, written, reason, active=False))
            return
        if written.get("collect") and found.options["type"] != "number":
            found = replace(found, options={"type": "string"})
        rest = {key: value for key, value in written.items() if key not in _OPTIONS}
        kept = {key: value for key, value in options.items() if key == "timezone"} if found.is_time else {}
        self.lines.append(Line(name, rest | found.options | kept, f"{reason}; {found.reason}"))
        self.remarks.append(f"{written['column']}: {reason}; {found.reason}")

    def take_phones(self, written: Any, country: Any) -> None:
        """Add the columns of phones, with how many rows have one."""
        tried = [self.looks[name] for name in columns_of(written)]
        if not any(look.filled for look in tried):
            self.lines.append(Line("phone", written, "preset; empty in all rows" if tried[0].rows else "preset"))
            return
        code = next((self.looks[column] for column in columns_of(country)), None) if country is not None else None
        found = try_phones(tried, code, self.settings)
        self.lines.append(Line("phone", written, f"preset; {found.summary}"))
        for look in tried:
            self.undecided += shared_numbers(look, None, self.looks)
            if code is None and not self.country_given:
                reason = other_country(look, self.looks, self.settings)
                self.undecided += [] if reason is None else [f"country_code: {reason}"]


def _with_left_out(found: InferredMapping, columns: Sequence[str]) -> InferredMapping:
    """Add a remark on the columns that are not sent."""
    used = {*found.columns(), *(name for _, trait in found.traits_of(columns) for name in trait.columns)}
    left_out = [name for name in columns if name not in used]
    if not left_out:
        return found
    return replace(found, remarks=(*found.remarks, f"not sent: {', '.join(left_out)}"))


def _in_words(options: dict[str, Any]) -> str:
    return " ".join(str(value) for key, value in options.items() if key != "guard")
