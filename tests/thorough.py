"""How much the long tests look at: a part of it each time, all of it where somebody has the time (`make test-long`)."""

from __future__ import annotations

import os

from hypothesis import settings

IS_LONG = bool(os.environ.get("INTERAKT_LONG"))

PART = 8
"""One in so many examples is enough for each time: the next time it will be others."""


def examples(count: int) -> settings:
    """Return the settings of a property test that shall see so many examples, in the end."""
    return settings(max_examples=count if IS_LONG else max(count // PART, 75))
