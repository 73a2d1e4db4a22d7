"""Who a row is about: the column of ids and the column of phones, by their values first and their names second."""

from __future__ import annotations

from collections.abc import Mapping as Looked
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from interakt_loader.identity import user_ids
from interakt_loader.mapping.inference.inferred import Line
from interakt_loader.mapping.inference.names import (
    NAMES,
    OWN_IDS,
    VAGUE_IDS,
    bare,
    called,
    names_a_person,
    names_a_phone,
    names_a_time,
    says_nothing,
    words,
)
from interakt_loader.mapping.inference.phones import ENOUGH, PhonesFound, find_phones
from interakt_loader.mapping.inference.sample import Look
from interakt_loader.mapping.inference.times import time_guess
from interakt_loader.settings import Settings
from interakt_loader.wire import Kind

_UNIQUE = 0.95
"""The share of different values from which on ids tell users apart."""
_FEWEST = 10
"""Rows from which on values alone may tell."""
_ID = r"[^\s@]{1,64}"
_PLAIN_ID = r"[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*"
_ID_WORDS = {"id", "key", "code", "no", "number", "uuid", "guid"}


@dataclass(frozen=True)
class Identity:
    """What was found, as lines; `user_id` and `phone` are columns or None."""

    lines: tuple[Line, ...]
    undecided: tuple[str, ...]
    remarks: tuple[str, ...]
    user_id: str | None
    phone: str | None
    looked_for: str
    """What was looked for and not found, to say so where there is neither."""


def find_identity(looks: Looked[str, Look], kind: Kind | None, settings: Settings) -> Identity:
    """Find the user id, the phone and the phone's country among the columns of a sample."""
    lines: list[Line] = []
    undecided: list[str] = []
    remarks: list[str] = []
    user_id = _user_id(looks, kind)
    phones = find_phones({name: look for name, look in looks.items() if name != user_id}, settings)
    if user_id is not None:
        lines.append(Line("user_id", user_id, _why_id(looks[user_id])))
        undecided += _doubts(looks[user_id], looks, kind)
        remarks += _of_ids(looks[user_id], kind, alone=phones.column is None)
    elif phones.column is not None and kind != "event":
        remarks += _shared(looks[phones.column])
    return Identity(
        (*lines, *phones.lines),
        (*undecided, *phones.undecided),
        (*remarks, *phones.remarks),
        user_id,
        phones.column,
        _looked_for(looks, phones),
    )


def repeats(look: Look) -> bool:
    """Say whether a column of ids has the same one in many rows, as tables of what users did have."""
    ids = _ids(look)
    return len(ids) > 1 and len(ids.unique()) < len(ids) * _UNIQUE


def _user_id(looks: Looked[str, Look], kind: Kind | None) -> str | None:
    """Return the column of users' ids.

    Names that say so go first. A table of users has each id once; in one of what users did, `id` is the row's own.
    """
    usable = {name: look for name, look in looks.items() if look.filled and _usable(look)}
    named = called(usable, NAMES["user_id"])
    named += [name for name in usable if name not in named and _ends_like_an_id(name)]
    sure = [name for name in named if bare(name) not in VAGUE_IDS]
    vague = [name for name in named if name not in sure]
    if kind == "event":
        return next(iter([*sure, *vague]), None)
    keys = [name for name in usable if name not in named and _is_a_key(name, usable[name])]
    once = [name for name in named if not repeats(usable[name])]
    sure_once, vague_once = ([name for name in names if name in once] for names in (sure, vague))
    if kind == "user" or _of_people(looks):
        in_order = [*sure_once, *vague_once, *keys, *sure, *vague]
    else:
        in_order = [*sure_once, *sure, *vague_once, *keys, *vague]
    return next(iter(in_order), None)


def _of_people(looks: Looked[str, Look]) -> bool:
    return names_a_person(name for name, look in looks.items() if look.filled)


def _usable(look: Look) -> bool:
    if look.kind not in ("text", "int", "float", "decimal"):
        return False
    found = user_ids(look.values)
    return not found.problems and found.values.null_count < len(found.values)


