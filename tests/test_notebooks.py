"""The notebooks run from the first cell to the last, in a real kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import interakt_loader

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"

# In a process of its own, because the kernel client closes its sockets late.
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[3])
"""


def with_this_interpreter(folder: Path) -> dict[str, str]:
    """Return an environment whose `python3` kernel is this interpreter with this very package.

    A kernel registered on the machine may be another Python, and a relative PYTHONPATH is lost in the notebook's
    folder; JUPYTER_PATH comes before every registered kernel.
    """
    spec = folder / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
    package = str(Path(interakt_loader.__file__).resolve().parents[1])
    return {**os.environ, "JUPYTER_PATH": str(folder / "jupyter"), "PYTHONPATH": package}


def printed(name: str, folder: Path) -> str:
    """Run a notebook where it lies; return what its cells wrote to standard output."""
    out = folder / name
    command = [sys.executable, "-c", RUN, str(NOTEBOOKS / name), str(NOTEBOOKS), str(out)]
    env = with_this_interpreter(folder)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    cells = json.loads(out.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]
    noise = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stderr")
    assert "Warning" not in noise
    assert "a minute" not in noise  # the bar is HTML
    assert any("progressbar" in "".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    return "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")


def test_cleaning(tmp_path: Path) -> None:
    """A messy export: the errors are shown, fixed and sent, row by row."""
    lines = printed("cleaning.ipynb", tmp_path).splitlines()
    results = [line for line in lines if line.startswith("<LoadResult")]
    assert [line.split(";")[0] for line in results] == ["<LoadResult: 5 sent, 2 invalid", "<LoadResult: 2 sent"]
    users = {line.split(" ")[0]: line for line in lines if "{" in line}
    assert len(users) == 7
    assert (
        "'Joined': '2023-11-17', 'Newsletter': False, 'Orders': 1, 'Spent': 49.9, 'name': 'José Fernandes'"
        in users["0008"]
    )
    assert "Orders" not in users["0009"]  # "n/a" is a missing value
    assert "9820054321" in users["0011"]  # fixed
    assert "Joined" not in users["0012"]  # the 31st of February was dropped


def test_daily(tmp_path: Path) -> None:
    """With a ledger: all rows, then the changed ones, then a load that is interrupted and continues."""
    lines = printed("daily.ipynb", tmp_path).splitlines()
    results = [line.split(";")[0] for line in lines if line.startswith("<LoadResult")]
    assert results == [
        "<LoadResult: 967 sent, 9 merged, 24 invalid",
        "<LoadResult: 4 sent, 973 unchanged, 24 invalid",
    ]
    assert "1 new user" in lines
    assert "interrupted: True, every row has its line: True" in lines
    assert "sent before: True; sent now: True; failed: 0" in lines


def test_quickstart(tmp_path: Path) -> None:
    """It checks and loads the sample customers and 2,000 events, and shows one of each from the sandbox."""
    lines = printed("quickstart.ipynb", tmp_path).splitlines()
    assert lines[0] == "5,000 rows: at most 5,000 calls"
    assert lines[1].startswith("<LoadResult: 4,854 sent, 146 invalid; 4,854 calls in ")
    assert lines[2] == "2,000 rows: at most 2,000 calls"
    assert lines[3].startswith("<LoadResult: 1,9")
    assert "'First name': " in lines[4]
    assert lines[5].startswith("2025-01-01T")
    assert lines[-1] == "4797 users, 1959 events"
