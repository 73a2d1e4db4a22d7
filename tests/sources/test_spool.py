"""Temporary files: who owns them, and who removes them."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from interakt_loader.errors import SourceError
from interakt_loader.sources import open_source
from interakt_loader.sources.spool import PREFIX, Spool, TemporaryFolder


@pytest.fixture(autouse=True)
def folder(temporary_folder: Path) -> Path:
    """A folder of its own for temporary files."""
    return temporary_folder


KILLED = """
import io, os, signal, sys
from interakt_loader.sources import open_source
source = open_source({source})
rows = source.batches()
next(rows)
print("open", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("source", ["io.StringIO('id\\n1\\n')", "iter([{'id': 1}])", "'-'"])
def test_the_files_of_a_killed_process_are_removed_by_the_next(folder: Path, source: str) -> None:
    """Copies of open files and of standard input, and what an iterator gave."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(source=source)], input=b"id\n1\n", capture_output=True, check=False
    )
    assert done.stdout == b"open\n", done.stderr
    (left,) = folder.iterdir()
    assert left.name.startswith(PREFIX)
    assert len([*left.iterdir()]) == 2  # the lock, and the rows
    TemporaryFolder()


def test_a_thousand_copies_have_one_folder(folder: Path) -> None:
    """Each folder has a lock, and a process may open about a thousand files."""
    kept = [open_source(io.StringIO("id\n1\n")) for _ in range(1000)]
    (only,) = folder.iterdir()
    assert len([*only.iterdir()]) == 1001
    kept.pop()
    gc.collect()
    assert len([*only.iterdir()]) == 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_removes_nothing_of_its_parent() -> None:
    """It ends in the usual way, with everything that Python does at the end."""
    script = (
        "import io, os, sys\n"
        "from interakt_loader.sources import open_source\n"
        "from interakt_loader.sources.spool import Spool\n"
        "import pyarrow as pa\n"
        "source, spool = open_source(io.StringIO('id\\n1\\n')), Spool()\n"
        "spool.add(pa.record_batch({'id': [1]}))\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(sum(batch.num_rows for batch in source.batches()) + sum(batch.num_rows for batch in spool.batches()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_a_spool_gives_back_what_was_put_in() -> None:
    """Batches of any schema, in their order and by their place."""
    batches = [
        pa.record_batch({"a": pa.nulls(0)}),
        pa.record_batch({"a": [1, 2]}),
        pa.record_batch({"a": ["x"], "b": [[1.5]]}),
        pa.record_batch({"a": pa.array([b"\xff"])}),
    ]
    spool = Spool()
    assert [*spool.keep(batches)] == batches
    assert [*spool.batches()] == batches
    assert [*spool.batches()] == batches
    assert spool.batch(2) == batches[2]
    assert (spool.rows, spool.schema) == (4, batches[1].schema)


def test_a_folder_that_cannot_be_written_is_one_line() -> None:
    """It names TMPDIR. The file is a device that is always full, where there is one."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    spool = Spool()
    spool._path = Path("/dev/full")
    with pytest.raises(SourceError) as caught:
        spool.add(pa.record_batch({"a": ["x" * 100_000]}))
    assert str(caught.value).endswith("No space left on device. Set TMPDIR to a folder with more space")
    del caught
