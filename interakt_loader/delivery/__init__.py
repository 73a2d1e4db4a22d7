"""The line that a row walks, from record batches to report lines.

- `pipeline`: `deliver`, the line itself.
- `job`: what a load needs to know, and the parts that it is made of.
- `overseer`: the caller's side of the engine: has outcomes recorded, and ends a load that goes wrong.
- `tally`: whether too many rows have failed. Pure.
- `in_order`: outcomes → report lines, in the input's order as far as a second's wait allows.
"""
