"""Where the report and the ledger of a task are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from interakt_loader.errors import SettingsError
from interakt_loader.integrations.airflow.files import refuse_one_report, with_files
from interakt_loader.integrations.airflow.source import shown_source

ROWS = [{"phone": "+91 98765 43210", "email": "asha@example.com"}] * 3


def report(source: Any, folder: str, task: Any = (), **options: Any) -> str:
    """Return the name of the report of a source in a folder; the ledger goes with it."""
    files = with_files(shown_source(source), {"report": folder, **options}, task)
    name = Path(files["report"]).name
    assert Path(files["report"]).parent == Path(folder)
    assert files["ledger"] == str(Path(folder) / name.replace(".report.csv", ".ledger"))
    return name


def test_the_ledger_goes_with_the_report() -> None:
    """A report that is given has its ledger beside it, and a ledger that is given stays."""
    assert with_files("in/a.csv", {"report": "out/b.report.csv"})["ledger"] == "out/b.ledger"
    assert with_files("in/a.csv", {"ledger": "all.ledger"})["report"] == "in/a.report.csv"
    assert with_files("in/a.csv", {"ledger": None})["ledger"] is None


def test_a_name_makes_one_load_of_each_days_file() -> None:
    """Report and ledger go by it; without it, each source has its own, so that tasks do not wait for one another."""
    days = ("in/orders-2026-11-28.csv", "in/orders-2026-11-29.csv")
    named = [with_files(day, {"name": "orders"}) for day in days]
    assert [(one["report"], one["ledger"]) for one in named] == [("in/orders.report.csv", "in/orders.ledger")] * 2
    own = [with_files(day, {}) for day in days]
    assert len({one["report"] for one in own} | {one["ledger"] for one in own}) == 4
    assert with_files(days[0], {"name": "orders", "report": "out/a.csv"})["ledger"] == "out/orders.ledger"
    with pytest.raises(SettingsError, match="name 'a/b' holds"):
        with_files(days[0], {"name": "a/b"})


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (ROWS, "is <list of 3 rows>"),
        ("phone\n+91 98765 43210", "is <str>"),
        ("s3://user:secret@bucket/a.csv", "is at an address"),
        (UPath("memory://bucket/a.csv"), "is at an address"),
    ],
    ids=str,
)
def test_beside_rows_and_addresses_there_is_no_place_for_a_report(source: Any, shown: str) -> None:
    """Only a path names a file. The line that asks for a report shows no row."""
    expected = f"report: give a path, or a folder that ends in /: the source {shown}, and nothing can be put beside it"
    with pytest.raises(SettingsError) as refused:
        with_files(shown_source(source), {})
    assert str(refused.value) == expected


def test_a_folder_has_a_report_and_a_ledger_for_each_source(tmp_path: Path) -> None:
    """A source of the folder itself goes by its name. Of another, the name is followed by a hash of where it is, so
    that sources with equal names differ, and each has the same files in each try."""
    folder, other = str(tmp_path), str(tmp_path / "new" / "folder") + "/"
    assert report(tmp_path / "orders.csv", folder) == "orders.report.csv"
    first, again, second = (report(one, other) for one in ("in/orders.csv", "./in/orders.csv", "archive/orders.csv"))
    assert first == again != second
    for name in (first, second):
        assert name.removeprefix("orders-").removesuffix(".report.csv").isalnum()
    assert Path(other).is_dir()
    assert report("s3://user:one@bucket/orders.csv", other) == report("s3://user:two@bucket/orders.csv", other)
    assert report(["in/a.csv", "in/b.csv"], other) != report(["in/a.csv", "in/c.csv"], other)
    assert report("in/orders.csv", other, name="orders") == "orders.report.csv"


def test_the_pages_of_a_folder_go_by_the_same_names(tmp_path: Path) -> None:
    """As a file, a page stays where it is."""
    own = str(tmp_path / "pages") + "/"
    files = with_files("in/orders.csv", {"report": f"{tmp_path}/", "html": own})
    assert Path(files["html"]).parent == tmp_path / "pages"
    assert Path(files["html"]).stem == Path(files["report"]).name.removesuffix(".report.csv")
    assert with_files("in/orders.csv", {"html": "out/a.html"})["html"] == "out/a.html"


def test_two_queries_of_a_database_do_not_share_a_report(tmp_path: Path) -> None:
    """The address is the same, and its password is in no name."""
    address = "postgresql://reader:secret@db/shop"
    users, orders = (report(address, str(tmp_path), query=query) for query in ("TABLE users", "TABLE orders"))
    assert users != orders
    assert users.startswith("shop-")


def test_two_parts_of_a_file_do_not_share_a_report(tmp_path: Path) -> None:
    """Also if the file is in the folder of the reports."""
    source, folder = tmp_path / "orders.csv", str(tmp_path)
    assert len({report(source, folder, where=where) for where in (None, "city = 'Pune'", "city = 'Agra'")}) == 3


@pytest.mark.parametrize(("given", "shown"), [(5, "an int"), (["a.csv"], "a list")])
def test_a_report_that_is_no_path_is_one_line(given: Any, shown: str) -> None:
    with pytest.raises(SettingsError, match=f"^report is {shown}; expected a path$"):
        with_files("a.csv", {"report": given})


def test_rows_in_a_folder_have_the_name_of_their_task(tmp_path: Path) -> None:
    """Each run and each mapped task has its own files; a row names none."""
    folder = str(tmp_path)
    names = [report(ROWS, folder, ("dag", run, index, "load")) for run in ("one", "two") for index in (0, 1)]
    assert len(set(names)) == 4
    assert all(name.startswith("load-") for name in names)
    assert names[0] == report([{"phone": "1"}], folder, ("dag", "one", 0, "load"))
    with pytest.raises(SettingsError, match=r"give the path of a file, or name: the source <list of 3 rows> has no"):
        report(ROWS, folder)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"^report .*/file/reports/: the folder cannot be made: Not a directory$"):
        with_files("a.csv", {"report": f"{tmp_path}/file/reports/"})


@pytest.mark.parametrize("place", ["s3://bucket/", UPath("memory://bucket/a.report.csv")], ids=str)
@pytest.mark.parametrize("name", ["report", "ledger"])
def test_what_a_load_writes_is_on_this_machine(name: str, place: Any) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: is at an address; expected a path on this machine"):
        with_files("a.csv", {name: place})
    assert with_files("a.csv", {"report": UPath("file:///out/b.report.csv")})["report"] == "/out/b.report.csv"


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ({"report": "out/a.csv"}, {"report": "out/a.csv"}),
        ({"report": "{{ params.folder }}/{{ ds }}.csv"}, {"report": "out/2026-11-28.csv"}),
        ({"options": {"report": "out/a.csv"}}, {"report": "out/a.csv"}),
        ({"options": {"name": "orders"}}, {"name": "orders"}),
        ({"options": {"html": "out/a.html"}}, {"html": "out/a.html"}),
        ({"source": "in/orders.csv"}, {}),
        ({"source": ["in/orders.csv", "in/more.csv"]}, {}),
        ({"source": "in/orders.csv"}, {"where": "city = 'Pune'"}),
        (
            {"source": "in/orders.csv", "report": "out/", "options": {"where": "city = 'Pune'"}},
            {"report": "out/", "where": "city = 'Pune'"},
        ),
    ],
)
def test_one_report_for_all_mapped_tasks_is_refused(written: dict[str, Any], options: dict[str, Any]) -> None:
    """In one line that says what to give instead."""
    with pytest.raises(
        SettingsError, match=r"^(report|html) .*: all mapped tasks would write it; give a folder that ends in /"
    ):
        refuse_one_report("in/orders.csv", options, written)


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ({}, {}),
        ({"report": "out/"}, {"report": "out/"}),
        ({"report": "out/{{ ti.map_index }}.csv"}, {"report": "out/0.csv"}),
        ({"options": {"report": "{{ task.source }}.report.csv"}}, {"report": "in/orders.csv.report.csv"}),
        ({}, {"report": "out/a.csv"}),
        ({"options": {"html": "out/"}}, {"html": "out/"}),
        ({"source": "in/orders.csv", "report": "out/"}, {"report": "out/", "where": "city = 'Pune'"}),
    ],
)
def test_mapped_tasks_with_reports_of_their_own_are_not_refused(
    written: dict[str, Any], options: dict[str, Any]
) -> None:
    """Fields that are not there come from `expand`, and differ."""
    refuse_one_report("in/orders.csv", options, written)
