"""What the sandbox answers to a call: the key, the account's limit, faults and the API's rules. No I/O; thread-safe."""

from __future__ import annotations

import hmac
import math
import random
import threading
import time
from array import array
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Literal

from interakt_loader.sandbox.http import (
    BAD_KEY,
    NO_API,
    Head,
    Response,
    event_accepted,
    fault_reply,
    over_the_limit,
    refused,
    user_accepted,
)
from interakt_loader.sandbox.options import SandboxOptions, known_kind, parse_shares
from interakt_loader.sandbox.store import EventRecord, Refusal, Store, TakenUserId, UserRecord, read_event, read_user

PATHS = {"/v1/public/track/users/": "user", "/v1/public/track/events/": "event"}

Silence = Literal["reset", "hang", "cut"]
"""A fault without a response."""

_SILENT_AT_ONCE: dict[str | None, Silence] = {"reset": "reset", "hang": "hang"}


@dataclass(frozen=True)
class Stats:
    """Counts since the start or the last reset."""

    calls: int
    """POST calls to the two endpoints, with faults and refused calls."""
    accepted: int
    """Records applied: the 202s, the 201s and those whose connection was cut."""
    users: int
    events: int
    by_status: dict[int, int]
    """Responses to those calls by HTTP status. A call without a response is not counted."""
    refused_by_limit: int
    """429s of the limit. Those of faults count in `faults`."""
    faults: dict[str, int]
    """Faults so far, by kind."""
    in_flight: int
    """Calls that have arrived and have no response yet."""
    max_in_flight: int
    """The most calls in flight at the same time."""


