"""Fails the build where a page would fetch something from the network to be seen."""

from __future__ import annotations

import re
from typing import Any

from mkdocs.exceptions import PluginError

_FETCHED = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*\s(?:src|href)="(?:https?:)?//[^"]*"')


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Look through a page that is done."""
    found = _FETCHED.search(output)
    if found is not None:
        raise PluginError(f"{page.file.src_uri} would fetch {found[0]}")
    return output
