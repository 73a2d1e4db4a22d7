"""Mapping: which column is which field, and a table's rows as the calls that they become.

`spec` is the mapping as written, `files` reads it from disk, `presets` has those of well-known exports, `infer`
finds it out from the table, `choice` is which of these a load goes by, and `prepare` applies it.
"""

from interakt_loader.mapping.choice import PRESET, Choice, choose
from interakt_loader.mapping.files import read_mapping
from interakt_loader.mapping.prepare import PREPARED, Preparation, messages
from interakt_loader.mapping.spec import Field, Mapping

__all__ = [
    "PREPARED",
    "PRESET",
    "Choice",
    "Field",
    "Mapping",
    "Preparation",
    "choose",
    "messages",
    "read_mapping",
]
