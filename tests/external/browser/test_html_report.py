"""The page about a load, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from interakt_loader import LoadResult, MappingDict, check, load_users
from interakt_loader.result.html import MOST_A_REASON
from interakt_loader.sandbox import SandboxOptions, SandboxProcess
from tests.external.browser.conftest import PHONE, Opener

SAMPLE = Path(__file__).resolve().parents[3] / "sample_data"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page about a load of the sample users through a server with faults."""
    path = tmp_path_factory.mktemp("report") / "load.html"
    with SandboxProcess(SandboxOptions(latency=0.02, faults="500=2%,cut=1%,garbage=1%")) as sandbox:
        load_users(
            SAMPLE / "users.parquet",
            SAMPLE / "users.mapping.yaml",
            api_key=sandbox.api_key,
            base_url=sandbox.url,
            rate_limit="500/s",
            max_retries=1,
            html=path,
        )
    return path.as_uri()


def cells(watched, at: int) -> list[str]:  # type: ignore[no-untyped-def]
    """Return the texts of a column, of the rows that can be seen."""
    return watched.page.eval_on_selector_all(  # type: ignore[no-any-return]
        "#rows tbody tr", "(rows, at) => rows.filter((row) => !row.hidden).map((row) => row.cells[at].textContent)", at
    )


def test_it_opens_without_a_request_or_a_complaint(report: str, opened: Opener) -> None:
    """The file is all there is: nothing is fetched, and the browser's console stays empty."""
    watched = opened(report)
    watched.picture("report-light")
    assert watched.requests == [report]
    assert watched.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [{"width": 1200, "height": 900}, PHONE], ids=["desk", "phone"])
def test_it_is_accessible_and_fits(report: str, opened: Opener, scheme: str, viewport: dict[str, int]) -> None:
    """Axe finds nothing wrong (contrast among the rest) in light and dark, and no phone has to scroll sideways."""
    watched = opened(report, color_scheme=scheme, viewport=viewport)
    watched.picture(f"report-{scheme}-{viewport['width']}")
    assert watched.violations() == []
    assert watched.overflow() <= 0


def test_rows_are_sorted_by_a_click(report: str, opened: Opener) -> None:
    """By number where they are numbers, up at the first click and down at the second; the heading says which."""
    watched = opened(report)
    heading = watched.page.get_by_role("columnheader", name="row")
    numbers = [int(text) for text in cells(watched, 0)]
    assert numbers == sorted(numbers)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert [int(text) for text in cells(watched, 0)] == sorted(numbers, reverse=True)
    watched.page.get_by_role("button", name="code").click()
    assert heading.get_attribute("aria-sort") == "none"
    codes = cells(watched, 4)
    assert codes == sorted(codes)
    assert len(set(codes)) > 3


def test_rows_of_a_text_file_are_sorted_by_their_number(opened: Opener, tmp_path: Path) -> None:
    """The line that is shown beside it does not make a text of it."""
    table = tmp_path / "a.csv"
    table.write_text("id,n\n" + "".join(f"{row},{'bad' if row in (2, 10, 120) else 1}\n" for row in range(121)))
    mapping: MappingDict = {"user_id": "id", "traits": [{"column": "n", "type": "number"}]}
    watched = opened(check(table, mapping).write_html(tmp_path / "check.html").as_uri())
    heading = watched.page.get_by_role("columnheader", name="row").get_by_role("button")
    heading.click()
    assert cells(watched, 0) == ["2 (line 4)", "10 (line 12)", "120 (line 122)"]
    heading.click()
    assert cells(watched, 0) == ["120 (line 122)", "10 (line 12)", "2 (line 4)"]


def test_a_heading_is_sorted_by_the_keyboard(report: str, opened: Opener) -> None:
    """As by a click."""
    watched = opened(report)
    watched.page.get_by_role("button", name="message").focus()
    watched.page.keyboard.press("Enter")
    messages = cells(watched, 8)
    assert watched.page.evaluate("(texts) => [...texts].sort((a, b) => a.localeCompare(b))", messages) == messages


def test_search_finds_rows_by_all_words(report: str, opened: Opener) -> None:
    """Whatever the case and the order of the words; the count is said, and an emptied field shows all again."""
    watched = opened(report)
    whole = len(cells(watched, 0))
    search = watched.page.get_by_label("Search")
    search.fill("MOBILE phone_invalid")
    found = cells(watched, 4)
    assert set(found) == {"phone_invalid"}
    assert 0 < len(found) < whole
    assert watched.page.get_by_role("status").text_content() == f"{len(found)} rows found"
    search.fill("no row has this")
    assert cells(watched, 0) == []
    search.fill("")
    assert len(cells(watched, 0)) == whole
    assert watched.complaints == []


