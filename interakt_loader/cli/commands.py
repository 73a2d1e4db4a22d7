"""The commands with their own flags, and the summary that a load prints at its end.

What only one command needs is imported when that one runs.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from interakt_loader._version import __version__
from interakt_loader.cli.options import (
    ASK_KEY,
    CONTEXT,
    DEBUG,
    EXIT_CODES,
    KEY_FILE,
    KIND,
    OF_FILES,
    OUTPUTS,
    QUIET,
    RESULT,
    DefaultGroup,
    Flag,
    account_flags,
    call_flags,
    check_event,
    check_types,
    flag,
    given_mapping,
    mapping_flags,
    mappings,
    names_identity,
    paths,
    presets,
    settings_flags,
    source_flags,
    with_files,
    written_mapping,
)
from interakt_loader.errors import KEY_PLACE, LoadInterrupted, SettingsError
from interakt_loader.privacy.files import is_writable
from interakt_loader.privacy.process import freeze_imports, import_arrow
from interakt_loader.privacy.text import number_of, printable, printable_json, printable_lines
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import (
    KEPT,
    LOADED,
    MAPPED,
    NOT_FOR_VERIFY,
    SENT,
    STDOUT,
    beside,
    mapping_name,
    read_environment,
)
from interakt_loader.settings.values import OneOf, parsed

if TYPE_CHECKING:
    import pyarrow as pa

    from interakt_loader.account.pull import PullResult
    from interakt_loader.cli.proposal import Confirmation
    from interakt_loader.load.job import Settler
    from interakt_loader.model import Kind
    from interakt_loader.report.writer import Writer
    from interakt_loader.result import LoadResult
    from interakt_loader.result.view import View

MOST_REASONS = 10

MOST_COLUMNS = 50
"""Traits that `pull` lists."""


def as_json(result: LoadResult, exit_code: int) -> str:
    """Return the result as one JSON object."""
    return printable_json(result.as_object(exit_code))


def as_text(view: View) -> str:
    """Return a result as a few lines for a person."""
    return "\n".join(map(printable, summary_lines(view)))


def summary_lines(view: View) -> Iterator[str]:
    """Yield the lines of a result, not yet printable."""
    if not view.summary.rows:
        yield f"{view.name}: no rows to send"
    else:
        yield f"{view.name}: {view.heading}" + (f" ({view.pace})" if view.is_dry_run else "")
    width = max((len(f"{one.count:,}") for one in view.counts), default=0)
    for one in view.counts:
        yield f"  {one.count:>{width},} {one.label}"
    if view.pace and not view.is_dry_run:
        yield view.pace
    if view.duplicates:
        yield f"{view.duplicates} (maybe_duplicate in the report)"
    if view.reasons:
        yield "reasons:"
    for reason in view.reasons[:MOST_REASONS]:
        rows = f"row{'' if reason.count == 1 else 's'} {reason.rows}"
        yield f"  {reason.count:>{width},} {reason.label} {reason.code}: {rows}"
        yield f"  {'':{width}} e.g. {reason.example}"
    if len(view.reasons) > MOST_REASONS:
        yield f"  … and {number_of(len(view.reasons) - MOST_REASONS, 'more reason')} in the report"
    yield from view.account_lines
    if view.to_do:
        yield f"to do: {view.to_do}"
    if view.names:
        yield "names in these calls, which an account keeps for ever:"
        yield from (f"  {line}" for line in view.names)
    if view.bodies:
        yield f"the first calls, to {view.endpoint}:"
        yield from (f"  {body}" for body in view.bodies)
    if view.stopped is not None:
        yield f"stopped early: {view.stopped}"
        yield "the rows marked unsent in the report were not tried, or not to the end"
        if view.ledger is not None:
            yield "the same command continues from there"
    yield from (f"{label}: {path}" for label, path in view.files)


TABLES: tuple[tuple[str, Kind], ...] = (("users", "user"), ("events", "event"))

SHOWN = 3
"""Users that are shown at the end."""


def run_demo(rows: int | None, folder: Path | None, say: Callable[[str], object]) -> int:
    """Load both tables, show the results and what the sandbox holds, and return the exit code."""
    import tempfile

    from interakt_loader import load as loading
    from interakt_loader.load.opening import opened
    from interakt_loader.result import view_of
    from interakt_loader.sandbox import Sandbox
    from interakt_loader.sandbox.demo_data import write_sample_data

    if folder is None:
        folder = Path()
        if not all(is_writable(Path(f"{table}.report.csv")) for table, _ in TABLES):
            folder = Path(tempfile.mkdtemp(prefix="interakt-loader-demo-"))
            say(f"the working folder cannot be written: the reports go to {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        data = Path(__file__).resolve().parents[2] / "sample_data"
        # Where it is not there, as in a wheel, it is made: the same by its seed.
        if not (data / "users.parquet").exists():
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interakt-loader-")))
            write_sample_data(data)
        sandbox = stack.enter_context(Sandbox())
        say(f"an embedded sandbox takes the calls at {sandbox.url}; nothing leaves this machine")
        for table, kind in TABLES:
            options = {
                "api_key": sandbox.api_key,
                "base_url": sandbox.url,
                "report": str(folder / f"{table}.report.csv"),
                "limit": rows,
            }
            source = data / f"{table}.parquet"
            settings = Settings.resolve(options, variables=(), strict=False)
            result = loading.load(opened(source, settings), data / f"{table}.mapping.yaml", kind, settings)
            say("\n" + as_text(view_of(result)))
        stats = sandbox.stats()
        say(f"\nthe sandbox now holds {stats.users:,} users and {stats.events:,} events; {SHOWN} of the users:")
        for user in sandbox.users(limit=SHOWN):
            name = user.user_id or f"{user.country_code} {user.phone}"
            say(f"  {name}  {printable_json(user.traits)}")
    return 0


@click.group(cls=DefaultGroup, context_settings=CONTEXT, no_args_is_help=True)
@click.version_option(__version__, prog_name="interakt-loader", message="%(prog)s %(version)s")
def cli() -> None:
    """Load a table into Interakt: one API call and one report line for each row.

    SOURCE is a file, a folder, a pattern such as 'exports/*.csv', an address, or - for standard input. Files may be
    Parquet, CSV and its like, JSON lines, Feather, ORC or Excel, compressed or not. Several sources are loaded in turn.
    With --query it may be a database: postgresql://, mysql://, sqlite:/// or duckdb:///. env:NAME is an address in an
    environment variable.
    """


_LOAD_EXAMPLES = (
    ("Check every row, and send nothing:", "customers.csv --dry-run"),
    ("Try it against a local look-alike of the API:", "customers.csv --sandbox"),
    ("Send, with a column for the user:", "customers.csv --map user_id=id"),
    ("Send events, with a mapping of your own:", "orders.csv --mapping orders.yaml"),
    ("Send the export of a shop:", "orders.csv --preset shopify-orders"),
    ("Send the result of a query:", "sqlite:///shop.db --query users.sql"),
)


@cli.command(context_settings=CONTEXT, examples=_LOAD_EXAMPLES, exit_codes=EXIT_CODES)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=paths)
@KIND
@flag(
    "--mapping",
    group=MAPPED,
    rival="preset",
    metavar="FILE",
    shell_complete=mappings,
    help="Which column is which field: a YAML, TOML or JSON file, or preset:NAME.  [default: NAME.mapping.yaml, which "
    "holds the confirmed proposal]",
)
@flag(
    "--preset",
    group=MAPPED,
    rival="mapping",
    metavar="NAME",
    shell_complete=presets,
    help="The mapping of a well-known export.",
)
@mapping_flags
@flag(
    "--yes",
    group=MAPPED,
    variable=False,
    is_flag=True,
    help="Confirm a proposed mapping without a question. It answers no open question.",
)
@flag(
    "--sandbox",
    group=SENT,
    rival="base_url",
    is_flag=True,
    help="Send to an embedded sandbox instead of the API; needs no key.",
)
@KEY_FILE
@ASK_KEY
@settings_flags
@flag(
    "--old-api-key-file",
    group=KEPT,
    metavar="FILE",
    shell_complete=paths,
    help="With --same-account: read the old key from this file. It is needed only where the state folder does not "
    "hold the ledger's secret.",
)
@RESULT
@QUIET
@DEBUG
def load(**given: Any) -> int:
    """Load SOURCE (the default command).

    Without a mapping, one is proposed from the columns. It is used only when it is confirmed: by the answer to a
    question in the terminal, or by --yes. The confirmed mapping is kept in NAME.mapping.yaml in the working folder.
    Later loads of this name use it. NAME is the source's name without a date.
    """
    return _load("load", **given)


def _load(
    command: str,
    *,
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
    old_api_key_file: str | None,
    output: str,
    quiet: bool,
    debug: bool,
    no_ledger: bool = False,
    **flags: Any,
) -> int:
    """Load, put on record or verify; return the exit code."""
    # the group has begun the log already
    del debug
    from interakt_loader.cli.keys import called, given_key
    from interakt_loader.privacy.key_file import key_from_file

    output = parsed("--output", OneOf(OUTPUTS), output)
    check_event(event)
    options = _given(flags, no_ledger=no_ledger)
    environment = read_environment(name for name in OF_FILES if name in flags and name not in options)
    prints_report = {**environment, **options}.get("report") == STDOUT
    if prints_report and output == "json":
        raise SettingsError("--report - and --output json both write to standard output; expected one of the two")
    if command == "baseline" and sandbox:
        raise SettingsError("--sandbox: a new sandbox knows nobody, so there is nothing to put on record")
    options["old_api_key"] = key_from_file(old_api_key_file, called("--old-api-key-file", "old_api_key_file"))
    is_needed = not sandbox and not {**environment, **options}.get("dry_run")
    options["api_key"] = given_key(api_key_file, ask=ask_key, is_needed=is_needed)
    given = given_mapping(mapping, preset)
    import_arrow()
    data = _hidden(sources)
    sources = tuple(map(str, data))
    name = with_files(options, environment, sources, given, sandbox=sandbox, verifies=command == "verify")
    # a bar would be among the lines of the report
    if quiet or (prints_report and sys.stdout.isatty()):
        options["progress"] = False
    with ExitStack() as stack:
        if sandbox:
            from interakt_loader.sandbox import Sandbox

            here = stack.enter_context(Sandbox())
            options |= {"api_key": here.api_key, "base_url": here.url}
        from interakt_loader.cli.proposal import Chosen, Confirmation, MappingChooser
        from interakt_loader.load import opening
        from interakt_loader.mapping import read_mapping

        settings = Settings.resolve(options, variables=(*flags, "api_key", "old_api_key", "progress"))
        kind_of_rows = opening.kind_of(kind)
        source = opening.opened(data, settings)
        check_types(traits, source.columns)
        # What sends nothing may use a proposal that is not confirmed.
        confirmed_by = settings if command == "load" else replace(settings, dry_run=True)
        chooser = MappingChooser(sources, name, kind_of_rows, confirmed_by, event, fields, traits, yes, quiet)
        if given is None and names_identity(fields):
            chosen = Chosen(written_mapping(None, fields, traits, event), source)
        elif given is None:
            if not settings.dry_run:
                settings.require_key()
            chosen = chooser.choose(source)
        elif opening.is_preset(given):
            chosen = chooser.by_preset(source, given)
        else:
            chosen = Chosen(written_mapping(read_mapping(given).as_dict(), fields, traits, event), source)
        reads = {
            "mapping": mapping_name(name) if given is None else mapping,
            "file of the key": api_key_file,
            "file of the old key": old_api_key_file,
        }
        confirmation = Confirmation(sources, settings, chosen, yes, quiet)
        printed = PrintedReport() if prints_report else None
        return _run(confirmation, name, reads, kind_of_rows, output, command, printed)


def _given(flags: dict[str, Any], *, no_ledger: bool) -> dict[str, Any]:
    """Return the options that are given as flags."""
    options = {name: value for name, value in flags.items() if value is not None}
    if no_ledger:
        if "ledger" in options:
            raise SettingsError("--no-ledger and --ledger are both given; expected one of the two")
        options["ledger"] = "none"
    return options


def _hidden(sources: Sequence[str]) -> list[Any]:
    """Return the sources as they may be kept: without passwords, which are refused here."""
    from interakt_loader.sources import hidden_source
    from interakt_loader.sources.addresses import refuse_passwords

    refuse_passwords(sources)
    hidden: list[Any] = hidden_source(list(sources))
    return hidden


def _run(
    confirmation: Confirmation,
    load_name: str,
    reads: dict[str, str | None],
    kind: Kind | None,
    output: str,
    command: str,
    printed: PrintedReport | None,
) -> int:
    from interakt_loader import load as loading
    from interakt_loader.load.opening import OtherFiles, files_of
    from interakt_loader.load.run import outlive_terminal
    from interakt_loader.load.runs import Runs
    from interakt_loader.load.terminal import Terminal, nothing
    from interakt_loader.result import view_of

    freeze_imports()
    sources, settings, chosen = confirmation.sources, confirmation.settings, confirmation.chosen
    name = (Path(sources[0]).name or sources[0]) if len(sources) == 1 and sources[0] != "-" else chosen.source.name
    if settings.query is not None:
        name = load_name
    folder = None if settings.dry_run else Path(beside(str(settings.report or ""), f"{load_name}.runs"))
    runs = None if folder is None else Runs(folder, load_name, sources, settings, command)
    files = files_of(chosen.source)

    def begin_run() -> None:
        if runs is not None:
            runs.begin(files[0] if len(files) == 1 else None)
        if printed is not None:
            printed.begin()

    observer = Terminal(
        nothing if confirmation.quiet and not chosen.asks else _say,
        nothing if confirmation.quiet else _say,
        after_first=[] if chosen.note is None else [chosen.note],
        begins=begin_run,
        writes=nothing if printed is None else printed.write,
    )
    with outlive_terminal():
        try:
            result = loading.load(
                chosen.source,
                chosen.mapping,
                kind,
                settings,
                observer=observer,
                confirmation=confirmation,
                other_files=OtherFiles(reads, {"folder of the load's runs": folder}),
                settler=_settler(command),
            )
            exit_code = result.exit_code
        except LoadInterrupted as error:
            if error.result is None:
                raise
            result, exit_code = error.result, error.exit_code
        if runs is not None:
            runs.end(result, exit_code)
        shown = as_json(result, exit_code) if output == "json" else as_text(replace(view_of(result), name=name))
        click.echo(shown, err=printed is not None)
        return exit_code if printed is None or printed.is_whole else exit_code or 1


class PrintedReport:
    """A report on standard output, as CSV."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._writer: Writer | None = None

    def begin(self) -> None:
        """Write the names of the columns."""
        from interakt_loader.report.writer import CsvWriter

        self._writer = CsvWriter(self._buffer)
        self._print()

    def write(self, lines: pa.RecordBatch) -> None:
        """Write lines, after `begin`."""
        assert self._writer is not None
        self._writer.write(lines)
        self._print()

    def _print(self) -> None:
        text = self._buffer.getvalue().decode()
        self._buffer.seek(0)
        self._buffer.truncate()
        sys.stdout.write(printable_lines(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()

    @property
    def is_whole(self) -> bool:
        """Whether nothing was lost, as on a full disk. A reader such as `| head` may have enough before the end."""
        error = getattr(sys.stdout, "error", None)
        return error is None or isinstance(error, BrokenPipeError)


def _settler(command: str) -> Settler | None:
    """Return what takes the place of sending, if a command sends nothing."""
    if command == "baseline":
        from interakt_loader.load.api import Recorder

        return Recorder()
    if command == "verify":
        from interakt_loader.account.verify import Verifier

        return Verifier()
    return None


def _say(line: str) -> None:
    click.echo(printable_lines(line), err=True)


@cli.command(
    context_settings=CONTEXT,
    params=load.params,
    examples=[("Record last year's orders as sent:", "baseline orders-2025.csv --event Order")],
    exit_codes=EXIT_CODES,
)
def baseline(**given: Any) -> int:
    """Put the rows of SOURCE on record as sent, and send nothing.

    Use it for rows that Interakt has already, and for past events that no campaign shall answer. Later loads take them
    as unchanged. Give the flags of the load: the same mapping makes the same calls of the rows. It asks no question: a
    complete proposal is taken as it is.
    """
    return _load("baseline", **given)


_VERIFY_EXIT_CODES = [
    ("0", "The account holds every row."),
    ("1", "Some rows are different, absent, ambiguous or invalid."),
    ("2", "The command, the mapping, the source or a setting is wrong. Nothing was read of the account."),
    ("3", "The account cannot be read, or not to its end. The same command continues."),
    ("130, 143", "It was interrupted. The same command continues."),
]


@cli.command(
    context_settings=CONTEXT,
    params=[
        *(one for one in load.params if one.name not in (*NOT_FOR_VERIFY, "sandbox")),
        Flag(["--no-ledger"], group=KEPT, rival="ledger", is_flag=True, help="Only look: leave the ledger as it is."),
    ],
    examples=[
        ("Compare the customers with the account:", "verify customers.csv"),
        ("Only look, and leave the ledger as it is:", "verify customers.csv --no-ledger"),
    ],
    exit_codes=_VERIFY_EXIT_CODES,
)
def verify(**given: Any) -> int:
    """Compare the users of SOURCE with what the account holds, and send nothing.

    Users that are the same are recorded as sent. Those that are different or absent are forgotten, so that the next
    load sends just these. It writes over what somebody has changed in the dashboard. A call reads 100 contacts; few
    users are looked up one by one.
    """
    return _load("verify", sandbox=False, **given)


_RUN_EXIT_CODES = [
    ("0", "Every row of every load is sent, unchanged or merged."),
    ("1", "Some rows are invalid, rejected, failed or unknown."),
    ("2", "The file has mistakes, and nothing was sent; or a load could not begin."),
    ("3", "A load stopped early. The same command continues."),
    ("130, 143", "It was interrupted. The same command continues."),
]


@cli.command(
    context_settings=CONTEXT,
    examples=[
        ("Check all loads, and send nothing:", "run project.yaml --dry-run"),
        ("Run two of them:", "run project.yaml customers orders"),
    ],
    exit_codes=_RUN_EXIT_CODES,
)
@click.argument("project", metavar="PROJECT", shell_complete=paths)
@click.argument("loads", nargs=-1, metavar="[LOAD]...")
@flag("--dry-run", group=SENT, is_flag=True, help="Check every row of every load and send nothing.")
@flag("--sandbox", group=SENT, is_flag=True, help="Send to an embedded sandbox instead of the API; needs no key.")
@flag("--yes", group=MAPPED, variable=False, is_flag=True, help="Send many or old events without a question.")
@flag("--html", group=KEPT, metavar="PATH", shell_complete=paths, help="Path of one HTML page about all loads.")
@RESULT
@QUIET
@DEBUG
def run(
    *,
    project: str,
    loads: tuple[str, ...],
    dry_run: bool,
    sandbox: bool,
    yes: bool,
    html: str | None,
    output: str,
    quiet: bool,
    debug: bool,
) -> int:
    """Run the loads of a PROJECT file, in its order: all of them, or those that are named.

    The whole file is checked before the first call. A load is not started if one that it is after did not run to its
    end.
    """
    # the group has begun the log already
    del debug
    from interakt_loader.cli.proposal import Chosen, Confirmation
    from interakt_loader.load.terminal import nothing
    from interakt_loader.project.opening import Choices, ReadyLoad
    from interakt_loader.project.run import Front, run_project

    freeze_imports()
    output = parsed("--output", OneOf(OUTPUTS), output)

    def confirmation(load: ReadyLoad) -> Confirmation:
        settings = load.settings
        command = (
            f"interakt-loader baseline SOURCE, with --name {load.name}, --ledger {settings.ledger} and its mapping"
        )
        return Confirmation(load.sources, settings, Chosen(load.mapping, load.source), yes, quiet, command)

    with ExitStack() as stack:
        target = None
        if sandbox:
            from interakt_loader.sandbox import Sandbox

            here = stack.enter_context(Sandbox())
            target = {"api_key": here.api_key, "base_url": here.url}
        choices = Choices(loads, dry_run, False if quiet else None, html, target)
        result = run_project(project, choices, Front(confirmation, nothing if quiet else _say))
        if output == "json":
            click.echo(printable_json(result.as_dict()))
        else:
            click.echo("\n".join(map(printable, result.summary().splitlines())))
        return result.exit_code


@cli.command(
    context_settings=CONTEXT,
    examples=[
        ("Write a mapping file to start from:", "infer customers.csv > customers.yaml"),
        ("See the mapping of a well-known export:", "infer --preset shopify-orders"),
    ],
)
@click.argument("sources", nargs=-1, metavar="SOURCE...", shell_complete=paths)
@KIND
@flag("--event", group=MAPPED, metavar="NAME", help="The name of all events, where no column holds it.")
@flag(
    "--preset",
    group=MAPPED,
    metavar="NAME",
    shell_complete=presets,
    help="Start from this mapping of a well-known export. Without SOURCE, print it.",
)
@source_flags
def infer(sources: tuple[str, ...], kind: str | None, event: str | None, preset: str | None, **flags: Any) -> int:
    """Print a mapping file to start from, proposed from the column names and the first rows of SOURCE."""
    from interakt_loader.load.opening import PRESET, inferred, kind_of

    freeze_imports()
    check_event(event)
    settings = Settings.resolve({name: value for name, value in flags.items() if value is not None}, variables=flags)
    named = None if preset is None else PRESET + preset
    found = inferred(_hidden(sources) or None, settings, kind_of(kind), event, named)
    click.echo(found.to_yaml(), nl=False)
    return 0


@cli.command(
    context_settings=CONTEXT,
    examples=[
        ("Test the key of INTERAKT_API_KEY:", "key"),
        ("Test a key before it is stored anywhere:", "key --ask-key"),
    ],
    exit_codes=[
        ("0", "The API accepts the key."),
        ("2", "There is no key, or it cannot be one, or a setting is wrong. No call was made."),
        ("3", "The API refuses the key, the plan has no API, or the key could not be tested."),
    ],
)
@KEY_FILE
@ASK_KEY
@account_flags
@RESULT
def key(*, api_key_file: str | None, ask_key: bool, output: str, **flags: Any) -> int:
    """Test the key, and send nothing.

    It makes one call, which reads one contact. The result is one line: the number of the account's contacts, or what is
    wrong and what to do.
    """
    from interakt_loader.account.key import try_key
    from interakt_loader.cli.keys import given_key

    output = parsed("--output", OneOf(OUTPUTS), output)
    options = {name: value for name, value in flags.items() if value is not None}
    options["api_key"] = given_key(api_key_file, ask=ask_key)
    settings = Settings.resolve(options, variables=(*flags, "api_key"))
    if settings.api_key is None:
        raise SettingsError(
            f"no API key: copy it from {KEY_PLACE}, and set INTERAKT_API_KEY, or give --api-key-file FILE or --ask-key"
        )
    trial = try_key(settings)
    if output == "json":
        click.echo(printable_json(trial.as_dict()))
    elif trial.works:
        click.echo(printable(trial.text))
    else:
        click.echo(f"interakt-loader: {printable(trial.text)}", err=True)
    return trial.exit_code


_PULL_EXIT_CODES = [
    ("0", "Every contact is in the file."),
    ("1", "Some contacts may be missing: they changed whenever they were read."),
    ("2", "The command or a setting is wrong. Nothing was read."),
    ("3", "The account cannot be read, or not to its end. The same command continues."),
    ("130, 143", "It was interrupted. The same command continues."),
]


@cli.command(
    context_settings=CONTEXT,
    examples=[
        ("Write all contacts of the account:", "pull contacts.parquet"),
        ("Only those that were modified since a day:", "pull new.csv --since 2026-11-01"),
    ],
    exit_codes=_PULL_EXIT_CODES,
)
@click.argument("out", metavar="OUT", shell_complete=paths)
@flag(
    "--since",
    group=LOADED,
    metavar="TIME",
    help="Only contacts that were modified since then: a day or a time in UTC, such as 2026-11-01T09:30:00Z.",
)
@KEY_FILE
@ASK_KEY
@call_flags
@RESULT
@QUIET
@DEBUG
def pull(
    *, out: str, since: str | None, api_key_file: str | None, ask_key: bool, output: str, quiet: bool, **flags: Any
) -> int:
    """Write the account's contacts to OUT: a .parquet, .csv or .jsonl file.

    A call reads 100 contacts. OUT.part has what was read until OUT is complete: the same command continues.
    """
    from interakt_loader.account.pull import pulled
    from interakt_loader.cli.keys import given_key
    from interakt_loader.load.terminal import Terminal, nothing

    freeze_imports()
    output = parsed("--output", OneOf(OUTPUTS), output)
    options = {name: value for name, value in flags.items() if value is not None and name != "debug"}
    options["api_key"] = given_key(api_key_file, ask=ask_key)
    if quiet:
        options["progress"] = False
    settings = Settings.resolve(options, variables=(*flags, "api_key", "progress"))
    say = nothing if quiet else _say
    try:
        result = pulled(Path(out), since, settings, Terminal(say, say))
    except LoadInterrupted:
        say(f"{out}.part: has what was read; the same command continues from there")
        raise
    as_object = printable_json(result.as_dict())
    click.echo(as_object if output == "json" else pull_text(result))
    return result.exit_code


def pull_text(result: PullResult) -> str:
    """Return what `pull` has written as a few lines for a person."""
    from interakt_loader.result.account import incomplete_lines
    from interakt_loader.result.view import elapsed

    pace = result.calls / max(result.seconds, 0.001)
    lines = [
        f"{result.path}: {number_of(result.contacts, 'contact')}",
        f"{number_of(result.calls, 'call')} in {elapsed(result.seconds)} ({pace:,.0f} a second)",
    ]
    shown = [f"{name} ({kind})" for name, kind in islice(result.columns.items(), MOST_COLUMNS)]
    if len(result.columns) > MOST_COLUMNS:
        shown.append(f"… and {len(result.columns) - MOST_COLUMNS:,} more")
    if shown:
        lines.append(f"traits: {', '.join(shown)}")
    lines += [f"note: {one}" for one in result.notes]
    lines += incomplete_lines(result.incomplete)
    if result.incomplete:
        lines.append("to do: pull again when fewer contacts change")
    return "\n".join(map(printable, lines))


@cli.command(
    context_settings=CONTEXT,
    examples=[
        ("Show the last runs of the load customers:", "history customers"),
        ("Read them by a program:", "history customers --output json"),
    ],
)
@click.argument("name", required=False)
@flag(
    "--folder",
    group=KEPT,
    variable=False,
    metavar="FOLDER",
    default=".",
    shell_complete=paths,
    help="Where the load's files are.  [default: the working folder]",
)
@RESULT
def history(name: str | None, folder: str, output: str) -> int:
    """Show the last 30 runs of the load NAME, or of all loads, the newest last.

    The numbers are rows. A run that ended with exit code 2 has no record.
    """
    from interakt_loader.cli.history import as_text as history_text
    from interakt_loader.cli.history import read_history

    output = parsed("--output", OneOf(OUTPUTS), output)
    found = read_history(Path(folder), name)
    if output == "json":
        runs = [run for one in found for run in one.runs]
        click.echo(printable_json({"runs": runs, "exit": 0}))
    else:
        click.echo(history_text(found, Path(folder), name))
    return 0


@cli.command(context_settings=CONTEXT, examples=[("Put both reports into a new folder:", "demo --folder out")])
@flag(
    "--rows",
    group=LOADED,
    variable=False,
    type=click.IntRange(min=1),
    metavar="N",
    help="Load only the first N rows of each table.",
)
@flag(
    "--folder",
    group=KEPT,
    variable=False,
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Where the two reports go.  [default: the working folder, or a temporary one if it cannot be written]",
)
def demo(rows: int | None, folder: str | None) -> int:
    """Load the sample data, users and then events, into an embedded sandbox."""
    freeze_imports()
    return run_demo(rows, None if folder is None else Path(folder), click.echo)


@cli.command(
    context_settings=CONTEXT,
    examples=[("Answer one call in fifty with a server error:", "sandbox --faults 500=2%")],
)
@flag(
    "--port",
    group=SENT,
    variable=False,
    type=click.IntRange(0, 65535),
    default=8077,
    metavar="N",
    help="Listen here; 0 takes any free port.  [default: 8077]",
)
@flag(
    "--limit-per-minute",
    group=SENT,
    variable=False,
    type=click.IntRange(min=1),
    metavar="N",
    help="Answer 429 to more calls than this in a minute.",
)
@flag(
    "--latency",
    group=SENT,
    variable=False,
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait so long before each answer.  [default: 0]",
)
@flag(
    "--faults",
    group=SENT,
    variable=False,
    metavar="KIND=SHARE,...",
    default="",
    help="Have a part of the calls fail, such as 500=2%,reset=1%. KIND is 400, 401, 429, 429-retry-after, 500, 503, "
    "html502, reset, hang, cut or garbage.",
)
@flag(
    "--assume",
    group=SENT,
    variable=False,
    metavar="NAME=VALUE,...",
    default="",
    help="Behave otherwise where the vendor's pages say nothing, such as read_types=text,read_delay=2. The page \"The "
    'sandbox" of the documentation has the names.',
)
def sandbox(port: int, limit_per_minute: int | None, latency: float, faults: str, assume: str) -> int:
    """Run the sandbox, a local look-alike of the API, until Ctrl-C."""
    from interakt_loader.sandbox import SandboxOptions, run_forever
    from interakt_loader.sandbox.options import parse_assumptions

    freeze_imports()
    options = SandboxOptions(
        port=port, limit_per_minute=limit_per_minute, latency=latency, faults=faults, **parse_assumptions(assume)
    )

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
