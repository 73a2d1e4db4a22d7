"""What the values say of the proposed columns: the reason of each line, questions and remarks.

Values never choose another column and never answer a question. They make the reasons, and they can open a line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.identity import country_code, preferred_phones, user_ids
from interakt_loader.mapping.inference import names
from interakt_loader.mapping.inference.countries import other_country
from interakt_loader.mapping.inference.guess import Guess
from interakt_loader.mapping.inference.inferred import Line, field_of
from interakt_loader.mapping.inference.lists import separator_of
from interakt_loader.mapping.inference.proposal import EVENTS_OR_USERS, Proposal, some
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.mapping.inference.times import time_guess
from interakt_loader.mapping.inference.types import guess
from interakt_loader.settings import Settings

_FEW = 3
"""Rows, and different phones in them, from which on one id for all of them is asked about."""
_UNIQUE = 0.95
"""The share of different values from which on ids tell rows apart."""
_ENOUGH = 0.5
"""The share of values below which a column may not be what its name says."""
_SURE = 0.9
_TRIED = 1000
"""Phones that are tried one by one."""
_SHARED_BY, _SHARED_ROWS, _SHARED_SHARE = 3, 3, 0.01
"""A number beside so many people, in so many rows and in more than this share of the rows is nobody's."""
_KINDS_OF_EVENTS = 100
"""Different values that a column of events' names has at the most."""


@dataclass
class Evidence:
    """The lines so far, with questions and remarks."""

    lines: list[Line] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def evidence(
    proposal: Proposal, looks: Mapping[str, Look], settings: Settings, *, country_given: bool, kind_known: bool
) -> Evidence:
    """Return a line for each proposed field, with what its values show."""
    found = Evidence()
    columns = {name: looks[column] for name, column in proposal.columns.items()}
    if "user_id" in columns:
        _of_ids(columns["user_id"], found, proposal, settings)
        found.questions += _one_id_of_many(columns["user_id"], columns.get("phone"))
    if "phone" in columns:
        country = columns.get("country_code")
        tried = try_phones([columns["phone"]], country, settings)
        found.lines.append(Line("phone", columns["phone"].name, _called(columns["phone"], tried.said)))
        if country is not None:
            _of_country(country, columns["phone"], found)
        elif not country_given:
            said = other_country(columns["phone"], looks, settings)
            found.questions += [] if said is None else [f"country_code: {said}"]
        _of_phones(columns["phone"], tried, found, proposal)
        found.questions += shared_numbers(columns["phone"], columns.get("user_id"), looks)
    if "phone" in columns and "user_id" not in columns and proposal.kind == "user" and tried.share >= _ENOUGH:
        _of_shared_phones(columns["phone"], found)
    identity = columns.get("user_id", columns.get("phone"))
    if not kind_known and not proposal.kind_asked and proposal.kind == "user" and identity is not None:
        said = _repeated(identity) if "user_id" in columns or tried.share >= _ENOUGH else None
        found.questions += [] if said is None else [f"kind: {said}: {EVENTS_OR_USERS}"]
    if "event" in columns:
        _of_event(columns["event"], found)
    if "created_at" in columns:
        _of_created_at(columns["created_at"], found)
    if "tags" in columns:
        found.lines.append(_tags(columns["tags"]))
    return found


def _called(look: Look, said: str) -> str:
    return f"the column is called {look.name}; {said}" if look.rows else f"the column is called {look.name}"


# ---------------------------------------------------------------------------- ids


