"""Loading a table: `load_users`, `load_events`, `baseline`, `check` and `infer`, and the way of a row through a load.

- `api`: the public functions, and `load`, which they share with the command line and Airflow.
- `opening`: the data are opened as a source, its mapping is chosen, and the files that are written are checked.
- `earlier`: a load compared with the earlier ones of its ledger, or of this process.
- `job`: one load, its observer, the question before its first call, and the engine that sends it.
- `run`: everything around the pipeline: the report, the progress bar, signals, the result.
- `pipeline`: the line that each row walks, from record batches to report lines.
- `failed_rows`: the rows that failed, with their own columns, as a frame and as a file to correct and load again.
"""

from __future__ import annotations

from interakt_loader.load.api import baseline, check, load, load_events, load_users
from interakt_loader.load.opening import infer

__all__ = ["baseline", "check", "infer", "load", "load_events", "load_users"]
