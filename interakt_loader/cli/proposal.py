"""A load without a mapping of its own: by the confirmed file, by a proposal that somebody confirms, or not at all.

What may be guessed is decided here in one place for the command line; `mapping.choice` does so for Python.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import click

from interakt_loader.cli.mapping_file import KeptMapping, shown_sources
from interakt_loader.cli.options import given_lines, written_mapping
from interakt_loader.cli.question import has_terminal
from interakt_loader.errors import MappingError, UsageError
from interakt_loader.loading.opening import proposed
from interakt_loader.mapping import InferredMapping, Mapping
from interakt_loader.mapping.inference.inferred import field_asked
from interakt_loader.mapping.spec import FIELDS
from interakt_loader.safety.masking import masked
from interakt_loader.safety.printable import printable, printable_lines
from interakt_loader.settings import Settings
from interakt_loader.sources import Source
from interakt_loader.wire import Kind


class Chosen(NamedTuple):
    """The mapping to load by."""

    mapping: Any
    source: Source
    confirmed: Callable[[], object] | None = None
    """What is to be done right before the first call, once the mapping is confirmed: it is written down."""
    asks: bool = False
    """Whether somebody is asked then: what is asked about is shown, even where messages are not wanted."""
    how_to_change: str = ""
    """What there is to do about a mapping that is declined."""
    said: str | None = None
    """What is to be said of the mapping, behind the load's first line."""


