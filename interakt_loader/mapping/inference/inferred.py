"""What was found out of a table, line by line, and how it is written down for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from interakt_loader.errors import MappingError
from interakt_loader.mapping.spec import Mapping
from interakt_loader.safety.printable import printable
from interakt_loader.wire import Kind

_TRAIT = "traits"
_SHOWN = 8
"""Columns of a type that a summary names."""


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
    """What the rows leave open and nobody but the user can say, a line each: nothing is sent before it is said."""
    remarks: tuple[str, ...] = ()
    """What to know about these rows, a line each."""
    preset: str | None = None
    """The name of the preset that the columns fit."""

    def decided(self) -> Mapping:
        """Return the mapping, or raise `MappingError` with what is left open."""
        if self.undecided:
            given = "no mapping is given" if self.preset is None else f"preset {self.preset}"
            said = f"{given}, and the rows leave open: {'; '.join(self.undecided)}. Say it in a mapping "
            raise MappingError(printable(said + "(interakt-loader infer SOURCE prints one to start from)"))
        return self.mapping

    def summary(self) -> str:
        """Return what was found out in a few lines: each field and why, the traits by type, and what to know."""
        found = "found out from the columns" if self.preset is None else f"preset {self.preset}"
        lines = [f"{found}: {self.kind}s (interakt-loader infer SOURCE prints this mapping, with all reasons)"]
        lines += [_shown(f"{line.field}: {_said(line.written)} ({line.reason})") for line in self._active(traits=False)]
        by_type: dict[str, list[str]] = {}
        for line in self._active(traits=True):
            kind = f" ({line.written['type']})" if isinstance(line.written, dict) and "type" in line.written else ""
            by_type.setdefault(kind, []).append(_said(line.written))
        groups = [_some(names) + kind for kind, names in by_type.items()]
        lines += [_shown(f"{_TRAIT}: {'; '.join(groups)}")] if groups else []
        lines += [_shown(f"note: {one}") for one in self.remarks]
        return "\n".join(lines)

    def _active(self, *, traits: bool) -> list[Line]:
        return [line for line in self.lines if line.active and (line.field == _TRAIT) is traits]

    def as_yaml(self) -> str:
        """Return the mapping as a commented YAML file, which `read_mapping` reads as this very mapping."""
        text = [_comment(note) for note in self.notes]
        if self.undecided:
            text += ["# To be decided before a load:", *(_comment(f"- {one}") for one in self.undecided)]
        if self.remarks:
            text += ["# To know:", *(_comment(f"- {one}") for one in self.remarks)]
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
    *,
    notes: Iterable[str] = (),
    undecided: Iterable[str] = (),
    remarks: Iterable[str] = (),
    preset: str | None = None,
) -> Inferred:
    """Return what the lines say, with the mapping that the active ones make."""
    written: dict[str, Any] = {line.field: line.written for line in lines if line.active and line.field != _TRAIT}
    traits = [line.written for line in lines if line.active and line.field == _TRAIT]
    if traits:
        written[_TRAIT] = traits if traits != ["*"] else "*"
    return Inferred(
        Mapping.of(written), kind, tuple(lines), tuple(notes), tuple(undecided), tuple(remarks), preset=preset
    )


def columns_of(written: Any) -> list[str]:
    """Return the columns that a field in the written form takes, in order; none for a constant."""
    if isinstance(written, list):
        return [name for one in written for name in columns_of(one)]
    if isinstance(written, dict):
        return [written["column"]] if "column" in written else []
    return [written]


def field_of(column: str, options: dict[str, Any]) -> Any:
    """Return a field in the written form: the column alone where there are no options."""
    return {"column": column} | options if options else column


def _said(written: Any) -> str:
    """Return a field for people: its columns, or the constant in quotes."""
    if isinstance(written, dict) and "value" in written:
        return repr(written["value"])
    return ", ".join(columns_of(written)) if written != "*" else "every other column"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _shown(text: str) -> str:
    return "  " + printable(text)


def _off(line: Line, written: str) -> str:
    text = f"{written}  {_comment(line.reason)}"
    if line.active:
        return text
    indent = len(text) - len(text.lstrip())
    return f"{text[:indent]}# {text[indent:]}"


def _comment(text: str) -> str:
    """Return text as a comment, on one line whatever it holds."""
    return "# " + printable(text)


def _flow(written: Any) -> str:
    """Return a value in YAML's flow style, every text between quotes that could be taken for something else."""
    if isinstance(written, dict):
        return "{" + ", ".join(f"{key}: {_plain(key, one)}" for key, one in written.items()) + "}"
    if isinstance(written, (list, tuple)):
        return "[" + ", ".join(map(_flow, written)) + "]"
    # between quotes, YAML reads its escapes back
    return printable(json.dumps(written, ensure_ascii=False, default=str))


def _plain(key: str, value: Any) -> str:
    return str(value) if key == "type" else _flow(value)
