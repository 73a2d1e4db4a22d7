"""Load a row; print as JSON how many functions ran in each file of the package, and where the argument `data` went.

`tests.shape` runs this text in its own process and in an empty folder. The measured checkout is first on the path:
`python -c TEXT CHECKOUT frame|path ledger|none ROWS`.
"""

from __future__ import annotations

import inspect
import json
import sys
import threading
from collections import Counter, defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd

import interakt_loader
from interakt_loader import MappingDict
from interakt_loader.sandbox import SandboxProcess

PACKAGE = Path(interakt_loader.__file__).resolve().parent
MAPPING: MappingDict = {"user_id": "id", "phone": "phone", "traits": ["name"]}


class Probe:
    """A profile function. It counts the calls in each file on each thread, and follows the argument `data`."""

    def __init__(self, data: object) -> None:
        self.calls: dict[str, Counter[str]] = defaultdict(Counter)
        self.stays: list[str] = []
        self._data = data
        self._caller = threading.get_ident()
        self._entered: set[FrameType] = set()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Note a call. A call that an import makes does not count, and neither does the body of a module or a class."""
        code = frame.f_code
        file = self._file(frame)
        if event != "call" or not file or self._is_import(frame):
            return
        self.calls[threading.current_thread().name][file] += 1
        is_resumed = frame in self._entered
        if is_resumed or threading.get_ident() != self._caller:
            return
        self._entered.add(frame)
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        arguments = [frame.f_locals.get(name) for name in code.co_varnames[:count]]
        if any(one is self._data for one in arguments) and self.stays[-1:] != [file]:
            self.stays.append(file)

    @staticmethod
    def _file(frame: FrameType) -> str:
        path = Path(frame.f_code.co_filename)
        return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else ""

    def _is_import(self, frame: FrameType) -> bool:
        at: FrameType | None = frame
        while at is not None:
            if not at.f_code.co_flags & inspect.CO_OPTIMIZED and self._file(at):
                return True
            at = at.f_back
        return False


def main(checkout: str, form: str, ledger: str, rows: str) -> None:
    """Load no row or one, and print what was noted."""
    if not PACKAGE.is_relative_to(Path(checkout).resolve()):
        raise SystemExit(f"{PACKAGE} is not of {checkout}")
    Path("users.csv").write_text("id,phone,name\n" + "C1,9876543210,Asha\n" * int(rows), encoding="utf-8")
    data: Any = "users.csv" if form == "path" else pd.read_csv("users.csv", dtype=str)
    probe = Probe(data)
    with SandboxProcess() as sandbox:
        options: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "report": "users.report.csv"}
        options["ledger"] = "users.ledger" if ledger == "ledger" else None
        threading.setprofile(probe)
        sys.setprofile(probe)
        try:
            result = interakt_loader.load_users(data, MAPPING, **options)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    assert result.sent == int(rows), result
    print(json.dumps({"calls": probe.calls, "stays": probe.stays}))


if __name__ == "__main__":
    main(*sys.argv[1:])
