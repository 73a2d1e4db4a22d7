"""White space as the API wants it: a newline, a tab or three spaces in a row inside a text trait get a 400 [seen].

Such runs become one space. Every other character stays as it is.
"""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.compute as pc

_SUSPECT = r'^".*(?:\\[nrt]|   )'
"""In JSON text; an escaped backslash before an n looks alike, so each suspect is looked at closer."""

_REFUSED = re.compile(r"[ \t\r\n]*[\t\r\n][ \t\r\n]*| {3,}")


def tidied(texts: pa.StringArray) -> tuple[pa.StringArray, list[int]]:
    """Return JSON texts with the refused runs of white space made one space, and the positions of those changed."""
    suspects = pc.indices_nonzero(pc.match_substring_regex(texts, _SUSPECT)).to_pylist()
    changed = {}
    for position in suspects:
        text = json.loads(texts[position].as_py())
        tidy = _REFUSED.sub(" ", text)
        if tidy != text:
            changed[position] = json.dumps(tidy, ensure_ascii=False)
    if not changed:
        return texts, []
    mask = pc.is_in(pa.array(range(len(texts))), pa.array(list(changed)))
    return pc.replace_with_mask(texts, mask, pa.array(changed.values(), texts.type)), list(changed)
