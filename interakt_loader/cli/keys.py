"""The API key on the command line: from a file, or from a prompt."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from click.core import ParameterSource

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.key_file import key_from_file
from interakt_loader.privacy.secrets import Secret
from interakt_loader.settings.environment import variable_of

NO_FLAGS = ("--api-key", "--api_key", "--apikey", "--key", "--secret-key", "--secret", "--token", "--password")
"""Flags that people try for the key."""

NO_FLAGS_OF_OLD_KEY = ("--old-api-key", "--old_api_key", "--old-key")


def refuse_key_on_command_line(arguments: Sequence[str]) -> None:
    """Raise `SettingsError` if the key is among the arguments. The message does not hold it."""
    for argument in arguments:
        if argument == "--":
            return
        name = argument.partition("=")[0]
        instead = "set INTERAKT_API_KEY, or give --api-key-file FILE or --ask-key"
        if name in NO_FLAGS_OF_OLD_KEY:
            instead = "give --old-api-key-file FILE"
        elif name not in NO_FLAGS and name != "INTERAKT_API_KEY":
            continue
        raise SettingsError(
            f"{name}: the key is no argument, because other users of the machine and the shell's history see it; "
            f"{instead} (renew a key that was typed here)"
        )


def given_key(path: str | None, *, ask: bool, is_needed: bool = True) -> Secret | None:
    """Return the key that `--api-key-file` or `--ask-key` gives. It asks only if the key is needed.

    Raises `SettingsError`.
    """
    if ask and path is not None:
        raise SettingsError("--ask-key and --api-key-file are both given; expected one of the two")
    return asked_key() if ask and is_needed else key_from_file(path, called("--api-key-file", "api_key_file"))


def called(flag: str, name: str) -> str:
    """Return the flag, or the variable that gives the value in its place, for a message."""
    source = click.get_current_context().get_parameter_source(name)
    return variable_of(name) if source is ParameterSource.ENVIRONMENT else flag


def asked_key() -> Secret:
    """Ask for the key in the terminal, without showing it. Raises `SettingsError` without a terminal or a key."""
    import getpass
    import warnings

    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()):
        raise SettingsError(
            "--ask-key: there is no terminal to ask in; set INTERAKT_API_KEY, or give --api-key-file FILE"
        )
    try:
        with warnings.catch_warnings():
            # The warning means that the terminal would show what is typed.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return Secret(getpass.getpass("API key (not shown): ", sys.stderr).strip())
    except (EOFError, getpass.GetPassWarning):
        raise SettingsError("--ask-key: no key was given") from None
