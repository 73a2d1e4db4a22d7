"""Rows → calls: one record batch of the source becomes one of prepared calls, column by column in Arrow.

No row is looked at alone unless something is wrong with it. A prepared row has a `body`, or a `code`, `column` and
`message` that say why it has none. With a body, these say what was left out of it or changed.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import NoteCode, ProblemCode
from interakt_loader.columns import Coerced, Target, coerce, json_escaped, json_string, of_texts, texts
from interakt_loader.columns.normalize import Mixed, as_text, fields, mixed, normalize, null_where, problems_at
from interakt_loader.errors import option
from interakt_loader.identity import Ids, event_names, preferred_phones, user_ids
from interakt_loader.mapping.created import CreatedNames
from interakt_loader.mapping.groups import Groups, whole_groups
from interakt_loader.mapping.spec import Field, Mapping, ValueMap, listed
from interakt_loader.model import LARGEST_BODY, InvalidRow, Kind, Message, Problem
from interakt_loader.privacy.text import borders_of, number_of, utf8_of
from interakt_loader.settings import Settings
from interakt_loader.sources import (
    CELL_ERRORS_COLUMN,
    GROUP_COLUMN,
    OF_AN_OBJECT,
    PROBLEM_COLUMN,
    REPEATED,
    RESERVED,
    SOURCE_COLUMN,
    heading,
    other_shapes,
    to_arrow,
)
from interakt_loader.values import LIST_IN_A_LIST, OBJECT_AS_VALUE, shortened, shown, with_single_spaces

PREPARED = pa.schema(
    [
        ("row", pa.int64()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("user_id", pa.string()),
        ("country_code", pa.string()),
        ("phone", pa.string()),
        ("event", pa.string()),
        ("ordering_key", pa.string()),
        ("event_id", pa.string()),
        ("body", pa.binary()),
        ("carrier", pa.int64()),
        ("code", pa.string()),
        ("column", pa.string()),
        ("message", pa.string()),
    ]
)
"""The prepared calls.

