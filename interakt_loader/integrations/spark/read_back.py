"""The counts of a load, from the report that Spark wrote: aggregated where the lines are."""

from __future__ import annotations

from typing import Any, cast, get_args

from interakt_loader.codes import StopReason
from interakt_loader.report.report import Reason, Summary
from interakt_loader.sending.ticket import Stop
from interakt_loader.wire import Status


def read_summary(lines: Any, *, dry_run: bool) -> Summary:
    """Return what the lines of a report come to: a row for each status, code and column comes to the driver."""
    from pyspark.sql import functions

    summary = Summary(dry_run)
    groups = lines.groupBy("status", "code", "column").agg(
        functions.count("*").alias("rows"),
        functions.sum("attempts").alias("attempts"),
        functions.sum(functions.col("maybe_duplicate").cast("int")).alias("maybe_duplicates"),
        functions.min(functions.struct("row", "message")).alias("first"),
    )
    for one in groups.collect():
        summary.counts[one["status"]] += one["rows"]
        summary.attempts += one["attempts"]
        summary.maybe_duplicates += one["maybe_duplicates"]
        if one["code"] is not None:
            key = (one["status"], one["code"], one["column"])
            summary.reasons[key] = Reason(*key, one["rows"], [one["first"]["row"]], one["first"]["message"])
    return summary


def stop_of(summary: Summary) -> Stop | None:
    """Return why tasks ended before their last row: the reason that most rows have."""
    stops = [one for one in summary.top_reasons() if one.status == Status.UNSENT and one.code in get_args(StopReason)]
    if not stops:
        return None
    said = (stops[0].example or "").removeprefix("not sent: ")
    return Stop(cast(StopReason, stops[0].code), said)
