"""What users type changes on purpose only."""

from __future__ import annotations

import difflib
import re

import interakt_loader
from interakt_loader.result import LoadResult
from tests.public_api import SNAPSHOT, public_api


def test_the_public_api_is_as_it_was() -> None:
    """Names, signatures, flags, exit codes and the report's columns: a change of them is seen, and told to users."""
    written, now = SNAPSHOT.read_text(encoding="utf-8"), public_api()
    diff = "\n".join(difflib.unified_diff(written.splitlines(), now.splitlines(), "public_api.txt", "now", lineterm=""))
    assert written == now, (
        f"the public API is another than in tests/public_api.txt:\n{diff}\n"
        "If that is meant, `python -m tests.public_api` writes it down anew, and CHANGELOG.md wants a line about it."
    )


def test_a_person_who_asks_what_there_is_sees_all_of_it() -> None:
    """Names are imported when they are first used, and `dir()` has them before."""
    assert set(interakt_loader.__all__) <= set(dir(interakt_loader))


def test_it_is_read_from_the_source_as_it_is_imported() -> None:
    """The reader of sources misses nothing that the modules have."""
    said = public_api()
    assert all(re.search(rf"\b{name}\b", said) for name in interakt_loader.__all__)
    members = {name for name in vars(LoadResult) if not name.startswith("_")}
    section = said.partition("class LoadResult\n")[2].partition("\nclass ")[0]
    described = set(re.findall(r"(?:def|property) (\w+)\(", section)) - {"__init__", "_repr_html_"}
    assert described == members
