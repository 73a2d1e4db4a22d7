"""What the values show about the proposed columns: the reason of each line, questions and remarks.

Values never choose another column and never answer a question. They give the reasons, and may leave a line open.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import PhoneMetadata

from interakt_loader.errors import mapped, option
from interakt_loader.identity import country_code, preferred_phones
from interakt_loader.identity.countries import NON_GEOGRAPHIC
from interakt_loader.identity.phones import NUMBER_TYPES
from interakt_loader.mapping.infer import names
from interakt_loader.mapping.infer.inferred import Line, field_of
from interakt_loader.mapping.infer.proposal import Proposal, events_or_users
from interakt_loader.mapping.infer.sample import Guess, Look
from interakt_loader.mapping.infer.types import guess, separator_of, time_guess
from interakt_loader.privacy.text import some
from interakt_loader.settings import Settings

_FEW = 3
"""From so many rows and different phones on, one id for all of them raises a question."""
_UNIQUE = 0.95
"""From this share of different values on, ids count as unique."""
_ENOUGH = 0.5
"""Below this share of fitting values, a column may not be what its name says."""
_SURE = 0.9
_TRIED = 1000
"""Phones that are checked."""
_SHARED_BY, _SHARED_ROWS, _SHARED_SHARE = 3, 3, 0.01
"""A number of so many people, in so many rows and in more than this share of the rows, belongs to nobody."""
_KINDS_OF_EVENTS = 100
"""Different values that a column of events' names has at most."""


@dataclass
class Evidence:
    """The lines, questions and remarks so far."""

    lines: list[Line] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def evidence(
    proposal: Proposal, looks: Mapping[str, Look], settings: Settings, *, country_given: bool, kind_known: bool
) -> Evidence:
    """Return a line for each proposed field, with what its values show."""
    found = Evidence()
    columns = {name: looks[column] for name, column in proposal.columns.items()}
    if "user_id" in columns:
        _of_ids(columns["user_id"], found, proposal, settings)
        found.questions += _one_id_of_many(columns["user_id"], columns.get("phone"))
    if "phone" in columns:
        country = columns.get("country_code")
        tried = try_phones([columns["phone"]], country, settings)
        found.lines.append(Line("phone", columns["phone"].name, _called(columns["phone"], tried.summary)))
        if country is not None:
            _of_country(country, columns["phone"], found)
        elif not country_given:
            reason = other_country(columns["phone"], looks, settings)
            found.questions += [] if reason is None else [f"country_code: {reason}"]
        _of_phones(columns["phone"], tried, found, proposal)
        found.questions += shared_numbers(columns["phone"], columns.get("user_id"), looks)
    if "phone" in columns and "user_id" not in columns and proposal.kind == "user" and tried.share >= _ENOUGH:
        _of_shared_phones(columns["phone"], found)
    identity = columns.get("user_id", columns.get("phone"))
    if not kind_known and not proposal.kind_asked and proposal.kind == "user" and identity is not None:
        repeated = _repeated(identity) if "user_id" in columns or tried.share >= _ENOUGH else None
        found.questions += [] if repeated is None else [f"kind: {repeated}: {events_or_users()}"]
    if "event" in columns:
        _of_event(columns["event"], found)
    if "created_at" in columns:
        _of_created_at(columns["created_at"], found)
    if "tags" in columns:
        found.lines.append(_tags(columns["tags"]))
    return found


def _called(look: Look, values: str) -> str:
    return f"the column is called {look.name}; {values}" if look.rows else f"the column is called {look.name}"


# ------------------------------------------------------------------ ids


