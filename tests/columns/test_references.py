"""Columns at once against a plain reference that reads one value at a time."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.columns import Coerced, Target, coerce
from tests.columns import columns
from tests.columns.test_properties import BAD, MISSING, results
from tests.thorough import examples

_CURRENCY = r"(?:[A-Za-z]{0,2}[$£¥\u20a0-\u20cf]|[Rr][Ss]\.?|[Kk][Rr]\.?|EUR|eur)"


def _number(value: Any, decimal: str = ".") -> Any:
    if value is None:
        return MISSING
    if not isinstance(value, str):
        return MISSING if isinstance(value, float) and not math.isfinite(value) else Decimal(str(value))
    text = value.strip().removeprefix("'").strip().replace("\u2212", "-")
    if not text or re.fullmatch("[+-]?(nan|inf|infinity)", text.lower()):
        return MISSING
    text, signs, currencies = _peeled(text)
    if len(signs) > 1 or currencies > 1:
        return BAD
    text = _ungrouped(text, decimal)
    if not re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) or math.isinf(float(text)):
        return BAD
    return -Decimal(text) if signs in (["-"], ["("]) else Decimal(text)


def _peeled(text: str) -> tuple[str, list[str], int]:
    """Take signs and currencies off, one after the other."""
    signs, currencies = [], 0
    outer = re.match(rf"{_CURRENCY}\s*(?=\()", text)
    if outer:
        text, currencies = text[outer.end() :], 1
    if text.startswith("(") and text.endswith(")"):
        text, signs = text[1:-1], ["("]
    while True:
        currency = re.match(rf"{_CURRENCY}\s*", text)
        if currency:
            text, currencies = text[currency.end() :], currencies + 1
        elif text[:1] in ("+", "-"):
            text, signs = text[1:], [*signs, text[0]]
        else:
            break
    behind = re.search(rf"\s*{_CURRENCY}$", text)
    return (text[: behind.start()], signs, currencies + 1) if behind else (text, signs, currencies)


def _ungrouped(text: str, decimal: str) -> str:
    """Return digits without groups, with a full stop before the fraction, or what is no number."""
    text, e, exponent = text.replace("E", "e").partition("e")
    whole, *fraction = text.split(decimal, 1)
    groups = "," if decimal == "." else ". \u00a0\u202f"
    used = {one for one in whole if one in groups}
    if used:
        western = re.fullmatch(r"[1-9][0-9]{0,2}(.[0-9]{3})+", whole)
        indian = re.fullmatch(r"[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}", whole) and decimal == "."
        if len(used) > 1 or not (western or indian):
            return "?"
        whole = whole.replace(used.pop(), "")
    elif "." in whole:
        return "?"
    return ".".join([whole, *fraction]) + e + exponent


@examples(1000)
@given(st.one_of(columns.texts(), columns.floats(), columns.ints(), columns.decimals()))
def test_numbers_are_those_of_a_plain_reading(values: pa.Array) -> None:
    """A column at once gives what one value at a time gives, to the last digit."""
    assert _exact(coerce(values, Target("number"))) == [_number(one) for one in values.to_pylist()]


@examples(1000)
@given(columns.of_type(pa.string(), columns.MONEY), st.sampled_from([".", ","]))
def test_money_is_that_of_a_plain_reading(values: pa.Array, decimal: str) -> None:
    """Groups, currencies, brackets and signs, with either decimal sign."""
    assert _exact(coerce(values, Target("number", decimal=decimal))) == [
        _number(one, decimal) for one in values.to_pylist()
    ]


def _exact(coerced: Coerced) -> list[Any]:
    """Return `results`, with every digit of the numbers."""
    numbers = [None if one is None else Decimal(one) for one in coerced.json.to_pylist()]
    pairs = zip(results(coerced), numbers, strict=True)
    return [found if number is None else number for found, number in pairs]


def _boolean(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        return MISSING
    if isinstance(value, float) and not math.isfinite(value):
        return MISSING
    if not isinstance(value, str):
        return bool(value) if value in (0, 1) else BAD
    word = value.strip().lower()
    if word in ("yes", "true", "y", "t", "on", "1"):
        return True
    return False if word in ("no", "false", "n", "f", "off", "0") else BAD


@examples(500)
@given(st.one_of(columns.texts(), columns.floats(), columns.ints()))
def test_booleans_are_those_of_a_plain_reading(values: pa.Array) -> None:
    """A column at once gives what one value at a time gives."""
    assert results(coerce(values, Target("boolean"))) == [_boolean(one) for one in values.to_pylist()]


_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?: ?(Z|z|UTC|GMT|([+-])(\d\d):?(\d\d)?))?)?",
    re.ASCII,
)


def _datetime(value: str | None, zone: str) -> Any:
    if value is None or not value.strip():
        return MISSING
    match = _ISO.fullmatch(_bare(value))
    if match is None:
        return BAD
    parts = [int(one or 0) for one in match.groups()[:6]]
    try:
        time = dt.datetime(*parts, int((match[7] or "0")[:6].ljust(6, "0")))  # type: ignore[arg-type, call-arg]
        if match[9]:
            if int(match[10]) > 23 or int(match[11] or 0) > 59:
                return BAD
            offset = dt.timedelta(hours=int(match[10]), minutes=int(match[11] or 0))
            time = time - offset if match[9] == "+" else time + offset
        elif not match[8]:
            time = time.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.timezone.utc).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return BAD
    return time.isoformat(timespec="milliseconds") + "Z"


@examples(1500)
@given(columns.texts(), st.sampled_from(["UTC", "Asia/Kolkata", "+05:30"]))
def test_times_in_text_are_those_of_a_plain_reading(values: pa.Array, zone: str) -> None:
    """A column at once gives what one value at a time gives."""
    by_zoneinfo = "Asia/Kolkata" if zone == "+05:30" else zone
    found = results(coerce(values, Target("datetime", timezone=zone)))
    expected = [_datetime(one, by_zoneinfo) for one in values.to_pylist()]
    # before 1946 India's clocks were not at +05:30
    modern = [place for place, one in enumerate(values.to_pylist()) if zone == "UTC" or _bare(one or "9") > "1946"]
    assert [found[place] for place in modern] == [expected[place] for place in modern]


@examples(500)
@given(columns.texts())
def test_dates_in_text_are_those_of_a_plain_reading(values: pa.Array) -> None:
    """A date is the one that is written, whatever time and zone follow, if they are there in earnest."""
    expected = []
    for one in values.to_pylist():
        full = _datetime(_without_offset(one), "UTC")
        expected.append(full[:10] if isinstance(full, str) else full)
    assert results(coerce(values, Target("date"))) == expected


def _without_offset(text: str | None) -> str | None:
    """Return a time without the offset that could carry it over a day's border, if the offset is a real one."""
    match = None if text is None else _ISO.fullmatch(_bare(text))
    if text is None or match is None or not match[9] or int(match[10]) > 23 or int(match[11] or 0) > 59:
        return text
    return _bare(text)[: match.start(8)].rstrip()


