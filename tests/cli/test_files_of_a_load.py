"""The files of a load on the command line: one load, one name, whatever the day's file is called."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.cli import run
from interakt_loader.load.runs import COPIES, RECORDS
from interakt_loader.report.reading import read_report
from interakt_loader.sandbox import Sandbox, SandboxOptions

HEADER = "id,mobile,name,at"
GOOD = "1,9876543210,Asha,2026-11-28T10:00:00Z"
BAD = "2,12,=HYPERLINK(),2026-11-28T11:00:00Z"
MAPPING = "user_id: id\nphone: mobile\nevent: {value: Order Placed}\ncreated_at: at\ntraits: '*'\nconfirmed: true\n"


@pytest.fixture
def api(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox in place of the API, and a folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    return sandbox


def table(path: str, *rows: str) -> None:
    Path(path).write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def here() -> set[str]:
    return {path.name for path in Path().iterdir()}


def loaded(*arguments: str) -> int:
    return run([*arguments, "--mapping", "map.yaml", "-q"])


@pytest.fixture(autouse=True)
def _mapping(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(MAPPING)


def test_each_days_file_is_the_same_load(api: Sandbox) -> None:
    """One ledger, one report: what was in yesterday's file is not sent again."""
    table("orders-2026-11-28.csv", GOOD)
    table("orders-2026-11-29.csv", GOOD, GOOD.replace("1,", "3,", 1))
    assert [loaded("orders-2026-11-28.csv"), loaded("orders-2026-11-29.csv")] == [0, 0]
    assert api.stats().events == 2
    assert [one["status"] for one in read_report("orders.report.csv").to_pylist()] == ["unchanged", "sent"]
    made = {"orders.ledger", "orders.report.csv", "orders.runs"}
    assert here() == {"orders-2026-11-28.csv", "orders-2026-11-29.csv", "map.yaml", *made}


def test_another_number_is_another_load(api: Sandbox) -> None:
    """Two shops that say the same are two loads."""
    table("store-12.csv", GOOD)
    table("store-13.csv", GOOD)
    assert [loaded("store-12.csv"), loaded("store-13.csv")] == [0, 0]
    assert api.stats().events == 2
    assert here() >= {f"store-{number}.{what}" for number in (12, 13) for what in ("ledger", "report.csv", "runs")}