def test_a_reason_shows_its_rows(report: str, opened: Opener) -> None:
    """Its link filters the table and goes there; the search narrows that, and a button shows all rows again."""
    watched = opened(report)
    whole = len(cells(watched, 0))
    everything = watched.page.get_by_role("button", name="Show all rows")
    assert not everything.is_visible()
    reason = watched.page.locator("li", has=watched.page.get_by_text("phone_invalid", exact=True))
    link = reason.get_by_role("link")
    text = link.text_content()
    link.click()
    assert set(cells(watched, 4)) == {"phone_invalid"}
    count = len(cells(watched, 0))
    assert text == f"Show {count} rows"
    assert watched.page.get_by_role("status").text_content() == f"{count} rows found"
    assert watched.page.locator("tr:target").is_visible()
    assert watched.violations() == []
    watched.picture("report-reason")
    first = cells(watched, 0)[0]
    watched.page.get_by_label("Search").fill(first)
    assert 0 < len(cells(watched, 0)) < count
    everything.click()
    assert len(cells(watched, 0)) == whole
    assert not everything.is_visible()
    # the same link once more, after another one
    link.click()
    assert len(cells(watched, 0)) == count
    assert watched.complaints == []


def test_a_reason_leads_to_its_rows_without_javascript(report: str, opened: Opener) -> None:
    """To the first of them."""
    watched = opened(report, java_script_enabled=False)
    watched.page.locator("li", has=watched.page.get_by_text("phone_invalid", exact=True)).get_by_role("link").click()
    target = watched.page.locator("tr:target")
    assert "phone_invalid" in target.inner_text()
    assert target.is_visible()
    assert not watched.page.get_by_role("button", name="Show all rows").is_visible()


def test_without_javascript_all_of_it_can_be_read(report: str, opened: Opener) -> None:
    """Mail programs and archives run no scripts."""
    watched = opened(report, java_script_enabled=False)
    assert watched.page.locator("#rows tbody tr").count() > 100
    assert watched.page.get_by_role("heading", name="What went wrong").is_visible()


def test_on_paper_it_is_whole(report: str, opened: Opener) -> None:
    """What cannot be used on paper is left out, and the table is not cut at the edge."""
    watched = opened(report, viewport={"width": 720, "height": 1000})
    watched.page.emulate_media(media="print")
    watched.picture("report-print")
    assert not watched.page.get_by_label("Search").is_visible()
    assert watched.overflow() <= 0
    assert watched.page.pdf().startswith(b"%PDF")


def test_markup_in_the_data_is_text(opened: Opener, tmp_path: Path) -> None:
    """Nothing of the table is run, even with what breaks out of attributes and scripts."""
    evil = "</script></style><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    frame = pd.DataFrame({"id": [evil, "2"], "n": [evil, "1"]})
    mapping: MappingDict = {"user_id": "id", "traits": [{"column": "n", "type": "number"}]}
    check(frame, mapping, html=tmp_path / "check.html")
    watched = opened((tmp_path / "check.html").as_uri())
    assert cells(watched, 1) == [evil]
    assert watched.complaints == []
    assert len(watched.requests) == 1


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> LoadResult:
    """A check of a million rows, of which half cannot be sent."""
    count = 1_000_000
    numbers = pa.array(range(count)).cast(pa.string())
    table = pa.table({"id": numbers, "age": pa.array(["24", "old"] * (count // 2))})
    folder = tmp_path_factory.mktemp("million")
    mapping: MappingDict = {"user_id": "id", "traits": [{"column": "age", "type": "number"}]}
    return check(table, mapping, report=folder / "report.parquet", html=folder / "check.html")


def test_a_million_rows_make_a_small_page(million: LoadResult, opened: Opener) -> None:
    """Few enough elements to open at once; the counts are those of all rows, and what is left out is said."""
    path = Path(million.options["html"])
    watched = opened(path.as_uri())
    opening = watched.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"a page about a million rows: {path.stat().st_size:,} bytes, loaded in {opening:.0f} ms")
    assert path.stat().st_size < 200_000
    assert watched.page.evaluate("document.querySelectorAll('*').length") < 5_000
    assert len(cells(watched, 0)) == MOST_A_REASON
    assert watched.page.get_by_text(f"{500_000 - MOST_A_REASON:,} more are in the report.").is_visible()


def test_a_notebooks_view_is_accessible(opened: Opener, tmp_path: Path) -> None:
    """What `LoadResult` shows of itself in a notebook, in a page of the notebook's kind."""
    frame = pd.DataFrame({"id": ["1", None, "3"], "age": ["24", "25", "old"]})
    result = check(frame, {"user_id": "id", "traits": [{"column": "age", "type": "number"}]})
    page = tmp_path / "cell.html"
    page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>cell</title>'
        f"<body><main><h1>cell</h1>{result._repr_html_()}</main></body></html>",
        encoding="utf-8",
    )
    watched = opened(page.as_uri())
    watched.picture("notebook-view")
    assert watched.violations() == []
    assert watched.complaints == []
