"""A preset fitted to the rows: what it says of a column stands unless most rows say otherwise, and that is told."""

from __future__ import annotations

from collections.abc import Mapping as Looked
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from interakt_loader.coerce import Target
from interakt_loader.mapping.inference.countries import other_country
from interakt_loader.mapping.inference.evidence import shared_numbers, try_phones
from interakt_loader.mapping.inference.inferred import InferredMapping, Line, columns_of, inferred
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.mapping.inference.types import guess
from interakt_loader.mapping.presets import Preset
from interakt_loader.mapping.spec import FIELDS
from interakt_loader.settings import Settings
from interakt_loader.wire import Kind

_OPTIONS = ("type", "format", "separator", "timezone", "decimal", "guard")
_MOST = 0.5
"""The share of misfits above which the rows are believed and not the preset."""


def fitted_preset(
    preset: Preset,
    columns: Sequence[str],
    looks: Looked[str, Look],
    event: str | None,
    settings: Settings,
    *,
    named: bool,
    country_given: bool,
) -> InferredMapping:
    """Return the preset's mapping for these columns, checked against the sample as far as it has rows.

    `named` says that the user asked for this preset: where the table lacks most of its columns, that is said.
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
    for trait in written.get("traits", []):
        if trait == "*":
            fit.lines.append(Line("traits", "*", "every other column"))
        else:
            fit.take("traits", trait)
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
    """The lines so far, and what is to be said of them."""

    kind: Kind
    looks: Looked[str, Look]
    settings: Settings
    country_given: bool
    lines: list[Line] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def take(self, name: str, written: Any) -> None:
        """Take over a field, or what the rows say in its place."""
        look = next((self.looks[column] for column in columns_of(written)), None)
        options = {key: written[key] for key in _OPTIONS if key in written} if isinstance(written, dict) else {}
        if look is None or not look.filled:
            empty = look is not None and look.rows > 0
            self.lines.append(Line(name, written, "preset; empty in all rows" if empty else "preset"))
            return
        misfits = look.refused_as(Target(**options)) if options else {}
        if not misfits:
            self.lines.append(Line(name, written, f"preset; fits {look.counted()}" if options else "preset"))
            return
        row = next(iter(misfits))
        if len(misfits) <= look.filled * _MOST:
            self.lines.append(Line(name, written, f"preset; fits {look.filled - len(misfits):,} of {look.rows:,}"))
            self.remarks.append(
                f"{look.name}: {len(misfits):,} of {look.filled:,} values are no {_said(options)}, such as "
                f"{look.shown(row)} in row {row}: those rows are refused"
            )
            return
        why = f"the preset's {_said(options)} does not fit {look.shown(row)} in row {row}"
        self._instead(name, written, options, why)

    def _instead(self, name: str, written: dict[str, Any], options: dict[str, Any], why: str) -> None:
        found = guess(self.looks[written["column"]])
        if name == "created_at" and not found.is_time:
            said = f"{name}: {why}: {found.undecided or found.reason}"
            (self.undecided if self.kind == "event" else self.remarks).append(said)
            self.lines.append(Line(name, written, why, active=False))
            return
        rest = {key: value for key, value in written.items() if key not in _OPTIONS}
        kept = {key: value for key, value in options.items() if key == "timezone"} if found.is_time else {}
        self.lines.append(Line(name, rest | found.options | kept, f"{why}; {found.reason}"))
        self.remarks.append(f"{written['column']}: {why}; {found.reason}")

    def take_phones(self, written: Any, country: Any) -> None:
        """Take over the columns of phones, and say how many rows have one."""
        tried = [self.looks[name] for name in columns_of(written)]
        if not any(look.filled for look in tried):
            self.lines.append(Line("phone", written, "preset; empty in all rows" if tried[0].rows else "preset"))
            return
        code = next((self.looks[column] for column in columns_of(country)), None) if country is not None else None
        found = try_phones(tried, code, self.settings)
        self.lines.append(Line("phone", written, f"preset; {found.said}"))
        for look in tried:
            self.undecided += shared_numbers(look, None, self.looks)
            if code is None and not self.country_given:
                said = other_country(look, self.looks, self.settings)
                self.undecided += [] if said is None else [f"country_code: {said}"]


def _with_left_out(found: InferredMapping, columns: Sequence[str]) -> InferredMapping:
    """Add a remark on the columns that are not sent."""
    used = {*found.columns(), *(one.column for _, one in found.traits_of(columns))}
    left_out = [name for name in columns if name not in used]
    if not left_out:
        return found
    return replace(found, remarks=(*found.remarks, f"not sent: {', '.join(left_out)}"))


def _said(options: dict[str, Any]) -> str:
    return " ".join(str(value) for key, value in options.items() if key != "guard")
