"""Words that stand for nothing: `NULL`, `nan`, `N/A`, as programs write them into text where a value is missing.

Only the user knows whether such a word is a value: there are people called Null. So those that the option
`null_values` names are read as missing, and all others are sent as they stand, and said.

White space as the API wants it: a newline, a tab or three spaces in a row inside a text trait get a 400 [seen].

Such runs become one space, in the items of lists too. Every other character arrives as it is: other control
characters (NUL too) as JSON escapes, U+2028 and U+2029 as themselves. Halves of surrogate pairs cannot come this
far: they are refused as `not_text` where the values are read.

Bodies that are larger than the API takes are refused before any call.

Findings about the rows of a batch: why some cannot be sent, and notes on some that are.

Rows → calls: one record batch of the source becomes one of prepared calls, column by column in Arrow.

No row is looked at by itself unless something is wrong with it. A prepared row has either a `body`, or a `code`,
`column` and `message` that say why it has none (with a body, they say what was left out of it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.codes import NoteCode, ProblemCode
from interakt_loader.columns import (
    Coerced,
    Target,
    coerce,
    json_string,
    json_strings,
    of_texts,
)
from interakt_loader.columns.normalize import (
    Mixed,
    as_text,
    fields,
    mixed,
    normalize,
    null_where,
)
from interakt_loader.errors import option
from interakt_loader.identity import (
    Ids,
    event_names,
    preferred_phones,
    user_ids,
)
from interakt_loader.mapping.spec import Field, Mapping
from interakt_loader.model import LARGEST_BODY, Kind, Message, Problem
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
from interakt_loader.values import IN_PLACE_OF_A_VALUE, shortened
from interakt_loader.values import tidy as tidy_text

WORDS = ("null", "nan", "nat", "none", "<na>", "n/a", "#n/a", "undefined", r"\\N", "nil")
"""Those that are told, in small letters and as JSON writes them."""
_SUSPECTS = [f'"{form}"' for word in WORDS for form in {word, word.upper(), word.capitalize()}]
_SUSPECTS += ['"NaN"', '"NaT"']


def null_where_null_word(values: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """Return the values with null for each text that is exactly one of `words`."""
    if not words:
        return values
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if isinstance(values.type, Mixed):
        return mixed(
            {
                kind: null_where_null_word(array, words if kind == "text" else ())
                for kind, array in fields(values).items()
            }
        )
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values
    return null_where(values, pc.is_in(values, pa.array(words, values.type)))


def null_words_in(texts: pa.StringArray) -> list[int]:
    """Return the positions of the JSON texts that are such a word and nothing else."""
    return pc.indices_nonzero(pc.is_in(texts, pa.array(_SUSPECTS))).to_pylist()  # type: ignore[no-any-return]


_SUSPECT = r'^["\[].*(?:\\[nrt]|   )'
"""In JSON text; an escaped backslash before an n looks alike, so each suspect is looked at closer."""

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def collapse_whitespace(texts: pa.StringArray) -> tuple[pa.StringArray, list[int]]:
    """Return JSON texts with the refused runs of white space made one space, and the positions of those changed."""
    suspects = pc.indices_nonzero(pc.match_substring_regex(texts, _SUSPECT)).to_pylist()
    changed = {}
    for position in suspects:
        text = texts[position].as_py()
        tidy = _JSON_STRING.sub(_collapsed_string, text)
        if tidy != text:
            changed[position] = tidy
    if not changed:
        return texts, []
    mask = pc.is_in(pa.array(range(len(texts))), pa.array(list(changed)))
    return pc.replace_with_mask(texts, mask, pa.array(changed.values(), texts.type)), list(changed)


def _collapsed_string(match: re.Match[str]) -> str:
    text = json.loads(match[0])
    tidy = tidy_text(text)
    return match[0] if tidy == text else json.dumps(tidy, ensure_ascii=False)


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
        row: _told(sizes[row].as_py(), [(len(texts[row].as_py() or ""), column) for column, texts in traits])
        for row in pc.indices_nonzero(pc.greater(sizes, LARGEST_BODY)).to_pylist()
    }


def _told(size: int, parts: list[tuple[int, str]]) -> tuple[str | None, Problem]:
    length, column = max(parts, default=(0, None))
    said = f"the call has {size:,} bytes, and the API takes {LARGEST_BODY:,} at most"
    if column is not None:
        said += f"; this is its longest trait, with {length:,} characters"
    return column, Problem("too_large", said)


class Findings:
    """The first problem of each row, and all notes; rows are positions in the batch."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._problems: dict[int, tuple[str | None, Problem]] = {}
        self._notes: dict[int, list[tuple[str, Problem]]] = {}  # of rows that are sent, with something changed

    def note(self, row: int, column: str, note: Problem) -> None:
        """Keep what was done to a row that is sent."""
        self._notes.setdefault(row, []).append((column, note))

    def note_all(self, column: str, notes: dict[int, Problem]) -> None:
        """Keep the notes of a column."""
        for row, note in notes.items():
            self.note(row, column, note)

    def problem(self, row: int, column: str | None, problem: Problem) -> None:
        """Keep a row's first problem: identity is looked at before traits, and one reason is enough to mend."""
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
        """A mask that is true at the rows that have a problem."""
        return self.at(self._problems)

    def at(self, rows: Iterable[int]) -> pa.BooleanArray:
        """Return a mask that is true at these rows."""
        return pc.is_in(pa.array(range(self._rows), pa.int64()), pa.array(sorted(rows), pa.int64()))

    def columns(self) -> tuple[pa.StringArray, pa.StringArray, pa.StringArray]:
        """Return code, column at fault and message of each row, null where there is nothing to say."""
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
"""The prepared calls: `body` is the JSON body as UTF-8, or null for a row that cannot be sent; `ordering_key` is the user's
identity, which all rows of one user share; `event_id` is what an event is known by besides its name, where there is
one."""

