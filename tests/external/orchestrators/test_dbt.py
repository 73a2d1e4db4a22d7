"""The script of docs/orchestrators.md with a real dbt, on DuckDB."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interakt_loader.sandbox import Sandbox
from tests.snippets import ROOT

PROJECT = "name: shop\nversion: '1.0'\nprofile: shop\nflags: {send_anonymous_usage_stats: false}\n"
PROFILES = "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n"
MODEL = "select *, date '2025-01-01' as updated_at from read_csv('customers.csv', all_varchar = true)\n"


@pytest.fixture
def project(shop: Path) -> Path:
    """Make a project of dbt with one model, in the folder of the page's files."""
    (shop / "models").mkdir()
    (shop / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    (shop / "profiles.yml").write_text(PROFILES, encoding="utf-8")
    (shop / "models" / "customers.sql").write_text("{{ config(materialized='table') }}\n" + MODEL, encoding="utf-8")
    return shop


def ran(project: Path) -> subprocess.CompletedProcess[str]:
    """Run the script of the page, as a reader does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where dbt is
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path}
    command = [sys.executable, "interakt_dbt.py"]
    return subprocess.run(
        command, cwd=project, env=environment, check=False, capture_output=True, text=True, timeout=110
    )


def test_what_dbt_has_built_is_loaded(project: Path, sandbox: Sandbox) -> None:
    """Only what changed since the last build is sent again."""
    first = ran(project)
    assert first.returncode == 0, first.stdout + first.stderr
    assert {user.user_id: user.traits for user in sandbox.users()} == {"c1": {"city": "Pune"}, "c2": {"city": "Delhi"}}
    (project / "customers.csv").write_text(
        (project / "customers.csv").read_text(encoding="utf-8").replace("Delhi", "Goa"), encoding="utf-8"
    )
    assert ran(project).returncode == 0
    assert sandbox.stats().calls == 3


def test_nothing_is_sent_if_the_build_fails(project: Path, sandbox: Sandbox) -> None:
    """A model with an error ends the script before the load."""
    (project / "models" / "customers.sql").write_text("select nothing from nowhere\n", encoding="utf-8")
    assert ran(project).returncode == 1
    assert sandbox.stats().calls == 0
