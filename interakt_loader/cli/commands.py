"""The commands. Each imports what it needs when it runs, so that `--help` comes at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from interakt_loader._version import __version__
from interakt_loader.cli.completion import mappings, paths, presets
from interakt_loader.cli.group import DefaultGroup
from interakt_loader.cli.options import (
    check_event,
    given_mapping,
    kind_of,
    names_identity,
    settings_flags,
    source_flags,
    written_mapping,
)
from interakt_loader.cli.process import imported
from interakt_loader.errors import SettingsError
from interakt_loader.safety.printable import printable_lines

if TYPE_CHECKING:
    from interakt_loader.cli.proposal import Chosen
    from interakt_loader.result import LoadResult
    from interakt_loader.settings import Settings
    from interakt_loader.wire import Kind

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=DefaultGroup, context_settings=_CONTEXT, no_args_is_help=True)
@click.version_option(__version__, prog_name="interakt-loader", message="%(prog)s %(version)s")
def cli() -> None:
    """Load a table into Interakt: one API call a row, one report line a row, nothing lost.

    SOURCE is a file (Parquet, CSV and its like, JSON lines, Feather, ORC, Excel; compressed or not), a folder, a
    pattern such as 'exports/*.csv', an address, or - for standard input; several are loaded in turn.
    """


@cli.command(context_settings=_CONTEXT)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=paths)
@click.option("--as", "kind", type=click.Choice(["users", "events"]), help="What the rows are; else the mapping says.")
@click.option(
    "--mapping",
    metavar="FILE",
    shell_complete=mappings,
    help="Which column is which field: a YAML, TOML or JSON file, or preset:NAME.  [default: NAME.mapping.yaml, which "
    "a confirmed proposal is written to]",
)
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=presets,
    help="The mapping of a well-known export, such as shopify-customers.",
)
@click.option("--map", "fields", multiple=True, metavar="FIELD=COLUMN", help="Map one field, e.g. user_id=customer_id.")
@click.option("--trait", "traits", multiple=True, metavar="NAME=COLUMN[:TYPE]", help="Map one trait.")
@click.option("--event", metavar="NAME", help="The name of all events, where no column holds it.")
@click.option("--yes", is_flag=True, help="Confirm a proposed mapping without being asked; answers no open question.")
@click.option("--sandbox", is_flag=True, help="Send to an embedded sandbox instead of the API; needs no key.")
@click.option(
    "--api-key-file",
    metavar="FILE",
    shell_complete=paths,
    help="Read the key from this file  [env: INTERAKT_API_KEY]",
)
@click.option("--ask-key", is_flag=True, help="Ask for the key in the terminal, without showing it.")
@settings_flags
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="Form of the result on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no messages.")
@click.option("--debug", is_flag=True, help="Log what is done; bodies hold personal data.")
def load(
    sources: tuple[str, ...],
    kind: str | None,
    mapping: str | None,
    preset: str | None,
    fields: tuple[str, ...],
    traits: tuple[str, ...],
    event: str | None,
    yes: bool,
    sandbox: bool,
    api_key_file: str | None,
    ask_key: bool,
    output: str,
    quiet: bool,
    debug: bool,
    **flags: Any,
) -> int:
    """Load SOURCE (the default command).

    Without a mapping, one is proposed from the columns, and sent by only when it is confirmed: by the answer to a
    question in the terminal, or by --yes. It is then kept in NAME.mapping.yaml in the working folder, NAME being the
    source's name without a date, and used by itself from then on.
    """
    del debug  # the group has seen to it, and to what `quiet` means for the log
    from interakt_loader.cli.files import asked_key, key_from_file
    from interakt_loader.settings.default_paths import ledger_beside, report_name

    options = {name: value for name, value in flags.items() if value is not None}
    if ask_key and api_key_file is not None:
        raise SettingsError("--ask-key and --api-key-file are both given; expected one of the two")
    options["api_key"] = key_from_file(api_key_file)
    if ask_key and not sandbox and not options.get("dry_run"):
        options["api_key"] = asked_key()
    options.setdefault("report", report_name(sources[0]))
    options.setdefault("ledger", "none" if sandbox else ledger_beside(options["report"]))
    if options["ledger"].lower() == "none":
        options["ledger"] = None
    if quiet:
        options["progress"] = False
    with ExitStack() as stack:
        if sandbox:
            from interakt_loader.sandbox import Sandbox

            here = stack.enter_context(Sandbox())
            options |= {"api_key": here.api_key, "base_url": here.url}
        from interakt_loader.cli.proposal import Chosen, Unwritten
        from interakt_loader.loading import opening
        from interakt_loader.mapping import is_preset, read_mapping
        from interakt_loader.settings import Settings

        settings = Settings.resolve(options)
        check_event(event)
        given = given_mapping(mapping, preset)
        source = opening.opened(list(sources), settings)
        unwritten = Unwritten(sources, kind_of(kind), settings, event, fields, traits, yes, quiet)
        if given is None and names_identity(fields):
            chosen = Chosen(written_mapping(None, fields, traits, event), source)
        elif given is None:
            if not settings.dry_run:
                settings.require_key()
            chosen = unwritten.choose(source)
        elif is_preset(given):
            chosen = unwritten.by_preset(source, given)
        else:
            chosen = Chosen(written_mapping(read_mapping(given).as_dict(), fields, traits, event), source)
        return _load(sources, chosen, kind_of(kind), settings, output, quiet)


def _load(
    sources: tuple[str, ...],
    chosen: Chosen,
    kind: Kind | None,
    settings: Settings,
    output: str,
    quiet: bool,
) -> int:
    from pathlib import Path

    from interakt_loader import loading
    from interakt_loader.errors import LoadInterrupted

    imported()
    name = Path(sources[0]).name if len(sources) == 1 and sources[0] != "-" else chosen.source.name
    say = None if quiet and not chosen.asks else _say
    try:
        result = loading.load(list(sources), chosen.mapping, kind, settings, say, chosen.source, before=chosen.before)
    except LoadInterrupted as error:
        if error.result is not None:
            _show(error.result, name, error.exit_code, output, dry_run=settings.dry_run)
        return error.exit_code
    _show(result, name, result.exit_code, output, dry_run=settings.dry_run)
    return result.exit_code


def _say(line: str) -> None:
    click.echo(printable_lines(line), err=True)


def _show(result: LoadResult, name: str, exit_code: int, output: str, *, dry_run: bool) -> None:
    from interakt_loader.cli.show import as_json, as_text

    click.echo(as_json(result, exit_code) if output == "json" else as_text(result, name, dry_run=dry_run))


@cli.command(context_settings=_CONTEXT)
@click.argument("sources", nargs=-1, metavar="SOURCE...", shell_complete=paths)
@click.option("--as", "kind", type=click.Choice(["users", "events"]), help="What the rows are.")
@click.option("--event", metavar="NAME", help="The name of all events, where no column holds it.")
@click.option("--preset", metavar="NAME", shell_complete=presets, help="Start from this one; without SOURCE, print it.")
@source_flags
def infer(sources: tuple[str, ...], kind: str | None, event: str | None, preset: str | None, **flags: Any) -> int:
    """Print a mapping file to start from, proposed from the column names and the first rows of SOURCE."""
    from interakt_loader.loading.opening import inferred
    from interakt_loader.mapping import PRESET
    from interakt_loader.settings import Settings

    imported()
    check_event(event)
    settings = Settings.resolve({name: value for name, value in flags.items() if value is not None})
    named = None if preset is None else PRESET + preset
    found = inferred(list(sources) or None, settings, kind_of(kind), event, named)
    click.echo(found.to_yaml(), nl=False)
    return 0


@cli.command(context_settings=_CONTEXT)
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Load only the first N rows of each table.")
@click.option("--folder", type=click.Path(file_okay=False), default=".", help="Where the two reports go.")
def demo(rows: int | None, folder: str) -> int:
    """Load the sample data, users and then events, into an embedded sandbox."""
    from pathlib import Path

    from interakt_loader.cli.demo import run_demo

    imported()
    return run_demo(rows, Path(folder), click.echo)


@cli.command(context_settings=_CONTEXT)
@click.option("--port", type=click.IntRange(0, 65535), default=8077, show_default=True, help="0: any free one.")
@click.option("--limit-per-minute", type=click.IntRange(min=1), metavar="N", help="Answer 429 above this.")
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Before each answer.")
@click.option("--faults", metavar="KIND=SHARE,...", default="", help="Faults on demand, e.g. 500=2%,reset=1%.")
def sandbox(port: int, limit_per_minute: int | None, latency: float, faults: str) -> int:
    """Run the sandbox, a local look-alike of the API, until Ctrl-C."""
    from interakt_loader.sandbox import SandboxOptions, run_forever

    imported()
    options = SandboxOptions(port=port, limit_per_minute=limit_per_minute, latency=latency, faults=faults)

    def ready(url: str) -> None:
        click.echo(f"sandbox at {url}, key {options.api_key}; try, in another terminal:")
        click.echo(f"  INTERAKT_API_KEY={options.api_key} interakt-loader SOURCE --base-url {url}")
        click.echo(f"what it holds: {url}/sandbox/users and {url}/sandbox/events; Ctrl-C ends it")

    run_forever(options, ready)
    return 0


def speak_utf8(streams: Iterable[Any]) -> None:
    """Have a stream that goes into a file or a pipe write UTF-8, and a console what it can.

    Windows has other encodings for both: a mapping that `infer` wrote into a file could not be read back, and a name in
    a message must not end the program.
    """
    for one in streams:
        if hasattr(one, "reconfigure"):
            one.reconfigure(encoding=None if one.isatty() else "utf-8", errors="replace")


if sys.platform == "win32":
    speak_utf8((sys.stdout, sys.stderr))
