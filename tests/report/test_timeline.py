"""What happened when, read back from a report, and the picture of it."""

from __future__ import annotations

import datetime as dt
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from interakt_loader import LoadResult, check, load_users
from interakt_loader.report.outcomes import OUTCOMES
from interakt_loader.report.reading import MOST_BINS, read_timeline
from interakt_loader.report.writer import Report
from interakt_loader.sandbox import Sandbox

BEGAN = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


def line(
    row: int, second: float, status: str = "sent", attempts: int = 1, latency: float | None = 20.0
) -> dict[str, Any]:
    return dict.fromkeys(OUTCOMES.names) | {
        "row": row,
        "status": status,
        "attempts": attempts,
        "latency_ms": latency,
        "finished_at": BEGAN + dt.timedelta(seconds=second),
    }


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    with Report(path) as report:
        for start in range(0, len(lines), 1000):
            report.write(pa.RecordBatch.from_pylist(lines[start : start + 1000], OUTCOMES))
    return path


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_every_row_and_call_is_in_a_bin(tmp_path: Path, ending: str) -> None:
    """Ten calls a second for 100 seconds, refused rows before and one after: nothing is left out, from any report."""
    lines = [line(row, -5.0, "invalid", 0, None) for row in range(7)]
    lines += [line(7 + row, row / 10, attempts=2 if row % 100 == 0 else 1) for row in range(1000)]
    lines += [line(1007, 200.0, "unsent", 0, None)]
    random.Random(1).shuffle(lines)
    timeline = read_timeline(written(tmp_path / f"report{ending}", lines))
    assert timeline is not None
    assert timeline.began == BEGAN.timestamp()
    assert timeline.seconds == pytest.approx(99.9)
    assert (sum(timeline.calls), sum(timeline.rows["sent"])) == (1010, 1000)
    assert (timeline.rows["invalid"][0], sum(timeline.rows["invalid"])) == (7, 7)
    assert (timeline.rows["unsent"][-1], sum(timeline.rows["unsent"])) == (1, 1)
    assert max(timeline.calls) - min(timeline.calls) <= 3
    assert len(timeline.calls) <= MOST_BINS


def test_percentiles_are_near_the_true_ones(tmp_path: Path) -> None:
    """Within the 6 % of a step, from a wide spread of answer times."""
    rng = np.random.default_rng(3)
    times = rng.lognormal(4, 1, 5_000)
    lines = [line(row, 0.0 if row else 1.0, latency=float(one)) for row, one in enumerate(times)]
    timeline = read_timeline(written(tmp_path / "report.parquet", lines))
    assert timeline is not None
    for percent, found in timeline.latency.items():
        assert found[0] == pytest.approx(float(np.percentile(times[1:], percent)), rel=0.06)


def test_a_report_without_calls(tmp_path: Path) -> None:
    """A dry run's, and one without a line: there is nothing to show over time."""
    assert read_timeline(written(tmp_path / "a.parquet", [line(0, 0.0, "unsent", 0, None)])) is None
    assert read_timeline(written(tmp_path / "b.jsonl", [])) is None
    assert read_timeline(written(tmp_path / "c.csv", [])) is None


def test_one_call_alone(tmp_path: Path) -> None:
    """The first is the last: its bins have a width all the same."""
    timeline = read_timeline(written(tmp_path / "a.parquet", [line(0, 0.0)]))
    assert timeline is not None
    assert timeline.seconds > 0
    assert sum(timeline.calls) == 1


def _texts(result: LoadResult) -> set[str]:
    from matplotlib.text import Text

    found: list[Any] = result.plot().findobj(Text)
    return {one.get_text() for one in found}


def test_the_plot_of_a_load(sandbox: Sandbox) -> None:
    """Four charts with the limit and the counts, and a notebook shows it as PNG."""
    users = pa.table({"id": [*map(str, range(300)), None]})
    result = load_users(users, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url, rate_limit="900/s")
    texts = _texts(result)
    assert {"Rows done", "Calls a second", "Answer times, ms", "Outcomes"} <= texts
    assert {"limit: 900/s", " 300", " 1", "sent", "invalid"} <= texts
    assert result.plot()._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_the_plot_of_a_check() -> None:
    """Without calls there are the outcomes alone."""
    result = check(pa.table({"id": ["1", None]}), {"user_id": "id"})
    assert len(result.plot().axes) == 1


def test_the_plot_of_an_outage() -> None:
    """Calls were made and none was answered: what is known is drawn all the same."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    result = load_users(pa.table({"id": ["1", "2"]}), {"user_id": "id"}, api_key="key", base_url=url, max_outage=0.2)
    assert result.unsent == 2
    assert {"Rows done", "Outcomes", " 2"} <= _texts(result)


def test_without_matplotlib_one_line_says_what_to_install() -> None:
    """One line, and no traceback of the import."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import pyarrow as pa\n"
        "from interakt_loader import check, UsageError\n"
        "try: check(pa.table({'id': ['1']}), {'user_id': 'id'}).plot()\n"
        "except UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "plot() needs matplotlib: pip install matplotlib"
