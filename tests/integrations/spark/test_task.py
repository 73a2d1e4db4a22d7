"""What a task does with its partition, over the real sandbox. Without Spark, which only brings the batches."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from interakt_loader.errors import NotJustNow
from interakt_loader.integrations.spark import task
from interakt_loader.integrations.spark.task import (
    CALLS,
    LINES,
    ROW,
    Load,
    prepare_rows,
    send_calls,
)
from interakt_loader.ledger import Ledger
from interakt_loader.ledger.parts import PartsHeld
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.privacy.secret_places import SecretPlace
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings
from interakt_loader.settings.values import hidden_share

MAPPING = Mapping.of({"user_id": "id", "traits": [{"column": "n", "type": "number"}]})


def prepared(ids: list[str | None], first: int = 0, size: int = 3, n: str = "1") -> list[pa.RecordBatch]:
    """Return prepared calls in batches, numbered as Spark numbers rows: with large gaps."""
    rows = pa.array([first + (at << 33) for at in range(len(ids))], pa.int64())
    table = pa.table({"id": pa.array(ids, pa.string()), "n": [n] * len(ids), ROW: rows})
    preparation = Preparation(MAPPING, "user", Settings())
    return list(prepare_rows(table.to_batches(max_chunksize=size), preparation, 2))


def load(sandbox: Sandbox, **options: Any) -> Load:
    return Load(MAPPING, "user", Settings(api_key=sandbox.api_key, base_url=sandbox.url, rate_limit=None, **options))


@contextmanager
def divided(sandbox: Sandbox, ledger: Path, count: int = 1, **options: Any) -> Iterator[Load]:
    """Open a ledger and divide it for tasks, as the driver does."""
    of = load(sandbox, ledger=str(ledger), **options)
    with Ledger(ledger, "user", of.settings) as opened:
        yield replace(of, parts=opened.divide(count))


def sent(batches: Iterator[pa.RecordBatch]) -> list[dict[str, Any]]:
    lines = list(batches)
    assert all(one.schema == LINES for one in lines)
    return [line for one in lines for line in one.to_pylist()]


def test_rows_become_calls_with_their_numbers_and_buckets() -> None:
    """Structs as their fields, and a bad row with its reason, as everywhere."""
    table = pa.table({"id": ["a", None], "at": [{"city": "Pune"}, {"city": "Goa"}], ROW: [7, 1 << 40]})
    mapping = Mapping.of({"user_id": "id", "traits": "*"})
    (calls,) = prepare_rows(table.to_batches(), Preparation(mapping, "user", Settings()), 5)
    assert calls.schema == CALLS
    assert calls["row"].to_pylist() == [7, 1 << 40]
    assert calls["body"].to_pylist() == [b'{"userId":"a","traits":{"at.city":"Pune"}}', None]
    assert calls["code"].to_pylist() == [None, "identity_missing"]


@pytest.mark.parametrize("with_ledger", [False, True])
def test_lines_have_the_numbers_that_the_rows_came_with(sandbox: Sandbox, tmp_path: Path, with_ledger: bool) -> None:
    """Whatever order they settle in, and however large the numbers are."""
    ids = [f"u{n % 4}" if n % 5 else None for n in range(20)]
    with divided(sandbox, tmp_path / "own.ledger") if with_ledger else nullcontext(load(sandbox)) as of:
        lines = sent(send_calls(prepared(ids), 0, of))
    assert {line["row"]: line["user_id"] for line in lines} == {n << 33: one for n, one in enumerate(ids)}
    assert {line["row"] >> 33 for line in lines if line["status"] == "invalid"} == {0, 5, 10, 15}
    # with a ledger, the rows of a user are one call: that of the last of them
    assert sandbox.stats().accepted == (4 if with_ledger else 16)
    carriers = {line["message"] for line in lines if line["status"] == "merged"}
    assert carriers == ({f"row {n << 33} carries it" for n in (16, 17, 18, 19)} if with_ledger else set())


def test_a_task_that_runs_again_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """As after a worker's death: what was accepted is unchanged."""
    with divided(sandbox, tmp_path / "own.ledger") as of:
        first = send_calls(prepared([f"u{n}" for n in range(9)]), 0, of)
        next(first)
        cast(Generator[pa.RecordBatch, None, None], first).close()  # the worker is gone
        lines = sent(send_calls(prepared([f"u{n}" for n in range(12)]), 0, of))
    assert {line["status"] for line in lines} <= {"sent", "unchanged"}
    assert len(lines) == 12
    assert sandbox.stats().users == 12


