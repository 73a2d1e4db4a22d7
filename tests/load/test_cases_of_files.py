"""The inputs of the shared folder that went wrong as files: what the command line makes of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interakt_loader.cli import run
from interakt_loader.sandbox import Sandbox
from tests.conftest import SHARED_DATA

CASES = SHARED_DATA.parent / "cases"

Traits = dict[str, dict[str, Any]]


def loaded(arguments: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    """Load one of the files into the sandbox and return the exit code."""
    if not CASES.is_dir():
        pytest.skip(f"the inputs that went wrong are not at {CASES}")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    name, *rest = arguments.split()
    return run(
        [str(CASES / name), *rest, "--base-url", sandbox.url, "--ledger", "none", "--quiet", "--report", "r.csv"]
    )


@pytest.mark.parametrize(
    ("arguments", "exit_code", "users"),
    [
        ("cat_bom.csv --map user_id=id", 1, {"1": {"name": "Ann"}, "2": {"name": "Bob"}}),
        ("repeat_hdr.csv.gz --map user_id=id", 1, {"1": {"name": "A"}, "2": {"name": "B"}}),
        ("eq_text.csv --map user_id=id --trait zip=zip", 0, {"001": {"zip": "00123"}, "002": {"zip": "00456"}}),
        ("trailing.csv --map user_id=id --trait name=name", 0, {"1": {"name": "Ann"}, "2": {"name": "Bob"}}),
        ("dup.csv --map user_id=id --trait name=name", 0, {"1": {"name": "Ann"}}),
        ("dsstore.zip --map user_id=id", 0, {"1": {"name": "A"}}),
        ("hdr_spaces.csv --map user_id=id", 0, {"1": {"name": "Ann"}}),
        ("sep.csv --map user_id=id", 0, {"1": {"name": "Ann"}}),
        (
            "error_cells.xlsx --map user_id=customer_id --trait tier=tier",
            1,
            {"c2": {"tier": "gold"}, "c3": {"tier": "gold"}},
        ),
        (
            "error_cells.xlsx --map user_id=customer_id --trait tier=tier --trait spent=spent --bad-values drop",
            0,
            {"c1": {}, "c2": {"tier": "gold", "spent": 2}, "c3": {"tier": "gold", "spent": 5}},
        ),
        (
            "error_cells.xlsx --map user_id=customer_id --trait tier=tier --nulls clear",
            1,
            {"c2": {"tier": "gold"}, "c3": {"tier": "gold"}},
        ),
        ("nocache.xlsx --map user_id=id --trait v=v", 1, {}),
        ("really_xlsx.xls --map user_id=id", 1, {}),
        ("bigid.xlsx --map user_id=id", 1, {}),
        ("long_ascii_line.csv --map user_id=id --trait name=name", 0, None),
        (
            "turkish.csv --map user_id=id --trait district=district --encoding cp1254",
            0,
            {"1": {"district": "Şişli"}, "2": {"district": "Beşiktaş"}},
        ),
    ],
)
def test_what_can_be_read_is_sent(
    arguments: str,
    exit_code: int,
    users: Traits | None,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """And what cannot is in the report."""
    assert loaded(arguments, sandbox, monkeypatch, tmp_path) == exit_code
    if users is not None:
        assert {user.user_id: user.traits for user in sandbox.users()} == users


def test_indexes_are_no_traits(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that pandas writes into CSV and Parquet."""
    for name in ("to_csv_index.csv", "index_level.parquet"):
        assert loaded(f"{name} --map phone=mobile --trait name=name --trait n=n", sandbox, monkeypatch, tmp_path) == 0
    assert {trait for user in sandbox.users() for trait in user.traits} == {"name", "n"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("parts1 --map user_id=customer_id", "b.csv: lacks 'customer_id'"),
        ("parts2 --map user_id=customer_id", "b.csv: lacks 'customer_id'"),
        ("two_headers.xlsx", "the first two rows both hold names"),
        ("empty.zip --map user_id=id", "the zip file holds no file"),
        ("turkish.csv --map user_id=id --trait district=district", "give it: --encoding NAME"),
        ("dup.csv --map user_id=id --trait note=note", "more than one column is called note"),
    ],
)
def test_what_cannot_be_told_is_refused_before_anything_is_sent(
    arguments: str,
    said: str,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 2, one line."""
    assert loaded(arguments, sandbox, monkeypatch, tmp_path) == 2
    assert said in capsys.readouterr().err
    assert sandbox.stats().calls == 0


@pytest.mark.parametrize("field", ["user_id", "phone", "country_code", "event", "created_at", "tags", "trait"])
def test_an_error_in_any_field_makes_the_row_invalid(
    field: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Row 0 has #N/A there, row 1 a value."""
    openpyxl: Any = pytest.importorskip("openpyxl", reason="openpyxl, which writes the workbooks, is not installed")
    values = {
        "id": "a", "phone": "9876543210", "country": "IN", "ev": "E", "at": "2024-05-13", "tags": "x", "city": "Pune"
    }  # fmt: skip
    columns = dict(
        zip(["user_id", "phone", "country_code", "event", "created_at", "tags", "trait"], values, strict=True)
    )
    book = openpyxl.Workbook()
    for row in (list(values), list((values | {columns[field]: "#N/A"}).values()), [*values.values()]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    kind = "events" if field == "event" else "users"
    maps = ["user_id", "phone", "country_code", "created_at", *(["event"] if kind == "events" else ["tags"])]
    flags = [f"--map={name}={columns[name]}" for name in maps]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    arguments = ["t.xlsx", *flags, "--trait=city=city", f"--base-url={sandbox.url}", "--report=r.csv", "--as", kind]
    assert run([*arguments, "--ledger=none", "--quiet"]) == 1
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert "invalid" in lines[1]
    assert f'"cell_error","{columns[field]}"' in lines[1]
    assert "cell_error" not in lines[2]
