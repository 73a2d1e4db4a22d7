"""What a person is asked right before the first call: about a proposed mapping, about old events, or about both."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from interakt_loader.cli.mapping_file import shown_sources
from interakt_loader.cli.proposal import Chosen, wrapped
from interakt_loader.cli.question import agreed, has_terminal
from interakt_loader.errors import UsageError
from interakt_loader.loading.loading import Ready
from interakt_loader.safety.masking import masked, masked_body
from interakt_loader.safety.printable import printable, printable_lines
from interakt_loader.settings import Settings
from interakt_loader.wire import PATHS

MOST_LINES = 24
"""Lines of the first call that are shown."""


@dataclass(frozen=True)
class Confirmation:
    """Asks in the terminal what is open, all in one question. Call it when a load is ready for its first call.

    Raises `UsageError` where the answer is no, or where nobody is there to give one.
    """

    sources: Sequence[str]
    settings: Settings
    chosen: Chosen
    yes: bool
    quiet: bool

    @property
    def before(self) -> Callable[[Ready], object] | None:
        """This, where something is to be done before the first call whatever the events are."""
        return None if self.chosen.confirmed is None else self

    def __call__(self, ready: Ready) -> None:
        """Ask, and write down what was confirmed."""
        asks = self.chosen.asks
        if ready.old is not None:
            asks = self._asks_about(ready.old) or asks
        if asks:
            self._show_first(ready)
            if not agreed(f"Send {_calls(ready)} to {urlsplit(self.settings.base_url).netloc}?"):
                ways = [self.chosen.how_to_change, "" if ready.old is None else self._to_record()]
                raise UsageError(". ".join(["nothing was sent", *filter(None, ways)]))
        if self.chosen.confirmed is not None:
            self.chosen.confirmed()

    def _asks_about(self, old: str) -> bool:
        """Say that there are events that campaigns may answer; return whether somebody is to be asked about them."""
        if not (self.yes or has_terminal()):
            raise UsageError(f"nothing was sent: this is {old}. To send them all, add --yes. {self._to_record()}")
        if not (self.yes and self.quiet):
            _say(wrapped(masked(old) if self.settings.mask else old))
        return not self.yes

    def _to_record(self) -> str:
        return f"To put them on record as sent instead: interakt-loader baseline {shown_sources(self.sources)}"

    def _show_first(self, ready: Ready) -> None:
        if ready.first is None:
            return
        body = ready.first.body.decode()
        body = masked_body(body) if self.settings.mask else body
        lines = json.dumps(json.loads(body), indent=2, ensure_ascii=False).splitlines()
        more = len(lines) - MOST_LINES
        if more > 1:
            lines = [*lines[:MOST_LINES], f"… and {more} more lines (--dry-run shows all)"]
        _say(f"the first call, to {PATHS[ready.kind]}:")
        _say("\n".join(f"  {printable(line)}" for line in lines))


def _calls(ready: Ready) -> str:
    count = ready.rows if ready.calls is None else ready.calls
    if count is None:
        return "all rows, a call each,"
    said = f"{count:,} call{'' if count == 1 else 's'}"
    if ready.calls is not None:
        return said
    return f"at most {said}" if ready.exact else f"about {said}"

