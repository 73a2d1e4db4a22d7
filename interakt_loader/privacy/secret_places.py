"""Where a secret is: an environment variable or a file. It stands for the secret until the secret is needed.

A project file has such a place for each key. A Spark load sends the place to its workers, and never the secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from interakt_loader.errors import SettingsError
from interakt_loader.privacy.key_file import key_from_file
from interakt_loader.privacy.secrets import Secret

PLACES = "{env: NAME} or {file: PATH}"
"""The forms of a place, for messages."""


class SecretPlace(NamedTuple):
    """Where a secret is: in an environment variable or in a file."""

    kind: str
    """`env` or `file`."""
    name: str


def secret_place(written: Any) -> SecretPlace | None:
    """Return the place that `{"env": NAME}` or `{"file": PATH}` means; None for anything else."""
    written = written.reveal() if isinstance(written, Secret) else written
    if isinstance(written, Mapping) and len(written) == 1:
        ((kind, name),) = written.items()
        if kind == "file" and isinstance(name, os.PathLike):
            name = os.fspath(name)
        if kind in ("env", "file") and isinstance(name, str) and name:
            return SecretPlace(kind, name)
    return None


def read_secret(place: SecretPlace) -> Secret:
    """Return the secret. Raises `SettingsError` if it is not there.

    The place may be the secret itself by mistake, so a message shows only what looks like a name.
    """
    if place.kind == "file":
        found = key_from_file(place.name, "file")
        assert found is not None
        return found
    text = Secret("")
    # raised for a name that no variable can have
    with suppress(UnicodeEncodeError):
        text = Secret(os.environ.get(place.name, "").strip())
    if not text.reveal():
        shown = f" {place.name}" if re.fullmatch(r"[A-Z][A-Z0-9_]{0,60}", place.name) else ""
        raise SettingsError(f"the environment variable{shown} is not set")
    return text