def _ends_like_an_id(name: str) -> bool:
    """Say whether a name ends in one that is a user's: `c_customer_id`, `ProspectiveBuyerId`."""
    return any(bare(name).endswith(one) for one in NAMES["user_id"] if one not in VAGUE_IDS)


def _is_a_key(name: str, look: Look) -> bool:
    """Say whether a column tells rows apart as a key does: each row has another, in the form of an id."""
    if look.filled < look.rows or look.rows < _FEWEST or look.distinct < look.rows or names_a_phone(name):
        return False
    if look.kind == "float" or look.matching(_ID) < look.filled or names_a_time(name) or time_guess(look) is not None:
        return False
    of_ids = bool(_ID_WORDS & set(words(name)[-1:]))
    return of_ids or (says_nothing(name) and look.matching(_PLAIN_ID) == look.filled)


def _why_id(look: Look) -> str:
    ids = _ids(look)
    if says_nothing(look.name):
        why = f"each of {look.rows:,} rows has another value, in the form of an id"
    else:
        why = f"the column is called {look.name}; {len(ids.unique()):,} different in {len(ids):,} of {look.rows:,}"
    if look.kind == "float" or (look.kind == "text" and look.matching(r"[0-9]+\.0")):
        row = int(pc.index(look.values.is_valid(), pa.scalar(True)).as_py())
        written = str(look.texts[row].as_py()).removesuffix(".0")
        why += f"; whole numbers that were read as floats: {written}.0 is sent as {written}"
    elif look.matching("0[0-9]+"):
        why += "; zeros in front are kept"
    if look.matching("'.*"):
        why += "; the apostrophe in front is taken off"
    return why


def _doubts(look: Look, looks: Looked[str, Look], kind: Kind | None) -> list[str]:
    """Say so where an id may be of what is bought, and not of who buys."""
    others = [name for name in looks if name != look.name and words(name)[-1:] == ["id"]]
    if bare(look.name) not in OWN_IDS or (kind != "event" and (not others or _of_people(looks))):
        return []
    beside = f", and of other things there is {', '.join(others)}" if others else ""
    return [f"user_id: {look.name} may be the row's own id and no user's{beside}"]


def _of_ids(look: Look, kind: Kind | None, *, alone: bool) -> list[str]:
    """Say what follows where ids are there twice, or missing."""
    said = []
    ids = _ids(look)
    if kind == "user" and repeats(look):
        said.append(
            f"user_id: {look.name} is not unique ({len(ids.unique()):,} different in {len(ids):,} rows): rows of one "
            "user overwrite one another's traits, the last one stays"
        )
    missing = look.rows - len(ids)
    if missing:
        else_ = "there is no phone, so they" if alone else "those without a phone too"
        said.append(f"user_id: {look.name} is empty in {missing:,} of {look.rows:,} rows; {else_} cannot be sent")
    return said


def _shared(look: Look) -> list[str]:
    if look.distinct >= look.filled * _UNIQUE:
        return []
    return [
        f"phone: {look.distinct:,} different in {look.filled:,} rows: rows with the same phone are one user, and the "
        "last one's traits stay"
    ]


def _looked_for(looks: Looked[str, Look], phones: PhonesFound) -> str:
    nearest = max(looks.values(), key=lambda look: look.distinct / look.rows, default=None)
    said = "looked for: a column called like customer_id or ending in _id; one whose values are all different"
    if nearest is not None:
        said += f" (nearest: {nearest.name} with {nearest.distinct:,} in {nearest.rows:,} rows)"
    said += f"; one with at least {int(ENOUGH * 100)} % valid phone numbers"
    if phones.nearest is not None:
        said += f" ({phones.nearest})"
    mails = [
        name
        for name, look in looks.items()
        if look.filled and look.matching(r"[^\s@]+@[^\s@]+\.[^\s@]+") == look.filled
    ]
    unique = [name for name in mails if looks[name].distinct == looks[name].rows]
    if unique:
        said += f"; {unique[0]} is another in each row: user_id: {unique[0]} would make it the id"
    return said


def _ids(look: Look) -> pa.StringArray:
    return user_ids(look.values).values.drop_null()
