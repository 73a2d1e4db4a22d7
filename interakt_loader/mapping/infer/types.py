"""What a column holds, decided by all values of the sample: one value that does not fit makes the column text.

A type that only most values fit is offered, never chosen: the rows of the other values would be refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.columns import DatesSeen, Target, coerce
from interakt_loader.columns.date_forms import EPOCHS, has_clock, like_dates
from interakt_loader.columns.normalize import null_where
from interakt_loader.columns.numbers import like_numbers
from interakt_loader.errors import option
from interakt_loader.mapping.infer.names import names_a_code, names_a_list, names_a_time
from interakt_loader.mapping.infer.sample import Guess, Instead, Look
from interakt_loader.mapping.prepare import NULL_WORDS
from interakt_loader.privacy.text import utf8_of

_TRUE = ("yes", "true", "on", "y", "t", "1")
_FALSE = ("no", "false", "off", "n", "f", "0")
_DIGITS_AT_MOST = 11
"""Whole numbers of more digits are ids in practice: Aadhaar, order or account numbers."""
_EIGHT_DIGITS = 10_000_000
_LONG = f"whole numbers of more than {_DIGITS_AT_MOST} digits are ids"

_SIMPLE_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_PERHAPS_A_NUMBER = r"[^0-9]{0,6}[0-9][^\pL]*.{0,6}"
_NO_NUMBERS = (
    ("0[0-9]+(?:[.][0-9]+)?", "zeros before the number"),
    (f"'?[+]?[0-9]{{{_DIGITS_AT_MOST + 1},}}(?:[.]0+)?", _LONG),
    ("[+][0-9]{7,}", "a plus before the digits, as before a phone"),
    (r"[0-9.,]+[eE][+]?[0-9]{2,}", "numbers that lost digits in a spreadsheet"),
)
"""Text that looks like a number and would lose something as one, and why."""
_MOST_WORDS = 20
"""Different words that a column of booleans has at most."""
_FIRST = 100
"""Values that are checked before all others, because they mostly decide."""
_BEYOND_ASCII = 0x80
_NULL_WORDS = pa.array(NULL_WORDS)
_SEVERAL, _SHORT = 3, 30
"""Different values that a reason lists at most, and their length."""


def guess(look: Look) -> Guess:
    """Return the options for a column as a trait; the rows that the loader refuses with them are named."""
    found = _guess(look)
    if found.left_out:
        return found
    refused = look.refused_as(Target(**found.options))
    if refused and look.sort == "other":
        return Guess({"type": "list"}, f"it cannot be sent: {next(iter(refused.values()))}", left_out=True)
    if refused and found.options != {"type": "string"}:
        found = Guess({"type": "string"}, f"values of several kinds ({look.type}): kept as text")
        refused = look.refused_as(Target(**found.options))
    if not refused:
        return found
    row = next(iter(refused))
    reason = f"{len(refused):,} of {look.rows:,} rows hold what cannot be sent, such as {refused[row]} ({look.at(row)})"
    if len(refused) > look.rows * (1 - _MOSTLY):
        return Guess({"type": "string"}, reason, left_out=True)
    return Guess(found.options, f"{found.reason}; {reason}: those rows are refused", found.instead)


_ADDRESS = r"[^@\s()<>,;]+@[^@\s()<>,;]+\.[^@\s()<>,;]+"


def share_of_addresses(look: Look) -> float:
    """Return the share of the values that are e-mail addresses and nothing else."""
    return look.matching(_ADDRESS) / look.filled if look.filled else 0.0


def _guess(look: Look) -> Guess:
    if look.filled == 0:
        why = f"empty in all {look.rows:,} rows" if look.refused is None else f"it cannot be sent: {look.refused}"
        return Guess({"type": "string"}, why, left_out=True)
    if look.mixed:
        return Guess({"type": "auto"}, "values of several types, each sent as its own")
    if look.kind == "text":
        return _text(look)
    if look.kind in ("int", "float", "decimal"):
        return _numbers(look)
    if look.kind in ("timestamp", "date"):
        return clock_guess(look)
    return Guess({"type": {"bool": "boolean", "list": "list"}.get(look.kind, "string")}, look.type)


def _text(look: Look) -> Guess:
    deciders: tuple[Callable[[Look], Guess | None], ...] = (
        _json, _booleans, time_guess, epoch_guess, list_guess, _codes, _numbers_in_text,
    )  # fmt: skip
    for decide in deciders:
        found = decide(look)
        if found is not None:
            return _or_constant(look, found)
    return _or_constant(look, Guess({"type": "string"}, _described(look)))


def _numbers(look: Look) -> Guess:
    # no number of fewer than eight digits is a date
    found = time_guess(look) if pc.max(look.values).as_py() >= _EIGHT_DIGITS else None
    found = found or epoch_guess(look)
    if found is not None:
        return found
    if not _has_fractions(look) and (names_a_code(look.name) or _is_long(look)):
        reason = "the name is that of a code" if names_a_code(look.name) else _LONG
        reason = f"{look.type}, and {reason}: kept as text"
        if look.kind == "float":
            reason += f", {look.shown(_first(look))} and the like without the .0"
        return Guess({"type": "string"}, reason)
    if look.has_few(2) and set(look.values.drop_null().unique().to_pylist()) <= {0, 1}:
        return Guess({"type": "number"}, f"0 and 1 in {look.counted()}", _as_boolean())
    return _or_constant(look, Guess({"type": "number"}, look.type + _no_time(look), _as_date(look)))


def _as_date(look: Look) -> tuple[Instead, ...]:
    """Offer a date for numbers of eight digits if all are days of the calendar."""
    if not look.all_match("[0-9]{8}"):
        return ()
    ways = [{"type": "date", "format": form} for form in DatesSeen.of(look.texts).decision.could_be]
    return tuple(Instead(way, "if these are dates") for way in ways if not look.refused_as(Target(**way)))


def _as_boolean() -> tuple[Instead, ...]:
    return (Instead({"type": "boolean"}, "if 0 and 1 are no and yes"),)


def _booleans(look: Look) -> Guess | None:
    """Return a boolean if the loader reads every word as one, and the words are more than numbers or single letters."""
    if len(pc.utf8_lower(look.present[:_FIRST]).unique()) > _MOST_WORDS:
        return None
    found = pc.utf8_lower(look.present).value_counts()
    if len(found) > _MOST_WORDS:
        return None
    counts: dict[str, int] = {entry["values"]: entry["counts"] for entry in found.to_pylist()}
    there = [word for word in (*_TRUE, *_FALSE) if word in counts and word not in ("0", "1")]
    long = [word for word in there if len(word) > 1]
    pair = any(word in _TRUE for word in there) and any(word in _FALSE for word in there)
    # one letter alone may mean anything
    if not long and not pair:
        return None
    others = [word for word in counts if word not in _TRUE and word not in _FALSE]
    there += [word for word in ("1", "0") if word in counts]
    fitting = sum(counts[word] for word in there)
    if not others:
        return Guess({"type": "boolean"}, f"{'/'.join(there)} in {look.counted()}")
    if pair and (fitting * 2 >= look.filled or len(others) == 1):
        row = _row_of_word(look, others[0])
        reason = f"{'/'.join(there)} in {fitting:,} of {look.rows:,}, but {look.example(row)}: kept as text"
        instead = Instead({"type": "boolean"}, "refuses the rows of the other values")
        return Guess({"type": "string"}, reason, (instead,))
    return None


def _row_of_word(look: Look, word: str) -> int:
    return int(pc.index(pc.utf8_lower(look.texts), pa.scalar(word)).as_py())


def _json(look: Look) -> Guess | None:
    if not look.all_match(r"[\[{](?s:.*)[\]}]"):
        return None
    if look.all_match(r"\[(?s:.*)\]") and not coerce(look.values, Target("list")).problems:
        return Guess({"type": "list"}, f"JSON lists in {look.counted()}")
    return Guess({"type": "string"}, f"JSON in {look.counted()}, which is sent as its text")


def _codes(look: Look) -> Guess | None:
    """Keep as text what looks like numbers and would lose something as such."""
    if look.all_match("'[+]?[0-9].*"):
        return Guess({"type": "string"}, f"an apostrophe before each of {look.counted()}: kept as text")
    any_of_them = "|".join(pattern for pattern, _ in _NO_NUMBERS)
    # each of them begins with a character before the colon: the quickest way to see that none matches
    may_match = pc.any(pc.less(look.present, ":")).as_py() and look.any_match(any_of_them)
    for pattern, reason in _NO_NUMBERS if may_match else ():
        if look.any_match(pattern):
            row = _first(look, pattern)
            return Guess({"type": "string"}, f"{reason}, such as {look.example(row)}: kept as text")
    if names_a_code(look.name):
        if look.all_match(rf"\+?{_SIMPLE_NUMBER}"):
            return Guess({"type": "string"}, "digits, and the name is that of a code: kept as text")
        return Guess({"type": "string"}, _described(look))
    return None


def _numbers_in_text(look: Look) -> Guess | None:
    # words need no closer check
    is_simple, enough = look.all_match(_SIMPLE_NUMBER), look.filled * _MOSTLY
    if not is_simple and (look.too_few(like_numbers, _MOSTLY) or look.matching(_PERHAPS_A_NUMBER) < enough):
        return None
    point, comma = {"type": "number"}, {"type": "number", "decimal": ","}
    with_point = coerce(look.texts, Target(**point))
    if is_simple and not _with(look, ".") and not with_point.problems:
        # whole numbers are the same with a comma
        with_comma: pa.StringArray | None = with_point.json
    else:
        with_comma = _if_all_fit(look, Target(**comma))
    if not with_point.problems:
        if _are_bits(with_point.json[:_FIRST]) and _are_bits(with_point.json):
            return Guess(point, f"0 and 1 in {look.counted()}", _as_boolean())
        if with_comma is None or with_comma.equals(with_point.json):
            return Guess(point, _as_written(look), _as_date(look))
        row = _first(look, r".*[.,].*")
        undecided = f"{look.example(row)}, as all others, may have a decimal point or a decimal comma"
        ways = Instead(point, "if it is a point"), Instead(comma, "if it is a comma")
        return Guess({"type": "string"}, f"{undecided}: kept as text", ways, undecided=undecided)
    if with_comma is not None:
        row = min(with_point.problems)
        return Guess(comma, f"numbers with a decimal comma, such as {look.example(row)}")
    return _mostly(look, list(with_point.problems), "number")


def _are_bits(numbers: pa.StringArray) -> bool:
    return set(numbers.drop_null().unique().to_pylist()) <= {"0", "1"}


def _if_all_fit(look: Look, target: Target) -> pa.StringArray | None:
    """Return a column as JSON if all values fit."""
    # each that does not fit costs a message
    if coerce(look.texts[:10], target).problems:
        return None
    found = coerce(look.texts, target)
    return None if found.problems else found.json


def _as_written(look: Look) -> str:
    """Return that a column holds numbers, and an example if some have groups, a currency or the like."""
    reason = f"numbers in {look.counted()}"
    if look.all_match(_SIMPLE_NUMBER):
        return reason + _no_time(look)
    others = pc.invert(pc.match_substring_regex(look.texts, f"^(?:{_SIMPLE_NUMBER})$"))
    row = int(pc.index(others, pa.scalar(value=True)).as_py())
    return f"{reason}, some written like {look.example(row)}"


def _mostly(look: Look, rows: Sequence[int], name: str) -> Guess | None:
    """Name the value that keeps a column from being what most of it is."""
    if len(rows) > look.filled * (1 - _MOSTLY):
        return None
    odd = f"{len(rows):,} of {look.rows:,}, such as {look.example(rows[0])}"
    instead = Instead({"type": name}, "refuses the rows of the others")
    return Guess({"type": "string"}, f"{name}s except {odd}: kept as text", (instead,))


def _or_constant(look: Look, found: Guess) -> Guess:
    if not look.has_few(1) or look.filled < 2 or found.left_out:
        return found
    constant = f"{look.shown(_first(look))} in every row with a value: delete the line if it is of no use"
    return Guess(found.options, f"{found.reason}; {constant}", found.instead, found.undecided)


def _described(look: Look) -> str:
    reason = f"text, {look.distinct:,} different in {look.counted()}"
    if look.distinct <= _SEVERAL:
        values = sorted(look.texts.drop_null().unique().to_pylist())
        if max(map(len, values)) <= _SHORT:
            reason = f"text: {', '.join(map(repr, values))} in {look.counted()}"
    return reason + _no_time(look) + _null_words(look)


def _no_time(look: Look) -> str:
    """Return a note if the name is that of a time and the values are not times."""
    if not names_a_time(look.name):
        return ""
    as_time = Target("datetime")
    refused = coerce(look.texts[:_FIRST], as_time).problems or coerce(look.texts, as_time).problems
    if not refused:
        return ""
    row = min(refused)
    return f"; the name is that of a time, but {look.example(row)} cannot be read as one"


def _null_words(look: Look) -> str:
    """Return a note if there is a null word, since it will be sent."""
    # nearly all text is ASCII, which is ten times as quick
    lower = pc.ascii_lower if utf8_of(look.present).max(initial=0) < _BEYOND_ASCII else pc.utf8_lower
    found = pc.is_in(lower(look.present), _NULL_WORDS)
    count = pc.sum(found).as_py() or 0
    if not count:
        return ""
    word = look.present.filter(found)[0].as_py()
    return f"; {word!r} in {count:,} of them is sent as that word (if it means nothing: {option('null_values', word)})"


def _is_long(look: Look) -> bool:
    """Tell whether some of the whole numbers have more digits than amounts have."""
    most = pc.max(pc.abs(look.values.cast(pa.float64(), safe=False))).as_py()
    return most is not None and bool(most >= 10**_DIGITS_AT_MOST)


def _has_fractions(look: Look) -> bool:
    if look.kind == "int":
        return False
    values = look.values.cast(pa.float64(), safe=False)
    return bool(pc.any(pc.not_equal(pc.floor(values), values)).as_py())


def _first(look: Look, pattern: str = "(?s:.*)") -> int:
    matches = pc.match_substring_regex(look.texts, f"^(?:{pattern})$")
    return int(pc.index(matches, pa.scalar(value=True)).as_py())


# ------------------------------------------------------------------ dates and times

_EPOCH_FROM, _EPOCH_TO = 946_684_800, 4_102_444_800
"""Seconds since 1970, for the years 2000 to 2099."""
_MOSTLY = 0.9
_MIDNIGHT = r"(?s:.*)[ T,]00:00(?::00(?:\.0+)?)?(?s:.*)"
_ZONED = r"(?s:.*):(?s:.*)(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)"


def clock_guess(look: Look) -> Guess:
    """Return a date or a datetime for a column of timestamps or dates."""
    if look.kind == "date":
        return Guess({"type": "date"}, look.type)
    if _all_midnight(look):
        return Guess({"type": "date"}, f"{look.type}, at 00:00:00 in {look.counted()}")
    zone = "" if look.values.type.tz is not None else "; no time zone, so it is read as UTC unless timezone is given"
    return Guess({"type": "datetime"}, look.type + zone)


def time_guess(look: Look, mostly: float = _MOSTLY) -> Guess | None:
    """Return what to make of text, or of eight digits, that are dates or times; None if they are not.

    `mostly` is the share of the values that must be dates; one that is not is named.
    """
    if look.too_few(like_dates, mostly):
        return None
    # eight digits may be anything
    if not names_a_time(look.name) and look.any_match("[0-9]+"):
        return None
    unlike = pc.invert(like_dates(look.texts))
    values = null_where(look.texts, unlike)
    if len(values) - values.null_count < max(look.filled * mostly, 1):
        return None
    found = _of_one_form(look, values)
    target = Target(**found.options)
    refused = (look.refused_as(target) if look.all_text else coerce(values, target).problems) if found.is_time else ()
    misfits = sorted({*pc.indices_nonzero(unlike).to_pylist(), *refused})
    if not misfits:
        return found
    if len(misfits) > look.filled * (1 - mostly):
        return None
    odd = f"{len(misfits):,} of {look.rows:,}, such as {look.example(misfits[0])}"
    reason = f"dates except {odd}"
    ways = (Instead(found.options, ""),) if found.is_time else found.instead
    refuses = "refuses the row of the other" if len(misfits) == 1 else "refuses the rows of the others"
    return Guess(
        {"type": "string"},
        f"{reason}: kept as text",
        tuple(Instead(way.options, ", and it ".join(filter(None, [way.reason, refuses]))) for way in ways),
        undecided=reason,
    )


def _of_one_form(look: Look, values: pa.StringArray) -> Guess:
    """Return the guess from the values that look like times; values in no one form count as ISO 8601."""
    decision = DatesSeen.of(values).decision
    if decision.format is None and not decision.could_be:
        return _iso(look)
    if decision.format is not None:
        name = _type(look, decision.format)
        row = look.row_of(str(decision.evidence))
        filled = len(values) - values.null_count
        reason = f"{decision.reason}, in {look.at(row)}; so {_order(decision.format)} in {filled:,} of {look.rows:,}"
        return Guess({"type": name, "format": decision.format}, reason + _zone(name, look))
    ways = tuple(
        Instead({"type": _type(look, form), "format": form}, f"if it is {_order(form)}") for form in decision.could_be
    )
    row = look.row_of(str(decision.evidence))
    orders = " or ".join(map(_order, decision.could_be))
    undecided = f"{decision.evidence!r} in {look.at(row)}, as all others, may be {orders}"
    return Guess({"type": "string"}, f"{undecided}: kept as text", ways, undecided=undecided)


def epoch_guess(look: Look) -> Guess | None:
    """Return a datetime for counts since 1970, in a column whose name is that of a time; else None."""
    if not names_a_time(look.name):
        return None
    if look.kind == "text" and not look.all_match("'?[0-9]+(?:[.][0-9]+)?"):
        return None
    counts = pc.utf8_ltrim(look.texts, "'").cast(pa.float64())
    least, most = pc.min_max(counts).as_py().values()
    for form, (unit, a_second) in EPOCHS.items():
        if _EPOCH_FROM * a_second <= least and most < _EPOCH_TO * a_second:
            first, last = (
                dt.datetime.fromtimestamp(count / a_second, dt.timezone.utc).date() for count in (least, most)
            )
            reason = f"{unit} since 1970, going by the name and the numbers: {first} to {last}"
            return Guess({"type": "datetime", "format": form}, reason)
    return None


def _iso(look: Look) -> Guess:
    row = int(pc.index(look.values.is_valid(), pa.scalar(value=True)).as_py())
    if not look.any_match(".*:.*"):
        return Guess({"type": "date"}, f"dates in ISO 8601, such as {look.texts[row].as_py()}")
    if _all_midnight(look):
        return Guess({"type": "date"}, f"dates in ISO 8601, such as {look.texts[row].as_py()}, all at 00:00:00")
    return Guess({"type": "datetime"}, f"times in ISO 8601, such as {look.texts[row].as_py()}{_zone('datetime', look)}")


def _type(look: Look, form: str) -> str:
    return "datetime" if has_clock(form) and not _all_midnight(look) else "date"


def _order(form: str) -> str:
    """Return which part of a date comes first, in words."""
    first = form.lstrip("%aA, ")
    return {"d": "day first", "Y": "year first", "y": "year first"}.get(first[:1], "month first")


def _zone(name: str, look: Look) -> str:
    if name == "date" or look.any_match(_ZONED):
        return ""
    return "; no time zone, so it is read as UTC unless timezone is given"


def _all_midnight(look: Look) -> bool:
    if look.kind == "timestamp":
        times = look.values.cast(pa.timestamp("us", look.values.type.tz))
        return _at_midnight(times[:_FIRST]) and _at_midnight(times)
    return look.all_match(_MIDNIGHT)


def _at_midnight(times: pa.TimestampArray) -> bool:
    return bool(pc.all(pc.equal(pc.strftime(times, format="%H:%M:%S"), "00:00:00.000000")).as_py())


# ------------------------------------------------------------------ lists in text

_SEPARATORS = (";", "|")
_OFTEN = 0.1
"""From this share of cells with a separator on, a column is a list though its name does not say so."""
_LONGEST_ITEM = 40
_NOT_IN_AN_ITEM = r"[^\pL\pN _.&/+:'-]"


def separator_of(look: Look) -> str | None:
    """Return the separator of a column that is known to hold lists; None for the comma, or where there is none."""
    return next((separator for separator in _SEPARATORS if _with(look, separator)), None)


def list_guess(look: Look) -> Guess | None:
    """Return a list if the cells hold several short items; else None."""
    wanted = names_a_list(look.name)
    for separator in (*_SEPARATORS, ",") if wanted else _SEPARATORS:
        cells = _with(look, separator)
        if not cells or not _short_items(look, separator):
            continue
        row = int(pc.index(pc.match_substring(look.texts, separator), True).as_py())
        found = f"{separator!r} in {cells:,} of {look.rows:,}, such as {look.example(row)}"
        options = {"type": "list"} | ({"separator": separator} if separator != "," else {})
        if wanted or cells >= look.filled * _OFTEN:
            return Guess(options, f"items between {found}")
        return Guess({"type": "string"}, f"text with {found}", (Instead(options, "if it holds several items"),))
    return None


def _with(look: Look, separator: str) -> int:
    # most columns have none, and this is the quickest way to see it
    if separator.encode() not in utf8_of(look.texts).tobytes():
        return 0
    return pc.sum(pc.match_substring(look.texts, separator)).as_py() or 0


def _short_items(look: Look, separator: str) -> bool:
    items = pc.split_pattern(look.present, separator).flatten()
    different = pc.utf8_trim_whitespace(items.unique())
    if len(items) <= look.filled or pc.max(pc.utf8_length(different)).as_py() > _LONGEST_ITEM:
        return False
    return not pc.any(pc.match_substring_regex(different, _NOT_IN_AN_ITEM)).as_py()
