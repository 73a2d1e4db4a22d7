"""The flags that several commands share, the help, and what a shell offers after TAB.

Most flags are made from the fields of `Settings` (`settings_flags`). Others write a mapping (`mapping_flags`). Flags of
a single command are in `commands`.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from interakt_loader.cli.keys import refuse_key_on_command_line
from interakt_loader.errors import LoadInterrupted, MappingError, SettingsError, flag_of, option
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import REFUSED, variable_of
from interakt_loader.settings.settings import GROUPS, MAPPED, OUTPUT, SENT, add_default_files, load_name
from interakt_loader.settings.values import BadValue, OneOf, did_you_mean, parse_name, parse_truth, parsed

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from interakt_loader.mapping.infer.inferred import Line

WIDE = 10_000
"""Columns that the help may take: as many as the terminal has."""

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": WIDE}

NARROW, NARROW_FLAGS = 80, 22
"""A terminal with fewer columns has flags with longer names on a line of their own."""


# ---------------------------------------------------------------------------- what a shell offers
#
# click asks for it in a process of its own, at each TAB: nothing is imported that is not needed.


def paths(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Leave it to the shell, which knows its files best."""
    from click.shell_completion import CompletionItem

    del context, parameter
    return [CompletionItem(incomplete, type="file")]


def mappings(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Offer the presets after `preset:`, else files."""
    from click.shell_completion import CompletionItem

    before, colon, name = incomplete.partition(":")
    if before != "preset" or not colon:
        return paths(context, parameter, incomplete)
    return [CompletionItem(f"preset:{one.value}") for one in presets(context, parameter, name)]


def presets(context: click.Context, parameter: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Offer the presets whose names begin so."""
    from click.shell_completion import CompletionItem

    del context, parameter
    return [CompletionItem(name) for name in preset_names() if name.startswith(incomplete)]


def preset_names() -> list[str]:
    """Return the presets' names, which are those of their files."""
    found = (Path(__file__).resolve().parents[1] / "mapping" / "presets").glob("*.yaml")
    return sorted(one.stem.replace("_", "-") for one in found)


# ---------------------------------------------------------------------------- flags

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Words(click.Choice[str]):
    """Words for the help and for TAB. The option's own parser judges what is given, and names the word that is near."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave it as it is."""
        del param, ctx
        return value


class Flag(click.Option):
    """A flag that belongs to a group of the help. Without it, its variable counts, unless `variable` is false.

    `rival` is the name of a flag that says the same otherwise: where that one is given, the variable does not count.
    """

    def __init__(
        self, *arguments: Any, group: str = OUTPUT, variable: bool = True, rival: str | None = None, **facts: Any
    ) -> None:
        super().__init__(*arguments, **facts)
        self.group, self._rival = group, rival
        if variable:
            self.envvar = variable_of(max(self.opts, key=len).lstrip("-").replace("-", "_"))

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Return what the variable holds, None if it is blank. Raises `SettingsError`."""
        text = (self.resolve_envvar_value(ctx) or "").strip()
        is_overridden = self._rival and ctx.get_parameter_source(self._rival) is ParameterSource.COMMANDLINE
        # TAB completes what a wrong variable would refuse
        if not text or is_overridden or ctx.resilient_parsing:
            return None
        variable = str(self.envvar)
        if self.is_flag:
            return parsed(variable, parse_truth, text)
        if isinstance(self.type, Words):
            return parsed(variable, OneOf(tuple(self.type.choices)), text)
        return text.splitlines() if self.multiple else text


class KeyFile(Flag):
    """The flag of the key's file, whose variable does not go together with the key's own."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Return the path. Raises `SettingsError` if both variables are set."""
        path = super().value_from_envvar(ctx)
        if path is not None and os.environ.get(variable_of("api_key"), "").strip():
            raise SettingsError("INTERAKT_API_KEY and INTERAKT_API_KEY_FILE are both set; expected one of the two")
        return path


def is_on(name: str, arguments: Collection[str]) -> bool:
    """Tell whether a flag is among the arguments, or on by its variable. Does not judge what the variable holds."""
    if f"--{name}" in arguments:
        return True
    with suppress(BadValue):
        return parse_truth(os.environ.get(variable_of(name)) or "no")
    return False


def flag(*names: str, group: str, **facts: Any) -> Callable[[_Command], _Command]:
    """Give a command one flag of a group."""
    return click.option(*names, cls=Flag, group=group, **facts)


def settings_flags(command: _Command) -> _Command:
    """Give a command one flag for each option that has one, in the order of `Settings`."""
    return _flags(command, [one.name for one in fields(Settings)])


def account_flags(command: _Command) -> _Command:
    """Give a command the flags that say which account it calls, and how long it waits."""
    return _flags(command, ["base_url", "timeout"])


_READ = ("encoding", "delimiter", "header", "sheet", "query", "where")


def source_flags(command: _Command) -> _Command:
    """Give a command the flags that say how a source is to be read and understood."""
    return _flags(command, ["default_country", "phones", "null_values", *_READ])


def call_flags(command: _Command) -> _Command:
    """Give a command the flags that say how calls are made that read the account."""
    return _flags(command, ["base_url", "timeout", "max_retries", "workers", "rate_limit", "share", "max_outage"])


def _flags(command: _Command, names: Sequence[str]) -> _Command:
    for one in reversed(fields(Settings)):
        if one.name in names and one.metadata["flag"] is not None:
            command = _settings_flag(one)(command)
    return command


def _settings_flag(one: Any) -> Callable[[_Command], _Command]:
    """Return the flag of an option. It hands text on: the option's parser reads it."""
    facts = one.metadata
    text = re.sub(r"`([^`]*)`", lambda quoted: _shown(quoted[1], facts["choices"]), facts["meaning"])
    if one.default not in (None, False, ""):
        text += f"  [default: {one.default}]"
    # `Settings` reads the variable
    given: dict[str, Any] = {"default": None, "help": text, "group": facts["group"], "variable": False}
    if one.default is False:
        given["is_flag"] = True
    elif "/" not in facts["flag"]:
        given |= {"type": Words(facts["choices"]) if facts["choices"] else str, "metavar": facts["metavar"]}
        given["shell_complete"] = paths if facts["metavar"] == "PATH" else None
    return flag(facts["flag"], one.name, **given)


def _shown(quoted: str, choices: Sequence[str]) -> str:
    """Return the flag of an option that stands between backquotes, and anything else as it is, such as a choice."""
    return flag_of(quoted) if quoted in Settings.__dataclass_fields__ and quoted not in choices else quoted


def mapping_flags(command: _Command) -> _Command:
    """Give a command the flags that write a mapping, over that of a file or a proposal."""
    for add in (
        flag("--event", group=MAPPED, metavar="NAME", help="The name of all events, where no column holds it."),
        flag(
            "--trait",
            "traits",
            group=MAPPED,
            multiple=True,
            metavar="NAME=COLUMN[:TYPE]",
            help="Map one trait. TYPE is auto, string, number, boolean, datetime, date or list.",
        ),
        flag(
            "--map",
            "fields",
            group=MAPPED,
            multiple=True,
            metavar="FIELD=COLUMN",
            help="Map one field, such as user_id=customer_id.",
        ),
    ):
        command = add(command)
    return command


KIND = flag(
    "--as",
    "kind",
    group=MAPPED,
    type=Words(["users", "events"]),
    help="What the rows are. Without it the mapping or the columns tell.",
)

KEY_FILE = click.option(
    "--api-key-file",
    cls=KeyFile,
    group=SENT,
    rival="ask_key",
    metavar="FILE",
    shell_complete=paths,
    help="Read the key from this file.  [env: INTERAKT_API_KEY]",
)

ASK_KEY = flag(
    "--ask-key",
    group=SENT,
    rival="api_key_file",
    is_flag=True,
    help="Ask for the key in the terminal, without showing it.",
)

QUIET = flag("-q", "--quiet", group=OUTPUT, is_flag=True, help="No progress bar and no messages.")
DEBUG = flag("--debug", group=OUTPUT, is_flag=True, help="Log every step. Bodies hold personal data.")

OUTPUTS = ("text", "json")

RESULT = flag(
    "--output",
    group=OUTPUT,
    type=Words(OUTPUTS),
    default="text",
    help="Form of the result on standard output.  [default: text]",
)


OF_FILES = ("name", "report", "failures", "ledger", "dry_run", "mask")
"""The options by which `with_files` chooses the files of a load."""


def with_files(
    options: dict[str, Any],
    environment: Mapping[str, Any],
    sources: Sequence[str],
    mapping: str | None,
    *,
    sandbox: bool,
    verifies: bool = False,
) -> str:
    """Add the default paths of a load's files to its options. Return the load's name, by which they are called.

    `environment` has those `OF_FILES` that are set there, and that are not options.
    """
    known = {**environment, **options}
    # not kept among the options: a name that the user gave accepts a source that is new to the ledger
    name = parsed(option("name"), parse_name, known.get("name", load_name(sources, mapping, known.get("query"))))
    add_default_files(options, name, environment=environment, sandbox=sandbox, verifies=verifies)
    return name


# ---------------------------------------------------------------------------- a mapping, written in flags


def given_mapping(path: str | None, preset: str | None) -> str | None:
    """Return the mapping that `--mapping` or `--preset` gives, as the Python functions take it."""
    if path is not None and preset is not None:
        raise MappingError("--mapping and --preset are both given; expected one of the two")
    if preset is None:
        return path
    from interakt_loader.load.opening import PRESET

    return PRESET + preset


def names_identity(maps: Sequence[str]) -> bool:
    """Tell whether `--map` says who a row is about: then it is a mapping that the user wrote."""
    return not {"user_id", "phone"}.isdisjoint(_fields(maps))


def given_lines(maps: Sequence[str], traits: Sequence[str]) -> list[Line]:
    """Return what `--map` and `--trait` say as lines of a proposal. Raises `MappingError` where it is no mapping."""
    from interakt_loader.mapping import Mapping
    from interakt_loader.mapping.infer.inferred import Line

    fields = _fields(maps)
    items = [_trait(one) for one in traits]
    Mapping.of(fields | ({"traits": items} if items else {}))
    return [Line(field, column, "given") for field, column in fields.items()] + [
        Line("traits", one, "given") for one in items
    ]


def written_mapping(
    base: dict[str, Any] | None, maps: Sequence[str], traits: Sequence[str], event: str | None
) -> dict[str, Any]:
    """Return the mapping's written form: `base` with what the flags `--map`, `--trait` and `--event` say in its place.

    With `--map` alone every other column is a trait.
    """
    written = dict(base or {}) | _fields(maps)
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


def check_types(traits: Sequence[str], columns: Iterable[str]) -> None:
    """Refuse a `--trait` whose type there is not: its column is there without what follows the last colon."""
    known = set(columns)
    for text in traits:
        column = _trait(text)["column"]
        before, colon, last = column.rpartition(":")
        if colon and column not in known and before in known:
            from interakt_loader.columns import no_type

            raise MappingError(f"--trait {text!r}: {no_type(last)}")


def check_event(event: str | None) -> None:
    """Refuse an event without a name."""
    if event is not None and not event.strip():
        raise MappingError("--event is empty; expected the name of the events")


def _fields(maps: Sequence[str]) -> dict[str, Any]:
    """Return the fields that `--map` names, with a column each, or several columns in order of preference."""
    several: dict[str, list[str]] = {}
    for text in maps:
        field, column = _split("--map", text, "FIELD=COLUMN")
        several.setdefault(field, []).append(column)
    return {field: columns if len(columns) > 1 else columns[0] for field, columns in several.items()}


def _trait(text: str) -> dict[str, str]:
    from interakt_loader.columns import TYPES

    name, column = _split("--trait", text, f"NAME=COLUMN[:TYPE] (types: {', '.join(TYPES)})")
    before, colon, last = column.rpartition(":")
    if colon and last in TYPES:
        return {"name": name, "column": before, "type": last}
    return {"name": name, "column": column}


def _name(item: Any) -> str | None:
    return item.get("name", item.get("column")) if isinstance(item, dict) else item


def _split(flag: str, text: str, form: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left or not right:
        raise MappingError(f"{flag} {text!r}: expected {form}")
    return left, right


# ---------------------------------------------------------------------------- commands and their help

DEFAULT = "load"

EXIT_CODES = [
    ("0", "Every row is sent, unchanged or merged."),
    ("1", "Some rows are invalid, rejected, failed or unknown."),
    ("2", "The command, the mapping, the source or a setting is wrong. Nothing was sent."),
    ("3", "The load stopped early. The same command continues."),
    ("130, 143", "The load was interrupted. The same command continues."),
]


_VARIABLES = (
    "INTERAKT_API_KEY is the key. Every option has such a variable, as INTERAKT_RATE_LIMIT for --rate-limit, but "
    f"{', '.join(map(flag_of, REFUSED[:-1]))} and {flag_of(REFUSED[-1])}. A flag goes before its variable."
)


class Command(click.Command):
    """A command whose help has the flags in groups, then `examples`, exit codes and presets."""

    def __init__(
        self,
        *arguments: Any,
        examples: Sequence[tuple[str, str]] = (),
        exit_codes: Sequence[tuple[str, str]] = (),
        **facts: Any,
    ) -> None:
        super().__init__(*arguments, **facts)
        self.examples, self.exit_codes = examples, exit_codes

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags by group."""
        width = NARROW_FLAGS if formatter.width < NARROW else 30
        by_group: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                by_group.setdefault(getattr(parameter, "group", OUTPUT), []).append(record)
        for group in GROUPS:
            if group in by_group:
                with formatter.section(group):
                    formatter.write_dl(by_group[group], col_max=width)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, the variables, the exit codes, and where a mapping is chosen the presets."""
        if self.examples:
            with formatter.section("Examples"):
                for meaning, command in self.examples:
                    formatter.write_text(meaning)
                    formatter.write(f"{'':>{formatter.current_indent}}  {ctx.find_root().info_name} {command}\n")
        if any(isinstance(parameter, Flag) and parameter.envvar for parameter in self.params):
            with formatter.section("Environment"):
                formatter.write_text(_VARIABLES)
        if self.exit_codes:
            with formatter.section("Exit codes"):
                formatter.write_dl(self.exit_codes)
        if any(parameter.name == "preset" for parameter in self.params):
            with formatter.section("Presets"):
                indent = " " * formatter.current_indent
                names = textwrap.fill(
                    ", ".join(preset_names()),
                    formatter.width,
                    break_on_hyphens=False,
                    initial_indent=indent,
                    subsequent_indent=indent,
                )
                formatter.write(f"{names}\n")


class Interrupted(Exception):
    """Takes a `LoadInterrupted` through click, which would end a `KeyboardInterrupt` with an empty line."""

    def __init__(self, error: LoadInterrupted) -> None:
        super().__init__(str(error))
        self.error = error


class DefaultGroup(click.Group):
    """The commands. What begins with no command's name is for `load`, whose options the help shows, too."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `load` in front where no command is named."""
        refuse_key_on_command_line(args)
        own = {"--help", "--version", "-h"}
        if args and args[0] not in self.commands and args[0] not in own:
            self._refuse_misspelt(args[0])
            args = [DEFAULT, *args]
        ctx.obj = frozenset(args)
        return super().parse_args(ctx, args)

    def _refuse_misspelt(self, word: str) -> None:
        near = did_you_mean(word, self.commands) if word.isalpha() and not Path(word).exists() else ""
        if near:
            raise SettingsError(f"{word}: no such command, and no such file{near}")

    def invoke(self, ctx: click.Context) -> Any:
        """Begin the log, and run the command."""
        _begin_log(debug=is_on("debug", ctx.obj), quiet="-q" in ctx.obj or is_on("quiet", ctx.obj))
        try:
            return super().invoke(ctx)
        except LoadInterrupted as error:
            raise Interrupted(error) from error

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
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS]", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, and the options of `load`."""
        rows = [(name, one.get_short_help_str(WIDE)) for name, one in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
            formatter.write_paragraph()
            formatter.write_text(f"{ctx.command_path} COMMAND --help shows the options of a command.")
        load = self.commands[DEFAULT]
        load.format_options(click.Context(load, parent=ctx, help_option_names=ctx.help_option_names), formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what stands below the options of `load`."""
        self.commands[DEFAULT].format_epilog(ctx, formatter)


def _begin_log(*, debug: bool, quiet: bool) -> None:
    # takes a tenth of what `--help` takes, which logs nothing
    import logging

    from interakt_loader.privacy.text import printable_log

    level = logging.DEBUG if debug else logging.ERROR if quiet else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(printable_log("%(levelname)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    # at DEBUG it repeats what our log says, with addresses
    logging.getLogger("urllib3").setLevel(logging.INFO)
