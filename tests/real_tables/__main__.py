"""`python -m tests.real_tables`: the result of each real table, as a table in Markdown."""

from __future__ import annotations

import logging
import sys

from interakt_loader.sandbox import Sandbox
from tests.conftest import SHARED_DATA
from tests.real_tables.catalogue import CASES
from tests.real_tables.outcome import load_case


def main() -> None:
    """Print a line for each case, with the counts as they are found."""
    logging.disable(logging.WARNING)  # what was detected of a file's form
    sys.stdout.write("| table | as | rows | sent | refused | sent with a note |\n|---|---|---|---|---|---|\n")
    for case in CASES:
        with Sandbox() as sandbox:
            found = load_case(case, SHARED_DATA, sandbox)
        said = f"{found.sent:,}" + (" could be" if case.too_many_to_send else "")
        refused, noted = (", ".join(f"{n:,} {code}" for code, n in one.items()) for one in (found.refused, found.noted))
        cells = [f"{case.path}: {case.name}", f"{case.kind}s", f"{found.rows:,}", said, refused, noted]
        sys.stdout.write(f"| {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
