"""What a shell offers after TAB. click asks for it in a process of its own: nothing is imported that is not needed.

Flags made from `Settings`, and the flags that write a mapping.

A click group whose default command is `load`, so that `interakt-loader events.parquet` needs no verb.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from interakt_loader.cli.keys import refuse_key_on_command_line
from interakt_loader.errors import MappingError
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import beside, load_name, report_path
from interakt_loader.settings.values import check_name

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from interakt_loader.mapping.infer.inferred import Line
    from interakt_loader.model import Kind


def paths(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Leave it to the shell, which knows its files best."""
    from click.shell_completion import CompletionItem

    del context, parameter
    return [CompletionItem(incomplete, type="file")]


def mappings(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Offer the presets behind `preset:`, and files else."""
    from click.shell_completion import CompletionItem

    before, colon, name = incomplete.partition(":")
    if before != "preset" or not colon:
        return paths(context, parameter, incomplete)
    return [CompletionItem(f"preset:{one.value}") for one in presets(context, parameter, name)]


def presets(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Return the presets' names that begin so; their files are called like them."""
    from pathlib import Path

    from click.shell_completion import CompletionItem

    del context, parameter
    found = (Path(__file__).resolve().parents[1] / "mapping" / "presets").glob("*.yaml")
    names = sorted(one.stem.replace("_", "-") for one in found)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_Command = TypeVar("_Command", bound=Callable[..., Any])


def settings_flags(command: _Command) -> _Command:
    """Give a command one flag for each option that has one, in the order of `Settings`."""
    return _flags(command, [one.name for one in fields(Settings)])


def source_flags(command: _Command) -> _Command:
    """Give a command the flags that say how a source is to be read and understood."""
    return _flags(command, ["default_country", "phones", "null_values", "encoding", "delimiter", "header", "sheet"])


def _flags(command: _Command, names: Sequence[str]) -> _Command:
    for one in reversed(fields(Settings)):
        if one.name in names and one.metadata["flag"] is not None:
            command = _flag(one)(command)
    return command


def _flag(one: Any) -> Callable[[_Command], _Command]:
    facts = one.metadata
    shown = one.default if one.default not in (None, False, "") and one.name != "dry_run" else None
    text = facts["meaning"].replace("`", "")
    if shown is not None:
        text += f"  [default: {shown}]"
    if facts["env"]:
        text += f"  [env: {facts['env']}]"
    if "/" in facts["flag"]:  # yes, no, or not said
        return click.option(facts["flag"], one.name, default=None, help=text)
    if one.default is False:
        return click.option(facts["flag"], one.name, is_flag=True, default=None, help=text)
    kind: Any = str
    if facts["choices"]:
        kind = click.Choice(facts["choices"])
    elif isinstance(one.default, int) or one.name == "limit":
        kind = float if one.name in ("timeout", "max_outage") else int
    complete = paths if facts["metavar"] == "PATH" else None
    metavar = facts["metavar"]
    return click.option(
        facts["flag"], one.name, type=kind, default=None, metavar=metavar, help=text, shell_complete=complete
    )


def with_files(options: dict[str, Any], sources: Sequence[str], mapping: str | None, *, sandbox: bool) -> str:
    """Put the files of a load where nobody has said where they go, by its name, which is returned.

    They lie in the report's folder, which is the working folder by default. A dry run, and a load that is only tried
    out in the sandbox, settle nothing: they leave the failures file as it is.
    """
    # not kept among the options: a name that somebody gave accepts a source that is new to the ledger
    name: str = options.get("name", load_name(sources, mapping))
    check_name(name)
    is_trial = sandbox or options.get("dry_run") or options.get("mask")
    report = options.setdefault("report", report_path(name, dry_run=bool(options.get("dry_run"))))
    folder = "" if report.lower() == "none" else report
    options.setdefault("failures", "none" if is_trial else beside(folder, f"{name}.failures.csv"))
    options.setdefault("ledger", "none" if sandbox else beside(folder, f"{name}.ledger"))
    for one in ("report", "failures", "ledger"):
        if options[one].lower() == "none":
            options[one] = None
    return name


def kind_of(text: str | None) -> Kind | None:
    """Return what `--as` says that the rows are."""
    kinds: dict[str, Kind] = {"users": "user", "events": "event"}
    return None if text is None else kinds[text]


def given_mapping(path: str | None, preset: str | None) -> str | None:
    """Return the mapping that `--mapping` or `--preset` gives, as the Python functions take it."""
    if path is not None and preset is not None:
        raise MappingError("--mapping and --preset are both given; expected one of the two")
    if preset is None:
        return path
    from interakt_loader.load.opening import PRESET

    return PRESET + preset


def names_identity(fields_: Sequence[str]) -> bool:
    """Tell whether `--map` says who a row is about: then it is a mapping that somebody wrote."""
    return not {"user_id", "phone"}.isdisjoint(_fields(fields_))


def given_lines(fields_: Sequence[str], traits: Sequence[str]) -> list[Line]:
    """Return what `--map` and `--trait` say as lines of a proposal. Raises `MappingError` where it is no mapping."""
    from interakt_loader.mapping import Mapping
    from interakt_loader.mapping.infer.inferred import Line

    fields = _fields(fields_)
    items = [_trait(one) for one in traits]
    Mapping.of(fields | ({"traits": items} if items else {}))
    return [Line(field, column, "given") for field, column in fields.items()] + [
        Line("traits", one, "given") for one in items
    ]


def written_mapping(
    base: dict[str, Any] | None, fields_: tuple[str, ...], traits: tuple[str, ...], event: str | None
) -> dict[str, Any]:
    """Return the mapping's written form with what the flags `--map`, `--trait` and `--event` say put over `base`.

    With `--map` alone every other column is a trait.
    """
    written = dict(base or {}) | _fields(fields_)
    if event is not None:
        written["event"] = {"value": event}
    if traits:
        named = written.get("traits")
        items = list(named) if isinstance(named, list) else []
        if isinstance(named, dict):
            for name, at in named.items():
                items.append(({"column": at} if isinstance(at, str) else dict(at)) | {"name": name})
        elif named == "*":
            items = ["*"]
        new = [_trait(one) for one in traits]
        names = {one["name"] for one in new}
        written["traits"] = [one for one in items if _name(one) not in names] + new
    elif base is None:
        written["traits"] = "*"
    return written


def _fields(flags: Sequence[str]) -> dict[str, Any]:
    """Return the fields that `--map` names, with a column each, or several columns in order of preference."""
    several: dict[str, list[str]] = {}
    for one in flags:
        field, column = _split("--map", one, "FIELD=COLUMN")
        several.setdefault(field, []).append(column)
    return {field: columns if len(columns) > 1 else columns[0] for field, columns in several.items()}


def _trait(text: str) -> dict[str, str]:
    from interakt_loader.columns import TYPES

    name, column = _split("--trait", text, "NAME=COLUMN[:TYPE]")
    before, colon, last = column.rpartition(":")
    if colon and last in TYPES:
        return {"name": name, "column": before, "type": last}
    return {"name": name, "column": column}


def _name(item: Any) -> str | None:
    return item.get("name", item.get("column")) if isinstance(item, dict) else item


def check_event(event: str | None) -> None:
    """Refuse an event without a name."""
    if event is not None and not event.strip():
        raise MappingError("--event is empty; expected the name of the events")


def _split(flag: str, text: str, form: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left or not right:
        raise MappingError(f"{flag} {text!r}: expected {form}")
    return left, right


DEFAULT = "load"


class DefaultGroup(click.Group):
    """Sends everything that does not begin with a command's name to `load`; its help shows `load`'s options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `load` in front where no command is named."""
        refuse_key_on_command_line(args)
        own = {"--help", "--version", "-h"}
        if args and args[0] not in self.commands and args[0] not in own:
            args = [DEFAULT, *args]
        ctx.obj = frozenset(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Begin the log, and run the command."""
        _begin_log(debug="--debug" in ctx.obj, quiet=bool(ctx.obj & {"-q", "--quiet"}))
        return super().invoke(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer what may stand first: a command, a source or a flag of `load`."""
        if not incomplete.startswith("-"):
            return [*paths(ctx, None, incomplete), *super().shell_complete(ctx, incomplete)]
        load = self.commands[DEFAULT]
        return [
            *load.shell_complete(click.Context(load, parent=ctx), incomplete),
            *super().shell_complete(ctx, incomplete),
        ]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the ways to call it."""
        formatter.write_usage(ctx.command_path, "SOURCE... [OPTIONS]", prefix="Usage: ")
        for line in ("demo", "sandbox [OPTIONS]", "infer SOURCE...", "baseline SOURCE... [OPTIONS]"):
            formatter.write_usage(ctx.command_path, line, prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write `load`'s options and the other commands."""
        load = self.commands[DEFAULT]
        load.format_options(click.Context(load, parent=ctx), formatter)
        rows = [(name, one.get_short_help_str(80)) for name, one in self.commands.items() if name != DEFAULT]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _begin_log(*, debug: bool, quiet: bool) -> None:
    import logging  # takes a tenth of what `--help` takes, which logs nothing

    from interakt_loader.privacy.text import PrintableLog

    level = logging.DEBUG if debug else logging.ERROR if quiet else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableLog("%(levelname)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("urllib3").setLevel(logging.INFO)  # at DEBUG it repeats what ours says, with addresses
