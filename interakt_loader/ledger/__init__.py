"""What has been accepted before: one mechanism for resuming, for sending only what changed, and for events once.

A ledger is a set of accepted calls, not a row number: rows may be added on top, shuffled or changed between two loads.

- `account`: the random secret of each account and address, kept safe under the API key.
- `keys`: a call → the digest that it is known by. Pure; keyed by that secret, so that no digest of another account or
  address ever matches, and no phone number can be guessed back.
- `decide`: what the ledger knows of a user, and the user's rows in the input → which of them go out. Pure.
- `store`: the SQLite file; `lock`: it belongs to one load at a time; `seal`: damage to it is noticed.
- `snapshot`: a copy of it as it is at one moment, for a dry run.
- `in_flight`: the calls that are out at this instant, on record before they go.
- `shape`: a mapping → what of it decides what the calls say. Pure.
- `loads`: what is remembered of the loads so far: mappings, sources, inputs, event names.
- `merged_rows`: the rows that another row's call stands for.
- `plan`: the whole input, prepared and compared with the ledger before the first call.
- `ledger`: all of it as one object, which `deliver` uses.
"""

from __future__ import annotations

from interakt_loader.ledger.ledger import Ledger
from interakt_loader.ledger.plan import Plan

__all__ = ["Ledger", "Plan"]
