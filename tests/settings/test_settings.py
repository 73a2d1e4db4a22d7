"""Options: read once, checked at once, and never shown with the key."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

import pytest

from interakt_loader import errors
from interakt_loader.errors import LoadInterrupted, SettingsError, flag_of
from interakt_loader.settings import Settings
from interakt_loader.settings.values import BASE_URL, Failures, PlanRate, Rate, RowRange, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("300/min", Rate(300, 60)),
        ("10/s", Rate(10, 1)),
        (" 7.5 / second ", Rate(7.5, 1)),
        ("1000/hour", Rate(1000, 3600)),
        ("growth", Rate(300, 60)),
        ("Advanced", Rate(600, 60)),
        ("auto", "auto"),
        ("none", None),
        (None, None),
    ],
)
def test_rates(text: str | None, rate: Any) -> None:
    """A number in a time, a plan's name, auto, or none."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"worker": 3}, "there is no option 'worker'; did you mean 'workers'?"),
        ({"workers": 0}, "workers is 0"),
        ({"workers": True}, "workers is True"),
        ({"workers": 2.5}, "a whole number"),
        ({"timeout": 0}, "timeout is 0; expected a number above 0"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"max_queue_size": 0}, "max_queue_size is 0"),
        ({"rate_limit": "0/min"}, "rate_limit is '0/min'"),
        ({"rate_limit": 300}, "rate_limit is 300; expected text such as '300/min'"),
        ({"bad_values": "ignore"}, "bad_values is 'ignore'; expected reject or drop"),
        ({"nulls": None}, "nulls is None; expected omit or clear"),
        ({"report": {"a": 1}}, "report has the type dict; expected the path of a file"),
        ({"failures": ""}, "failures is empty; expected the path of a file"),
        ({"ledger": ""}, "ledger is empty; expected the path of a file"),
        ({"encoding": 5}, "encoding is 5; expected text such as 'cp1252'"),
        ({"on_error": 5}, "on_error is 5; expected a function"),
        ({"default_country": None}, "default_country is None; expected text such as '+91'"),
        ({"timezone": 5}, "timezone is 5; expected text such as 'UTC'"),
        ({"base_url": "http://example.com"}, "the key would travel unencrypted"),
        ({"base_url": "https://user:word@example.com"}, "holds a user name or password"),
        ({"base_url": "https://example.com/?a=1"}, "without ? or #"),
        ({"base_url": "https://["}, "expected an address"),
        ({"base_url": 5}, "expected an address"),
        ({"api_key": "  "}, "api_key is blank"),
        ({"api_key": "two\nlines"}, "holds characters that no key has"),
        ({"api_key": 5}, "api_key has the type int; expected text"),
        ({"share": 5}, "share has the type int; expected sqlite:///PATH"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    """One line: the option, its value, and what was expected."""
    with pytest.raises(SettingsError) as caught:
        Settings.resolve(options, environ={})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:8077", "http://127.0.0.1:1", "http://[::1]:5", "https://example.com"]
)
def test_http_is_for_this_machine_only(url: str) -> None:
    """Loopback may be plain; everything else is https."""
    assert Settings(base_url=url).base_url == url


def test_options_go_before_the_environment_before_the_defaults() -> None:
    """None counts as not given."""
    environ = {"INTERAKT_API_KEY": " from-outside\n", "INTERAKT_BASE_URL": "https://outside.example"}
    assert Settings.resolve({"api_key": None}, environ).require_key().reveal() == "from-outside"
    assert Settings.resolve({"api_key": "mine"}, environ).require_key().reveal() == "mine"
    assert Settings.resolve({}, environ).base_url == "https://outside.example"
    assert Settings.resolve({}, {"INTERAKT_BASE_URL": " "}).base_url == BASE_URL