class Api:
    """The API without its sockets.

    `answer` makes the response to a call. All other methods are for the sandbox's users.
    """

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.faults = Faults(parse_shares(options.faults), options.seed)
        self._token = options.secret_key.encode()
        self._lock = threading.Lock()
        self._store = Store()
        self._in_flight = 0
        self._start_over()

    def _start_over(self) -> None:
        self._limiters: dict[str, FixedWindow | SlidingWindow] = {}
        self._calls = self._accepted = self._refused_by_limit = 0
        self._by_status: Counter[int] = Counter()
        self._max_in_flight = self._in_flight
        self._arrivals = array("d")

    def answer(self, head: Head, body: bytes) -> Response | Silence:
        """Return the response to a complete call to one of `PATHS`, and apply its record."""
        if head.method != "POST":
            return refused(405, f'Method "{head.method}" not allowed.', "Allow: POST\r\n")
        now = time.monotonic()
        kind = PATHS[head.path]
        with self._lock:
            self._calls += 1
            if self.options.record_arrivals:
                self._arrivals.append(now)
            fault = self.faults.choose(lambda: _identities(kind, body))
            if fault in _SILENT_AT_ONCE:
                return _SILENT_AT_ONCE[fault]
            response = None if fault is None else fault_reply(fault, self.options.fault_retry_after)
            if response is None:
                response = self._decide(kind, head, body, now)
            if fault == "cut":
                return "cut"
            self._by_status[response.status] += 1
            return response

    def refuse_body(self, head: Head) -> Response:
        """Return the response to a call whose body is too long."""
        response = refused(413, f"The body is longer than {self.options.max_body} bytes")
        if head.path in PATHS:
            with self._lock:
                self._calls += 1
                self._by_status[response.status] += 1
        return response

    def _decide(self, kind: str, head: Head, body: bytes, now: float) -> Response:
        scheme, _, token = head.authorization.partition(b" ")
        if scheme.lower() != b"basic" or not hmac.compare_digest(token.strip(), self._token):
            return BAD_KEY
        if self.options.plan_without_api:
            return NO_API
        wait = self._wait_for_limit(head.path, now)
        if wait > 0:
            self._refused_by_limit += 1
            return over_the_limit(str(math.ceil(wait)) if self.options.retry_after else None)
        if head.content_type != "application/json":
            return refused(415, f'Unsupported media type "{head.content_type}" in request.')
        try:
            response = self._apply(kind, body)
        except Refusal as refusal:
            return refused(400, str(refusal))
        except TakenUserId:
            return refused(400, "This userId belongs to another customer, or the customer has another userId")
        self._accepted += 1
        return response

    def _wait_for_limit(self, path: str, now: float) -> float:
        options = self.options
        if options.limit_per_minute is None:
            return 0.0
        who = path if options.limit_per == "endpoint" else "account"
        limiter = self._limiters.get(who)
        if limiter is None:
            limiter = self._limiters[who] = new_limiter(
                options.limit_shape,
                options.limit_per_minute,
                options.window,
                refused_count=options.refused_calls_count,
            )
        return limiter.admit(now)

    def _apply(self, kind: str, body: bytes) -> Response:
        if kind == "user":
            return user_accepted(self._store.put_user(read_user(body), time.time()))
        record = read_event(body)
        if self.options.unknown_user == "reject" and not self._store.knows(record):
            raise Refusal("The customer does not exist")
        return event_accepted(self._store.add_event(body, time.time()))

    def began(self) -> None:
        """Note that a call has arrived."""
        with self._lock:
            self._in_flight += 1
            self._max_in_flight = max(self._max_in_flight, self._in_flight)

    def ended(self) -> None:
        """Note that a call has its response, or that its client has gone."""
        with self._lock:
            self._in_flight -= 1

    def users(self, limit: int | None = None, offset: int = 0, search: str = "") -> list[UserRecord]:
        """Return users in the order in which they were first seen: all, or those that contain this text."""
        with self._lock:
            if not search:
                return self._store.user_slice(limit, offset)
            found = self._store.matching_users(search)
        return list(islice(found, offset, None if limit is None else offset + limit))

    def events(self, limit: int | None = None, offset: int = 0) -> list[EventRecord]:
        """Return events in order of arrival."""
        with self._lock:
            events = self._store.event_slice(limit, offset)
        return list(events)

    def latest_events(self, limit: int, offset: int, identity: str | None = None) -> list[EventRecord]:
        """Return events, the latest first: all, or those of the user with this userId or whole phone number."""
        with self._lock:
            found = self._store.latest_events(identity)
        return list(islice(found, offset, offset + limit))

    def find_user(self, identity: str) -> UserRecord | None:
        """Return the user with this userId or, failing that, this whole phone number with its `+`."""
        with self._lock:
            return self._store.find_user(identity)

    def arrivals(self) -> list[float]:
        """Return when each call arrived, in monotonic seconds, if `record_arrivals` is on."""
        with self._lock:
            return self._arrivals.tolist()

    def stats(self) -> Stats:
        """Return the counts."""
        with self._lock:
            return Stats(
                calls=self._calls,
                accepted=self._accepted,
                users=self._store.user_count,
                events=self._store.event_count,
                by_status=dict(self._by_status),
                refused_by_limit=self._refused_by_limit,
                faults=self.faults.counts(),
                in_flight=self._in_flight,
                max_in_flight=self._max_in_flight,
            )

    def set_faults(self, faults: str | Mapping[str, float]) -> None:
        """Change the shares of calls that fail. Raises `SettingsError`."""
        self.faults.set_shares(parse_shares(faults))

    def force(self, kinds: Iterable[str | None]) -> None:
        """Make the next calls end in these faults, in order of arrival; None: the call has no fault."""
        self.faults.force(kinds)

    def force_for(self, identity: str, kinds: Iterable[str | None]) -> None:
        """Make the next calls of one user (userId, or `+` and the whole number) end in these faults."""
        self.faults.force_for(identity, kinds)

    def renew_key(self, api_key: str) -> None:
        """Accept this key from now on, and no longer the one before. Raises `SettingsError`."""
        self._token = SandboxOptions(api_key=api_key).secret_key.encode()

    def reset(self) -> None:
        """Forget records, counts, forced faults and the limit's windows; the shares of faults stay."""
        with self._lock:
            self._store.clear()
            self._start_over()
            self.faults.forget()


def _identities(kind: str, body: bytes) -> tuple[str, ...]:
    try:
        return (read_user(body) if kind == "user" else read_event(body)).identities
    except Refusal:
        return ()