- `body`: the JSON body as UTF-8, or null for a row that cannot be sent.
- `ordering_key`: the user's identity, which all rows of one user share.
- `event_id`: identifies an event together with its name, where the mapping has it.
- `carrier`: the row whose call includes this row, which has no body then.
"""


@dataclass(frozen=True)
class Preparation:
    """How the rows of one load become calls. Call it with a batch and the number of its first row."""

    mapping: Mapping
    kind: Kind
    settings: Settings
    created: CreatedNames | None = None
    """Collects the names in the calls, if they are wanted."""

    def __call__(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the calls of a batch, one row for each of its rows, in order (schema `PREPARED`)."""
        return _Rows(self, batch).prepared(first_row)

    def identities(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the same rows without bodies or problems: for rows that will not be sent, whatever they hold."""
        rows = _Rows(self, batch)
        rows.identify()
        return rows.batch(first_row, body=pa.nulls(len(batch), pa.binary()), problems=False)

    def whole_groups(self, batches: Iterator[pa.RecordBatch], end: int | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a mapping with `group_by`, as `groups.whole_groups` does."""
        field = self.mapping.group_by
        assert field is not None
        return whole_groups(batches, lambda batch: _Rows(self, batch).ids(field, "group_invalid"), field.label, end)


class _Rows:
    """One batch in preparation: the columns so far, and the problems and notes of its rows."""

    def __init__(self, preparation: Preparation, batch: pa.RecordBatch) -> None:
        self._preparation = preparation
        self._table = batch
        self._count = batch.num_rows
        self._null_words = preparation.settings.null_values
        self._names = {heading(name): position for position, name in enumerate(batch.schema.names)}
        self._objects = {heading(field.name) for field in batch.schema if field.metadata == OF_AN_OBJECT}
        self._named = set(preparation.mapping.columns())
        self._found = Findings(self._count)
        self._cell_errors = self._errors_by_column()
        self._groups: Groups | None = None
        self._no_text = pa.nulls(self._count, pa.string())
        self.user_id = self.country_code = self.phone = self.event = self.event_id = self._no_text

    def prepared(self, first_row: int) -> pa.RecordBatch:
        mapping = self._preparation.mapping
        self._unreadable()
        self._group()
        self.identify()
        self._require_identity()
        if self._preparation.kind == "event" and mapping.event is not None:
            self._name_events(mapping.event)
        event_id = mapping.event_id_by(self._preparation.settings.event_id)
        if event_id is not None:
            self._identify_events(event_id)
        members = self._members()
        body, carrier = self._bodies(members), None
        if self._groups is not None:
            carrier, body = self._carried(self._groups, body, first_row)
        prepared = self.batch(first_row, body=body.cast(pa.binary()), problems=True, carrier=carrier)
        if self._preparation.created is not None:
            self._note_names(self._preparation.created, members, prepared["body"].is_valid())
        return prepared

    # ------------------------------------------------------------------ fields

    def identify(self) -> None:
        """Find user_id, country_code and phone of each row."""
        mapping = self._preparation.mapping
        if mapping.user_id is not None:
            self.user_id = self.ids(mapping.user_id, "user_id_invalid")
        if mapping.phone:
            code, settings = mapping.country_code, self._preparation.settings
            found_phones = preferred_phones(
                [self._whole(field, "phone_invalid") for field in mapping.phone],
                None if code is None else self._countries(code),
                settings.default_country,
                settings.phones,
            )
            self.country_code, self.phone = found_phones.country_codes, found_phones.numbers
            for row, (position, problem) in found_phones.problems.items():
                is_country = problem.code == "country_code_invalid" and code is not None
                self._found.problem(row, (code if is_country and code else mapping.phone[position]).label, problem)
            for row, (position, note) in found_phones.notes.items():
                self._found.note(row, mapping.phone[position].label, note)

    def ids(self, field: Field, code: ProblemCode) -> pa.StringArray:
        """Return the ids in a field; those that cannot be sent become problems."""
        values = self._whole(field, code)
        found = user_ids(values, code)
        self._found.refuse(field.label, found.problems)
        self._found.note_all(field.label, found.notes)
        return found.values

    def _whole(self, field: Field, code: ProblemCode) -> pa.Array:
        """Return the values that identify something. An id of which a part is missing would be another id."""
        if len(field.columns) > 1:
            values, problems = self._joined_ids(field, code)
        else:
            values, problems = self._read(field)
        self._found.refuse(field.label, problems)
        return values

    def _joined_ids(self, field: Field, code: ProblemCode) -> tuple[pa.Array, dict[int, Problem]]:
        problems: dict[int, Problem] = {}
        parts = []
        for column in field.columns:
            values, wrong = self._read(Field.of(column))
            found = user_ids(values, code)
            problems = found.problems | wrong | problems
            parts.append(found.values)
        joined, partly = joined_texts(parts, field.join)
        for row in pc.indices_nonzero(partly).to_pylist():
            problems.setdefault(row, Problem(code, "one of the columns is empty, and without it this is another value"))
        return null_where(joined, self._found.at(problems)), problems

    def _countries(self, field: Field) -> pa.Array:
        values, problems = self._read(field)
        self._found.refuse(field.label, problems)
        return values if field.default is None else pc.fill_null(as_text(values), str(field.default))

    def _unreadable(self) -> None:
        if PROBLEM_COLUMN in self._names:
            reasons = self._column(PROBLEM_COLUMN)
            for row in pc.indices_nonzero(pc.is_valid(reasons)).to_pylist():
                self._found.problem(row, None, Problem("row_unreadable", reasons[row].as_py()))

    def _errors_by_column(self) -> dict[str, dict[int, Problem]]:
        """Return the cells that hold an error instead of a value (workbooks), by column and row."""
        found: dict[str, dict[int, Problem]] = {}
        if CELL_ERRORS_COLUMN in self._names:
            cells = self._column(CELL_ERRORS_COLUMN)
            for row in pc.indices_nonzero(pc.is_valid(cells)).to_pylist():
                for cell in cells[row].as_py():
                    found.setdefault(cell["column"], {})[row] = Problem("cell_error", cell["reason"])
        return found

    def _require_identity(self) -> None:
        mapping = self._preparation.mapping
        if mapping.user_id is not None:
            self.user_id = self._in_common(mapping.user_id, self.user_id)
        if mapping.phone:
            self.country_code = self._in_common(mapping.country_code or mapping.phone[0], self.country_code)
            self.phone = self._in_common(mapping.phone[0], self.phone)
        missing = pc.and_(pc.is_null(self.user_id), pc.is_null(self.phone))
        names = [field.label for field in (mapping.user_id, *mapping.phone) if field is not None]
        problem = Problem("identity_missing", f"no {' and no '.join(names)}: a call needs one to identify the user")
        for row in pc.indices_nonzero(missing).to_pylist():
            self._found.problem(row, names[0], problem)

    def _name_events(self, field: Field) -> None:
        coerced = self._coerced(field, required="string")
        self._found.refuse(field.label, coerced.problems)
        distinct = coerced.json.dictionary_encode()
        given = pa.array([json.loads(name) for name in distinct.dictionary.to_pylist()], pa.string())
        # a constant of the mapping is not checked
        read = event_names(given) if field.columns else Ids(given, {}, {})
        self.event = read.values.take(distinct.indices)
        for of_distinct, keep in ((read.problems, self._found.problem), (read.notes, self._found.note)):
            for place, problem in of_distinct.items():
                for row in pc.indices_nonzero(pc.equal(distinct.indices, place)).to_pylist():
                    keep(row, field.label, problem)
        self.event = self._in_common(field, self.event)
        for row in pc.indices_nonzero(pc.is_null(self.event)).to_pylist():
            written = coerced.json[row].as_py()
            why = "is empty" if written is None else f"is {shortened(json.loads(written))}, which means a missing value"
            self._found.problem(
                row, field.label, Problem("event_missing", f"an event needs a name, and this one {why}")
            )

    def _identify_events(self, field: Field) -> None:
        self.event_id = self._in_common(field, self.ids(field, "event_id_invalid"))
        missing = Problem("event_id_missing", "events are identified by this id, and this event has none")
        for row in pc.indices_nonzero(pc.is_null(self.event_id)).to_pylist():
            self._found.problem(row, field.label, missing)

    def _members(self) -> list[_Member]:
        """Return what the bodies have besides the identity: the call's own members, then its traits.

        The traits are sorted by name, so that the order of the columns does not change a call.
        """
        mapping, members = self._preparation.mapping, []
        for name, field in (("createdAt", mapping.created_at), ("add_to_sales_cycle", mapping.add_to_sales_cycle)):
            if field is not None:
                coerced = self._coerced(field, required="datetime" if name == "createdAt" else "boolean")
                self._found.refuse(field.label, coerced.problems)
                members.append(_Member(name, field, coerced.json))
        if mapping.tags is not None:
            tags = self._optional("tags", mapping.tags, required="list")
            # the API removes no tags, so there is nothing to clear
            members.append(tags._replace(texts=of_texts(tags.texts), is_optional=False))
        columns = [name for name in self._names if name not in RESERVED]
        traits = [self._optional(name, field, is_trait=True) for name, field in mapping.traits_of(columns)]
        members += sorted(traits, key=lambda one: one.name)
        return members if self._groups is None else [self._grouped(self._groups, one) for one in members]

    def _bodies(self, members: Sequence[_Member]) -> pa.StringArray:
        """Return the JSON body of each call: one for each row, or for each group."""
        identity, groups = [self.user_id, self.country_code, self.phone, self.event], self._groups
        if groups is not None:
            identity = [one.take(pa.array(groups.starts)) for one in identity]
        if self._preparation.settings.nulls == "clear":
            members = [one.cleared() if one.is_optional else one for one in members]
        traits = [one for one in members if one.is_trait]
        parts = [pa.repeat("{", len(identity[0]))]
        for name, of in zip(_IDENTITY_MEMBERS, identity, strict=True):
            parts += _member(f'"{name}":"', json_escaped(of), '",')
        for one in members:
            if not one.is_trait:
                parts += _member(f'"{one.name}":', one.texts, ",")
        body = _joined([*parts, '"traits":{', *_object(traits), "}}"])
        for place, (at_fault, problem) in too_large(body, [(one.field.label, one.texts) for one in traits]).items():
            self._found.problem(place if groups is None else int(groups.starts[place]), at_fault, problem)
        return body

    def _optional(self, name: str, field: Field, required: str | None = None, *, is_trait: bool = False) -> _Member:
        """Coerce a field that a row may lack, as the option `bad_values` says."""
        coerced = self._coerced(field, required)
        text, changed = collapse_whitespace(coerced.json)
        for row in changed:
            note = Problem("white_space_tidied", "line breaks, tabs and runs of spaces became one space")
            self._found.note(row, field.label, note)
        for row in null_words_in(text):
            hint = f"if it means a missing value, name it in {option('null_values')}"
            self._found.note(row, field.label, Problem("null_word", f"{text[row].as_py()} is sent as text: {hint}"))
        if self._preparation.settings.bad_values == "drop":
            for row, problem in coerced.problems.items():
                self._found.note(row, field.label, Problem("value_dropped", f"left out: {problem.message}"))
        else:
            self._found.refuse(field.label, coerced.problems)
        bad = self._found.at(coerced.problems) if coerced.problems else None
        return _Member(name, field, text, is_trait=is_trait, is_optional=True, bad=bad)

    def _coerced(self, field: Field, required: str | None = None) -> Coerced:
        target = self._target(field, required)
        values, problems = self._read(field)
        json_texts, wrong = coerce(values, target)
        problems = wrong | problems if problems else wrong
        if field.default is not None and json_texts.null_count:
            missing = pc.and_not(json_texts.is_null(), self._found.at(problems)) if problems else json_texts.is_null()
            json_texts = pc.if_else(missing, coerce(to_arrow([field.default]), target).json[0], json_texts)
        return Coerced(json_texts, problems)

    def _note_names(self, created: CreatedNames, members: Sequence[_Member], is_sent: pa.BooleanArray) -> None:
        """Note the names in the calls of a batch; `is_sent` has the rows that have a call."""
        if self._preparation.kind == "event":
            created.add("events", pc.unique(self.event.filter(is_sent)).drop_null().to_pylist())
        if self._groups is not None:
            is_sent = self._groups.any(is_sent)
        for one in members:
            if one.is_trait and created.lacks("traits", one.name):
                if pc.any(pc.and_(one.texts.is_valid(), is_sent)).as_py():
                    created.add("traits", [one.name])
            elif one.name == "tags" and not one.is_trait and not created.is_cut("tags"):
                for tags in pc.unique(one.texts.filter(is_sent)).drop_null().to_pylist():
                    created.add("tags", json.loads(tags))

    # ------------------------------------------------------------------ values

    def _target(self, field: Field, required: str | None = None) -> Target:
        target = field.target
        kind = required if required and target.type == "auto" else target.type
        # the zone of naive times: the field's own, else the load's
        zone = target.timezone if target.timezone != Target().timezone else self._preparation.settings.timezone
        return replace(target, type=kind, timezone=zone)

    def _read(self, field: Field) -> tuple[pa.Array, dict[int, Problem]]:
        """Return the values of a field before they are converted, and the problems of those that have none."""
        if not field.columns:
            return to_arrow([field.value]).take(pa.repeat(0, self._count)), {}
        problems: dict[int, Problem] = {}
        for column in field.columns:
            problems |= self._cell_errors.get(column, {})
        if len(field.columns) == 1:
            values = self._cells(field.columns[0])
        else:
            parts = []
            for column in field.columns:
                text, wrong = texts(self._cells(column), self._target(field))
                parts.append(text)
                problems |= wrong
            values = joined_texts(parts, field.join)[0]
            if problems:
                values = null_where(values, self._found.at(problems))
        if field.value_map is not None:
            values, unknown = mapped_values(values, field.value_map, self._target(field))
            problems |= unknown
        return values, problems

    def _cells(self, column: str) -> pa.Array:
        if column not in self._names:
            # JSON lines: no row of this batch has it
            self._refuse_other_shapes(column, pa.nulls(self._count))
            return pa.nulls(self._count)
        values = self._column(column)
        if self._objects and column in self._named:
            self._refuse_other_shapes(column, values)
        return null_where_word(values, self._null_words)

    def _refuse_other_shapes(self, name: str, values: pa.Array) -> None:
        """Refuse the rows that hold an object where a value is mapped, or a value where an object is."""
        for other in other_shapes(name, self._names):
            if name in self._names and self._objects.isdisjoint({name, other}):
                # two columns of a table, one with a dot in its name
                continue
            reason = f"{other} is a value here, not an object" if name.startswith(other) else OBJECT_AS_VALUE.message
            for row in pc.indices_nonzero(pc.and_(values.is_null(), self._column(other).is_valid())).to_pylist():
                self._found.problem(row, name, Problem("unsupported_type", reason))

    def _column(self, name: str) -> pa.Array:
        return self._table.column(self._names[name])

    # ------------------------------------------------------------------ rows that are one event

    def _group(self) -> None:
        """Read which rows are one event (`whole_groups`), and the problems of groups as a whole."""
        if GROUP_COLUMN not in self._names:
            return
        label, groups = self._group_by.label, self._column(GROUP_COLUMN)
        # why an id is none, before the consequence
        self.ids(self._group_by, "group_invalid")
        self._groups = Groups(pc.struct_field(groups, "number"))
        codes, reasons = (pc.struct_field(groups, name) for name in ("code", "message"))
        for row in pc.indices_nonzero(codes.is_valid()).to_pylist():
            self._found.problem(row, label, Problem(codes[row].as_py(), reasons[row].as_py()))

    @property
    def _group_by(self) -> Field:
        field = self._preparation.mapping.group_by
        assert field is not None
        return field

    def _grouped(self, groups: Groups, member: _Member) -> _Member:
        """Make one value of the values of each group: the common one, or the list of all of them."""
        bad = None if member.bad is None else groups.any(member.bad)
        if not member.field.collect:
            return member._replace(texts=self._common(groups, member.field, member.texts, in_json=True), bad=bad)
        nested = pc.starts_with(member.texts, "[").fill_null(fill_value=False)
        for row in pc.indices_nonzero(nested).to_pylist():
            self._found.problem(row, member.field.label, LIST_IN_A_LIST)
        return member._replace(texts=groups.lists(member.texts), bad=bad)

    def _in_common(self, field: Field, values: pa.StringArray) -> pa.StringArray:
        """Return for each row what its group has in common; without groups, the values themselves."""
        return values if self._groups is None else self._groups.to_rows(self._common(self._groups, field, values))

    def _common(self, groups: Groups, field: Field, values: pa.StringArray, *, in_json: bool = False) -> pa.StringArray:
        found, conflicts = groups.common(values)
        for one, other in conflicts:
            first, second = (values[row].as_py() for row in (one, other))
            if in_json:
                # 1 and 1.00 are one number
                first, second = json.loads(first), json.loads(second)
                if first == second and type(first) is not bool and type(second) is not bool:
                    continue
            before = number_of(other - one, "row")
            reason = (
                f"{shown(second)}, and {shown(first)} {before} before: all rows of one {self._group_by.label} are one "
                "event, and need one value"
            )
            self._found.problem(other, field.label, Problem("group_conflict", reason))
        return found

    def _carried(self, groups: Groups, body: pa.StringArray, first_row: int) -> tuple[pa.Array, pa.StringArray]:
        """Return the carrier of each row that has no call of its own, and the bodies of the rows that have one.

        A group with a bad row is refused as a whole: its event would lack something.
        """
        label, headers = self._group_by.label, self._headers()
        own = np.setdiff1d(np.arange(self._count), [*headers])
        # the first row of each group that has one, and the group of that row
        found, at = np.unique(groups.of_row[own], return_index=True)
        first = np.full(len(groups), -1)
        first[found] = own[at]
        bad: dict[int, int] = {}
        for row in sorted({*self._found.rows_refused} - headers):
            bad.setdefault(int(groups.of_row[row]), row)
        for group, wrong in bad.items():
            reason = f"another row of this {label} cannot be sent (row {first_row + wrong}), so the event cannot"
            for row in own[groups.of_row[own] == group].tolist():
                self._found.problem(row, label, Problem("group_invalid", reason))
        good = np.setdiff1d(found, [*bad])
        bodies = np.full(self._count, -1)
        bodies[first[good]] = good
        others = own[np.isin(groups.of_row[own], good) & (bodies[own] < 0)]
        carriers = np.full(self._count, -1)
        carriers[others] = first[groups.of_row[others]]
        self._found.move_notes(zip(others.tolist(), carriers[others].tolist(), strict=True))
        is_other, has_body = carriers >= 0, bodies >= 0
        return (
            pa.array(carriers + first_row, mask=~is_other),
            body.take(pa.array(bodies, mask=~has_body)),
        )

    def _headers(self) -> set[int]:
        """Return the rows that repeat the header: they belong to no group."""
        if PROBLEM_COLUMN not in self._names:
            return set()
        return {*pc.indices_nonzero(pc.equal(self._column(PROBLEM_COLUMN), REPEATED)).to_pylist()}

    # ------------------------------------------------------------------ the result

    def batch(
        self, first_row: int, *, body: pa.Array, problems: bool, carrier: pa.Array | None = None
    ) -> pa.RecordBatch:
        """Return the prepared batch."""
        code = column = message = self._no_text
        if problems:
            code, column, message = self._found.columns()
            body = null_where(body, self._found.refused)
        source = self._column(SOURCE_COLUMN).cast(pa.string()) if SOURCE_COLUMN in self._names else self._no_text
        columns = [
            _row_numbers(first_row, self._count),
            source,
            pa.repeat(self._preparation.kind, self._count),
            self.user_id,
            self.country_code,
            self._phones_in_report(),
            self.event,
            self._ordering_keys(),
            self.event_id,
            body,
            pa.nulls(self._count, pa.int64()) if carrier is None else carrier,
            code,
            column,
            message,
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PREPARED)

    def _ordering_keys(self) -> pa.StringArray:
        if not self.user_id.null_count:
            return self.user_id
        return pc.coalesce(self.user_id, pc.binary_join_element_wise(self.country_code, self.phone, ""), "")

    def _phones_in_report(self) -> pa.StringArray:
        """Return the phones for the report: as the API takes them, or as written where they are refused."""
        fields = self._preparation.mapping.phone
        if not fields or not self._found.has("phone_invalid"):
            return self.phone
        values = self._read(fields[0])[0]
        return self.phone if normalize(values).kind == "list" else pc.coalesce(self.phone, as_text(values))


def _row_numbers(first: int, count: int) -> pa.Int64Array:
    """Return the numbers of rows. For a NumPy array, `pa.array` would import `numpy.ma`, a part of each start."""
    return pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(np.arange(first, first + count))])


