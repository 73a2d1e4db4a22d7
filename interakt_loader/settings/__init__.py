"""The options of a load: the same in Python, on the command line and in Airflow.

- `settings`: `Settings`, which holds the parsed options, and the default names of a load and of its files. `Options`
  is the type of the options as they are written.
- `environment`: the variables of the options, and which variables are mistakes. Pure.
- `values`: one parser for each kind of option, such as `300/min`, `5%` or `100:200`. Pure.
"""

from __future__ import annotations

import sys

from interakt_loader.settings.settings import Options, Settings, lists_options

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

__all__ = ["Options", "Settings", "Unpack", "lists_options"]
