"""`load_users`, `load_events` and `check`: everything that stands around the line.

- `loading`: the three functions, and `load`, which they, the command line and Airflow share.
- `opening`: whatever was given → a source, and which of its columns is which.
- `selection`: the rows that were asked for.
- `interrupts`: Ctrl-C and SIGTERM → a stop.
- `failing`: the rows that failed, with their own columns.
"""

from interakt_loader.loading.loading import check, load, load_events, load_users
from interakt_loader.loading.opening import infer

__all__ = ["check", "infer", "load", "load_events", "load_users"]
