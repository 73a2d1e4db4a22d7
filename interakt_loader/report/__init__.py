"""What became of each row: report lines as Arrow, the file that they go to, and what is read back from it.

- `outcomes`: the report's columns, and how rows become lines.
- `masked`: lines without phones and e-mail addresses, where that was asked for.
- `report`: the file, as it is written; and the summary, folded from the same lines.
- `reading`: the file → Arrow again.
- `timeline`: the file → how the load went on over time.
"""

from __future__ import annotations
