"""Words that stand for nothing: `NULL`, `nan`, `N/A`, as programs write them into text where a value is missing.

Only the user knows whether such a word is a value: there are people called Null. So those that the option
`null_values` names are read as missing, and all others are sent as they stand, and said.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.plain import Mixed, fields, mixed, without

WORDS = ("null", "nan", "nat", "none", "<na>", "n/a", "#n/a", "undefined", r"\\N", "nil")
"""Those that are told, in small letters and as JSON writes them."""
_SUSPECTS = [f'"{form}"' for word in WORDS for form in {word, word.upper(), word.capitalize()}]
_SUSPECTS += ['"NaN"', '"NaT"']


def without_null_words(values: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """Return the values with null for each text that is exactly one of `words`."""
    if not words:
        return values
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if isinstance(values.type, Mixed):
        return mixed(
            {kind: without_null_words(array, words if kind == "text" else ()) for kind, array in fields(values).items()}
        )
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values
    return without(values, pc.is_in(values, pa.array(words, values.type)))


def null_words_in(texts: pa.StringArray) -> list[int]:
    """Return the positions of the JSON texts that are such a word and nothing else."""
    return pc.indices_nonzero(pc.is_in(texts, pa.array(_SUSPECTS))).to_pylist()  # type: ignore[no-any-return]
