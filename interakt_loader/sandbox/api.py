"""What the sandbox answers to a call: the key, the account's limit, faults and the API's rules. No I/O; thread-safe.

Records have the account's own time: it can be moved and stopped. Limits and latency follow the real one.
"""

from __future__ import annotations

import hmac
import math
import random
import threading
import time
from array import array
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Literal, TypeVar
from urllib.parse import unquote

from interakt_loader.errors import SettingsError
from interakt_loader.sandbox.contacts import customer, found, read_page
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
from interakt_loader.sandbox.store import (
    Contact,
    EventRecord,
    Record,
    Refusal,
    Store,
    TakenUserId,
    UserRecord,
    new_record,
    read_event,
    read_user,
)

_READ = "/v1/public/apis/users"
_PATHS = {
    "/v1/public/track/users/": "user",
    "/v1/public/track/events/": "event",
    _READ: "page",
    f"{_READ}/": "page",
}
_LOOK_UPS = {f"{_READ}/phone_number/": "phone", f"{_READ}/id/": "id"}
_TRACKS = ("user", "event")

_ROWS = 10_000
"""Contacts that are put while the lock is held."""

T = TypeVar("T")


def kind_of(path: str) -> str | None:
    """Return what a call to this path does: user, event, page, phone or id; None if it is not a path of the API."""
    kind = _PATHS.get(path)
    if kind is None and path.startswith(_READ):
        start, slash, name = path.rpartition("/")
        return _LOOK_UPS.get(start + slash) if name else None
    return kind


Silence = Literal["reset", "hang", "cut"]
"""A fault without a response."""

_SILENT_AT_ONCE: dict[str | None, Silence] = {"reset": "reset", "hang": "hang"}


@dataclass(frozen=True)
class Stats:
    """Counts since the start or the last reset."""

    calls: int
    """POST calls to the two endpoints that track, with faults and refused calls."""
    accepted: int
    """Records applied: the 202s, the 201s and those whose connection was cut."""
    users: int
    events: int
    by_status: dict[int, int]
    """Responses to the calls that track, by HTTP status. A call without a response is not counted."""
    refused_by_limit: int
    """429s of the limit. Those of faults count in `faults`."""
    faults: dict[str, int]
    """Faults so far, by kind."""
    in_flight: int
    """Calls that have arrived and have no response yet."""
    max_in_flight: int
    """The most calls in flight at the same time."""
    reads: int
    """Calls to the endpoints that read, with faults and refused calls."""
    reads_by_status: dict[int, int]


