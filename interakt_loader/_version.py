"""The version. It is defined only here, and the build reads it."""

from __future__ import annotations

__version__ = "0.1.0"
