"""Text → JSON strings (RFC 8259): exact, non-ASCII as it is."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.coerce.slow_lane import rewritten

_TO_ESCAPE = '["\\\\\x00-\x1f]'
_CONTROL = "[\x00-\x1f]"
_CONTROLS = {code: json.dumps(chr(code))[1:-1] for code in range(0x20)}


def json_string(text: str) -> str:
    """Return the text as a JSON string, with its quotes."""
    return json.dumps(text, ensure_ascii=False)


def json_strings(array: pa.StringArray) -> pa.StringArray:
    """Return each text as a JSON string, with its quotes; null stays null."""
    escaped = array
    if pc.any(pc.match_substring_regex(array, _TO_ESCAPE)).as_py():
        escaped = pc.replace_substring(pc.replace_substring(array, "\\", "\\\\"), '"', '\\"')
        control = pc.match_substring_regex(escaped, _CONTROL)
        escaped = rewritten(escaped, control, _with_controls_escaped)
    return quoted(escaped)


def quoted(array: pa.StringArray) -> pa.StringArray:
    """Return each text between quotes; for text that has nothing to escape."""
    return pc.binary_join_element_wise('"', array, '"', "")


def _with_controls_escaped(text: str) -> str:
    return text.translate(_CONTROLS)