def _of_ids(look: Look, found: Evidence, proposal: Proposal, settings: Settings) -> None:
    ids = user_ids(look.values)
    held = ids.values.drop_null()
    said = f"{len(held.unique()):,} different in {len(held):,} of {look.rows:,}"
    if look.kind == "float" or (look.kind == "text" and look.matching(r"[0-9]+\.0")):
        row = int(pc.index(look.values.is_valid(), pa.scalar(True)).as_py())
        written = str(look.texts[row].as_py()).removesuffix(".0")
        said += f"; whole numbers that were read as floats: {written}.0 is sent as {written}"
    elif look.matching("0[0-9]+"):
        said += "; zeros in front are kept"
    if look.matching("'.*"):
        said += "; the apostrophe in front is taken off"
    found.lines.append(Line("user_id", look.name, _called(look, said)))
    if not look.rows:
        return
    if ids.problems:
        row = min(ids.problems)
        found.remarks.append(
            f"user_id: {len(ids.problems):,} of {look.rows:,} values are no user ids: {ids.problems[row].message} "
            f"(row {row}); those rows are refused"
        )
    missing = look.rows - len(held) - len(ids.problems)
    if missing:
        said = "there is no phone, so they cannot be sent"
        if "phone" in proposal.columns:
            said = "the phone tells who they are about, and those without a phone too are refused"
        found.remarks.append(f"user_id: {look.name} is empty in {missing:,} of {look.rows:,} rows: {said}")
    if _repeated(look) is None and len(held.unique()) < len(held) and proposal.kind == "user":
        found.remarks.append(
            f"user_id: {look.name} has {len(held.unique()):,} different ids in {len(held):,} rows: of each user the "
            "last row's traits stay"
        )
    if names.person_id(look.name) is not None and _are_phones(look, settings):
        found.questions.append(
            f"user_id: the values of {look.name} look like phone numbers: "
            f'--map user_id="{look.name}" if they are ids, or --map phone="{look.name}"'
        )


def _one_id_of_many(ids: Look, phones: Look | None) -> list[str]:
    """Ask where one id stands beside several phones in all rows: it may be the shop's own code, or a cashier's."""
    if phones is None or ids.distinct != 1 or ids.filled < _FEW or phones.distinct < _FEW:
        return []
    said = f"{ids.name} is the same in {ids.filled:,} rows with {phones.distinct:,} different phones"
    return [
        f"user_id: {said}, so it may be the sender's own: "
        f'--map user_id="{ids.name}" if it is the person\'s, or --map phone="{phones.name}" to go by the phone alone'
    ]


def _are_phones(look: Look, settings: Settings) -> bool:
    """Say whether most ids are phones of the default country: `customer number` may hold either."""
    if look.kind not in ("text", "int") or look.matching(r"\+?[0-9][0-9 -]{8,14}[0-9]") < look.filled * _SURE:
        return False
    return try_phones([look], None, settings).share >= _SURE and look.filled > 0


def _repeated(look: Look) -> str | None:
    """Return how often ids are there again, where it is more than now and then."""
    ids = user_ids(look.values).values.drop_null() if look.kind != "list" else pa.nulls(0)
    distinct = len(ids.unique())
    if len(ids) - distinct < 2 or distinct >= len(ids) * _UNIQUE:
        return None
    return f"{look.name} comes more than once ({distinct:,} different in {len(ids):,} rows)"


# ---------------------------------------------------------------------------- phones


class Tried(NamedTuple):
    """How many of a column's values are phones."""

    country: str | None
    """The column of countries that was used."""
    valid: int
    of: int
    codes: Counter[str]
    """Of the valid ones, by country code."""
    misfit: str | None
    """The first value that is none, and where: `'12' in row 7`."""

    @property
    def share(self) -> float:
        """The share of valid numbers."""
        return self.valid / self.of if self.of else 0.0

    @property
    def said(self) -> str:
        """The evidence in words."""
        if not self.of:
            return "empty in all rows"
        if not self.valid:
            return f"none of {self.of:,} values is a phone number"
        code, most = self.codes.most_common(1)[0]
        whose = f"of {code}" if most == self.valid else f"of {len(self.codes)} country codes, most of {code}"
        share = f"all of {self.of:,}" if self.valid == self.of else f"{self.valid:,} of {self.of:,}"
        told = f", with the countries in {self.country}" if self.country is not None else ""
        return f"{share} values are phone numbers {whose}{told}"