def _of_ids(look: Look, found: Evidence, proposal: Proposal, settings: Settings) -> None:
    ids = look.ids
    held = ids.values.drop_null()
    different = len(held.unique())
    seen = f"{different:,} different in {len(held):,} of {look.rows:,}"
    if look.kind == "float" or (look.kind == "text" and look.matching(r"[0-9]+\.0")):
        row = int(pc.index(look.values.is_valid(), pa.scalar(value=True)).as_py())
        written = str(look.texts[row].as_py()).removesuffix(".0")
        seen += f"; whole numbers that were read as floats: {written}.0 is sent as {written}"
    elif look.matching("0[0-9]+"):
        seen += "; leading zeros are kept"
    if look.matching("'.*"):
        seen += "; the leading apostrophe is removed"
    found.lines.append(Line("user_id", look.name, _called(look, seen)))
    if not look.rows:
        return
    if ids.problems:
        row = min(ids.problems)
        found.remarks.append(
            f"user_id: {len(ids.problems):,} of {look.rows:,} values are no user ids: {ids.problems[row].message} "
            f"({look.at(row)}); those rows are refused"
        )
    missing = look.rows - len(held) - len(ids.problems)
    if missing:
        result = "there is no phone, so they cannot be sent"
        if "phone" in proposal.columns:
            result = "the phone identifies the user, and rows without a phone are refused"
        found.remarks.append(f"user_id: {look.name} is empty in {missing:,} of {look.rows:,} rows: {result}")
    if different < len(held) and _repeated(look) is None and proposal.kind == "user":
        found.remarks.append(
            f"user_id: {look.name} has {different:,} different ids in {len(held):,} rows: of each user the "
            "last row's traits stay"
        )
    if names.person_id(look.name) is not None and _are_phones(look, settings):
        found.questions.append(
            f"user_id: the values of {look.name} look like phone numbers: "
            f"{mapped('user_id', look.name)} if they are ids, or {mapped('phone', look.name)}"
        )


def _one_id_of_many(ids: Look, phones: Look | None) -> list[str]:
    """Ask if one id is in all rows, with several phones: it may be the shop's own code, or a cashier's."""
    if phones is None or ids.distinct != 1 or ids.filled < _FEW or phones.distinct < _FEW:
        return []
    seen = f"{ids.name} is the same in {ids.filled:,} rows with {phones.distinct:,} different phones"
    return [
        f"user_id: {seen}, so it may be the sender's own: "
        f"{mapped('user_id', ids.name)} if it is the person's, or {mapped('phone', phones.name)} to go by the phone "
        "alone"
    ]


def _are_phones(look: Look, settings: Settings) -> bool:
    """Tell whether most ids are phones of the default country: `customer number` may hold either."""
    if look.kind not in ("text", "int") or look.matching(r"\+?[0-9][0-9 -]{8,14}[0-9]") < look.filled * _SURE:
        return False
    return try_phones([look], None, settings).share >= _SURE and look.filled > 0


def _repeated(look: Look) -> str | None:
    """Return how often ids are repeated, if it is more than rarely."""
    ids = look.ids.values.drop_null() if look.kind != "list" else pa.nulls(0)
    distinct = len(ids.unique())
    if len(ids) - distinct < 2 or distinct >= len(ids) * _UNIQUE:
        return None
    return f"{look.name} comes more than once ({distinct:,} different in {len(ids):,} rows)"


# ------------------------------------------------------------------ phones


class Tried(NamedTuple):
    """How many of a column's values are phones."""

    country: str | None
    """The column of countries that was used."""
    valid: int
    of: int
    codes: Counter[str]
    """Of the valid ones, by country code."""
    misfit: str | None
    """The first value that is not a phone, and its row: `'12' in row 7`."""

    @property
    def share(self) -> float:
        """The share of valid numbers."""
        return self.valid / self.of if self.of else 0.0

    @property
    def summary(self) -> str:
        """The evidence in words."""
        if not self.of:
            return "empty in all rows"
        if not self.valid:
            return f"none of {self.of:,} values is a phone number"
        code, most = self.codes.most_common(1)[0]
        whose = f"of {code}" if most == self.valid else f"of {len(self.codes)} country codes, most of {code}"
        share = f"all of {self.of:,}" if self.valid == self.of else f"{self.valid:,} of {self.of:,}"
        countries = f", with the countries in {self.country}" if self.country is not None else ""
        return f"{share} values are phone numbers {whose}{countries}"


def try_phones(looks: Sequence[Look], country: Look | None, settings: Settings) -> Tried:
    """Count the phones among the first rows that have any, in one column or several in order of preference."""
    filled = looks[0].values.is_valid()
    for look in looks[1:]:
        filled = pc.or_(filled, look.values.is_valid())
    rows = pc.indices_nonzero(filled)[:_TRIED]
    codes = None if country is None else country.values.take(rows)
    read = preferred_phones(
        [look.values.take(rows) for look in looks], codes, settings.default_country, settings.phones
    )
    misfit = None
    if read.problems:
        place = min(read.problems)
        row = rows[place].as_py()
        misfit = looks[read.problems[place][0]].example(row)
    counted = Counter(read.country_codes.drop_null().to_pylist())
    return Tried(None if country is None else country.name, counted.total(), len(rows), counted, misfit)


