"""Mappings in files: YAML, TOML or JSON, by the ending."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from interakt_loader.errors import MappingError
from interakt_loader.mapping.spec import Mapping

ENDINGS = (".yaml", ".yml", ".toml", ".json")


def read_mapping(given: Any) -> Mapping:
    """Return the mapping that is given as a `Mapping`, a dict or a path to a YAML, TOML or JSON file."""
    if isinstance(given, (str, Path)):
        return _from_file(Path(given))
    return Mapping.of(given)


def _from_file(path: Path) -> Mapping:
    if path.suffix.lower() not in ENDINGS:
        raise MappingError(f"mapping {path}: expected a file ending in {', '.join(ENDINGS)}")
    try:
        written = _parse(path.suffix.lower(), path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise MappingError(f"mapping {path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise MappingError(f"mapping {path}: is not UTF-8 text") from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise MappingError(f"mapping {path}: is not {path.suffix[1:].upper()}: {reason}") from None
    try:
        return Mapping.of(written)
    except MappingError as error:
        raise MappingError(f"mapping {path}: {error}") from None


def _parse(ending: str, text: str) -> Any:
    """Parse; every parser's own error comes out as ValueError."""
    if ending == ".json":
        return json.loads(text)
    if ending == ".toml":
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        return tomllib.loads(text)
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
