"""What goes out to people and into files, made harmless: it gives nothing away, and nothing obeys it.

- `secret`: a key or password that shows itself nowhere.
- `masking`: phones and e-mail addresses in a text, made unreadable. Pure.
- `printable`: text from outside as one line that no terminal or page obeys. Pure.
- `visible`: characters that cannot be seen. Pure.
- `id_text`: what text can be an id, and what stands for nothing. Pure.
- `streams`: standard streams that cannot be written harm no load.
- `private_files`: files for their owner alone.
- `formula_guard`: text in a CSV file that no spreadsheet takes for a formula, and back.
- `file_lock`: one holder of an open file at a time.
- `state_folder`: the folder that the loads of one user share.
"""

from __future__ import annotations
