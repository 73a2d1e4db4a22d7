"""The shape of the package: files as long as their concept, no circle, and a short way for a row.

`python -m tests.shape` prints all figures, and with `--list` where they come from.
"""

from __future__ import annotations

import statistics

from tests import shape

SHORTEST_MEAN = 140
MOST_FILES = 41
MOST_CONSUMER_FILES = 10


def test_a_module_has_140_lines_on_average() -> None:
    """A module holds a whole concept, not a part of one."""
    assert statistics.mean(shape.line_counts(shape.ROOT)) >= SHORTEST_MEAN


def test_no_modules_import_each_other() -> None:
    """Imports inside a function and imports for type checkers count too."""
    assert sum(map(len, shape.imports(shape.ROOT).values())) > 200
    assert shape.circles(shape.ROOT) == []


def test_a_row_passes_through_few_files() -> None:
    """A load of one row of a DataFrame, without a ledger: the files in which a function runs."""
    way = shape.passage(shape.ROOT, "frame")
    assert len(way.files) <= MOST_FILES, sorted(way.files)
    assert 0 < len(way.consumer_files) <= MOST_CONSUMER_FILES, sorted(way.consumer_files)
