"""What is made of the options: `interakt_loader/__init__.pyi`, and the list in the docstring of `load_users`.

Type checkers know the options from `Options`. Editors that use jedi do not, so the functions name each of them.
`python -m tests.public_api` writes both.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Any

import interakt_loader
from interakt_loader.settings import Settings

STUB = Path(interakt_loader.__file__).with_suffix(".pyi")
API = STUB.parent / "load" / "api.py"

_HEAD = '''"""The public names, for type checkers and editors. Made by `python -m tests.public_api`."""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

'''
_USED = {"Rate": "settings.values", "Secret": "privacy.secrets", "__version__": "_version"}
"""Names in the signatures that are not public, and where they are."""

_LIST = re.compile(r"(?<=^    The options:\n\n)(?:    .*\n)+", re.MULTILINE)


def stub() -> str:
    """Return the stub: imports of all public names, and functions with a parameter for each option."""
    functions = [name for name in interakt_loader.__all__ if inspect.isfunction(getattr(interakt_loader, name))]
    homes = {name: home for name, home in (vars(interakt_loader)["_HOMES"] | _USED).items() if name not in functions}
    imports = ["from interakt_loader import track"]
    for home in sorted(set(homes.values())):
        names = sorted(name for name in homes if homes[name] == home)
        line = f"from interakt_loader.{home} import {', '.join(names)}"
        imports.append(line if len(line) <= 120 else f"{line.partition('import ')[0]}import (\n{_lines(names)})")
    public = "".join(f'    "{name}",\n' for name in interakt_loader.__all__)
    signatures = "".join(_function(name, getattr(interakt_loader, name)) for name in functions)
    return _HEAD + "\n".join(imports) + f"\n\n__all__ = [\n{public}]\n\n" + signatures


def _lines(names: list[str]) -> str:
    return "".join(f"    {name},\n" for name in names)


def _function(name: str, function: Any) -> str:
    own = inspect.signature(function)
    lines = []
    for one in own.parameters.values():
        if one.kind is one.KEYWORD_ONLY and "*" not in lines:
            lines.append("*")
        default = "" if one.default is one.empty else f" = {_literal(one.default)}"
        lines.append(f"{one.name}: {one.annotation}{default}")
    return f"def {name}(\n{_lines(lines)}) -> {own.return_annotation}: ...\n".replace("'", '"')


def _literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def option_list() -> str:
    """Return a line for each option: its name, and the first sentence of its meaning."""
    items = []
    for one in fields(Settings):
        first = re.split(r"(?<=\.) (?=[A-Z`])", one.metadata["meaning"])[0]
        items.append(textwrap.fill(f"- `{one.name}`: {first}", 120, initial_indent=" " * 4, subsequent_indent=" " * 6))
    return "\n".join(items) + "\n"


def with_options(text: str) -> str:
    """Return a module's text with today's list in a docstring."""
    return _LIST.sub(lambda _: option_list(), text)