@dataclass(frozen=True)
class Unwritten:
    """A load without a mapping, and without flags that name an identity; and what is given."""

    sources: Sequence[str]
    name: str
    kind: Kind | None
    settings: Settings
    event: str | None
    fields: tuple[str, ...]
    traits: tuple[str, ...]
    yes: bool
    quiet: bool

    def choose(self, source: Source) -> Chosen:
        """Return the mapping to load by. Raises `UsageError` where nothing may be sent; then a file says what to do."""
        kept = KeptMapping(self.name, self.sources)
        if kept.found is None:
            return self._by_proposal(source, kept)
        mapping = self._overlaid(kept.found.mapping, source, kept)
        if kept.found.confirmed:
            said = f"using {kept.path}, the confirmed mapping of this load (delete it for a new proposal)"
            return Chosen(mapping, source, said=said)
        return self._by_unconfirmed(source, kept, mapping)

    def by_preset(self, source: Source, preset: str) -> Chosen:
        """Return the mapping of a preset that was asked for by name, fitted to the source."""
        found, source = self._proposed(source, preset)
        self._say(self._shown(found.summary()))
        if found.open_questions:
            self._list(found.open_questions)
            raise self._stopped_by(found.open_questions, None)
        return Chosen(found, source)

    def _by_proposal(self, source: Source, kept: KeptMapping) -> Chosen:
        found, source = self._proposed(source)
        step = next_step(self.settings, recognised=found.is_recognised, yes=self.yes, terminal=has_terminal())
        asks = step == "ask" and not found.open_questions
        if asks or not self.quiet:
            _say(self._shown(found.summary()))
        if found.open_questions:
            self._list(found.open_questions)
            if not self.settings.sends_nothing_outside:
                self._keep(kept, found, confirmed=False)
                raise self._stopped_by(found.open_questions, f"{kept.path}, which was written to be looked over")
            raise self._stopped_by(found.open_questions, None)
        if step == "send":
            return Chosen(found, source)
        if step == "look over":
            self._keep(kept, found, confirmed=False)
            raise UsageError(
                f"nothing was sent: nobody has confirmed this mapping. Look over {kept.path}, which was written, and "
                "set confirmed: true in it; or run again in a terminal, or with --yes"
            )
        return Chosen(found, source, lambda: self._write(kept, found), asks, self._how_to_change(kept))

    def _by_unconfirmed(self, source: Source, kept: KeptMapping, mapping: Mapping) -> Chosen:
        step = next_step(self.settings, recognised=False, yes=self.yes, terminal=has_terminal())
        left, source = self._left_open(source, mapping)
        if left:
            self._list(left)
            raise self._stopped_by(left, f"{kept.path} (then set confirmed: true in it)")
        if step == "send":
            said = f"using {kept.path}, which nobody has confirmed yet: nothing is sent to the API"
            return Chosen(mapping, source, said=said)
        if step == "look over":
            raise UsageError(
                f"nothing was sent: {kept.path} is not confirmed. Look it over and set confirmed: true in it; or run "
                "again in a terminal, or with --yes"
            )
        if step == "ask":
            _say(f"{kept.path}, which nobody has confirmed yet: {mapping.kind}s")
            _say(self._shown("\n".join(_details(mapping))))
        changed = mapping != kept.found.mapping if kept.found else False
        record = (lambda: self._leave(kept)) if changed else (lambda: self._confirm(kept))
        return Chosen(mapping, source, record, step == "ask", self._how_to_change(kept))

    def _proposed(self, source: Source, preset: str | None = None) -> tuple[InferredMapping, Source]:
        lines = given_lines(self.fields, self.traits)
        named = any(line.field == "event" for line in lines)
        kind: Kind | None = "event" if named and self.kind is None else self.kind
        found, source = proposed(source, kind, self.settings, self.event, preset)
        if lines:
            found = found.with_given(lines)
            if not found.open_questions:
                found.check(self.kind or found.kind, source.columns)
        return found, source

    def _overlaid(self, mapping: Mapping, source: Source, kept: KeptMapping) -> Mapping:
        """Return the file's mapping with the flags over it, as it fits the source."""
        written = written_mapping(mapping.as_dict(), self.fields, self.traits, self.event)
        code = mapping.country_code
        if self.settings.country_given and code is not None and code.column is None:
            written["country_code"] = {"value": self.settings.default_country}
        changed = Mapping.of(written)
        try:
            changed.check(self.kind or changed.kind, source.columns)
        except MappingError as error:
            raise MappingError(f"mapping {kept.path}: {error}; correct it, or delete it for a new proposal") from None
        return changed

    def _left_open(self, source: Source, mapping: Mapping) -> tuple[list[str], Source]:
        """Return the questions of a proposal of today that neither the file nor the flags answer."""
        try:
            found, source = self._proposed(source)
        except MappingError:  # nothing can be proposed: a person wrote the whole file
            return [], source
        mine, theirs = mapping.as_dict(), found.as_dict()

        def answered(question: str) -> bool:
            name = field_asked(question)
            return mine.get(name) != theirs.get(name) if name in FIELDS else mine != theirs

        return [one for one in found.open_questions if not answered(one)], source

    def _how_to_change(self, kept: KeptMapping) -> str:
        if kept.found is not None:
            return f"Change {kept.path}, and run the command again"
        return (
            f"To change the mapping: interakt-loader infer {shown_sources(self.sources)} > {kept.path}, edit that "
            "file, and run the command again"
        )

    def _keep(self, kept: KeptMapping, found: InferredMapping, *, confirmed: bool) -> None:
        kept.write(found.with_masked_comments() if self.settings.mask else found, confirmed=confirmed)

    def _write(self, kept: KeptMapping, found: InferredMapping) -> None:
        self._keep(kept, found, confirmed=True)
        self._say(f"{kept.path}: written; later loads of this name use it")

    def _confirm(self, kept: KeptMapping) -> None:
        kept.confirm()
        self._say(f"{kept.path}: confirmed; later loads of this name use it")

    def _leave(self, kept: KeptMapping) -> None:
        self._say(f"{kept.path}: not changed and not confirmed, because flags change the mapping for this load")

    def _list(self, questions: Sequence[str]) -> None:
        _say("open question:" if len(questions) == 1 else "open questions:")
        _say(self._shown("\n".join(f"  - {printable(one)}" for one in questions)))

    def _stopped_by(self, questions: Sequence[str], where: str | None) -> UsageError:
        several = len(questions) > 1
        said = f"nothing was sent: {f'{len(questions)} questions are' if several else '1 question is'} open"
        if self.yes:
            said += ", and --yes answers none"
        if where is None:
            where = f"a mapping (interakt-loader infer {shown_sources(self.sources)} > mapping.yaml, and --mapping)"
        return UsageError(f"{said}. Answer {'them' if several else 'it'} with a flag, or in {where}")

    def _shown(self, text: str) -> str:
        return wrapped(masked(text) if self.settings.mask else text)

    def _say(self, text: str) -> None:
        if not self.quiet:
            _say(text)


Step = Literal["send", "ask", "confirm", "look over"]


def next_step(settings: Settings, *, recognised: bool, yes: bool, terminal: bool) -> Step:
    """Return what to do with a complete mapping that nobody has confirmed yet."""
    if settings.sends_nothing_outside:
        return "send"
    if yes:
        return "confirm"
    if terminal:
        return "ask"
    return "send" if recognised else "look over"


def wrapped(text: str) -> str:
    """Return text for a person: in a terminal, lines longer than that are broken between words, and indented."""
    if not (sys.stderr is not None and sys.stderr.isatty()):
        return text
    width = max(40, shutil.get_terminal_size().columns - 1)
    lines: list[str] = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        lines += textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _details(mapping: Mapping) -> list[str]:
    return InferredMapping.as_written(mapping).details()


def _say(text: str) -> None:
    click.echo(printable_lines(text), err=True)
