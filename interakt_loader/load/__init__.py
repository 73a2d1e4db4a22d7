"""Loading a table: `load_users`, `load_events`, `baseline`, `check` and `infer`, and what they do with each row.

- `api`: the public functions, and `load`, which they share with the command line and Airflow.
- `opening`: opens the data as a source, chooses its mapping, and checks the paths of the files to write.
- `earlier`: compares a load with the earlier ones of its ledger, or of this process.
- `job`: one load, its observer, the question before its first call, and the engine that sends it.
- `run`: everything around the pipeline: the report, the progress bar, signals, the result.
- `runs`: the records of the last runs of a load.
- `terminal`: what a load says while it runs, where that is shown as lines.
- `kept_mapping`: the file of a load's proposed or confirmed mapping.
- `pipeline`: the stages that each row passes, from record batches to report lines.
- `failed_rows`: the rows that failed, with their own columns, as a frame and as a file to correct and load again.
"""

from __future__ import annotations

from interakt_loader.load.api import baseline, check, load, load_events, load_users
from interakt_loader.load.opening import infer

__all__ = ["baseline", "check", "infer", "load", "load_events", "load_users"]
