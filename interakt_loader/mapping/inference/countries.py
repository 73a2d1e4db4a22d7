"""Whether phones without a country code may be of another country than the default one.

Ten digits are a number in India and in North America, and no check of one number tells which. A column of them does,
and so does a state, a postcode or a currency beside them.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import PhoneMetadata

from interakt_loader.identity import country_code, preferred_phones
from interakt_loader.identity.plans import NUMBER_TYPES
from interakt_loader.mapping.inference import names
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.settings import Settings

_TRIED = 300
"""Different numbers that are tried in all plans; it takes a tenth of a second."""
_MOSTLY = 0.5
_NORTH_AMERICAN = r"(?:1[ -])?\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}"
_LIKELY = (91, 1, 44, 971, 65, 966, 61, 60, 62, 880, 977, 94, 92, 974, 965, 968, 973, 64, 27, 254, 234, 55, 52, 49)
"""The codes that are named first where several fit alike."""


def other_country(look: Look, beside: Mapping[str, Look], settings: Settings) -> str | None:
    """Return why numbers that name no country may not be of the default one, with the flag that says so."""
    known = country_code(settings.default_country)
    texts = look.texts.drop_null().unique()
    bare = texts.filter(pc.invert(pc.match_substring_regex(texts, r"^'?\s*(?:\+|00)"))) if len(texts) else texts
    if known is None or not len(bare):
        return None
    answer = f"or --default-country {known} if they are of {known}"
    american = look.matching(_NORTH_AMERICAN)
    if known != "+1" and american >= look.filled * _MOSTLY:
        said = f"{american:,} of {look.filled:,} values of {look.name} are written as in North America"
        return f"{said}: --default-country +1, {answer}"
    for other in beside.values():
        named = _names_another(other, known)
        if named is not None:
            code, said = named
            flag = f"--default-country {code}" if code is not None else "--default-country with their country"
            return f"the numbers of {look.name} name no country, and {said}: {flag}, {answer}"
    bare = bare[:_TRIED]
    here = len(bare) - preferred_phones([bare], None, known, settings.phones).numbers.null_count
    others = fitting(bare.to_pylist(), known)
    most = max(others.values(), default=0)
    if most > here and most > len(bare) * _MOSTLY:
        codes = [code for code, count in others.items() if count == most][:3]
        flags = ", ".join(f"--default-country {one}" for one in codes)
        return (
            f"{most:,} of the {len(bare):,} numbers of {look.name} that name no country are numbers of "
            f"{' and of '.join(codes)}, and {here:,} of {known}: {flags}, {answer}"
        )
    return None


def fitting(numbers: Sequence[str], default: str) -> dict[str, int]:
    """Return by code how many of the numbers the plans of other countries take, the likelier countries first.

    Only mobile numbers count: many plans take digits of almost any length for a fixed line. In North America every
    number has ten digits, and a mobile one looks like any other.
    """
    digits = [re.sub(r"\D", "", one) for one in numbers]
    counted = {}
    for code in dict.fromkeys((*_LIKELY, *phonenumbers.COUNTRY_CODE_TO_REGION_CODE)):
        if f"+{code}" != default:
            regions = [one for one in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code] if one != "001"]
            takes = [_takes(*_plan(region, code != 1)) for region in regions]
            counted[f"+{code}"] = sum(any(take(one) for take in takes) for one in digits)
    return counted


def _takes(plan: re.Pattern[str] | None, prefixes: Sequence[str]) -> Callable[[str], bool]:
    def takes(digits: str) -> bool:
        return plan is not None and any(
            digits.startswith(one) and plan.fullmatch(digits[len(one) :]) is not None for one in prefixes
        )

    return takes


@functools.lru_cache(maxsize=1024)
def _plan(region: str, mobile: bool) -> tuple[re.Pattern[str] | None, tuple[str, ...]]:
    """Return the pattern of a region's national numbers, and what may stand before them."""
    found = PhoneMetadata.metadata_for_region(region)
    kinds = ["mobile"] if mobile else NUMBER_TYPES
    patterns = [getattr(found, one).national_number_pattern for one in kinds if getattr(found, one, None) is not None]
    patterns = [one for one in patterns if one]
    if found is None or found.general_desc is None or not patterns:
        return None, ()
    general = found.general_desc.national_number_pattern
    prefix = (found.national_prefix,) if found.national_prefix else ()
    return re.compile(f"(?=(?:{general})\\Z)(?:{'|'.join(patterns)})"), ("", *prefix, str(found.country_code))


# ---------------------------------------------------------------------------- what stands beside the numbers

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
    """Return the country that most values of a column name, if it is not the default one, and the sentence about it."""
    values = look.texts.drop_null()
    if not len(values):
        return None
    if names.names_a_currency(look.name):
        return _most(look, values, lambda one: _of_currency(one, default), default)
    if names.names_a_state(look.name):
        return _most(look, values, lambda one: _of_state(one, default), default)
    if names.names_a_zip(look.name):
        return _of_zips(look, default)
    return None


def _most(look: Look, values: pa.Array, of: Callable[[str], str | None], default: str) -> tuple[str | None, str] | None:
    counted: Counter[str | None] = Counter()
    example: dict[str | None, str] = {}
    for one in values.value_counts().to_pylist():
        code = of(one["values"])
        counted[code] += one["counts"]
        example.setdefault(code, one["values"])
    elsewhere = {code: count for code, count in counted.items() if code not in (None, default)}
    if sum(elsewhere.values()) < len(values) * _MOSTLY:
        return None
    code = max(elsewhere, key=lambda one: elsewhere[one])
    count = sum(elsewhere.values())
    said = f"{look.name} names another country in {count:,} of {look.rows:,} rows, such as {example[code]!r}"
    return (None if code == "elsewhere" else code), said


def _of_currency(written: str, default: str) -> str | None:
    code = written.strip().upper()
    if code not in _CURRENCIES:
        return None
    return _CURRENCIES[code] or (default if default in _EURO_CODES.split() else "elsewhere")


def _of_state(written: str, default: str) -> str | None:
    """Return the code of the country that a state is in: the default where that has one of this name."""
    short, long = written.strip().upper(), written.strip().lower()
    for country in (default, *_STATES, *_STATE_NAMES):
        if short in _STATES.get(country, "").split() or long in _STATE_NAMES.get(country, "").split("|"):
            return country
    return None


def _of_zips(look: Look, default: str) -> tuple[str | None, str] | None:
    own = _ZIPS.get(default)
    if own is None:
        return None
    upper = pc.utf8_upper(look.texts)
    strange = pc.and_(upper.is_valid(), pc.invert(pc.match_substring_regex(upper, f"^(?:{own})$")))
    elsewhere = pc.and_(strange, pc.match_substring_regex(upper, f"^(?:{'|'.join(_ZIPS.values())})$"))
    count = pc.sum(elsewhere).as_py() or 0
    if count < look.filled * _MOSTLY:
        return None
    row = int(pc.index(elsewhere, pa.scalar(True)).as_py())
    value = look.texts[row].as_py()
    code = next((one for form, one in _TELLING_ZIPS.items() if re.fullmatch(form, value.upper())), None)
    return code, f"{look.name} has {value!r}, which is no postcode of {default}, in row {row}"
