"""What the command line says at the end of a load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from interakt_loader.safety.printable import printable, printable_json
from interakt_loader.wire import PATHS

if TYPE_CHECKING:
    from interakt_loader.result import LoadResult

MOST_REASONS = 10


def as_json(result: LoadResult, exit_code: int) -> str:
    """Return the result as one JSON object."""
    said = result.as_dict() | {"exit": exit_code}
    if result.options["report"] is None:  # it is gone when this has been read
        said["report"] = None
    return printable_json(json.dumps(said, ensure_ascii=False))


def as_text(result: LoadResult, name: str, *, dry_run: bool) -> str:
    """Return the result as a few lines for a person."""
    plural = "users" if result.kind == "user" else "events"
    lines = [f"{name}: {result.rows:,} rows as {plural}" + (" (dry run: nothing was sent)" if dry_run else "")]
    if result.rows == 0:
        lines = [f"{name} has no rows: nothing to send"]
    counts = {status: count for status, count in result.summary.counts.items() if count}
    width = max((len(f"{count:,}") for count in counts.values()), default=0)
    for status, count in counts.items():
        lines.append(f"  {count:>{width},} {'would be sent' if dry_run and status == 'unsent' else status}")
    if result.attempts:
        rate = result.attempts / result.seconds if result.seconds else 0
        lines.append(f"{result.attempts:,} calls in {result.seconds:,.1f} s ({rate:,.0f} a second)")
    if result.summary.maybe_duplicates:
        lines.append(f"{result.summary.maybe_duplicates:,} may have been taken twice (maybe_duplicate in the report)")
    reasons = [one for one in result.summary.top_reasons() if one.code is not None]
    if reasons:
        lines.append("reasons:")
    for one in reasons[:MOST_REASONS]:
        rows = ", ".join(f"{row:,}" for row in one.rows) + (", …" if one.count > len(one.rows) else "")
        lines.append(f"  {one.count:>{width},} {one.status} {one.code} (row{'s' if one.count > 1 else ''} {rows})")
        lines.append(f"  {'':{width}} e.g. {one.example}")
    if len(reasons) > MOST_REASONS:
        lines.append(f"  … and {len(reasons) - MOST_REASONS} more reasons in the report")
    if result.forecast is not None and result.rows:
        lines.append(f"to do: {result.forecast}")
    if result.examples:
        lines.append(f"the first calls, to {PATHS['user' if result.kind == 'user' else 'event']}:")
        lines += [f"  {body}" for body in result.examples]
    if result.stopped is not None:
        lines.append(f"stopped early: {result.stopped.message}")
        lines.append("the rows marked unsent in the report were not tried, or not to the end")
        if result.ledger is not None:
            lines.append("the same command goes on from there")
    if result.options["report"] is not None:
        lines.append(f"report: {result.report}")
    if result.failures_file is not None:
        lines.append(f"to fix and load: {result.failures_file}")
    if result.options["html"] is not None and Path(result.options["html"]).exists():
        lines.append(f"page: {result.options['html']}")
    return "\n".join(map(printable, lines))
