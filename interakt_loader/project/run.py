"""The loads of a project in turn: which one starts, and what is kept of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from interakt_loader.errors import InteraktLoaderError, LoadInterrupted, keys_in_messages
from interakt_loader.load.api import load as run_load
from interakt_loader.load.job import Confirmation
from interakt_loader.load.opening import files_of
from interakt_loader.load.run import outlive_terminal
from interakt_loader.load.runs import Runs
from interakt_loader.load.terminal import Terminal
from interakt_loader.project.opening import Choices, ReadyLoad, ReadyProject, ready
from interakt_loader.project.result import LoadEnd, ProjectResult

logger = logging.getLogger("interakt_loader")


class Front(NamedTuple):
    """What a surface adds to the loads of a project."""

    confirmation: Callable[[ReadyLoad], Confirmation | None] = lambda _: None
    """Asks right before the first call of a load. Without it, old events are only a warning."""
    say: Callable[[str], object] = lambda _: None
    """Shows a line."""


PYTHON = Front()


def run(
    project: str | Path,
    loads: Sequence[str] = (),
    *,
    dry_run: bool = False,
    html: str | Path | None = None,
    progress: bool | None = None,
) -> ProjectResult:
    """Run the loads of a project file, in the file's order, and return the result of each.

    Args:
        project: The file: YAML, TOML or JSON. Paths in it are relative to its folder.
        loads: The names of the loads to run. Without any, all of them run.
        dry_run: Check every row of every load and send nothing.
        html: Write one page about all loads there.
        progress: Show progress bars. By default they are shown in a terminal or a notebook.

    Raises:
        ProjectError: The file has mistakes. It names all of them, and nothing was sent.
        LoadInterrupted: After Ctrl-C. Its `result` is the `ProjectResult` so far.
    """
    names = (loads,) if isinstance(loads, str) else tuple(loads)
    result = run_project(project, Choices(names, dry_run, progress, html))
    if result.exit_code > 128:
        raise LoadInterrupted(result, result.exit_code - 128)
    return result


def run_project(project: str | Path, choices: Choices, front: Front = PYTHON) -> ProjectResult:
    """Check a project and run its loads: what `run` and the command line share. Raises `UsageError`."""
    with keys_in_messages(), outlive_terminal():
        opened = ready(project, choices)
        result = ProjectResult(opened.name, _in_turn(opened, front))
        if choices.html is not None:
            try:
                result.write_html(choices.html)
            except (OSError, InteraktLoaderError) as error:
                logger.warning("%s", error)
        return result


def _in_turn(project: ReadyProject, front: Front) -> list[LoadEnd]:
    ends: list[LoadEnd] = []
    for load in project.loads:
        reason = why_not(load.after, ends)
        if reason is None:
            ends.append(_ended(load, front))
        else:
            front.say(f"{load.name}: not started: {reason}")
            ends.append(LoadEnd(load.name, reason=reason))
    return ends


def why_not(after: Sequence[str], ends: Sequence[LoadEnd]) -> str | None:
    """Return why a load is not started after what came before it; None if it is. Pure."""
    for end in ends:
        if (end.exit_code or 0) > 128:
            return f"{end.name} was interrupted"
        if end.name in after and not end.is_complete:
            how = "was not started" if end.exit_code is None else f"ended with exit code {end.exit_code}"
            return f"it is after {end.name}, which {how}"
    return None


def _ended(load: ReadyLoad, front: Front) -> LoadEnd:
    """Run one load and return how it ended."""
    folder = load.runs
    runs = None if folder is None else Runs(folder, load.name, load.sources, load.settings, "load")
    files = files_of(load.source)

    def begin_run() -> None:
        if runs is not None:
            runs.begin(files[0] if len(files) == 1 else None)

    observer = Terminal(
        lambda line: front.say(f"{load.name}: {line}"),
        front.say,
        after_first=[] if load.note is None else [load.note],
        begins=begin_run,
    )
    try:
        result = run_load(
            load.source,
            load.mapping,
            load.mapping.kind,
            load.settings,
            observer=observer,
            confirmation=front.confirmation(load),
            other_files=load.other_files,
        )
        end = LoadEnd(load.name, result, result.exit_code)
    except LoadInterrupted as error:
        end = LoadEnd(load.name, error.result, error.exit_code, None if error.result else error)
    except (InteraktLoaderError, OSError) as error:
        end = LoadEnd(load.name, exit_code=getattr(error, "exit_code", 1), error=error)
    if runs is not None and end.result is not None:
        runs.end(end.result, end.exit_code or 0)
    return end
