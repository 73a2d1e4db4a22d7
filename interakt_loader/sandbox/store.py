"""The rules for a call's body, and the accepted records: users with merged traits, events in order of arrival.

The rules are strict where the API's documents are, and *assumed* strict where these say nothing.

Not thread-safe: `Api` holds its lock around each call of `Store`. Reading copies references under the lock and makes
records outside it, so that a long read does not delay calls.
"""

from __future__ import annotations

import json
import marshal
import math
import random
import re
import uuid
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from sys import intern
from typing import Any, Literal, NamedTuple, NoReturn

from interakt_loader.sandbox.order import Bounds, Orders

_BOTH = {"userId", "phoneNumber", "countryCode", "fullPhoneNumber", "traits", "createdAt"}
USER_FIELDS = frozenset({*_BOTH, "tags", "add_to_sales_cycle"})
EVENT_FIELDS = frozenset({*_BOTH, "event"})

_PHONE = re.compile(r"[1-9][0-9]*")
_COUNTRY_CODE = re.compile(r"\+[1-9][0-9]{0,3}")
_ISO_8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?)?", re.ASCII
)


class Refusal(Exception):
    """The body breaks a rule; the text is the message of the 400."""


class Record(NamedTuple):
    """The fields of a valid body."""

    user_id: str | None
    country_code: str | None
    phone: str | None
    full_phone: str | None
    """`+` and the whole number, in whichever fields it was sent."""
    event: str | None
    """None for a user call."""
    traits: dict[str, Any]
    tags: list[str]
    created_at: str | None

    @property
    def identities(self) -> tuple[str, ...]:
        """The user's names in the sandbox: userId, then `+` and the whole phone number."""
        return tuple(name for name in (self.user_id, self.full_phone) if name is not None)


def _refuse_constant(name: str) -> NoReturn:
    raise Refusal(f"{name} is not JSON")


# One decoder for all calls, because `json.loads` with any option builds a new one each time.
_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def read_user(body: bytes) -> Record:
    """Return the record in a user call's body. Raises `Refusal`."""
    return _record(_object(body, USER_FIELDS), event=None)


def read_event(body: bytes) -> Record:
    """Return the record in an event call's body. Raises `Refusal`."""
    fields = _object(body, EVENT_FIELDS)
    event = fields.get("event")
    if not isinstance(event, str) or not event.strip():
        raise Refusal("event is required and must be a non-empty string")
    return _record(fields, event)


def _object(body: bytes, known: frozenset[str]) -> dict[str, Any]:
    try:
        fields = _decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal("The body is not valid JSON") from None
    if not isinstance(fields, dict):
        raise Refusal("The body must be a JSON object")
    if not fields.keys() <= known:
        unknown = next(name for name in fields if name not in known)
        raise Refusal(f"{unknown} is not a field of this call")
    return fields


def _record(fields: dict[str, Any], event: str | None) -> Record:
    user_id = _text(fields, "userId")
    country_code = _text(fields, "countryCode")
    phone = _text(fields, "phoneNumber")
    full_phone = _text(fields, "fullPhoneNumber")
    if country_code is not None and not _COUNTRY_CODE.fullmatch(country_code):
        raise Refusal("countryCode must be + and one to four digits")
    if full_phone is not None:
        if phone is not None or country_code is not None:
            raise Refusal("fullPhoneNumber cannot be sent together with phoneNumber or countryCode")
        if not _PHONE.fullmatch(full_phone):
            raise Refusal("fullPhoneNumber must be digits with the country code, without +")
        full_phone = f"+{full_phone}"
    elif phone is not None:
        if not _PHONE.fullmatch(phone):
            raise Refusal("phoneNumber must be digits without the country code and without a leading 0")
        if country_code is None:
            raise Refusal("countryCode is required with phoneNumber")
        full_phone = country_code + phone
    elif user_id is None:
        raise Refusal("Either userId or phoneNumber with countryCode is required")
    created_at = _text(fields, "createdAt")
    if created_at is not None and not _is_iso_8601(created_at):
        raise Refusal("createdAt must be an ISO-8601 date or time")
    if not isinstance(fields.get("add_to_sales_cycle", False), bool):
        raise Refusal("add_to_sales_cycle must be a boolean")
    traits = fields.get("traits", {})
    if not isinstance(traits, dict):
        raise Refusal("traits must be an object")
    for name, value in traits.items():
        _check_trait(name, value)
    tags = fields.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        raise Refusal("tags must be a list of strings")
    return Record(user_id, country_code, phone, full_phone, event, traits, tags, created_at)


