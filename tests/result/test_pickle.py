"""A result passes between processes with its report, and leaves no file behind."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import pandas as pd
import pytest

from interakt_loader import LoadInterrupted, LoadResult, MappingDict, RowsFailed, check, load_users
from interakt_loader.errors import InteraktLoaderError
from interakt_loader.sandbox import Sandbox

FRAME = pd.DataFrame({"id": ["1", None, "3"], "age": ["24", "25", "many"]})
MAPPING: MappingDict = {"user_id": "id", "traits": [{"column": "age", "type": "number"}]}
KEY = "a-key-that-no-pickle-holds"


@pytest.fixture(autouse=True)
def folder(temporary_folder: Path) -> Path:
    """A folder of its own for temporary files; nothing may be left there."""
    return temporary_folder


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    """A worker that has nothing in common with this process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        yield executor


def checked(**options: Any) -> LoadResult:
    """Return a dry run with two rows that failed, of an input that has no pickle."""
    return check(iter([FRAME]), MAPPING, **options)


def raising(**options: Any) -> None:
    """Raise what a worker raises whose rows failed."""
    checked(**options).raise_for_failures()


def test_a_result_arrives_whole_from_a_process_pool(
    pool: ProcessPoolExecutor, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Counts, reasons, lines, card, page, plot and copy, although the worker's report was temporary."""
    load = partial(load_users, FRAME, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url)
    result = pool.submit(load).result(60)
    pool.shutdown()
    assert (result.rows, result.sent, result.invalid, result.attempts, result.exit_code) == (3, 1, 2, 1, 1)
    assert {one.code for one in result.summary.top_reasons()} == {"identity_missing", "not_a_number"}
    assert result.to_pandas()["status"].tolist() == ["sent", "invalid", "invalid"]
    assert "identity_missing" in result._repr_html_()
    assert "not_a_number" in result.write_html(tmp_path / "load.html").read_text(encoding="utf-8")
    assert len(result.write_report(tmp_path / "again.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert result.plot().axes


def test_an_error_arrives_as_itself_from_a_process_pool(pool: ProcessPoolExecutor) -> None:
    """With its message and its exit code."""
    with pytest.raises(RowsFailed, match=r"of 3 rows: 2 invalid, 1 unsent") as raised:
        pool.submit(raising).result(60)
    assert raised.value.exit_code == 1


@pytest.mark.parametrize("library", [pickle, cloudpickle])
def test_a_pickle_has_the_report_and_no_secret(library: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It outlives the object. The failures then are the lines of the report, with a warning."""
    result = checked(api_key=KEY)
    path, lines = result.report, result.to_arrow()
    data = library.dumps(result)
    del result
    assert not path.exists()
    assert KEY.encode() not in data
    arrived = library.loads(data)
    assert arrived.to_arrow() == lines
    assert arrived.failures()["code"].tolist() == ["identity_missing", "not_a_number"]
    assert "without the columns of the input" in caplog.text
    again = library.loads(library.dumps(arrived))
    assert again.report not in (path, arrived.report)
    assert again.to_arrow() == lines


def test_a_report_of_its_own_stays_where_it_is(tmp_path: Path) -> None:
    result = checked(report=tmp_path / "load.report.csv")
    arrived = pickle.loads(pickle.dumps(result))
    assert arrived.report == result.report
    assert arrived.to_arrow() == result.to_arrow()


def test_a_result_without_its_temporary_report_is_still_readable() -> None:
    """A program that tidies temporary folders took the file: the counts stay, and the lines have a clear error."""
    result = checked()
    result.report.unlink()
    for one in (result, pickle.loads(pickle.dumps(result))):
        assert (one.invalid, one.unsent) == (2, 1)
        assert "identity_missing" in one._repr_html_()
        with pytest.raises(InteraktLoaderError, match="does not exist, or no longer"):
            one.to_pandas()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_has_the_input_and_the_report(copied: Callable[[LoadResult], LoadResult]) -> None:
    """Also when the original is gone."""
    result = checked()
    other = copied(result)
    assert (other.options is result.options) is (copied is copy.copy)
    del result
    assert other.failures()["age"].tolist() == ["25", "many"]


def test_no_message_names_a_temporary_report(tmp_path: Path) -> None:
    """It may be gone when somebody reads the message; so it says how to get the rows. A report that stays is named."""
    result = checked()
    with pytest.raises(RowsFailed, match=r"result\.failures\(\) returns the rows, and report=PATH keeps") as raised:
        result.raise_for_failures()
    assert str(result.report) not in str(raised.value)
    assert str(result.report) not in str(LoadInterrupted(result))
    kept = checked(report=tmp_path / "load.report.csv")
    with pytest.raises(RowsFailed, match=r"; report: .*load\.report\.csv$"):
        kept.raise_for_failures()
    assert str(kept.report) in str(LoadInterrupted(kept))


def test_an_interrupted_load_keeps_its_result() -> None:
    arrived = pickle.loads(pickle.dumps(LoadInterrupted(checked(), signal.SIGTERM)))
    assert (arrived.exit_code, arrived.result.invalid) == (143, 2)
    assert len(arrived.result.failures()) == 2


PROGRAM = """
import os, signal, sys
from interakt_loader import check, load_events, load_users
from interakt_loader.sandbox import Sandbox
rows = [{{"id": str(number), "no": number % 3}} for number in range(100)]
user, event = {{"user_id": "id"}}, {{"user_id": "id", "event": {{"value": "Visit"}}, "event_id": "no"}}
with Sandbox() as sandbox:
    options = {{"api_key": sandbox.api_key, "base_url": sandbox.url}}
    {body}
"""


@pytest.mark.parametrize(
    ("body", "exit_code"),
    [
        ("load_users(rows, user, **options)", 0),
        ("kept = load_users(iter(rows), user, **options); kept.failures()", 0),
        ("kept = load_events(iter(rows), event, **options)", 0),
        ("kept = check(rows, user); kept.itself = kept", 0),
        ("check([{'id': None}], user).raise_for_failures()", 1),
        ("load_users(rows, user, on_error=3, **options)", 1),
        ("check(iter(rows), {'user_id': 'no_such_column'})", 1),
        ("kept = check(iter(rows), user); raise SystemExit(7)", 7),
        (
            "def stop(*_):\n"
            "        os.kill(os.getpid(), signal.SIGINT)\n"
            "        yield from rows\n"
            "    load_users(stop(), user, **options)",
            -signal.SIGINT if os.name == "posix" else 1,
        ),
    ],
)
def test_a_process_leaves_no_file_behind(body: str, exit_code: int, folder: Path) -> None:
    """With a result that is freed, kept or in a circle; after an error, an exit and Ctrl-C."""
    script = PROGRAM.format(body=body)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == exit_code, done.stderr
    assert [*folder.iterdir()] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_leaves_the_report_of_its_parent() -> None:
    """It ends in the usual way, with everything that Python does at the end."""
    child = "if os.fork() == 0:\n        sys.exit()"
    script = PROGRAM.format(body=f"kept = check(rows, user)\n    {child}\n    os.wait(); print(len(kept.to_pandas()))")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "100\n", done.stderr
