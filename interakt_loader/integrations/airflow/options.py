"""Options as templates, forms and connections give them, as text → the values that `Settings` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from interakt_loader.errors import SettingsError
from interakt_loader.settings import Settings
from interakt_loader.settings.default_paths import ledger_beside, report_beside
from interakt_loader.settings.values import check_name

_TYPES = {one.name: str(one.type).split(" | ") for one in fields(Settings)}
"""What each option may be, as `Settings` says it."""

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with text turned into the numbers and truths that they are; blank ones are left out.

    `"none"` is None where an option can be that. Raises `SettingsError` for text that is no such value; names that
    are no options are left to `Settings`.
    """
    filled = {name: value for name, value in given.items() if not (isinstance(value, str) and not value.strip())}
    return {name: _read(name, value) if isinstance(value, str) else value for name, value in filled.items()}


def _read(name: str, text: str) -> Any:
    kinds = _TYPES.get(name, ["str"])
    word = text.strip().lower()
    if word == "none" and "None" in kinds:
        return None
    try:
        if "bool" in kinds:
            return _WORDS[word]
        if "str" in kinds:
            return text
        if "int" in kinds:
            return int(word)
        if "float" in kinds:
            return float(word)
    except (KeyError, ValueError):
        expected = "true or false" if "bool" in kinds else "a whole number" if "int" in kinds else "a number"
        raise SettingsError(f"{name} is {text!r}; expected {expected}") from None
    return text


def with_files(source: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a load with a report and a ledger, where nobody has said where these go.

    The report goes beside the (first) source, and the ledger beside the report: both are the same for each try of a
    task. They are called like the source, so that tasks that load a file each do not wait for one another; with `name`
    they go by that, and the ledger is that of each day's file. A ledger of None stays none. Raises `SettingsError`
    where the source is at an address.
    """
    given = dict(options)
    name = given.get("name")
    if name is not None:
        check_name(name)
    if given.get("report") is None:
        first = str(source[0]) if isinstance(source, (list, tuple)) and source else str(source)
        if "://" in first:
            raise SettingsError("report: give a path; the source is at an address, and nothing can be put beside it")
        given["report"] = report_beside(first, name)
    given.setdefault("ledger", ledger_beside(str(given["report"]), name))
    return {"progress": False, **given}
