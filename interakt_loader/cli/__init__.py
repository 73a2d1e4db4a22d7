"""The command line, an adapter around `load`.

`run` makes an exit code of every error, and one line on standard error.

- `commands`: the commands with their own flags, and the summary that a load prints at its end.
- `options`: the flags that several commands share, the help, and what a shell completes.
- `keys`: the API key from a file or a prompt.
- `proposal`: a mapping that is proposed and confirmed by a person, and the question before the first call.
- `history`: the records of the last runs, read back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

import click

from interakt_loader.cli.commands import cli
from interakt_loader.cli.options import Interrupted, is_on
from interakt_loader.errors import InteraktLoaderError, LoadInterrupted, ProjectError, flags_in_messages
from interakt_loader.privacy.process import tolerant_streams
from interakt_loader.privacy.text import printable, printable_json, printable_lines
from interakt_loader.settings.environment import variable_of


def run(arguments: Sequence[str]) -> int:
    """Run the command line with these arguments and return the exit code.

    Output that cannot be written is left out. This is an error only for a command that does nothing but print: the
    record of a load is its report.
    """
    with tolerant_streams() as out, flags_in_messages():
        exit_code = _run(arguments)
        out.flush()
        if out.error is not None:
            # A reader such as `| head` may close the pipe when it has enough.
            if not isinstance(out.error, BrokenPipeError):
                _complain(f"the result cannot be shown: {out.error.strerror or out.error}", 1)
            if _only_prints(arguments):
                exit_code = exit_code or 1
    return exit_code


def _only_prints(arguments: Sequence[str]) -> bool:
    return arguments[:1] in (["infer"], ["key"], ["history"]) or not {"--help", "-h", "--version"}.isdisjoint(arguments)


def _run(arguments: Sequence[str]) -> int:
    try:
        return cli.main(list(arguments), prog_name="interakt-loader", standalone_mode=False) or 0
    except Interrupted as error:
        _print_error(str(error), error.error.exit_code, arguments)
        return error.error.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort) as error:
        # click makes an Abort of a KeyboardInterrupt
        original = error if isinstance(error, KeyboardInterrupt) else error.__context__
        # without a number the signal was SIGINT, which is 2
        interrupted = LoadInterrupted(None, original.args[0] if original is not None and original.args else 2)
        _print_error(str(interrupted), interrupted.exit_code, arguments)
        _exit_at_once(interrupted.exit_code)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code, arguments)
    except InteraktLoaderError as error:
        if is_on("debug", arguments):
            import logging

            logging.getLogger("interakt_loader").exception("the error in full")
        text = _masked(error) if is_on("mask", arguments) else str(error)
        return _complain(text, error.exit_code, arguments, lines=isinstance(error, ProjectError))
    except OSError as error:
        return _complain(str(error), 1, arguments)


def _masked(error: InteraktLoaderError) -> str:
    from interakt_loader.privacy.text import masked

    return masked(str(error))


def _complain(message: str, exit_code: int, arguments: Sequence[str] = (), *, lines: bool = False) -> int:
    print(f"interakt-loader: {printable_lines(message) if lines else printable(message)}", file=sys.stderr)
    _print_error(message, exit_code, arguments)
    return exit_code


def _print_error(message: str, exit_code: int, arguments: Sequence[str]) -> None:
    """Print an error as one JSON object, if the result was asked for in this form."""
    given = [after for flag, after in pairwise(arguments) if flag == "--output"]
    given += [one.removeprefix("--output=") for one in arguments if one.startswith("--output=")]
    if (given or [os.environ.get(variable_of("output"), "")])[-1].strip() == "json":
        print(printable_json({"error": message, "exit": exit_code}))


def _exit_at_once(exit_code: int) -> NoReturn:
    """End the process without waiting for the workers, which may still wait for answers."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
