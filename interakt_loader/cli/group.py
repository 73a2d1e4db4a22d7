"""A click group whose default command is `load`, so that `interakt-loader events.parquet` needs no verb."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from interakt_loader.cli.completion import paths
from interakt_loader.cli.files import refuse_key_on_command_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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

    from interakt_loader.safety.printable import PrintableLog

    level = logging.DEBUG if debug else logging.ERROR if quiet else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableLog("%(levelname)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("urllib3").setLevel(logging.INFO)  # at DEBUG it repeats what ours says, with addresses
