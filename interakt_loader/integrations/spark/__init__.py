"""Loads of Spark DataFrames, for data that does not fit one machine; they do not raise the rate limit.

    sdf ─► numbered ─► prepared (mapInArrow, all cores) ─► one partition for each bucket of users ─► sent ─► report

It needs PySpark, with a classic session or one of Spark Connect.

- `load`: `load_users` and `load_events`, on the driver: checks, partitions, and the counts of the report.
- `task`: the code on the workers, with the same `deliver` as every load.
"""

from __future__ import annotations

from interakt_loader.integrations.spark.load import load_events, load_users

__all__ = ["load_events", "load_users"]
