"""Rows → calls: one record batch of the source becomes one of prepared calls, column by column in Arrow.

No row is looked at alone unless something is wrong with it. A prepared row has a `body`, or a `code`, `column` and
`message` that say why it has none. With a body, these say what was left out of it or changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import NoteCode, ProblemCode
from interakt_loader.columns import Coerced, Target, coerce, json_string, json_strings, of_texts
from interakt_loader.columns.normalize import Mixed, as_text, fields, mixed, normalize, null_where
from interakt_loader.errors import option
from interakt_loader.identity import Ids, event_names, preferred_phones, user_ids
from interakt_loader.mapping.spec import Field, Mapping
from interakt_loader.model import LARGEST_BODY, InvalidRow, Kind, Message, Problem
from interakt_loader.settings import Settings
from interakt_loader.sources import (
    CELL_ERRORS_COLUMN,
    OF_AN_OBJECT,
    PROBLEM_COLUMN,
    RESERVED,
    SOURCE_COLUMN,
    heading,
    other_shapes,
    to_arrow,
)
from interakt_loader.values import OBJECT_AS_VALUE, shortened, with_single_spaces

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
        ("code", pa.string()),
        ("column", pa.string()),
        ("message", pa.string()),
    ]
)
"""The prepared calls.

- `body`: the JSON body as UTF-8, or null for a row that cannot be sent.
- `ordering_key`: the user's identity, which all rows of one user share.
- `event_id`: identifies an event together with its name, where the mapping has it.
"""

_NOTHING = pa.scalar("")


@dataclass(frozen=True)
class Preparation:
    """How the rows of one load become calls. Call it with a batch and the number of its first row."""

    mapping: Mapping
    kind: Kind
    settings: Settings

    def __call__(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the calls of a batch, one row for each of its rows, in order (schema `PREPARED`)."""
        return _Rows(self, batch).prepared(first_row)

    def identities(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the same rows without bodies or problems: for rows that will not be sent, whatever they hold."""
        rows = _Rows(self, batch)
        rows.identify()
        return rows.batch(first_row, body=pa.nulls(len(batch), pa.binary()), problems=False)


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
        self._trait_texts: list[tuple[str, pa.StringArray]] = []
        self._no_text = pa.nulls(self._count, pa.string())
        self.user_id = self.country_code = self.phone = self.event = self.event_id = self._no_text

    def prepared(self, first_row: int) -> pa.RecordBatch:
        self._unreadable()
        self.identify()
        self._require_identity()
        mapping = self._preparation.mapping
        parts = [
            pa.repeat("{", self._count),
            _member("userId", json_strings(self.user_id)),
            _member("countryCode", json_strings(self.country_code)),
            _member("phoneNumber", json_strings(self.phone)),
        ]
        if self._preparation.kind == "event" and mapping.event is not None:
            parts.append(_member("event", self._event_names(mapping.event)))
        event_id = mapping.event_id_by(self._preparation.settings.event_id)
        if event_id is not None:
            self._event_ids(event_id)
        if mapping.created_at is not None:
            created_at = self._coerced(mapping.created_at, required="datetime")
            self._found.refuse(mapping.created_at.label, created_at.problems)
            parts.append(_member("createdAt", created_at.json))
        if mapping.tags is not None:
            parts.append(_member("tags", of_texts(self._optional(mapping.tags, required="list"))))
        parts += [pa.scalar('"traits":{'), self._traits(), pa.scalar("}}")]
        body = pc.binary_join_element_wise(*parts, _NOTHING, null_handling="replace", null_replacement="")
        for row, (at_fault, problem) in too_large(body, self._trait_texts).items():
            self._found.problem(row, at_fault, problem)
        return self.batch(first_row, body=body.cast(pa.binary()), problems=True)

    # ------------------------------------------------------------------ fields

    def identify(self) -> None:
        """Find user_id, country_code and phone of each row."""
        mapping = self._preparation.mapping
        if mapping.user_id is not None:
            found = user_ids(self._values(mapping.user_id))
            self.user_id = found.values
            self._found.refuse(mapping.user_id.label, found.problems | self._errors_of(mapping.user_id))
            self._found.note_all(mapping.user_id.label, found.notes)
        for field in (*mapping.phone, mapping.country_code):
            if field is not None:
                self._found.refuse(field.label, self._errors_of(field))
        if mapping.phone:
            code, settings = mapping.country_code, self._preparation.settings
            found_phones = preferred_phones(
                [self._values(field) for field in mapping.phone],
                None if code is None else self._values(code),
                settings.default_country,
                settings.phones,
            )
            self.country_code, self.phone = found_phones.country_codes, found_phones.numbers
            for row, (position, problem) in found_phones.problems.items():
                is_country = problem.code == "country_code_invalid" and code is not None
                self._found.problem(row, (code if is_country and code else mapping.phone[position]).label, problem)
            for row, (position, note) in found_phones.notes.items():
                self._found.note(row, mapping.phone[position].label, note)

    def _unreadable(self) -> None:
        if PROBLEM_COLUMN in self._names:
            reasons = self._column(PROBLEM_COLUMN)
            for row in pc.indices_nonzero(pc.is_valid(reasons)).to_pylist():
                self._found.problem(row, None, Problem("row_unreadable", reasons[row].as_py()))

    def _errors_by_column(self) -> dict[str | None, dict[int, Problem]]:
        """Return the cells that hold an error instead of a value (workbooks), by column and row."""
        found: dict[str | None, dict[int, Problem]] = {}
        if CELL_ERRORS_COLUMN in self._names:
            cells = self._column(CELL_ERRORS_COLUMN)
            for row in pc.indices_nonzero(pc.is_valid(cells)).to_pylist():
                for cell in cells[row].as_py():
                    found.setdefault(cell["column"], {})[row] = Problem("cell_error", cell["reason"])
        return found

    def _errors_of(self, field: Field) -> dict[int, Problem]:
        return self._cell_errors.get(field.column, {})

    def _require_identity(self) -> None:
        missing = pc.and_(pc.is_null(self.user_id), pc.is_null(self.phone))
        mapping = self._preparation.mapping
        names = [field.label for field in (mapping.user_id, *mapping.phone) if field is not None]
        problem = Problem("identity_missing", f"no {' and no '.join(names)}: a call needs one to identify the user")
        for row in pc.indices_nonzero(missing).to_pylist():
            self._found.problem(row, names[0], problem)

    def _event_names(self, field: Field) -> pa.StringArray:
        coerced = self._coerced(field, required="string")
        self._found.refuse(field.label, coerced.problems)
        distinct = coerced.json.dictionary_encode()
        given = pa.array([json.loads(name) for name in distinct.dictionary.to_pylist()], pa.string())
        # a constant of the mapping is not checked
        read = event_names(given) if field.column is not None else Ids(given, {}, {})
        self.event = read.values.take(distinct.indices)
        for of_distinct, keep in ((read.problems, self._found.problem), (read.notes, self._found.note)):
            for place, problem in of_distinct.items():
                for row in pc.indices_nonzero(pc.equal(distinct.indices, place)).to_pylist():
                    keep(row, field.label, problem)
        for row in pc.indices_nonzero(pc.is_null(self.event)).to_pylist():
            written = coerced.json[row].as_py()
            why = "is empty" if written is None else f"is {shortened(json.loads(written))}, which means a missing value"
            self._found.problem(
                row, field.label, Problem("event_missing", f"an event needs a name, and this one {why}")
            )
        return json_strings(read.values).take(distinct.indices)

    def _event_ids(self, field: Field) -> None:
        found = user_ids(self._values(field), "event_id_invalid")
        self.event_id = found.values
        self._found.refuse(field.label, found.problems | self._errors_of(field))
        self._found.note_all(field.label, found.notes)
        missing = Problem("event_id_missing", "events are identified by this id, and this event has none")
        for row in pc.indices_nonzero(pc.is_null(found.values)).to_pylist():
            self._found.problem(row, field.label, missing)

    def _traits(self) -> pa.StringArray:
        """Return the members of the `traits` object, joined, without the last comma.

        They are sorted by name, so that the order of the columns does not change a call.
        """
        columns = [name for name in self._names if name not in RESERVED]
        members = {}
        for name, field in self._preparation.mapping.traits_of(columns):
            texts = self._optional(field)
            self._trait_texts.append((field.label, texts))
            members[name] = _member(name, texts, quoted=json_string(name))
        if not members:
            return pa.repeat("", self._count)
        in_order = [members[name] for name in sorted(members)]
        joined = pc.binary_join_element_wise(*in_order, _NOTHING, null_handling="replace", null_replacement="")
        return pc.utf8_rtrim(joined, ",")

    def _optional(self, field: Field, required: str | None = None) -> pa.StringArray:
        """Coerce a field that a row may lack, as the options `bad_values` and `nulls` say."""
        coerced = self._coerced(field, required)
        text, changed = collapse_whitespace(coerced.json)
        for row in changed:
            note = Problem("white_space_tidied", "line breaks, tabs and runs of spaces became one space")
            self._found.note(row, field.label, note)
        for row in null_words_in(text):
            hint = f"if it means a missing value, name it in {option('null_values')}"
            self._found.note(row, field.label, Problem("null_word", f"{text[row].as_py()} is sent as text: {hint}"))
        if self._preparation.settings.nulls == "clear":
            text = null_where(text.fill_null("null"), self._found.at(coerced.problems))
        if self._preparation.settings.bad_values == "drop":
            for row, problem in coerced.problems.items():
                self._found.note(row, field.label, Problem("value_dropped", f"left out: {problem.message}"))
        else:
            self._found.refuse(field.label, coerced.problems)
        return text

    def _coerced(self, field: Field, required: str | None = None) -> Coerced:
        target = field.target
        kind = required if required and target.type == "auto" else target.type
        # the zone of naive times: the field's own, else the load's
        zone = target.timezone if target.timezone != Target().timezone else self._preparation.settings.timezone
        coerced = coerce(self._values(field), replace(target, type=kind, timezone=zone))
        errors = self._errors_of(field)
        return Coerced(coerced.json, coerced.problems | errors) if errors else coerced

    def _values(self, field: Field) -> pa.Array:
        if field.column is None:
            return to_arrow([field.value]).take(pa.repeat(0, self._count))
        if field.column not in self._names:
            # JSON lines: no row of this batch has it
            self._refuse_other_shapes(field.column, pa.nulls(self._count))
            return pa.nulls(self._count)
        column = self._column(field.column)
        if self._objects and field.column in self._named:
            self._refuse_other_shapes(field.column, column)
        return null_where_word(column, self._null_words)

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

    def batch(self, first_row: int, *, body: pa.Array, problems: bool) -> pa.RecordBatch:
        """Return the prepared batch."""
        code = column = message = self._no_text
        if problems:
            code, column, message = self._found.columns()
            body = null_where(body, self._found.refused)
        source = self._column(SOURCE_COLUMN).cast(pa.string()) if SOURCE_COLUMN in self._names else self._no_text
        columns = [
            pa.array(range(first_row, first_row + self._count), pa.int64()),
            source,
            pa.repeat(self._preparation.kind, self._count),
            self.user_id,
            self.country_code,
            self._phones_in_report(),
            self.event,
            pc.coalesce(self.user_id, pc.binary_join_element_wise(self.country_code, self.phone, _NOTHING), ""),
            self.event_id,
            body,
            code,
            column,
            message,
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PREPARED)

    def _phones_in_report(self) -> pa.StringArray:
        """Return the phones for the report: as the API takes them, or as written where they are refused."""
        fields = self._preparation.mapping.phone
        if not fields or not self._found.has("phone_invalid"):
            return self.phone
        values = self._values(fields[0])
        return self.phone if normalize(values).kind == "list" else pc.coalesce(self.phone, as_text(values))


def _member(name: str, values: pa.StringArray, quoted: str | None = None) -> pa.StringArray:
    """Return `"name":value,` for each JSON text, null where the value is null."""
    return pc.binary_join_element_wise(pa.scalar(f"{quoted or json.dumps(name)}:"), values, pa.scalar(","), _NOTHING)


def messages(prepared: pa.RecordBatch, kind: Kind) -> tuple[list[Message], list[InvalidRow]]:
    """Return the rows of a prepared batch: those to send, and those that cannot be sent."""
    rows = zip(
        *(prepared[name].to_pylist() for name in ("row", "ordering_key", "body")),
        *(prepared[name].to_pylist() for name in ("user_id", "country_code", "phone", "event", "source")),
        *(prepared[name].to_pylist() for name in ("message", "code", "column")),
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

    @property
    def refused(self) -> pa.BooleanArray:
        """A mask that is true at the rows with a problem."""
        return self.at(self._problems)

    def at(self, rows: Iterable[int]) -> pa.BooleanArray:
        """Return a mask that is true at these rows."""
        return pc.is_in(pa.array(range(self._rows), pa.int64()), pa.array(sorted(rows), pa.int64()))

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
_NULL_WORDS_IN_JSON = [f'"{form}"' for word in NULL_WORDS for form in {word, word.upper(), word.capitalize()}]
_NULL_WORDS_IN_JSON += ['"NaN"', '"NaT"']


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
    return pc.indices_nonzero(pc.is_in(texts, pa.array(_NULL_WORDS_IN_JSON))).to_pylist()  # type: ignore[no-any-return]


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
