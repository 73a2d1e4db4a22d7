"""Puts into a page what the code says itself, wherever the page has `<!-- made from the code: NAME -->`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from interakt_loader import codes, errors
from interakt_loader.cli.commands import cli
from interakt_loader.mapping.presets import presets
from interakt_loader.sandbox import SandboxOptions
from interakt_loader.settings import Settings

_FOR_THE_TESTS = re.compile(r"^(```\w+[^\n]*?) (?:notest|made)$", re.MULTILINE)
_MARK = re.compile(r"^<!-- made from the code: (\w+) -->\n(?:\|.*\n)*", re.MULTILINE)
"""With the table below it, if the page holds one."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in a page before it is rendered; a name that nothing is made for fails the build."""
    if page.file.src_uri == "types.md":  # its tables take all the room that there is
        page.meta["hide"] = ["toc"]
    return _MARK.sub(lambda mark: f"{MADE[mark[1]]()}\n", _FOR_THE_TESTS.sub(r"\1", markdown))


def options() -> str:
    """Return every option of a load, each under a heading of its own."""
    return "\n\n".join(_option(one) for one in fields(Settings))


def _option(one: Any) -> str:
    facts = one.metadata
    flag = "--api-key-file" if one.name == "api_key" else facts["flag"]
    said = {"Flag": flag, "Default": repr(one.default), "One of": ", ".join(facts["choices"]), "Variable": facts["env"]}
    line = " · ".join(f"{name}: `{value}`" for name, value in said.items() if value)
    return f"## {one.name}\n\n{facts['meaning']}\n\n{line}"


def commands() -> str:
    """Return every command with its flags, as its `--help` says it; the default command first."""
    return "\n\n".join(_command(name, one) for name, one in cli.commands.items())


def _command(name: str, command: click.Command) -> str:
    called = "interakt-loader" if name == "load" else f"interakt-loader {name}"
    context = click.Context(command, info_name=called)
    usage = " ".join([called, *command.collect_usage_pieces(context)])
    flags = (one for one in command.get_params(context) if isinstance(one, click.Option))
    records = (one.get_help_record(context) for one in flags)
    rows = [f"| `{names}` | {said} |" for names, said in filter(None, records)]
    table = "\n".join(["| flag | meaning |", "|---|---|", *rows])
    return f"## {called}\n\n```text\n{usage}\n```\n\n{command.help}\n\n{table}"


def sandbox_options() -> str:
    """Return a table of the sandbox's options."""
    rows = [f"| `{one.name}` | `{one.default!r}` | {one.metadata['meaning']} |" for one in fields(SandboxOptions)]
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])


def error_tree() -> str:
    """Return the tree of exceptions that stands at the top of `errors`."""
    drawn = inspect.cleandoc(errors.__doc__ or "").partition("::\n\n")[2]
    tree = [line for line in drawn.splitlines() if line.startswith("    ") or not line]
    return "\n".join(["```text", *inspect.cleandoc("\n".join(tree)).splitlines(), "```"])


def preset_table() -> str:
    """Return a table of the presets, with what each needs."""
    rows = [f"| `{one.name}` | {one.description} | {one.kind}s |" for one in presets().values()]
    return "\n".join(["| preset | export | rows are |", "|---|---|---|", *rows])


def problem_codes() -> str:
    """Return a table of the codes of values that cannot be sent."""
    return _codes(codes.ProblemCode)


def note_codes() -> str:
    """Return a table of the codes of notes."""
    return _codes(codes.NoteCode)


def api_answer_codes() -> str:
    """Return a table of the codes of what the API answered."""
    return _codes(codes.ApiAnswerCode)


def no_answer_codes() -> str:
    """Return a table of the codes of calls without an answer."""
    return _codes(codes.InDoubt | codes.NoAnswerCode)


def stop_codes() -> str:
    """Return a table of the codes of stopped loads, without those of the tables above."""
    return _codes(codes.StopReason, without=codes.ApiAnswerCode | codes.NoAnswerCode)


def _codes(group: Any, without: Any = ()) -> str:
    left_out = codes.entries(without)
    rows = [
        f"| `{name}` | {one.meaning} | {one.hint} |"
        for name, one in codes.entries(group).items()
        if name not in left_out
    ]
    return "\n".join(["| code | meaning | what to do |", "|---|---|---|", *rows])


CODES = (problem_codes, note_codes, api_answer_codes, no_answer_codes, stop_codes)


def with_codes(markdown: str) -> str:
    """Return the page of codes with its tables below their marks, so that it can also be read without the site."""
    made = {one.__name__: one for one in CODES}
    return _MARK.sub(lambda mark: f"{mark[0].splitlines()[0]}\n{made[mark[1]]()}\n", markdown)


MADE: dict[str, Callable[[], str]] = {
    one.__name__: one for one in (options, commands, sandbox_options, error_tree, preset_table, *CODES)
}
"""By the name in the mark."""
