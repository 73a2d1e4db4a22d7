"""Everything that is opened is closed: whole programs in Python's development mode, which reports what is not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox

LOADS = """
    import gc
    import pandas as pd
    import pyarrow as pa
    from interakt_loader import load_users

    frame = pd.DataFrame({"user": [f"u{n}" for n in range(60)], "city": "Pune"})
    mapping = {"user_id": "user", "traits": ["city"]}
    frame.to_csv("users.csv", index=False)

    files = {"ledger": "l", "report": "users.report.csv", "html": "users.html"}
    whole = load_users("users.csv", mapping, rate_limit="100/s", **files)
    assert whole.sent == 60
    again = load_users("users.csv", mapping, **files)
    assert again.unchanged == 60

    stopped = load_users("users.csv", mapping, api_key="wrong")
    assert stopped.stopped is not None

    def broken():
        yield pa.RecordBatch.from_pandas(frame)
        raise OSError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(pa.Schema.from_pandas(frame), broken())
    assert load_users(reader, mapping).stopped is not None
    gc.collect()
"""

TRACK = """
    from interakt_loader import track
    for number in range(20):
        track.user(user_id=f"u{number}", traits={"city": "Pune"})
        track.event(user_id=f"u{number}", event="Ordered")
"""


@pytest.fixture
def environ(sandbox: Sandbox) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONDEVMODE": "1",
        "INTERAKT_API_KEY": sandbox.api_key,
        "INTERAKT_BASE_URL": sandbox.url,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-c", textwrap.dedent(LOADS)], id="whole, unchanged, stopped and broken loads"),
        pytest.param(["-c", textwrap.dedent(TRACK)], id="a script of track that just ends"),
        pytest.param(["-m", "interakt_loader", "demo", "--rows", "50", "--folder", "out"], id="the demo"),
    ],
)
def test_no_program_leaves_a_file_socket_or_thread_open(
    arguments: list[str], environ: dict[str, str], tmp_path: Path
) -> None:
    """Python's development mode warns of each file and socket that was not closed. There is no such line."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_development_mode_would_tell(environ: dict[str, str]) -> None:
    """A socket that is left open is one line on standard error, so the other tests look for the right thing."""
    script = "import socket; socket.socket()"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert "ResourceWarning: unclosed <socket" in done.stderr
