"""What comes of a project: each load's result, or the reason why it has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from interakt_loader.privacy.text import masked, number_of
from interakt_loader.result import LoadResult, view_of
from interakt_loader.result.html import load_page, write_html
from interakt_loader.result.view import elapsed
from interakt_loader.templates import render

_REASONS = 3
"""Reasons of a load in the summary; its report has all."""


class LoadEnd(NamedTuple):
    """How one load of a project ended."""

    name: str
    result: LoadResult | None = None
    exit_code: int | None = None
    """None: it was not started."""
    error: BaseException | None = None
    """Why it has no result, if it was started."""
    reason: str | None = None
    """Why it was not started."""

    @property
    def is_complete(self) -> bool:
        """Whether loads after this one may start."""
        return self.exit_code in (0, 1) and self.result is not None


class Line(NamedTuple):
    """A load in the summary."""

    name: str
    rows: str
    outcome: str
    time: str
    exit: str

    @property
    def text(self) -> str:
        """The line as text."""
        return f"{self.name}: " + ("; ".join(filter(None, self[1:4])) + (f"; exit {self.exit}" if self.exit else ""))


class ProjectResult(Mapping[str, LoadResult]):
    """How the loads of a project went: a mapping from each load's name to its `LoadResult`.

    A load that has no result is in `errors` or in `not_started`.
    """

    def __init__(self, name: str, ends: Sequence[LoadEnd]) -> None:
        self.name = name
        """The name of the project's file, without its ending."""
        self.ends = tuple(ends)
        """How each load ended, in order."""
        self._results = {one.name: one.result for one in ends if one.result is not None}

    def __getitem__(self, name: str) -> LoadResult:
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    @property
    def errors(self) -> dict[str, str]:
        """Why loads that were started have no result, by name."""
        return {one.name: _first_line(one.error) for one in self.ends if one.error is not None}

    @property
    def not_started(self) -> dict[str, str]:
        """Why loads were not started, by name."""
        return {one.name: one.reason for one in self.ends if one.reason is not None}

    @property
    def exit_code(self) -> int:
        """The command line's exit code: 130 or 143 after a signal, else the highest of the loads."""
        return max((one.exit_code for one in self.ends if one.exit_code is not None), default=0)

    @property
    def ok(self) -> bool:
        """Whether every load was started, and is `ok`."""
        return self.exit_code == 0 and not self.not_started

    def as_dict(self) -> dict[str, Any]:
        """Return counts and paths as values that can be written as JSON."""
        return {"loads": {one.name: _as_dict(one) for one in self.ends}, "exit": self.exit_code}

    def raise_for_failures(self) -> None:
        """Raise the error of the load that ended worst, if one did not end well."""
        for end in sorted(self.ends, key=lambda one: one.exit_code or 0, reverse=True):
            if end.error is not None:
                raise end.error
            if end.result is not None:
                end.result.raise_for_failures()

    def lines(self) -> list[Line]:
        """Return a line about each load, without personal data."""
        return [_line(one) for one in self.ends]

    def summary(self) -> str:
        """Return a few lines about each load, for a person."""
        text = []
        for end, line in zip(self.ends, self.lines(), strict=True):
            text += [line.text, *(f"  {one}" for one in _details(end))]
        return "\n".join(text)

    def write_html(self, path: str | Path, *, personal: bool = False) -> Path:
        """Write one page about all loads and return the path. It is one HTML file that needs no network.

        Phones and e-mail addresses are masked unless `personal`. Raises `SettingsError` if the path cannot be written.
        """
        loads = []
        for end in self.ends:
            if end.result is not None:
                masks = bool(end.result.options.get("mask")) or not personal
                loads.append((end.name, load_page(view_of(end.result, masks=masks), end.result.report)))
        began = min((load.began for _, load in loads if load.began is not None), default=None)
        title = f"{self.name}: {number_of(len(self.ends), 'load')}"
        return write_html(
            path, "project.html", title=title, began=began, masks=not personal, lines=self.lines(), loads=loads
        )

    def _repr_html_(self) -> str:
        from markupsafe import Markup

        cards = [(name, Markup(result._repr_html_())) for name, result in self.items()]  # noqa: S704 - our own HTML
        return render("project_card.html", lines=self.lines(), cards=cards)

    def __repr__(self) -> str:
        return f"<ProjectResult: {'; '.join(line.text for line in self.lines())}>"


def _first_line(error: BaseException) -> str:
    return masked(str(error)).partition("\n")[0]


def _as_dict(end: LoadEnd) -> dict[str, Any]:
    if end.result is None:
        return {"error": None if end.error is None else _first_line(end.error), "not_started": end.reason} | {
            "exit": end.exit_code
        }
    return end.result.as_object(end.exit_code or 0)


def _line(end: LoadEnd) -> Line:
    code = "" if end.exit_code is None else str(end.exit_code)
    if end.result is None:
        why = f"not started: {end.reason}" if end.error is None else f"not loaded: {_first_line(end.error)}"
        return Line(end.name, "", why, "", code)
    view = view_of(end.result, masks=True)
    stopped = f"stopped early: {view.stopped}" if view.stopped else None
    outcome = "; ".join(filter(None, [view.counts_text, view.duplicates, stopped]))
    time = f"{number_of(end.result.attempts, 'call')} in {elapsed(end.result.seconds)}"
    return Line(end.name, number_of(end.result.rows, "row"), outcome, "" if view.is_dry_run else time, code)


def _details(end: LoadEnd) -> Iterator[str]:
    if end.result is None:
        return
    view = view_of(end.result, masks=True)
    for one in view.reasons[:_REASONS]:
        yield f"{one.count:,} {one.label} {one.code}: row{'' if one.count == 1 else 's'} {one.rows}"
    if len(view.reasons) > _REASONS:
        yield f"… and {number_of(len(view.reasons) - _REASONS, 'more reason')} in the report"
    if view.to_do:
        yield f"to do: {view.to_do}"
    yield from view.names
    yield from (f"{label}: {path}" for label, path in view.files)
