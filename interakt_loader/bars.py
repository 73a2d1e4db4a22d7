"""How far a load is: its state, the line about it, and the bar in a terminal or a notebook.

- `State`: how far it is, and the line that says so.
- `TerminalBar`: one line, made by tqdm. However narrow it is, the time left and the failures stay.
- `NotebookBar`: HTML that is updated in place. It needs no more than the notebook has.
"""

from __future__ import annotations

import importlib
import sys
import time
import unicodedata
from itertools import accumulate
from typing import Any, NamedTuple

from interakt_loader.privacy.process import TolerantStream
from interakt_loader.privacy.text import number_of
from interakt_loader.templates import render

PACE = 0.2
"""Seconds between two pictures of a bar, at least."""


class State(NamedTuple):
    """How far a load is."""

    total: int | None
    """How many there are to do; None if that is unknown."""
    unit: str = "row"
    began: float | None = None
    """When the first call was about to be made. None while rows are prepared."""
    done: int = 0
    calls: int = 0
    """Rows whose call has ended."""
    all_calls: int | None = None
    """Calls to be made, if they are known and limit the load. A row without a call takes no time."""
    note: str = ""
    """How many failed, in words."""
    waits_for: str = ""
    """What all calls wait for, such as an answer."""

    def line(self, name: str, now: float) -> str:
        """Return what is done, the failures, the pace, the time left and what is waited for."""
        if self.began is None:
            return f"{name}: {number_of(self.done, 'row')} prepared"
        shown = number_of(self.done, self.unit)
        if self.total is not None:
            shown = f"{self.done:,} of {number_of(self.total, self.unit)}"
        unit = "" if self.all_calls is None else " calls"
        line = f"{name}: {', '.join(filter(None, [shown, self.note]))}, {self.pace(now) * 60:,.0f}{unit} a minute"
        left = self.seconds_left(now)
        if left:
            line += f", {duration(left)} to go"
        return f"{line}; {self.waits_for}" if self.waits_for else line

    def pace(self, now: float) -> float:
        """Return how many calls end in a second; without `all_calls`, how many rows."""
        done = self.done if self.all_calls is None else self.calls
        return 0.0 if self.began is None else done / max(now - self.began, 0.001)

    def seconds_left(self, now: float) -> float | None:
        """Return how long the rest takes at this pace; None if nothing tells yet."""
        left = None if self.total is None else self.total - self.done
        if self.all_calls is not None:
            left = self.all_calls - self.calls
        if left is None or left <= 0:
            return left
        pace = self.pace(now)
        return left / pace if pace else None

    @property
    def percent(self) -> float | None:
        """How much is done; None if that is unknown."""
        return None if self.began is None or not self.total else min(100 * self.done / self.total, 100.0)


