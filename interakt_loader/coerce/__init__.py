"""Arrow columns → the JSON text of each value, a column at a time.

`coerce` is the one way in. A value that is missing becomes null, to be left out; one that cannot be sent becomes
null and a problem; everything else becomes JSON text of the target's type. Nothing raises for a value.
"""

from __future__ import annotations

from interakt_loader.coerce.dispatch import coerce
from interakt_loader.coerce.json_text import json_string, json_strings
from interakt_loader.coerce.target import TYPES, Coerced, Target

__all__ = ["TYPES", "Coerced", "Target", "coerce", "json_string", "json_strings"]
