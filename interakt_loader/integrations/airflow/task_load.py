"""A load inside a task, which Airflow can end at any time: by a signal, by `on_kill`, by a timeout.

Its options may come as text from templates, forms and connections. Errors become Airflow's own where no retry helps.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from interakt_loader.errors import InteraktLoaderError, MappingError
from interakt_loader.integrations.airflow.source import data_of
from interakt_loader.model import Stop, StopToken
from interakt_loader.privacy.text import masked
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import ACCOUNT
from interakt_loader.settings.settings import Options
from interakt_loader.values import full_type

if TYPE_CHECKING:
    from interakt_loader.model import Kind
    from interakt_loader.result import LoadResult

logger = logging.getLogger("interakt_loader")


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
        if error.can_retry:
            raise
        try:
            from airflow.sdk.exceptions import AirflowFailException
        # Airflow before 3.3.
        except ImportError:
            from airflow.exceptions import AirflowFailException
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


_CAN_BE_NONE = {name for name, kinds in Options.__annotations__.items() if "None" in str(kinds)}


def read_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are given, and with None for `"none"` where an option can be that.

    `Settings` reads all other text, as it does on the command line.
    """
    filled = {name: value for name, value in given.items() if not is_missing(value)}
    return {name: None if name in _CAN_BE_NONE and _is_none(value) else value for name, value in filled.items()}


def is_missing(value: Any) -> bool:
    """Tell whether a text is blank, or the `None` that a template makes of a missing value.

    Such a value must not turn the ledger off: the next try would send all events again.
    """
    return isinstance(value, str) and value.strip() in ("", "None")


def _is_none(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() == "none"


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
        self.result: LoadResult | None = None
        """The result, also of a load that was stopped; None until it ends, and after an error."""

    def stop(self, why: str = "the task was ended") -> None:
        """Drain the load, without waiting for its end. Any thread and any signal handler may call this."""
        self.stop_token.request(Stop("interrupted", why))

    def run(
        self, data: Any, mapping: Any, kind: Kind | None, options: Mapping[str, Any], event: str | None = None
    ) -> LoadResult:
        """Load a table and return the result, as `load_users` and `load_events` do.

        `data` may be a `Table`: then no frame of this thread holds rows. `kind` None: the mapping decides. `event` is
        the name of all events, if no column has it. If an exception is raised on this thread, the load is drained
        first. A KeyboardInterrupt during that ends at once.
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
            self._keep_result(done)
            raise
        self._keep_result(done)
        return done.result()

    def _keep_result(self, done: Future[LoadResult]) -> None:
        if done.exception() is None:
            self.result = result = done.result()
            logger.info("%s; report: %s", masked(repr(result)), result.report)


def _await(done: Future[LoadResult]) -> None:
    """Wait for the load's end. An exception inside the thread's `join` would mark the thread as ended."""
    while not done.done():
        wait([done], POLL_SECONDS)


def _load(done: Future[LoadResult], *load: Any) -> None:
    try:
        done.set_result(_loaded(*load))
    # Any error is raised on the thread that waits for the result.
    except BaseException as error:  # noqa: BLE001
        _forget_rows(error)
        done.set_exception(error)


def _loaded(
    data: Any,
    mapping: Any,
    kind: Kind | None,
    options: Mapping[str, Any],
    event: str | None,
    stop_token: StopToken,
) -> LoadResult:
    from interakt_loader import load as loading
    from interakt_loader.load.opening import choose_mapping, opened

    # the environment of a worker is that of all its tasks, whose accounts may differ
    settings = Settings.resolve(options, variables=ACCOUNT, strict=False)
    mapping = _read_elsewhere(mapping)
    source = opened(data_of(data), settings)
    if event is not None:
        choice = choose_mapping(mapping, source, kind, settings, event)
        if choice.inferred is not None:
            logger.warning("%s", masked(choice.inferred.summary()))
        source, mapping = choice.source, choice.mapping.as_dict() | {"event": {"value": event}}
    return loading.load(source, mapping, kind, settings, stop_token=stop_token)


def _forget_rows(error: BaseException) -> None:
    """Remove the variables from the tracebacks of an error and its causes: those of a load hold rows."""
    one: BaseException | None = error
    while one is not None:
        traceback.clear_frames(one.__traceback__)
        one = one.__cause__ or one.__context__


def _read_elsewhere(mapping: Any) -> Any:
    """Return a mapping; a file in an object store is read with the credentials of its path."""
    if not hasattr(type(mapping), "fs"):
        return mapping
    from interakt_loader.mapping.files import read_mapping_file

    try:
        return read_mapping_file(mapping).mapping
    except MappingError:
        raise
    except Exception as error:
        raise MappingError(f"mapping {mapping}: cannot be opened: it raised {full_type(error)}") from error
