"""The mapping of a load that has none: proposed, confirmed by a person, and kept in `NAME.mapping.yaml`.

In the order of a load: the question in the terminal, the choice of the mapping, and the confirmation right before the
first call. `load.opening` chooses the mapping for Python.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import click

from interakt_loader.cli.options import given_lines, written_mapping
from interakt_loader.errors import MappingError, UsageError
from interakt_loader.load.job import Ready
from interakt_loader.load.kept_mapping import KeptMapping
from interakt_loader.load.opening import propose
from interakt_loader.mapping import InferredMapping, Mapping
from interakt_loader.mapping.infer.inferred import field_asked
from interakt_loader.mapping.spec import FIELDS
from interakt_loader.model import PATHS, Kind
from interakt_loader.privacy.text import masked, masked_body, number_of, printable, printable_lines
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import mapping_name
from interakt_loader.sources import Source
from interakt_loader.sources.addresses import DatabaseAddress

PATIENCE = 600.0
"""Seconds that a question waits for its answer."""

_POLL = 0.2
"""Seconds between two checks for Ctrl-C while waiting. Windows needs them."""

_LONGEST = 1024
"""Bytes of an answer."""


def has_terminal() -> bool:
    """Tell whether a person can read a question and answer it."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def agreed(question: str) -> bool:
    """Ask on standard error, and return whether the answer on standard input is yes. No answer is no."""
    click.echo(f"{question} [y/N] ", nl=False, err=True)
    answer = answer_of(sys.stdin.fileno(), PATIENCE)
    # Without Enter the cursor is still on the line of the question.
    if answer is None or not answer.endswith("\n"):
        click.echo(err=True)
    if answer is None:
        click.echo(f"no answer in {PATIENCE / 60:.0f} minutes", err=True)
    return (answer or "").strip().lower() in ("y", "yes")


def answer_of(handle: int, patience: float) -> str | None:
    """Return the next line, an empty text at the end of input, or None if nothing comes in time.

    A thread reads, because Windows has no other way to wait for a console. It ends with the process. It reads from the
    handle, because a read of `sys.stdin` would hold its lock when the interpreter ends.
    """
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        line = b""
        # A closed terminal is the end of input, too.
        with suppress(OSError):
            line = os.read(handle, _LONGEST)
        answers.put(line)

    threading.Thread(target=read, name="interakt-question", daemon=True).start()
    while patience > 0:
        try:
            return answers.get(timeout=min(_POLL, patience)).decode("utf-8", "replace")
        except queue.Empty:
            patience -= _POLL
    return None


def shown_sources(sources: Sequence[str]) -> str:
    """Return the sources as arguments of a command; of more than three, the first and `...`.

    The address of a database is not known here as the user gave it.
    """
    if any(map(DatabaseAddress.of, sources)):
        return "SOURCE --query QUERY"
    return shlex.join(sources) if len(sources) <= 3 else f"{shlex.join(sources[:1])} ..."


class Chosen(NamedTuple):
    """The mapping to load by."""

    mapping: Any
    source: Source
    confirmed: Callable[[], object] | None = None
    """Writes the file; to be called right before the first call, once the mapping is confirmed."""
    asks: bool = False
    """Whether the person is asked first. Then what the question is about is shown, also with `--quiet`."""
    how_to_change: str = ""
    """What to do after the answer no."""
    note: str | None = None
    """A line about the mapping, to be shown after the load's first line."""


