"""Which partition a user belongs to, where the ledger is, and how much a task may call. Without Spark."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.errors import SettingsError
from interakt_loader.integrations.spark.load import (
    _hidden,
    absolute,
    check_apart,
    check_fields,
    check_path,
    check_secrets,
    choose_count,
    default_ledger,
    places_of,
    session_of,
    settings_of,
    settings_of_task,
)
from interakt_loader.integrations.spark.task import (
    CALLS,
    LINES,
    buckets,
    ddl,
    part_of,
)
from interakt_loader.mapping import Mapping
from interakt_loader.privacy.secret_places import SecretPlace
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate, hidden_share


def bucket_list(ordering_keys: list[str | None], count: int) -> list[int]:
    batch = pa.RecordBatch.from_pydict(
        {"row": pa.array(range(len(ordering_keys)), pa.int64()), "ordering_key": pa.array(ordering_keys, pa.string())}
    )
    found: list[int] = buckets(batch, count).to_pylist()
    return found


@given(
    st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "+919876543210", "ü"])), max_size=20), st.integers(1, 9)
)
def test_all_rows_of_a_user_have_one_bucket(ordering_keys: list[str | None], count: int) -> None:
    """In whichever batch they are. Rows without a user have any bucket."""
    found = bucket_list(ordering_keys, count)
    assert all(0 <= one < count for one in found)
    for ordering_key, one in zip(ordering_keys, found, strict=True):
        assert ordering_key is None or one == bucket_list([ordering_key], count)[0]


def test_a_bucket_is_the_same_in_every_process() -> None:
    """Python's hashes of text differ from run to run: two tasks would send the rows of one user."""
    code = (
        "import pyarrow as pa; from interakt_loader.integrations.spark.task import buckets;"
        "lanes = [f'user-{n}' for n in range(50)];"
        "print(buckets(pa.RecordBatch.from_pydict({'row': list(range(50)), 'ordering_key': lanes}), 7).to_pylist())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] == f"{bucket_list([f'user-{n}' for n in range(50)], 7)}\n"


def test_users_are_spread_evenly() -> None:
    """Ten thousand users over eight tasks: none has a tenth more than the others."""
    found = bucket_list([f"customer-{n}" for n in range(10_000)], 8)
    assert max(found.count(one) for one in range(8)) < 1.1 * 10_000 / 8


@given(st.integers(1, 100_000), st.sampled_from([1.0, 60.0, 3600.0]), st.integers(1, 64))
def test_the_parts_never_exceed_the_whole(calls: int, seconds: float, count: int) -> None:
    """Whole calls each, and no more together than the account allows; less than a call each is refused."""
    rate = Rate(float(calls), seconds)
    if calls < count:
        with pytest.raises(SettingsError, match="less than a call each"):
            part_of(rate, count)
        return
    part = part_of(rate, count)
    assert part.seconds == seconds
    assert part.calls == int(part.calls) >= 1
    assert calls - count < part.calls * count <= calls


def test_the_settings_of_a_task() -> None:
    """Its part of the rate; all of it with a shared clock; None without a rate."""
    local = {"base_url": "http://127.0.0.1:1"}
    assert settings_of_task(Settings(rate_limit="300/min"), 4).rate_limit == Rate(75, 60)
    assert settings_of_task(Settings(rate_limit="growth"), 4).rate_limit == Rate(75, 60)
    assert settings_of_task(Settings(rate_limit="300/min", share="redis://host"), 4).rate_limit == Rate(300, 60)
    assert settings_of_task(Settings(rate_limit="none"), 4).rate_limit is None
    assert settings_of_task(Settings(rate_limit="auto", **local), 4).rate_limit is None  # type: ignore[arg-type]


def test_the_number_of_partitions() -> None:
    """The given one, else as many as can run. It may differ from load to load."""
    assert choose_count(None, 8) == 8
    assert choose_count(5, 8) == 5
    with pytest.raises(SettingsError, match="partitions is 0; expected a whole number of at least 1"):
        choose_count(0, 8)


@pytest.mark.parametrize("name", ["limit", "rows", "query", "where", "on_error", "event_id", "html"])
def test_options_that_many_tasks_cannot_have(name: str) -> None:
    """Each with what to do instead."""
    with pytest.raises(SettingsError, match=f"^{name} cannot be had with Spark: "):
        settings_of({name: "1"})


def test_ids_of_events_in_the_mapping_are_refused_too() -> None:
    """Each id belongs to one user, and a task sees only its own users."""
    check_fields(Mapping.of({"user_id": "u", "event": "e"}))
    with pytest.raises(SettingsError, match=r"^event_id cannot be had with Spark: "):
        check_fields(Mapping.of({"user_id": "u", "event": "e", "event_id": "order"}))


def test_groups_of_rows_are_refused_in_one_line() -> None:
    """Rows of a frame have no order: the line says how to make one row of each event."""
    with pytest.raises(SettingsError, match=r"^group_by cannot be had with Spark, .*collect_list\(…\)\)$"):
        check_fields(Mapping.of({"user_id": "u", "event": "e", "group_by": "order"}))


def test_schemas_in_sparks_words() -> None:
    """Every column has a type that Spark knows."""
    assert ddl(LINES).startswith("`row` BIGINT, `source` STRING, ")
    assert "`finished_at` TIMESTAMP" in ddl(LINES)
    assert ddl(CALLS).endswith("`bucket` INT")


def test_to_send_everything_again_is_refused() -> None:
    """A task that Spark runs again would send the rows once more."""
    with pytest.raises(SettingsError, match="resend cannot be had with Spark"):
        settings_of({"resend": True, "ledger": "l", "rate_limit": "10/s"})
    assert not settings_of({"resend": False, "rate_limit": "10/s"}).resend


@pytest.mark.parametrize("ledger", ["/loads/report", "/loads/report/own.ledger", "/loads/../loads/report/x"])
def test_a_ledger_in_the_report_is_refused(ledger: str) -> None:
    """Spark empties the report's folder before it writes there."""
    with pytest.raises(SettingsError, match="is inside the report"):
        check_apart(ledger, "/loads/report")


def test_a_link_to_a_ledger_in_the_report_is_refused(tmp_path: Path) -> None:
    """Spark would remove the link, and then the tasks would look for the ledger's parts elsewhere."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "link.ledger").symlink_to(tmp_path / "own.ledger")
    with pytest.raises(SettingsError, match="is inside the report"):
        check_apart(tmp_path / "report" / "link.ledger", str(tmp_path / "report"))


@pytest.mark.parametrize("report", ["/loads/own.ledger.parts", "file:/loads/own.ledger.parts/report"])
def test_a_report_in_the_parts_of_its_ledger_is_refused(report: str) -> None:
    """Spark would empty the folder in which the tasks write."""
    with pytest.raises(SettingsError, match=r"is where the parts of the ledger are; choose another path$"):
        check_apart("/loads/own.ledger", report)


def test_the_path_of_a_report_is_that_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark's own working folder may be another one, and an address is what it is."""
    monkeypatch.chdir(tmp_path)
    assert absolute("loads/../report") == str(tmp_path / "report")
    assert absolute("/loads/report") == os.path.abspath("/loads/report")  # noqa: PTH100 - Windows has drives
    assert absolute("s3://bucket/report") == "s3://bucket/report"


@pytest.mark.parametrize(
    "report", ["/loads/report[1]", "/loads/*", "/loads/{a,b}", "s3://bucket/report?", "/loads/10:30"]
)
def test_a_report_whose_path_spark_cannot_read_is_refused(report: str) -> None:
    """Spark writes the folder of that name, and then reads all folders that match: the counts would be of others."""
    with pytest.raises(SettingsError, match=r"which Spark cannot read in a path; choose another path$"):
        check_path(report)
    check_path("/loads/report-1 (2), 100%")


def test_a_ledger_beside_the_report_is_fine() -> None:
    """As it is by default; and none is."""
    check_apart("/loads/report.ledger", "/loads/report")
    check_apart(None, "/loads/report")


def test_a_frame_of_another_kind_is_refused() -> None:
    """The message names the type, the package for the expected DataFrame, and the function for other tables."""
    with pytest.raises(
        SettingsError, match=r"^this is a dict; expected a Spark DataFrame \(pip install 'pyspark>=4\.1'\)"
    ):
        session_of({"id": [1]})


def test_a_dry_run_needs_no_limit() -> None:
    """It makes no call, and so may have more partitions than the account allows calls."""
    settings = settings_of({"dry_run": True})
    assert settings_of_task(settings, 500).rate_limit is None
    assert settings_of_task(settings_of({"dry_run": True, "rate_limit": "1/s"}), 500).rate_limit is None


def test_the_ledger_of_a_load_with_a_name_goes_by_it() -> None:
    """Each day has another report, and the accepted rows are known."""
    assert default_ledger(None, "out/2026-11-28", None) == "out/2026-11-28.ledger"
    assert default_ledger(None, "out/2026-11-28/", "orders") == str(Path("out/orders.ledger"))
    assert default_ledger("none", "out/2026-11-28", "orders") is None
    with pytest.raises(SettingsError, match=r"name '\.\.' ends with a dot"):
        default_ledger(None, "out/2026-11-28", "..")
    with pytest.raises(SettingsError, match=r"^ledger: expected a path that all workers see, or 'none'"):
        default_ledger(None, "s3://bucket/report", None)


def test_a_ledger_may_be_given_as_its_folder(tmp_path: Path) -> None:
    """The ledger of the load's name, else the only one there, else a new one by the report's name. Of several, one line
    says how to choose."""
    report = "out/2026-11-28"
    assert default_ledger(tmp_path, report, None) == str(tmp_path / "2026-11-28.ledger")
    (tmp_path / "a-folder.ledger").mkdir()
    assert default_ledger(tmp_path, report, "orders") == str(tmp_path / "orders.ledger")
    assert default_ledger(f"{tmp_path}/new/", report, None) == str(tmp_path / "new" / "2026-11-28.ledger")
    (tmp_path / "visits.ledger").touch()
    (tmp_path / "visits.ledger-calls").touch()
    (tmp_path / "visits.ledger.parts").mkdir()
    assert default_ledger(tmp_path, report, None) == str(tmp_path / "visits.ledger")
    assert default_ledger(str(tmp_path / "visits.ledger"), report, "orders") == str(tmp_path / "visits.ledger")
    (tmp_path / "more.ledger").touch()
    with pytest.raises(SettingsError, match=r"has 2 ledgers; give the path of one, or .*: name='NAME'$"):
        default_ledger(tmp_path, report, None)
    assert default_ledger(tmp_path, report, "orders") == str(tmp_path / "orders.ledger")


@pytest.mark.parametrize("report", ["file:/out/report", "file:///out/report", "FILE://localhost/out/report"])
def test_a_ledger_is_beside_a_report_of_this_machine(report: str) -> None:
    """`file:` means the path that follows it."""
    assert default_ledger(None, report, None) == "/out/report.ledger"
    assert default_ledger(None, report, "orders") == str(Path("/out/orders.ledger"))
    assert default_ledger(report, "/x", None) == "/out/report"


@pytest.mark.parametrize(
    "address",
    [
        "dbfs:/out",
        "viewfs:/out",
        "hdfs:/out",
        "hdfs://name/out",
        "s3a:/out",
        "s3a://out",
        "abfss://c@a.host/out",
        "gs://b/x",
    ],
)
def test_no_ledger_is_at_an_address(address: str) -> None:
    """It would be a folder of the driver, gone with the cluster: the next load would send all events again."""
    with pytest.raises(SettingsError, match=r"^ledger: expected a path that all workers see, or 'none'; ") as refused:
        default_ledger(None, f"{address}/report", None)
    assert address in str(refused.value)
    with pytest.raises(SettingsError, match=r"that all workers mount, or 'none'$"):
        default_ledger(address, "/out/report", None)
    assert default_ledger("none", address, None) is None
    assert default_ledger("/shared/a.ledger", address, None) == "/shared/a.ledger"


@pytest.mark.parametrize(("ledger", "said"), [("", "is empty"), (5, "has the type int"), (True, "has the type bool")])
def test_a_ledger_is_a_path(ledger: Any, said: str) -> None:
    """An empty text is not the working folder."""
    with pytest.raises(SettingsError, match=f"^ledger {said}; expected the path of a file$"):
        default_ledger(ledger, "/loads/report", None)


def test_the_places_of_secrets() -> None:
    """A secret of a Databricks scope is none: the line says how its value gets to the workers."""
    assert places_of(_hidden({"api_key": {"env": "KEY"}, "share": {"file": "/share"}})) == {
        "api_key": SecretPlace("env", "KEY"),
        "share": SecretPlace("file", "/share"),
    }
    assert places_of(_hidden({"api_key": "c2VjcmV0", "share": "redis://host"})) == {}
    with pytest.raises(SettingsError, match=r"to \{\{secrets/SCOPE/NAME\}\}, and give share=\{\"env\": VARIABLE\}$"):
        places_of(_hidden({"share": {"secret": "scope/name"}}))


def test_tasks_that_read_the_address_of_a_shared_limit_have_the_whole_rate() -> None:
    """The driver does not know the address, but that there is one."""
    assert settings_of_task(Settings(rate_limit="300/min"), 4, shares=True).rate_limit == Rate(300, 60)
    with pytest.raises(SettingsError, match="share needs a declared limit"):
        settings_of_task(Settings(rate_limit="none"), 4, shares=True)


def test_a_plan_without_secrets() -> None:
    """Over Spark Connect, every secret needs a place where the workers find it. Elsewhere a broadcast has it."""
    key, share = SecretPlace("env", "KEY"), SecretPlace("env", "SHARE")
    plain = Settings(api_key="c2VjcmV0", rate_limit="9/s", share="redis://host")
    password = replace(plain, share=hidden_share("redis://:pass@host"))
    check_secrets(password, {}, is_connect=False)
    check_secrets(plain, {"api_key": key}, is_connect=True)
    check_secrets(password, {"api_key": key, "share": share}, is_connect=True)
    with pytest.raises(SettingsError, match=r"^api_key: this is Spark Connect, whose plans would hold the key"):
        check_secrets(plain, {}, is_connect=True)
    with pytest.raises(SettingsError, match=r"^share: this is Spark Connect, whose plans would hold the password"):
        check_secrets(password, {"api_key": key}, is_connect=True)
    with pytest.raises(SettingsError, match=r"^no API key"):
        check_secrets(Settings(), {}, is_connect=False)
    with pytest.raises(SettingsError, match=r"^api_key: the driver needs the key too, to open the ledger"):
        check_secrets(Settings(ledger="l"), {"api_key": key}, is_connect=True)
    check_secrets(Settings(), {"api_key": key}, is_connect=True)


def test_a_key_that_the_driver_cannot_read_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a file that does not exist, or a variable with two lines."""
    monkeypatch.setenv("TWO_LINES", "one\ntwo")
    for place, why in [
        (SecretPlace("file", str(tmp_path / "none")), "none: cannot be read: No such file or directory"),
        (SecretPlace("env", "NOT_SET"), "the environment variable NOT_SET is not set"),
        (SecretPlace("env", "TWO_LINES"), "it is blank or holds characters that no key has"),
    ]:
        with pytest.raises(SettingsError, match=rf"{why}\): set INTERAKT_API_KEY here; or give ledger='none'$"):
            check_secrets(Settings(ledger="l"), {"api_key": place}, is_connect=False)
