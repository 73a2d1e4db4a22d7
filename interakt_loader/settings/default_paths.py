"""Where the report and the ledger go that nobody gave a path for. Pure."""

from __future__ import annotations

import glob
import re
from itertools import takewhile
from pathlib import Path


def report_name(source: str) -> str:
    """Return the report's default name, after the first source: its file, what its pattern or folder says, or `stdin`.

    Two patterns of one folder, such as `orders-*.csv` and `customers-*.csv`, have reports of their own.
    """
    path = Path(source)
    stem = path.stem
    if glob.has_magic(path.name):
        stem = re.split(r"[*?[]", path.name)[0].strip("-_. ") or path.parent.name
    return f"{'stdin' if source == '-' else stem or 'load'}.report.csv"


def report_beside(source: str) -> str:
    """Return the default report beside a source: beside its file, or beside the folder that it or its pattern names."""
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), Path(source).parts))
    return str(fixed.parent / report_name(source))


def ledger_beside(report: str) -> str:
    """Return where the ledger lies that belongs to a report: `orders.ledger` beside `orders.report.csv`."""
    path = Path(report)
    return str(path.with_name(path.stem.removesuffix(".report") + ".ledger"))
