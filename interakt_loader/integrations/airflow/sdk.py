"""The classes of Airflow that this package builds on. An Airflow without them is refused here, in one line."""

from __future__ import annotations

from interakt_loader.integrations.airflow.provider import refusal

try:
    from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink
except ImportError as error:
    # a package that Airflow itself lacks is another matter
    if (error.name or "").partition(".")[0] != "airflow":
        raise
    raise ImportError(refusal(), name=error.name) from None

__all__ = ["BaseHook", "BaseOperator", "BaseOperatorLink"]
