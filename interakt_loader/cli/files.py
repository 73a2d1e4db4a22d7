"""The file that the key is read from."""

from __future__ import annotations

from interakt_loader.errors import SettingsError


def key_from_file(path: str | None) -> str | None:
    """Read the API key from a file: its only line."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - pathlib adds nothing here
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(f"--api-key-file {path}: cannot be read: {reason}") from None