def test_what_a_task_has_to_know_reaches_its_worker(sandbox: Sandbox, tmp_path: Path) -> None:
    """A load is pickled on the driver, with its parts."""
    with divided(sandbox, tmp_path / "own.ledger") as of:
        arrived = pickle.loads(pickle.dumps(replace(of, with_secrets=True)))
        assert arrived.parts == of.parts
        assert sent(send_calls(prepared(["a"]), 0, arrived))[0]["status"] == "sent"


def test_an_empty_partition_has_no_lines(sandbox: Sandbox, tmp_path: Path) -> None:
    """More partitions than users are no mistake."""
    with divided(sandbox, tmp_path / "own.ledger") as of:
        assert sent(send_calls([], 0, of)) == []


def test_without_its_ledger_a_task_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each row is unsent with the reason: an exception would have Spark run the task again at once. So it is if the
    worker does not see the driver's folder, and if the load has ended."""
    with divided(sandbox, tmp_path / "own.ledger") as of:
        assert of.parts is not None
        elsewhere = replace(of, parts=replace(of.parts, ledger=tmp_path / "nowhere" / "own.ledger"))
        lines = sent(send_calls(prepared(["a", None, "c"]), 0, elsewhere))
    lines += sent(send_calls(prepared(["a"]), 0, of))
    with divided(sandbox, tmp_path / "own.ledger"):
        lines += sent(send_calls(prepared(["a"]), 0, of))
    assert [(line["status"], line["code"]) for line in lines] == [
        ("unsent", "ledger_broken"),
        ("invalid", "identity_missing"),
        ("unsent", "ledger_broken"),
        ("unsent", "ledger_broken"),
        ("unsent", "ledger_broken"),
    ]
    assert "give a ledger in a folder that all workers share" in lines[0]["message"]
    assert "or their load has ended" in lines[3]["message"]
    assert "the load of this task has ended" in lines[4]["message"]
    assert sandbox.stats().calls == 0


