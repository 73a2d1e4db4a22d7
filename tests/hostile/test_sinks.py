"""What comes from outside, a server's words and the user's own data, on every way out: shown, obeyed by nobody."""

from __future__ import annotations

import csv
import itertools
import json
import logging
import re
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader import LoadResult, load_users
from interakt_loader.cli import run
from interakt_loader.mapping.files import read_mapping
from interakt_loader.privacy.text import printable, printable_json, printable_lines, printable_log
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import heading
from interakt_loader.templates import environment
from interakt_loader.transport.responses import read_answer
from tests.hostile.server import BAD, Answer, HostileServer, with_length
from tests.hostile.texts import HARMFUL, RAW

TEXTS = [one for one in HARMFUL.values() if "\0" not in one]  # a NUL ends what a CSV reader takes for a cell
NAME = "\x1b[2J\u202e<b>=1+1\x9b\u200b"
"""A file's name, and part of a column's."""


@pytest.fixture
def talker() -> Iterator[HostileServer]:
    """A server that refuses each call with the next of the harmful texts."""
    bodies = itertools.cycle(json.dumps({"result": False, "message": one}).encode() for one in HARMFUL.values())
    with HostileServer(Answer(lambda: [with_length(next(bodies), BAD)], "rejected")) as server:
        yield server


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table whose name, columns and cells do harm; half of the rows are invalid, and say why."""
    monkeypatch.chdir(tmp_path)
    path = Path(f"{NAME}.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["id", f"born{NAME}", f"note{NAME}"], *([one, one if at % 2 else "", one] for at, one in enumerate(TEXTS))]
        )
    mapping = {"user_id": "id", "traits": [{"column": f"born{NAME}", "type": "date"}, f"note{NAME}"]}
    Path("m.json").write_text(json.dumps(mapping), encoding="utf-8")
    return path


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[str]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, [name for name, _ in attrs]))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless_page(html: str, scripts: int, shown: str) -> None:
    page = Page(html)
    names = [tag for tag, _ in page.tags]
    assert names.count("script") == scripts
    assert "img" not in names
    assert names.count("h1") == scripts  # the page's own
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert RAW.search(html) is None
    assert shown in page.text


@pytest.mark.parametrize(
    "more", [[], ["--debug"], ["--output", "json"], ["--quiet"], ["--dry-run"], ["--dry-run", "--output", "json"]]
)
def test_the_command_line_writes_nothing_that_a_terminal_obeys(
    more: list[str],
    table: Path,
    talker: HostileServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Standard output and standard error of a load: names, messages of the server's, values in our own, bodies."""
    monkeypatch.setenv("INTERAKT_API_KEY", "a-key-of-some-length")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    options = ["--mapping", "m.json", "--base-url", talker.url, "--report", f"{NAME}.report.csv", "--ledger", "none"]
    assert run([str(table), *options, *more]) in (1, 2)
    out, err = capsys.readouterr()
    assert RAW.search(out) is None
    assert RAW.search(err) is None
    (handler,) = logging.getLogger().handlers
    assert RAW.search(handler.format(logging.LogRecord("x", logging.WARNING, "", 0, NAME, (), None))) is None
    assert "\\x1b[2J" in out or "\\u001b[2J" in out
    if "json" in more:
        assert json.loads(out)["report"] == f"{NAME}.report.csv"


