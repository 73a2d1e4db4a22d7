"""What Airflow's own API shows of a load: the link to its page, and the event of the asset that it updates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.external.airflow.live.processes import LiveAirflow
from tests.external.airflow.test_dags import write


@pytest.mark.parametrize(
    ("html_url", "page"), [("", None), ("https://pages.example/interakt/", "load 1.html"), ("", "a.html")]
)
def test_the_link_of_a_task_leads_to_its_page(
    live: LiveAirflow, tmp_path: Path, html_url: str, page: str | None
) -> None:
    """At the address where the folder is served, or as a file. A task without a page has no link."""
    source = write(tmp_path / "a.parquet", ["u1", "u2"])
    html = "" if page is None else str(tmp_path / page)
    run = live.trigger("with_asset_and_page", source=source, html=html, html_url=html_url)
    assert live.ended(run) == "success"
    expected = None if page is None else (tmp_path / page).as_uri() if not html_url else f"{html_url}load%201.html"
    links = live.ask("GET", f"{run}/taskInstances/load/links")
    assert links["extra_links"] == {"Interakt load": expected}
    assert page is None or (tmp_path / page).exists()


def test_a_load_that_failed_has_its_link_too(live: LiveAirflow, tmp_path: Path) -> None:
    """That is when somebody looks at the page. Its asset has no event."""
    source = write(tmp_path / "a.parquet", ["u1", None])
    run = live.trigger("with_asset_and_page", source=source, html=str(tmp_path / "a.html"))
    assert live.ended(run) == "failed"
    links = live.ask("GET", f"{run}/taskInstances/load/links")["extra_links"]
    assert links == {"Interakt load": (tmp_path / "a.html").as_uri()}
    assert events(live, run) == []


def test_the_event_of_an_asset_has_the_counts(live: LiveAirflow, tmp_path: Path) -> None:
    """What a DAG that waits for the asset can read."""
    run = live.trigger("with_asset_and_page", source=write(tmp_path / "a.parquet", ["u1", "u2"]))
    assert live.ended(run) == "success"
    (event,) = events(live, run)
    extra = event["extra"]
    assert event["uri"] == "interakt://api.interakt.ai/users"
    assert (extra["kind"], extra["rows"], extra["status"]["sent"]) == ("user", 2, 2)


def events(live: LiveAirflow, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = live.ask("GET", "/assets/events")["asset_events"]
    return [one for one in found if one["source_run_id"] == run.rpartition("/")[2]]