class _Member(NamedTuple):
    """A member of the bodies: its JSON texts, null where a body lacks it."""

    name: str
    field: Field
    texts: pa.StringArray
    is_trait: bool = False
    is_optional: bool = False
    """Whether it is left out where it is missing or bad, or cleared, as the options say."""
    bad: pa.BooleanArray | None = None
    """Where a value cannot be sent; None: nowhere."""

    def cleared(self) -> _Member:
        """Return it with JSON's null where a value is missing, not where it is bad."""
        texts = self.texts.fill_null("null")
        return self._replace(texts=texts if self.bad is None else null_where(texts, self.bad))


_IDENTITY_MEMBERS = ("userId", "countryCode", "phoneNumber", "event")


def joined_texts(parts: Sequence[pa.StringArray], separator: str) -> tuple[pa.StringArray, pa.BooleanArray]:
    """Return the texts of several columns as one, and where some of them are missing, but not all.

    Each is trimmed. A missing one leaves no separator; where all are missing, the result is null.
    """
    trimmed = [pc.utf8_trim_whitespace(part) for part in parts]
    joined = trimmed[0]
    for part in trimmed[1:]:
        # not with null_handling="skip", which leaves out the rows where all are null
        joined = pc.coalesce(pc.binary_join_element_wise(joined, part, separator), joined, part)
    some_missing = functools.reduce(pc.or_, [part.is_null() for part in trimmed])
    return joined, pc.and_not(some_missing, joined.is_null())


