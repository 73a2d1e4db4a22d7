"""What has been accepted before: one mechanism for resuming, for sending only what changed, and for events once.

A ledger is a set of accepted calls, not a row number: rows may be added on top, shuffled or changed between two loads.

- `keys`: a call → the digest that it is known by. Pure; keyed by the destination, so that no ledger of another
  account or address ever matches, and no phone number can be guessed back.
- `decide`: what the ledger knows of a user, and the user's rows in the input → which of them go out. Pure.
- `store`: the SQLite file.
- `in_flight`: the calls that are out at this instant, on record before they go.
- `plan`: the whole input, prepared and compared with the ledger before the first call.
- `ledger`: all of it as one object, which `deliver` uses.
"""

from interakt_loader.ledger.ledger import Ledger
from interakt_loader.ledger.plan import Plan

__all__ = ["Ledger", "Plan"]
