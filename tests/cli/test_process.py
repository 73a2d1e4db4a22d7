"""The command line's own process, which is kept small."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from interakt_loader.privacy.process import import_on_empty_stack
from interakt_loader.sandbox import Sandbox

FRAME = pd.DataFrame({"customer_id": ["C1", "C2"], "mobile": ["98765 43210", "98765 43211"], "age": [24, None]})

SCRIPT = """
import os
import sys
from interakt_loader.__main__ import main
try:
    main()
finally:
    print(sorted({"pandas", "pyarrow", "pyarrow._s3fs"} & set(sys.modules)), file=sys.stderr)
    import pyarrow
    print(pyarrow.default_memory_pool().backend_name, file=sys.stderr)
"""

LOADED = """
import sys
from interakt_loader.__main__ import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl", ".feather", ".orc", ".xlsx"])
def test_a_load_imports_no_pandas(tmp_path: Path, ending: str) -> None:
    """Whatever the file's form, both rows are sent, and neither pandas nor Arrow's access to S3 is in memory."""
    table, path = FRAME.copy(), tmp_path / f"customers{ending}"
    {
        ".csv": lambda: table.to_csv(path, index=False),
        ".parquet": lambda: table.to_parquet(path, index=False),
        ".jsonl": lambda: table.to_json(path, orient="records", lines=True),
        ".feather": lambda: table.to_feather(path),
        ".orc": lambda: table.to_orc(path, index=False),
        ".xlsx": lambda: table.to_excel(path, index=False),
    }[ending]()
    flags = ["--map", "user_id=customer_id", "--map", "phone=mobile", "--sandbox", "--output", "json", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), *flags],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert json.loads(done.stdout)["status"]["sent"] == 2
    assert done.stderr.splitlines()[-2:] == ["['pyarrow']", "system"]


@pytest.mark.skipif(sys.platform != "linux" or (os.cpu_count() or 1) == 1, reason="counts the threads of two cores")
def test_numpy_starts_no_threads() -> None:
    """They would be for linear algebra, which a load never uses."""
    code = (
        "from interakt_loader.privacy.process import save_memory; save_memory(); import numpy, os; "
        "print(len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "1"


UNUSED = {
    *("pandas", "requests", "urllib3", "http.client", "ssl", "email.utils", "sqlite3", "jinja2", "tqdm", "yaml"),
    *("interakt_loader.mapping.infer.names", "interakt_loader.ledger", "interakt_loader.sandbox"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere `requests` asks the system for proxies")
def test_a_load_imports_only_what_it_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row of a CSV to an address of this machine, without a ledger: what is not needed costs no time."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    (tmp_path / "one.csv").write_text("id,phone\nC1,9876543210\n", encoding="utf-8")
    with Sandbox() as sandbox:
        monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
        flags = ["--map", "user_id=id", "--map", "phone=phone", "--base-url", sandbox.url, "--ledger", "none", "-q"]
        done = subprocess.run(
            [sys.executable, "-c", LOADED, "one.csv", *flags],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            timeout=60,
        )
    assert UNUSED & set(done.stderr.split()) == set()
    assert "pyarrow.csv" in done.stderr.split()


def test_a_module_is_imported_with_an_empty_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However deep the caller is: its own frames are not below the module's."""
    (tmp_path / "imported_on_empty_stack.py").write_text(
        "import sys, traceback\nNAMES = [frame.name for frame in traceback.extract_stack()]\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import_on_empty_stack("imported_on_empty_stack")
    names = sys.modules.pop("imported_on_empty_stack").NAMES
    assert "<module>" in names
    assert "test_a_module_is_imported_with_an_empty_stack" not in names


def test_help_imports_little() -> None:
    """What a load needs, and what only some commands need, would make it half as slow again."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    ours = {f"interakt_loader.{name}" for name in ("codes", "model", "load", "sources", "mapping")}
    assert {"logging", "json", "tempfile", "pyarrow", "numpy", *ours} & set(done.stderr.split()) == set()
    assert "interakt_loader.settings.settings" in done.stderr.split()


IMPORTED = """
import sys
from interakt_loader.privacy.process import import_arrow
import_arrow()
import pyarrow.compute as pc
from pyarrow.vendored.docscrape import dedent_lines
print("Individual characters" in pc.utf8_trim.__doc__, "numpy._core._add_newdocs" in sys.modules)
print(pc.utf8_trim(["..a"], characters=".").to_pylist(), dedent_lines([" a"]))
"""


def test_arrow_is_imported_without_the_text_of_its_help() -> None:
    """It works the same, and whoever imports what writes the text gets the real thing."""
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.splitlines(), done.stderr) == (["False False", "['a'] ['a']"], "")


def test_an_error_of_an_import_is_left_to_the_next_one(capfd: pytest.CaptureFixture[str]) -> None:
    import_on_empty_stack("interakt_loader.nothing_there")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("interakt_loader.nothing_there")
