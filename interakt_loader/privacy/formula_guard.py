r"""Makes the text of a CSV file safe for spreadsheets and terminals, and restores it. Works on whole columns.

Control characters, direction marks and characters without width become escapes, such as `\x1b` or `\u202e`
(`privacy.text.escaped`). People read reports with `cat`, and a line break in a cell must not look like a new line.
Joiners stay, because Indian names need them.

A spreadsheet may run a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break. A customer can choose such a
name: `=HYPERLINK(…)`. Such a cell gets an apostrophe before it, which makes it text. A cell that has apostrophes there
already gets one more, so that reading removes exactly what writing added. Numbers with a sign (`+91`, `-5`) are not
formulas, and stay unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.privacy.text import UNSAFE, escaped, unescaped, utf8_of

if TYPE_CHECKING:
    import numpy.typing as npt

_BEGINNINGS = "=+\\-@\t\r\n＝＋－＠"
"""The full-width forms too: spreadsheets in some languages treat them the same."""

_RISKY = f"'*[{_BEGINNINGS}]"
_NUMBER = r"'*[+-][0-9]+(\.[0-9]+)?"

_APOSTROPHE, _BACKSLASH = b"'\\"

_FIRST_BYTES = np.zeros(256, bool)
_FIRST_BYTES[[*b"'=+-@\t\r\n", "＝".encode()[0]]] = True
"""Possible first bytes of a risky text. Checking only these is a tenth of the work, and almost always enough."""


_UNSAFE_BYTES = np.zeros(256, bool)
_UNSAFE_BYTES[[*range(0x20), 0x7F, *b"\\", 0xC2, 0xD8, 0xE1, 0xE2, 0xEF, 0xF0, 0xF3]] = True
"""The first bytes in UTF-8 of characters to be escaped, and the backslash. No Devanagari letter begins with one."""

_MAY_CHANGE = "|".join(
    ["[" + "".join(one if one == "-" else f"\\x{{{ord(one):x}}}" for one in UNSAFE) + "]", r"\\[xuU][0-9a-f]{2}"]
)
"""A pattern for Arrow's RE2: texts that may have a character to escape or an escape to restore."""


COLUMNS = ("source", "user_id", "country_code", "phone", "event", "column", "message")
"""The report's columns with text from outside."""


def guard(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return report lines in the form of the CSV file."""
    return _with_each(batch, guarded)


def unguard(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return report lines, or some of their columns, in their form before `guard`."""
    return _with_each(batch, unguarded)


def _with_each(batch: pa.RecordBatch, changed: Callable[[pa.StringArray], pa.StringArray]) -> pa.RecordBatch:
    columns = [
        changed(column) if name in COLUMNS else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def guarded(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts with unsafe characters as escapes, and an apostrophe before each formula."""
    texts = _with_escapes(texts, escaped)
    risky = _risky(texts)
    return texts if risky is None else pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)


def unguarded(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts before `guarded`. A risky text without an apostrophe stays unchanged."""
    risky = _risky(texts)
    if risky is not None:
        texts = pc.if_else(pc.and_(risky, pc.starts_with(texts, "'")), pc.utf8_slice_codeunits(texts, 1), texts)
    return _with_escapes(texts, unescaped)


def _with_escapes(texts: pa.StringArray, changed: Callable[[str], str]) -> pa.StringArray:
    """Return the texts, with `changed` applied to each that may have a character to escape or an escape."""
    read = utf8_of(texts)
    # the first check is a tenth of the second
    is_plain = not ((read - 0x20 > 0x7E - 0x20) | (read == _BACKSLASH)).any()
    if is_plain or not _UNSAFE_BYTES[read].any():
        return texts
    some = pc.match_substring_regex(texts, _MAY_CHANGE).fill_null(fill_value=False)
    if not pc.any(some).as_py():
        return texts
    new = pa.array([changed(text) for text in texts.filter(some).to_pylist()], texts.type)
    return pc.replace_with_mask(texts, some, new)


def _risky(texts: pa.StringArray) -> pa.BooleanArray | None:
    """Return which texts begin like a formula, without their apostrophes; None: none of them."""
    candidates = _candidates(texts)
    if not len(candidates):
        return None
    first = texts[int(candidates[0])]
    # Often all rows have one country code.
    if not _is_risky(first.as_py() or "") and pc.all(pc.equal(texts, first)).as_py():
        return None
    some = texts.take(pa.array(candidates))
    risky = pc.match_substring_regex(some, f"^{_RISKY}")
    if pc.any(risky).as_py():
        risky = pc.and_not(risky, pc.match_substring_regex(some, f"^(?:{_NUMBER})$"))
    if not pc.any(risky).as_py():
        return None
    mask = np.zeros(len(texts), bool)
    mask[candidates] = risky.fill_null(fill_value=False)
    return pa.array(mask)


def _is_risky(text: str) -> bool:
    return re.match(_RISKY, text) is not None and re.fullmatch(_NUMBER, text) is None


def _candidates(texts: pa.StringArray) -> npt.NDArray[np.int64]:
    """Return the positions of texts whose first byte, or the byte after an apostrophe, can begin a risky text.

    A missing or empty text may be among them, because the byte at its place belongs to the next text.
    """
    _, offsets, data = texts.buffers()
    if data is None or not data.size or not len(texts):
        return np.zeros(0, np.int64)
    read = np.frombuffer(data, np.uint8)
    starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts)]
    at: npt.NDArray[np.int64] = np.flatnonzero(_FIRST_BYTES[read[np.minimum(starts, data.size - 1)]])
    if not len(at):
        return at
    first, second = (read[np.minimum(starts[at] + step, data.size - 1)] for step in (0, 1))
    at = at[(first != _APOSTROPHE) | _FIRST_BYTES[second]]
    return at
