"""The sandbox's page: what came, as a CRM's dashboard would show it. Static files; the data come from /sandbox/."""

from __future__ import annotations

import importlib.resources
from functools import cache

from interakt_loader.sandbox.http1 import Reply

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/sandbox/page.css": ("page.css", "text/css; charset=utf-8"),
    "/sandbox/page.js": ("page.js", "text/javascript; charset=utf-8"),
}

_HEADERS = (
    "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n"
)
"""What was sent here is shown as text; should the page have a hole all the same, nothing else would run or load."""


@cache
def page_file(path: str) -> Reply:
    """Return the file that is shown at one of the paths of `FILES`."""
    name, content_type = FILES[path]
    content = (importlib.resources.files(__package__) / "assets" / name).read_bytes()
    return Reply(200, content, content_type, _HEADERS)
