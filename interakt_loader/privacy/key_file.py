"""The API key in a file that only its owner can read, or only a group if it is a file of root."""

from __future__ import annotations

import os
import re
import shlex
import stat

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.secrets import Secret

LARGEST = 4096
"""Bytes of a file that may hold a key."""

_LIKE_A_KEY = r"(?i:basic .*)|[^\s./\\]{16,}|[A-Za-z0-9+][A-Za-z0-9+/=]{15,}"


def key_from_file(path: str | None, called: str = "--api-key-file") -> Secret | None:
    """Read an API key from a file: its only line. `called` is what a message calls the file.

    Raises `SettingsError`, on POSIX also where others have rights to the file.
    """
    if path is None:
        return None
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib adds nothing here
            wrong = _wrong_with(os.fstat(file.fileno()), path)
            found, wrong = (None, wrong) if wrong else _key_in(file.read(LARGEST + 1))
    except OSError as error:
        if isinstance(error, FileNotFoundError) and re.fullmatch(_LIKE_A_KEY, path):
            raise SettingsError(
                f"{called}: there is no such file, and what was given looks like a key; expected the name of a "
                "file that holds it"
            ) from None
        raise SettingsError(f"{called} {path}: cannot be read: {error.strerror or error}") from None
    # a NUL, or text that no name of a file can have
    except ValueError:
        raise SettingsError(f"{called} {path!r}: is no path") from None
    if wrong:
        raise SettingsError(f"{called} {path}: {wrong}")
    return found


def _wrong_with(status: os.stat_result, path: str) -> str | None:
    # Windows does not open a folder at all.
    if stat.S_ISDIR(status.st_mode):
        return "is a folder; expected a file that holds the key"
    if os.name != "posix":
        return None
    # systemd and Kubernetes give a service a file of root, which the service reads by way of the file's group.
    is_of_root = status.st_uid == 0 != os.geteuid()
    if status.st_mode & (0o037 if is_of_root else 0o077):
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
