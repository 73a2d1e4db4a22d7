"""The page about a load: one file, whole, with nothing in it that should not be there."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import LoadResult, MappingDict, TraitDict, check, load_events, load_users
from interakt_loader.errors import SettingsError
from interakt_loader.result.html import MOST_A_REASON, MOST_ROWS
from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.result.pages import Page

FRAME = pd.DataFrame(
    {
        "id": ["a1", None, "a3", "asha@example.com"],
        "mobile": ["9876543210", None, "0000012345", "+91 98123 45678"],
        "age": ["24", "25", "26", "old <b>&"],
    }
)
MAPPING: MappingDict = {"user_id": "id", "phone": "mobile", "traits": [{"column": "age", "type": "number"}]}


def load(sandbox: Sandbox, path: Path, **options: Any) -> LoadResult:
    return load_users(FRAME, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url, html=path, **options)


def test_a_load_writes_its_page(sandbox: Sandbox, tmp_path: Path) -> None:
    """Counts, calls, reasons with what to do, the rows, and the settings: in a file that parses."""
    load(sandbox, tmp_path / "load.html", rate_limit="100/s")
    page = Page(tmp_path / "load.html")
    assert "DataFrame: 4 rows as users" in page.text
    assert ("sent", "1") in zip(page.texts, page.texts[1:], strict=False)
    assert ("invalid", "3") in zip(page.texts, page.texts[1:], strict=False)
    assert "1 call in " in page.text
    assert "Map user_id, or phone, or both. Check why they are empty in these rows." in page.text
    assert [row[0] for row in page.rows if len(row) == 9] == ["row", "1", "2", "3"]
    assert ["rate_limit", "100/s"] in page.rows
    assert [one["aria-label"] for one in page.attributes("svg") if "role" in one][:2] == [
        "1 sent, 3 invalid",
        "4 rows done in 0.0 s",
    ]


def test_a_page_about_a_long_load_with_rows_in_doubt(sandbox: Sandbox, tmp_path: Path) -> None:
    """A long load takes minutes and hours; the page says how many rows may have arrived twice."""
    sandbox.force(["cut"])
    options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "rate_limit": None}
    result = load_events(FRAME[:1], {"user_id": "id", "event": {"value": "Ordered"}}, **options)
    for seconds, elapsed in ((99.94, "99.9 s"), (125.4, "2 min 5 s"), (7_325.0, "2 h 2 min")):
        result.seconds = seconds
        result.write_html(tmp_path / "load.html")
        text = Page(tmp_path / "load.html").text
        assert f"2 calls in {elapsed} (0.0 a second); 1 row may have arrived twice." in text


def test_nothing_is_fetched(sandbox: Sandbox, tmp_path: Path) -> None:
    """No element of the page points elsewhere, and its policy forbids all but its own style and script."""
    load(sandbox, tmp_path / "load.html")
    page = Page(tmp_path / "load.html")
    assert {name for name, _ in page.tags} & {"link", "img", "iframe", "object", "embed", "base", "form"} == set()
    assert [one for _, attributes in page.tags for one in attributes if one in ("src", "style")] == []
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in page.tags)
    policy = next(one["content"] for one in page.attributes("meta") if one.get("http-equiv"))
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page.source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in (policy or "")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_the_key_is_not_in_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither as it was given nor as it went out, even where the server repeats it."""
    load(sandbox, tmp_path / "load.html")
    source = (tmp_path / "load.html").read_text(encoding="utf-8")
    assert sandbox.api_key not in source
    assert base64.b64encode(f"{sandbox.api_key}:".encode()).decode() not in source


def test_people_are_masked_unless_asked_for(sandbox: Sandbox, tmp_path: Path) -> None:
    """In columns, in messages and in examples."""
    result = load(sandbox, tmp_path / "load.html")
    masked = (tmp_path / "load.html").read_text(encoding="utf-8")
    plain = result.write_html(tmp_path / "plain.html", personal=True).read_text(encoding="utf-8")
    for one in ("asha@example.com", "9812345678", "0000012345"):
        assert one in plain
        assert one not in masked
    assert "•••@example.com" in masked
    assert "are masked" not in Page(tmp_path / "plain.html").text
    assert "phones and e-mail addresses are masked" in Page(tmp_path / "load.html").text


