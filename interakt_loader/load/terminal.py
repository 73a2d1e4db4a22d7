"""What a load says on standard error while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from interakt_loader.load.job import Observer
from interakt_loader.progress import stamped

if TYPE_CHECKING:
    import pyarrow as pa


def nothing(_: object = None) -> None:
    """Show nothing."""


class Terminal(Observer):
    """Shows what a load announces, and without a progress bar once a minute how far it is."""

    def __init__(
        self,
        announce: Callable[[str], object],
        report: Callable[[str], object],
        *,
        after_first: Sequence[str] = (),
        begins: Callable[[], object] = nothing,
        writes: Callable[[pa.RecordBatch], object] = nothing,
    ) -> None:
        """`after_first` are lines that follow the first one.

        `begins` is called right before the first call, and `writes` with lines of the report.
        """
        self._announce, self._report, self._after_first = announce, report, after_first
        self._begins, self._writes = begins, writes

    def announced(self, line: str) -> None:
        """Show it."""
        for one in (line, *self._after_first):
            self._announce(one)
        self._after_first = ()

    def reported(self, line: str) -> None:
        """Show it with the local time."""
        self._report(stamped(line))

    def overwrites_report(self) -> None:
        """Keep the files of the run before."""
        self._begins()

    def wrote(self, lines: pa.RecordBatch) -> None:
        """Hand the lines on."""
        self._writes(lines)
