"""The API key on the command line: from a file that only its owner can read, or from a prompt."""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from collections.abc import Sequence

import click
from click.core import ParameterSource

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.secrets import Secret
from interakt_loader.settings.environment import variable_of

LARGEST = 4096
"""Bytes of a file that may hold a key."""

NO_FLAGS = ("--api-key", "--api_key", "--apikey", "--key", "--secret-key", "--secret", "--token", "--password")
"""Flags that people try for the key."""

NO_FLAGS_OF_OLD_KEY = ("--old-api-key", "--old_api_key", "--old-key")

_LIKE_A_KEY = re.compile(r"(?i:basic .*)|[^\s./\\]{16,}|[A-Za-z0-9+][A-Za-z0-9+/=]{15,}")


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


def key_from_file(path: str | None, flag: str) -> Secret | None:
    """Read an API key from the file that a flag, or its variable, names: its only line.

    Raises `SettingsError`, on POSIX also where others have rights to the file.
    """
    if path is None:
        return None
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib adds nothing here
            wrong = _wrong_with(os.fstat(file.fileno()), path)
            found, wrong = (None, wrong) if wrong else _key_in(file.read(LARGEST + 1))
    except OSError as error:
        if isinstance(error, FileNotFoundError) and _LIKE_A_KEY.fullmatch(path):
            raise SettingsError(
                f"{flag}: there is no such file, and what was given looks like a key; expected the name of a "
                "file that holds it"
            ) from None
        raise SettingsError(f"{flag} {path}: cannot be read: {error.strerror or error}") from None
    if wrong:
        raise SettingsError(f"{flag} {path}: {wrong}")
    return found


def _wrong_with(status: os.stat_result, path: str) -> str | None:
    # Windows does not open a folder at all.
    if stat.S_ISDIR(status.st_mode):
        return "is a folder; expected a file that holds the key"
    if os.name == "posix" and status.st_mode & 0o077:
        return f"others may use it (mode {stat.S_IMODE(status.st_mode):o}): chmod 600 {shlex.quote(path)}"
    return None


def _key_in(content: bytes) -> tuple[Secret | None, str | None]:
    """Return the key, or what is wrong. It raises nothing, because a traceback would show the key in a variable."""
    if len(content) > LARGEST:
        return None, f"has more than {LARGEST:,} bytes; expected the key and nothing else"
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        return None, "cannot be read: it is not text"
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) != 1:
        return None, f"has {len(lines)} lines that are not blank; expected one, the key" if lines else "is empty"
    return Secret(lines[0]), None


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