@dataclass(frozen=True)
class MappingChooser:
    """Chooses the mapping of a load for which `--mapping` and `--map` name none."""

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
        """Return the mapping to load by. Raises `UsageError` if nothing may be sent; the message says what to do."""
        kept = KeptMapping(
            Path(mapping_name(self.name)),
            f"Write the mapping where you can (interakt-loader infer {shown_sources(self.sources)} prints it), and "
            "give it with --mapping",
        )
        if kept.found is None:
            return self._by_proposal(source, kept)
        mapping = self._overlaid(kept.found.mapping, source, kept)
        if kept.found.confirmed:
            note = f"using {kept.path}, the confirmed mapping of this load (delete it for a new proposal)"
            return Chosen(mapping, source, note=note)
        return self._by_unconfirmed(source, kept, mapping)

    def by_preset(self, source: Source, preset: str) -> Chosen:
        """Return the mapping of a preset that the user named, fitted to the source."""
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
                raise self._stopped_by(found.open_questions, f"{kept.path}, which was written for review")
            raise self._stopped_by(found.open_questions, None)
        if step == "send":
            return Chosen(found, source)
        if step == "review":
            self._keep(kept, found, confirmed=False)
            raise UsageError(
                f"nothing was sent: this mapping is not confirmed. Review {kept.path}, which was written, and set "
                "confirmed: true in it; or run again in a terminal, or with --yes"
            )
        return Chosen(found, source, lambda: self._write(kept, found), asks, self._how_to_change(kept))

    def _by_unconfirmed(self, source: Source, kept: KeptMapping, mapping: Mapping) -> Chosen:
        step = next_step(self.settings, recognised=False, yes=self.yes, terminal=has_terminal())
        questions, source = self._open_questions(source, mapping)
        if questions:
            self._list(questions)
            raise self._stopped_by(questions, f"{kept.path} (then set confirmed: true in it)")
        if step == "send":
            note = f"using {kept.path}, which is not confirmed yet: nothing is sent to the API"
            return Chosen(mapping, source, note=note)
        if step == "review":
            raise UsageError(
                f"nothing was sent: {kept.path} is not confirmed. Review it and set confirmed: true in it; or run "
                "again in a terminal, or with --yes"
            )
        if step == "ask":
            _say(f"{kept.path}, which is not confirmed yet: {mapping.kind}s")
            _say(self._shown("\n".join(InferredMapping.as_written(mapping).details())))
        changed = mapping != kept.found.mapping if kept.found else False
        record = (lambda: self._leave(kept)) if changed else (lambda: self._confirm(kept))
        return Chosen(mapping, source, record, step == "ask", self._how_to_change(kept))

    def _proposed(self, source: Source, preset: str | None = None) -> tuple[InferredMapping, Source]:
        lines = given_lines(self.fields, self.traits)
        named = any(line.field == "event" for line in lines)
        kind: Kind | None = "event" if named and self.kind is None else self.kind
        found, source = propose(source, kind, self.settings, self.event, preset)
        if lines:
            found = found.with_given(lines)
            if not found.open_questions:
                found.check(self.kind or found.kind, source.columns)
        return found, source

    def _overlaid(self, mapping: Mapping, source: Source, kept: KeptMapping) -> Mapping:
        """Return the file's mapping with what the flags say in its place. Raises `MappingError` if it does not fit."""
        written = written_mapping(mapping.as_dict(), self.fields, self.traits, self.event)
        code = mapping.country_code
        if self.settings.country_given and code is not None and not code.columns:
            written["country_code"] = {"value": self.settings.default_country}
        changed = Mapping.of(written)
        try:
            changed.check(self.kind or changed.kind, source.columns)
        except MappingError as error:
            raise MappingError(f"mapping {kept.path}: {error}; correct it, or delete it for a new proposal") from None
        return changed

    def _open_questions(self, source: Source, mapping: Mapping) -> tuple[list[str], Source]:
        """Return the questions of a new proposal that neither the file nor the flags answer."""
        try:
            found, source = self._proposed(source)
        except MappingError:
            # Nothing can be proposed: a person wrote the whole file.
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
        message = f"nothing was sent: {f'{len(questions)} questions are' if several else '1 question is'} open"
        if self.yes:
            message += ", and --yes answers none"
        if where is None:
            where = f"a mapping (interakt-loader infer {shown_sources(self.sources)} > mapping.yaml, and --mapping)"
        return UsageError(f"{message}. Answer {'them' if several else 'it'} with a flag, or in {where}")

    def _shown(self, text: str) -> str:
        return wrapped(masked(text) if self.settings.mask else text)

    def _say(self, text: str) -> None:
        if not self.quiet:
            _say(text)


Step = Literal["send", "ask", "confirm", "review"]


def next_step(settings: Settings, *, recognised: bool, yes: bool, terminal: bool) -> Step:
    """Return what to do with a complete mapping that is not confirmed yet."""
    if settings.sends_nothing_outside:
        return "send"
    if yes:
        return "confirm"
    if terminal:
        return "ask"
    return "send" if recognised else "review"


def wrapped(text: str) -> str:
    """Return text for a person: in a terminal, longer lines are broken between words and indented."""
    if not (sys.stderr is not None and sys.stderr.isatty()):
        return text
    width = max(40, shutil.get_terminal_size().columns - 1)
    lines: list[str] = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        lines += textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _say(text: str) -> None:
    click.echo(printable_lines(text), err=True)


MOST_LINES = 24
"""Lines of the first call that are shown."""


@dataclass(frozen=True)
class Confirmation:
    """Asks in the terminal, right before the first call: one question about the mapping and about old events."""

    sources: Sequence[str]
    settings: Settings
    chosen: Chosen
    yes: bool
    quiet: bool
    to_record: str | None = None
    """How to put the rows on record instead, where that takes more than the sources."""

    def is_needed(self, old_events: str | None) -> bool:
        """Tell whether a mapping is to be confirmed, or there are old events to ask about."""
        return old_events is not None or self.chosen.confirmed is not None

    def refusal(self, ready: Ready) -> str | None:
        """Ask, and keep what was confirmed. Return why nothing may be sent, or None if the load may begin."""
        asks = self.chosen.asks
        if ready.old_events is not None:
            if not (self.yes or has_terminal()):
                return f"nothing was sent: this is {ready.old_events}. To send them all, add --yes. {self._to_record()}"
            if not (self.yes and self.quiet):
                _say(wrapped(masked(ready.old_events) if self.settings.mask else ready.old_events))
            asks = asks or not self.yes
        if asks:
            self._show_first(ready)
            if not agreed(f"Send {_calls(ready)} to {urlsplit(self.settings.base_url).netloc}?"):
                ways = [self.chosen.how_to_change, "" if ready.old_events is None else self._to_record()]
                return ". ".join(["nothing was sent", *filter(None, ways)])
        if self.chosen.confirmed is not None:
            self.chosen.confirmed()
        return None

    def _to_record(self) -> str:
        command = self.to_record or f"interakt-loader baseline {shown_sources(self.sources)}"
        return f"To put them on record as sent instead: {command}"

    def _show_first(self, ready: Ready) -> None:
        if ready.first is None:
            return
        body = ready.first.body.decode()
        body = masked_body(body) if self.settings.mask else body
        lines = json.dumps(json.loads(body), indent=2, ensure_ascii=False).splitlines()
        more = len(lines) - MOST_LINES
        if more > 1:
            lines = [*lines[:MOST_LINES], f"… and {more} more lines (--dry-run shows all)"]
        _say(f"the first call, to {PATHS[ready.kind]}:")
        _say("\n".join(f"  {printable(line)}" for line in lines))


def _calls(ready: Ready) -> str:
    count = ready.rows if ready.calls is None else ready.calls
    if count is None:
        return "all rows, a call each,"
    calls = number_of(count, "call")
    if ready.calls is not None:
        return calls
    return f"at most {calls}" if ready.exact else f"about {calls}"
