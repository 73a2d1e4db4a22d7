"""What a load returns, and how it is shown.

- `result`: `LoadResult`.
- `account`: what `verify` has read of the account.
- `view`: the numbers and texts that are shown, the same everywhere.
- `html`: the card in a notebook, and the page. `plot`: a matplotlib figure.
"""

from __future__ import annotations

from interakt_loader.result.account import AccountRead
from interakt_loader.result.result import LoadResult, stopped_error, view_of

__all__ = ["AccountRead", "LoadResult", "stopped_error", "view_of"]
