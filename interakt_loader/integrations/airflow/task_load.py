"""Which errors a retry can mend, said in Airflow's own terms.

A load inside of a task, which Airflow can end at any moment: by a signal, by `on_kill`, by a timeout.
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

from interakt_loader.errors import (
    InteraktLoaderError,
    KeyRefused,
    NotJustNow,
    SettingsError,
    SourceError,
    UsageError,
)
from interakt_loader.model import Stop, StopToken
from interakt_loader.privacy.text import masked
from interakt_loader.settings import Settings
from interakt_loader.settings.settings import Options, ledger_beside, report_beside
from interakt_loader.settings.values import parse_name, parsed

if TYPE_CHECKING:
    from interakt_loader.model import Kind
    from interakt_loader.result import LoadResult

logger = logging.getLogger("interakt_loader")


def can_be_mended_by_a_retry(error: InteraktLoaderError) -> bool:
    """Tell whether the same task, run again in a while, may do better.

    It may where rows failed, an outage or too many failures stopped the load, another load has the ledger, or the
    file is not there (it may be late). A key that is refused, a plan without the API, a mapping or an option without
    sense stay as they are until somebody mends them.
    """
    if isinstance(error, UsageError):
        return isinstance(error, (SourceError, NotJustNow))
    return not isinstance(error, KeyRefused)


@contextmanager
def told_to_airflow() -> Iterator[None]:
    """Turn errors that no retry can mend into `AirflowFailException`, where Airflow is at work; leave others alone.

    There an error ends in the task's log, with all that led to it. So phones and e-mail addresses in it are masked, and
    what led to it is logged at level DEBUG.
    """
    try:
        yield
    except InteraktLoaderError as error:
        if "airflow" not in sys.modules:
            raise
        logger.debug("the error in full", exc_info=error)
        error.args = tuple(masked(one) if isinstance(one, str) else one for one in error.args)
        error.__cause__, error.__suppress_context__ = None, True
        if can_be_mended_by_a_retry(error):
            raise
        try:
            from airflow.sdk.exceptions import AirflowFailException
        except ImportError:  # before 3.3
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
    """Return the options of a load with a report and a ledger, where nobody has said where these go.

    The report goes beside the (first) source, and the ledger beside the report: both are the same for each try of a
    task. They are called like the source, so that tasks that load a file each do not wait for one another; with `name`
    they go by that, and the ledger is that of each day's file. A ledger of None stays none. Raises `SettingsError`
    where the source is at an address.
    """
    given = dict(options)
    name = given.get("name")
    if name is not None:
        parsed("name", parse_name, name)
    if given.get("report") is None:
        first = str(source[0]) if isinstance(source, (list, tuple)) and source else str(source)
        if "://" in first:
            raise SettingsError("report: give a path; the source is at an address, and nothing can be put beside it")
        given["report"] = report_beside(first, name)
    given.setdefault("ledger", ledger_beside(str(given["report"]), name))
    return {"progress": False, **given}


GLANCE = 0.2
"""Seconds after which the task's thread looks up: a signal may come to another thread, and is handled on this one."""


class TaskLoad:
    """One load, on a thread of its own.

    What Airflow raises on the task's thread (a timeout does so wherever the program is) does not strike the load in
    the middle of its work. It is *drained*: no new call goes out, those in flight are finished and recorded, the rest
    of the rows is `unsent` in the report, and the next try goes on from there.
    """

    def __init__(self) -> None:
        self.stop_token = StopToken()

    def stop(self, why: str = "the task was ended") -> None:
        """Have the load drained; from any thread. Does not wait for it."""
        self.stop_token.request(Stop("interrupted", why))

    def run(
        self, data: Any, mapping: Any, kind: Kind | None, options: Mapping[str, Any], event: str | None = None
    ) -> LoadResult:
        """Load a table and return what became of it, as `load_users` and `load_events` do.

        `kind` None: what the mapping says. `event`: the name of all events, where no column holds it. When something
        is raised on this thread meanwhile, the load is drained before that goes on; a KeyboardInterrupt while it is
        being drained leaves at once.
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
            _say(done)
            raise
        _say(done)
        return done.result()


def _await(done: Future[LoadResult]) -> None:
    """Wait for the load's end. Not by the thread's `join`: an exception that strikes there has it taken for ended."""
    while not done.done():
        wait([done], GLANCE)


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

        settings = Settings.resolve(options)
        source = opened(data, settings)
        if event is not None:
            choice = choose_mapping(mapping, source, kind, settings, event)
            if choice.inferred is not None:
                logger.warning("%s", masked(choice.inferred.summary()))
            source, mapping = choice.source, choice.mapping.as_dict() | {"event": {"value": event}}
        done.set_result(loading.load(source, mapping, kind, settings, stop_token=stop_token))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the result is waited for
        done.set_exception(error)


def _say(done: Future[LoadResult]) -> None:
    if done.exception() is None:
        result = done.result()
        logger.info("%s; report: %s", masked(repr(result)), result.report)