def mapped_values(values: pa.Array, value_map: ValueMap, target: Target) -> tuple[pa.Array, dict[int, Problem]]:
    """Return what a value map has for the text of each value, and the problems of the values that it lacks."""
    written, problems = texts(values, target)
    written = pc.utf8_trim_whitespace(written)
    keys = [key for key, _ in value_map.values]
    index = pc.index_in(written, pa.array(keys, pa.string()))
    unknown = pc.and_(written.is_valid(), index.is_null())
    if value_map.has_otherwise:
        index = pc.if_else(unknown, len(keys), index)
    else:
        expected = f"is not among the values of the mapping: {listed(keys, 8)}"
        problems |= problems_at(written, unknown, "value_unmapped", expected)
    results = to_arrow([*(result for _, result in value_map.values), value_map.otherwise])
    return results.take(index), problems


def _object(traits: Sequence[_Member]) -> list[str | pa.Array]:
    """Return what to join for the members of an object, with a comma between two of them."""
    complete = [at for at, one in enumerate(traits) if not one.texts.null_count]
    if not complete:
        parts = [part for one in traits for part in _member(f"{json_string(one.name)}:", one.texts, ",")]
        return [pc.utf8_rtrim(_joined(parts), ",")] if parts else []
    # one that each row has: those before it end with a comma, and those after it begin with one
    parts = []
    for at, one in enumerate(traits):
        before, after = "," if at > complete[0] else "", "," if at < complete[0] else ""
        parts += _member(f"{before}{json_string(one.name)}:", one.texts, after)
    return parts


