"""What a load is told: every option said once, checked, and the same in Python, on the command line and in Airflow.

- `settings`: `Settings`, one frozen dataclass with a line under each option.
- `checks`: which settings make no sense.
- `values`: options as people write them (`300/min`, `5%`, `100:200`) → what they mean. Pure.
- `options`: the same names for type checkers.
- `default_paths`: where report and ledger go if nobody says.
"""

from __future__ import annotations

from interakt_loader.settings.settings import Settings

__all__ = ["Settings"]
