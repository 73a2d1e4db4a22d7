"""The description of this package for Airflow, by the entry point `apache_airflow_provider`."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

logger = logging.getLogger("interakt_loader")

OLDEST = (3, 1)
"""The oldest version of Airflow whose SDK has what is needed."""

CONNECTION_TYPE = "interakt"
DEFAULT_CONNECTION = "interakt_default"

_HOOK = "interakt_loader.integrations.airflow.hook.InteraktHook"

FORM: dict[str, Any] = {
    "hidden-fields": ["login", "port", "schema"],
    "relabeling": {"host": "Address", "password": "Secret Key"},
    "placeholders": {
        "host": "https://api.interakt.ai",
        "password": "Settings > Developer Settings > Secret Key, unchanged",
    },
}
"""The form of a connection."""


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}


def found_version() -> str | None:
    """Return the version of Airflow that is installed; None without Airflow."""
    for package in ("apache-airflow", "apache-airflow-core"):
        with suppress(PackageNotFoundError):
            return version(package)
    return None


def refusal() -> str:
    """Return the line for an Airflow that is too old, or not there."""
    found = found_version()
    found = "none is installed" if found is None else f"found {found}"
    needed = "interakt_loader.integrations.airflow needs Airflow 3.1 or newer"
    return f"{needed}, and {found}: pip install 'apache-airflow>=3.1'"


def _is_too_old(found: str | None) -> bool:
    return found is not None and tuple(map(int, re.findall(r"\d+", found)[:2])) < OLDEST


def get_provider_info() -> dict[str, Any]:
    """Return the text for `airflow providers list`, and the connection type with its form.

    In an Airflow that is too old there is no connection type, and a warning says why. An error would end each process
    of Airflow.
    """
    about = {"package-name": "interakt-loader", "name": "Interakt"}
    if _is_too_old(found_version()):
        logger.warning("%s", refusal())
        return about | {"description": refusal()}
    return about | {
        "description": "Loads tables into Interakt, the WhatsApp CRM: one API call for each row, nothing lost.",
        "hooks": [{"integration-name": "Interakt", "python-modules": [_HOOK.rpartition(".")[0]]}],
        "operators": [
            {"integration-name": "Interakt", "python-modules": ["interakt_loader.integrations.airflow.operator"]}
        ],
        "extra-links": ["interakt_loader.integrations.airflow.link.InteraktLoadLink"],
        "asset-uris": [
            {
                "schemes": ["interakt"],
                "handler": None,
                "to_openlineage_converter": "interakt_loader.integrations.airflow.lineage.dataset_of_asset",
            }
        ],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": _HOOK,
                "hook-name": "Interakt",
                "ui-field-behaviour": FORM,
                "conn-fields": {
                    "rate_limit": _text("Rate limit", "300/min, growth, advanced or auto: what the account allows"),
                    "share": _text("Shared clock", "sqlite:///PATH or redis://…: one limit for several tasks at once"),
                    "default_country": _text("Country", "For phones without a country: +91, IN or India"),
                    "timezone": _text("Time zone", "For times without a time zone: Asia/Kolkata"),
                },
            }
        ],
    }
