"""A ledger that was damaged is noticed before the first call, or does no harm."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import MappingDict, check, load_events
from interakt_loader.errors import SettingsError
from interakt_loader.sandbox import Sandbox

EVENTS: MappingDict = {"user_id": "user", "event": {"value": "Visit"}, "created_at": "at", "traits": ["page"]}
ROWS, EARLIER = 300, 100
PAGE = 4096


def visits(count: int = ROWS) -> pd.DataFrame:
    at = pd.date_range("2024-01-01", periods=count, freq="min", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    return pd.DataFrame({"user": [f"u{n % 50}" for n in range(count)], "at": at, "page": range(count)})


def to(sandbox: Sandbox, ledger: Path) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "rate_limit": None, "ledger": ledger}


Change = Callable[[bytearray, bytes, random.Random], None]
"""Damages a file in place; gets an earlier version of it, and what chooses where."""


def flipped_bit(content: bytearray, _: bytes, choose: random.Random) -> None:
    content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)


def wrong_bytes(content: bytearray, _: bytes, choose: random.Random) -> None:
    at, count = choose.randrange(len(content)), choose.randrange(1, 40)
    content[at : at + count] = choose.randbytes(len(content[at : at + count]))


def wrong_header(content: bytearray, _: bytes, choose: random.Random) -> None:
    content[choose.randrange(min(100, len(content)))] = choose.randrange(256)


def zeroed_page(content: bytearray, _: bytes, choose: random.Random) -> None:
    at = _page(content, choose)
    content[at : at + PAGE] = bytes(len(content[at : at + PAGE]))


def swapped_pages(content: bytearray, _: bytes, choose: random.Random) -> None:
    one, other = _page(content, choose), _page(content, choose)
    first, second = content[one : one + PAGE], content[other : other + PAGE]
    if len(first) == len(second):
        content[one : one + PAGE], content[other : other + PAGE] = second, first


def repeated_page(content: bytearray, _: bytes, choose: random.Random) -> None:
    one, other = _page(content, choose), _page(content, choose)
    content[one : one + PAGE] = content[other : other + PAGE]


def lost_page(content: bytearray, _: bytes, choose: random.Random) -> None:
    at = _page(content, choose)
    del content[at : at + PAGE]


def shifted(content: bytearray, _: bytes, choose: random.Random) -> None:
    at = choose.randrange(len(content))
    content[at:at] = bytes(choose.randrange(1, 600))


def cut_off(content: bytearray, _: bytes, choose: random.Random) -> None:
    del content[choose.randrange(len(content)) :]


def cut_off_at_a_page(content: bytearray, _: bytes, choose: random.Random) -> None:
    del content[choose.randrange(len(content) // PAGE + 1) * PAGE :]


def appended(content: bytearray, _: bytes, choose: random.Random) -> None:
    content.extend(
        choose.choice([bytes(choose.randrange(1, 9000)), bytes(content[-32:]), bytes(content[:PAGE]), b"\n"])
    )


def earlier_page(content: bytearray, earlier: bytes, choose: random.Random) -> None:
    at = _page(earlier, choose)
    content[at : at + PAGE] = earlier[at : at + PAGE]


def _page(content: bytes | bytearray, choose: random.Random) -> int:
    return choose.randrange(max(1, len(content) // PAGE)) * PAGE


CHANGES: list[Change] = [
    flipped_bit,
    wrong_bytes,
    wrong_header,
    zeroed_page,
    swapped_pages,
    repeated_page,
    lost_page,
    shifted,
    cut_off,
    cut_off_at_a_page,
    appended,
    earlier_page,
]


def test_a_damaged_ledger_is_refused_or_does_no_harm(tmp_path: Path, sandbox: Sandbox) -> None:
    """240 damages: each time no event goes out again; what is refused is called damaged, with what to do."""
    ledger = tmp_path / "own.ledger"
    load_events(visits(EARLIER), EVENTS, **to(sandbox, ledger))
    earlier = ledger.read_bytes()
    load_events(visits(), EVENTS, **to(sandbox, ledger))
    whole, choose, ends = ledger.read_bytes(), random.Random(20), Counter[bool]()
    for change in CHANGES * 20:
        content = bytearray(whole)
        change(content, earlier, choose)
        ledger.write_bytes(content)
        refused = ""
        try:
            result = load_events(visits(), EVENTS, **to(sandbox, ledger))
            assert (result.unchanged, content == whole) == (ROWS, True), change.__name__
        except SettingsError as error:
            refused = str(error)
        ends[bool(refused)] += 1
        assert not refused or ("damaged" in refused and "\n" not in refused), (change.__name__, refused)
        assert sandbox.stats().events == ROWS, change.__name__
        for one in tmp_path.iterdir():
            one.unlink()
    assert ends[True] > 200, ends


@pytest.mark.parametrize("ending", ["", "-wal", "-calls"])
def test_what_a_killed_load_left_is_not_believed_if_it_is_damaged(
    tmp_path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, ending: str
) -> None:
    """120 damages to each of its files: what was on record still is, or the ledger is refused and called damaged."""
    ledger, left = tmp_path / "own.ledger", tmp_path / "left"
    load_events(visits(EARLIER), EVENTS, **to(sandbox, ledger))

    def kept(error: Exception, queue_msg: dict[str, Any]) -> None:
        if not left.exists():
            shutil.copytree(tmp_path, left)  # as a `kill -9` at this moment would leave it

    sandbox.force_for("u49", ["400"])
    load_events(visits(), EVENTS, **to(sandbox, ledger), max_queue_size=20, workers=2, on_error=kept)
    names = ("own.ledger", "own.ledger-wal", "own.ledger-calls")
    whole = {name: (left / name).read_bytes() for name in names}
    damaged, choose, ends = f"own.ledger{ending}", random.Random(21), Counter[bool]()
    assert len(whole[damaged]) > PAGE or ending == "-calls"

    def known() -> set[int]:
        lines = check(visits(), EVENTS, **to(sandbox, left / "own.ledger")).to_pandas()
        return set(lines.query("status == 'unchanged'")["row"])

    before = known()
    assert EARLIER < len(before) < ROWS
    for change in CHANGES * 10:
        for name, content in whole.items():
            changed = bytearray(content)
            if name == damaged:
                change(changed, content, choose)
            (left / name).write_bytes(changed)
        found, refused = before, ""
        caplog.clear()
        try:
            found = known()
        except SettingsError as error:
            refused = str(error)
        ends[bool(refused)] += 1
        assert not refused or "damaged" in refused, (change.__name__, refused)
        assert found >= before or "was cut short; calls that were in flight may be sent again" in caplog.text, (
            change.__name__
        )
    assert ends[True] > 10, ends
