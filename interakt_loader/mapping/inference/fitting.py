"""A preset fitted to the rows: what it says of a column stands unless the rows say otherwise, and that is told."""

from __future__ import annotations

from collections.abc import Mapping as Looked
from collections.abc import Sequence
from typing import Any

import pyarrow.compute as pc

from interakt_loader.coerce import Target, coerce
from interakt_loader.mapping.inference.inferred import Inferred, Line, inferred
from interakt_loader.mapping.inference.phones import try_phones
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.mapping.inference.types import guess
from interakt_loader.mapping.presets import Preset
from interakt_loader.mapping.spec import FIELDS

_OPTIONS = ("type", "format", "separator", "timezone", "decimal")


def fitted_preset(
    preset: Preset, columns: Sequence[str], looks: Looked[str, Look], event: str | None, default_country: str
) -> Inferred:
    """Return the preset's mapping for these columns, checked against the sample, if there is one."""
    written = preset.fitted(columns)
    if event is not None and preset.kind == "event":
        written["event"] = {"value": event}
    lines: list[Line] = []
    undecided: list[str] = []
    for name in FIELDS[:-1]:
        if name in written:
            line = _field(name, written[name], looks, undecided)
            if name == "phone" and looks:
                line = _phone(line, written.get("country_code"), looks, default_country)
            lines.append(line)
    lines += [
        Line("traits", "*", "every other column") if trait == "*" else _field("traits", trait, looks, undecided)
        for trait in written.get("traits", [])
    ]
    known = ", ".join(preset.recognised(columns))
    notes = [f"{preset.description}: preset {preset.name}" + (f", known by the columns {known}" if known else "")]
    notes += preset.notes
    left_out = _left_out(lines, columns)
    if left_out:
        notes.append(f"Not sent: {', '.join(left_out)}")
    return inferred(lines, preset.kind, notes, undecided, preset.name)


def _field(name: str, written: Any, looks: Looked[str, Look], undecided: list[str]) -> Line:
    column = written.get("column") if isinstance(written, dict) else written
    look = looks.get(column) if isinstance(column, str) else None
    if look is None:
        return Line(name, written, "preset")
    if not look.filled:
        return Line(name, written, f"preset; empty in all {look.rows:,} rows")
    options = {key: written[key] for key in _OPTIONS if key in written} if isinstance(written, dict) else {}
    misfits = coerce(look.values, Target(**options)).problems if options else {}
    if not misfits:
        return Line(name, written, f"preset; fits all of {look.counted()}" if options else "preset")
    found = guess(look)
    row = min(misfits)
    why = f"the preset's {_said(options)} does not fit {look.shown(row)} in row {row}"
    if name == "created_at" and not found.is_time:
        undecided.append(f"{name}: {why}: {found.undecided or found.reason}")
        return Line(name, written, why, active=False)
    rest = {key: value for key, value in written.items() if key not in _OPTIONS}
    kept = {key: value for key, value in options.items() if key == "timezone"} if found.is_time else {}
    return Line(name, rest | found.options | kept, f"{why}; {found.reason}")


def _phone(line: Line, country: Any, looks: Looked[str, Look], default_country: str) -> Line:
    """Say how many phones there are; of several columns, the first that is filled counts."""
    names = [line.written] if isinstance(line.written, str) else line.written
    texts = [pc.if_else(pc.equal(looks[name].texts, ""), None, looks[name].texts) for name in names]
    first = Look(" or ".join(names), "text", "string", pc.coalesce(*texts) if len(texts) > 1 else texts[0], None)
    if not first.filled:
        return Line(line.field, line.written, f"preset; empty in all {first.rows:,} rows")
    code = looks.get(country["column"] if isinstance(country, dict) else country) if country is not None else None
    return Line(line.field, line.written, f"preset; {try_phones(first, code, default_country).said}")


def _said(options: dict[str, Any]) -> str:
    return " ".join(str(value) for value in options.values())


def _left_out(lines: Sequence[Line], columns: Sequence[str]) -> list[str]:
    if any(line.written == "*" for line in lines):
        return []
    used: set[str] = set()
    for line in lines:
        column = line.written.get("column") if isinstance(line.written, dict) else line.written
        used.update(column if isinstance(column, list) else [str(column)])
    return [name for name in columns if name not in used]
