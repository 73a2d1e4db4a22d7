"""The link from a task to the page of its load, on Airflow's pages."""

from __future__ import annotations

from typing import Any

from interakt_loader.integrations.airflow.sdk import BaseOperatorLink


class InteraktLoadLink(BaseOperatorLink):
    """Leads to the HTML page that the option `html` has made. A task without a page has no link.

    Airflow asks for it in the process of the task, and stores it.
    """

    name = "Interakt load"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the page; empty if there is none."""
        del ti_key
        return operator.page_address() or ""
