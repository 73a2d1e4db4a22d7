"""What a person sees while a load runs.

- `bar`: the bar, in a terminal or a notebook.
- `lines`: what stands beside it. Pure.
- `forecast`: how many calls there are to make, and how long that takes. Pure.
"""
