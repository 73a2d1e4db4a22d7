"""The sample data is made by its generator, and does what the demo says of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from interakt_loader import check
from interakt_loader.cli import run
from interakt_loader.sandbox.demo_data import write_sample_data

SHIPPED = Path(__file__).resolve().parents[1] / "sample_data"


def test_the_generator_makes_the_shipped_files_again(tmp_path: Path) -> None:
    """Same seed, same tables, same mapping files."""
    write_sample_data(tmp_path)
    for name, rows in (("users", 5_000), ("events", 20_000)):
        made, shipped = (pq.read_table(folder / f"{name}.parquet") for folder in (tmp_path, SHIPPED))
        assert shipped.num_rows == rows
        # compared as text: some users have spent NaN, which equals nothing
        assert made.schema == shipped.schema
        assert made.to_pydict().__repr__() == shipped.to_pydict().__repr__()
        mapping = f"{name}.mapping.yaml"
        assert (tmp_path / mapping).read_bytes() == (SHIPPED / mapping).read_bytes()


@pytest.mark.parametrize("name", ["users", "events"])
def test_a_few_per_cent_are_invalid_for_reasons_that_differ(name: str) -> None:
    """The mess that real exports have: one to five per cent, each with its reason."""
    result = check(SHIPPED / f"{name}.parquet", SHIPPED / f"{name}.mapping.yaml")
    assert 0.01 < result.invalid / result.rows < 0.05
    assert len({reason.code for reason in result.summary.top_reasons()}) >= 2


def test_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It loads users and events, shows three users of the sandbox, and says where the reports lie."""
    assert run(["demo", "--rows", "300", "--folder", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "users.parquet: 300 rows as users" in out
    assert "events.parquet: 300 rows as events" in out
    assert '"First name"' in out
    for name in ("users", "events"):
        assert (tmp_path / f"{name}.report.csv").exists()
        assert f"{name}.report.csv" in out