def _of_phones(look: Look, tried: Tried, found: Evidence, proposal: Proposal) -> None:
    wrong = tried.of - tried.valid
    if not wrong:
        return
    questions = [*found.questions, *proposal.questions]
    asked = any(question.startswith(("phone: ", "country_code: ")) for question in questions)
    if tried.share < _ENOUGH and not asked:
        ids = proposal.columns.get("user_id")
        without = f", or {mapped('user_id', ids)} to load without a phone" if ids is not None else ""
        found.questions.append(
            f"phone: {tried.summary}, such as {tried.misfit}: {mapped('phone', look.name)} if it holds phones; rows "
            f"without a valid one are refused then{without}"
        )
    else:
        found.remarks.append(
            f"phone: {wrong:,} of {tried.of:,} values of {look.name} ({wrong / tried.of:.0%}) are no valid phone "
            f"numbers, such as {tried.misfit}: those rows are refused"
        )


def _of_shared_phones(look: Look, found: Evidence) -> None:
    if look.distinct < look.filled:
        found.remarks.append(
            f"phone: {look.distinct:,} different in {look.filled:,} rows: rows with the same phone are one user, and "
            "the last row's traits stay"
        )


def shared_numbers(look: Look, user_id: Look | None, looks: Mapping[str, Look]) -> list[str]:
    """Return a question about numbers that several people share: 9999999999, typed at a till, belongs to nobody."""
    if look.kind == "list" or look.filled < _SHARED_ROWS:
        return []
    digits = pc.replace_substring_regex(look.texts, "[^0-9]", "")
    numbers, counts = digits.drop_null().value_counts().flatten()
    is_often = pc.and_(pc.greater_equal(counts, _SHARED_ROWS), pc.greater(counts, look.rows * _SHARED_SHARE))
    often = dict(zip(numbers.filter(is_often).to_pylist(), counts.filter(is_often).to_pylist(), strict=True))
    people = [user_id] if user_id is not None and user_id.filled else []
    people += [other for other in looks.values() if names.names_a_person(other.name) and other.filled]
    listed = []
    for number, count in sorted(often.items(), key=lambda item: -item[1]):
        rows = pc.equal(digits, number)
        sharing = max((len(other.texts.filter(rows).drop_null().unique()) for other in people), default=0)
        if sharing >= _SHARED_BY or (not people and _made_up(number)):
            row = int(pc.index(digits, pa.scalar(number)).as_py())
            listed.append((look.texts[row].as_py(), count))
    if not listed:
        return []
    shown = some([f"{written} in {count:,} rows" for written, count in listed])
    return [
        f"phone: several people share a number in {look.name}: {shown}: "
        f"{option('null_values', listed[0][0])} to read it as missing, or {mapped('phone', look.name)} if it is theirs"
    ]


