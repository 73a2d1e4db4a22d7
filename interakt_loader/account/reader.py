"""Ask the account for its contacts, by the engine that loads have: limit, retries, outages, stops and secrets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import NamedTuple

from interakt_loader.account.contacts import LONGEST_PAGE, PAGE, NotTheApi, Page, Request, page_request, read_page
from interakt_loader.account.kept import KeptReading
from interakt_loader.account.windows import Window, read_windows
from interakt_loader.bars import duration
from interakt_loader.errors import LoadStopped
from interakt_loader.load.job import Job, Observer, open_sender, open_shared_clock
from interakt_loader.load.pipeline import GLANCE, Monitor
from interakt_loader.mapping import Mapping
from interakt_loader.model import Answer, Message, Status, Stop, StopToken, Transport
from interakt_loader.privacy.text import number_of
from interakt_loader.result import stopped_error
from interakt_loader.sending.retry_policy import RetryDecision, decide
from interakt_loader.settings import Settings
from interakt_loader.settings.values import PLAN_RATES, Rate
from interakt_loader.transport import HttpTransport

logger = logging.getLogger("interakt_loader")

NOBODY = Page(0, has_next=False, contacts=[])


class AccountReader:
    """Makes calls that read. A context manager.

    Raises `SettingsError` for settings that make no sense. `fetch` raises `LoadStopped` if the account cannot be read.
    """

    def __init__(
        self, settings: Settings, stop_token: StopToken | None = None, observer: Observer | None = None
    ) -> None:
        self._settings = settings
        self._stop_token, self._observer = stop_token or StopToken(), observer or Observer()
        self._stack = ExitStack()
        self.calls = 0
        """How many pages and look-ups were asked for."""
        self.attempts = 0
        """How many calls were made for them."""

    def __enter__(self) -> AccountReader:
        with ExitStack() as stack:
            share = open_shared_clock(self._settings)
            if share is not None:
                stack.enter_context(closing(share))
            # the mapping plays no part: there are no rows
            job = Job(
                Mapping.of({"user_id": "id"}),
                "user",
                self._settings,
                observer=self._observer,
                stop_token=self._stop_token,
                share=share,
            )
            settings = self._settings
            self._pages = _Pages(
                HttpTransport(
                    settings.base_url,
                    settings.require_key(),
                    timeout=settings.timeout,
                    connections=settings.workers,
                    longest_kept=LONGEST_PAGE,
                    longest_body=LONGEST_PAGE,
                )
            )
            sender = stack.enter_context(open_sender(job, self._pages))
            self._engine, self._monitor = sender.engine, Monitor(sender, job)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def windows(self, window: Window, offsets: Sequence[int]) -> list[Page]:
        """Return pages of a window, with the contacts of a millisecond before it, too."""
        return self.fetch([page_request(window.since, window.until, offset) for offset in offsets])

    def count(self) -> int:
        """Return how many contacts the account has."""
        return self.fetch([page_request(0, None, 0, limit=1)])[0].total

    def read_into(self, kept: KeptReading, total: int, since: int = 0) -> None:
        """Read the contacts that were modified at `since` or later, as far as they are not there yet.

        `total` is the `count` of the account. Raises `LoadStopped`, and `RecordBroken` if they cannot be written.
        """
        line = reading_forecast(total, self._settings)
        if kept.done:
            line += f"; continues after {number_of(kept.count, 'contact')} that were read before"
        self._observer.announced(line)
        self._observer.read(kept.count, total)
        try:
            for reading in read_windows(self.windows, kept.past, since, kept.done):
                kept.add(reading)
                self._observer.read(kept.count, total)
        except NotTheApi as error:
            raise LoadStopped(f"the account cannot be read: an answer is not the API's: {error}") from None

    @property
    def stopped(self) -> Stop | None:
        """Why the calls ended, if they did."""
        return self._engine.stopped

    def fetch(self, requests: Sequence[Request]) -> list[Page]:
        """Make calls, and return their pages."""
        return [page for page in self._make(requests) if page is not None]

    def look_up(self, requests: Sequence[Request]) -> list[Page | None]:
        """Make look-ups, and return what each finds: an empty page for nobody, None if the API refuses the call."""
        return self._make(requests)

    def probe(self, request: Request) -> Page | None:
        """Make a look-up that the API may not have. Return None if the answer is not usable, whatever it is."""
        return self._make([request], is_probe=True)[0]

    def _make(self, requests: Sequence[Request], *, is_probe: bool = False) -> list[Page | None]:
        first, self.calls = self.calls, self.calls + len(requests)
        messages = [Message(first + at, "user", str(first + at), b"") for at in range(len(requests))]
        self._pages.calls |= {
            message.row: _Call(one, is_probe) for message, one in zip(messages, requests, strict=True)
        }
        offered, left = 0, len(messages)
        while left:
            offered += self._engine.offer(messages, offered)
            for outcome in self._monitor.read(1, GLANCE):
                left -= 1
                self.attempts += outcome.attempts
                if outcome.status is not Status.SENT and self._engine.stopped is None:
                    message = outcome.text or "no answer"
                    if outcome.http_status is not None and not message.startswith("HTTP "):
                        message = f"HTTP {outcome.http_status}: {message}"
                    self._engine.stop(Stop("abandoned", f"the account cannot be read: {message}"))
            if self._engine.stopped is not None:
                raise stopped_error(self._engine.stopped)
        return [self._pages.taken(message.row) for message in messages]


class _Call(NamedTuple):
    """A call, and whether its answer may be anything."""

    request: Request
    is_probe: bool


class _Pages(Transport):
    """Makes the calls of the engine, and keeps the pages that they bring. Thread-safe: each call has its own key."""

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport
        self.calls: dict[int, _Call] = {}
        self._pages: dict[int, Page | None] = {}

    def send(self, message: Message) -> Answer:
        """Make one call. A page that is not the API's is tried again, like an answer that cannot be read."""
        request, is_probe = self.calls[message.row]
        answer = self._transport.call(self._transport.head(request.method, request.path), request.body)
        found = _page(answer, request, is_probe=is_probe)
        if isinstance(found, Answer):
            return found._replace(body=b"")
        self._pages[message.row] = found
        return answer._replace(accepted=True, code=None, body=b"")

    def taken(self, row: int) -> Page | None:
        """Return the page of a call, once."""
        del self.calls[row]
        return self._pages.pop(row)

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()


