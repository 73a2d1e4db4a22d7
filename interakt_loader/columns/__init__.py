"""Arrow columns → the JSON text of each value, a column at a time.

`coerce` is the one way in. A value that is missing becomes null, to be left out; one that cannot be sent becomes
null and a problem; everything else becomes JSON text of the target's type. Nothing raises for a value.
`date_format_of` tells the format of a whole column's dates beforehand, where it can be told for sure.
"""

from __future__ import annotations

from interakt_loader.columns.convert import coerce, of_texts
from interakt_loader.columns.date_forms import DatesSeen, Decision, date_format_of
from interakt_loader.columns.target import TYPES, Coerced, Target, json_string, json_strings, no_type

__all__ = [
    "TYPES",
    "Coerced",
    "DatesSeen",
    "Decision",
    "Target",
    "coerce",
    "date_format_of",
    "json_string",
    "json_strings",
    "no_type",
    "of_texts",
]
