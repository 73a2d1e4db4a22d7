"""For the few values of a column that Arrow's own functions cannot do: Python, once for each distinct value."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc


def rewritten(text: pa.StringArray, mask: pa.BooleanArray, rewrite: Callable[[str], str | None]) -> pa.StringArray:
    """Return the text with each value where the mask is true rewritten; a mask's null is false."""
    if not pc.any(mask).as_py():
        return text
    mask = mask.fill_null(False)
    distinct = text.filter(mask).dictionary_encode()
    new = pa.array([rewrite(one) for one in distinct.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(text, mask, new.take(distinct.indices))