def test_what_a_table_or_a_server_says_is_text(tmp_path: Path) -> None:
    """Markup in a file's name, a column's name, a value, or an answer stays what it was."""
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    frame = pd.DataFrame({"id": [evil, "2"], f"{evil[:25]}": ["x", "3"]})
    with Sandbox(SandboxOptions(faults="html502=100%")) as sandbox:
        result = load_users(
            frame,
            {"user_id": "id", "traits": [{"column": evil[:25], "type": "number"}]},
            api_key=sandbox.api_key,
            base_url=sandbox.url,
            max_retries=0,
        )
    page = Page(result.write_html(tmp_path / "load.html"))
    assert len(page.attributes("script")) == 1
    assert page.attributes("img") == []
    assert evil[:25] in page.text
    assert evil in page.text


def test_a_check_has_a_page_too(tmp_path: Path) -> None:
    """Nothing was sent: good rows are those that would be, and there is nothing to draw."""
    check(FRAME, MAPPING, html=tmp_path / "check.html")
    page = Page(tmp_path / "check.html")
    assert ("would be sent", "1") in zip(page.texts, page.texts[1:], strict=False)
    assert "Dry run: nothing was sent." in page.text
    assert "The load over time" not in page.text
    assert page.attributes("figure") == []


def test_no_rows_make_a_page(tmp_path: Path) -> None:
    """Of an empty table as well."""
    check(FRAME.head(0), MAPPING, html=tmp_path / "check.html")
    assert "DataFrame: 0 rows as users" in Page(tmp_path / "check.html").text


def test_notes_stand_apart_from_what_went_wrong(sandbox: Sandbox, tmp_path: Path) -> None:
    """A row that was sent with a word about it is no failure."""
    frame = pd.DataFrame({"id": ["1"], "note": ["a\n  b"]})
    load_users(
        frame,
        {"user_id": "id", "traits": ["note"]},
        api_key=sandbox.api_key,
        base_url=sandbox.url,
        html=tmp_path / "a.html",
    )
    page = Page(tmp_path / "a.html")
    assert "Worth knowing" in page.text
    assert "What went wrong" not in page.text
    assert "Rows to look at" not in page.text


def test_each_reason_is_shown_and_the_page_stays_small(tmp_path: Path) -> None:
    """Ten thousand rows of one failure hide no other, and the page says how many it leaves out."""
    count = 10_000
    frame = pd.DataFrame({"id": [None] * count + ["x"], "age": ["1"] * count + ["old"]})
    result = check(frame, {"user_id": "id", "traits": [{"column": "age", "type": "number"}]})
    page = Page(result.write_html(tmp_path / "check.html"))
    rows = [row for row in page.rows if len(row) == 9][1:]
    assert len(rows) == MOST_A_REASON + 1
    assert rows[-1][0] == f"{count}"
    assert f"{count - MOST_A_REASON:,} more are in the report." in page.text
    assert len(page.source) < 100_000


def test_many_reasons_are_capped_as_well(tmp_path: Path) -> None:
    """Twenty columns at fault, 200 rows each, would be 4,000 lines."""
    names = [f"n{number}" for number in range(20)]
    frame = pd.DataFrame(
        [{"id": "1"} | {name: "bad" if name == at else "1" for name in names} for at in names for _ in range(200)]
    )
    traits: list[TraitDict] = [{"column": name, "type": "number"} for name in names]
    result = check(frame, {"user_id": "id", "traits": traits})
    page = Page(result.write_html(tmp_path / "check.html"))
    assert len([row for row in page.rows if len(row) == 9]) - 1 == MOST_ROWS


