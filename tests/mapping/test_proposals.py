"""What is proposed for tables of many trades, and what is asked: the same on one row of a table and on all."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

from interakt_loader.errors import MappingError
from interakt_loader.mapping.infer.infer import SAMPLE_ROWS, InferredMapping, infer
from interakt_loader.mapping.infer.inferred import columns_of
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source, peek
from tests.mapping.tables_of_proposals import TABLES, Table

ROWS = (1, 2, 3, 30, 200)


def proposed(data: Any, **options: Any) -> InferredMapping:
    """Return what is proposed for a table."""
    source = open_source(data)
    sample, _ = peek(source, SAMPLE_ROWS)
    return infer(source.columns, sample=sample, settings=Settings(**options))


def fields_of(found: InferredMapping) -> dict[str, str]:
    """Return the columns by field, without traits."""
    return {
        line.field: columns_of(line.written)[0]
        for line in found.lines
        if line.active and line.field != "traits" and columns_of(line.written)
    }


def asked(found: InferredMapping) -> set[str]:
    """Return the fields that are asked."""
    return {one.split(":")[0] for one in found.open_questions}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_is_proposed_is_right_or_asked(table: Table, tmp_path: Any) -> None:
    """Field by field and question by question, at 1, 2, 3, 30 and 200 rows, of a file and of a DataFrame."""
    for rows in ROWS:
        path = tmp_path / f"{rows}.csv"
        path.write_text(table.text(rows), encoding="utf-8")
        frame = pd.read_csv(io.StringIO(table.text(rows)), dtype=str, keep_default_na=False)
        for data in (path, frame) if rows == 3 else (path,):
            if table.fields is None:
                with pytest.raises(MappingError, match="no column looks like a user_id or a phone"):
                    proposed(data)
                continue
            found = proposed(data)
            assert (found.kind, fields_of(found)) == (table.kind, table.fields), (rows, found.open_questions)
            assert table.asks <= asked(found) <= table.asks | table.asks_later, (rows, found.open_questions)
            if rows == ROWS[-1]:
                assert asked(found) == table.asks | table.asks_later, found.open_questions
