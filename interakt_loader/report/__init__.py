"""The report: one line for each row of the input.

- `outcomes`: its columns, and how outcomes become lines.
- `writer`: the file, and the `Summary` that counts its lines.
- `reading`: the file read back, as lines or as a `Timeline`.
"""

from __future__ import annotations