def _made_up(digits: str) -> bool:
    """Tell whether a number is typed in place of a missing one: 9999999999, 9876543210."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(digits)}
    return len(digits) >= 7 and (len(set(digits)) <= 2 or steps in ({1}, {9}))


def _of_country(country: Look, phone: Look, found: Evidence) -> None:
    values = f"{country.distinct:,} different in {country.counted()}"
    found.lines.append(Line("country_code", country.name, _called(country, values)))
    distinct = country.texts.drop_null().unique().to_pylist()
    unread = [text for text in distinct if country_code(text) is None]
    if not unread or phone.matching(r"'?(?:\+|00).*") == phone.filled:
        return
    rows = pc.sum(pc.is_in(country.texts, pa.array(unread))).as_py()
    shown = f"such as {unread[0]!r} in {country.at(country.row_of(unread[0]))}"
    if len(unread) > len(distinct) * (1 - _ENOUGH):
        found.questions.append(
            f"country_code: {country.name} cannot be read as countries, {shown}: "
            f"{mapped('country_code')} with the right one, or {mapped('phone', phone.name)} without it"
        )
    else:
        found.remarks.append(
            f"country_code: {rows:,} of {country.rows:,} values of {country.name} are no countries, {shown}: those "
            "rows are refused"
        )


# ------------------------------------------------------------------ the rest


def _of_event(look: Look, found: Evidence) -> None:
    found.lines.append(Line("event", look.name, _called(look, f"{look.distinct:,} different in {look.counted()}")))
    if look.filled < look.rows:
        found.remarks.append(
            f"event: {look.name} is empty in {look.rows - look.filled:,} of {look.rows:,} rows: those rows are refused"
        )
    if look.distinct > _KINDS_OF_EVENTS:
        found.questions.append(
            f"event: {look.name} holds {look.distinct:,} different values, and each becomes a kind of event for ever: "
            f"{mapped('event', look.name)} if they are names of events, or {option('event', placeholder='NAME')}"
        )


def _of_created_at(look: Look, found: Evidence) -> None:
    guessed = guess(look) if look.filled else Guess({}, f"empty in all {look.rows:,} rows")
    if not guessed.is_time and look.kind in ("text", "int"):
        guessed = time_guess(look, _ENOUGH) or guessed
    written: dict[str, Any] = {"column": look.name, "type": "datetime"}
    if guessed.is_time and "format" in guessed.options:
        written["format"] = guessed.options["format"]
    elif not guessed.is_time and len(guessed.instead) == 1 and guessed.undecided is not None:
        # all but a few rows have this format
        written |= {key: value for key, value in guessed.instead[0].options.items() if key == "format"}
    open_ = bool(look.filled) and not guessed.is_time and len(guessed.instead) != 1
    if not look.rows:
        found.lines.append(Line("created_at", look.name, f"the column is called {look.name}"))
        return
    reason = guessed.reason.removesuffix(": kept as text")
    if open_:
        reason = f"{reason}; it needs a format before a load"
    found.lines.append(Line("created_at", written, _called(look, reason)))
    if not open_ and not guessed.is_time and look.filled:
        found.remarks.append(f"created_at: {look.name}: {guessed.undecided}: those rows are refused")
    if open_:
        ways = [
            f'created_at: {{column: "{look.name}", type: datetime, format: "{instead.options["format"]}"}}'
            for instead in guessed.instead
            if "format" in instead.options
        ]
        found.lines += [
            Line("created_at", written | {"format": instead.options["format"]}, instead.reason, active=False)
            for instead in guessed.instead
            if "format" in instead.options
        ]
        problem = guessed.undecided or f"{look.name} cannot be read as times: {guessed.reason}"
        flags = " or ".join(ways) or f'created_at: {{column: "{look.name}", type: datetime, format: "%d/%m/%Y"}}'
        found.questions.append(f"created_at: {look.name}: {problem}: a mapping line such as {flags}")


def _tags(look: Look) -> Line:
    if look.kind == "list" or not look.filled:
        return Line("tags", look.name, _called(look, look.type if look.filled else "empty in all rows"))
    separator = separator_of(look)
    options = {} if separator is None else {"type": "list", "separator": separator}
    return Line("tags", field_of(look.name, options), _called(look, f"items between {separator or ','!r}"))


# ------------------------------------------------------------------ whether phones are of another country

# Ten digits are a number in India and in North America, and no check of one number tells which. A column of numbers
# tells, and so does a state, a postcode or a currency in the same row.

_PHONES_TRIED = 300
"""Different numbers that are checked in all plans; it takes a tenth of a second."""
_MOSTLY = 0.5
_NORTH_AMERICAN = r"(?:1[ -])?\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}"
_LIKELY = (91, 1, 44, 971, 65, 966, 61, 60, 62, 880, 977, 94, 92, 974, 965, 968, 973, 64, 27, 254, 234, 55, 52, 49)
"""The codes that are named first if several fit equally."""


def other_country(look: Look, others: Mapping[str, Look], settings: Settings) -> str | None:
    """Return why numbers without a country may not be of the default one, with the flags that answer; None if not."""
    known = country_code(settings.default_country)
    texts = look.texts.drop_null().unique()
    local = texts.filter(pc.invert(pc.match_substring_regex(texts, r"^'?\s*(?:\+|00)"))) if len(texts) else texts
    if known is None or not len(local):
        return None
    answer = f"or {option('default_country', known)} if they are of {known}"
    american = look.matching(_NORTH_AMERICAN)
    if known != "+1" and american >= look.filled * _MOSTLY:
        seen = f"{american:,} of {look.filled:,} values of {look.name} are written as in North America"
        return f"{seen}: {option('default_country', '+1')}, {answer}"
    for other in others.values():
        named = _names_another(other, known)
        if named is not None:
            code, seen = named
            way = option("default_country", code) + ("" if code is not None else " with their country")
            return f"the numbers of {look.name} name no country, and {seen}: {way}, {answer}"
    local = local[:_PHONES_TRIED]
    here = len(local) - preferred_phones([local], None, known, settings.phones).numbers.null_count
    if here == len(local):
        return None
    elsewhere = fitting(local.to_pylist(), known)
    most = max(elsewhere.values(), default=0)
    if most > here and most > len(local) * _MOSTLY:
        codes = [code for code, count in elsewhere.items() if count == most][:3]
        ways = ", ".join(option("default_country", code) for code in codes)
        return (
            f"{most:,} of the {len(local):,} numbers of {look.name} that name no country are numbers of "
            f"{' and of '.join(codes)}, and {here:,} of {known}: {ways}, {answer}"
        )
    return None


def fitting(numbers: Sequence[str], default: str) -> dict[str, int]:
    """Return by code how many of the numbers the plans of other countries accept, likely countries first.

    Only mobile numbers count, because many plans accept digits of almost any length as a fixed line. In North America
    all numbers count: there a mobile number looks like any other.
    """
    digits = [re.sub(r"\D", "", number) for number in numbers]
    counted = {}
    for code in dict.fromkeys((*_LIKELY, *phonenumbers.COUNTRY_CODE_TO_REGION_CODE)):
        if f"+{code}" != default:
            regions = [region for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code] if region != NON_GEOGRAPHIC]
            plans = [_plan(region, mobile_only=code != 1) for region in regions]
            counted[f"+{code}"] = sum(any(_accepts(*plan, number) for plan in plans) for number in digits)
    return counted


def _accepts(pattern: re.Pattern[str] | None, prefixes: Sequence[str], digits: str) -> bool:
    return pattern is not None and any(
        digits.startswith(prefix) and pattern.fullmatch(digits[len(prefix) :]) is not None for prefix in prefixes
    )


@functools.lru_cache(maxsize=1024)
def _plan(region: str, *, mobile_only: bool) -> tuple[re.Pattern[str] | None, tuple[str, ...]]:
    """Return the pattern of a region's national numbers, and the prefixes that they may have."""
    found = PhoneMetadata.metadata_for_region(region)
    types = [getattr(found, name, None) for name in (["mobile"] if mobile_only else NUMBER_TYPES)]
    patterns = [numbers.national_number_pattern for numbers in types if numbers is not None]
    patterns = [pattern for pattern in patterns if pattern]
    if found is None or found.general_desc is None or not patterns:
        return None, ()
    general = found.general_desc.national_number_pattern
    prefix = (found.national_prefix,) if found.national_prefix else ()
    return re.compile(f"(?=(?:{general})\\Z)(?:{'|'.join(patterns)})"), ("", *prefix, str(found.country_code))


