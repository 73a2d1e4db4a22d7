"""White space as the API wants it: a newline, a tab or three spaces in a row inside a text trait get a 400 [seen].

Such runs become one space, in the items of lists too. Every other character arrives as it is: other control
characters (NUL too) as JSON escapes, U+2028 and U+2029 as themselves. Halves of surrogate pairs cannot come this
far: they are refused as `not_text` where the values are read.
"""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.values import tidy as tidy_text

_SUSPECT = r'^["\[].*(?:\\[nrt]|   )'
"""In JSON text; an escaped backslash before an n looks alike, so each suspect is looked at closer."""

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def tidied(texts: pa.StringArray) -> tuple[pa.StringArray, list[int]]:
    """Return JSON texts with the refused runs of white space made one space, and the positions of those changed."""
    suspects = pc.indices_nonzero(pc.match_substring_regex(texts, _SUSPECT)).to_pylist()
    changed = {}
    for position in suspects:
        text = texts[position].as_py()
        tidy = _JSON_STRING.sub(_tidied_string, text)
        if tidy != text:
            changed[position] = tidy
    if not changed:
        return texts, []
    mask = pc.is_in(pa.array(range(len(texts))), pa.array(list(changed)))
    return pc.replace_with_mask(texts, mask, pa.array(changed.values(), texts.type)), list(changed)


def _tidied_string(match: re.Match[str]) -> str:
    text = json.loads(match[0])
    tidy = tidy_text(text)
    return match[0] if tidy == text else json.dumps(tidy, ensure_ascii=False)
