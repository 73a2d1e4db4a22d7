"""Charts as inline SVG, from the bins of a `Timeline`. Pure: numbers in, markup out; colours are the page's classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from interakt_loader.safety.printable import escape

WIDTH, HEIGHT = 380, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 26

_UNITS = ((7_200.0, 3_600.0, "h"), (300.0, 60.0, "min"))


class Chart:
    """A plane of `seconds` by `top`, on which areas and lines are drawn, in order."""

    def __init__(self, title: str, said: str, seconds: float, top: float) -> None:
        """`said` is the chart in words, for those who cannot see it."""
        self._title, self._said, self._seconds = title, said, seconds
        self._top = max(ticks(top)[-1], top) or 1.0
        self._drawn: list[str] = []
        self._legend: list[tuple[str, str]] = []

    def area(self, low: Sequence[float], high: Sequence[float], css: str, name: str) -> None:
        """Fill between two rows of values at the bins' ends; both begin at nothing."""
        up = [self._point(at, value, len(high)) for at, value in enumerate([0.0, *high])]
        down = [self._point(at, value, len(low)) for at, value in enumerate([0.0, *low])]
        points = " ".join([*up, *reversed(down)])
        self._drawn.append(f'<polygon class="fill {css}" points="{points}"/>')
        self._legend.append((css, name))

    def line(self, values: Sequence[float | None], css: str, name: str) -> None:
        """Draw a line through values at the bins' ends; it is broken where there is none."""
        pieces: list[list[str]] = [[]]
        for at, value in enumerate(values):
            if value is None:
                pieces.append([])
            else:
                pieces[-1].append(self._point(at + 1, value, len(values)))
        paths = [f"M{'L'.join(piece if len(piece) > 1 else piece * 2)}" for piece in pieces if piece]
        self._drawn.append(f'<path class="line {css}" d="{"".join(paths)}"/>')
        self._legend.append((css, name))

    def steps(self, values: Sequence[float], css: str, name: str) -> None:
        """Draw each bin's value as a flat piece."""
        points = []
        for at, value in enumerate(values):
            points += [self._point(at, value, len(values)), self._point(at + 1, value, len(values))]
        self._drawn.append(f'<path class="line {css}" d="M{"L".join(points)}"/>')
        self._legend.append((css, name))

    def level(self, value: float, css: str, name: str) -> None:
        """Draw a level from one side to the other."""
        ends = f"{self._point(0, value, 1)}L{self._point(1, value, 1)}"
        self._drawn.append(f'<path class="line {css}" d="M{ends}"/>')
        self._legend.append((css, name))

    def markup(self) -> str:
        """Return the chart as a figure."""
        legend = "".join(
            f'<span class="key"><svg class="swatch" width="12" height="12" aria-hidden="true">'
            f'<rect class="fill {css}" width="12" height="12" rx="3"/></svg>{escape(name)}</span>'
            for css, name in self._legend
        )
        return (
            f"<figure><figcaption>{escape(self._title)}</figcaption>"
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self._said)}">'
            f'{self._axes()}{"".join(self._drawn)}</svg><div class="legend">{legend}</div></figure>'
        )

    def _point(self, bin_: int, value: float, bins: int) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * bin_ / bins
        return f"{x:.1f},{self._y(value):.1f}"

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / self._top, 1.0)

    def _axes(self) -> str:
        unit, name = next(((unit, name) for least, unit, name in _UNITS if self._seconds >= least), (1.0, "s"))
        parts = []
        for value in ticks(self._top):
            y = self._y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>')
        for value in ticks(self._seconds / unit):
            x = LEFT + (WIDTH - LEFT - RIGHT) * value * unit / self._seconds
            if x <= WIDTH - RIGHT:
                anchor = "end" if x > WIDTH - 30 else "middle"
                parts.append(
                    f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{short(value)}&#160;{name}</text>'
                )
        return "".join(parts)


def ticks(top: float, about: int = 4) -> list[float]:
    """Return round numbers from 0 that go up to `top`, some four of them."""
    if top <= 0:
        return [0.0]
    rough = top / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 2.5, 5, 10) if power * one >= rough * 0.999)
    return [step * number for number in range(int(top / step + 1.001))]


def short(value: float) -> str:
    """Return a number as few characters: 1,500,000 is `1.5M`."""
    for least, letter in ((1e6, "M"), (1e4, "k")):
        if value >= least:
            return f"{value / (1e6 if letter == 'M' else 1e3):g}{letter}"
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
