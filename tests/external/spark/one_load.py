"""A load by Spark as a program of its own: `python -m tests.external.spark.one_load REPORT LEDGER MAPPING FIRST END`.

Another environment starts it. It prints the counts as JSON, on the last line.
"""

from __future__ import annotations

import json
import os
import sys

from interakt_loader.integrations.spark import load_events
from tests.external.spark.conftest import running
from tests.seen import frame


def main() -> None:
    """Load some of the events of `tests.seen`. Key and address are in the environment."""
    report, ledger, mapping, first, end = sys.argv[1:]
    with running("local[2,4]") as session:
        rows = frame(session, int(first), int(end))
        to = {"base_url": os.environ["INTERAKT_BASE_URL"], "report": report, "ledger": ledger, "name": "seen"}
        result = load_events(rows, mapping, **to, partitions=2)  # type: ignore[arg-type]
    print(json.dumps(result.as_dict()["status"]))


if __name__ == "__main__":
    main()