def new_record(
    user_id: str | None, country_code: str | None, phone: str | None, traits: dict[str, Any], tags: list[str]
) -> Record:
    """Return the record of a user whose traits and tags may be anything. Raises `Refusal`."""
    if phone is not None and (not _PHONE.fullmatch(phone) or not _COUNTRY_CODE.fullmatch(country_code or "")):
        raise Refusal("phone must be digits without a leading 0, with country_code such as +91")
    if phone is None and not user_id:
        raise Refusal("Either user_id or phone with country_code is required")
    full_phone = None if phone is None else f"{country_code}{phone}"
    return Record(user_id, country_code, phone, full_phone, None, traits, tags, None)


def _text(fields: dict[str, Any], name: str) -> str | None:
    """Return a field that is a non-empty string, or None if it is missing."""
    if name not in fields:
        return None
    value = fields[name]
    if not isinstance(value, str) or not value:
        raise Refusal(f"{name} must be a non-empty string")
    return value


def _check_trait(name: str, value: Any) -> None:
    if isinstance(value, str):
        if "\n" in value or "\t" in value or "   " in value:
            raise Refusal(f"Trait {name} cannot have newlines, tabs or more than two spaces in a row")
    elif isinstance(value, float):
        # 1e999 is valid JSON, and infinite as a float
        if not math.isfinite(value):
            raise Refusal(f"Trait {name} is out of range")
    elif isinstance(value, dict):
        raise Refusal(f"Trait {name} must be a string, number, boolean or list, not an object")
    elif isinstance(value, list):
        for item in value:
            if item is None or isinstance(item, (dict, list)):
                raise Refusal(f"Trait {name} must be a list of strings, numbers and booleans")
            if isinstance(item, float) and not math.isfinite(item):
                raise Refusal(f"Trait {name} is out of range")
    if not name:
        raise Refusal("A trait must have a name")


def _is_iso_8601(text: str) -> bool:
    match = _ISO_8601.fullmatch(text)
    if match is None:
        return False
    try:
        datetime(*(int(part) for part in match.groups("0")))  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


class UserRecord(NamedTuple):
    """One user in the sandbox."""

    id: str
    user_id: str | None
    country_code: str | None
    """None if the number came as fullPhoneNumber."""
    phone: str | None
    full_phone: str | None
    """`+` and the whole number."""
    traits: dict[str, Any]
    """The last value of each trait; None for a null."""
    tags: list[str]
    """In order of arrival."""
    created_at: str | None
    first_seen: float
    """Seconds since the epoch."""
    last_seen: float
    calls: int
    """Accepted user calls."""


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


class Contact(NamedTuple):
    """One user as the account shows it."""

    id: str
    user_id: str | None
    country_code: str | None
    phone: str | None
    traits: dict[str, Any]
    tags: list[str]
    created_at: str | None
    """As it was sent."""
    created: float
    """Time of the first call, in seconds since the epoch."""
    modified: float


class TakenUserId(Exception):
    """The userId belongs to another user, or the user has another userId already."""


_NO_TRAITS = marshal.dumps({})


