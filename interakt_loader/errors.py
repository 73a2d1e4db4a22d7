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

`option`, `mapped` and `by_surface` name options in messages the way their reader writes them: as flags on the command
line, as keyword arguments in Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
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


_FLAGS = {"api_key": "--api-key-file", "old_api_key": "--old-api-key-file"}
"""Flags that are not called like their option: a key is never an argument, its file is."""

_KEYWORDS = {"as": "kind"}
"""Keyword arguments that are not called like their flag."""

_surface = "python"


@contextmanager
def flags_in_messages() -> Iterator[None]:
    """Have all messages made meanwhile, by any thread, name options by their flags: for the command line."""
    global _surface  # noqa: PLW0603 - like the language of messages, one for the whole process
    before, _surface = _surface, "command line"
    try:
        yield
    finally:
        _surface = before


def by_surface(python: str, command_line: str) -> str:
    """Return the text for the reader of this process: a user of the Python functions, or of the command line."""
    return command_line if _surface == "command line" else python


def flag_of(name: str) -> str:
    """Return the flag of an option."""
    return _FLAGS.get(name) or "--" + name.replace("_", "-")


def option(name: str, value: object = None, *, placeholder: str | None = None) -> str:
    """Return an option as its user writes it, for a message.

    - `option("ledger")`: `ledger`, or `--ledger` on the command line
    - `option("same_account", value=True)`: `same_account=True`, or `--same-account`
    - `option("name", "orders")`: `name='orders'`, or `--name orders`
    - `option("ledger", placeholder="PATH")`: `ledger=PATH`, or `--ledger PATH`; of a key, `--api-key-file FILE`
    """
    keyword, flag = _KEYWORDS.get(name, name), flag_of(name)
    if placeholder is not None:
        return by_surface(f"{keyword}={placeholder}", f"{flag} {'FILE' if name in _FLAGS else placeholder}")
    if value is None:
        return by_surface(keyword, flag)
    if isinstance(value, bool):
        return by_surface(f"{keyword}={value}", flag if value else flag.replace("--", "--no-", 1))
    return by_surface(f"{keyword}={value!r}", f"{flag} {_argument(str(value))}")


def _argument(text: str) -> str:
    """Return an argument as a shell takes it."""
    return text if re.fullmatch(r"[\w.:/%+-]+", text) else f'"{text}"'


def mapped(field: str, column: str | None = None) -> str:
    """Return a line of a mapping as its user writes it: `"phone": "Mobile"`, or `--map phone="Mobile"`.

    Without a column, COLUMN stands in its place.
    """
    shown = "COLUMN" if column is None else f'"{column}"'
    return by_surface(f'"{field}": {shown}', f"--map {field}={shown}")


def spell_options(text: str) -> str:
    """Return a fixed text with what is between backquotes, `rate_limit` or `bad_values='drop'`, as `option` has it."""
    return re.sub(r"`(\w+)(?:='?([^`']+)'?)?`", lambda found: option(found[1], _value(found[2])), text)


def _value(written: str | None) -> object:
    return {"True": True, "False": False}.get(written or "", written)
