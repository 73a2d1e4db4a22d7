"""A project file: several loads of one account, in order, with one command and one result.

- `written`: the file as a person writes it. It is read without looking at any other file.
- `opening`: reads the key, opens each source and chooses its mapping, so that all mistakes are in one message.
- `run`: the loads in turn.
- `result`: what comes of them, as text, JSON and a page.
"""

from __future__ import annotations

from interakt_loader.project.result import ProjectResult
from interakt_loader.project.run import run

__all__ = ["ProjectResult", "run"]
