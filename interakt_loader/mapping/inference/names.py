"""What the name of a column says about what it holds. A name is a hint; `identity` and `types` look at the values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise


def _listed(names: str) -> list[str]:
    return names.split()


NAMES = {
    field: _listed(names)
    for field, names in {
        "user_id": "userid customerid contactid clientid memberid personid profileid buyerid shopperid subscriberid "
        "userkey customerkey customercode customerno customernumber recordid uid id customer",
        "phone": "phone phonenumber mobile mobilenumber mobileno phoneno whatsapp whatsappnumber whatsappno cell "
        "cellphone contactnumber contactno contact telephone tel msisdn",
        "country_code": "countrycode phonecountrycode dialcode dialingcode diallingcode isdcode cc",
        "event": "event eventname eventtype",
        "created_at": "createdat occurredat eventtime eventat timestamp datetime orderedat orderdate purchasedat "
        "purchasedate invoicedate transactiondate paidat date time",
        "tags": "tags tag",
    }.items()
}
"""By field of the mapping, in order of preference, without case and punctuation."""

USER_CREATED_AT = _listed(
    "createdat createdon createddate createdtime created createdate signupdate signup signedup signedupat "
    "registeredat registered registrationdate registrationdttm joinedat joined joindate membersince"
)
"""Names of the time since when a user is one."""

COUNTRIES = ("countryiso", "country", "countryname")
"""Names of columns that tell a phone's country, besides those of codes."""

LOOSE_COUNTRIES = ("region",)
"""Names of columns that may do so, and may as well hold states, whose letters are those of other countries."""

LOOSE_EVENTS = ("type", "action", "activity", "metric", "metricname")
"""Names that a column of events' names may have too, where it is known that the rows are events."""

OWN_IDS = ("id", "uid", "recordid")
"""Names that say whose id it is only together with the table: of the user in a table of users."""

VAGUE_IDS = (*OWN_IDS, "customer")
"""Names that do not say for sure that there is an id of a user."""

_CODES = _listed("zip zipcode postcode postal postalcode pin pincode phone mobile fax telephone tel sku ean isbn")
_CODES_AT_THE_END = _listed("id ids key code no num number uuid guid ref reference cc iban account extension ext")
_TIMES = _listed(
    "date time datetime timestamp dttm dob born birthday birthdate created updated modified signup joined "
    "registered expiry expires since until"
)
_LISTS = _listed("tags tag labels label categories interests ids segments groups lists")
_PEOPLE = _listed(
    "email mail phone mobile whatsapp firstname lastname surname fullname dob birthdate gender salutation"
)
_PHONES = _listed("phone mobile whatsapp telephone tel")
_NOTHING = re.compile(r"(column|col|field|unnamed|f|c|var|v|x)?[ _:.-]*\d*", re.IGNORECASE | re.ASCII)


def bare(name: str) -> str:
    """Return a name without case and punctuation: `Customer ID` is `customerid`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def words(name: str) -> list[str]:
    """Return the words of a name: `c_customerID` is c, customer, id."""
    return [one.lower() for one in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]


def names_a_code(name: str) -> bool:
    """Say whether a name is that of digits that count nothing: an id, a zip, a phone."""
    parts = words(name)
    return bool(parts) and (parts[-1] in _CODES_AT_THE_END or _any_of(_CODES, name))


def names_a_time(name: str) -> bool:
    """Say whether a name is that of a date or a time."""
    parts = words(name)
    return bool(parts) and (parts[-1] == "at" or _any_of(_TIMES, name))


def names_a_list(name: str) -> bool:
    """Say whether a name is that of several things in one cell."""
    return _any_of(_LISTS, name)


def names_a_phone(name: str) -> bool:
    """Say whether a name is that of a phone."""
    return bare(name) in NAMES["phone"] or _any_of(_PHONES, name)


def names_a_person(columns: Iterable[str]) -> bool:
    """Say whether any of the columns is something that people have, and orders have not."""
    return any(_any_of(_PEOPLE, name) for name in columns)


def says_nothing(name: str) -> bool:
    """Say whether a name is only a place: `column_1`, `f0`, `Unnamed: 3`."""
    return _NOTHING.fullmatch(name.strip()) is not None


def called(columns: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the columns that have one of the names, in the order of the names."""
    by_name: dict[str, list[str]] = {}
    for one in columns:
        by_name.setdefault(bare(one), []).append(one)
    return [one for name in names for one in by_name.get(name, [])]


def _any_of(wanted: Iterable[str], name: str) -> bool:
    """Say whether a name, one of its words or two of them together is wanted: `birth_date` is birthdate."""
    parts = words(name)
    pairs = (first + second for first, second in pairwise(parts))
    return not set(wanted).isdisjoint({bare(name), *parts, *pairs})
