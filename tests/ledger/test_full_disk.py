"""A disk that becomes full at any moment of a load: it holds the source, the ledger, the report and temporary files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SIZE = 8 << 20

SCRIPT = """
import contextlib, io, json, os, shutil, subprocess, sys, tempfile, urllib.request
from collections import Counter
from pathlib import Path

disk, steps, left = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3] == "left"
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d", "tmpfs", str(disk)], check=True)
os.chdir(disk)
os.environ["TMPDIR"] = os.environ["SQLITE_TMPDIR"] = str(disk)
tempfile.tempdir = None

import interakt_loader.ledger.ledger
from interakt_loader import load_events
from interakt_loader.cli import run
from interakt_loader.report.reading import read_report
from interakt_loader.sandbox import Sandbox

ROWS = 300
Path("rows.csv").write_text("user,at,page\\n" + "".join(
    f"u{n %% 40},2024-01-01T00:{n // 60:02}:{n %% 60:02}Z,{n}\\n" for n in range(ROWS)))


def load():
    argv = ["rows.csv", "--map", "user_id=user", "--event", "Visit", "--map", "created_at=at", "--trait", "page=page"]
    argv += ["--base-url", sandbox.url, "--rate-limit", "none", "--max-queue-size", "50", "-q"]
    argv += ["--report", "own.report.csv", "--ledger", "own.ledger"]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = run(argv)
    return code, said.getvalue()


def clear():
    for one in disk.iterdir():
        if one.name not in ("rows.csv", "left"):
            shutil.rmtree(one) if one.is_dir() else one.unlink()


KILLED = '''
import os, signal, sys
from interakt_loader import load_events
def kill(error, queue_msg):
    os.kill(os.getpid(), signal.SIGKILL)
mapping = {"user_id": "user", "event": {"value": "Visit"}, "created_at": "at", "traits": ["page"]}
load_events("rows.csv", mapping, base_url=sys.argv[1], ledger="own.ledger", rate_limit=None, max_queue_size=50,
            on_error=kill)
'''


with Sandbox() as sandbox:
    os.environ["INTERAKT_API_KEY"] = sandbox.api_key
    known = Counter()
    if left:
        sandbox.force_for("u39", ["400"])
        subprocess.run([sys.executable, "-c", KILLED, sandbox.url], check=False)
        for _ in range(50):  # what the killed load had sent arrives before these
            urllib.request.urlopen(f"{sandbox.url}/sandbox/stats").read()
        Path("left").mkdir()
        for one in disk.glob("own.ledger*"):
            shutil.copyfile(one, Path("left") / one.name)
        known.update(int(event.traits["page"]) for event in sandbox.events())
        assert len(os.listdir("left")) == 3, os.listdir("left")
    for room in steps:
        clear()
        sandbox.reset()
        for one in Path("left").glob("*"):
            shutil.copyfile(one, one.name)
        free = shutil.disk_usage(disk).free
        Path("filler").write_bytes(bytes(max(0, free - room)))
        first, said = load()
        Path("filler").unlink()
        second, last = load()
        held = known + Counter(int(event.traits["page"]) for event in sandbox.events())
        report = disk / "own.report.csv"
        lines = read_report(report).to_pylist() if report.exists() else []
        marked = {one["row"] for one in lines if one["maybe_duplicate"]}
        print(json.dumps({
            "room": room, "first": first, "said": said, "second": second, "last": last,
            "lost": ROWS - len(held), "unnamed": len({one for one, count in held.items() if count > 1} - marked),
            "names": sorted(one.name for one in disk.iterdir() if one.name not in ("rows.csv", "left")),
        }), flush=True)
"""


def on_a_small_disk(folder: Path, *given: str) -> list[dict[str, Any]]:
    """Run the script with a disk of its own, which nobody else sees."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, to have a small disk")
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody have a disk of his own")
    command = [*own, sys.executable, "-c", SCRIPT % SIZE, str(folder), *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
@pytest.mark.parametrize("start", ["nothing", "left"])
def test_a_disk_with_any_room_left(tmp_path: Path, start: str) -> None:
    """0 to 200 KB, in steps of 4: exit 0 to 3, in one line; with room the next load is complete, none is doubled."""
    steps = [4096 * number for number in range(51)]
    ends = on_a_small_disk(tmp_path, json.dumps(steps), start)
    assert [one["room"] for one in ends] == steps
    for one in ends:
        assert one["first"] in (0, 2, 3), one
        assert "Traceback" not in one["said"], one
        errors = [line for line in one["said"].splitlines() if "interakt-loader: " in line or "stopped early" in line]
        assert len(errors) == (one["first"] != 0), one
        assert (one["second"], one["lost"], one["unnamed"]) == (0, 0, 0), one
        assert one["names"] == ["own.ledger", "own.report.csv", "rows.runs"], one
    assert {one["first"] for one in ends} >= {2, 3}
