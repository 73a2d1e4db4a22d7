"""Look up single users of a table, where that takes fewer calls than reading the account. Pure: others make the calls.

What look-ups answer is not documented. So a look-up first asks for a contact that is known already:

- An id look-up may take the account's own id. The known contact's `user_id` must bring exactly this contact.
- A server may not get every character of an id as it was sent. That nobody has an id counts only if ids with such
  characters were found.
- A phone is asked for without its country. An answer may show one contact of several, so one of another country decides
  nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from interakt_loader.account.contacts import PAGE, Contact, Page, Request, id_request, phone_request
from interakt_loader.account.windows import GROUP

LEAST_READING = 3
"""Calls that read an account at least: for its total, for the past, and for what changed meanwhile."""


SHARED_CODES = frozenset({"+1", "+7", "+39", "+44", "+599"})
"""Codes of several countries. Some lists write them with the area code, such as +1242: then the phone is shorter."""


class Undecided(Exception):
    """Look-ups do not show who is there: read the whole account. Its text is one line and has no personal data."""


class Wanted(NamedTuple):
    """A user of a table."""

    user_id: str | None
    country_code: str | None
    phone: str | None
    """Digits without the country code."""


LookUp = Callable[[Sequence[Request]], list[Page | None]]
"""Return what each call finds: an empty page for nobody, None if the API refuses the call."""

Probe = Callable[[Request], Page | None]
"""Return what a call finds; None if the answer is not usable, whatever it is."""


def fewer_calls(users: int, total: int) -> bool:
    """Return whether it takes fewer calls to look up so many users than to read `total` contacts.

    There are two probes, and two calls for a user at most.
    """
    return 2 + 2 * users < max(LEAST_READING, total / PAGE)


def look_up(users: Sequence[Wanted], known: Sequence[Contact], ask: LookUp, probe: Probe) -> Iterator[list[Contact]]:
    """Yield the contacts that the users can be, each contact once. Raises `Undecided`, also after some were yielded.

    `known` has some contacts of the account, such as a page.
    """
    ids = {user.user_id for user in users if user.user_id is not None}
    shown = _probe_ids(ids, known, probe) if ids else set()
    has_probed_phones = any(user.user_id is None for user in users)
    if has_probed_phones:
        _probe_phones(known, probe)
    seen: set[str] = set()
    holders: dict[str, list[Contact]] = {}
    for found in _asked((user.user_id for user in users), id_request, ask):
        for user_id, contacts in found.items():
            if contacts and all(one.user_id != user_id for one in contacts):
                raise Undecided("a look-up by id finds another contact")
            if contacts:
                shown |= _characters(user_id)
        holders |= found
        yield _new(found, seen)
    if any(not contacts and _characters(user_id) - shown for user_id, contacts in holders.items()):
        raise Undecided("nobody is found by an id with characters that no found id has")
    phones: dict[str, set[str | None]] = {}
    for user in users:
        contacts = holders.get(user.user_id or "", [])
        if user.phone is not None and not _have_phone(contacts, user.country_code, user.phone):
            phones.setdefault(user.phone, set()).add(user.country_code)
    if phones and not has_probed_phones:
        _probe_phones(known, probe)
    for found in _asked(phones, phone_request, ask):
        for phone, contacts in found.items():
            if contacts and not all(_have_phone(contacts, code, phone) for code in phones[phone]):
                raise Undecided("a look-up by phone finds another contact")
            if not contacts and phones[phone] & SHARED_CODES:
                raise Undecided("nobody is found by a phone whose country code may be written longer")
        yield _new(found, seen)


def _asked(
    names: Iterable[str | None], request: Callable[[str], Request], ask: LookUp
) -> Iterator[dict[str, list[Contact]]]:
    """Yield who has these names, in groups. Each name is asked for once."""
    unique = [*dict.fromkeys(name for name in names if name is not None)]
    for at in range(0, len(unique), GROUP):
        group = unique[at : at + GROUP]
        pages = ask([request(name) for name in group])
        yield {name: _whole(page) for name, page in zip(group, pages, strict=True)}


def _whole(page: Page | None) -> list[Contact]:
    if page is None:
        raise Undecided("the answer to a look-up is not usable")
    if page.has_next or page.total != len(page.contacts):
        raise Undecided("a look-up does not bring all contacts that it finds")
    return page.contacts


def _new(found: dict[str, list[Contact]], seen: set[str]) -> list[Contact]:
    """Return the contacts that were not seen before."""
    contacts = {one.id: one for group in found.values() for one in group if one.id not in seen}
    seen.update(contacts)
    return [*contacts.values()]


def _have_phone(contacts: Sequence[Contact], country_code: str | None, phone: str) -> bool:
    return any((one.country_code, one.phone) == (country_code, phone) for one in contacts)


def _probe_ids(wanted: Iterable[str], known: Sequence[Contact], probe: Probe) -> set[str]:
    """See that a look-up takes the id that was sent. Return the characters of the id."""
    needed = set[str]().union(*map(_characters, wanted))

    def fits(user_id: str) -> int:
        has = _characters(user_id)
        return len(has & needed) - len(has - needed)

    contacts = {one.user_id: one for one in known if one.user_id is not None and one.user_id != one.id}
    user_id = max(contacts, key=fits, default=None)
    if user_id is None:
        raise Undecided("no contact is known by which to try a look-up by id")
    if [(one.id, one.user_id) for one in _whole(probe(id_request(user_id)))] != [(contacts[user_id].id, user_id)]:
        raise Undecided("a look-up by id does not take the id that was sent")
    return _characters(user_id)


def _characters(user_id: str) -> set[str]:
    """Return the characters of an id, with one for all letters of ASCII, and one for all digits."""
    if not any(map(str.isalnum, user_id)):
        # a server may take dots as a step in the path, and remove blanks
        return {user_id}
    return {("a" if one.isalpha() else "0" if one.isdigit() else one) if one.isascii() else one for one in user_id}


def _probe_phones(known: Sequence[Contact], probe: Probe) -> None:
    """See that a look-up takes the digits of a phone without its country code."""
    contact = next(filter(_is_split, known), None)
    if contact is None:
        raise Undecided("no contact is known by which to try a look-up by phone")
    if contact.id not in {one.id for one in _whole(probe(phone_request(contact.phone or "")))}:
        raise Undecided("a look-up by phone does not take the digits without the country code")


def _is_split(contact: Contact) -> bool:
    """Return whether a phone is certainly shown without its country code."""
    code, phone = (contact.country_code or "").removeprefix("+"), contact.phone or ""
    return code.isdigit() and phone.isascii() and phone.isdigit() and not phone.startswith(code)
