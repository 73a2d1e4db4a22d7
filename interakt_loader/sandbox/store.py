"""What the sandbox was sent: users with their merged traits, events in order of arrival.

Not thread-safe by itself: `Api` holds its lock around each call here. Reading copies references under the lock
and makes records outside it, so that a long read does not hold up the calls.
"""

from __future__ import annotations

import json
import uuid
from array import array
from collections.abc import Iterator
from sys import intern
from typing import Any, NamedTuple

from interakt_loader.sandbox.rules import Record, read_event


class UserRecord(NamedTuple):
    """One user as the sandbox holds it."""

    id: str
    user_id: str | None
    country_code: str | None
    """None if the number came as fullPhoneNumber."""
    phone: str | None
    full_phone: str | None
    """`+` and the whole number."""
    traits: dict[str, Any]
    """Of each trait what was sent last; None where a null was sent."""
    tags: list[str]
    """In the order in which they came."""
    created_at: str | None
    first_seen: float
    """Seconds since the epoch."""
    last_seen: float
    calls: int
    """User calls accepted."""


class EventRecord(NamedTuple):
    """One event as it was sent."""

    id: str
    user_id: str | None
    country_code: str | None
    phone: str | None
    full_phone: str | None
    event: str
    traits: dict[str, Any]
    created_at: str | None
    received_at: float
    """Seconds since the epoch."""


class TakenUserId(Exception):
    """The userId belongs to another user, or the user has another userId already."""


class _User:
    __slots__ = (
        "calls", "country_code", "created_at", "first_seen", "full_phone", "last_seen", "number", "phone", "tags",
        "traits", "user_id",
    )  # fmt: skip

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self.user_id: str | None = None
        self.country_code: str | None = None
        self.phone: str | None = None
        self.full_phone: str | None = None
        self.traits: dict[str, Any] = {}
        self.tags: dict[str, None] = {}  # an ordered set
        self.created_at: str | None = None
        self.first_seen = self.last_seen = now
        self.calls = 0


