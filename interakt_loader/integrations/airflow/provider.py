"""The description of this package for Airflow, by the entry point `apache_airflow_provider`."""

from __future__ import annotations

from typing import Any

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


def get_provider_info() -> dict[str, Any]:
    """Return the text for `airflow providers list`, and the connection type with its form."""
    return {
        "package-name": "interakt-loader",
        "name": "Interakt",
        "description": "Loads tables into Interakt, the WhatsApp CRM: one API call for each row, nothing lost.",
        "hooks": [{"integration-name": "Interakt", "python-modules": [_HOOK.rpartition(".")[0]]}],
        "operators": [
            {"integration-name": "Interakt", "python-modules": ["interakt_loader.integrations.airflow.operator"]}
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
