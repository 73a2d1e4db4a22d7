"""Mappings in files: YAML, TOML or JSON, by the ending."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, NamedTuple

from interakt_loader.errors import MappingError
from interakt_loader.mapping.file_forms import parsed
from interakt_loader.mapping.spec import Mapping
from interakt_loader.safety.printable import printable

ENDINGS = (".yaml", ".yml", ".toml", ".json")

LONGEST = 262_144
"""Bytes of a mapping file; one of a thousand traits has a tenth of that."""

LONGEST_REASON = 500
"""Characters that are said about a file that is no mapping."""


CONFIRMED = "confirmed"
"""A key that only files have: false in a proposal that nobody has confirmed."""


class MappingFile(NamedTuple):
    """What a mapping file says."""

    mapping: Mapping
    confirmed: bool
    """False only where the file says so."""


def read_mapping(given: Any) -> Mapping:
    """Return the mapping that is given as a `Mapping`, a dict or a path to a YAML, TOML or JSON file."""
    if isinstance(given, (str, Path)):
        return read_mapping_file(Path(given)).mapping
    return Mapping.of(given)


def read_mapping_file(path: Path) -> MappingFile:
    """Return the mapping in a file, and whether it is confirmed. Raises `MappingError` that names the file."""
    if path.suffix.lower() not in ENDINGS:
        raise MappingError(f"mapping {path}: expected a file ending in {', '.join(ENDINGS)}")
    try:
        written = parsed(path.suffix.lower(), _read(path))
    except OSError as error:
        raise MappingError(f"mapping {path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise MappingError(f"mapping {path}: is not UTF-8 text") from None
    except ValueError as error:
        raise MappingError(f"mapping {path}: is not {path.suffix[1:].upper()}: {_in_short(error)}") from None
    confirmed = written.pop(CONFIRMED, True) if isinstance(written, dict) else True
    if not isinstance(confirmed, bool):
        raise MappingError(f"mapping {path}: {CONFIRMED} is {_in_short(repr(confirmed))}; expected true or false")
    try:
        return MappingFile(Mapping.of(written), confirmed)
    except MappingError as error:
        raise MappingError(f"mapping {path}: {_in_short(error)}") from None


def _read(path: Path) -> str:
    """Return the text of a file, if that is what it is: a pipe's end may never come, and a device has none."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise MappingError(f"mapping {path}: is {'a directory' if stat.S_ISDIR(mode) else 'no regular file'}")
    with path.open("rb") as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise MappingError(f"mapping {path}: has more than {LONGEST // 1024} KB; is it a table?")
    return data.decode("utf-8-sig")


def _in_short(error: object) -> str:
    """Return an error's words in one line, whatever it quotes of the file: what is wrong is said before or after."""
    said = printable(" ".join(str(error).split()))
    half = LONGEST_REASON // 2
    return said if len(said) <= LONGEST_REASON else f"{said[: half - 1]}…{said[-half:]}"
