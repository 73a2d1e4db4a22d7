"""Text that holds several things between separators."""

from __future__ import annotations

import pyarrow.compute as pc

from interakt_loader.mapping.inference.guess import Guess, Instead
from interakt_loader.mapping.inference.names import names_a_list
from interakt_loader.mapping.inference.sample import Look

_SEPARATORS = (";", "|")
_LONGEST = 40
_OFTEN = 0.1
"""The share of cells with a separator from which on a column whose name says nothing of the sort is a list."""
_ITEM = r"[\pL\pN _.&/+:'-]{1,40}"


def separator_of(look: Look) -> str | None:
    """Return the separator of a column that is known to hold lists; None for the comma, or where there is none."""
    return next((one for one in _SEPARATORS if _with(look, one)), None)


def list_guess(look: Look) -> Guess | None:
    """Return what to make of a column whose cells hold several short items; None for other columns."""
    wanted = names_a_list(look.name)
    for separator in (*_SEPARATORS, ",") if wanted else _SEPARATORS:
        cells = _with(look, separator)
        if not cells or not _short_items(look, separator):
            continue
        row = int(pc.index(pc.match_substring(look.texts, separator), True).as_py())
        said = f"{separator!r} in {cells:,} of {look.rows:,}, such as {look.shown(row)} in row {row}"
        options = {"type": "list"} | ({"separator": separator} if separator != "," else {})
        if wanted or cells >= look.filled * _OFTEN:
            return Guess(options, f"items between {said}")
        return Guess({"type": "string"}, f"text with {said}", (Instead(options, "if it holds several things"),))
    return None


def _with(look: Look, separator: str) -> int:
    return pc.sum(pc.match_substring(look.texts, separator)).as_py() or 0


def _short_items(look: Look, separator: str) -> bool:
    items = pc.utf8_trim_whitespace(pc.split_pattern(look.texts.drop_null(), separator).flatten())
    fitting = pc.match_substring_regex(items, f"^(?:{_ITEM})?$")
    return bool(pc.all(fitting).as_py()) and len(items) > look.filled
