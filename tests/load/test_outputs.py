"""The files that a load writes: apart from one another and from what it reads, and written by one load at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pytest

from interakt_loader import MappingDict, load_users
from interakt_loader.errors import NotJustNow, SettingsError, SourceError
from interakt_loader.report.reading import read_report
from interakt_loader.report.writer import Report
from interakt_loader.sandbox import Sandbox

MAPPING: MappingDict = {"user_id": "id"}
DATASET = object()
SOURCE = "id\n1\n2\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("users.csv").write_text(SOURCE)
    Path("in/a.csv").write_text(SOURCE)
    Path("map.yaml").write_text("user_id: id\n")
    Path("hard.csv").hardlink_to("users.csv")
    Path("soft.csv").symlink_to("users.csv")
    Path("soft").symlink_to("in")


def files() -> dict[str, bytes]:
    """Return every file here, and what is in it."""
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        ("users.csv", {"report": "users.csv"}, "is the source itself"),
        ("users.csv", {"report": "./in/../users.csv"}, "is the source itself"),
        ("users.csv", {"report": "hard.csv"}, "is the source itself"),
        ("soft.csv", {"report": "users.csv"}, "is the source itself"),
        ("users.csv", {"html": "soft.csv"}, "is the source itself"),
        ("users.csv", {"failures": "users.csv"}, "is the source itself"),
        ("in", {"ledger": "in/a.csv"}, "is the source itself"),
        ("in/*.csv", {"ledger": "soft/a.csv"}, "is the source itself"),
        (["users.csv", "in/a.csv"], {"report": "in/a.csv"}, "is the source itself"),
        ("users.csv", {"report": "a.csv", "html": "./a.csv"}, "is the report too"),
        ("users.csv", {"report": "in/x.csv", "failures": "soft/x.csv"}, "is the report too"),
        ("users.csv", {"report": "a.csv", "failures": "A.CSV"}, "is the report too"),
        ("users.csv", {"ledger": "a", "html": "a-wal"}, "ledger a-wal: is the HTML page too"),
        ("users.csv", {"ledger": "a", "html": "a-calls"}, "ledger a-calls: is the HTML page too"),
        ("users.csv", {"html": "map.yaml"}, "is the mapping too"),
        ("users.csv", {"ledger": "map.yaml"}, "is the mapping too"),
        ("in", {"report": "in/out.csv"}, "the next load of in would read it"),
        ("soft", {"report": "in/out.csv"}, "the next load of soft would read it"),
        ("in/*.csv", {"report": "soft/out.csv"}, "the next load of in/*.csv would read it"),
        ("in", {"report": "in/day=1/out.csv"}, "the next load of in would read it"),
        ("file:///HERE/users.csv", {"report": "users.csv"}, "is the source itself"),
        (DATASET, {"report": "./in/a.csv"}, "is the source itself"),
        ("users.csv", {"ledger": "link.ledger", "html": "real.ledger-wal"}, "link.ledger-wal: is the HTML page too"),
        ("./*/*.csv", {"failures": "in/out.csv"}, "would read it"),
        ("**/*.csv", {"report": "in/out.csv"}, "would read it"),
        ("users.csv", {"html": "nowhere/a.html"}, "expected a file in a folder that exists"),
        (
            "users.csv",
            {"report": "nowhere/a.csv", "failures": "nowhere/b.csv"},
            "report nowhere/a.csv: expected",
        ),
        ("users.csv", {"ledger": "in"}, "ledger in: is no file"),
        ("users.csv", {"ledger": os.devnull}, "is no file"),
        ("users.csv", {"failures": "nowhere/a.csv"}, "expected a file in a folder that exists"),
        ("users.csv", {"failures": "in/a.csv"}, "is there already and is something else"),
        ("users.csv", {"failures": "a.jsonl"}, "expected a name ending in .csv"),
        ("users.csv", {"failures": "a.csv", "mask": True}, "expected one of the two"),
    ],
)
def test_outputs_that_are_not_apart_are_refused_before_anything_is_written(
    data: Any, options: dict[str, Any], why: str
) -> None:
    """Through links, other spellings and other cases; in one line."""
    Path("in/day=1").mkdir()
    Path("link.ledger").symlink_to("real.ledger")
    if data is DATASET:
        data = pa.dataset.dataset("in/a.csv", format="csv")
    elif isinstance(data, str):
        data = data.replace("/HERE", Path().absolute().as_posix())
    before = files()
    with pytest.raises(SettingsError) as caught:
        load_users(data, "map.yaml", api_key="k", base_url="http://127.0.0.1:9", **options)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files() == before


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("in", {"report": "in/x.report.csv", "ledger": "in/x.ledger"}),
        ("in/*.csv", {"report": "x.csv"}),
        ("in/*.csv", {"report": "in/x.jsonl"}),
        ("users.csv", {"report": "in/a.report.csv", "failures": "in/a.failures.csv"}),
    ],
)
def test_other_outputs_are_not_refused(data: str, options: dict[str, Any], sandbox: Sandbox) -> None:
    """Nor is the second load, which reads the same rows as the first."""
    for _ in range(2):
        assert load_users(data, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url, **options).rows == 2


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_report_may_be_a_pipe(sandbox: Sandbox) -> None:
    """It comes out whole at the other end, and cannot be locked."""
    os.mkfifo("pipe.csv")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(Path("pipe.csv").read_text().splitlines()))
    reader.start()
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    load_users("users.csv", MAPPING, report="pipe.csv", **there)
    reader.join()
    assert len(read) == 3


def held(release: threading.Event, begun: threading.Event) -> pa.RecordBatchReader:
    """Return rows of which the last come when they are let go."""
    schema = pa.schema([("id", pa.string())])

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": [str(row) for row in range(600)]}, schema)
        begun.set()
        release.wait(60)
        yield pa.record_batch({"id": [str(row) for row in range(600)]}, schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_of_two_loads_with_one_report_the_second_sends_nothing(ending: str, sandbox: Sandbox) -> None:
    """Exit 2 at once, through a link and from another process too; and the first one's report is whole."""
    report, link = Path(f"out{ending}"), Path(f"link{ending}")
    link.symlink_to(report)
    release, begun = threading.Event(), threading.Event()
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    first = threading.Thread(target=lambda: load_users(held(release, begun), MAPPING, report=report, **there))
    first.start()
    begun.wait(60)
    try:
        report.read_bytes()  # opened and closed in this process: a lock of POSIX's older kind would be gone
        for path in (report, link):
            with pytest.raises(NotJustNow, match="is being written by another load"):
                load_users("users.csv", MAPPING, report=path, **there)
        command = [sys.executable, "-m", "interakt_loader", "users.csv", "--map", "user_id=id", "--report", str(link)]
        env = {**os.environ, "INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"report {link}: is being written by another load" in done.stderr.splitlines()[-1]
    finally:
        release.set()
        first.join()
    assert read_report(report).num_rows == 1200
    assert load_users("users.csv", MAPPING, report=report, **there).rows == 2


def test_a_killed_load_leaves_no_lock() -> None:
    """The report can be had again at once."""
    script = "import sys; from interakt_loader.report.writer import Report; r = Report('r.csv'); print(flush=True)"
    command = [sys.executable, "-c", f"{script}; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(NotJustNow):
            Report("r.csv")
        process.kill()
    with Report("r.csv"):
        pass


def test_a_load_that_is_refused_leaves_the_last_report(sandbox: Sandbox) -> None:
    """Whatever refuses it before the first call; and where there was none, there is none."""
    there: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url, "ledger": "x.ledger"}
    load_users("users.csv", MAPPING, report="out.csv", **there)
    before = Path("out.csv").read_bytes()
    schema = pa.schema([("id", pa.string())])

    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": ["1"]}, schema)
        raise OSError("the disk is gone")

    for report in ("out.csv", "new.csv"):
        with pytest.raises(SourceError, match="it raised an OSError"):
            load_users(pa.RecordBatchReader.from_batches(schema, broken()), MAPPING, report=report, **there)
    assert Path("out.csv").read_bytes() == before
    assert not Path("new.csv").exists()


@pytest.mark.parametrize("remove", [True, False])
def test_a_report_that_is_removed_while_it_is_waited_for_is_not_written_in_vain(
    remove: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last holder takes it away between opening and locking: then the file that is there now is taken."""
    from interakt_loader.privacy.files import try_lock
    from interakt_loader.report import writer as module

    done: list[bool] = []

    def locked(handle: int) -> bool:
        if remove and not done:
            Path("r.csv").unlink()
        done.append(True)
        return try_lock(handle)

    monkeypatch.setattr(module, "try_lock", locked)
    with Report("r.csv"):
        pass
    assert Path("r.csv").read_text().startswith("row,")
    assert len(done) == 1 + remove
