"""Rows of text files are named as in the report and by their line, wherever a person reads of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from interakt_loader import LoadResult, MappingDict, load_events, load_users
from interakt_loader.cli import run
from interakt_loader.sandbox import Sandbox

# The third row begins on line 6: a comment, the header, and a line break in a cell stand above it.
USERS = '# exported\nid,mobile,note\n1,9876543210,"two\nlines"\n2,9876543211,x\n3,12,y\n'


def load(path: Path, sandbox: Sandbox) -> LoadResult:
    """Load users of a file that has a bad phone."""
    mapping: MappingDict = {"phone": "mobile", "country_code": {"value": "+91"}, "traits": ["note"]}
    return load_users(path, mapping, api_key=sandbox.api_key, base_url=sandbox.url)


def test_each_surface_names_a_row_with_its_line(
    tmp_path: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line's summary, the card of a notebook and the page. The report has the row alone."""
    monkeypatch.chdir(tmp_path)
    Path("users.csv").write_text(USERS)
    result = load(tmp_path / "users.csv", sandbox)
    assert result.invalid == 1
    result.write_html("page.html")
    assert '<td class="number">2 (line 6)</td>' in Path("page.html").read_text(encoding="utf-8")
    assert "2 (line 6)" in result._repr_html_()
    assert result.failures()["row"].tolist() == [2]
    assert run(["users.csv", "--map", "phone=mobile", "--as", "users", "--sandbox"]) == 1
    assert "  1 invalid phone_invalid: row 2 (line 6)\n" in capsys.readouterr().out


def test_a_frame_has_rows_and_no_lines(sandbox: Sandbox) -> None:
    """The number of the row is all there is."""
    result = load_users(
        pd.DataFrame({"id": ["1", " "]}), {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url
    )
    assert (result.invalid, result.lines.of(1), result.lines.label(1)) == (1, None, "1")


def test_a_row_that_goes_with_another_names_its_line(tmp_path: Path, sandbox: Sandbox) -> None:
    """A line break in a cell counts as a line, and not as a row."""
    path = tmp_path / "users.csv"
    path.write_text('id,city\n1,"a\nb"\n1,c\n')
    result = load_users(
        path,
        {"user_id": "id", "traits": ["city"]},
        api_key=sandbox.api_key,
        base_url=sandbox.url,
        ledger=str(tmp_path / "ledger"),
        coalesce=True,
    )
    first = result.to_arrow().sort_by("row").to_pylist()[0]
    assert (first["status"], first["message"]) == ("merged", "row 1 (line 4) carries it")


def test_an_event_id_that_comes_twice_names_the_line_of_the_first(tmp_path: Path, sandbox: Sandbox) -> None:
    """A blank line counts as a line, and not as a row."""
    path = tmp_path / "orders.csv"
    path.write_text("id,order,total\n\n1,A,5\n1,A,6\n")
    mapping: MappingDict = {"user_id": "id", "event": {"value": "Paid"}, "event_id": "order", "traits": ["total"]}
    result = load_events(path, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    (message,) = result.failures()["message"]
    assert message == "order: 'A': row 0 (line 3) has the same event id and has other content"
