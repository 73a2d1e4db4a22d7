"""Bodies that are larger than the API takes are refused before any call."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.wire import LARGEST_BODY, Problem


def too_large(
    bodies: pa.StringArray, traits: Sequence[tuple[str, pa.StringArray]]
) -> dict[int, tuple[str | None, Problem]]:
    """Return the rows whose body is over `LARGEST_BODY`, each with the column of its largest trait.

    `traits` are (column, JSON texts) of the bodies' traits.
    """
    sizes = pc.binary_length(bodies)
    largest = pc.max(sizes).as_py()
    if largest is None or largest <= LARGEST_BODY:
        return {}
    return {
        row: _told(sizes[row].as_py(), [(len(texts[row].as_py() or ""), column) for column, texts in traits])
        for row in pc.indices_nonzero(pc.greater(sizes, LARGEST_BODY)).to_pylist()
    }


def _told(size: int, parts: list[tuple[int, str]]) -> tuple[str | None, Problem]:
    length, column = max(parts, default=(0, None))
    said = f"the call has {size:,} bytes, and the API takes {LARGEST_BODY:,} at most"
    if column is not None:
        said += f"; this is its longest trait, with {length:,} characters"
    return column, Problem("too_large", said)
