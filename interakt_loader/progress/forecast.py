"""What a load will take, said before the first call. Pure."""

from __future__ import annotations

from interakt_loader.settings.values import PLAN_RATES, Rate, parse_rate


def forecast(
    rate: Rate | str | None,
    rows: int,
    *,
    exact: bool = True,
    unchanged: int | None = None,
    merged: int = 0,
    skipped: int = 0,
    calls: int | None = None,
    at_most: bool = False,
    doubted: int = 0,
) -> str:
    """Return one line: how many rows and calls, and how long that takes at the limit.

    `calls` are known once the rows have been checked; `unchanged` when there is a ledger, and so is how many of the
    calls are `doubted` (were out when an earlier load ended), and how many rows in doubt are `skipped`. `merged` rows
    go with another row's call. `at_most`: rows may be folded into one call as the load goes, and how many depends on
    how fast it goes. The time at a limit that is still to be detected is given for the smallest plan that has an API.
    """
    if calls is None:
        said = f"{'' if exact else 'about '}{_count(rows, 'row')}"
        calls = rows
        if calls:
            said += f": {'at most ' if exact or at_most else ''}{_count(calls, 'call')}"
    else:
        invalid = rows - (unchanged or 0) - merged - skipped - calls
        said = _count(rows, "row") if unchanged is None else f"{unchanged:,} of {_count(rows, 'row')} unchanged"
        for number, what in ((merged, "merged"), (skipped, "in doubt and left so"), (invalid, "invalid")):
            said += f", {number:,} {what}" if number else ""
        said += f"; {'at most ' if at_most and calls else ''}{_count(calls, 'call')}"
        if doubted:
            said += f" ({doubted:,} may have been accepted before)"
    if not calls or rate is None:
        return said
    if isinstance(rate, Rate):
        return f"{said}, {duration(calls / rate.calls * rate.seconds)} at {rate}"
    least = parse_rate(PLAN_RATES["growth"])
    assert isinstance(least, Rate)
    return f"{said}; {duration(calls / least.calls * least.seconds)} if the account allows {least}"


def duration(seconds: float) -> str:
    """Return a time as people say it: `about 2 h 47 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"about {max(1, round(seconds))} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"about {days} d {hours} h"
    return f"about {hours} h {minutes} min" if hours else f"about {minutes} min"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