def test_the_limit_is_drawn_where_there_is_one(sandbox: Sandbox, tmp_path: Path) -> None:
    """A limit that is detected while the load runs is not known."""
    for rate, drawn in (("200/s", True), ("auto", False), ("none", False)):
        load(sandbox, tmp_path / "load.html", rate_limit=rate)
        assert ("limit: 200/s" in Page(tmp_path / "load.html").text) is drawn


def test_a_stopped_load_says_so(tmp_path: Path) -> None:
    """And what to do about it."""
    with Sandbox() as sandbox:
        result = load_events(
            pd.DataFrame({"id": ["1"]}),
            {"user_id": "id", "event": {"value": "Seen"}},
            api_key="d3Jvbmc6",
            base_url=sandbox.url,
            html=tmp_path / "load.html",
        )
    assert result.stopped is not None
    page = Page(tmp_path / "load.html")
    assert "Stopped early:" in page.text
    assert "DataFrame: 1 row as events" in page.text
    assert "Copy the key from Interakt's Settings > Developer Settings > Secret Key" in page.text


_INTERRUPTED = """
import os, signal, sys
from interakt_loader import load_users
from interakt_loader.sandbox import Sandbox
import pandas as pd
from interakt_loader.errors import LoadInterrupted

with Sandbox() as sandbox:
    def stop(error, message):
        os.kill(os.getpid(), signal.SIGINT)
    frame = pd.DataFrame({"id": [None] + [str(number) for number in range(500)]})
    try:
        load_users(frame, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit="50/s",
                   on_error=stop, html=sys.argv[1])
    except LoadInterrupted as error:
        print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to a process of one's own group")
def test_an_interrupted_load_has_its_page(tmp_path: Path) -> None:
    """Ctrl-C drains the load, and the page tells how far it came."""
    path = tmp_path / "load.html"
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, path], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
    assert "the load was interrupted" in Page(path).text


@pytest.mark.parametrize("path", ["no/such/folder/a.html", "."])
def test_a_page_that_cannot_be_written_stops_the_load_before_its_first_call(sandbox: Sandbox, path: str) -> None:
    """Wrong usage is refused before the load."""
    with pytest.raises(SettingsError, match="expected a file in a folder that exists"):
        load(sandbox, Path(path))
    assert sandbox.users() == []


def test_a_page_lost_to_a_full_disk_costs_no_result(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows are on record: that a page could not be written is a warning."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full, the disk that is always full")
    result = load(sandbox, Path("/dev/full"))
    assert result.sent == 1
    assert "html /dev/full: cannot be written: No space left on device" in caplog.text


def test_a_reason_leads_to_its_rows(sandbox: Sandbox, tmp_path: Path) -> None:
    """To the first of them; a reason without rows on the page has no link."""
    missing = [None] * (MOST_A_REASON + 1)
    many = pd.DataFrame({"id": ["u1", "u1", *missing, "u2"], "age": ["1", "2", *missing, "old"]})
    options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    mapping: MappingDict = {"user_id": "id", "traits": [{"column": "age", "type": "number"}]}
    load_users(many, mapping, coalesce=True, ledger=tmp_path / "a.ledger", html=tmp_path / "load.html", **options)
    page = Page(tmp_path / "load.html")
    assert "coalesced" in page.text
    links = [one["href"] for one in page.attributes("a")]
    assert [text for text in page.texts if re.match(r"Show \d", text)] == ["Show 200 of 201 rows", "Show 1 row"]
    targets = {f"#{one['id']}": at for at, one in enumerate(page.attributes("tr")) if "id" in one}
    assert links == [*targets]
    assert [page.rows[at][4] for at in targets.values()] == ["identity_missing", "not_a_number"]
    # as a script finds them: all rows of a reason, and no other
    for link in page.attributes("a"):
        of_reason = [
            at for at, one in enumerate(page.attributes("tr")) if one.get("data-reason") == link["data-reason"]
        ]
        assert len({page.rows[at][4] for at in of_reason}) == 1
        assert min(of_reason) == targets[link["href"] or ""]
