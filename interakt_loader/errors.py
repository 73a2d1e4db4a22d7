"""Everything that interakt_loader raises, grouped by what the caller should do about it.

::

    InteraktLoaderError
    ├── UsageError (ValueError)       mend what you wrote; nothing was sent        exit 2
    │   ├── SettingsError             an option or the key
    │   │   ├── NotJustNow            what an option names is taken, or away: try again later
    │   │   └── AnotherKey            the ledger was made with another API key: the account's old one, or not?
    │   ├── MappingError              which column is which
    │   ├── MappingNeeded             nobody has confirmed a guess; `.proposal` holds it
    │   ├── SourceError               the file or table itself
    │   └── BadArgument               an argument of `track`
    │       └── BadArgumentType       …of the wrong type (also a TypeError)
    ├── LoadStopped                   run the same load again once this is mended  exit 3
    │   ├── KeyRefused                401 or 403
    │   ├── CertificateUntrusted      the server's certificate does not verify
    │   ├── Outage                    nothing could be reached
    │   ├── TooManyFailures           more rows failed than `max_failures` allows
    │   ├── SourceBroken              the source could not be read to its end
    │   ├── RecordBroken              the ledger or the report could be written no longer
    │   └── ShareLost                 the shared clock could be reached no longer
    ├── RowsFailed                    look at the report                           exit 1
    ├── QueueFull                     `track` only: the call was not queued
    └── APIError                      `track` only: one call did not succeed

    LoadInterrupted (KeyboardInterrupt)   Ctrl-C or SIGTERM; `.result` holds the report   exit 130/143

A row never raises: what happens to it is an `Outcome`. No message here ever holds the API key.
All of these pickle, so that they cross process borders (Airflow, Spark, multiprocessing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interakt_loader.mapping import InferredMapping
    from interakt_loader.result import LoadResult


class InteraktLoaderError(Exception):
    """The root: catch this to catch all of them."""

    exit_code = 1


class UsageError(InteraktLoaderError, ValueError):
    """Something that the caller wrote is wrong. Nothing was sent."""

    exit_code = 2


class SettingsError(UsageError):
    """An option has no sense, or the API key is missing."""


class NotJustNow(SettingsError):
    """What an option names cannot be had at the moment: another load has the ledger, the shared clock is away."""


class AnotherKey(SettingsError):
    """The ledger was made with another API key for this address, and nobody has said that it is the same account."""


class MappingError(UsageError):
    """The mapping does not fit the table, or is no mapping at all."""


class MappingNeeded(UsageError):
    """No mapping was given, and nobody has confirmed the proposed one, or it leaves questions open.

    `proposal` is the proposed mapping; the message shows it, ready to be pasted.
    """

    def __init__(self, message: str, proposal: InferredMapping) -> None:
        super().__init__(message, proposal)
        self.proposal = proposal

    def __str__(self) -> str:
        return str(self.args[0])


class SourceError(UsageError):
    """The source cannot be read as a table."""


class BadArgument(UsageError):
    """An argument of a `track` call has a value that the API would not take."""

    code: str | None = None
    """The code that the report of a load has for such a value, where it has one: `not_text`, `out_of_range`, …"""


class BadArgumentType(BadArgument, TypeError):
    """An argument of a `track` call has the wrong type."""


class LoadStopped(InteraktLoaderError):
    """The load ended before its last row; the rest is `unsent` in the report."""

    exit_code = 3


class KeyRefused(LoadStopped):
    """The API refuses the key (401) or the account's plan has no API (403)."""


class CertificateUntrusted(LoadStopped):
    """The server's certificate, or the proxy's, cannot be trusted."""


class Outage(LoadStopped):
    """Nothing could be reached for `max_outage` seconds."""


class SourceBroken(LoadStopped):
    """The source turned out to be unreadable in mid-load."""


class LedgerBroken(Exception):
    """The ledger can be written no longer; what it holds, and what is in flight, stays on record."""


class TooManyFailures(LoadStopped):
    """More rows failed than `max_failures` allows."""


class RecordBroken(LoadStopped):
    """The ledger or the report could be written no longer: a full disk, say. What was accepted is on record."""


class ShareLost(LoadStopped):
    """The clock that several loads share could not be reached for `max_outage` seconds."""


class RowsFailed(InteraktLoaderError):
    """Some rows are invalid, rejected, failed or unknown; the report names them."""


class QueueFull(InteraktLoaderError):
    """`track` could not take the call: `max_queue_size` calls wait already."""


class APIError(InteraktLoaderError):
    """One `track` call did not succeed.

    `status` is the body's `result`, `status_code` the HTTP status (None when there was no answer),
    `message` what the API or the network said: the attributes of the vendor's SDK.
    """

    def __init__(self, status: Any, status_code: int | None, message: str) -> None:
        super().__init__(status, status_code, message)
        self.status = status
        self.status_code = status_code
        self.message = message

    def __str__(self) -> str:
        return self.message if self.status_code is None else f"HTTP {self.status_code}: {self.message}"


class LoadInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended the load: calls in flight were finished, the report is written.

    `signum` is the signal's number: 2 is SIGINT everywhere.
    """

    def __init__(self, result: LoadResult | None = None, signum: int = 2) -> None:
        super().__init__(result, signum)
        self.result = result
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, as shells have it."""
        return 128 + self.signum

    def __str__(self) -> str:
        import signal  # slow to import, and rarely needed

        ended = "" if self.result is None else f": {self.result!r}; report: {self.result.report}"
        return f"interrupted by {signal.Signals(self.signum).name}{ended}"
