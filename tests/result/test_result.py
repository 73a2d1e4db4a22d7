"""What a load comes back with."""

from __future__ import annotations

import gc
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import MappingDict, RowsFailed, check, load_users
from interakt_loader.errors import InteraktLoaderError, KeyRefused
from interakt_loader.model import Stop
from interakt_loader.report.reading import read_report
from interakt_loader.report.writer import Summary
from interakt_loader.result import LoadResult
from interakt_loader.sandbox import Sandbox

FRAME = pd.DataFrame({"id": ["1", None, "3"], "age": [24, 25, 26]})
MAPPING: MappingDict = {"user_id": "id", "traits": ["age"]}


@pytest.fixture
def result(sandbox: Sandbox) -> LoadResult:
    return load_users(FRAME, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url)


def test_counts_failures_and_dict(result: LoadResult) -> None:
    """The counts add up, failures are the rows to look at, and the dict is JSON-able."""
    assert (result.rows, result.sent, result.invalid, result.attempts, result.ok) == (3, 2, 1, 2, False)
    assert result.failures()["row"].tolist() == [1]
    assert result.failures()["code"].tolist() == ["identity_missing"]
    facts = json.loads(json.dumps(result.as_dict()))
    assert facts["status"]["sent"] == 2
    assert sum(facts["status"].values()) == facts["rows"] == 3
    assert repr(result).startswith("<LoadResult: 2 sent, 1 invalid; 2 calls in ")


class _Html(HTMLParser):
    """The texts of a page, and whether every element that was opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_notebook_shows_the_result(result: LoadResult) -> None:
    """Counts, the reason with its row, and the next step, as HTML whose every element is closed."""
    page = _Html(result._repr_html_())
    assert page.open == []
    text = "".join(page.texts)
    for expected in ("3 rows as users", "2 sent", "1 invalid", "identity_missing", "no id", "result.failures()"):
        assert expected in text
    assert str(result.report) in text


def test_a_notebook_shows_what_a_check_found() -> None:
    """What a load would do, the bodies, and each problem by column and reason, without a word being markup."""
    frame = pd.DataFrame({"id": ["<b>1</b>", "2"], "<i>age</i>": ["<script>x</script>", "25"]})
    mapping: MappingDict = {"user_id": "id", "traits": [{"column": "<i>age</i>", "type": "number"}]}
    checked = check(frame, mapping, rate_limit="300/min")
    page = _Html(checked._repr_html_())
    text = "".join(page.texts)
    for expected in ("dry run: nothing was sent", "1 would be sent", "1 invalid", "not_a_number", "300/min"):
        assert expected in text
    assert "<script>x</script>" in text  # shown, not run
    assert '"userId": "2"' in text
    assert checked.failures()["row"].tolist() == [0]


def test_a_notebook_shows_a_load_that_went_well(sandbox: Sandbox) -> None:
    """No table of reasons where there are none, and no rate where there was no call."""
    options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    text = "".join(_Html(load_users(FRAME.dropna(), MAPPING, **options)._repr_html_()).texts)
    assert "2 rows as users · 2 calls in " in text
    assert "such as" not in text
    empty = "".join(_Html(load_users(FRAME.iloc[:0], MAPPING, **options)._repr_html_()).texts)
    assert empty.startswith("0 rows as users")
    assert "calls in" not in empty


@pytest.mark.parametrize("ledger", [False, True])
def test_a_notebook_shows_what_stopped_a_load(ledger: bool, sandbox: Sandbox, tmp_path: Path) -> None:
    """The API's message. Only with a ledger does the same call continue from there."""
    path = tmp_path / "ledger" if ledger else None
    result = load_users(FRAME, MAPPING, api_key="wrong", base_url=sandbox.url, ledger=path)
    text = "".join(_Html(result._repr_html_()).texts)
    assert "stopped early:" in text
    assert "Invalid token provided" in text
    assert ("the same call continues from there" in text) is ledger


def test_raise_for_failures(result: LoadResult, sandbox: Sandbox) -> None:
    """Rows that failed raise with counts, reason and report; a load without any does not."""
    with pytest.raises(RowsFailed, match=r"of 3 rows: 2 sent, 1 invalid \(1 invalid identity_missing\)"):
        result.raise_for_failures()
    load_users(
        FRAME[["id"]].dropna(), {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url
    ).raise_for_failures()


def test_a_stopped_load_raises_what_stopped_it(sandbox: Sandbox) -> None:
    """401: `KeyRefused`, with the API's words."""
    result = load_users(FRAME, MAPPING, api_key="wrong", base_url=sandbox.url)
    with pytest.raises(KeyRefused, match="Invalid token provided"):
        result.raise_for_failures()


def test_a_temporary_report_goes_with_its_result(sandbox: Sandbox) -> None:
    """Without `report=` the lines are in a temporary file, which is removed with the result."""
    result = load_users(FRAME, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url)
    path = result.report
    assert path.exists()
    del result
    gc.collect()
    assert not path.parent.exists()


def test_a_report_that_was_removed_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    """The result knows where it was, and says that it is there no longer."""
    report = tmp_path / "users.report.csv"
    result = load_users(FRAME, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url, report=report)
    report.unlink()
    with pytest.raises(InteraktLoaderError, match=r"users\.report\.csv does not exist, or no longer"):
        result.failures()


def test_a_report_that_was_not_written_to_its_end_is_never_taken_for_whole(result: LoadResult, tmp_path: Path) -> None:
    """Even where what is there happens to end with a line: no page, no rows, no copy."""
    result.stopped = Stop("report_broken", "report users.report.csv: cannot be written: No space left on device")
    page = tmp_path / "page.html"
    for read in (result.to_pandas, result.failures, result.plot, lambda: result.write_html(page)):
        with pytest.raises(InteraktLoaderError, match="is not whole"):
            read()
    with pytest.raises(InteraktLoaderError, match="is not whole"):
        result.write_report(tmp_path / "copy.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_report_is_written_once_more(result: LoadResult, tmp_path: Path) -> None:
    """In another form, in the same one, over itself, and from a folder of files, as Spark writes it."""
    lines = result.to_arrow()
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert read_report(result.write_report(tmp_path / name)) == lines
    assert result.write_report(result.report) == result.report
    folder = tmp_path / "of-spark.parquet"
    folder.mkdir()
    result.report = result.write_report(folder / "part-0.parquet")
    result.report = folder
    assert read_report(result.write_report(tmp_path / "b.parquet")) == lines


def test_a_report_where_spark_keeps_files() -> None:
    """An address is no path: it is shown as it is, and one line says that the loader cannot read it."""
    address = "s3://bucket/report"
    result = LoadResult(
        name="DataFrame",
        kind="user",
        summary=Summary(),
        seconds=1.0,
        report=Path(address),
        address=address,
        rows_of=lambda lines: lines.to_pandas(),
        options={},
    )
    assert result.as_dict()["report"] == "s3://bucket/report"
    with pytest.raises(InteraktLoaderError, match=r"s3://bucket/report can be read by Spark only"):
        result.failures()


def test_check_is_ok_when_every_row_could_be_sent() -> None:
    """In a dry run an unsent row is no failure; an invalid one is."""
    assert check(FRAME.dropna(), MAPPING).ok
    assert not check(FRAME, MAPPING).ok
    assert check(FRAME.dropna(), MAPPING).exit_code == 0