# ------------------------------------------------------------------ countries of other columns

_CURRENCIES = {
    "INR": "+91", "USD": "+1", "CAD": "+1", "GBP": "+44", "AED": "+971", "SAR": "+966", "SGD": "+65", "AUD": "+61",
    "NZD": "+64", "MYR": "+60", "IDR": "+62", "PHP": "+63", "THB": "+66", "VND": "+84", "BDT": "+880", "PKR": "+92",
    "LKR": "+94", "NPR": "+977", "QAR": "+974", "OMR": "+968", "KWD": "+965", "BHD": "+973", "ZAR": "+27",
    "KES": "+254", "NGN": "+234", "EGP": "+20", "BRL": "+55", "MXN": "+52", "ARS": "+54", "COP": "+57", "CLP": "+56",
    "PEN": "+51", "TRY": "+90", "RUB": "+7", "CNY": "+86", "JPY": "+81", "KRW": "+82", "HKD": "+852", "ILS": "+972",
    "CHF": "+41", "SEK": "+46", "NOK": "+47", "DKK": "+45", "PLN": "+48", "CZK": "+420", "EUR": None,
    "$": "+1", "US$": "+1", "£": "+44", "€": None, "₹": "+91", "RS": "+91", "RS.": "+91",
}  # fmt: skip
_EURO_CODES = "+30 +31 +32 +33 +34 +39 +43 +49 +351 +352 +353 +356 +357 +358 +370 +371 +372 +385 +386 +421"
_STATES = {
    "+1": "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
    "OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR ON QC BC AB MB SK NS NB NL PE",
    "+91": "AN AP AR AS BR CH CG CT DD DL DN GA GJ HP HR JH JK KA KL LA LD MH ML MN MP MZ NL OD OR PB PY RJ SK TG TN "
    "TR TS UK UP UT WB",
    "+61": "NSW VIC QLD TAS ACT",
}
_STATE_NAMES = {
    "+1": "alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|georgia|hawaii|idaho|"
    "illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|"
    "missouri|montana|nebraska|nevada|new hampshire|new jersey|new mexico|new york|north carolina|north dakota|ohio|"
    "oklahoma|oregon|pennsylvania|rhode island|south carolina|south dakota|tennessee|texas|utah|vermont|virginia|"
    "washington|west virginia|wisconsin|wyoming|ontario|quebec|british columbia|alberta|manitoba|saskatchewan|"
    "nova scotia|new brunswick",
    "+44": "england|scotland|wales|northern ireland|greater london|london|kent|essex|surrey|west midlands",
    "+971": "dubai|abu dhabi|sharjah|ajman|fujairah|ras al khaimah|umm al quwain",
    "+61": "new south wales|victoria|queensland|tasmania|western australia|south australia|northern territory",
}
_ZIPS = {
    "+91": r"[1-9][0-9]{2} ?[0-9]{3}", "+1": r"[0-9]{5}(?:-[0-9]{4})?|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]",
    "+44": r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}", "+61": r"[0-9]{4}", "+64": r"[0-9]{4}", "+65": r"[0-9]{6}",
    "+49": r"[0-9]{5}", "+33": r"[0-9]{5}", "+34": r"[0-9]{5}", "+39": r"[0-9]{5}", "+55": r"[0-9]{5}-?[0-9]{3}",
    "+52": r"[0-9]{5}", "+60": r"[0-9]{5}", "+62": r"[0-9]{5}", "+880": r"[0-9]{4}", "+92": r"[0-9]{5}",
    "+977": r"[0-9]{5}", "+94": r"[0-9]{5}", "+31": r"[0-9]{4} ?[A-Z]{2}", "+27": r"[0-9]{4}",
}  # fmt: skip
_TELLING_ZIPS = {r"[0-9]{5}-[0-9]{4}": "+1", _ZIPS["+44"]: "+44", r"[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]": "+1"}


