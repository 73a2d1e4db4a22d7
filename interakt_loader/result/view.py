"""What there is to show of a load: numbers, labels, colours and sentences.

The command line's summary, the card in a notebook, the page and the plot all show a `View`. They only lay it out.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from interakt_loader.codes import ABOUT
from interakt_loader.errors import spell_options
from interakt_loader.model import PATHS, Kind, Status, Stop
from interakt_loader.privacy.text import masked, number_of
from interakt_loader.report.reading import Timeline
from interakt_loader.report.writer import Reason, Summary
from interakt_loader.result.account import AccountRead, incomplete_lines, read_text
from interakt_loader.result.creates import Creates
from interakt_loader.settings.values import Rate
from interakt_loader.sources.base import Lines

COLOURS = {
    Status.SENT: "#2e9e5b",
    Status.UNCHANGED: "#7fa99b",
    Status.RECORDED: "#5b9aa8",
    Status.MERGED: "#8d9fc0",
    Status.SAME: "#2e9e5b",
    Status.DIFFERENT: "#d9822b",
    Status.ABSENT: "#c95f3c",
    Status.AMBIGUOUS: "#9a5fb5",
    Status.INVALID: "#d9822b",
    Status.REJECTED: "#c95f3c",
    Status.FAILED: "#c23b3b",
    Status.UNKNOWN: "#9a5fb5",
    Status.UNSENT: "#8a8f98",
}
"""The colours of the statuses, in the order in which they are shown; for light and dark backgrounds."""

AXES = ("Rows done", "Calls a second", "Answer times, ms")
"""The titles of the charts over time."""


@dataclass(frozen=True)
class StatusCount:
    """The rows of one status."""

    label: str
    colour: str
    count: int
    start: float
    """The share of all rows that come before these, from 0 to 1."""
    share: float


@dataclass(frozen=True)
class ReasonView:
    """Why some rows ended as they did."""

    count: int
    label: str
    """The label of their status."""
    colour: str
    code: str
    column: str | None
    rows: str
    """The numbers of the first rows, with their lines."""
    example: str
    """The message of one row."""
    hint: str | None
    """What to do."""
    is_failure: bool


@dataclass(frozen=True)
class Course:
    """A load over time, in bins of equal length."""

    seconds: float
    unit: float
    """Seconds of one unit of the time axis."""
    unit_name: str
    ends: list[float]
    """Where each bin ends, in these units."""
    done: list[tuple[str, str, list[int]]]
    """The label and colour of each status, and how many rows had it at the end of each bin."""
    rates: list[float]
    """Calls a second, in each bin."""
    limit: float | None
    """Calls a second that the declared rate limit allows."""
    limit_label: str
    latency: list[tuple[int, str, list[float | None]]]
    """Each percentile, its label, and its milliseconds in each bin; None where no call was answered."""


@dataclass(frozen=True)
class View:
    """A load as people see it. The texts are not escaped."""

    name: str
    kind: Kind
    summary: Summary
    seconds: float
    stop: Stop | None
    ledger: Path | None
    report: Path
    failures_file: Path | None
    bodies: list[str]
    """Of a dry run: the bodies of the first calls."""
    forecast: str | None
    creates: Creates | None
    is_forgotten: bool
    rate_limit: Rate | str | None
    options: Mapping[str, Any]
    lines: Lines
    """On which line each row of a text file begins."""
    account: AccountRead | None
    masks: bool = field(kw_only=True)
    """Whether phones and e-mail addresses in examples and in the reason of a stop are masked."""

    def shown(self, text: str) -> str:
        """Return a text of the report as it may be shown."""
        return masked(text) if self.masks else text

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing was to be sent."""
        return self.summary.dry_run

    @property
    def heading(self) -> str:
        """How many rows, and as what: `2 rows as users`."""
        return f"{number_of(self.summary.rows, 'row')} as {self.kind}s"

    @cached_property
    def counts(self) -> list[StatusCount]:
        """The statuses that rows have."""
        found = [(status, self.summary.counts[status.value]) for status in COLOURS]
        counts, before = [], 0
        for status, count in found:
            if count:
                start, share = before / self.summary.rows, count / self.summary.rows
                counts.append(StatusCount(self.label(status), self.colour(status), count, start, share))
            before += count
        return counts

    @property
    def counts_text(self) -> str:
        """The counts in words: `2 sent, 1 invalid`."""
        return ", ".join(f"{one.count:,} {one.label}" for one in self.counts) or "no rows"

    def label(self, status: str) -> str:
        """Return a status in words."""
        return "would be sent" if self._would_be_sent(status) else str(status)

    def colour(self, status: str) -> str:
        """Return the colour of a status."""
        return COLOURS[Status.SENT if self._would_be_sent(status) else Status(status)]

    def _would_be_sent(self, status: str) -> bool:
        return self.is_dry_run and status == Status.UNSENT

    @property
    def headline(self) -> str:
        """The rows, and how fast they were sent."""
        return " · ".join(filter(None, (self.heading, self.pace)))

    @property
    def pace(self) -> str | None:
        """How many calls were made, in what time, and how fast; None if there was none."""
        if self.is_dry_run:
            return "dry run: nothing was sent"
        if self.account is not None:
            return read_text(self.account, elapsed(self.account.seconds))
        if not self.summary.attempts:
            return None
        rate = self.summary.attempts / self.seconds if self.seconds else 0.0
        rate_text = f"{rate:,.1f}" if rate < 10 else f"{rate:,.0f}"
        return f"{number_of(self.summary.attempts, 'call')} in {elapsed(self.seconds)} ({rate_text} a second)"

    @property
    def duplicates(self) -> str | None:
        """How many rows may be in Interakt twice, if there are any."""
        count = self.summary.maybe_duplicates
        return f"{number_of(count, 'row')} may have arrived twice" if count else None

    @cached_property
    def reasons(self) -> list[ReasonView]:
        """Why rows ended as they did, the most frequent first."""
        return [self._reason(one, one.code) for one in self.summary.top_reasons() if one.code is not None]

    def _reason(self, one: Reason, code: str) -> ReasonView:
        return ReasonView(
            count=one.count,
            label=self.label(one.status),
            colour=self.colour(one.status),
            code=code,
            column=one.column,
            rows=", ".join([*map(self.lines.label, one.rows), *(["…"] if one.count > len(one.rows) else [])]),
            example=self.shown(one.example or ""),
            hint=hint(code),
            is_failure=one.status in self.summary.failing,
        )

    @property
    def failures(self) -> str | None:
        """How many rows a person has to look at, if there are any."""
        count = self.summary.failures
        return f"{number_of(count, 'row')} to look at" if count else None

    @property
    def endpoint(self) -> str:
        """The path that calls go to."""
        return PATHS[self.kind]

    @property
    def stopped(self) -> str | None:
        """Why the load ended early, if it did."""
        return None if self.stop is None else self.shown(self.stop.message)

    @property
    def to_do(self) -> str | None:
        """Of a dry run of some rows: what the load would take. Of `verify`: what the next load does."""
        if self.account is not None:
            return self._next_load()
        return self.forecast if self.summary.rows else None

    def _next_load(self) -> str | None:
        different, absent = (self.summary.counts[one] for one in (Status.DIFFERENT, Status.ABSENT))
        if not different + absent:
            return None
        begin = "the next load" if self.ledger is not None else "nothing was recorded. A load"
        over = ", and writes over what somebody has changed in the dashboard" if different else ""
        ways = "differs or is absent" if different + absent == 1 else "differ or are absent"
        return f"{begin} sends the {number_of(different + absent, 'row')} that {ways}{over}"

    @property
    def account_lines(self) -> list[str]:
        """Of `verify`: in which other forms values are the same, and where contacts may be missing."""
        if self.account is None:
            return []
        return [*filter(None, [self.account.tolerances()]), *incomplete_lines(self.account.incomplete)]

    @property
    def names(self) -> list[str]:
        """Of a dry run of some rows: the names that its calls would create, a line each."""
        return self.creates.lines() if self.creates is not None and self.summary.rows else []

    @property
    def files(self) -> Iterator[tuple[str, str | Path]]:
        """The files that the load has left for a person, each with its label."""
        if self.options["report"] is not None:
            yield "report", self.report
        if self.failures_file is not None:
            yield "to fix and load", self.failures_file
        if self.options["html"] is not None and Path(self.options["html"]).exists():
            yield "page", self.options["html"]

    @property
    def settings(self) -> Iterator[tuple[str, str]]:
        """The files of the load, and the options that were given."""
        given = {name: value for name, value in self.options.items() if value not in (None, "", [], False)}
        facts = {"report": str(self.report)} | ({"ledger": str(self.ledger)} if self.ledger else {}) | given
        for name, value in facts.items():
            yield name, value if isinstance(value, str) else json.dumps(value)

    def course(self, timeline: Timeline) -> Course:
        """Return the load over time."""
        unit, unit_name = time_unit(timeline.seconds)
        done = [
            (self.label(status), self.colour(status), list(itertools.accumulate(timeline.rows[status])))
            for status in COLOURS
            if status in timeline.rows and status is not Status.UNSENT
        ]
        return Course(
            seconds=timeline.seconds,
            unit=unit,
            unit_name=unit_name,
            ends=[(number + 1) * timeline.width / unit for number in range(len(timeline.calls))],
            done=done,
            rates=[count / timeline.width for count in timeline.calls],
            limit=limit.calls / limit.seconds if isinstance(limit := self.rate_limit, Rate) else None,
            limit_label=f"limit: {limit}",
            latency=[(percent, f"{percent} % within", times) for percent, times in timeline.latency.items()],
        )


def hint(code: str | None) -> str | None:
    """Return what to do about a code; None if this version does not know the code, or if there is none."""
    return spell_options(ABOUT[code].hint) if code in ABOUT else None


def time_unit(seconds: float) -> tuple[float, str]:
    """Return the seconds and the name of the unit in which a time axis of this length counts."""
    if seconds >= 7_200:
        return 3_600.0, "h"
    return (60.0, "min") if seconds >= 300 else (1.0, "s")


def elapsed(seconds: float) -> str:
    """Return how long something took: `9.5 s`, `2 min 5 s` or `1 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