def _member(before: str, values: pa.StringArray, after: str) -> list[str | pa.Array]:
    """Return what to join for a member: nothing where its value is null."""
    if not values.null_count:
        return [before, values, after]
    return [pc.binary_join_element_wise(before, values, after, "")]


def _joined(parts: Sequence[str | pa.Array]) -> pa.StringArray:
    """Join columns, and text that is the same in all rows. At least one is a column; null is nothing."""
    merged: list[Any] = [""]
    for part in parts:
        if isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return pc.binary_join_element_wise(*merged, "", null_handling="replace", null_replacement="")


def messages(prepared: pa.RecordBatch, kind: Kind) -> tuple[list[Message], list[InvalidRow]]:
    """Return the rows of a prepared batch: those to send, and those that cannot be sent.

    Rows that the call of another row includes are in neither list.
    """
    own = prepared.filter(prepared["carrier"].is_null()) if prepared["carrier"].null_count < len(prepared) else prepared
    rows = zip(
        *(own[name].to_pylist() for name in ("row", "ordering_key", "body")),
        *(own[name].to_pylist() for name in ("user_id", "country_code", "phone", "event", "source")),
        *(own[name].to_pylist() for name in ("message", "code", "column")),
        strict=True,
    )
    good: list[Message] = []
    invalid: list[InvalidRow] = []
    for row, ordering_key, body, *rest in rows:
        if body is None:
            invalid.append(InvalidRow(row, kind, *rest))
        else:
            good.append(Message(row, kind, ordering_key, body, *rest))
    return good, invalid


