"""A column of user ids."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.identity.written import as_written
from interakt_loader.plain import without
from interakt_loader.wire import Problem

_NULL_WORDS = pa.array(["nan", "NaN", "None", "null", "NULL", "NaT", "<NA>"])


class UserIds(NamedTuple):
    """User ids, null where missing or in `problems` (by position, code `user_id_invalid`)."""

    values: pa.StringArray
    problems: dict[int, Problem]


def user_ids(values: pa.Array) -> UserIds:
    """Return the user ids of a column: text trimmed, with its leading zeros; whole numbers as their digits."""
    text, problems = as_written(values, "user_id_invalid", "is not a user id: expected text or a whole number")
    return UserIds(without(text, pc.is_in(text, _NULL_WORDS)), problems)
