"""Each real table by the mapping that a person would write: so many rows are sent, and so many refused, and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from interakt_loader import check
from interakt_loader.errors import UsageError
from interakt_loader.result import LoadResult
from interakt_loader.sandbox import Sandbox
from tests.conftest import SHARED_DATA
from tests.real_tables.catalogue import CASES, Case
from tests.real_tables.outcome import load_case


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{Path(case.path).name}-{case.name}")
def test_a_table_ends_as_its_source_implies(case: Case, shared_data: Path, sandbox: Sandbox) -> None:
    """Counts by status and code; what is sent is accepted by the sandbox, which judges for itself."""
    outcome = load_case(case, shared_data, sandbox)
    assert (outcome.sent, outcome.refused, outcome.noted) == (case.sent, case.refused, case.noted)
    assert outcome.rows == case.sent + sum(case.refused.values())


def _odd_files() -> list[Path]:
    folders = (SHARED_DATA / "csv_oddities", SHARED_DATA / "parquet_oddities")
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".md" and path.parent.name != "json"
    )


@pytest.mark.parametrize("path", _odd_files(), ids=lambda path: path.relative_to(SHARED_DATA).as_posix())
def test_an_odd_file_gives_rows_or_a_clear_refusal(path: Path) -> None:
    """Every row of it has one line, whose problem has a code and says what is wrong; none ends in a traceback."""
    outcome = _checked(path)
    if isinstance(outcome, UsageError):
        assert str(path) in str(outcome)
        assert "\n" not in str(outcome)
    else:
        assert outcome.stopped is None or str(path) in outcome.stopped.message
        _is_accounted_for(outcome)


def _checked(path: Path) -> LoadResult | UsageError:
    try:
        return check(path, {"user_id": {"value": "someone"}, "traits": "*"})
    except UsageError as error:
        return error


def _is_accounted_for(result: LoadResult) -> None:
    lines = result.to_arrow().to_pylist()
    assert len(lines) == result.rows
    assert set(Counter(line["status"] for line in lines)) <= {"unsent", "invalid"}
    for line in lines:
        if line["status"] == "invalid":
            assert line["code"]
            assert line["message"]