def test_a_message_names_the_variable_that_a_value_comes_from() -> None:
    """Where the option was not given otherwise."""
    with pytest.raises(SettingsError, match=r"^INTERAKT_BASE_URL is 'nowhere'; expected an address"):
        Settings.resolve({}, environ={"INTERAKT_BASE_URL": "nowhere"})
    with pytest.raises(SettingsError, match=r"^base_url is 'here'; expected an address"):
        Settings.resolve({"base_url": "here"}, environ={"INTERAKT_BASE_URL": "nowhere"})
    with pytest.raises(SettingsError, match=r"^INTERAKT_API_KEY is blank or holds"):
        Settings.resolve({}, environ={"INTERAKT_API_KEY": "s3\x07cret"})


def test_options_may_be_any_mapping() -> None:
    """One that cannot be written to gives the same settings as a dict, and keeps what it holds."""
    given = MappingProxyType({"api_key": "s3cret", "workers": 3})
    settings = Settings.resolve(given, environ={})
    assert settings == Settings.resolve(dict(given), environ={})
    assert given == {"api_key": "s3cret", "workers": 3}


def test_the_key_is_not_shown() -> None:
    """Not in repr, not in the public view, not in the error about another option."""
    settings = Settings(api_key="s3cret")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.public())
    with pytest.raises(SettingsError) as caught:
        Settings(api_key="s3cret\x07", workers=3)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        errors.UsageError("a"),
        errors.KeyRefused("b"),
        errors.BadArgumentType("c"),
        errors.APIError(False, 400, "no"),
        LoadInterrupted(None, 15),
    ],
)
def test_errors_pickle(error: BaseException) -> None:
    """They cross process borders whole."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__


def test_exit_codes() -> None:
    """The tree says what the command line returns."""
    assert errors.SettingsError("x").exit_code == 2
    assert errors.Outage("x").exit_code == 3
    assert errors.RowsFailed("x").exit_code == 1
    assert LoadInterrupted(None, 2).exit_code == 130
    assert LoadInterrupted(None, 15).exit_code == 143


def test_fields_hold_parsed_values() -> None:
    """What the text of each means; a parsed value passes unchanged."""
    given = {"rate_limit": "growth", "max_failures": "5%", "rows": "10:20", "null_values": "NULL, N/A", "workers": "8"}
    settings = Settings.resolve({**given, "mask": "yes"}, environ={})
    assert settings.rate_limit == Rate(300, 60)
    assert settings.max_failures == Failures(share=0.05)
    assert settings.rows == RowRange(10, 20)
    assert settings.null_values == ("NULL", "N/A")
    assert (settings.workers, settings.mask) == (8, True)
    assert replace(settings) == settings


def test_what_may_be_shown_is_json() -> None:
    """Each option as its user could have written it, and the password of a share left out."""
    shown = Settings(rate_limit="growth", share="redis://:s3cret@host", max_failures="5%", rows="10:").public()
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["rate_limit"], shown["max_failures"], shown["rows"]) == ("300/min", "5%", "10:")
    assert shown["share"] == "redis://host"
    assert Settings(**{name: value for name, value in shown.items() if name != "share"}).public()["rows"] == "10:"


def test_every_option_is_parsed_by_the_parser_that_it_names() -> None:
    """A word of a closed set is refused with all words; the flag of each option is the one that messages name."""
    for one in fields(Settings):
        if one.metadata["choices"]:
            *others, last = one.metadata["choices"]
            with pytest.raises(SettingsError, match=f"{one.name} is 'x'; expected {', '.join(others)} or {last}"):
                Settings.resolve({one.name: "x"}, environ={})
        if one.metadata["flag"] is not None:
            assert one.metadata["flag"].split("/")[0] == flag_of(one.name)


def test_the_limit_of_a_plan_knows_its_plan_in_a_copy_too() -> None:
    """It is the same rate as 300/min, which names no plan; other processes get the plan as well."""
    rate = Settings(rate_limit="growth").rate_limit
    for one in (rate, copy.deepcopy(rate), pickle.loads(pickle.dumps(rate))):
        assert isinstance(one, PlanRate)
        assert (one.plan, one, str(one)) == ("growth", Rate(300, 60), "300/min")
    assert not isinstance(Settings(rate_limit="300/min").rate_limit, PlanRate)
