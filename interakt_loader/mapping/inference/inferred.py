"""What was found out of a table, line by line, and how it is written down for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from interakt_loader.mapping.spec import Mapping
from interakt_loader.wire import Kind

_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML takes for the end of a line, or refuses, even between quotes."""
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_WORD = re.compile("[a-z_]+")
_TRAIT = "traits"


@dataclass(frozen=True)
class Line:
    """One line of the mapping: a field or a trait, and why."""

    field: str
    written: Any
    """In the written form; of a trait, an item of the list."""
    reason: str
    active: bool = True
    """False for what is only offered: it is written as a comment."""


@dataclass(frozen=True)
class Inferred:
    """A mapping found out from a table, and why."""

    mapping: Mapping
    kind: Kind
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    """What else to know, a line each."""
    undecided: tuple[str, ...] = ()
    """What the rows leave open, a line each: look at these before anything is sent."""
    preset: str | None = None
    """The name of the preset that the columns fit."""

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        """(field, reason), in the order of the fields; the traits as a whole are the last."""
        fields = [(line.field, line.reason) for line in self.lines if line.active and line.field != _TRAIT]
        traits = [line for line in self.lines if line.active and line.field == _TRAIT]
        if not traits:
            return tuple(fields)
        return (*fields, (_TRAIT, traits[0].reason if len(traits) == 1 else f"{len(traits)} columns"))

    def as_yaml(self) -> str:
        """Return the mapping as a commented YAML file, which `read_mapping` reads as this very mapping."""
        text = [_comment(note) for note in self.notes]
        if self.undecided:
            text += ["# Undecided:", *(_comment(f"- {one}") for one in self.undecided)]
        fields = [line for line in self.lines if line.field != _TRAIT]
        text += [_off(line, f"{line.field}: {_flow(line.written)}") for line in fields]
        traits = [line for line in self.lines if line.field == _TRAIT]
        if [line.written for line in traits] == ["*"]:
            text.append(_off(traits[0], 'traits: "*"'))
        elif traits:
            listed = any(line.active for line in traits)
            text.append("traits:" if listed else "# traits:")
            text += [_off(line, f"  - {_flow(line.written)}") for line in traits]
        return "\n".join(text) + "\n"


def inferred(
    lines: Sequence[Line],
    kind: Kind,
    notes: Iterable[str] = (),
    undecided: Iterable[str] = (),
    preset: str | None = None,
) -> Inferred:
    """Return what the lines say, with the mapping that the active ones make."""
    written: dict[str, Any] = {line.field: line.written for line in lines if line.active and line.field != _TRAIT}
    traits = [line.written for line in lines if line.active and line.field == _TRAIT]
    if traits:
        written[_TRAIT] = traits if traits != ["*"] else "*"
    return Inferred(Mapping.of(written), kind, tuple(lines), tuple(notes), tuple(undecided), preset)


def field_of(column: str, options: dict[str, Any]) -> Any:
    """Return a field in the written form: the column alone where there are no options."""
    return {"column": column} | options if options else column


def _off(line: Line, written: str) -> str:
    text = f"{written}  {_comment(line.reason)}"
    if line.active:
        return text
    indent = len(text) - len(text.lstrip())
    return f"{text[:indent]}# {text[indent:]}"


def _comment(text: str) -> str:
    """Return text as a comment, on one line whatever it holds."""
    return "# " + _UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def _flow(written: Any) -> str:
    """Return a value in YAML's flow style, every text between quotes that could be taken for something else."""
    if isinstance(written, dict):
        return "{" + ", ".join(f"{key}: {_plain(key, one)}" for key, one in written.items()) + "}"
    if isinstance(written, (list, tuple)):
        return "[" + ", ".join(map(_flow, written)) + "]"
    if not isinstance(written, str):
        return json.dumps(written, default=str)
    quoted = json.dumps(written, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _plain(key: str, value: Any) -> str:
    return str(value) if key == "type" else _flow(value)