# ------------------------------------------------------------------ problems and notes


class Findings:
    """The first problem of each row, and all notes on rows that are sent; rows are positions in the batch."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._problems: dict[int, tuple[str | None, Problem]] = {}
        self._notes: dict[int, list[tuple[str, Problem]]] = {}

    def note(self, row: int, column: str, note: Problem) -> None:
        """Keep a note on a row that is sent: what was changed, or what to check."""
        self._notes.setdefault(row, []).append((column, note))

    def note_all(self, column: str, notes: dict[int, Problem]) -> None:
        """Keep the notes of a column."""
        for row, note in notes.items():
            self.note(row, column, note)

    def problem(self, row: int, column: str | None, problem: Problem) -> None:
        """Keep a problem if it is the row's first: one reason is enough to fix a row, and identity is checked first."""
        self._problems.setdefault(row, (column, problem))

    def refuse(self, column: str, problems: dict[int, Problem]) -> None:
        """Keep the problems of a column."""
        for row, problem in problems.items():
            self.problem(row, column, problem)

    def has(self, code: ProblemCode | NoteCode) -> bool:
        """Tell whether a row has a problem of this code."""
        return any(problem.code == code for _, problem in self._problems.values())

    def move_notes(self, rows: Iterable[tuple[int, int]]) -> None:
        """Give the notes of rows to others, whose calls include them: pairs of both."""
        for row, to in rows if self._notes else ():
            if row in self._notes:
                self._notes.setdefault(to, []).extend(self._notes.pop(row))

    @property
    def rows_refused(self) -> list[int]:
        """The rows with a problem."""
        return [*self._problems]

    @property
    def refused(self) -> pa.BooleanArray:
        """A mask that is true at the rows with a problem."""
        return self.at(self._problems)

    def at(self, rows: Collection[int]) -> pa.BooleanArray:
        """Return a mask that is true at these rows."""
        if not rows:
            return pa.repeat(value=False, size=self._rows)
        mask = np.zeros(self._rows, np.bool_)
        mask[[*rows]] = True
        return pa.array(mask)

    def columns(self) -> tuple[pa.StringArray, pa.StringArray, pa.StringArray]:
        """Return code, column at fault and message of each row; null without a problem or a note."""
        if not self._problems and not self._notes:
            nothing = pa.nulls(self._rows, pa.string())
            return nothing, nothing, nothing
        code: list[str | None] = [None] * self._rows
        column, message = list(code), list(code)
        for row, notes in self._notes.items():
            column[row], code[row] = notes[0][0], notes[0][1].code
            message[row] = "; ".join(f"{name}: {note.message}" for name, note in notes)
        for row, (at_fault, problem) in self._problems.items():
            code[row], column[row] = problem.code, at_fault
            message[row] = problem.message if at_fault is None else f"{at_fault}: {problem.message}"
        return pa.array(code, pa.string()), pa.array(column, pa.string()), pa.array(message, pa.string())


