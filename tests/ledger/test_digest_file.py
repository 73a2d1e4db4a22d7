"""The digests of a load by key: every call once, with all that share its key, however many there are at a time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interakt_loader.ledger.digest_file import DigestFile, Lot

KEYS = st.binary(min_size=16, max_size=16)
FEW = st.sampled_from([bytes(16), bytes(15) + b"\x01", b"\x01" + bytes(15), b"\xff" * 16])
"""Keys that differ in one half only, and those at both ends."""

Group = tuple[bytes, list[int], list[bytes]]


def groups(lot: Lot) -> list[Group]:
    return [(lot.key(number), *lot.group(number)) for number in range(len(lot.starts) - 1)]


@settings(suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(st.tuples(FEW | KEYS, KEYS), max_size=9), max_size=4), st.sampled_from([1, 2, 5, 100]))
def test_calls_come_by_key_and_then_in_their_order(
    tmp_path: Path, batches: list[list[tuple[bytes, bytes]]], largest: int
) -> None:
    """In ascending order of the keys, also where the calls are divided into several files."""
    expected: dict[bytes, Group] = {}
    with closing(DigestFile(tmp_path)) as file:
        row = 100
        for batch in batches:
            rows = np.arange(row, row + len(batch))
            row += len(batch)
            file.add(rows, [key for key, _ in batch], [state for _, state in batch])
            for number, (key, state) in zip(rows.tolist(), batch, strict=True):
                _, numbers, states = expected.setdefault(key, (key, [], []))
                numbers.append(number)
                states.append(state)
        found = [one for lot in file.lots(largest) for one in groups(lot)]
    assert found == sorted(expected.values())


def test_it_is_divided_if_there_is_much(tmp_path: Path) -> None:
    """A hundred keys, ten at a time: no lot has many more."""
    with closing(DigestFile(tmp_path)) as file:
        keys = [bytes([number * 5 // 2]) * 16 for number in range(100)]
        file.add(np.arange(100), keys, None)
        sizes = [len(lot.rows) for lot in file.lots(10)]
    assert len(sizes) == 10
    assert max(sizes) < 15


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    """Its files are gone once it is closed, and it can be closed twice."""
    file = DigestFile(tmp_path)
    file.add(np.arange(1), [bytes(16)], None)
    file.close()
    file.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        list(file.lots())
