"""Loads in several parts without Spark, and processes that are killed at a chosen step."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow as pa

from interakt_loader.integrations.spark.task import ROW, Load, prepare_rows, send_calls
from interakt_loader.ledger import Ledger
from interakt_loader.mapping import PREPARED, Mapping, Preparation
from interakt_loader.model import Answer, Kind, Message, Status
from interakt_loader.privacy.secrets import hidden
from interakt_loader.sending.pending import PendingCall, outcome
from interakt_loader.settings import Settings
from interakt_loader.transport import no_answer, read_answer

NOWHERE = Settings(api_key=hidden("a-key"), base_url="http://127.0.0.1:1", rate_limit=None)
"""The settings of loads whose answers do not come from a server."""

Row = tuple[str, str]
"""A user, and what the call says."""

Fate = str
"""The result of a call: `sent`, `unknown` or `refused`, and put on record. `answered`: accepted, but its load is killed
before that is on record. `in flight`: its load is killed before the answer comes."""

_ANSWERS = {
    "sent": (read_answer(201, b'{"result": true}', 0.1), Status.SENT),
    "answered": (read_answer(201, b'{"result": true}', 0.1), Status.SENT),
    "unknown": (no_answer(TimeoutError(), 0.1, first_call=False), Status.UNKNOWN),
    "refused": (read_answer(400, b"", 0.1), Status.REJECTED),
}


def mapping_of(kind: Kind) -> Mapping:
    events: dict[str, Any] = {"event": {"value": "Seen"}, "created_at": {"value": "2024-01-01T00:00:00Z"}}
    return Mapping.of({"user_id": "user", "traits": ["city"], **(events if kind == "event" else {})})


def calls_of(rows: Sequence[Row], kind: Kind, count: int) -> list[list[pa.RecordBatch]]:
    """Return the prepared calls of each of `count` tasks, as Spark brings them."""
    table = pa.table(
        {
            "user": pa.array([user for user, _ in rows], pa.string()),
            "city": pa.array([city for _, city in rows], pa.string()),
            ROW: pa.array(range(len(rows)), pa.int64()),
        }
    )
    (calls,) = prepare_rows(table.to_batches() or [], Preparation(mapping_of(kind), kind, Settings()), count)
    own = [calls.filter(pa.array([one == number for one in calls["bucket"].to_pylist()])) for number in range(count)]
    return [[one] if one.num_rows else [] for one in own]


def load_of(settings: Settings, kind: Kind, ledger: Ledger, count: int) -> Load:
    """Divide an open ledger for tasks, as the driver does."""
    return Load(mapping_of(kind), kind, settings, parts=ledger.divide(count))


def load_in_parts(
    path: Path, rows: Sequence[Row], settings: Settings, kind: Kind = "event", count: int = 3
) -> list[dict[str, Any]]:
    """Load rows in so many parts, and return the lines of the report."""
    lines: list[dict[str, Any]] = []
    with Ledger(path, kind, settings) as ledger:
        load = load_of(settings, kind, ledger, count)
        for number, calls in enumerate(calls_of(rows, kind, count)):
            lines += [line for batch in send_calls(calls, number, load) for line in batch.to_pylist()]
    return lines


class Server:
    """Answers each call as its fate says."""

    def __init__(self) -> None:
        self.fate: Fate = "sent"

    def send(self, message: Message) -> Answer:
        if self.fate == "in flight":
            raise ConnectionAbortedError
        return _ANSWERS[self.fate][0]

    def close(self) -> None:
        pass


def process(
    ledger: Ledger, calls: list[pa.RecordBatch], fates: Sequence[Fate]
) -> tuple[bool, list[tuple[bytes, bytes, bool]]]:
    """Plan these calls, and let each have its fate. Return whether the load is to be killed now, and the calls made."""
    batches = [one.select(PREPARED.names).cast(PREPARED) for one in calls]
    plan = ledger.plan(one.set_column(0, "row", pa.array(range(one.num_rows), pa.int64())) for one in batches)
    server = Server()
    transport = ledger.recording(server)
    made = []
    for message, fate in zip((one for batch in plan.work_batches() for one in batch.calls), cycle(fates)):
        assert message.entry is not None
        made.append((*message.entry, message.doubted))
        server.fate = fate
        try:
            answer = transport.send(message)
        except ConnectionAbortedError:
            return True, made
        if fate == "answered":
            return True, made
        pending = PendingCall(message, calls=1, charged=1, doubts=int(message.doubted), last=answer)
        ledger.record([outcome(pending, _ANSWERS[fate][1], answer.at, None)])
    return False, made


def left_by_kill(path: Path, close: Callable[[], object], *, others: bool = False) -> None:
    """Leave the files of a ledger as a kill would leave them now. `others`: also those of its parts."""
    saved = path.with_name("saved")
    shutil.copytree(path.parent, saved, ignore=shutil.ignore_patterns("saved"))
    close()
    names = [one.name for one in path.parent.iterdir() if one.name.startswith(path.name)]
    for name in names:
        _remove(path.parent / name)
    for one in saved.iterdir():
        if one.name.startswith(path.name) and (others or not one.is_dir()):
            one.rename(path.parent / one.name)
    shutil.rmtree(saved)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def record_of(path: Path) -> list[tuple[Any, ...]]:
    """Return all that a ledger at rest has on record."""
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM journal").fetchone() == (0,)
        return db.execute("SELECT key, state, doubt, maybe_duplicate FROM calls ORDER BY key").fetchall()


STEPS = {
    "execute",
    "executemany",
    "executescript",
    "unlink",
    "rmdir",
    "mkdir",
    "replace",
    "write",
    "ftruncate",
    "fsync",
}
"""Functions of Python that change files, or have SQLite do so."""


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Do something in another process, which is killed right before its step of this number (from 0).

    Return False if it has fewer steps, and so has ended.
    """
    child = os.fork()
    if child == 0:
        left = iter(range(step + 1))
        last = step

        def look(_frame: object, event: str, function: Any) -> None:
            if event == "c_call" and function.__name__ in STEPS and next(left, None) == last:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.setprofile(look)
            act()
        finally:
            sys.setprofile(None)
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def each_kill(folder: Path, act: Callable[[Path], object], *, every: int = 1) -> Iterator[Path]:
    """Yield a copy of the folder for each step of `act` at which it was killed; `every` so many steps."""
    step = 0
    while True:
        copy = folder.with_name(f"{folder.name}-{step}")
        shutil.copytree(folder, copy)
        if not killed_at(step, partial(act, copy)):
            return
        yield copy
        shutil.rmtree(copy)
        step += every
