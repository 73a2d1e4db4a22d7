"""`load_users`, `load_events`, `baseline` and `check`: everything that stands around the line.

- `loading`: the four functions, and `load`, which they, the command line and Airflow share.
- `opening`: whatever was given → a source, and which of its columns is which.
- `origin`: where the rows come from, whatever way that is spelled.
- `earlier`: a load held against the earlier ones of its ledger, or of this process.
- `old_events`: events that a campaign may answer though they are long past.
- `selection`: the rows that were asked for.
- `interrupts`: Ctrl-C and SIGTERM → a stop.
- `failing`: the rows that failed, with their own columns.
- `failures_file`: the same as a file to be fixed and loaded again.
- `outputs`: the files that a load writes, kept apart from one another and from those that it reads.

The line that a row walks, from record batches to report lines.

- `pipeline`: `deliver`, the line itself.
- `job`: what a load needs to know, and the parts that it is made of.
- `monitor`: the caller's side of the engine: has outcomes recorded, and ends a load that goes wrong.
- `tally`: whether too many rows have failed. Pure.
- `in_order`: outcomes → report lines, in the input's order as far as a second's wait allows.
"""

from __future__ import annotations

from interakt_loader.load.api import (
    baseline,
    check,
    load,
    load_events,
    load_users,
)
from interakt_loader.load.opening import infer

__all__ = ["baseline", "check", "infer", "load", "load_events", "load_users"]
