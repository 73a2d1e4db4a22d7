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
"""

from interakt_loader.loading.loading import baseline, check, load, load_events, load_users
from interakt_loader.loading.opening import infer

__all__ = ["baseline", "check", "infer", "load", "load_events", "load_users"]
