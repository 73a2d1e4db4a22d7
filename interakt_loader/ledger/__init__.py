"""Which calls have been accepted before: to resume a load, to send only what has changed, and to send events once.

A ledger is a set of accepted calls, not a row number. So rows may be added, shuffled or changed between two loads.

- `ledger`: all of it as one object, which the pipeline uses; and a copy of it for a dry run.
- `plan`: the whole input, prepared and compared with the ledger before the first call.
- `digest_file`: the digests of all rows of a load, and which of them share a key.
- `digests`: the digests by which calls are known, and the decision which of them are sent. Pure.
- `loads`: what is remembered of earlier loads: mappings, sources, inputs, event names.
- `store`: the SQLite file, which belongs to one load at a time and detects damage.
- `in_flight`: the calls in flight, on record before they are sent.
- `parts`: the files of several processes that write at once, and their merge into the ledger.
- `account`: the random secret of each account and address, protected by the API key.
"""

from __future__ import annotations

from interakt_loader.ledger.ledger import Ledger
from interakt_loader.ledger.plan import Plan

__all__ = ["Ledger", "Plan"]