_NOTHING = pa.scalar("")


@dataclass(frozen=True)
class Preparation:
    """How rows of one load become calls. Call it with a batch and the number of its first row."""

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
    """One batch on its way: the columns found so far, and the first problem of each row."""

    def __init__(self, how: Preparation, batch: pa.RecordBatch) -> None:
        self._how = how
        self._table = batch
        self._count = batch.num_rows
        self._null_words = how.settings.null_values
        self._names = {heading(name): position for position, name in enumerate(batch.schema.names)}
        self._objects = {heading(one.name) for one in batch.schema if one.metadata == OF_AN_OBJECT}
        self._named = set(how.mapping.columns())
        self._found = Findings(self._count)
        self._cell_errors = self._errors_by_column()
        self._trait_texts: list[tuple[str, pa.StringArray]] = []
        self._no_text = pa.nulls(self._count, pa.string())
        self.user_id = self.country_code = self.phone = self.event = self.event_id = self._no_text

    def prepared(self, first_row: int) -> pa.RecordBatch:
        self._unreadable()
        self.identify()
        self._require_identity()
        mapping = self._how.mapping
        parts = [
            pa.repeat("{", self._count),
            _member("userId", json_strings(self.user_id)),
            _member("countryCode", json_strings(self.country_code)),
            _member("phoneNumber", json_strings(self.phone)),
        ]
        if self._how.kind == "event" and mapping.event is not None:
            parts.append(_member("event", self._event_names(mapping.event)))
        event_id = mapping.event_id_by(self._how.settings.event_id)
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
        mapping = self._how.mapping
        if mapping.user_id is not None:
            found = user_ids(self._values(mapping.user_id))
            self.user_id = found.values
            self._found.refuse(mapping.user_id.label, found.problems | self._errors_of(mapping.user_id))
            self._found.note_all(mapping.user_id.label, found.notes)
        for one in (*mapping.phone, mapping.country_code):
            if one is not None:
                self._found.refuse(one.label, self._errors_of(one))
        if mapping.phone:
            code, settings = mapping.country_code, self._how.settings
            found_phones = preferred_phones(
                [self._values(one) for one in mapping.phone],
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
        null_where = pc.and_(pc.is_null(self.user_id), pc.is_null(self.phone))
        mapping = self._how.mapping
        names = [one.label for one in (mapping.user_id, *mapping.phone) if one is not None]
        problem = Problem("identity_missing", f"no {' and no '.join(names)}: a call needs one to say who it is about")
        for row in pc.indices_nonzero(null_where).to_pylist():
            self._found.problem(row, names[0], problem)

    def _event_names(self, field: Field) -> pa.StringArray:
        coerced = self._coerced(field, required="string")
        self._found.refuse(field.label, coerced.problems)
        distinct = coerced.json.dictionary_encode()
        given = pa.array([json.loads(one) for one in distinct.dictionary.to_pylist()], pa.string())
        # the name that the mapping itself gives is taken at its word
        read = event_names(given) if field.column is not None else Ids(given, {}, {})
        self.event = read.values.take(distinct.indices)
        for of_distinct, keep in ((read.problems, self._found.problem), (read.notes, self._found.note)):
            for place, what in of_distinct.items():
                for row in pc.indices_nonzero(pc.equal(distinct.indices, place)).to_pylist():
                    keep(row, field.label, what)
        for row in pc.indices_nonzero(pc.is_null(self.event)).to_pylist():
            written = coerced.json[row].as_py()
            why = "is empty" if written is None else f"is {shortened(json.loads(written))}, which stands for nothing"
            self._found.problem(
                row, field.label, Problem("event_missing", f"an event needs a name, and this one {why}")
            )
        return json_strings(read.values).take(distinct.indices)

    def _event_ids(self, field: Field) -> None:
        found = user_ids(self._values(field), "event_id_invalid")
        self.event_id = found.values
        self._found.refuse(field.label, found.problems | self._errors_of(field))
        self._found.note_all(field.label, found.notes)
        missing = Problem("event_id_missing", "events are known by this id, and this one has none")
        for row in pc.indices_nonzero(pc.is_null(found.values)).to_pylist():
            self._found.problem(row, field.label, missing)

    def _traits(self) -> pa.StringArray:
        """Return the members of the `traits` object, joined, without the last comma.

        They are sorted by name: a call says the same, and is known as the same, however the columns are arranged.
        """
        columns = [name for name in self._names if name not in RESERVED]
        members = {}
        for name, field in self._how.mapping.traits_of(columns):
            texts = self._optional(field)
            self._trait_texts.append((field.label, texts))
            members[name] = _member(name, texts, quoted=json_string(name))
        if not members:
            return pa.repeat("", self._count)
        in_order = [members[name] for name in sorted(members)]
        joined = pc.binary_join_element_wise(*in_order, _NOTHING, null_handling="replace", null_replacement="")
        return pc.utf8_rtrim(joined, ",")

    def _optional(self, field: Field, required: str | None = None) -> pa.StringArray:
        """Coerce a field that a row can do without; `bad_values` and `nulls` say what happens to the odd ones."""
        coerced = self._coerced(field, required)
        text, changed = collapse_whitespace(coerced.json)
        for row in changed:
            tidy = Problem("white_space_tidied", "line breaks, tabs and runs of spaces became one space")
            self._found.note(row, field.label, tidy)
        for row in null_words_in(text):
            said = f"{text[row].as_py()} is sent as it stands: if it means that nothing is there, name it in"
            self._found.note(row, field.label, Problem("null_word", f"{said} {option('null_values')}"))
        if self._how.settings.nulls == "clear":
            text = null_where(text.fill_null("null"), self._found.at(coerced.problems))
        if self._how.settings.bad_values == "drop":
            for row, problem in coerced.problems.items():
                self._found.note(row, field.label, Problem("value_dropped", f"left out: {problem.message}"))
        else:
            self._found.refuse(field.label, coerced.problems)
        return text

    def _coerced(self, field: Field, required: str | None = None) -> Coerced:
        target = field.target
        kind = required if required and target.type == "auto" else target.type
        # the zone of naive times: the field's own, else the load's
        zone = target.timezone if target.timezone != Target().timezone else self._how.settings.timezone
        coerced = coerce(self._values(field), replace(target, type=kind, timezone=zone))
        errors = self._errors_of(field)
        return Coerced(coerced.json, coerced.problems | errors) if errors else coerced

    def _values(self, field: Field) -> pa.Array:
        if field.column is None:
            return to_arrow([field.value]).take(pa.repeat(0, self._count))
        if field.column not in self._names:  # JSON lines: no row of this batch has it
            self._refuse_other_shapes(field.column, pa.nulls(self._count))
            return pa.nulls(self._count)
        column = self._column(field.column)
        if self._objects and field.column in self._named:
            self._refuse_other_shapes(field.column, column)
        return null_where_null_word(column, self._null_words)

    def _refuse_other_shapes(self, name: str, values: pa.Array) -> None:
        """Refuse the rows that hold an object where a value is meant, or a value where an object is."""
        for other in other_shapes(name, self._names):
            if name in self._names and self._objects.isdisjoint({name, other}):
                continue  # two columns of a table, of which one happens to have a dot in its name
            said = f"{other} is a value of its own here" if name.startswith(other) else IN_PLACE_OF_A_VALUE.message
            for row in pc.indices_nonzero(pc.and_(values.is_null(), self._column(other).is_valid())).to_pylist():
                self._found.problem(row, name, Problem("unsupported_type", said))

    def _column(self, name: str) -> pa.Array:
        return self._table.column(self._names[name])

    def batch(self, first_row: int, *, body: pa.Array, problems: bool) -> pa.RecordBatch:
        """Put the prepared batch together."""
        code = column = message = self._no_text
        if problems:
            code, column, message = self._found.columns()
            body = null_where(body, self._found.refused)
        source = self._column(SOURCE_COLUMN).cast(pa.string()) if SOURCE_COLUMN in self._names else self._no_text
        columns = [
            pa.array(range(first_row, first_row + self._count), pa.int64()),
            source,
            pa.repeat(self._how.kind, self._count),
            self.user_id,
            self.country_code,
            self._phones_for_people(),
            self.event,
            pc.coalesce(self.user_id, pc.binary_join_element_wise(self.country_code, self.phone, _NOTHING), ""),
            self.event_id,
            body,
            code,
            column,
            message,
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PREPARED)

    def _phones_for_people(self) -> pa.StringArray:
        """Return the phones for the report: as the API takes them, or as they stand where that is no phone."""
        fields = self._how.mapping.phone
        if not fields or not self._found.has("phone_invalid"):
            return self.phone
        values = self._values(fields[0])
        return self.phone if normalize(values).kind == "list" else pc.coalesce(self.phone, as_text(values))


def messages(prepared: pa.RecordBatch, kind: Kind) -> tuple[list[Message], list[Message]]:
    """Return the rows of a prepared batch as messages: those to send, and those that cannot be (no body)."""
    rows = zip(
        *(prepared[name].to_pylist() for name in ("row", "ordering_key", "body")),
        *(prepared[name].to_pylist() for name in ("user_id", "country_code", "phone", "event", "source")),
        *(prepared[name].to_pylist() for name in ("message", "code", "column")),
        strict=True,
    )
    good: list[Message] = []
    bad: list[Message] = []
    for row, ordering_key, body, *rest in rows:
        (bad if body is None else good).append(Message(row, kind, ordering_key, body or b"", *rest))
    return good, bad


def _member(name: str, values: pa.StringArray, quoted: str | None = None) -> pa.StringArray:
    """Return `"name":value,` for each JSON text, null where the value is null."""
    return pc.binary_join_element_wise(pa.scalar(f"{quoted or json.dumps(name)}:"), values, pa.scalar(","), _NOTHING)
