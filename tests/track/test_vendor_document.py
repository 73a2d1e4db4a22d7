"""Every snippet of the vendor's document is run. Only its import line and its typographic quotes are changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.track import scripts

DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "design" / "vendor-document.txt"


def snippets(document: str) -> list[str]:
    """Return the document's code, statement by statement, with the indentation of its function restored."""
    found: list[str] = []
    unclosed = False
    for line in document.splitlines():
        if unclosed:
            found[-1] += f"\n{line}"
        elif re.match(r"import track$|def \w+\(|track\.\w+", line):
            found.append(line)
        elif line.startswith("print("):
            found[-1] += f"\n    {line}"
        unclosed = bool(found) and found[-1].count("(") > found[-1].count(")")
    return found


def corrected(snippet: str) -> str:
    """Replace typographic quotes, and remove quotes around a keyword, which Python does not accept."""
    straight = snippet.translate({ord("“"): '"', ord("”"): '"'})
    straight = re.sub(r'"(\w+)"=', r"\1=", straight)
    return re.sub(r"^import track$", "from interakt_loader import track", straight)


def test_the_vendors_document_runs_as_written() -> None:
    """All its snippets, in order, as one script: each call arrives as the document describes it."""
    if not DOCUMENT.is_file():
        pytest.skip(f"the vendor's document is not at {DOCUMENT}")
    code = [corrected(one) for one in snippets(DOCUMENT.read_text(encoding="utf-8"))]
    assert [re.split(r"[ (]", one)[0] for one in code] == [
        *("from", "track.api_key", "def", "track.debug", "track.on_error"),
        *("track.user", "track.user", "track.user", "track.event"),
    ]
    with Sandbox(SandboxOptions(api_key="YOUR_API_KEY")) as sandbox:
        ended = scripts.run("\n".join(code), sandbox)
        users, events = sandbox.users(), sandbox.events()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    (user,) = [one for one in users if one.calls]
    assert user.calls == 3
    assert (user.user_id, user.country_code, user.phone) == ("<user_id in your db>", "+91", "9999999999")
    assert user.traits == {
        "name": "John Doe",
        "email": "john@email.com",
        "age": 24,
        "dob": "1997-12-01",
        "Pin code": "400001",
    }
    (event,) = events
    assert (event.user_id, event.phone, event.event) == ("<user id in your db>", "9999999999", "Order Placed")
    assert event.traits == {
        "orderCreatedBy": "Gavin Roberts",
        "orderCreatedDate": "2020-11-01T012:10:26.122Z",
        "orderNumber": "CUS001",
        "orderValue": "50.00",
    }


def test_the_documents_on_error_is_called_as_it_says(sandbox: Sandbox) -> None:
    """With a refused key, the document's own handler prints the error and the message, once per call."""
    if not DOCUMENT.is_file():
        pytest.skip(f"the vendor's document is not at {DOCUMENT}")
    code = [corrected(one) for one in snippets(DOCUMENT.read_text(encoding="utf-8"))]
    ended = scripts.run("\n".join(code), sandbox)
    assert ended.returncode == 0
    assert ended.stdout.count("An error occurred HTTP 401: the API refuses the key (Invalid token provided)") >= 1
    assert ended.stdout.count("An error occurred") == ended.stdout.count("Queue message {'path'") == 4
