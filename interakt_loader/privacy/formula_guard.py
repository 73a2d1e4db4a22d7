r"""Text cells that a spreadsheet or a terminal would obey, made harmless in a CSV file, and back again. Vectorised.

Control characters, marks of direction and characters of no width become escapes, `\x1b` or `\u202e`: a report is looked
at with `cat`, and a line break in a cell must not pass for a line of its own (`safety.printable.escaped`). Joiners
stay: names of India need them.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a line break may be run when somebody opens the file, whoever wrote
it: a customer who calls himself `=HYPERLINK(…)`, say. Such a cell is written with an apostrophe before it, which makes
it text. One that has apostrophes before such a beginning already gets one more, so that reading takes off exactly what
writing put on. Plain numbers with a sign (`+91`, `-5`) are no formulas, and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.privacy.text import OBEYED, escaped, unescaped

if TYPE_CHECKING:
    import numpy.typing as npt

_BEGINNINGS = "=+\\-@\t\r\n＝＋－＠"
"""The full-width forms too: where those are written, spreadsheets take them for the others."""

_RISKY = f"'*[{_BEGINNINGS}]"
_NUMBER = r"'*[+-][0-9]+(\.[0-9]+)?"

_APOSTROPHE = ord("'")

_FIRST_BYTES = np.zeros(256, bool)
_FIRST_BYTES[[*b"'=+-@\t\r\n", "＝".encode()[0]]] = True
"""What a risky text's first byte can be: looking at that alone is a tenth of the work, and nearly always all of it."""


_OBEYED_BYTES = np.zeros(256, bool)
_OBEYED_BYTES[[*range(0x20), 0x7F, *b"\\", 0xC2, 0xD8, 0xE1, 0xE2, 0xEF, 0xF0, 0xF3]] = True
"""The bytes with which a character to be escaped begins in UTF-8, and the backslash. Devanagari begins with none."""

_TO_LOOK_AT = "|".join(
    ["[" + "".join(one if one == "-" else f"\\x{{{ord(one):x}}}" for one in OBEYED) + "]", r"\\[xuU][0-9a-f]{2}"]
)
"""Texts that may have something to escape or to read back, for Arrow's RE2."""


COLUMNS = ("source", "user_id", "country_code", "phone", "event", "column", "message")
"""Of the report, those with text that is not our own."""


def guard(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return report lines as they are written to a CSV file."""
    return _with_each(batch, guarded)


def unguard(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return report lines, or some of their columns, as they were before `guard`."""
    return _with_each(batch, unguarded)


def _with_each(batch: pa.RecordBatch, changed: Callable[[pa.StringArray], pa.StringArray]) -> pa.RecordBatch:
    columns = [
        changed(column) if name in COLUMNS else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def guarded(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts with what would be obeyed in escapes, and an apostrophe before what is like a formula."""
    texts = _with_escapes(texts, escaped)
    risky = _risky(texts)
    return texts if risky is None else pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)


def unguarded(texts: pa.StringArray) -> pa.StringArray:
    """Return what `guarded` made these texts of; a risky text without an apostrophe stays as it is."""
    risky = _risky(texts)
    if risky is not None:
        texts = pc.if_else(pc.and_(risky, pc.starts_with(texts, "'")), pc.utf8_slice_codeunits(texts, 1), texts)
    return _with_escapes(texts, unescaped)


def _with_escapes(texts: pa.StringArray, changed: Callable[[str], str]) -> pa.StringArray:
    """Return the texts with each changed in which there may be something to escape or to read back."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return texts
    begin, end = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    if not _OBEYED_BYTES[np.frombuffer(data, np.uint8)[begin:end]].any():
        return texts
    some = pc.fill_null(pc.match_substring_regex(texts, _TO_LOOK_AT), False)
    if not pc.any(some).as_py():
        return texts
    new = pa.array([changed(text) for text in texts.filter(some).to_pylist()], texts.type)
    return pc.replace_with_mask(texts, some, new)


def _risky(texts: pa.StringArray) -> pa.BooleanArray | None:
    """Return which texts begin, apostrophes apart, as formulas do; None: none of them."""
    candidates = _candidates(texts)
    if not len(candidates):
        return None
    first = texts[int(candidates[0])]
    if not _is_risky(first.as_py() or "") and pc.all(pc.equal(texts, first)).as_py():
        return None  # one country code for all
    some = texts.take(pa.array(candidates))
    risky = pc.match_substring_regex(some, f"^{_RISKY}")
    if pc.any(risky).as_py():
        risky = pc.and_not(risky, pc.match_substring_regex(some, f"^(?:{_NUMBER})$"))
    if not pc.any(risky).as_py():
        return None
    mask = np.zeros(len(texts), bool)
    mask[candidates] = risky.fill_null(False)
    return pa.array(mask)


def _is_risky(text: str) -> bool:
    return re.match(_RISKY, text) is not None and re.fullmatch(_NUMBER, text) is None


def _candidates(texts: pa.StringArray) -> npt.NDArray[np.int64]:
    """Return where a text's first byte, or what follows an apostrophe there, is one that a risky text's can be.

    Missing and empty ones may be among them, as if they began with what comes next.
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