class Api:
    """The API without its sockets.

    `answer` makes the response to a call. All other methods are for the sandbox's users.
    """

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.faults = Faults(parse_shares(options.faults), options.seed)
        self._token = options.secret_key.encode()
        self._lock = threading.Lock()
        self._store = Store(options.seed)
        # What can be read: the same store, or one that gets each change later.
        self._shown = Store(options.seed) if options.read_delay else self._store
        self._later: deque[tuple[float, Callable[[Store], object]]] = deque()
        self._after_read: Callable[[list[dict[str, Any]]], object] | None = None
        # Seconds that the account's clock is ahead, or the time at which it stands still.
        self._ahead = 0.0
        self._standing: float | None = None
        self._in_flight = 0
        self._start_over()

    def _start_over(self) -> None:
        self._limiters: dict[str, FixedWindow | SlidingWindow] = {}
        self._calls = self._reads = self._accepted = self._refused_by_limit = 0
        self._by_status: Counter[int] = Counter()
        self._reads_by_status: Counter[int] = Counter()
        # The same seed has to give the same order.
        self._rng = random.Random(self.options.seed)  # noqa: S311
        self._max_in_flight = self._in_flight
        self._arrivals = array("d")

    def answer(self, head: Head, body: bytes) -> Response | Silence:
        """Return the response to a complete call to a path that `kind_of` knows, and apply its record."""
        kind = kind_of(head.path)
        assert kind is not None
        method = "GET" if kind in _LOOK_UPS.values() else "POST"
        if head.method != method:
            return refused(405, f'Method "{head.method}" not allowed.', f"Allow: {method}\r\n")
        contacts: list[Contact] | None = None
        now = time.monotonic()
        with self._lock:
            self._count(kind)
            if self.options.record_arrivals:
                self._arrivals.append(now)
            fault = self.faults.choose(lambda: _identities(kind, body))
            if fault in _SILENT_AT_ONCE:
                return _SILENT_AT_ONCE[fault]
            response = None if fault is None else fault_reply(fault, self.options.fault_retry_after)
            if response is None:
                response = self._refusal(kind, head, now)
            if response is None:
                try:
                    response, contacts = self._apply(kind, head, body)
                except Refusal as refusal:
                    response = refused(400, str(refusal))
                except TakenUserId:
                    response = refused(400, _TAKEN)
            if fault != "cut":
                (self._by_status if kind in _TRACKS else self._reads_by_status)[response.status] += 1
        if contacts is not None and self._after_read is not None:
            self._after_read([customer(contact, self.options) for contact in contacts])
        return "cut" if fault == "cut" else response

    def _count(self, kind: str) -> None:
        if kind in _TRACKS:
            self._calls += 1
        else:
            self._reads += 1

    def refuse_body(self, head: Head) -> Response:
        """Return the response to a call whose body is too long."""
        response = refused(413, f"The body is longer than {self.options.max_body} bytes")
        kind = kind_of(head.path)
        if kind is not None:
            with self._lock:
                self._count(kind)
                (self._by_status if kind in _TRACKS else self._reads_by_status)[response.status] += 1
        return response

    def _refusal(self, kind: str, head: Head, now: float) -> Response | None:
        """Return the response to a call that is refused for its key, plan, limit or type."""
        scheme, _, token = head.authorization.partition(b" ")
        if scheme.lower() != b"basic" or not hmac.compare_digest(token.strip(), self._token):
            return BAD_KEY
        if self.options.plan_without_api:
            return NO_API
        wait = self._wait_for_limit(kind, now)
        if wait > 0:
            self._refused_by_limit += 1
            return over_the_limit(str(math.ceil(wait)) if self.options.retry_after else None)
        if head.method == "POST" and head.content_type != "application/json":
            return refused(415, f'Unsupported media type "{head.content_type}" in request.')
        return None

    def _wait_for_limit(self, kind: str, now: float) -> float:
        options = self.options
        if options.limit_per_minute is None:
            return 0.0
        who = kind if options.limit_per == "endpoint" else "account"
        if options.read_limit == "apart" and kind not in _TRACKS:
            who = "reads"
        limiter = self._limiters.get(who)
        if limiter is None:
            limiter = self._limiters[who] = new_limiter(
                options.limit_shape,
                options.limit_per_minute,
                options.window,
                refused_count=options.refused_calls_count,
            )
        return limiter.admit(now)

    def _apply(self, kind: str, head: Head, body: bytes) -> tuple[Response, list[Contact] | None]:
        """Return the response to a call, and the contacts that it reads. Raises `Refusal` or `TakenUserId`."""
        if kind == "user":
            return self._put_user(read_user(body)), None
        if kind == "event":
            return self._add_event(read_event(body), body), None
        self._show()
        if kind == "page":
            return self._page(head.query, body)
        name = unquote(head.path.rpartition("/")[2])
        if kind == "phone":
            if not (name.isascii() and name.isdigit()):
                raise Refusal("phone_number must be digits without the country code")
            contacts = self._shown.contacts_by_phone(name)
        else:
            contact = self._shown.contact_by_id(name, self.options.read_id)
            contacts = [] if contact is None else [contact]
        if not contacts and self.options.read_404 == "404":
            return refused(404, "Customer not found"), None
        return found(contacts, len(contacts), self.options), contacts

    def _put_user(self, record: Record) -> Response:
        now = self._now()
        user = self._change(now, lambda store: store.put_user(record, now))
        self._accepted += 1
        return user_accepted(user)

    def _add_event(self, record: Record, body: bytes) -> Response:
        if self.options.unknown_user == "reject" and not self._store.knows(record):
            raise Refusal("The customer does not exist")
        now = self._now()
        if self.options.read_events_modify:
            self._change(now, lambda store: store.touch(record.identities, now))
        self._accepted += 1
        return event_accepted(self._store.add_event(body, now))

    def _page(self, query: str, body: bytes) -> tuple[Response, list[Contact]]:
        offset, limit, bounds = read_page(query, body)
        order = self.options.read_order
        by: Literal["created", "modified"] = "created" if order == "created" else "modified"
        rng = self._rng if order == "random" else None
        contacts, total = self._shown.contact_page(bounds, by, offset, limit, rng)
        return found(contacts, total, self.options, has_next=offset + limit < total), contacts

    def _now(self) -> float:
        """Return the account's time, as exact as it is kept."""
        return self._kept(time.time() + self._ahead if self._standing is None else self._standing)

    def _kept(self, seconds: float) -> float:
        steps = 1e3 if self.options.read_times == "ms" else 1e6
        # A float of today's time is exact to a quarter of a microsecond. A whole step must not fall to the one before.
        return math.floor((seconds + 2.5e-7) * steps) / steps

    def _change(self, now: float, change: Callable[[Store], T]) -> T:
        done = change(self._store)
        if self._shown is not self._store:
            self._later.append((now + self.options.read_delay, change))
        return done

    def _show(self) -> None:
        """Apply the changes that can be read by now."""
        now = self._now()
        while self._later and self._later[0][0] <= now:
            self._later.popleft()[1](self._shown)

    def advance(self, seconds: float) -> None:
        """Move the account's clock forward. Raises `SettingsError`."""
        if not 0 <= seconds < math.inf:
            raise SettingsError(f"the sandbox's clock cannot be moved by {seconds!r}; expected seconds, 0 or more")
        with self._lock:
            if self._standing is None:
                self._ahead += seconds
            else:
                self._standing += seconds

    def set_clock(self, now: float | None) -> None:
        """Stop the account's clock at this time, in seconds since the epoch; None: let it run on from where it is."""
        with self._lock:
            if now is not None:
                self._standing = float(now)
            elif self._standing is not None:
                self._ahead = self._standing - time.time()
                self._standing = None

    def put(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """Create or update contacts as the dashboard does; yield their ids. Raises `SettingsError`."""
        rows = iter(rows)
        while part := list(islice(rows, _ROWS)):
            with self._lock:
                now = self._now()
                ids = [self._put(now, **row) for row in part]
            yield from ids

    def _put(
        self,
        now: float,
        *,
        user_id: str | None = None,
        country_code: str | None = None,
        phone: str | None = None,
        traits: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        created: float | None = None,
        modified: float | None = None,
    ) -> str:
        try:
            record = new_record(user_id, country_code, phone, dict(traits or {}), list(tags))
            changed = now if modified is None else self._kept(modified)
            first = changed if created is None else self._kept(created)
            return self._change(now, lambda store: store.put_contact(record, first, changed))
        except Refusal as refusal:
            raise SettingsError(f"the sandbox cannot hold this contact: {refusal}") from None
        except TakenUserId:
            raise SettingsError(f"the sandbox cannot hold this contact: {_TAKEN}") from None

    def change(self, identity: str, traits: Mapping[str, Any]) -> None:
        """Set traits of a contact as the dashboard does. Raises `SettingsError` if there is none."""
        with self._lock:
            now = self._now()
            if not self._change(now, lambda store: store.touch([identity], now, traits)):
                raise SettingsError("the sandbox has no such contact to change")

    def delete(self, identity: str) -> None:
        """Delete a contact as the dashboard does. Raises `SettingsError` if there is none."""
        with self._lock:
            if not self._change(self._now(), lambda store: store.delete(identity)):
                raise SettingsError("the sandbox has no such contact to delete")

    def contacts(self, limit: int | None = None, offset: int = 0) -> list[dict[str, Any]]:
        """Return what can be read now, in the order in which the contacts were first seen."""
        with self._lock:
            self._show()
            found = self._shown.contact_slice(limit, offset)
        return [customer(contact, self.options) for contact in found]

    def on_read(self, callback: Callable[[list[dict[str, Any]]], object] | None) -> None:
        """Call this with the contacts of each page or look-up, after it was read and before it is sent."""
        self._after_read = callback

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
                reads=self._reads,
                reads_by_status=dict(self._reads_by_status),
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
            self._shown.clear()
            self._later.clear()
            self._start_over()
            self.faults.forget()


_TAKEN = "This userId belongs to another customer, or the customer has another userId"


def _identities(kind: str, body: bytes) -> tuple[str, ...]:
    if kind not in _TRACKS:
        return ()
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
