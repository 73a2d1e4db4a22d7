"""Protects the key and personal data, and makes text from outside safe to show.

- `secrets`: a key or password that is never shown or pickled.
- `text`: escapes for terminals and pages, and masks for phones and e-mail addresses.
- `formula_guard`: text in a CSV file that no spreadsheet runs as a formula, and back.
- `files`: files for their owner only, locks, and the user's state folder.
- `process`: standard streams that may be closed, and the memory of the command line's process.
"""

from __future__ import annotations
