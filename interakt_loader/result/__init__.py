"""What a load comes back with, and its pictures.

- `result`: `LoadResult`.
- `notebook`: how it looks in a notebook. `plot`: as a matplotlib figure. `html_report`: as a page of its own.
- `palette`: the colours of outcomes. `hints`: what to do about each code.
"""

from __future__ import annotations

from interakt_loader.result.result import LoadResult

__all__ = ["LoadResult"]