def test_a_name_that_is_given_goes_before(api: Sandbox) -> None:
    """All files are called by it, the mapping that is confirmed too."""
    table("a.csv", GOOD)
    Path("mine.mapping.yaml").write_text(MAPPING)
    assert run(["a.csv", "--name", "mine", "-q"]) == 0
    assert here() == {"a.csv", "map.yaml", "mine.mapping.yaml", "mine.ledger", "mine.report.csv", "mine.runs"}
    assert api.stats().events == 1


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\\b", "NUL", "x" * 300, "a\nb"])
def test_a_name_that_no_file_can_have_is_bad_usage(name: str, api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit 2, and nothing is written."""
    table("a.csv", GOOD)
    assert loaded("a.csv", "--name", name) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert here() == {"a.csv", "map.yaml"}


def test_a_dry_run_leaves_the_report_of_the_load(api: Sandbox) -> None:
    """It has one of its own, and makes nothing else."""
    table("orders.csv", GOOD, BAD)
    assert loaded("orders.csv", "--dry-run") == 1
    assert here() == {"orders.csv", "map.yaml", "orders.check.csv"}
    assert loaded("orders.csv") == 1
    before = {path: Path(path).read_bytes() for path in ("orders.report.csv", "orders.failures.csv")}
    assert loaded("orders.csv", "--dry-run") == 1
    assert {path: Path(path).read_bytes() for path in before} == before
    assert len([*Path("orders.runs").glob("*.json")]) == 1


def test_what_is_tried_out_in_the_sandbox_settles_nothing(api: Sandbox) -> None:
    """The rows of a failures file are still to be loaded."""
    table("orders.csv", BAD)
    assert loaded("orders.csv") == 1
    fixed("orders.failures.csv", mobile="9876543211")
    before = Path("orders.failures.csv").read_bytes()
    assert loaded("orders.failures.csv", "--sandbox") == 0
    assert Path("orders.failures.csv").read_bytes() == before
    assert not [*Path("orders.runs").glob("*.failures.csv")]


def test_the_first_line_says_which_ledger(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """And how much it knows; before the forecast, on standard error, and not where quiet is asked for."""
    table("orders.csv", GOOD, GOOD.replace("1,", "3,", 1))
    for first in ("ledger orders.ledger: new", "ledger orders.ledger: 2 rows on record"):
        assert run(["orders.csv", "--mapping", "map.yaml"]) == 0
        out, err = capsys.readouterr()
        assert err.splitlines()[0] == first
        assert "ledger" not in out
        assert len(err.splitlines()) == 2
    assert run(["orders.csv", "--mapping", "map.yaml", "--ledger", "none"]) == 0
    assert capsys.readouterr().err.startswith("no ledger: ")
    assert loaded("orders.csv") == 0
    assert capsys.readouterr().err == ""


def fixed(path: str, **values: str) -> None:
    """Correct cells of a failures file, as a person does."""
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, **values} for row in rows)


def test_rows_that_need_a_person_are_written_and_settled(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """With their own columns and what to do; fixed and loaded they are gone, and their source has nothing to send."""
    table("orders-2026-11-28.csv", GOOD, BAD)
    assert run(["orders-2026-11-28.csv", "--mapping", "map.yaml"]) == 1
    assert "\nto fix and load: orders.failures.csv\n" in capsys.readouterr().out
    with Path("orders.failures.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["interakt_hint"].startswith("Correct the number in the source.")
    assert row["interakt_hint"].endswith("load with --phones possible.")
    del row["interakt_hint"]
    assert row == {
        "id": "2",
        "mobile": "12",
        "name": "'=HYPERLINK()",
        "at": "2026-11-28T11:00:00Z",
        "interakt_row": "1",
        "interakt_code": "phone_invalid",
        "interakt_column": "mobile",
        "interakt_message": "mobile: '12' is not a valid phone number for +91: it is too short",
    }
    if os.name == "posix":
        assert stat.S_IMODE(Path("orders.failures.csv").stat().st_mode) == 0o600
        assert stat.S_IMODE(Path("orders.runs").stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in Path("orders.runs").iterdir()} == {0o600}
    fixed("orders.failures.csv", mobile="9876543211")
    assert loaded("orders.failures.csv") == 0
    assert not Path("orders.failures.csv").exists()
    event = next(one for one in api.events() if one.user_id == "2")
    assert event.traits == {"name": "=HYPERLINK()"}
    table("orders-2026-11-29.csv", GOOD, BAD.replace("12", "9876543211", 1))
    assert loaded("orders-2026-11-29.csv") == 0
    assert api.stats().events == 2


def test_a_failures_file_is_read_as_it_is_written(api: Sandbox) -> None:
    """Whatever the flags say of the file that its rows are from, and however a spreadsheet has saved it."""
    Path("orders.csv").write_text("1;9876543210;Zoë;2026-11-28T10:00:00Z\n2;12;Noël;2026-11-28T10:00:00Z\n", "cp1252")
    Path("map.yaml").write_text(
        "user_id: column_1\nphone: column_2\nevent: {value: Order Placed}\ncreated_at: column_4\ntraits: [column_3]\n"
    )
    flags = ["--encoding", "cp1252", "--delimiter", ";", "--no-header"]
    for encoding, delimiter in (("utf-8", ","), ("utf-16", "\t"), ("utf-8-sig", ";")):
        assert loaded("orders.csv", *flags) == 1
        fixed("orders.failures.csv", column_2="9876543211", column_1=f"2{delimiter.encode().hex()}")
        text = Path("orders.failures.csv").read_text(encoding="utf-8")
        rows = [*csv.reader(text.splitlines())]
        with Path("orders.failures.csv").open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows(rows)
        assert loaded("orders.failures.csv", *flags) == 0
    assert [one.traits for one in api.events() if one.user_id != "1"] == [{"column_3": "Noël"}] * 3


@pytest.mark.parametrize("sources", [["-"], ["a.csv", "b.csv"]], ids=["standard input", "several files"])
@pytest.mark.parametrize("time", ["created_at: at\n", ""], ids=["with a time", "by content alone"])
def test_the_failures_file_of_a_load_called_by_its_mapping_is_that_load(
    sources: list[str], time: str, api: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its source has another name, and yet it is known; then the source again, and nothing goes out twice."""
    Path("map.yaml").write_text(MAPPING.replace("created_at: at\n", time))
    table("a.csv", GOOD, BAD)
    table("b.csv", GOOD.replace("1,", "3,", 1))

    def load(*given: str) -> int:
        with Path("a.csv").open(encoding="utf-8") as file:
            monkeypatch.setattr("sys.stdin", file)
            return loaded(*given)

    assert load(*sources) == 1
    sent = api.stats().events
    fixed("map.failures.csv", mobile="9876543211")
    assert load("map.failures.csv") == 0
    table("a.csv", GOOD, BAD.replace("12", "9876543211", 1))
    assert api.stats().events == sent + 1
    if time or sources != ["-"]:
        assert load(*sources) == 0
    assert api.stats().events == sent + 1


def test_a_failures_file_without_its_columns_is_refused(api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing tells then how its values were written; one line says what to do."""
    table("orders.csv", BAD)
    assert loaded("orders.csv") == 1
    fixed = f"{HEADER}\n{BAD.replace('12', '9876543211', 1)}\n"
    Path("orders.failures.csv").write_text(fixed, encoding="utf-8")
    capsys.readouterr()
    assert loaded("orders.failures.csv") == 2
    assert "put its columns interakt_row, interakt_code" in capsys.readouterr().err
    assert (Path("orders.failures.csv").read_text(encoding="utf-8"), api.stats().events) == (fixed, 0)


@pytest.mark.parametrize("folder", [".", "./", "in/.."])
def test_a_folder_is_called_as_it_was_given(folder: str, api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in").mkdir()
    table("orders.csv", GOOD)
    assert loaded(folder) == 0
    assert capsys.readouterr().out.startswith((f"{folder}: 1 row ", "..: 1 row "))


def test_rows_that_still_fail_stay_in_the_failures_file(api: Sandbox) -> None:
    """Those that went out leave it; what it says of a row is of the last load."""
    table("orders.csv", BAD, BAD.replace("2,", "3,", 1), BAD.replace("2,", "4,", 1))
    assert loaded("orders.csv") == 1
    text = Path("orders.failures.csv").read_text(encoding="utf-8-sig")
    Path("orders.failures.csv").write_text(text.replace('"3","12"', '"3","9876543211"'), encoding="utf-8")
    assert loaded("orders.failures.csv") == 1
    with Path("orders.failures.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [(row["id"], row["interakt_row"]) for row in csv.DictReader(file)] == [("2", "0"), ("4", "2")]
    assert loaded("orders.failures.csv", "--limit", "1") == 1
    with Path("orders.failures.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["2", "4"]


def test_a_stopped_load_of_a_failures_file_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that it has not come to are nowhere else."""
    monkeypatch.chdir(tmp_path)
    table("orders.csv", *(BAD.replace("2,", f"{row},", 1) for row in range(10, 30)))
    with Sandbox(SandboxOptions()) as sandbox:
        monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
        monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
        assert loaded("orders.csv") == 1
        fixed("orders.failures.csv", mobile="9876543211")
        before = Path("orders.failures.csv").read_bytes()
        monkeypatch.setenv("INTERAKT_API_KEY", "another-key-that-is-refused")
        assert loaded("orders.failures.csv", "--ledger", "none") == 3
    assert Path("orders.failures.csv").read_bytes() == before


@pytest.mark.parametrize("column", ["interakt_row", "interakt_code", "interakt_column", "interakt_message"])
def test_what_is_said_beside_a_row_is_never_data(column: str, api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """In any table, be it by `"*"` or for `infer`; a column that only begins so is."""
    Path("users.csv").write_text(f"user_id,{column},interakt_id\nu1,x,y\n")
    assert run(["users.csv", "--map", "user_id=user_id", "-q"]) == 0
    (user,) = api.users()
    assert user.traits == {"interakt_id": "y"}
    capsys.readouterr()
    assert run(["infer", "users.csv", "--as", "users"]) == 0
    out = capsys.readouterr().out
    assert column not in out
    assert "interakt_id" in out


def test_a_pattern_leaves_out_the_files_of_earlier_loads(api: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    """Quoted or not, and says so: the second load reads what the first one read."""
    table("orders.csv", GOOD, BAD)
    for sources in (["*.csv"], ["*.csv"], sorted(path.name for path in Path().glob("*.csv")), ["orders*"]):
        assert run([*sources, "--mapping", "map.yaml", "--name", "orders"]) == 1
        assert read_report("orders.report.csv").num_rows == 2
    sources = sorted(path.name for path in Path().iterdir() if path.name.startswith("orders"))
    assert len(sources) == 5
    assert run([*sources, "--mapping", "map.yaml", "--name", "orders"]) == 1
    assert read_report("orders.report.csv").num_rows == 2
    assert api.stats().events == 1


def record() -> dict[str, Any]:
    """Return the last run's record."""
    newest = max(Path("orders.runs").glob("*.json"))
    found: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
    return found


def test_a_record_is_kept_of_each_run_without_personal_data(api: Sandbox) -> None:
    """Times, options, counts and codes; no id, phone, value, message, folder or key."""
    Path("asha").mkdir()
    table("asha/orders-2026-11-28.csv", GOOD, BAD)
    assert loaded("asha/orders-2026-11-28.csv", "--workers", "3") == 1
    found = record()
    assert (found["name"], found["sources"], found["options"]) == ("orders", ["orders-2026-11-28.csv"], {"workers": 3})
    assert (found["rows"], found["status"]["sent"], found["status"]["invalid"]) == (2, 1, 1)
    assert found["reasons"] == [{"status": "invalid", "code": "phone_invalid", "rows": 1}]
    assert (found["exit"], found["stopped"]) == (1, None)
    assert found["began"] < found["ended"]
    text = max(Path("orders.runs").glob("*.json")).read_text(encoding="utf-8")
    for personal in ("asha", "Asha", "987654", "HYPERLINK", "'12'", api.api_key, str(Path().absolute())):
        assert personal not in text


def test_the_last_records_and_the_last_reports_are_kept(api: Sandbox) -> None:
    """30 records and, beside the report of the last load, the two before it: each as it was."""
    reports = []
    for number in range(4):
        table("orders.csv", GOOD.replace("1,", f"{number},", 1))
        assert loaded("orders.csv") == 0
        reports.append(Path("orders.report.csv").read_bytes())
    assert [path.read_bytes() for path in sorted(Path("orders.runs").glob("*.report.csv"))] == reports[1:3]
    for number in range(RECORDS):
        Path(f"orders.runs/2020-01-01T00-00-{number:02}.000Z.json").write_text("{}")
    Path("orders.runs/mine.txt").write_text("not the loader's")
    assert loaded("orders.csv") == 0
    assert len([*Path("orders.runs").glob("*.json")]) == RECORDS
    assert Path("orders.runs/mine.txt").exists()
    assert COPIES == 2


def test_the_failures_file_before_is_kept_when_another_load_writes_it(api: Sandbox) -> None:
    """A person may have been at work in it; by its name it is the same load."""
    table("orders-2026-11-28.csv", BAD)
    table("orders-2026-11-29.csv", GOOD)
    assert loaded("orders-2026-11-28.csv") == 1
    fixed("orders.failures.csv", mobile="9876543211")
    assert loaded("orders-2026-11-29.csv") == 0
    assert not Path("orders.failures.csv").exists()
    (kept,) = Path("orders.runs").glob("*.failures.csv")
    kept.replace(kept.name)
    assert loaded(kept.name) == 0
    assert api.stats().events == 2
    assert "orders.ledger" in here()
    assert not [one for one in here() if re.fullmatch(r".+-2026.+\.(ledger|runs)", one)]


def test_a_refused_load_leaves_report_and_records(api: Sandbox) -> None:
    """Exit 2 before it begins: nothing has moved."""
    table("orders.csv", GOOD)
    assert loaded("orders.csv") == 0
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file() and ".ledger" not in path.name}
    table("orders.csv", GOOD)
    assert loaded("orders.csv", "--workers", "0") == 2
    assert loaded("orders.csv", "--html", "orders.csv") == 2
    assert loaded("orders.csv", "--event-id", "nothing") == 2
    assert {path: path.read_bytes() for path in before} == before
    assert len([*Path("orders.runs").glob("*")]) == 1


def test_a_folder_that_cannot_be_written_stops_no_load(api: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """It is a warning: every row is sent and reported."""
    table("orders.csv", GOOD)
    Path("orders.runs").write_text("a file in its place")
    assert loaded("orders.csv") == 0
    assert "orders.runs: the record of the load cannot be written" in caplog.text
    assert read_report("orders.report.csv").num_rows == 1


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_killed_run_has_a_record_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next run keeps its report."""
    monkeypatch.chdir(tmp_path)
    table("orders.csv", *(GOOD.replace("1,", f"{row},", 1) for row in range(40)))
    with Sandbox(SandboxOptions(latency=0.2)) as sandbox:
        env = {**os.environ, "INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url}
        command = [sys.executable, "-m", "interakt_loader", "orders.csv", "--mapping", "map.yaml", "--workers", "1"]
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while sandbox.stats().calls < 3:
                pass
            process.send_signal(signal.SIGKILL)
        assert (record()["ended"], record().get("exit")) == (None, None)
        monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
        monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
        assert loaded("orders.csv") == 0
    assert len([*Path("orders.runs").glob("*.json")]) == 2
    assert record()["exit"] == 0


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_load_without_a_report(form: str, api: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """`--report none`: nothing is written but the ledger, the record and the rows that need a person."""
    table("orders.csv", GOOD, BAD)
    assert loaded("orders.csv", "--report", "none", "--output", form) == 1
    out = capsys.readouterr().out
    assert "report" not in out if form == "text" else json.loads(out)["report"] is None
    assert here() == {"orders.csv", "map.yaml", "orders.ledger", "orders.failures.csv", "orders.runs"}


def test_the_file_of_the_key_and_the_mapping_are_not_written_over(
    api: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit 2."""
    table("orders.csv", GOOD)
    Path("orders.mapping.yaml").write_text(MAPPING)
    Path("key.csv").write_text(api.api_key)
    Path("key.csv").chmod(0o600)
    for arguments, why in (
        (["--api-key-file", "key.csv", "--report", "./key.csv"], "--report key.csv: is the file of the key too"),
        (
            ["--same-account", "--old-api-key-file", "key.csv", "--report", "./key.csv"],
            "--report key.csv: is the file of the old key too",
        ),
        (["--mapping", "map.yaml", "--html", "map.yaml"], "--html map.yaml: is the mapping too"),
        (["--html", "orders.mapping.yaml"], "--html orders.mapping.yaml: is the mapping too"),
        (["--html", "orders.runs/x.html"], "--html orders.runs/x.html: lies in orders.runs"),
        (["--html", "orders.failures.csv"], "--html orders.failures.csv: is the failures file too"),
        (["--html", "orders.report.csv"], "--html orders.report.csv: is the report too"),
    ):
        before = here()
        assert run(["orders.csv", "-q", *arguments]) == 2
        err = capsys.readouterr().err
        assert why in err
        assert err.count("\n") == 1
        assert here() == before


def test_standard_input_is_not_written_over(api: Sandbox) -> None:
    """Where it is a file."""
    table("orders.csv", GOOD)
    command = [sys.executable, "-m", "interakt_loader", "-", "--mapping", "map.yaml", "--report", "orders.csv"]
    with Path("orders.csv").open() as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is the source itself" in done.stderr
