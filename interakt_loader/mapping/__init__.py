"""Mapping: which column is which field, and a table's rows as the calls that they become.

`spec` is the mapping as written, `files` reads it from disk, `infer` guesses it, `prepare` applies it.
"""

from interakt_loader.mapping.files import read_mapping
from interakt_loader.mapping.infer import Inferred, infer
from interakt_loader.mapping.prepare import PREPARED, Preparation, messages
from interakt_loader.mapping.spec import Field, Mapping

__all__ = ["PREPARED", "Field", "Inferred", "Mapping", "Preparation", "infer", "messages", "prepare", "read_mapping"]
