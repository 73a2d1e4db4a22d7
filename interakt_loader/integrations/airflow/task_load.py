"""A load inside a task, which Airflow can end at any time: by a signal, by `on_kill`, by a timeout.

Its options may come as text from templates, forms and connections. Errors become Airflow's own where no retry helps.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from interakt_loader.errors import InteraktLoaderError, KeyRefused, NotJustNow, SettingsError, SourceError, UsageError
from interakt_loader.model import Stop, StopToken
from interakt_loader.privacy.text import masked
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import ACCOUNT
from interakt_loader.settings.settings import Options, ledger_beside, report_beside
from interakt_loader.settings.values import is_address, parse_name, parsed
from interakt_loader.sources import hidden_source

if TYPE_CHECKING:
    from interakt_loader.model import Kind
    from interakt_loader.result import LoadResult

logger = logging.getLogger("interakt_loader")


def can_retry(error: InteraktLoaderError) -> bool:
    """Return True if the same task may succeed later.

    It may if rows failed, if an outage or too many failures stopped the load, if another load uses the ledger, or if
    the file does not exist yet. A refused key, a plan without the API, and a wrong mapping or option need a person.
    """
    if isinstance(error, UsageError):
        return isinstance(error, (SourceError, NotJustNow))
    return not isinstance(error, KeyRefused)


@contextmanager
def errors_for_airflow() -> Iterator[None]:
    """Turn errors that no retry can fix into `AirflowFailException`, if Airflow is running; leave others unchanged.

    Airflow writes an error and its causes to the task's log. So phones and e-mail addresses in it are masked, and its
    causes are logged only at level DEBUG.
    """
    try:
        yield
    except InteraktLoaderError as error:
        if "airflow" not in sys.modules:
            raise
        logger.debug("the error in full", exc_info=error)
        error.args = tuple(masked(one) if isinstance(one, str) else one for one in error.args)
        error.__cause__, error.__suppress_context__ = None, True
        if can_retry(error):
            raise
        try:
            from airflow.sdk.exceptions import AirflowFailException
        # Airflow before 3.3.
        except ImportError:
            from airflow.exceptions import AirflowFailException
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


_CAN_BE_NONE = {name for name, kinds in Options.__annotations__.items() if "None" in str(kinds)}


def read_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without blank ones, and with None for `"none"` where an option can be that.

    `Settings` reads all other text, as it does on the command line.
    """
    filled = {name: value for name, value in given.items() if not (isinstance(value, str) and not value.strip())}
    return {name: None if name in _CAN_BE_NONE and _is_none(value) else value for name, value in filled.items()}


def _is_none(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() == "none"


def with_files(source: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a load, with a path for the report and the ledger if they have none.

    The report is next to the (first) source, and the ledger next to the report, so all tries of a task use the same
    files. Their names are the source's: tasks that load one file each do not wait for one another. With `name` the
    files have that name, and the files of all days share one ledger. A ledger of None stays None. Raises
    `SettingsError` for a source at an address without `report`.
    """
    given = dict(options)
    source = hidden_source(source)
    name = given.get("name")
    if name is not None:
        parsed("name", parse_name, name)
    if given.get("report") is None:
        first = str(source[0]) if isinstance(source, (list, tuple)) and source else str(source)
        if is_address(first):
            raise SettingsError("report: give a path; the source is at an address, and nothing can be put beside it")
        given["report"] = report_beside(first, name)
    given.setdefault("ledger", ledger_beside(str(given["report"]), name))
    return {"progress": False, **given}


POLL_SECONDS = 0.2
"""The task's thread wakes this often: another thread may get a signal, whose handler runs on this thread."""


class TaskLoad:
    """One load, on a thread of its own.

    Airflow raises exceptions on the task's thread; a timeout does so at any line. On its own thread the load is not
    interrupted. It is drained: it makes no new calls, finishes and records those in flight, and reports all other rows
    as `unsent`. The next try sends these.
    """

    def __init__(self) -> None:
        self.stop_token = StopToken()

    def stop(self, why: str = "the task was ended") -> None:
        """Drain the load, without waiting for its end. Any thread and any signal handler may call this."""
        self.stop_token.request(Stop("interrupted", why))

    def run(
        self, data: Any, mapping: Any, kind: Kind | None, options: Mapping[str, Any], event: str | None = None
    ) -> LoadResult:
        """Load a table and return the result, as `load_users` and `load_events` do.

        `kind` None: the mapping decides. `event` is the name of all events, if no column has it. If an exception is
        raised on this thread, the load is drained first. A KeyboardInterrupt during that ends at once.
        """
        done: Future[LoadResult] = Future()
        work = (_load, done, data, mapping, kind, options, event, self.stop_token)
        thread = threading.Thread(target=copy_context().run, args=work, name="interakt-load", daemon=True)
        thread.start()
        try:
            _await(done)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and self.stop_token.is_interrupt:
                raise
            self.stop(f"the task was ended ({type(error).__name__})")
            logger.info("the task ends: finishing the calls in flight, and the report")
            _await(done)
            _log_result(done)
            raise
        _log_result(done)
        return done.result()


def _await(done: Future[LoadResult]) -> None:
    """Wait for the load's end. An exception inside the thread's `join` would mark the thread as ended."""
    while not done.done():
        wait([done], POLL_SECONDS)


def _load(
    done: Future[LoadResult],
    data: Any,
    mapping: Any,
    kind: Kind | None,
    options: Mapping[str, Any],
    event: str | None,
    stop_token: StopToken,
) -> None:
    try:
        from interakt_loader import load as loading
        from interakt_loader.load.opening import choose_mapping, opened

        # the environment of a worker is that of all its tasks, whose accounts may differ
        settings = Settings.resolve(options, variables=ACCOUNT, strict=False)
        source = opened(data, settings)
        if event is not None:
            choice = choose_mapping(mapping, source, kind, settings, event)
            if choice.inferred is not None:
                logger.warning("%s", masked(choice.inferred.summary()))
            source, mapping = choice.source, choice.mapping.as_dict() | {"event": {"value": event}}
        done.set_result(loading.load(source, mapping, kind, settings, stop_token=stop_token))
    # Any error is raised on the thread that waits for the result.
    except BaseException as error:  # noqa: BLE001
        done.set_exception(error)


def _log_result(done: Future[LoadResult]) -> None:
    if done.exception() is None:
        result = done.result()
        logger.info("%s; report: %s", masked(repr(result)), result.report)
