"""Adapters to other tools: tasks of Airflow, and DataFrames of Spark."""

from __future__ import annotations
