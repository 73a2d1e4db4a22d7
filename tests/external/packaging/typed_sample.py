"""The public API in a typed program. Nothing runs this file: mypy and pyright check it, outside the package.

A wrong use has a mark for both, with the error's code. A mark without an error is an error too (mypy: strict; pyright:
reportUnnecessaryTypeIgnoreComment).
"""

# ruff: noqa: B018 - names are looked at, not called

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import interakt_loader
from interakt_loader import (
    Data,
    FieldDict,
    InteraktLoaderError,
    LoadInterrupted,
    LoadResult,
    LoadStopped,
    Mapping,
    MappingDict,
    Options,
    RowsFailed,
    TraitDict,
    UsageError,
    check,
    infer,
    load_events,
    load_users,
    pull,
    track,
)
from interakt_loader.errors import APIError, Outage, SettingsError
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack


def on_error(error: Exception, queue_msg: dict[str, Any]) -> None:
    if isinstance(error, APIError):
        code: int | None = error.status_code
        said: str = error.message
        print(code, said, queue_msg["path"])


class Frame:
    """Anything with Arrow data."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return requested_schema


def takes(cursor: sqlite3.Cursor, rows: Iterator[dict[str, Any]]) -> None:
    with Path("customers.csv").open("rb") as file:
        sources: list[Data] = [Frame(), [Frame()], file, cursor, rows, iter([Frame()]), {"env": "DATABASE_URL"}]
        sources += ["s3://bucket/customers.csv", [Path("a.csv"), "b.csv"], [{"id": 1, "name": "Asha"}, {"id": None}]]
    for source in sources:
        print(infer(source, kind="users"), check(source, infer(source)))


def wraps(data: Data, **options: Unpack[Options]) -> LoadResult:
    field: FieldDict = {"columns": ["first", "last"], "join": " "}
    traits: list[TraitDict] = [{"column": name, "name": name.title(), "type": "date"} for name in ("joined", "born")]
    mapping: MappingDict = {"user_id": "id", "phone": ["mobile", field], "traits": ["*", *traits]}
    return load_users(data, mapping, **options)


def loads(frame: Frame) -> LoadResult:
    mapping = Mapping.of({"user_id": "customer_id", "traits": ["name", {"column": "joined", "type": "date"}]})
    load_users("customers.csv", "mapping.yaml", report=Path("customers.report.csv"), ledger="customers.ledger")
    load_users([Path("a.csv"), "b.csv"], "preset:shopify-customers", max_failures="5%", rate_limit=None)
    load_events(frame, {"user_id": "id", "event": {"value": "Visit"}}, event_id="visit", ledger="visits", rows="0:100")
    return load_users(
        frame,
        mapping,
        api_key=None,
        base_url="https://example.com",
        timeout=2.5,
        max_retries=3,
        max_queue_size=10_000,
        workers=16,
        rate_limit="300/min",
        share="sqlite:///share.db",
        max_outage=300,
        max_failures=10,
        html="load.html",
        resend=False,
        on_unknown="skip",
        coalesce=True,
        default_country="+91",
        phones="strict",
        timezone="Asia/Kolkata",
        bad_values="drop",
        nulls="clear",
        null_values=["N/A", "-"],
        dry_run=False,
        encoding="cp1252",
        delimiter=";",
        header=True,
        sheet="1",
        limit=None,
        progress=False,
        on_error=on_error,
    )


def looks(result: LoadResult) -> str:
    counts: list[int] = [result.sent, result.unchanged, result.merged, result.invalid, result.rejected]
    counts += [result.failed, result.unknown, result.unsent, result.rows, result.attempts, result.exit_code]
    seconds: float = result.seconds
    good: bool = result.ok
    plain: dict[str, Any] = result.as_dict()
    page: Path = result.write_html("load.html", personal=True)
    report: Path = result.write_report(Path("again.parquet"))
    result.raise_for_failures()
    result.plot()
    for table in (result.to_pandas(), result.to_arrow(), result.failures()):
        print(len(table))
    return f"{counts} {seconds} {good} {plain} {page} {report} {interakt_loader.__version__}"


def catches() -> int:
    try:
        check("customers.csv").raise_for_failures()
    except SettingsError as usage:
        return usage.exit_code
    except UsageError as wrong:
        value: ValueError = wrong
        raise value from None
    except (Outage, LoadStopped, RowsFailed) as ended:
        loader: InteraktLoaderError = ended
        return loader.exit_code
    except LoadInterrupted as interrupted:
        return interrupted.exit_code if interrupted.result is None else int(interrupted.result.sent)
    return 0


def tracks() -> None:
    track.api_key = "key"
    track.timeout = 2.5
    track.on_error = on_error
    track.user("C-17", "+91", "9876543210", {"name": "Asha"})
    track.event(user_id="C-17", event="Order Placed", traits={"total": 1299.0})
    track.flush()
    client = track.Client("key", sync_mode=True, on_error=on_error)
    client.event(user_id="C-17", event="Visit")
    client.shutdown()


def sandboxes() -> Iterator[str]:
    with Sandbox(SandboxOptions(limit_per_minute=300, faults={"500": 0.02})) as here, SandboxProcess() as there:
        here.force_for("C-17", ["500", None])
        for user in here.users(limit=10):
            name: str | None = user.user_id
            traits: dict[str, Any] = user.traits
            yield f"{name} {traits}"
        yield from (event.event for event in there.events())
        found = here.find_user("C-17")
        found.traits  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
        if found is not None:
            yield f"{found.phone} {here.stats().users} {here.url} {here.api_key}"


def refused(frame: Frame, result: LoadResult) -> None:
    check(frame, worker=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    check(frame, workers="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check(frame, bad_values="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check(frame, on_error=print_only)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check(frame, ["id"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check(frame, {"user": "id"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check(frame, {"user_id": {"col": "id"}})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check(frame, {"tags": {"column": "t", "type": "array"}})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check(frame, {"traits": [{"column": "t", "guard": 3}]})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check(17)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check([17])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    infer(frame, kind="user")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pull("a.csv", ledger="a.ledger")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    load_events(frame, None, "key")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    load_users()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    interakt_loader.load_user  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    result.send  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    result.sent = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    track.event(event=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    track.Client(workers=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    SandboxOptions(limit_shape="round")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def print_only(error: Exception) -> None:
    print(error)