# ------------------------------------------------------------------ null words

NULL_WORDS = ("null", "nan", "nat", "none", "<na>", "n/a", "#n/a", "undefined", r"\\N", "nil")
"""Words that programs write for a missing value, in small letters and as JSON writes them.

Only the user knows whether such a word is a value: there are people called Null. The words in the option `null_values`
are read as missing. All others are sent, with a note.
"""
_FORMS = {form for word in NULL_WORDS for form in (word, word.upper(), word.capitalize())} | {"NaN", "NaT"}
_LONGEST_NULL_WORD = len('""') + max(map(len, _FORMS))
_NULL_WORDS_IN_JSON = pa.array([f'"{form}"' for form in sorted(_FORMS)])


def null_where_word(values: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """Return the values with null for each text that is exactly one of `words`."""
    if not words:
        return values
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if isinstance(values.type, Mixed):
        return mixed(
            {kind: null_where_word(array, words if kind == "text" else ()) for kind, array in fields(values).items()}
        )
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values
    return null_where(values, pc.is_in(values, pa.array(words, values.type)))


def null_words_in(texts: pa.StringArray) -> list[int]:
    """Return the positions of the JSON texts that are one of `NULL_WORDS` and nothing else."""
    if b'"' not in utf8_of(texts).tobytes():
        # numbers and booleans
        return []
    # most columns have no text so short
    if (np.diff(borders_of(texts)) > _LONGEST_NULL_WORD).all():
        return []
    return pc.indices_nonzero(pc.is_in(texts, _NULL_WORDS_IN_JSON)).to_pylist()  # type: ignore[no-any-return]


# ------------------------------------------------------------------ white space

_MAY_BE_REFUSED = r'^["\[].*(?:\\[nrt]|   )'
"""JSON text that may have a run of white space; an escaped backslash before an n looks alike."""

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def collapse_whitespace(texts: pa.StringArray) -> tuple[pa.StringArray, list[int]]:
    """Return JSON texts with each refused run of white space as one space, and the positions of the changed texts.

    The API answers 400 to a line break, a tab or three spaces in a row inside a text trait [seen]. In lists, the items
    are changed. Every other character stays: control characters (NUL too) as JSON escapes, U+2028 and U+2029 as
    themselves. Halves of surrogate pairs were refused earlier (`not_text`).
    """
    written = utf8_of(texts).tobytes()
    if b"\\" not in written and b"   " not in written:
        return texts, []
    changed = {}
    for position in pc.indices_nonzero(pc.match_substring_regex(texts, _MAY_BE_REFUSED)).to_pylist():
        text = texts[position].as_py()
        collapsed = _JSON_STRING.sub(_collapsed_string, text)
        if collapsed != text:
            changed[position] = collapsed
    if not changed:
        return texts, []
    mask = pc.is_in(pa.array(range(len(texts))), pa.array(list(changed)))
    return pc.replace_with_mask(texts, mask, pa.array(changed.values(), texts.type)), list(changed)


def _collapsed_string(match: re.Match[str]) -> str:
    text = json.loads(match[0])
    collapsed = with_single_spaces(text)
    return match[0] if collapsed == text else json_string(collapsed)


# ------------------------------------------------------------------ size


def too_large(
    bodies: pa.StringArray, traits: Sequence[tuple[str, pa.StringArray]]
) -> dict[int, tuple[str | None, Problem]]:
    """Return the rows whose body is over `LARGEST_BODY`, each with the column of its largest trait.

    `traits` are (column, JSON texts) of the bodies' traits.
    """
    sizes = pc.binary_length(bodies)
    largest = pc.max(sizes).as_py()
    if largest is None or largest <= LARGEST_BODY:
        return {}
    return {
        row: _too_large(sizes[row].as_py(), [(len(texts[row].as_py() or ""), column) for column, texts in traits])
        for row in pc.indices_nonzero(pc.greater(sizes, LARGEST_BODY)).to_pylist()
    }


def _too_large(size: int, traits: list[tuple[int, str]]) -> tuple[str | None, Problem]:
    length, column = max(traits, default=(0, None))
    reason = f"the call has {size:,} bytes, and the API takes {LARGEST_BODY:,} at most"
    if column is not None:
        reason += f"; this is its longest trait, with {length:,} characters"
    return column, Problem("too_large", reason)