def _page(answer: Answer, request: Request, *, is_probe: bool) -> Page | Answer | None:
    """Return the page of an answer; None if a look-up has none; or the answer that decides whether to try again."""
    why = ""
    if answer.accepted:
        try:
            return read_page(answer.body)
        except NotTheApi as error:
            why = f": {error}"
    elif request.method == "GET" and decide(answer) is RetryDecision.DONE and answer.code != "forbidden":
        return NOBODY if answer.http_status == 404 else None
    elif answer.code != "unreadable_answer" or not answer.body:
        return answer
    if is_probe:
        return None
    # not its own words: it may be a part of a page, with people in it
    text = f"HTTP {answer.http_status} with an answer that is not the API's{why}"
    wait = answer.retry_after
    return Answer.error("unreadable_answer", text, answer.seconds, http_status=answer.http_status, retry_after=wait)


def reading_forecast(contacts: int, settings: Settings) -> str:
    """Return one line: how many contacts and calls there are, and how long the calls take at the rate limit."""
    calls = -(-contacts // PAGE)
    rate = settings.rate_limit
    text = f"{number_of(contacts, 'contact')} in the account; about {number_of(calls, 'call')}"
    if not calls or rate is None or settings.is_local:
        return text
    least = rate if isinstance(rate, Rate) else PLAN_RATES["growth"]
    shown = f"{duration(calls / least.calls * least.seconds)}"
    return f"{text}, {shown} at {least}" if isinstance(rate, Rate) else f"{text}; {shown} if the account allows {least}"
