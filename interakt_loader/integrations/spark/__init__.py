"""Loads of Spark DataFrames: the road past one machine. Needs the extra `spark` and a classic Spark session.

    sdf ─► numbered ─► prepared (mapInArrow, all cores) ─► a partition a bucket of users ─► sent (mapInArrow) ─► report

- `load`: `load_users` and `load_events`, on the driver.
- `checks`: what is refused before any call.
- `partitions`: which bucket a user belongs to, a bucket's ledger, and its part of the rate. Pure but for the folder.
- `schemas`: Arrow's schemas as Spark's. Pure.
- `task`: what runs on the workers, once a partition: the same `deliver` as everywhere.
- `read_back`: the counts, from the report that was written.
"""

from __future__ import annotations

from interakt_loader.integrations.spark.load import load_events, load_users

__all__ = ["load_events", "load_users"]
