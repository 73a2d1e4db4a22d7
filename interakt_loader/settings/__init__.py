"""The options of a load: the same in Python, on the command line and in Airflow.

- `settings`: `Settings`, which holds the parsed options, and the default names of a load and of its files.
- `environment`: the variables of the options, and which variables are mistakes. Pure.
- `values`: one parser for each kind of option, such as `300/min`, `5%` or `100:200`. Pure.
"""

from __future__ import annotations

from interakt_loader.settings.settings import Settings

__all__ = ["Settings"]