def duration(seconds: float) -> str:
    """Return about how long something takes, such as `about 2 h 47 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"about {max(1, round(seconds))} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"about {days} d {hours} h"
    return f"about {hours} h {minutes} min" if hours else f"about {minutes} min"


SHORTEST_NAME, SHORT_NAME = 8, 20
"""Columns that a name keeps at least; columns that it keeps if what can be left out is left out."""

_BAR, _ELAPSED = "|{bar}| ", ", {elapsed}"


def layout(name: str, state: State, columns: int, remaining: str, rate: str) -> tuple[str, str]:
    """Return the name as it fits, and the format of a bar for tqdm.

    The time left, the failures and what is waited for come first. The rest is shown as far as there is room for it.
    `remaining` and `rate` are the time left and the pace, or tqdm's fields for them.
    """
    note = "".join(f", {one}" for one in (state.note, state.waits_for) if one)
    if state.began is None:
        first, needed, rest = "{desc}: {n_fmt} prepared", 20, [("", 0)]
    elif state.total:
        counts = 2 * len(str(state.total)) + 1
        first, needed = f"{{desc}}: {{percentage:.0f}}% {remaining} left{{postfix}}", len(": 100% 00:00:00 left")
        rest = [
            (f" {_BAR}{{n_fmt}}/{{total_fmt}}, {rate}{_ELAPSED}", counts + 34),
            (f" {_BAR}{{n_fmt}}/{{total_fmt}}, {rate}", counts + 25),
            (f" {_BAR}{{n_fmt}}/{{total_fmt}}", counts + 9),
            ("", 0),
        ]
    else:
        first, needed = "{desc}: {n_fmt}{unit}{postfix}", 20
        rest = [(f", {rate}{_ELAPSED}", 26), ("", 0)]
    needed += len(note)
    wanted = min(width(name), SHORT_NAME)
    more, taken = next((one for one in rest if columns - needed - one[1] >= wanted), rest[-1])
    return shortened(name, max(columns - needed - taken, SHORTEST_NAME)), first + more


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(_width(one) for one in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "FW" else 1


def shortened(name: str, columns: int) -> str:
    """Return a name that takes so many columns at most, without its middle: its end has the day or the format."""
    if width(name) <= columns:
        return name
    end = _first(name[::-1], columns // 2)[::-1]
    return f"{_first(name, columns - 1 - width(end))}…{end}"


def _first(text: str, columns: int) -> str:
    """Return as much of a text as these columns have room for."""
    taken = accumulate(map(_width, text))
    return text[: sum(1 for one in taken if one <= columns)]


class TerminalBar:
    """The bar in a terminal."""

    def __init__(self, name: str, state: State) -> None:
        self._name, self._waits_for = name, ""
        self._file = TolerantStream(sys.stderr)
        tqdm = importlib.import_module("tqdm").tqdm
        # miniters=0: otherwise tqdm shows nothing until more rows end, not even why they wait.
        self._bar: Any = tqdm(
            total=state.total,
            desc=name,
            unit=" rows",
            dynamic_ncols=True,
            mininterval=PACE,
            miniters=0,
            smoothing=0.1,
            file=self._file,
            bar_format="{desc}",
        )

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        self._bar.write(text, file=self._file)

    def hide(self) -> None:
        """Hide the bar until `begin`."""
        self._bar.clear()
        self._bar.leave = False

    def begin(self, state: State) -> None:
        """Start the clock anew."""
        self._bar.leave, self._bar.unit = True, f" {state.unit}s"
        self._lay_out(state)
        self._bar.reset(total=state.total)

    def show(self, state: State) -> None:
        """Show a state, unless another was shown right before."""
        self._lay_out(state)
        self._bar.update(state.done - self._bar.n)
        if state.waits_for != self._waits_for:
            # at once, because the next row may end much later
            self._waits_for = state.waits_for
            self._bar.refresh()

    def _lay_out(self, state: State) -> None:
        columns = self._bar.format_dict["ncols"] or 10_000
        name, bar_format = layout(self._name, state, columns, *self._time_left(state))
        note = ", ".join(filter(None, [state.note, state.waits_for]))
        vars(self._bar).update(desc=name, bar_format=bar_format, postfix=note)

    def _time_left(self, state: State) -> tuple[str, str]:
        """Return the time left and the pace: tqdm tells them by rows, and here calls count, if they are known."""
        if state.all_calls is None:
            return "{remaining}", "{rate_fmt}"
        now = time.monotonic()
        left = state.seconds_left(now)
        return "?" if left is None else self._bar.format_interval(left), f"{state.pace(now):.2f} calls/s"

    def close(self) -> None:
        """Show the last state and end the line."""
        self._bar.close()


class NotebookBar:
    """The bar in a notebook."""

    def __init__(self, name: str, state: State) -> None:
        self._name, self._state = name, state
        self._shown = time.monotonic()
        self._is_hidden = False
        # there is one in every notebook
        display = importlib.import_module("IPython.display").display
        self._handle: Any = display(self._picture(), raw=True, display_id=True)

    def say(self, text: str) -> None:
        """Write a line beside the bar."""
        sys.stdout.write(f"{text}\n")

    def hide(self) -> None:
        """Hide the bar until `begin`."""
        self._is_hidden = True
        self._update()

    def begin(self, state: State) -> None:
        """Show the bar."""
        self._is_hidden = False
        self._state = state
        self._update()

    def show(self, state: State) -> None:
        """Show a state, unless another was shown right before."""
        is_due = time.monotonic() - self._shown >= PACE or state.waits_for != self._state.waits_for
        self._state = state
        if is_due:
            self._update()

    def _update(self) -> None:
        self._shown = time.monotonic()
        self._handle.update(self._picture(), raw=True)

    def _picture(self) -> dict[str, str]:
        """Return the bar as a notebook takes it; text is for a console, which has no HTML."""
        if self._is_hidden:
            return {"text/html": "", "text/plain": ""}
        line = self._state.line(self._name, time.monotonic())
        return {"text/html": render("bar.html", line=line, percent=self._state.percent), "text/plain": line}

    def close(self) -> None:
        """Show the last state."""
        self._update()