def test_what_this_machine_does_not_allow_is_told_of_each_row(sandbox: Sandbox, tmp_path: Path) -> None:
    """More workers than allowed connections, detected after the rows are read: no exception, and no row is missing."""
    resource = pytest.importorskip("resource", reason="Windows does not count connections as files")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    batches = prepared([f"u{number}" for number in range(7)])
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        for ledger in (False, True):
            opening = divided(sandbox, tmp_path / "own.ledger", workers=900)
            with opening if ledger else nullcontext(load(sandbox, workers=900)) as of:
                lines = sent(send_calls(batches, 0, of))
            assert sorted(line["row"] >> 33 for line in lines) == [*range(7)]
            assert {(line["status"], line["kind"]) for line in lines} == {("unsent", "user")}
            assert "not sent: workers is 900" in lines[0]["message"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert sandbox.stats().calls == 0


def test_a_part_that_another_task_holds_is_waited_for(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that Spark abandoned may run for some seconds more. The next one waits, and then gives up."""
    with divided(sandbox, tmp_path / "own.ledger") as of:
        assert of.parts is not None
        holder = Ledger.of_part(of.parts, 0, "user", of.settings)
        monkeypatch.setattr(task, "LONGEST_WAIT", 0.0)
        lines = sent(send_calls(prepared(["a"]), 0, of))
        assert (lines[0]["status"], lines[0]["code"]) == ("unsent", "ledger_broken")
        assert "in use by another load" in lines[0]["message"]
        monkeypatch.setattr(task, "LONGEST_WAIT", 60.0)
        monkeypatch.setattr(
            "interakt_loader.integrations.spark.task.time.sleep", lambda _: holder.close()
        )  # it lets go while it is waited for
        assert sent(send_calls(prepared(["a"]), 0, of))[0]["status"] == "sent"


def test_the_driver_waits_for_abandoned_tasks_and_for_no_other_load(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks of a driver that was killed end by themselves. A load that has the ledger may run for hours."""
    path = tmp_path / "own.ledger"
    waited: list[float] = []
    with divided(sandbox, path) as of:
        assert of.parts is not None
        task_of_before = Ledger.of_part(of.parts, 0, "user", of.settings)
        monkeypatch.setattr("interakt_loader.integrations.spark.task.time.sleep", waited.append)
        with pytest.raises(NotJustNow, match="in use by another load"):
            task.patiently(lambda: Ledger(path, "user", of.settings), PartsHeld)
        assert waited == []

    def end(_: float) -> None:
        waited.append(1.0)
        task_of_before.close()

    monkeypatch.setattr("interakt_loader.integrations.spark.task.time.sleep", end)
    task.patiently(lambda: Ledger(path, "user", of.settings), PartsHeld).close()
    assert waited == [1.0]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["own.ledger"]


def test_without_its_shared_clock_a_task_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """No call goes out without its rate limit."""
    share = f"sqlite:///{tmp_path / 'nowhere' / 'clock'}"
    of = Load(MAPPING, "user", Settings(api_key=sandbox.api_key, base_url=sandbox.url, rate_limit="9/s", share=share))
    lines = sent(send_calls(prepared(["a"]), 0, of))
    assert (lines[0]["status"], lines[0]["code"]) == ("unsent", "share_lost")
    assert sandbox.stats().calls == 0


def test_a_dry_run_opens_no_ledger(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nor does it make any call."""
    lines = sent(send_calls(prepared(["a", "b"]), 0, load(sandbox, ledger=str(tmp_path / "own.ledger"), dry_run=True)))
    assert not (tmp_path / "own.ledger").exists()
    assert [line["status"] for line in lines] == ["unsent", "unsent"]
    assert sandbox.stats().calls == 0


def test_a_task_reads_the_key_from_its_place(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle has the place and no secret. Where it is empty, each row is unsent with the reason: no exception."""
    settings = Settings(api_key="dGhlIGRyaXZlcnM=", base_url=sandbox.url, rate_limit=None)
    given = Load(MAPPING, "user", settings, places={"api_key": SecretPlace("env", "KEY_OF_WORKERS")}, with_secrets=True)
    pickled = pickle.dumps(given)
    assert b"dGhlIGRyaXZlcnM" not in pickled
    of = pickle.loads(pickled)
    lines = sent(send_calls(prepared(["a", None]), 0, of))
    assert [(line["status"], line["code"]) for line in lines] == [
        ("unsent", "secret_missing"),
        ("invalid", "identity_missing"),
    ]
    said = "not sent: api_key cannot be read on this worker: the environment variable KEY_OF_WORKERS is not set"
    assert lines[0]["message"] == said
    monkeypatch.setenv("KEY_OF_WORKERS", sandbox.api_key)
    assert sent(send_calls(prepared(["a"]), 0, of))[0]["status"] == "sent"


def test_a_pickle_of_a_load_has_its_secrets_only_if_told() -> None:
    """A closure is part of a plan. An address without a password is no secret."""
    settings = Settings(api_key="dGhlIGtleSBoZXJl", rate_limit="9/s", share="redis://:passw0rd@host")
    held = pickle.dumps(Load(MAPPING, "user", settings))
    assert b"dGhlIGtleSBoZXJl" not in held
    assert b"passw0rd" not in held
    carried = pickle.loads(pickle.dumps(Load(MAPPING, "user", settings, with_secrets=True))).settings
    assert carried.api_key.reveal() == "dGhlIGtleSBoZXJl"
    assert carried.share.reveal() == "redis://:passw0rd@host"
    open_address = Load(MAPPING, "user", replace(settings, share=hidden_share("redis://host")))
    assert pickle.loads(pickle.dumps(open_address)).settings.share.reveal() == "redis://host"
