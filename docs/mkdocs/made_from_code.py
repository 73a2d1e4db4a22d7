"""Puts into a page what the code says itself, wherever the page has `<!-- made from the code: NAME -->`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from interakt_loader import errors
from interakt_loader.cli.commands import cli
from interakt_loader.sandbox import SandboxOptions

_FOR_THE_TESTS = re.compile(r"^(```\w+[^\n]*?) (?:notest|made)$", re.MULTILINE)
_MARK = re.compile(r"^<!-- made from the code: (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in a page before it is rendered; a name that nothing is made for fails the build."""
    if page.file.src_uri in ("types.md", "options.md"):  # wide tables
        page.meta["hide"] = ["toc"]
    return _MARK.sub(lambda mark: MADE[mark[1]](), _FOR_THE_TESTS.sub(r"\1", markdown))


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


MADE: dict[str, Callable[[], str]] = {one.__name__: one for one in (commands, sandbox_options, error_tree)}
"""By the name in the mark."""