class _User:
    __slots__ = (
        "_traits", "calls", "country_code", "created", "created_at", "full_phone", "last_seen", "modified", "number",
        "tags", "user_id",
    )  # fmt: skip

    def __init__(self, number: int, created: float, traits: bytes) -> None:
        self.number = number
        self.user_id: str | None = None
        self.country_code: str | None = None
        self.full_phone: str | None = None
        # Bytes until the first call: in an account that is filled to be read, most never get one.
        self._traits: dict[str, Any] | bytes = traits
        self.tags: tuple[str, ...] = ()
        self.created_at: str | None = None
        self.created = self.modified = self.last_seen = created
        self.calls = 0

    @property
    def phone(self) -> str | None:
        """The number without its country code; None if it came as fullPhoneNumber."""
        if self.country_code is None or self.full_phone is None:
            return None
        return self.full_phone[len(self.country_code) :]

    @property
    def traits(self) -> dict[str, Any]:
        """The traits; a change of this dict may be lost."""
        # The bytes are the store's own, never from outside.
        return marshal.loads(self._traits) if isinstance(self._traits, bytes) else self._traits  # noqa: S302

    def update(self, traits: Mapping[str, Any], tags: Sequence[str]) -> None:
        """Replace the named traits, and add the tags that are new."""
        self._traits = own = self.traits
        for name, value in traits.items():
            own[intern(name)] = value
        if tags:
            self.tags = tuple(dict.fromkeys((*self.tags, *map(intern, tags))))