def test_mistakes_are_told_harmlessly(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on standard error, whatever is quoted in it."""
    for arguments in (
        [f"nowhere{NAME}\n.csv", "--sandbox"],
        [str(table), "--sandbox", "--map", f"user_id=i{NAME}d"],
        [str(table), "--sandbox", "--workers", f"{NAME}\n"],
        [str(table), "--sandbox", f"--{NAME}\n"],
        [str(table), "--sandbox", "--mapping", f"{NAME}\n.yaml"],
    ):
        assert run([*arguments, "--quiet"]) == 2
        out, err = capsys.readouterr()
        assert (out, RAW.search(err), err.count("\n")) == ("", None, 1)


def test_a_mapping_that_is_printed_is_harmless_and_reads_back(
    table: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`infer`: names of columns are between quotes, in escapes that YAML knows."""
    assert run(["infer", str(table)]) == 0
    out, _ = capsys.readouterr()
    assert RAW.search(out) is None
    (tmp_path / "inferred.yaml").write_text(out, encoding="utf-8")
    assert heading(f"note{NAME}") in read_mapping(tmp_path / "inferred.yaml").columns()


def loaded(table: Path, talker: HostileServer, report: str) -> LoadResult:
    options = {"max_retries": 0, "workers": 1, "report": report, "progress": True}
    return load_users(table, "m.json", api_key="a-key-of-some-length", base_url=talker.url, **options)  # type: ignore[arg-type]


def test_the_bar_shows_a_files_name_harmlessly(
    table: Path, talker: HostileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no line above it moves the cursor either."""
    loaded(table, talker, "out.csv")
    err = capsys.readouterr().err
    assert "\\x1b[2J\\u202e<b>=1+1" in err
    assert RAW.search(err.replace("\r", "").replace("\x1b[A", "")) is None  # the bar's own


def test_pages_hold_text_and_nothing_that_runs(table: Path, talker: HostileServer) -> None:
    """The HTML report and a notebook's view: no element, attribute or mark of direction that is not ours."""
    result = loaded(table, talker, "out.jsonl")
    page = result.write_html("page.html", personal=True).read_text(encoding="utf-8")
    assert_harmless_page(page, 1, "<script>alert(1)</script>")
    assert_harmless_page(result._repr_html_(), 0, "<b>=1+1")
    assert RAW.search(repr(result)) is None
    with pytest.raises(Exception, match="rows") as raised:
        result.raise_for_failures()
    assert "HYPERLINK" not in str(raised.value)


def test_json_lines_are_lines_of_json(table: Path, talker: HostileServer) -> None:
    """However one splits them, and nothing in them moves a cursor; what they say is what was there."""
    result = loaded(table, talker, "out.jsonl")
    text = Path("out.jsonl").read_text(encoding="utf-8")
    assert len(text.splitlines()) == text.count("\n") == result.rows == len(TEXTS)
    assert RAW.search(text) is None
    said = [json.loads(line)["user_id"] for line in text.splitlines()]
    assert sorted(filter(None, said)) == sorted(filter(None, result.to_arrow()["user_id"].to_pylist()))
    assert "<script>alert(1)</script>" in said


def test_a_notebooks_view_of_a_dry_run(table: Path) -> None:
    """Bodies, as they would go out."""
    result = load_users(table, {"user_id": "id", "traits": "*"}, dry_run=True)
    assert RAW.search(result._repr_html_()) is None
    assert "<script>" not in result._repr_html_()


def test_the_sandboxs_page_gets_text_as_json_and_puts_it_in_as_text(tmp_path: Path) -> None:
    """Its script has no way to make markup of text (a browser's test watches it); what it asks for is no page."""
    with Sandbox() as sandbox:
        table = pa.table({"id": TEXTS, "note": TEXTS})
        options = {"api_key": sandbox.api_key, "base_url": sandbox.url}
        sent = load_users(table, {"user_id": "id", "traits": "*"}, **options).sent  # type: ignore[arg-type]
        with urllib.request.urlopen(f"{sandbox.url}/sandbox/users") as answer:
            assert answer.headers["Content-Type"].startswith("application/json")
            assert json.loads(answer.read())
        with urllib.request.urlopen(f"{sandbox.url}/sandbox/page.js") as answer:
            script = answer.read().decode()
    assert sent > len(TEXTS) / 2
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|Function\(", script)


def in_html(text: str) -> str:
    return environment().from_string("{{ text }}").render(text=text)


@given(st.text())
def test_what_is_printable_is_one_line_that_nobody_obeys(text: str) -> None:
    """Of any text; what is harmless stays as it is."""
    shown = printable(text)
    assert RAW.search(shown) is None
    assert "\n" not in shown
    shown.encode()
    assert shown == text or RAW.search(text) or not text.isprintable()
    assert RAW.search(printable_lines(text)) is None
    assert printable_lines(text).count("\n") == text.count("\n")
    assert not {"<", ">", '"', "'"} & set(in_html(text))
    line = printable_json({text: text})
    assert (json.loads(line), RAW.search(line), "\n" in line) == ({text: text}, None, False)


@pytest.mark.parametrize("text", ["José Ñandú", "नमस्ते क्\u200dष", "👩\u200d👧 ok", "שלום", "a\\b", "tab-free"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """Names of India and elsewhere, with the joiners that they need."""
    assert printable(text) == printable_lines(text) == in_html(text) == text
    assert printable_json(text) == json.dumps(text, ensure_ascii=False)


@pytest.mark.parametrize("text", HARMFUL.values())
def test_a_servers_message_is_harmless_from_the_beginning(text: str) -> None:
    """As the API's message, as a page and as a page's title: before it is recorded, logged or handed to anybody."""
    for body in (json.dumps({"message": text}).encode(), text.encode(), f"<title>{text}</title>".encode()):
        for status in (202, 302, 400):
            said = read_answer(status, body, 0.1).message
            assert (RAW.search(said), "\n" in said, len(said) <= 300) == (None, False, True)


def test_a_log_of_the_command_line_is_harmless() -> None:
    """A record keeps its lines, and a traceback its own."""
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s", (f"{NAME}\nsecond",), None)
    assert printable_log("%(message)s").format(record) == "\\x1b[2J\\u202e<b>=1+1\\x9b\\u200b\nsecond"
