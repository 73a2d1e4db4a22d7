"""What a load returns."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interakt_loader.errors import (
    CertificateUntrusted,
    InteraktLoaderError,
    KeyRefused,
    LoadStopped,
    Outage,
    RecordBroken,
    RowsFailed,
    ShareLost,
    SourceBroken,
    TooManyFailures,
    option,
)
from interakt_loader.model import VERIFIED, Kind, Message, Status, Stop
from interakt_loader.privacy.files import open_private
from interakt_loader.privacy.text import masked, masked_body, number_of, printable
from interakt_loader.report.reading import read_batches, read_report, read_timeline
from interakt_loader.report.writer import Report, Summary
from interakt_loader.result.account import AccountRead
from interakt_loader.result.creates import Creates
from interakt_loader.result.view import View, elapsed
from interakt_loader.settings.values import Rate
from interakt_loader.sources.base import Lines
from interakt_loader.sources.spool import TemporaryFile

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

logger = logging.getLogger("interakt_loader")

_STOPS: dict[str, type[LoadStopped]] = {
    "key_refused": KeyRefused,
    "plan_without_api": KeyRefused,
    "certificate_untrusted": CertificateUntrusted,
    "outage": Outage,
    "too_many_failures": TooManyFailures,
    "source_broken": SourceBroken,
    "ledger_broken": RecordBroken,
    "report_broken": RecordBroken,
    "share_lost": ShareLost,
}


def stopped_error(stop: Stop) -> LoadStopped:
    """Return the error that says why calls ended early."""
    return _STOPS.get(stop.reason, LoadStopped)(stop.message)


class LoadResult:
    """How a load went: the counts, and the lines of the report, which are read from disk when they are needed."""

    def __init__(
        self,
        *,
        name: str,
        kind: Kind,
        summary: Summary,
        seconds: float,
        report: Path,
        address: str | None = None,
        stopped: Stop | None = None,
        ledger: Path | None = None,
        temporary: TemporaryFile | None = None,
        most_held: int = 0,
        examples: Sequence[Message] = (),
        forecast: str | None = None,
        creates: Creates | None = None,
        rate_limit: Rate | str | None = None,
        rows_of: Callable[[pa.Table], pd.DataFrame],
        options: Mapping[str, Any],
        lines: Lines | None = None,
        account: AccountRead | None = None,
    ) -> None:
        self.name = name
        """The name of the input: of its file, or of its type."""
        self.kind = kind
        """`user` or `event`."""
        self.summary = summary
        """The counts and the reasons."""
        self.seconds = seconds
        """How many seconds the load took."""
        self.report = report
        """The file of the report. Without the option `report` it is temporary, and removed with this object.

        A pickle of the result then holds the report too.
        """
        # The address of a report that only Spark can read.
        self._address = address
        self.ledger = ledger
        """The file of the ledger, if there is one."""
        self.failures_file: Path | None = None
        """The file with the rows to fix and load; None if there is none."""
        mask = bool(options.get("mask"))
        self.stopped = stopped._replace(message=masked(stopped.message)) if stopped is not None and mask else stopped
        """Why the load ended before its last row, or None."""
        self.most_held = most_held
        """The most rows that were in memory at once: at most `max_queue_size`."""
        self.examples = [masked_body(body) if mask else body for body in (one.body.decode() for one in examples)]
        """Of a dry run: the JSON bodies of the first calls, exactly as they would be sent."""
        self.forecast = forecast
        """Of a dry run: how many calls the load would make, and how long that takes at the rate limit."""
        self.creates = creates
        """Of a dry run: the names of traits, tags and events in its calls, and which are new to the ledger."""
        self.options = dict(options)
        """The options of the load, without the key."""
        self._rate_limit = rate_limit
        self.lines = lines or Lines()
        """On which line each row of a text file begins: `result.lines.of(row)`."""
        self.account = account
        """Of `verify`: what was read of the account."""
        # The file of a temporary report.
        self._temporary = temporary
        # None in another process, which does not have the input.
        self._rows_of: Callable[[pa.Table], pd.DataFrame] | None = rows_of

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_rows_of": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._temporary is not None:
            self.report = self._temporary.path

    def __copy__(self) -> LoadResult:
        return self._with(vars(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> LoadResult:
        shared = {name: getattr(self, name) for name in ("_rows_of", "_temporary")}
        return self._with(deepcopy(vars(self) | dict.fromkeys(shared), memo) | shared)

    def _with(self, state: dict[str, Any]) -> LoadResult:
        """Return a copy with this state. It has the input and the report's file in common with this result."""
        copied = object.__new__(type(self))
        vars(copied).update(state)
        return copied

    @property
    def rows(self) -> int:
        """Rows of the input, each with one line in the report."""
        return self.summary.rows

    @property
    def attempts(self) -> int:
        """HTTP calls made."""
        return self.summary.attempts

    @property
    def sent(self) -> int:
        """Rows accepted by the API."""
        return self.summary.counts[Status.SENT]

    @property
    def unchanged(self) -> int:
        """Rows whose call, or event, was accepted before."""
        return self.summary.counts[Status.UNCHANGED]

    @property
    def recorded(self) -> int:
        """Rows put on record as sent by `baseline`, and not sent."""
        return self.summary.counts[Status.RECORDED]

    @property
    def merged(self) -> int:
        """Rows that are included in the accepted call of another row."""
        return self.summary.counts[Status.MERGED]

    @property
    def invalid(self) -> int:
        """Rows that cannot be sent, found before any call."""
        return self.summary.counts[Status.INVALID]

    @property
    def rejected(self) -> int:
        """Rows that the API answered with 4xx."""
        return self.summary.counts[Status.REJECTED]

    @property
    def failed(self) -> int:
        """Rows that used up their retries and were certainly not accepted."""
        return self.summary.counts[Status.FAILED]

    @property
    def unknown(self) -> int:
        """Rows that may have been accepted: their last call had no readable answer."""
        return self.summary.counts[Status.UNKNOWN]

    @property
    def unsent(self) -> int:
        """Rows that were not tried, because the load stopped before; in a dry run, rows that would be sent."""
        return self.summary.counts[Status.UNSENT]

    @property
    def same(self) -> int:
        """Of `verify`: rows that the account holds."""
        return self.summary.counts[Status.SAME]

    @property
    def different(self) -> int:
        """Of `verify`: rows whose contact has other values."""
        return self.summary.counts[Status.DIFFERENT]

    @property
    def absent(self) -> int:
        """Of `verify`: rows whose contact is not in the account."""
        return self.summary.counts[Status.ABSENT]

    @property
    def ambiguous(self) -> int:
        """Of `verify`: rows of which it is unclear which contact they are about."""
        return self.summary.counts[Status.AMBIGUOUS]

    @property
    def ok(self) -> bool:
        """Whether every row is sent, unchanged, recorded, merged or the same.

        In a dry run: whether every row could be sent. Of `verify`: also whether the account was read completely.
        """
        is_complete = self.account is None or not self.account.incomplete
        return self.summary.failures == 0 and self.stopped is None and is_complete

    @property
    def is_forgotten(self) -> bool:
        """Whether events were sent without a ledger. If they are loaded again, they are sent a second time."""
        return self.kind == "event" and self.ledger is None and self.attempts > 0

    @property
    def exit_code(self) -> int:
        """The command line's exit code for this result: 0, 1 or 3."""
        if self.stopped is not None:
            return 3
        return 0 if self.ok else 1

    def to_arrow(self) -> pa.Table:
        """Return the report as an Arrow table, in the input's order."""
        return read_report(self._whole_report())

    def to_pandas(self) -> pd.DataFrame:
        """Return the report as a DataFrame, in the input's order."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def failures(self) -> pd.DataFrame:
        """Return the rows that a person has to look at, in the input's order; of a dry run, the invalid rows.

        They have the columns of the input, and `row`, `status`, `code`, `column` and `message` of the report. If the
        input has a column `status`, that of the report is called `load_status`, and so on. You can fix the frame and
        load it again as it is: the columns of the report are not loaded, as long as it is a pandas DataFrame.

        The input is read again, as it is now. If it can be read only once, like a RecordBatchReader, the lines of the
        report are returned alone, with a warning. So are those of a result from another process. Raises
        `InteraktLoaderError` if the report is missing or not whole, or if the input has become shorter.
        """
        lines = self.failing_lines()
        if self._rows_of is not None:
            return self._rows_of(lines)
        logger.warning("%s: was read by another process: the failures come without the columns of the input", self.name)
        frame: pd.DataFrame = lines.to_pandas()
        return frame

    def failing_lines(self) -> pa.Table:
        """Return the lines of the report for the rows that a person has to look at, in the input's order."""
        import pyarrow.compute as pc

        from interakt_loader.report.outcomes import OUTCOMES

        wanted = pa.array([one.value for one in self.summary.failing])
        lines = (batch.filter(pc.is_in(batch["status"], wanted)) for batch in read_batches(self._whole_report()))
        return pa.Table.from_batches(lines, OUTCOMES).sort_by("row")

    def _whole_report(self) -> Path:
        if self._address is not None:
            raise InteraktLoaderError(f"the report {self._address} can be read by Spark only: read it with Spark")
        if not self.report.exists():
            raise InteraktLoaderError(f"the report {self.report} does not exist, or no longer")
        # The file itself may look whole, if it was cut at the end of a line.
        if self.stopped is not None and self.stopped.reason == "report_broken":
            raise InteraktLoaderError(f"the report {self.report} is not whole: the load could not write all of it")
        return self.report

    def raise_for_failures(self) -> None:
        """Raise `LoadStopped` if the load ended early, or `RowsFailed` if rows failed."""
        if self.stopped is not None:
            raise stopped_error(self.stopped)
        if not self.ok:
            reasons = "; ".join(
                f"{one.count:,} {one.status} {one.code or ''}".strip() for one in self.summary.top_reasons()[:3]
            )
            rows = number_of(self.rows, "row")
            if not reasons:
                raise RowsFailed(f"of {rows}: {self._counts()}, but the account could not be read completely")
            raise RowsFailed(f"of {rows}: {self._counts()} ({reasons}); {self._where()}")

    def _where(self) -> str:
        """Return where the rows are, for a message. A temporary report may be gone when somebody reads that."""
        if self._temporary is None:
            return f"report: {self._address or self.report}"
        return f"result.failures() returns the rows, and {option('report', placeholder='PATH')} keeps a report"

    def as_dict(self) -> dict[str, Any]:
        """Return counts and paths as values that can be written as JSON."""
        return {
            "kind": self.kind,
            "rows": self.rows,
            "status": self._status(),
            "attempts": self.attempts,
            "maybe_duplicates": self.summary.maybe_duplicates,
            "seconds": round(self.seconds, 3),
            "report": self._address or str(self.report),
            "failures": None if self.failures_file is None else str(self.failures_file),
            "ledger": None if self.ledger is None else str(self.ledger),
            "creates": None if self.creates is None else self.creates.as_dict(),
            **({} if self.account is None else {"account": self.account.as_dict()}),
            "stopped": None if self.stopped is None else self.stopped._asdict(),
            "exit": self.exit_code,
        }

    def as_object(self, exit_code: int) -> dict[str, Any]:
        """Return what `--output json` prints: `as_dict`, with the reasons and this exit code."""
        facts = self.as_dict()
        # the exit code stays last
        del facts["exit"]
        facts |= {"reasons": self.summary.reasons_as_dicts(), "exit": exit_code}
        # a temporary report is gone when this is read
        return facts if self.options["report"] is not None else facts | {"report": None}

    def _status(self) -> dict[str, int]:
        """Return the counts of the statuses that a row of such a run can have."""
        return {
            name: count
            for name, count in self.summary.counts.items()
            if count or (self.account is None and name not in VERIFIED)
        }

    def write_report(self, path: str | Path) -> Path:
        """Write the report again and return the path. Its ending chooses CSV, JSON lines or Parquet."""
        path, own = Path(path), self._whole_report()
        if path.exists() and path.samefile(own):
            return path
        if own.is_file() and path.suffix.lower() == own.suffix.lower():
            with own.open("rb") as source, open_private(path) as file:
                shutil.copyfileobj(source, file)
            return path
        with Report(path) as report:
            for batch in self.to_arrow().to_batches():
                report.write(batch)
        return path

    def plot(self) -> Figure:
        """Return a matplotlib figure: rows done, calls a second and their limit, answer times, and outcomes.

        Raises `SettingsError` if matplotlib is not installed. A notebook shows the figure. Elsewhere, use
        `result.plot().savefig("load.png")`. Retries count when their row is done. Values are put in bins, so a report
        of millions of rows makes the same figure.
        """
        from interakt_loader.result.plot import draw

        return draw(view_of(self), read_timeline(self._whole_report()))

    def write_html(self, path: str | Path, *, personal: bool = False) -> Path:
        """Write a page about the load and return the path. It is one HTML file that needs no network.

        It shows the counts, the load over time, what went wrong and what to do about it. Below are the rows to look
        at, and the settings without the key. It has at most 2,000 rows, and 200 of each reason.

        Phones and e-mail addresses are masked unless `personal`. A load with the option `mask` has none to show.
        Raises `SettingsError` if the path cannot be written.
        """
        masks = bool(self.options.get("mask")) or not personal
        from interakt_loader.result.html import write_page

        return write_page(view_of(self, masks=masks), self._whole_report(), path)

    def _repr_html_(self) -> str:
        from interakt_loader.result.html import card

        return card(view_of(self))

    def _counts(self) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in self.summary.counts.items() if count) or "no rows"

    def __repr__(self) -> str:
        stopped = f"; stopped: {printable(self.stopped.message)}" if self.stopped else ""
        forgotten = "; no ledger: nothing remembers these events" if self.is_forgotten else ""
        calls = f"{number_of(self.attempts, 'call')} in {elapsed(self.seconds)}"
        return f"<LoadResult: {self._counts()}; {calls}{stopped}{forgotten}>"


def view_of(result: LoadResult, *, masks: bool = False) -> View:
    """Return what there is to show of a result; with `masks` without phones and e-mail addresses."""
    return View(
        name=result.name,
        kind=result.kind,
        summary=result.summary,
        seconds=result.seconds,
        stop=result.stopped,
        ledger=result.ledger,
        report=result.report,
        failures_file=result.failures_file,
        bodies=result.examples,
        forecast=result.forecast,
        creates=result.creates,
        is_forgotten=result.is_forgotten,
        rate_limit=result._rate_limit,
        options=result.options,
        lines=result.lines,
        account=result.account,
        masks=masks,
    )
