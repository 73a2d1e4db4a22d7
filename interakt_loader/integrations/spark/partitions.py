"""Which partition a user belongs to, the ledger of a partition, and its part of the account's rate."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.errors import SettingsError
from interakt_loader.settings.values import Rate

MARKER = "partitions.json"
"""In a folder of ledgers: how many there are. Another number would look for users in another's ledger."""

LOADS = "driver.notes"
"""In a folder of ledgers: what the driver remembers of the loads so far. No calls."""


def buckets(calls: pa.RecordBatch, count: int) -> pa.Int32Array:
    """Return the bucket of each prepared call: all rows of a user have the same, today and tomorrow."""
    users = calls["lane"].dictionary_encode()
    of_users = pa.array([zlib.crc32(user.encode()) % count for user in users.dictionary.to_pylist()], pa.int32())
    nobodys = pa.array((row % count for row in calls["row"].to_pylist()), pa.int32())  # rows that name no user
    return pc.coalesce(of_users.take(users.indices), nobodys)


def ledger_of(folder: Path, bucket: int) -> Path:
    """Return where the ledger of a bucket lies."""
    return folder / f"{bucket:05}.ledger"


def known_count(folder: Path) -> int | None:
    """Return for how many partitions a folder of ledgers was made; None where there is none yet."""
    try:
        return int(json.loads((folder / MARKER).read_text(encoding="utf-8"))["partitions"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(f"ledger {folder}: {MARKER} cannot be read; choose another folder") from None


def make_folder(folder: Path, count: int) -> None:
    """Make a folder for so many ledgers, or see that it was made for as many. Raises `SettingsError`."""
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        known = known_count(folder)
        if known is None:
            if any(folder.iterdir()):
                raise SettingsError(f"ledger {folder}: expected an empty folder, or one that a load has made")
            (folder / MARKER).write_text(json.dumps({"partitions": count}), encoding="utf-8")
            known = count
    except OSError as error:
        raise SettingsError(f"ledger {folder}: cannot be made: {error.strerror or error}") from None
    if known != count:
        raise SettingsError(f"ledger {folder}: was made for {known} partitions; give partitions={known}")


def part_of(rate: Rate, count: int) -> Rate:
    """Return what each of so many partitions may call: whole calls, so that together they never exceed the rate."""
    if rate.calls < count:
        raise SettingsError(
            f"rate_limit is {rate} for {count} partitions, less than a call each: give partitions={int(rate.calls)} or "
            "fewer, or share=URL"
        )
    return Rate(float(rate.calls // count), rate.seconds)