def try_phones(looks: Sequence[Look], country: Look | None, settings: Settings) -> Tried:
    """Count the phones among the first rows that have any, in one column or several in order of preference."""
    filled = looks[0].values.is_valid()
    for look in looks[1:]:
        filled = pc.or_(filled, look.values.is_valid())
    rows = pc.indices_nonzero(filled)[:_TRIED]
    codes = None if country is None else country.values.take(rows)
    read = preferred_phones([one.values.take(rows) for one in looks], codes, settings.default_country, settings.phones)
    misfit = None
    if read.problems:
        place = min(read.problems)
        row = rows[place].as_py()
        misfit = f"{looks[read.problems[place][0]].shown(row)} in row {row}"
    counted = Counter(read.country_codes.drop_null().to_pylist())
    return Tried(None if country is None else country.name, counted.total(), len(rows), counted, misfit)


def _of_phones(look: Look, tried: Tried, found: Evidence, proposal: Proposal) -> None:
    wrong = tried.of - tried.valid
    if not wrong:
        return
    asked = any(one.startswith(("phone: ", "country_code: ")) for one in [*found.questions, *proposal.questions])
    if tried.share < _ENOUGH and not asked:
        ids = proposal.columns.get("user_id")
        without = f', or --map user_id="{ids}" to load without a phone' if ids is not None else ""
        found.questions.append(
            f'phone: {tried.said}, such as {tried.misfit}: --map phone="{look.name}" if it holds phones; rows without '
            f"a valid one are refused then{without}"
        )
    else:
        found.remarks.append(
            f"phone: {wrong:,} of {tried.of:,} values of {look.name} ({wrong / tried.of:.0%}) are no valid phone "
            f"numbers, such as {tried.misfit}: those rows are refused"
        )


def _of_shared_phones(look: Look, found: Evidence) -> None:
    if look.distinct < look.filled:
        found.remarks.append(
            f"phone: {look.distinct:,} different in {look.filled:,} rows: rows with the same phone are one user, and "
            "the last row's traits stay"
        )


def shared_numbers(look: Look, user_id: Look | None, looks: Mapping[str, Look]) -> list[str]:
    """List the numbers that stand beside several people: 9999999999 of a till is nobody's."""
    if look.kind == "list" or look.filled < _SHARED_ROWS:
        return []
    digits = pc.replace_substring_regex(look.texts, "[^0-9]", "")
    counted = digits.drop_null().value_counts().to_pylist()
    often = [one for one in counted if one["counts"] >= _SHARED_ROWS and one["counts"] > look.rows * _SHARED_SHARE]
    beside = [user_id] if user_id is not None and user_id.filled else []
    beside += [one for one in looks.values() if names.names_a_person(one.name) and one.filled]
    listed = []
    for one in sorted(often, key=lambda one: -one["counts"]):
        rows = pc.equal(digits, one["values"])
        people = [len(other.texts.filter(rows).drop_null().unique()) for other in beside]
        if max(people, default=0) >= _SHARED_BY or (not beside and _made_up(one["values"])):
            row = int(pc.index(digits, pa.scalar(one["values"])).as_py())
            listed.append((look.texts[row].as_py(), one["counts"]))
    if not listed:
        return []
    shown = some([f"{written} in {count:,} rows" for written, count in listed])
    return [
        f"phone: one number stands beside several people in {look.name}: {shown}: "
        f'--null-values "{listed[0][0]}" to read it as missing, or --map phone="{look.name}" if it is theirs'
    ]


