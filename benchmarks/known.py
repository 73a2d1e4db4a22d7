"""A ledger that knows every row of the table, as if all had been sent: `python -m benchmarks.known TABLE ROWS`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.contenders import MAPPING, NOWHERE
from interakt_loader.ledger import Ledger
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.sending.pending import recorded
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source


def main() -> None:
    """Plan the table's first rows and put each call on record as accepted."""
    table, rows = Path(sys.argv[1]), int(sys.argv[2])
    settings = Settings(api_key=os.environ.get("INTERAKT_API_KEY", "sandbox-key"), base_url=NOWHERE)
    prepare = Preparation(Mapping.of(MAPPING), "user", settings)

    def prepared() -> Iterator[pa.RecordBatch]:
        row = 0
        for batch in open_source(table).batches():
            wanted = batch.slice(0, rows - row)
            yield prepare(wanted, row)
            row += wanted.num_rows
            if row == rows:
                return

    with Ledger(table.with_suffix(".ledger"), "user", settings) as ledger:
        for piece in ledger.plan(prepared()).work_batches():
            ledger.record([recorded(message) for message in piece.calls])


if __name__ == "__main__":
    main()
