"""Everything that interakt_loader raises, grouped by what the caller should do about it.

::

    InteraktLoaderError
    ├── UsageError (ValueError)       fix what you wrote; nothing was sent         exit 2
    │   ├── SettingsError             an option or the key
    │   │   ├── NotJustNow            a file or server is in use or unreachable: try again later
    │   │   └── AnotherKey            the ledger was made with another API key
    │   ├── MappingError              which column is which
    │   ├── MappingNeeded             a proposed mapping is not confirmed; it is in `.proposal`
    │   ├── SourceError               the file or table itself
    │   ├── ProjectError              a project file has mistakes; they are in `.mistakes`
    │   └── BadArgument               an argument of `track`
    │       └── BadArgumentType       …of the wrong type (also a TypeError)
    ├── LoadStopped                   fix the cause, then run the same load again  exit 3
    │   ├── KeyRefused                401 or 403
    │   ├── CertificateUntrusted      the server's certificate does not verify
    │   ├── Outage                    no call reached the server
    │   ├── TooManyFailures           more rows failed than `max_failures` allows
    │   ├── SourceBroken              the source could not be read to its end
    │   ├── RecordBroken              the ledger or the report can no longer be written
    │   └── ShareLost                 the shared clock can no longer be reached
    ├── RowsFailed                    look at the report                           exit 1
    ├── QueueFull                     `track` only: the call was not queued
    └── APIError                      `track` only: one call did not succeed

    LoadInterrupted (KeyboardInterrupt)   Ctrl-C or SIGTERM; the report is in `.result`   exit 130/143

A row never raises: its result is an `Outcome`. No message contains the API key.
All errors can be pickled, so they pass between processes (Airflow, Spark, multiprocessing).

`option`, `mapped` and `by_surface` name options in messages the way their reader writes them. These are flags on the
command line, keyword arguments in Python, and keys in a project file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

KEY_PLACE = "Interakt's Settings > Developer Settings > Secret Key"
"""Where the dashboard has the key, in the vendor's words. For messages."""


class InteraktLoaderError(Exception):
    """The base class of all errors of this package, except `LoadInterrupted`."""

    exit_code = 1
    can_retry = True
    """Whether the same load may succeed later, although nobody has changed anything. For schedulers that retry."""


class UsageError(InteraktLoaderError, ValueError):
    """An argument, an option, a mapping or a source is wrong. Nothing was sent."""

    exit_code = 2
    can_retry = False


class SettingsError(UsageError):
    """An option is invalid, or the API key is missing."""


class NotJustNow(SettingsError):
    """An option names something that is not available now: a ledger in use, or a shared clock that is unreachable."""

    can_retry = True


class AnotherKey(SettingsError):
    """The ledger was made with another API key for this address. Nobody has confirmed that the account is the same."""


class MappingError(UsageError):
    """The mapping is invalid, or does not fit the table."""


class MappingNeeded(UsageError):
    """No mapping was given, and the proposed one is not confirmed or has open questions.

    `proposal` is the proposed mapping, an `InferredMapping`. The message shows it, ready to be copied.
    """

    def __init__(self, message: str, proposal: Any) -> None:
        super().__init__(message, proposal)
        self.proposal = proposal

    def __str__(self) -> str:
        return str(self.args[0])


class SourceError(UsageError):
    """The source cannot be read as a table. It may not be there yet."""

    can_retry = True


class ProjectError(UsageError):
    """A project file has mistakes. `mistakes` has one line for each, which begins with its place in the file."""

    def __init__(self, file: str, mistakes: tuple[str, ...]) -> None:
        super().__init__(file, mistakes)
        self.file = file
        self.mistakes = mistakes

    def __str__(self) -> str:
        if len(self.mistakes) == 1:
            return f"project {self.file}: {self.mistakes[0]}"
        return "\n  ".join([f"project {self.file}: {len(self.mistakes)} mistakes:", *self.mistakes])


class BadArgument(UsageError):
    """An argument of a `track` call has a value that the API would refuse."""

    code: str | None = None
    """The code that a load's report has for such a value, if there is one: `not_text`, `out_of_range`, …"""


class BadArgumentType(BadArgument, TypeError):
    """An argument of a `track` call has the wrong type."""


class LoadStopped(InteraktLoaderError):
    """The load ended before its last row; the rows after it are `unsent` in the report."""

    exit_code = 3