_FORMATS = (
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%d%m%Y %H",
    "%d/%m/%y %H:%M",
    "%d-%m-%Y, %I:%M",
    "%m/%Y",
    "%H:%M %d/%m/%Y",
    "(%d)[%m]\\%Y$",
)


@examples(1500)
@given(st.sampled_from(_FORMATS), st.sampled_from([0, 330]), st.data())
def test_formatted_times_are_those_of_strptime(form: str, minutes: int, data: st.DataObject) -> None:
    """Whether a format is read a column at a time or text by text, it reads what `strptime` reads."""
    values = data.draw(columns.of_type(pa.string(), columns.written_times(form)))
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    name = f"+{minutes // 60:02}:{minutes % 60:02}"
    times = [_strptime(one, form) for one in values.to_pylist()]
    instants = [_in_utc(one, zone) if isinstance(one, dt.datetime) else one for one in times]
    assert results(coerce(values, Target("datetime", form, timezone=name))) == instants
    days = [one.date().isoformat() if isinstance(one, dt.datetime) else one for one in times]
    assert results(coerce(values, Target("date", form))) == days


def _strptime(text: str | None, form: str) -> Any:
    if text is None:
        return MISSING
    try:
        return dt.datetime.strptime(_bare(text), form)
    except ValueError:
        return BAD


def _in_utc(time: dt.datetime, zone: dt.tzinfo) -> Any:
    try:
        utc = time.replace(tzinfo=zone).astimezone(dt.timezone.utc)
    except OverflowError:
        return BAD
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _list(text: str | None, separator: str) -> Any:
    if text is None or not text.strip():
        return MISSING
    if not text.lstrip().startswith("["):
        return [one.strip() for one in text.split(separator) if one.strip()]
    try:
        found = json.loads(text, parse_constant=lambda _: None)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return BAD
    if any(isinstance(one, (list, dict)) or (isinstance(one, float) and math.isinf(one)) for one in found):
        return BAD
    return [one for one in found if one is not None and str(one).strip()]


@examples(500)
@given(columns.texts(), st.sampled_from([",", ";", "|", ", "]))
def test_lists_in_text_are_those_of_a_plain_reading(values: pa.Array, separator: str) -> None:
    """A column at once gives what one value at a time gives."""
    found = results(coerce(values, Target("list", separator=separator)))
    assert found == [_list(one, separator) for one in values.to_pylist()]


def _bare(text: str) -> str:
    return text.strip().removeprefix("'").strip()
