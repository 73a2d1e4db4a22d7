"""The bar in a notebook, in a real kernel: HTML that is updated in place, and nothing on standard error."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.sandbox import Sandbox, SandboxOptions
from tests.test_notebooks import with_this_interpreter

# Each message of the kernel, in order; in a process of its own, because the kernel client closes its sockets late.
RUN = """
import json, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
messages = []
try:
    client.execute_interactive(sys.argv[1], timeout=60, output_hook=lambda one: messages.append([one["msg_type"], one["content"]]))
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(json.dumps(messages))
"""  # noqa: E501


def messages_of(code: str, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Run a cell; return the type and the content of each message that it makes."""
    command = [sys.executable, "-c", RUN, code]
    env = with_this_interpreter(folder)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return [(kind, content) for kind, content in json.loads(done.stdout)]


def cell(sandbox: Sandbox, **options: Any) -> str:
    return (
        "import pandas as pd\nfrom interakt_loader import load_users\n"
        'frame = pd.DataFrame({"id": [None, *map(str, range(1, 40))]})\n'
        f"given = {{'api_key': {sandbox.api_key!r}, 'base_url': {sandbox.url!r}, 'workers': 2}} | {options!r}\n"
        'result = load_users(frame, {"user_id": "id"}, **given)'
    )


@pytest.mark.parametrize("widgets", [True, False])
def test_it_is_updated_in_place(tmp_path: Path, widgets: bool) -> None:
    """One output, from the first row to the last, whether there are widgets or not; nothing is red."""
    with Sandbox(SandboxOptions(latency=0.05)) as sandbox:
        code = cell(sandbox)
        if not widgets:
            code = "import sys\nsys.modules['ipywidgets'] = sys.modules['tqdm'] = None\n" + code
        found = messages_of(code, tmp_path)
    assert [content["text"] for kind, content in found if content.get("name") == "stderr"] == []
    assert "error" not in {kind for kind, _ in found}
    bars = [(kind, content) for kind, content in found if "text/html" in content.get("data", {})]
    assert [kind for kind, _ in bars[:1]] == ["display_data"]
    assert {kind for kind, _ in bars[1:]} == {"update_display_data"}
    assert len({content["transient"]["display_id"] for _, content in bars}) == 1
    now = [re.search(r'aria-valuenow="(\d+)"', content["data"]["text/html"]) for _, content in bars]
    percents = [int(one[1]) for one in now if one is not None]
    assert percents == sorted(percents)
    assert len(set(percents)) > 3
    last = bars[-1][1]["data"]
    assert "DataFrame: 40 of 40 rows, 1 failed, " in last["text/html"]
    assert last["text/plain"].startswith("DataFrame: 40 of 40 rows, 1 failed, ")
    assert "width:100.00%" in last["text/html"]


def test_what_a_name_says_is_text(tmp_path: Path, sandbox: Sandbox) -> None:
    """The name of a file is no markup, and no bar is shown where none is wanted."""
    name = "<img src=x onerror=alert(1)>.csv"
    (tmp_path / name).write_text("id\n1\n")
    code = cell(sandbox).replace("load_users(frame", f"load_users({str(tmp_path / name)!r}")
    found = messages_of(code, tmp_path)
    bars = [content["data"]["text/html"] for _, content in found if "text/html" in content.get("data", {})]
    assert bars
    assert all("<img" not in bar and "&lt;img" in bar for bar in bars)
    (tmp_path / "second").mkdir()
    hidden = messages_of(cell(sandbox, progress=False), tmp_path / "second")
    assert not [content for _, content in hidden if "data" in content]
