"""What a column holds, decided by all values of the sample: one that does not fit makes it text, and is named.

A type that most values fit would refuse the rows of the others, so it is only offered, never chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce import Target, coerce
from interakt_loader.mapping.inference.guess import Guess, Instead
from interakt_loader.mapping.inference.lists import list_guess
from interakt_loader.mapping.inference.names import names_a_code, names_a_phone, names_a_time
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.mapping.inference.times import clock_guess, epoch_guess, time_guess
from interakt_loader.mapping.null_words import WORDS

_MOSTLY = 0.9
"""From this share on, the type that the other values do not fit is worth a word."""

_WORDS = (("yes", "no"), ("true", "false"), ("on", "off"), ("y", "n"), ("t", "f"))
_DIGITS_AT_MOST = 15
"""More than these a number need not hold exactly."""

_PLAIN_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_PERHAPS_A_NUMBER = r"[^0-9]{0,6}[0-9][^\pL]*.{0,6}"
_SOME = 100
_SEVERAL, _SHORT = 3, 30
"""Different values that a reason still lists, and their length."""


def guess(look: Look) -> Guess:
    """Return what to make of a column as a trait."""
    if look.filled == 0:
        why = look.refused or f"empty in all {look.rows:,} rows"
        return Guess({"type": "string"}, why, left_out=True)
    if look.kind == "text":
        return _text(look)
    if look.kind in ("int", "float", "decimal"):
        return _numbers(look)
    if look.kind in ("timestamp", "date"):
        return clock_guess(look)
    names = {"bool": "boolean", "list": "list", "time": "string"}
    return Guess({"type": names[look.kind]}, look.type)


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
    for decide in (time_guess, epoch_guess):
        found = decide(look)
        if found is not None:
            return found
    if names_a_code(look.name) and not _has_fractions(look):
        why = f"{look.type}, and the name says that it counts nothing: kept as text"
        if look.kind == "float":
            why += f", {look.shown(_first(look))} and the like without the .0"
        return Guess({"type": "string"}, why)
    if look.distinct <= 2 and set(look.values.drop_null().unique().to_pylist()) <= {0, 1}:
        return Guess({"type": "number"}, f"0 and 1 in {look.counted()}", _as_boolean())
    return _or_constant(look, Guess({"type": "number"}, look.type + _no_time(look)))


def _as_boolean() -> tuple[Instead, ...]:
    return (Instead({"type": "boolean"}, "if 0 and 1 are no and yes"),)


def _booleans(look: Look) -> Guess | None:
    found = pc.utf8_lower(look.texts).drop_null().value_counts()
    counts: dict[str, int] = {one["values"]: one["counts"] for one in found.to_pylist()} if len(found) <= 12 else {}
    for pair in _WORDS:
        there = [word for word in pair if word in counts]
        if not there or (len(there) == 1 and len(there[0]) == 1):  # a lone letter may stand for anything
            continue
        others = [word for word in counts if word not in pair]
        fitting = sum(counts[word] for word in there)
        if not others:
            return Guess({"type": "boolean"}, f"{'/'.join(there)} in {look.counted()}")
        if len(there) == 2 and (fitting * 2 >= look.filled or len(others) == 1):
            row = _row_of_word(look, others[0])
            why = f"{'/'.join(there)} in {fitting:,} of {look.rows:,}, but {look.shown(row)} in row {row}: kept as text"
            return Guess(
                {"type": "string"}, why, (Instead({"type": "boolean"}, "refuses the rows of the other values"),)
            )
    return None


def _row_of_word(look: Look, word: str) -> int:
    return int(pc.index(pc.utf8_lower(look.texts), pa.scalar(word)).as_py())


def _json(look: Look) -> Guess | None:
    lists = look.matching(r"\[(?s:.*)\]")
    if lists == look.filled and not coerce(look.values, Target("list")).problems:
        return Guess({"type": "list"}, f"JSON lists in {look.counted()}")
    if look.matching(r"[\[{](?s:.*)[\]}]") == look.filled:
        return Guess({"type": "string"}, f"JSON in {look.counted()}, which is sent as its text")
    return None


def _codes(look: Look) -> Guess | None:
    """Keep as text what looks like numbers and would lose something as such."""
    quoted = look.matching("'[+]?[0-9].*")
    if quoted == look.filled:
        return Guess({"type": "string"}, f"an apostrophe before each of {look.counted()}: kept as text")
    zeros = look.matching("0[0-9]+")
    digits = look.matching("[0-9]+")
    if zeros and digits * 2 >= look.filled:
        row = _first(look, "0[0-9]+")
        return Guess(
            {"type": "string"}, f"zeros before the number, such as {look.shown(row)} in row {row}: kept as text"
        )
    long = look.matching(f"[0-9]{{{_DIGITS_AT_MOST + 1},}}")
    if long and digits == look.filled:
        row = _first(look, f"[0-9]{{{_DIGITS_AT_MOST + 1},}}")
        length = len(look.texts[row].as_py())
        return Guess({"type": "string"}, f"up to {length} digits and more than a number holds: kept as text")
    if names_a_code(look.name) or names_a_phone(look.name):
        if look.matching(rf"\+?{_PLAIN_NUMBER}") == look.filled:
            return Guess({"type": "string"}, "digits, and the name says that they count nothing: kept as text")
        return Guess({"type": "string"}, _described(look))
    return None


def _numbers_in_text(look: Look) -> Guess | None:
    if look.matching(_PERHAPS_A_NUMBER) < look.filled * _MOSTLY:
        return None  # spares words the long look below
    point, comma = {"type": "number"}, {"type": "number", "decimal": ","}
    with_point = coerce(look.texts, Target(**point))
    with_comma = _if_all_fit(look, Target(**comma))
    if not with_point.problems:
        if set(with_point.json.drop_null().unique().to_pylist()) <= {"0", "1"}:
            return Guess(point, f"0 and 1 in {look.counted()}", _as_boolean())
        if with_comma is None or with_comma.equals(with_point.json):
            return Guess(point, _as_written(look))
        row = _first(look, r".*[.,].*")
        said = f"{look.shown(row)} in row {row}, as all others, may have a decimal point or a decimal comma"
        ways = Instead(point, "if it is a point"), Instead(comma, "if it is a comma")
        return Guess({"type": "string"}, f"{said}: kept as text", ways, undecided=said)
    if with_comma is not None:
        row = min(with_point.problems)
        return Guess(comma, f"numbers with a decimal comma, such as {look.shown(row)} in row {row}")
    return _mostly(look, list(with_point.problems), "number")


def _if_all_fit(look: Look, target: Target) -> pa.StringArray | None:
    """Return a column as JSON if all of it fits; the first values mostly tell, and spare the others the look."""
    if coerce(look.texts[:_SOME], target).problems:
        return None
    found = coerce(look.texts, target)
    return None if found.problems else found.json


def _as_written(look: Look) -> str:
    """Say that a column holds numbers, and how they are written where that is not plainly."""
    plain = look.matching(_PLAIN_NUMBER)
    said = f"numbers in {look.counted()}"
    if plain == look.filled:
        return said + _no_time(look)
    odd = pc.fill_null(pc.invert(pc.match_substring_regex(look.texts, f"^(?:{_PLAIN_NUMBER})$")), False)
    row = int(pc.index(odd, pa.scalar(True)).as_py())
    return f"{said}, some written like {look.shown(row)} in row {row}"


def _mostly(look: Look, rows: Sequence[int], name: str) -> Guess | None:
    """Name the value that keeps a column from being what most of it is."""
    if len(rows) > look.filled * (1 - _MOSTLY):
        return None
    why = (
        f"{name}s but for {len(rows):,} of {look.rows:,}, such as {look.shown(rows[0])} in row {rows[0]}: kept as text"
    )
    return Guess({"type": "string"}, why, (Instead({"type": name}, "refuses the rows of the others"),))


def _or_constant(look: Look, found: Guess) -> Guess:
    if look.distinct != 1 or look.filled < 2 or found.left_out:
        return found
    said = f"{look.shown(_first(look))} wherever there is a value: delete the line if it tells nothing"
    return Guess(found.options, f"{found.reason}; {said}", found.instead, found.undecided)


def _described(look: Look) -> str:
    said = f"text, {look.distinct:,} different in {look.counted()}"
    if look.distinct <= _SEVERAL:
        values = sorted(look.texts.drop_null().unique().to_pylist())
        if max(map(len, values)) <= _SHORT:
            said = f"text: {', '.join(map(repr, values))} in {look.counted()}"
    return said + _no_time(look) + _null_words(look)


def _no_time(look: Look) -> str:
    """Say so where the name promises a time and the values are none."""
    if not names_a_time(look.name):
        return ""
    row = _first(look)
    return f"; the name is that of a time, but {look.shown(row)} in row {row} has no form of one that is known here"


def _null_words(look: Look) -> str:
    """Say so where a word stands for nothing, since it will be sent."""
    found = pc.is_in(pc.utf8_lower(look.texts), pa.array(WORDS))
    count = pc.sum(found).as_py() or 0
    if not count:
        return ""
    word = look.texts.filter(found)[0].as_py()
    return f"; {word!r} in {count:,} of them is sent as that word (if it means nothing: --null-values {word})"


def _has_fractions(look: Look) -> bool:
    if look.kind == "int":
        return False
    values = look.values.cast(pa.float64(), safe=False)
    return bool(pc.any(pc.not_equal(pc.floor(values), values)).as_py())


def _first(look: Look, pattern: str = "(?s:.*)") -> int:
    matches = pc.fill_null(pc.match_substring_regex(look.texts, f"^(?:{pattern})$"), False)
    return int(pc.index(matches, pa.scalar(True)).as_py())
