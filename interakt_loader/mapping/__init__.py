"""Mapping: which column is which field, and a table's rows as the calls that they become.

`spec` is the mapping, and `written` has the types of its written form. `files` reads it from disk, and `presets` has
those of well-known exports. `infer` proposes one from the table, and `prepare` applies it. `groups` combines the rows
of an event, and `created` collects the names in the calls.
"""

from __future__ import annotations

from interakt_loader.mapping.created import CreatedNames
from interakt_loader.mapping.files import MappingFile, read_mapping, read_mapping_file
from interakt_loader.mapping.infer.inferred import InferredMapping
from interakt_loader.mapping.prepare import PREPARED, Preparation, messages
from interakt_loader.mapping.spec import OWN_TYPES, Field, Mapping
from interakt_loader.mapping.written import FieldDict, MappingDict, TraitDict

__all__ = [
    "OWN_TYPES",
    "PREPARED",
    "CreatedNames",
    "Field",
    "FieldDict",
    "InferredMapping",
    "Mapping",
    "MappingDict",
    "MappingFile",
    "Preparation",
    "TraitDict",
    "messages",
    "read_mapping",
    "read_mapping_file",
]
