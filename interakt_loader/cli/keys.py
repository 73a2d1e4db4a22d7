"""Where the command line has the key from, besides the environment: a file for its owner's eyes only, or a prompt."""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from collections.abc import Sequence

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.secrets import Secret

LARGEST = 4096
"""Bytes of a file in which there may be a key."""

NO_FLAGS = ("--api-key", "--api_key", "--apikey", "--key", "--secret-key", "--secret", "--token", "--password")
"""What people try as a flag for the key."""

NO_FLAGS_OF_OLD_KEY = ("--old-api-key", "--old_api_key", "--old-key")

_LIKE_A_KEY = re.compile(r"(?i:basic .*)|[^\s./\\]{16,}|[A-Za-z0-9+][A-Za-z0-9+/=]{15,}")


def refuse_key_on_command_line(arguments: Sequence[str]) -> None:
    """Raise `SettingsError`, without saying the key, where one stands among the arguments."""
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
            f"{name}: the key is no argument, as every user of the machine and the shell's history see those; "
            f"{instead} (a key that was typed here has been seen)"
        )


def key_from_file(path: str | None, flag: str = "--api-key-file") -> Secret | None:
    """Read an API key from the file that a flag names: its only line.

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
    if stat.S_ISDIR(status.st_mode):  # Windows does not even open one
        return "is a folder; expected a file that holds the key"
    if os.name == "posix" and status.st_mode & 0o077:
        return f"others may use it (mode {stat.S_IMODE(status.st_mode):o}): chmod 600 {shlex.quote(path)}"
    return None


def _key_in(content: bytes) -> tuple[Secret | None, str | None]:
    """Return the key, or what is wrong; nothing is raised here, as the key is in a variable."""
    if len(content) > LARGEST:
        return None, f"has more than {LARGEST:,} bytes; expected the key and nothing else"
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        return None, "cannot be read: it is no text"
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) != 1:
        return None, f"has {len(lines)} lines with something in them; expected one, the key" if lines else "is empty"
    return Secret(lines[0]), None


def asked_key() -> Secret:
    """Ask for the key in the terminal, without showing it. Raises `SettingsError` where there is none."""
    import getpass
    import warnings

    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()):
        raise SettingsError(
            "--ask-key: there is no terminal to ask in; set INTERAKT_API_KEY, or give --api-key-file FILE"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would show what is typed
            return Secret(getpass.getpass("API key (not shown): ", sys.stderr).strip())
    except (EOFError, getpass.GetPassWarning):
        raise SettingsError("--ask-key: no key was given") from None
