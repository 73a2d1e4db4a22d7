"""A load as one self-contained HTML file: no network, no library, readable on a phone and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interakt_loader.errors import SettingsError
from interakt_loader.report.timeline import read_timeline
from interakt_loader.result.html_report.page import as_page
from interakt_loader.result.html_report.shown_rows import shown_rows
from interakt_loader.safety.private_files import replacing

if TYPE_CHECKING:
    from interakt_loader.result import LoadResult

__all__ = ["write_html"]


def write_html(result: LoadResult, path: str | Path, *, personal: bool) -> Path:
    """Write the page; phones and e-mail addresses are masked unless `personal`. Returns the path.

    The report is read a batch at a time, and the page holds some thousand rows at most, whatever their number.
    Raises `SettingsError` where the path cannot be written.
    """
    path = Path(path)
    page = as_page(
        result, read_timeline(result.report), shown_rows(result), personal=personal and not result.options.get("mask")
    )
    try:
        with replacing(path) as file:
            file.write(page.encode())
    except OSError as error:
        raise SettingsError(f"html {path}: cannot be written: {error.strerror or error}") from None
    return path
