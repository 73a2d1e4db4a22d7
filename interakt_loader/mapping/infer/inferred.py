"""A proposed mapping: its lines with their reasons, and the questions that only a person can answer."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from interakt_loader.mapping.files import SCHEMA
from interakt_loader.mapping.spec import FIELDS, Mapping
from interakt_loader.model import Kind
from interakt_loader.privacy.text import masked, number_of, printable, some
from interakt_loader.templates import render

_TRAIT = "traits"
_SHOWN = 8
"""Columns of a type that a summary names."""

_UNCONFIRMED = (
    "# While this line says false, a load that finds this file by itself sends nothing. Look the file over, then set",
    "# it to true or delete the line (or load once with --yes). With --mapping FILE the line has no effect.",
    "confirmed: false",
)


@dataclass(frozen=True)
class Line:
    """One line of the mapping: a field or a trait, and why."""

    field: str
    written: Any
    """In the written form; for a trait, an item of the list."""
    reason: str
    active: bool = True
    """False for a line that is only offered: it is written as a comment."""


@dataclass(frozen=True, repr=False)
class InferredMapping(Mapping):
    """A mapping that was inferred from a table: a `Mapping` with its reasons and open questions.

    No load accepts it while it has open questions.
    """

    kind: Kind = "user"
    """What the rows are."""
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()
    """The origin of the mapping, a line each."""
    open_questions: tuple[str, ...] = ()
    """Questions that only the user can answer, a line each, with the way to answer."""
    remarks: tuple[str, ...] = ()
    """Facts about these rows, a line each."""
    preset: str | None = None
    """The name of the preset that the columns fit."""

    @classmethod
    def as_written(cls, mapping: Mapping) -> InferredMapping:
        """Return a mapping that a person wrote in this form, to show it. It has no reasons."""
        written = mapping.as_dict()
        traits = written.pop(_TRAIT, [])
        if isinstance(traits, dict):
            named = {name: {"column": trait} if isinstance(trait, str) else trait for name, trait in traits.items()}
            traits = [trait | {"name": name} for name, trait in named.items()]
        lines = [Line(name, field, "") for name, field in written.items()]
        return inferred([*lines, *(Line(_TRAIT, trait, "") for trait in traits)], mapping.kind)

    def __repr__(self) -> str:
        fields = [f"{line.field}={_columns_in_words(line.written)}" for line in self._active(traits=False)]
        traits = "all other columns" if self.all_columns else number_of(len(self.traits), "trait")
        parts = [f"{self.kind}s", *fields, traits]
        if self.open_questions:
            parts.append(f"{len(self.open_questions)} open")
        return printable(f"<InferredMapping: {', '.join(parts)}>")

    @property
    def mapping(self) -> Mapping:
        """The mapping alone, as a person would have written it."""
        return Mapping(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Mapping)})

    @property
    def reasons(self) -> dict[str, str]:
        """Why each field and each trait (as `traits.NAME`) was chosen."""
        fields = {line.field: line.reason for line in self._active(traits=False)}
        return fields | {f"{_TRAIT}.{_name(line.written)}": line.reason for line in self._active(traits=True)}

    @property
    def is_recognised(self) -> bool:
        """Whether this is the export of a preset without open questions, which needs no confirmation."""
        return self.preset is not None and not self.open_questions

    def summary(self) -> str:
        """Return the proposal in a few lines: each field and why, the traits by type, and the remarks."""
        found = "proposed from the columns" if self.preset is None else f"preset {self.preset}"
        head = f"{found}: {self.kind}s (interakt-loader infer SOURCE prints this mapping, with all reasons)"
        return "\n".join([head, *self.details()])

    def details(self) -> list[str]:
        """Return the lines of the summary below its head."""
        lines = []
        for line in self._active(traits=False):
            reason = f" ({line.reason})" if line.reason else ""
            lines.append(f"{line.field}: {_columns_in_words(line.written)}{reason}")
        by_type: dict[str, list[str]] = {}
        for line in self._active(traits=True):
            options = line.written if isinstance(line.written, dict) else {}
            words = [*filter(None, [options.get("type")]), *(["collected"] if options.get("collect") else [])]
            kind = f" ({', '.join(words)})" if words else ""
            by_type.setdefault(kind, []).append(_trait_in_words(line.written))
        groups = [some(names, _SHOWN) + kind for kind, names in by_type.items()]
        lines += [f"{_TRAIT}: {'; '.join(groups)}"] if groups else []
        lines += [f"note: {remark}" for remark in self.remarks]
        return [f"  {printable(line)}" for line in lines]

    def _active(self, *, traits: bool) -> list[Line]:
        return [line for line in self.lines if line.active and (line.field == _TRAIT) is traits]

    def to_yaml(self, *, confirmed: bool = False) -> str:
        """Return the mapping as a commented YAML file, which `read_mapping` reads as the same mapping.

        Unless it is `confirmed`, or a preset without open questions, the file says `confirmed: false`. The first line
        names the JSON Schema, so that editors complete the file.
        """
        text = [f"# yaml-language-server: $schema={SCHEMA.as_uri()}", *map(_comment, self.notes)]
        if self.open_questions:
            text += ["# Open questions:", *(_comment(f"- {question}") for question in self.open_questions)]
        if self.remarks:
            text += ["# To know:", *(_comment(f"- {remark}") for remark in self.remarks)]
        if not confirmed and not self.is_recognised:
            text += _UNCONFIRMED
        fields = [line for line in self.lines if line.field != _TRAIT]
        text += [_with_reason(line, f"{line.field}: {_flow(line.written)}") for line in fields]
        traits = [line for line in self.lines if line.field == _TRAIT]
        if [line.written for line in traits] == ["*"]:
            text.append(_with_reason(traits[0], 'traits: "*"'))
        elif traits:
            listed = any(line.active for line in traits)
            text.append("traits:" if listed else "# traits:")
            text += [_with_reason(line, f"  - {_flow(line.written)}") for line in traits]
        return "\n".join(text) + "\n"

    def to_python(self) -> str:
        """Return a call with this mapping, ready to be pasted, below the open questions; comments are masked."""
        text = [_comment(masked(f"open: {question}")) for question in self.open_questions]
        text += [_comment(masked(f"note: {remark}")) for remark in self.remarks]
        text.append(f"load_{self.kind}s(data, {{")
        text += [
            f"    {line.field!r}: {line.written!r},  {_comment(masked(line.reason))}"
            for line in self._active(traits=False)
        ]
        traits = self._active(traits=True)
        if [line.written for line in traits] == ["*"]:
            text.append(f"    {_TRAIT!r}: '*',  {_comment(masked(traits[0].reason))}")
        elif traits:
            items = [f"        {line.written!r},  {_comment(masked(line.reason))}" for line in traits]
            text += [f"    {_TRAIT!r}: [", *items, "    ],"]
        return "\n".join([*text, "})"])

    def _repr_html_(self) -> str:
        if self.open_questions:
            state = f"{number_of(len(self.open_questions), 'open question')}: nothing can be sent yet"
        else:
            state = "not confirmed yet" if self.preset is None else f"preset {self.preset}"
        lines = [(line.field, _in_words(line.written), line.reason) for line in self.lines if line.active]
        return render(
            "proposal.html",
            kind=self.kind,
            state=state,
            questions=self.open_questions,
            lines=[[printable(cell) for cell in line] for line in lines],
            remarks=self.remarks,
        )

    def with_masked_comments(self) -> InferredMapping:
        """Return the same mapping with phones and e-mail addresses masked in its reasons, questions and remarks."""
        return dataclasses.replace(
            self,
            lines=tuple(dataclasses.replace(line, reason=masked(line.reason)) for line in self.lines),
            open_questions=tuple(map(masked, self.open_questions)),
            remarks=tuple(map(masked, self.remarks)),
        )

    def with_given(self, given: Sequence[Line]) -> InferredMapping:
        """Return this proposal with the lines that the user gives in place of its own.

        They answer the open questions about their fields. A column that becomes a field is no trait any more, unless a
        preset has it as one.
        """
        fields = {line.field for line in given if line.field != _TRAIT}
        names = {_name(line.written) for line in given if line.field == _TRAIT}
        taken = {column for line in given if line.field != _TRAIT for column in columns_of(line.written)}

        def stays(line: Line) -> bool:
            if line.field != _TRAIT or line.written == "*":
                return line.field not in fields
            is_free = self.preset is not None or taken.isdisjoint(columns_of(line.written))
            return is_free and _name(line.written) not in names

        lines = [*filter(stays, self.lines), *given]
        return inferred(
            sorted(lines, key=lambda line: FIELDS.index(line.field)),
            "event" if "event" in fields else self.kind,
            notes=self.notes,
            undecided=[question for question in self.open_questions if field_asked(question) not in fields],
            remarks=self.remarks,
            preset=self.preset,
        )


def inferred(
    lines: Sequence[Line],
    kind: Kind,
    *,
    notes: Iterable[str] = (),
    undecided: Iterable[str] = (),
    remarks: Iterable[str] = (),
    preset: str | None = None,
) -> InferredMapping:
    """Return the mapping of the active lines, with all that is known about it."""
    written: dict[str, Any] = {line.field: line.written for line in lines if line.active and line.field != _TRAIT}
    traits = [line.written for line in lines if line.active and line.field == _TRAIT]
    if traits:
        written[_TRAIT] = traits if traits != ["*"] else "*"
    mapping = Mapping.of(written)
    return InferredMapping(
        **{field.name: getattr(mapping, field.name) for field in dataclasses.fields(mapping)},
        kind=kind,
        lines=tuple(lines),
        notes=tuple(notes),
        open_questions=tuple(undecided),
        remarks=tuple(remarks),
        preset=preset,
    )


def field_asked(question: str) -> str:
    """Return the field that an open question is about: it begins with its name (or with `kind`)."""
    return question.partition(":")[0]


def columns_of(written: Any) -> list[str]:
    """Return the columns that a field in the written form takes, in order; none for a constant."""
    if isinstance(written, list):
        return [name for field in written for name in columns_of(field)]
    if isinstance(written, dict):
        return written.get("columns") or ([written["column"]] if "column" in written else [])
    return [written]


def field_of(column: str, options: dict[str, Any]) -> Any:
    """Return a field in the written form: the column alone where there are no options."""
    return {"column": column} | options if options else column


def _columns_in_words(written: Any) -> str:
    """Return a field for people: its columns, or the constant in quotes."""
    if isinstance(written, list):
        return ", ".join(map(_columns_in_words, written))
    if isinstance(written, dict) and "value" in written:
        return repr(written["value"])
    return " + ".join(columns_of(written)) if written != "*" else "every other column"


def _trait_in_words(written: Any) -> str:
    """Return a trait for people: its columns, after its name if that is another."""
    columns, name = _columns_in_words(written), _name(written)
    return columns if name in (columns, "*") else f"{name} = {columns}"


def _name(trait: Any) -> str:
    """Return the name of a trait, as `Mapping.of` reads it."""
    return str(trait.get("name") or columns_of(trait)[0]) if isinstance(trait, dict) else str(trait)


def _in_words(written: Any) -> str:
    """Return a field as it is written, in JSON if it is more than a column's name."""
    return written if isinstance(written, str) else json.dumps(written, ensure_ascii=False, default=str)


def _with_reason(line: Line, written: str) -> str:
    """Return a line of the file with its reason; an inactive one as a comment."""
    text = f"{written}  {_comment(line.reason)}"
    if line.active:
        return text
    indent = len(text) - len(text.lstrip())
    return f"{text[:indent]}# {text[indent:]}"


def _comment(text: str) -> str:
    """Return text as a comment, on one line whatever it holds."""
    return "# " + printable(text)


def _flow(written: Any) -> str:
    """Return a field in YAML's flow style, text between quotes."""
    if isinstance(written, list):
        return "[" + ", ".join(map(_flow, written)) + "]"
    if not isinstance(written, dict):
        return _value(written)
    # options and types are our own words
    pairs = (f"{key}: {value if key == 'type' else _value(value)}" for key, value in written.items())
    return "{" + ", ".join(pairs) + "}"


def _value(value: Any) -> str:
    """Return a value in YAML's flow style. The keys of a dict are text: `"Yes"`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(str(key))}: {_value(of)}" for key, of in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dt.date):
        # without quotes, YAML reads a date or a time
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    # between quotes, YAML reads its escapes back
    return printable(json.dumps(value, ensure_ascii=False, default=str))
