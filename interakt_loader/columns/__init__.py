"""Arrow columns as the JSON text of each value.

`coerce` is the entry point. A missing value becomes null, to be left out. A value that cannot be sent becomes null and
a problem. `normalize` brings a column of any type to one of a few kinds, and `convert` makes JSON of these kinds by
the `target`, with `numbers` and `times`. `date_forms` has every form of a date.
"""

from __future__ import annotations

from interakt_loader.columns.convert import coerce, json_arrays, of_texts, problems_of, texts
from interakt_loader.columns.date_forms import DatesSeen, Decision, date_format_of
from interakt_loader.columns.target import (
    TYPES,
    Coerced,
    Target,
    TypeName,
    json_escaped,
    json_string,
    json_strings,
    no_type,
)

__all__ = [
    "TYPES",
    "Coerced",
    "DatesSeen",
    "Decision",
    "Target",
    "TypeName",
    "coerce",
    "date_format_of",
    "json_arrays",
    "json_escaped",
    "json_string",
    "json_strings",
    "no_type",
    "of_texts",
    "problems_of",
    "texts",
]
