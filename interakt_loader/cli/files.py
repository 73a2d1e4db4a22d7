"""Files that a load has beside its source: where the report and the ledger go, and where the key is read from."""

from __future__ import annotations

from pathlib import Path

from interakt_loader.errors import SettingsError


def report_name(source: str) -> str:
    """Return the report's default name, after the first source: its file, its folder, or `stdin`."""
    path = Path(source)
    stem = path.parent.name if any(character in path.name for character in "*?[") else path.stem
    return f"{'stdin' if source == '-' else stem or 'load'}.report.csv"


def beside(report: str) -> str:
    """Return where the ledger lies that belongs to a report: `orders.ledger` beside `orders.report.csv`."""
    path = Path(report)
    return str(path.with_name(path.stem.removesuffix(".report") + ".ledger"))


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
