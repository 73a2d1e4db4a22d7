"""What a shell offers after TAB, asked for as a shell does, and once by a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, CompletionItem

from interakt_loader.cli.commands import cli
from interakt_loader.cli.options import presets
from interakt_loader.mapping.presets import presets as all_presets

FILE = ("file", "")

_WATCHED = """
import sys
from pathlib import Path
from interakt_loader.__main__ import main
try:
    main()
finally:
    Path("modules").write_text("\\n".join(sys.modules))
"""


def offered(*words: str) -> list[str | tuple[str, str]]:
    """What is offered for the last of these words: texts, and `FILE` where the shell is to look for files."""
    asked = BashComplete(cli, {}, "interakt-loader", "_INTERAKT_LOADER_COMPLETE")
    items: list[CompletionItem] = asked.get_completions(list(words[:-1]), words[-1])
    return [FILE if one.type == "file" else one.value for one in items]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--max-r"], ["--max-retries"]),  # a flag of `load` needs no verb
        (["--vers"], ["--version"]),
        ([""], [FILE, "baseline", "demo", "history", "infer", "key", "load", "pull", "run", "sandbox", "verify"]),
        (["de"], [FILE, "demo"]),
        (["customers.csv", "--dry"], ["--dry-run"]),
        (["customers.csv", ""], [FILE]),
        (["customers.csv", "--mapping", "m"], [FILE]),
        (["customers.csv", "--mapping", "preset:zoho"], ["preset:zoho-contacts"]),
        (["customers.csv", "--report", "r"], [FILE]),
        (["customers.csv", "--ledger", "l"], [FILE]),
        (["customers.csv", "--html", "l"], [FILE]),
        (["customers.csv", "--api-key-file", "k"], [FILE]),
        (["customers.csv", "--on-unknown", ""], ["resend", "skip"]),
        (["customers.csv", "--preset", "shop"], ["shopify-customers", "shopify-orders"]),
        (["infer", ""], [FILE]),
        (["infer", "--preset", "zoho"], ["zoho-contacts"]),
        (["key", "--"], ["--api-key-file", "--ask-key", "--base-url", "--timeout", "--output", "--help"]),
        (["key", "--output", ""], ["text", "json"]),
        (["sandbox", "--la"], ["--latency"]),
    ],
    ids=str,
)
def test_what_is_offered(words: list[str], expected: list[str | tuple[str, str]]) -> None:
    """Flags, commands, choices, presets and files, each where it can stand."""
    assert offered(*words) == expected


def test_every_preset_is_offered() -> None:
    """By the names of their files, which nothing has to be read for."""
    names = [one.value for one in presets(None, None, "")]  # type: ignore[arg-type]
    assert sorted(names) == sorted(all_presets())


def test_a_real_bash_completes(tmp_path: Path) -> None:
    """By the line that docs/cli.md has for .bashrc; and what answers it has imported no table library."""
    bash = shutil.which("bash")
    if bash is None or os.name == "nt":
        pytest.skip("there is no bash that could complete a command of this system")
    program = tmp_path / "interakt-loader"
    program.write_text(f"#!{sys.executable}\n{_WATCHED}", encoding="utf-8")
    program.chmod(0o755)
    script = """
        eval "$(_INTERAKT_LOADER_COMPLETE=bash_source interakt-loader)"
        complete -p interakt-loader
        COMP_WORDS=(interakt-loader customers.csv --max-r) COMP_CWORD=2
        _interakt_loader_completion interakt-loader
        echo "${COMPREPLY[@]}"
    """
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    said = done.stdout.splitlines()
    assert said[0].endswith("-F _interakt_loader_completion interakt-loader")
    assert said[1] == "--max-retries"
    imported = set((tmp_path / "modules").read_text(encoding="utf-8").split())
    assert "interakt_loader.cli.commands" in imported
    assert {"pyarrow", "pandas", "yaml", "requests", "phonenumbers"} & imported == set()
