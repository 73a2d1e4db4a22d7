"""Options as templates, forms and connections give them."""

from __future__ import annotations

from typing import Any

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.integrations.airflow.task_load import read_options
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Failures


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"workers": "8", "timeout": "2.5", "limit": "10"}, {"workers": 8, "timeout": 2.5, "limit": 10}),
        ({"limit": "none", "ledger": "none", "mask": "True"}, {"limit": None, "ledger": None, "mask": True}),
        ({"header": "no", "max_failures": "5%"}, {"header": False, "max_failures": Failures(share=0.05)}),
        ({"rate_limit": "", "share": "  ", "workers": 3}, {"rate_limit": "auto", "share": None, "workers": 3}),
    ],
)
def test_text_becomes_what_it_means(given: dict[str, Any], read: dict[str, Any]) -> None:
    """Numbers, truths and nothing; what is blank is not given."""
    settings = Settings.resolve(read_options(given), environ={})
    assert {name: getattr(settings, name) for name in read} == read


def test_a_template_of_a_missing_value_is_not_given() -> None:
    """Jinja makes `None` of it. As `none`, it would turn the ledger off, and the next try would send events again."""
    assert read_options({"ledger": "None", "rate_limit": " None ", "name": "", "workers": "2"}) == {"workers": "2"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"workers": "many"}, "workers is 'many'; expected a whole number"),
        ({"timeout": "soon"}, "timeout is 'soon'; expected a number"),
        ({"resend": "perhaps"}, "resend is 'perhaps'; expected true or false"),
    ],
)
def test_text_that_means_nothing_is_refused(given: dict[str, Any], expected: str) -> None:
    """With the option, the text, and what was expected."""
    with pytest.raises(SettingsError, match=expected):
        Settings.resolve(read_options(given), environ={})
