"""Which errors a retry can mend, said in Airflow's own terms."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from interakt_loader.errors import InteraktLoaderError, KeyRefused, NotJustNow, SourceError, UsageError
from interakt_loader.safety.masking import masked

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