def _names_another(look: Look, default: str) -> tuple[str | None, str] | None:
    """Return the country that most values of a column name, if it is not the default one, and a sentence about it."""
    if names.names_a_currency(look.name):
        return _most(look, lambda written: _of_currency(written, default), default)
    if names.names_a_state(look.name):
        return _most(look, lambda written: _of_state(written, default), default)
    if names.names_a_zip(look.name):
        return _of_zips(look, default)
    return None


def _most(look: Look, of: Callable[[str], str | None], default: str) -> tuple[str | None, str] | None:
    if not len(look.present):
        return None
    counted: Counter[str | None] = Counter()
    example: dict[str | None, str] = {}
    for entry in look.present.value_counts().to_pylist():
        code = of(entry["values"])
        counted[code] += entry["counts"]
        example.setdefault(code, entry["values"])
    elsewhere = {code: count for code, count in counted.items() if code not in (None, default)}
    if sum(elsewhere.values()) < len(look.present) * _MOSTLY:
        return None
    code = max(elsewhere, key=lambda code: elsewhere[code])
    count = sum(elsewhere.values())
    sentence = f"{look.name} names another country in {count:,} of {look.rows:,} rows, such as {example[code]!r}"
    return (None if code == "elsewhere" else code), sentence


def _of_currency(written: str, default: str) -> str | None:
    code = written.strip().upper()
    if code not in _CURRENCIES:
        return None
    return _CURRENCIES[code] or (default if default in _EURO_CODES.split() else "elsewhere")


def _of_state(written: str, default: str) -> str | None:
    """Return the code of a state's country: the default one if it has a state of this name."""
    short, long = written.strip().upper(), written.strip().lower()
    for country in (default, *_STATES, *_STATE_NAMES):
        if short in _STATES.get(country, "").split() or long in _STATE_NAMES.get(country, "").split("|"):
            return country
    return None


def _of_zips(look: Look, default: str) -> tuple[str | None, str] | None:
    domestic = _ZIPS.get(default)
    if domestic is None or not len(look.present):
        return None
    upper = pc.utf8_upper(look.texts)
    strange = pc.and_(upper.is_valid(), pc.invert(pc.match_substring_regex(upper, f"^(?:{domestic})$")))
    elsewhere = pc.and_(strange, pc.match_substring_regex(upper, f"^(?:{'|'.join(_ZIPS.values())})$"))
    count = pc.sum(elsewhere).as_py() or 0
    if count < look.filled * _MOSTLY:
        return None
    row = int(pc.index(elsewhere, pa.scalar(value=True)).as_py())
    value = look.texts[row].as_py()
    code = next((country for form, country in _TELLING_ZIPS.items() if re.fullmatch(form, value.upper())), None)
    return code, f"{look.name} has {value!r}, which is not a postcode of {default}, in {look.at(row)}"
