"""Which tests are run against the mistakes in a module."""

from __future__ import annotations

SENDING, LEDGER = "tests/sending/test_", "tests/ledger/test_"
DIRECT = {
    "sending/scheduler": [f"{SENDING}scheduler_edges.py", f"{SENDING}scheduler.py", f"{SENDING}coalesce.py"],
    "sending/rate_limit": [f"{SENDING}rate_arithmetic.py", f"{SENDING}rate_edges.py", f"{SENDING}rate_limit.py"],
    "sending/retry_policy": [f"{SENDING}retry_policy.py", f"{SENDING}outage.py", f"{SENDING}scheduler.py"],
    "sending/pending": [f"{SENDING}pending.py", f"{SENDING}coalesce.py", f"{SENDING}scheduler.py"],
    "sending/workers": [f"{SENDING}concurrency_limit.py"],
    "ledger/account": [f"{LEDGER}account.py"],
    "ledger/digests": [f"{LEDGER}decide.py", f"{LEDGER}keys.py"],
    "ledger/store": [f"{LEDGER}store.py", f"{LEDGER}ledger.py"],
    "ledger/in_flight": [f"{LEDGER}in_flight.py"],
    "ledger/ledger": [f"{LEDGER}ledger.py"],
    "ledger/plan": [f"{LEDGER}plan.py"],
}
"""The modules, each with its tests."""
