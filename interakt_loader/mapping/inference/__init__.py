"""A mapping found out from a table's column names and a sample of its rows, in the order in which it is done.

`sample` takes the first rows apart into columns; `names` is what names say; `types` finds what each column holds;
`identity` finds who a row is about, and `roles` the event's name, the time and the tags; `presets` fits a preset to
the rows; `inferred` is what comes of it, and writes it down.
"""

from __future__ import annotations

from interakt_loader.mapping.inference.inferred import Inferred
from interakt_loader.mapping.inference.sample import SAMPLE_ROWS, sample_of

__all__ = ["SAMPLE_ROWS", "Inferred", "sample_of"]