def _made_up(digits: str) -> bool:
    """Say whether a number is what is typed where there is none: 9999999999, 9876543210."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(digits)}
    return len(digits) >= 7 and (len(set(digits)) <= 2 or steps in ({1}, {9}))


def _of_country(country: Look, phone: Look, found: Evidence) -> None:
    said = f"{country.distinct:,} different in {country.counted()}"
    found.lines.append(Line("country_code", country.name, _called(country, said)))
    distinct = country.texts.drop_null().unique().to_pylist()
    unread = [one for one in distinct if country_code(one) is None]
    if not unread or phone.matching(r"'?(?:\+|00).*") == phone.filled:
        return
    rows = pc.sum(pc.is_in(country.texts, pa.array(unread))).as_py()
    shown = f"such as {unread[0]!r} in row {country.row_of(unread[0])}"
    if len(unread) > len(distinct) * (1 - _ENOUGH):
        found.questions.append(
            f"country_code: {country.name} cannot be read as countries, {shown}: "
            f'--map country_code=COLUMN with the right one, or --map phone="{phone.name}" without it'
        )
    else:
        found.remarks.append(
            f"country_code: {rows:,} of {country.rows:,} values of {country.name} are no countries, {shown}: those "
            "rows are refused"
        )


# ---------------------------------------------------------------------------- the rest


def _of_event(look: Look, found: Evidence) -> None:
    found.lines.append(Line("event", look.name, _called(look, f"{look.distinct:,} different in {look.counted()}")))
    if look.filled < look.rows:
        found.remarks.append(
            f"event: {look.name} is empty in {look.rows - look.filled:,} of {look.rows:,} rows: those rows are refused"
        )
    if look.distinct > _KINDS_OF_EVENTS:
        found.questions.append(
            f"event: {look.name} holds {look.distinct:,} different values, and each becomes a kind of event for ever: "
            f'--map event="{look.name}" if they are names of events, or --event NAME'
        )


def _of_created_at(look: Look, found: Evidence) -> None:
    guessed = guess(look) if look.filled else Guess({}, f"empty in all {look.rows:,} rows")
    if not guessed.is_time and look.kind in ("text", "int"):
        guessed = time_guess(look, _ENOUGH) or guessed
    written: dict[str, Any] = {"column": look.name, "type": "datetime"}
    if guessed.is_time and "format" in guessed.options:
        written["format"] = guessed.options["format"]
    elif not guessed.is_time and len(guessed.instead) == 1 and guessed.undecided is not None:  # but for some rows
        written |= {key: one for key, one in guessed.instead[0].options.items() if key == "format"}
    open_ = bool(look.filled) and not guessed.is_time and len(guessed.instead) != 1
    if not look.rows:
        found.lines.append(Line("created_at", look.name, f"the column is called {look.name}"))
        return
    reason = guessed.reason.removesuffix(": kept as text")
    if open_:
        reason = f"{reason}; it needs a format before a load"
    found.lines.append(Line("created_at", written, _called(look, reason)))
    if not open_ and not guessed.is_time and look.filled:
        found.remarks.append(f"created_at: {look.name}: {guessed.undecided}: those rows are refused")
    if open_:
        ways = [
            f'created_at: {{column: "{look.name}", type: datetime, format: "{one.options["format"]}"}}'
            for one in guessed.instead
            if "format" in one.options
        ]
        found.lines += [
            Line("created_at", written | {"format": one.options["format"]}, one.reason, active=False)
            for one in guessed.instead
        ]
        said = guessed.undecided or f"{look.name} cannot be read as times: {guessed.reason}"
        flags = " or ".join(ways) or f'created_at: {{column: "{look.name}", type: datetime, format: "%d/%m/%Y"}}'
        found.questions.append(f"created_at: {look.name}: {said}: a mapping line such as {flags}")


def _tags(look: Look) -> Line:
    if look.kind == "list" or not look.filled:
        return Line("tags", look.name, _called(look, look.type if look.filled else "empty in all rows"))
    separator = separator_of(look)
    options = {} if separator is None else {"type": "list", "separator": separator}
    return Line("tags", field_of(look.name, options), _called(look, f"items between {separator or ','!r}"))