class KeyRefused(LoadStopped):
    """The API refuses the key (401) or the account's plan has no API (403)."""

    can_retry = False


class CertificateUntrusted(LoadStopped):
    """The certificate of the server, or of the proxy, does not verify."""


class Outage(LoadStopped):
    """No call reached the server for `max_outage` seconds."""


class SourceBroken(LoadStopped):
    """The source could not be read to its end: an error came during the load."""


class LedgerBroken(Exception):
    """The ledger can no longer be written. Its records and the calls in flight stay on record.

    Only for the pipeline, which ends the load with `RecordBroken`.
    """


class TooManyFailures(LoadStopped):
    """More rows failed than `max_failures` allows."""


class RecordBroken(LoadStopped):
    """The ledger or the report can no longer be written, for example on a full disk. Accepted calls are on record."""


class ShareLost(LoadStopped):
    """The shared clock was unreachable for `max_outage` seconds."""


class RowsFailed(InteraktLoaderError):
    """Some rows are invalid, rejected, failed or unknown; the report names them."""


class QueueFull(InteraktLoaderError):
    """`track` did not queue the call: `max_queue_size` calls are waiting."""


class APIError(InteraktLoaderError):
    """One `track` call did not succeed.

    The attributes are those of the vendor's SDK. `status` is the body's `result`. `status_code` is the HTTP status, and
    None without a response. `message` is the error text of the API or the network.
    """

    def __init__(self, status: Any, status_code: int | None, message: str) -> None:
        super().__init__(status, status_code, message)
        self.status = status
        self.status_code = status_code
        self.message = message
        self.can_retry = status_code is None or status_code in (408, 429) or status_code >= 500

    def __str__(self) -> str:
        return self.message if self.status_code is None else f"HTTP {self.status_code}: {self.message}"


class LoadInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended the load. The calls in flight were finished, and the report is written.

    `result` is the `LoadResult`, or None outside a load; of `run` it is the `ProjectResult`. `signum` is the number of
    the signal; SIGINT is always 2.
    """

    can_retry = True

    def __init__(self, result: Any = None, signum: int = 2) -> None:
        super().__init__(result, signum)
        self.result = result
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, as in shells."""
        return 128 + self.signum

    def __str__(self) -> str:
        # Slow to import, and rarely needed.
        import signal

        where = getattr(self.result, "_where", None)
        ended = "" if self.result is None else f": {self.result!r}" + ("" if where is None else f"; {where()}")
        return f"interrupted by {signal.Signals(self.signum).name}{ended}"


_FLAGS = {"api_key": "--api-key-file", "old_api_key": "--old-api-key-file"}
"""Flags that are not called like their option: a key is never an argument, its file is."""

_IN_A_PROJECT = {"api_key": "account.key", "old_api_key": "account.old_key"}
"""Keys of a project file that are not called like their option."""

_KEYWORDS = {"as": "kind"}
"""Keyword arguments that are not called like their flag."""

_surface = "python"
# that of the program, whatever file it reads
_program = "python"


@contextmanager
def flags_in_messages() -> Iterator[None]:
    """Have all messages made meanwhile, by any thread, name options by their flags: for the command line."""
    global _program  # noqa: PLW0603 - as below
    before, _program = _program, "command line"
    try:
        with _messages_for("command line"):
            yield
    finally:
        _program = before


@contextmanager
def keys_in_messages() -> Iterator[None]:
    """Have all messages made meanwhile, by any thread, write options as a project file has them: `ledger: PATH`."""
    with _messages_for("project"):
        yield


@contextmanager
def _messages_for(surface: str) -> Iterator[None]:
    global _surface  # noqa: PLW0603 - like the language of messages, one for the whole process
    before, _surface = _surface, surface
    try:
        yield
    finally:
        _surface = before


def by_surface(python: str, command_line: str) -> str:
    """Return the text for the reader of this process: a user of the Python functions, or of the command line."""
    return command_line if _surface == "command line" else python


def command(name: str) -> str:
    """Return a command as its user runs it, for a message: `baseline(…)`, or `interakt-loader baseline`."""
    return f"interakt-loader {name}" if _program == "command line" else f"{name}(…)"


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
    if _surface == "project":
        keyword = _IN_A_PROJECT.get(name, keyword)
        shown = placeholder or (str(value).lower() if isinstance(value, bool) else value)
        return keyword if shown is None else f"{keyword}: {shown}"
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