class Faults:
    """Chooses the next call's fault: first the forced ones, then at random. Thread-safe.

    A forced fault takes no random number, so that the others are the same with and without it.
    """

    def __init__(self, shares: Mapping[str, float], seed: int) -> None:
        self._lock = threading.Lock()
        # The same seed has to give the same faults.
        self._rng = random.Random(seed)  # noqa: S311
        self._script: deque[str | None] = deque()
        self._scripts: dict[str, deque[str | None]] = {}
        self._happened: Counter[str] = Counter()
        self.set_shares(shares)

    def set_shares(self, shares: Mapping[str, float]) -> None:
        """Use these shares of the calls from now on."""
        with self._lock:
            self._kinds = list(shares)
            self._bounds = list(accumulate(shares.values()))

    def force(self, kinds: Iterable[str | None]) -> None:
        """Append these faults to the script of the next calls, in order of arrival; None: the call has no fault."""
        kinds = [kind if kind is None else known_kind(kind) for kind in kinds]
        with self._lock:
            self._script.extend(kinds)

    def force_for(self, identity: str, kinds: Iterable[str | None]) -> None:
        """Append to the script of one user, who is named by userId or by `+` and the whole phone number."""
        kinds = [kind if kind is None else known_kind(kind) for kind in kinds]
        with self._lock:
            if kinds:
                self._scripts.setdefault(identity, deque()).extend(kinds)

    def counts(self) -> dict[str, int]:
        """Return how often each kind has happened."""
        with self._lock:
            return dict(self._happened)

    def forget(self) -> None:
        """Drop all scripts and counts; the shares stay."""
        with self._lock:
            self._script.clear()
            self._scripts.clear()
            self._happened.clear()

    def choose(self, identities: Callable[[], Iterable[str]]) -> str | None:
        """Return the fault of the call that has just arrived, or None.

        `identities` returns the names of the call's user. It is called only if some user has a script.
        """
        with self._lock:
            fault = self._next(identities)
            if fault is not None:
                self._happened[fault] += 1
            return fault

    def _next(self, identities: Callable[[], Iterable[str]]) -> str | None:
        if self._scripts:
            for identity in identities():
                script = self._scripts.get(identity)
                if script is not None:
                    fault = script.popleft()
                    if not script:
                        del self._scripts[identity]
                    return fault
        if self._script:
            return self._script.popleft()
        if not self._kinds:
            return None
        place = bisect_right(self._bounds, self._rng.random())
        return self._kinds[place] if place < len(self._kinds) else None


class FixedWindow:
    """At most `calls` in each window. A window begins with the first call after the last window has ended.

    `now` is in seconds, of any clock that only goes forward.
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self._calls = calls
        self._seconds = seconds
        self._ends = -math.inf
        self._used = 0

    def admit(self, now: float) -> float:
        """Return 0 and count the call if it is within the limit; else return the seconds until one is."""
        if now >= self._ends:
            self._ends = now + self._seconds
            self._used = 0
        if self._used >= self._calls:
            return self._ends - now
        self._used += 1
        return 0.0


class SlidingWindow:
    """At most `calls` in any period of `seconds`.

    With `refused_count` a refused call counts too: a client that does not wait never gets through.
    """

    def __init__(self, calls: int, seconds: float, *, refused_count: bool) -> None:
        self._seconds = seconds
        self._refused_count = refused_count
        self._counted: deque[float] = deque(maxlen=calls)

    def admit(self, now: float) -> float:
        """Return 0 and count the call if it is within the limit; else return the seconds until one is."""
        counted = self._counted
        while counted and counted[0] <= now - self._seconds:
            counted.popleft()
        if len(counted) < (counted.maxlen or 0):
            counted.append(now)
            return 0.0
        if self._refused_count:
            counted.append(now)
        return counted[0] + self._seconds - now


def new_limiter(shape: str, calls: int, seconds: float, *, refused_count: bool) -> FixedWindow | SlidingWindow:
    """Return a limiter of this shape. `refused_count` changes nothing in a fixed window: it is full already."""
    if shape == "sliding":
        return SlidingWindow(calls, seconds, refused_count=refused_count)
    return FixedWindow(calls, seconds)