class Store:
    """Users and events, in memory."""

    def __init__(self, seed: int) -> None:
        # A record's id is one of these prefixes and the record's number. A random id costs more than the call's JSON.
        # The same seed has to give the same ids.
        rng = random.Random(seed)  # noqa: S311
        self._user_ids, self._event_ids = (str(uuid.UUID(int=rng.getrandbits(128), version=4))[:24] for _ in range(2))
        self.clear()

    def clear(self) -> None:
        """Delete all records."""
        self._users: list[_User] = []
        """By number, which is the order in which they were first seen."""
        self._last_number = 0
        self._country_codes: set[str] = set()
        # Made at the first reading of a page: most loads are never read back.
        self._orders: Orders[_User] | None = None
        self._by_user_id: dict[str, _User] = {}
        self._by_phone: dict[str, _User] = {}
        # An event is kept as its body's bytes: half the memory of the parsed form, and most are never read.
        self._events: list[bytes] = []
        self._event_times = array("d")

    @property
    def user_count(self) -> int:
        """Number of users."""
        return len(self._users)

    @property
    def event_count(self) -> int:
        """Number of events."""
        return len(self._events)

    def knows(self, record: Record) -> bool:
        """Return True if a user call has created this user."""
        return record.user_id in self._by_user_id or record.full_phone in self._by_phone

    def add_event(self, body: bytes, now: float) -> str:
        """Append the body of a valid event; return its id, a UUID."""
        self._events.append(body)
        self._event_times.append(now)
        return f"{self._event_ids}{len(self._events):012x}"

    def put_user(self, record: Record, now: float) -> str:
        """Create or update the user; return its id, a UUID. Raises `TakenUserId`."""
        user = self._user_of(record)
        if user is None:
            user = self._new_user(now)
        elif self._orders is not None:
            self._orders.remove(user)
        self._name(user, record)
        user.update(record.traits, record.tags)
        user.created_at = record.created_at or user.created_at
        user.last_seen = user.modified = now
        user.calls += 1
        if self._orders is not None:
            self._orders.add(user)
        return self._user_id(user)

    def put_contact(self, record: Record, created: float, modified: float) -> str:
        """Create or update a user as the account's own dashboard does; return its id. Raises `TakenUserId`.

        `created` is for a new user.
        """
        user = self._user_of(record)
        if user is None:
            # In a third of a dict's memory. It comes first: traits that cannot be packed must leave no user behind.
            user = self._new_user(created, marshal.dumps(record.traits))
            if record.tags:
                user.tags = tuple(dict.fromkeys(map(intern, record.tags)))
        else:
            if self._orders is not None:
                self._orders.remove(user)
            user.update(record.traits, record.tags)
        self._name(user, record)
        user.modified = modified
        if self._orders is not None:
            self._orders.add(user)
        return self._user_id(user)

    def touch(self, identities: Iterable[str], now: float, traits: Mapping[str, Any] | None = None) -> bool:
        """Set when the user was modified, and traits; return False if there is none with one of these names."""
        found = (self._by_user_id.get(name) or self._by_phone.get(name) for name in identities)
        user = next(filter(None, found), None)
        if user is None:
            return False
        if self._orders is not None:
            self._orders.remove(user)
        if traits:
            user.update(traits, ())
        user.modified = now
        if self._orders is not None:
            self._orders.add(user)
        return True

    def delete(self, identity: str) -> bool:
        """Delete a user; return False if there is none with this userId or whole phone number."""
        user = self._by_user_id.get(identity) or self._by_phone.get(identity)
        if user is None:
            return False
        if self._orders is not None:
            self._orders.remove(user)
        del self._users[bisect_left(self._users, user.number, key=_number)]
        if user.user_id is not None:
            del self._by_user_id[user.user_id]
        if user.full_phone is not None:
            del self._by_phone[user.full_phone]
        return True

    def _user_id(self, user: _User) -> str:
        return f"{self._user_ids}{user.number:012x}"

    def _user_of(self, record: Record) -> _User | None:
        by_id = None if record.user_id is None else self._by_user_id.get(record.user_id)
        by_phone = None if record.full_phone is None else self._by_phone.get(record.full_phone)
        if by_phone is None or by_phone is by_id:
            return by_id
        if by_id is not None or (record.user_id is not None and by_phone.user_id is not None):
            raise TakenUserId
        return by_phone

    def _new_user(self, created: float, traits: bytes = _NO_TRAITS) -> _User:
        self._last_number += 1
        user = _User(self._last_number, created, traits)
        self._users.append(user)
        return user

    def _name(self, user: _User, record: Record) -> None:
        if record.user_id is not None and user.user_id is None:
            user.user_id = record.user_id
            self._by_user_id[record.user_id] = user
        if record.full_phone is not None:
            self._put_phone(user, record, record.full_phone)

    def _put_phone(self, user: _User, record: Record, full_phone: str) -> None:
        """Set a number that no other user has. It is *assumed* to replace the user's old number."""
        if user.full_phone != full_phone:
            if user.full_phone is not None:
                del self._by_phone[user.full_phone]
            user.country_code = None
            user.full_phone = full_phone
            self._by_phone[full_phone] = user
        if record.phone is not None:
            user.country_code = record.country_code
            self._country_codes.add(record.country_code or "")
        else:
            self._country_codes.add(_split(full_phone)[0])

    def find_user(self, identity: str) -> UserRecord | None:
        """Return the user with this userId or, failing that, this whole phone number with its `+`."""
        user = self._by_user_id.get(identity) or self._by_phone.get(identity)
        return None if user is None else self._user_record(user)

    def user_slice(self, limit: int | None, offset: int) -> list[UserRecord]:
        """Return users in the order in which they were first seen."""
        return [self._user_record(user) for user in self._users[_slice(limit, offset)]]

    def event_slice(self, limit: int | None, offset: int) -> Iterator[EventRecord]:
        """Return events in order of arrival. The iterator parses them one at a time."""
        part = _slice(limit, offset)
        return self._event_records(self._events[part], self._event_times[part], offset)

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
            first_seen=user.created,
            last_seen=user.last_seen,
            calls=user.calls,
        )

    def contact_slice(self, limit: int | None, offset: int) -> list[Contact]:
        """Return users as contacts, in the order in which they were first seen."""
        return [self._contact(user) for user in self._users[_slice(limit, offset)]]

    def contact_page(
        self, bounds: Bounds, by: Literal["created", "modified"], offset: int, limit: int, rng: random.Random | None
    ) -> tuple[list[Contact], int]:
        """Return a page of the contacts between the bounds, the newest first, and how many there are.

        With `rng` contacts with equal times are in another order each time.
        """
        if self._orders is None:
            self._orders = Orders(self._users)
        page, total = self._orders.page(bounds, by, offset, limit, rng)
        return [self._contact(user) for user in page], total

    def contacts_by_phone(self, digits: str) -> list[Contact]:
        """Return the contacts with this number, without its country code. Each may have another country code."""
        found = (self._by_phone.get(code + digits) for code in sorted(self._country_codes))
        contacts = [self._contact(user) for user in found if user is not None]
        return [contact for contact in contacts if contact.phone == digits]

    def contact_by_id(self, name: str, names: Literal["id", "user_id", "both"]) -> Contact | None:
        """Return the contact with this id, of the account's own, of the client's, or of either."""
        user = None
        if names != "user_id" and name.startswith(self._user_ids):
            number = int(name[24:], 16) if re.fullmatch("[0-9a-f]{12}", name[24:]) else 0
            place = bisect_left(self._users, number, key=_number)
            if place < len(self._users) and self._users[place].number == number:
                user = self._users[place]
        if user is None and names != "id":
            user = self._by_user_id.get(name)
        return None if user is None else self._contact(user)

    def _contact(self, user: _User) -> Contact:
        country_code, phone = user.country_code, user.phone
        if phone is None and user.full_phone is not None:
            country_code, phone = _split(user.full_phone)
        return Contact(
            id=self._user_id(user),
            user_id=user.user_id,
            country_code=country_code,
            phone=phone,
            traits=dict(user.traits),
            tags=list(user.tags),
            created_at=user.created_at,
            created=user.created,
            modified=user.modified,
        )

    def matching_users(self, text: str) -> Iterator[UserRecord]:
        """Return users with this text in an identity, tag or trait, in any case. The iterator reads one at a time."""
        users = self._users[:]
        return (record for record in map(self._user_record, users) if _contains(record, text.casefold()))

    def latest_events(self, identity: str | None) -> Iterator[EventRecord]:
        """Return events of one user or of all, the latest first. The iterator parses them one at a time."""
        user = None if identity is None else self.find_user(identity)
        names = {identity} if user is None else {user.user_id, user.full_phone}
        wanted = None if identity is None else {name for name in names if name is not None}
        return self._latest(self._events[:], self._event_times[:], wanted)

    def _latest(self, bodies: list[bytes], times: array[float], names: set[str] | None) -> Iterator[EventRecord]:
        hints = [_hint(name) for name in names or ()]
        for number in range(len(bodies) - 1, -1, -1):
            body = bodies[number]
            # Most events are other users'. Without a backslash there are no escapes, and no need to parse these.
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


_number = attrgetter("number")

_COUNTRY_PART = re.compile(
    r"\+(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}|[0-9]{1,2}(?=[0-9]))"
)
"""The country code of a whole number, by the plan of the ITU."""


def _split(full_phone: str) -> tuple[str, str]:
    """Return the country code and the rest of a number that came whole. *Assumed*: who sends parts has said them."""
    match = _COUNTRY_PART.match(full_phone)
    end = match.end() if match else len(full_phone)
    return full_phone[:end], full_phone[end:]


def _contains(user: UserRecord, text: str) -> bool:
    values = (user.user_id, user.full_phone, *user.tags, *user.traits.values())
    return any(text in (value if isinstance(value, str) else json.dumps(value)).casefold() for value in values)


def _hint(name: str) -> bytes:
    """Return bytes that a body with this user contains, if it has no escapes: an id, or a phone's last digits."""
    return name[-4:].encode() if name.startswith("+") else name.encode()


def _slice(limit: int | None, offset: int) -> slice:
    return slice(offset, None if limit is None else offset + limit)