class Store:
    """Users and events, in memory."""

    def __init__(self) -> None:
        # A record's id is one of these and its number: a new random id for each call would cost more than its JSON.
        self._user_ids = str(uuid.uuid4())[:24]
        self._event_ids = str(uuid.uuid4())[:24]
        self.clear()

    def clear(self) -> None:
        """Forget all records."""
        self._users: list[_User] = []
        self._by_user_id: dict[str, _User] = {}
        self._by_phone: dict[str, _User] = {}
        # An event stays the bytes that came: half the memory of its parsed form, and most are never read back.
        self._events: list[bytes] = []
        self._event_times = array("d")

    @property
    def user_count(self) -> int:
        """Users held."""
        return len(self._users)

    @property
    def event_count(self) -> int:
        """Events held."""
        return len(self._events)

    def knows(self, record: Record) -> bool:
        """Tell whether a user call has brought this user before."""
        return record.user_id in self._by_user_id or record.full_phone in self._by_phone

    def add_event(self, body: bytes, now: float) -> str:
        """Append an event whose body was found good; return its id, a UUID."""
        self._events.append(body)
        self._event_times.append(now)
        return f"{self._event_ids}{len(self._events):012x}"

    def put_user(self, record: Record, now: float) -> str:
        """Make or update the user; return its id, a UUID. Raises `TakenUserId`."""
        user = self._user_of(record, now)
        if record.user_id is not None and user.user_id is None:
            user.user_id = record.user_id
            self._by_user_id[record.user_id] = user
        if record.full_phone is not None:
            self._put_phone(user, record, record.full_phone)
        for name, value in record.traits.items():
            user.traits[intern(name)] = value
        user.tags.update(dict.fromkeys(record.tags))
        user.created_at = record.created_at or user.created_at
        user.last_seen = now
        user.calls += 1
        return self._user_id(user)

    def _user_id(self, user: _User) -> str:
        return f"{self._user_ids}{user.number:012x}"

    def _user_of(self, record: Record, now: float) -> _User:
        by_id = None if record.user_id is None else self._by_user_id.get(record.user_id)
        by_phone = None if record.full_phone is None else self._by_phone.get(record.full_phone)
        if by_phone is None or by_phone is by_id:
            found = by_id
        elif by_id is not None or (record.user_id is not None and by_phone.user_id is not None):
            raise TakenUserId
        else:
            found = by_phone
        if found is None:
            found = _User(len(self._users) + 1, now)
            self._users.append(found)
        return found

    def _put_phone(self, user: _User, record: Record, full_phone: str) -> None:
        """Give a user a number that nobody else has: its first, or a new one (*assumed* to replace the old)."""
        if user.full_phone != full_phone:
            if user.full_phone is not None:
                del self._by_phone[user.full_phone]
            user.country_code = user.phone = None
            user.full_phone = full_phone
            self._by_phone[full_phone] = user
        if record.phone is not None:
            user.country_code, user.phone = record.country_code, record.phone

    def find_user(self, identity: str) -> UserRecord | None:
        """Return the user with this userId or, failing that, this whole phone number with its `+`."""
        user = self._by_user_id.get(identity) or self._by_phone.get(identity)
        return None if user is None else self._user_record(user)

    def user_slice(self, limit: int | None, offset: int) -> list[UserRecord]:
        """Return users in the order in which they were first seen."""
        return [self._user_record(user) for user in self._users[_stretch(limit, offset)]]

    def event_slice(self, limit: int | None, offset: int) -> Iterator[EventRecord]:
        """Return events in order of arrival; they are read from their bodies as the iterator goes on."""
        stretch = _stretch(limit, offset)
        return self._event_records(self._events[stretch], self._event_times[stretch], offset)

    def _user_record(self, user: _User) -> UserRecord:
        return UserRecord(
            id=self._user_id(user),
            user_id=user.user_id,
            country_code=user.country_code,
            phone=user.phone,
            full_phone=user.full_phone,
            traits=dict(user.traits),
            tags=list(user.tags),
            created_at=user.created_at,
            first_seen=user.first_seen,
            last_seen=user.last_seen,
            calls=user.calls,
        )

    def matching_users(self, text: str) -> Iterator[UserRecord]:
        """Return users that hold a text, in any case, as identity, tag or trait; they are read as the iterator goes."""
        users = self._users[:]
        return (record for record in map(self._user_record, users) if _holds(record, text.casefold()))

    def latest_events(self, identity: str | None) -> Iterator[EventRecord]:
        """Return events, the latest first, of one user or of all; they are read as the iterator goes on."""
        user = None if identity is None else self.find_user(identity)
        names = {identity} if user is None else {user.user_id, user.full_phone}
        wanted = None if identity is None else {name for name in names if name is not None}
        return self._latest(self._events[:], self._event_times[:], wanted)

    def _latest(self, bodies: list[bytes], times: array[float], names: set[str] | None) -> Iterator[EventRecord]:
        hints = [_hint(name) for name in names or ()]
        for number in range(len(bodies) - 1, -1, -1):
            body = bodies[number]
            # most are another user's, which can be told without parsing where nothing is written in escapes
            if names is None or b"\\" in body or any(hint in body for hint in hints):
                record = read_event(body)
                if names is None or names.intersection(record.identities):
                    yield self._event_record(number + 1, record, times[number])

    def _event_records(self, bodies: list[bytes], times: array[float], offset: int) -> Iterator[EventRecord]:
        for number, (body, received_at) in enumerate(zip(bodies, times, strict=True), offset + 1):
            yield self._event_record(number, read_event(body), received_at)

    def _event_record(self, number: int, record: Record, received_at: float) -> EventRecord:
        return EventRecord(
            id=f"{self._event_ids}{number:012x}",
            user_id=record.user_id,
            country_code=record.country_code,
            phone=record.phone,
            full_phone=record.full_phone,
            event=record.event or "",
            traits=record.traits,
            created_at=record.created_at,
            received_at=received_at,
        )


def _holds(user: UserRecord, text: str) -> bool:
    values = (user.user_id, user.full_phone, *user.tags, *user.traits.values())
    return any(text in (value if isinstance(value, str) else json.dumps(value)).casefold() for value in values)


def _hint(name: str) -> bytes:
    """Return what is in a body that names this user, unless escapes are: an id, or the last digits of a phone."""
    return name[-4:].encode() if name.startswith("+") else name.encode()


def _stretch(limit: int | None, offset: int) -> slice:
    return slice(offset, None if limit is None else offset + limit)
