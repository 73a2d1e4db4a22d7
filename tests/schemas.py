"""The JSON Schemas of mapping and project files, made from the code and the tables of docs/mapping.md.

`python -m tests.schemas` writes them into `interakt_loader/schemas/` anew.
"""

from __future__ import annotations

import json
import re
from dataclasses import Field
from typing import Any

from interakt_loader.columns import TYPES
from interakt_loader.columns.target import DECIMALS
from interakt_loader.mapping.files import CONFIRMED, SCHEMA
from interakt_loader.mapping.spec import _COLUMN_KEYS, _FIELD_KEYS, FIELDS
from interakt_loader.project.written import ACCOUNT, KEYS, LOAD_OPTIONS, OPTIONS, kinds_of
from interakt_loader.settings.values import Number
from tests.snippets import ROOT

FOLDER = SCHEMA.parent

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string", "minLength": 1}
_VALUE = {"type": ["string", "number", "boolean", "array"]}
_OF_FIELD: dict[str, dict[str, Any]] = {
    "column": {"type": "string"},
    "columns": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "join": {"type": "string"},
    "value": _VALUE,
    "values": {"type": "object", "minProperties": 1, "additionalProperties": {"type": [*_VALUE["type"], "null"]}},
    "otherwise": {"type": [*_VALUE["type"], "null"]},
    "default": _VALUE,
    "collect": {"type": "boolean"},
    "name": _TEXT,
    "type": {"enum": [*TYPES]},
    "decimal": {"enum": [*DECIMALS]},
}


def meanings(heading: str) -> dict[str, str]:
    """Return the first two columns of the table below a heading of docs/mapping.md, in plain text."""
    text = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.split(f"\n{heading}\n")[1].split("\n## ")[0].splitlines()]
    found = [(row[0], _plain(row[1])) for row in rows if len(row) > 2 and row[0].startswith("| `")]
    return {name: meaning for names, meaning in found for name in re.findall("`([^`]+)`", names)}


def _plain(text: str) -> str:
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text)
    return re.sub(r" See [^.]+$", "", text).strip()


def mapping_parts() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of a mapping without its head, and the definitions that it refers to."""
    about, of_field = meanings("## Fields"), meanings("## What to say about a field")
    keys = {name: _OF_FIELD.get(name, _TEXT) | {"description": of_field[name]} for name in _FIELD_KEYS}
    field, trait = {"$ref": "#/$defs/field"}, {"$ref": "#/$defs/trait"}
    shapes: dict[str, Any] = {
        "phone": {"anyOf": [field, {"type": "array", "items": field, "minItems": 1}]},
        "traits": {
            "anyOf": [
                {"const": "*"},
                {"type": "array", "items": trait},
                {"type": "object", "additionalProperties": trait},
            ]
        },
    }
    mapping = {
        "type": "object",
        "properties": {name: shapes.get(name, field) | {"description": about[name]} for name in FIELDS},
        "additionalProperties": False,
    }
    return mapping, {
        "field": _field({name: one for name, one in keys.items() if name != "name"}),
        "trait": _field(keys),
    }


def _field(keys: dict[str, Any]) -> dict[str, Any]:
    written = {
        "type": "object",
        "properties": keys,
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in ("column", "columns", "value")],
        "dependentRequired": {"columns": ["join"], "join": ["columns"], "otherwise": ["values"]},
        "dependentSchemas": {"value": {"properties": dict.fromkeys(_COLUMN_KEYS, False)}},
    }
    return {"anyOf": [{"type": "string", "description": "the name of a column"}, written]}


def mapping_schema() -> dict[str, Any]:
    """Return the schema of a mapping file."""
    mapping, parts = mapping_parts()
    confirmed = {"type": "boolean", "description": "false: nobody has confirmed this proposal"}
    mapping["properties"][CONFIRMED] = confirmed
    return {"$schema": _DRAFT, "title": "A mapping of interakt_loader"} | mapping | {"$defs": parts}


def option_schema(one: Field[Any]) -> dict[str, Any]:
    """Return the schema of an option's values."""
    kinds, facts = kinds_of(one), one.metadata
    made: dict[str, Any] = {"description": facts["meaning"], "type": kinds[0] if len(kinds) == 1 else [*kinds]}
    if facts["choices"]:
        made["enum"] = [*facts["choices"]]
    if "array" in kinds:
        made["items"] = {"type": "string"}
    if isinstance(facts["parse"], Number):
        number = facts["parse"]
        made["exclusiveMinimum" if number.above else "minimum"] = number.least
        made |= {} if number.most is None else {"maximum": number.most}
    if one.default not in (None, ""):
        made["default"] = one.default
    return made


def project_schema() -> dict[str, Any]:
    """Return the schema of a project file."""
    mapping, parts = mapping_parts()
    options = {name: option_schema(OPTIONS[name]) for name in OPTIONS}
    variable = _table({"env": _TEXT | {"description": "the name of an environment variable"}}, required=["env"])
    file = _table({"file": _TEXT | {"description": "a file that only its owner may read"}}, required=["file"])
    place = {"anyOf": [_TEXT, variable]}
    load = {
        "source": {
            "description": "What to load: a path, a pattern, an address, {env: NAME}, or a list of these.",
            "anyOf": [_TEXT, variable, {"type": "array", "items": place, "minItems": 1}],
        },
        "mapping": {
            "description": "Which column is which field: a table, a file, or preset:NAME.",
            "anyOf": [_TEXT, {"$ref": "#/$defs/mapping"}],
        },
        "after": {
            "description": "Loads that must have run to their end before this one starts.",
            "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
        },
    }
    of_load = {name: {"$ref": f"#/$defs/{name}"} for name in LOAD_OPTIONS}
    key = {"description": "Where the key is. The key itself is refused.", "anyOf": [variable, file]}
    of_account = dict.fromkeys(KEYS, key) | {name: {"$ref": f"#/$defs/{name}"} for name in ACCOUNT}
    top = _table(
        {
            "account": _table(of_account),
            "defaults": _table(of_load),
            "loads": {
                "description": "The loads by name. They run in this order.",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": _table(load | of_load, required=["source"]),
            },
        },
        required=["loads"],
    )
    used = {name: one for name, one in options.items() if name in (*ACCOUNT, *LOAD_OPTIONS)}
    head = {"$schema": _DRAFT, "title": "A project of interakt_loader"}
    return head | top | {"$defs": {"mapping": mapping} | parts | used}


def _table(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    made = {"type": "object", "properties": properties, "additionalProperties": False}
    return made | ({"required": required} if required else {})


def texts() -> dict[str, str]:
    """Return the files by name."""
    made = {"mapping.json": mapping_schema(), "project.json": project_schema()}
    return {name: json.dumps(one, indent=2, ensure_ascii=False) + "\n" for name, one in made.items()}


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
