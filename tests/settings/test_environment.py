"""Options in the environment: which variables count, which are mistakes, and which are no business of ours."""

from __future__ import annotations

import traceback
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader import MappingDict, baseline, check, infer, load_events, load_users, pull, verify
from interakt_loader.cli.commands import cli
from interakt_loader.cli.options import Flag
from interakt_loader.errors import MappingNeeded, SettingsError, flags_in_messages
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import ACCOUNT, COMMAND_LINE, REFUSED, letters_apart, variable_of
from interakt_loader.settings.settings import VARIABLES
from interakt_loader.settings.values import Failures, Rate, RowRange

TEXTS: dict[str, tuple[str, Any]] = {
    "base_url": ("https://one.example", "https://one.example"),
    "timeout": ("2.5", 2.5),
    "max_retries": ("0", 0),
    "max_queue_size": ("5", 5),
    "workers": (" 3\n", 3),
    "rate_limit": ("300/min", Rate(300, 60)),
    "max_outage": ("0", 0.0),
    "max_failures": ("5%", Failures(share=0.05)),
    "name": ("orders", "orders"),
    "report": ("a.csv", "a.csv"),
    "failures": ("b.csv", "b.csv"),
    "html": ("c.html", "c.html"),
    "ledger": ("d.ledger", "d.ledger"),
    "event_id": ("no", "no"),
    "on_unknown": ("skip", "skip"),
    "coalesce": ("1", True),
    "default_country": ("+49", "+49"),
    "phones": ("as-is", "as-is"),
    "timezone": ("Asia/Kolkata", "Asia/Kolkata"),
    "bad_values": ("drop", "drop"),
    "nulls": ("clear", "clear"),
    "null_values": ("NULL, N/A", ("NULL", "N/A")),
    "dry_run": ("YES", True),
    "encoding": ("cp1252", "cp1252"),
    "delimiter": ("\t", "\t"),
    "header": ("0", False),
    "sheet": ("2", "2"),
    "limit": ("7", 7),
    "rows": ("2:5", RowRange(2, 5)),
    "progress": ("false", False),
}
"""Each option with a text of its variable, and what this means. Those that cannot go with the others are below."""

ALL = {variable_of(name): text for name, (text, _) in TEXTS.items()}


def test_every_option_has_its_variable() -> None:
    """All at once, and each with the meaning that the text has as a flag."""
    settings = Settings.resolve({}, ALL)
    assert {name: getattr(settings, name) for name in TEXTS} == {name: meaning for name, (_, meaning) in TEXTS.items()}
    others = {"INTERAKT_API_KEY": "k", "INTERAKT_SHARE": "redis://host", "INTERAKT_RATE_LIMIT": "growth"}
    settings = Settings.resolve({}, {**others, "INTERAKT_MASK": "true"})
    assert (str(settings.share), settings.require_key().reveal(), settings.mask) == ("redis://host", "k", True)
    old = {"INTERAKT_OLD_API_KEY": "o", "INTERAKT_LEDGER": "l"}
    assert Settings.resolve({"same_account": True}, old).old_api_key is not None
    assert {*TEXTS, "api_key", "share", "mask", "old_api_key"} == {*VARIABLES}
    assert {one.name for one in fields(Settings)} - {*VARIABLES} == {*REFUSED, "on_error"} - {"yes"}


def test_an_argument_goes_before_its_variable() -> None:
    """Also None, where that is a value of its own, and a value that is the default."""
    given: dict[str, Any] = {"ledger": None, "rate_limit": None, "workers": 16, "event_id": None, "max_failures": None}
    settings = Settings.resolve(given, ALL)
    assert {name: getattr(settings, name) for name in given} == given
    environ = {"INTERAKT_API_KEY": "k", "INTERAKT_OLD_API_KEY": "o", "INTERAKT_LEDGER": "l"}
    settings = Settings.resolve({"api_key": None, "base_url": None, "old_api_key": None, "same_account": True}, environ)
    assert (settings.api_key, settings.old_api_key) != (None, None)


def test_none_leaves_a_file_out() -> None:
    """As on the command line."""
    environ = {"INTERAKT_REPORT": "none", "INTERAKT_FAILURES": "NONE", "INTERAKT_LEDGER": " none", "INTERAKT_LIMIT": ""}
    settings = Settings.resolve({}, environ)
    assert (settings.report, settings.failures, settings.ledger, settings.limit) == (None, None, None, None)


@pytest.mark.parametrize(
    ("name", "text"),
    [("workers", "many"), ("rate_limit", "3/fortnight"), ("bad_values", "ignore"), ("dry_run", "maybe"), ("rows", "1")],
)
def test_a_bad_value_is_refused_as_that_of_the_option(name: str, text: str) -> None:
    """In the same words, but for the name."""
    with pytest.raises(SettingsError) as as_option:
        Settings.resolve({name: text}, {})
    with pytest.raises(SettingsError) as as_variable:
        Settings.resolve({}, {variable_of(name): text})
    assert str(as_variable.value) == str(as_option.value).replace(name, variable_of(name), 1)


def test_an_error_about_several_options_names_the_variable() -> None:
    """The one that was set there."""
    with pytest.raises(SettingsError, match=r"^INTERAKT_EVENT_ID is about the ledger: give ledger=PATH too"):
        Settings.resolve({}, {"INTERAKT_EVENT_ID": "no"})


@pytest.mark.parametrize("name", ["INTERAKT_API_KEY", "INTERAKT_OLD_API_KEY", "INTERAKT_SHARE", "INTERAKT_API_KEYS"])
def test_no_error_shows_a_secret(name: str) -> None:
    """Not where its value is wrong, and not where its variable is."""
    with pytest.raises(SettingsError) as caught:
        Settings.resolve({}, {name: "x\x07://:s3cret@host"})
    shown = str(caught.value)
    for frame, _ in traceback.walk_tb(caught.tb):
        if frame.f_code.co_filename != __file__:
            # only tests give an `environ`
            shown += str({key: value for key, value in frame.f_locals.items() if key != "environ"})
    assert name in str(caught.value)
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("INTERAKT_RATELIMIT", "INTERAKT_RATE_LIMIT"),
        ("INTERAKT_RATE_LIMT", "INTERAKT_RATE_LIMIT"),
        ("INTERAKT_RATE_LIMITS", "INTERAKT_RATE_LIMIT"),
        ("INTERACT_API_KEY", "INTERAKT_API_KEY"),
        ("INTERAKTAPI_KEY", "INTERAKT_API_KEY"),
        ("INTERAKT_LEDGR", "INTERAKT_LEDGER"),
        ("INTERAKT_DRYRUN", "INTERAKT_DRY_RUN"),
        ("INTERAKT_MAPING", "INTERAKT_MAPPING"),
        ("INTERAKT_MSK", "INTERAKT_MASK"),
        ("INTERAKT_MAX_FAILURE", "INTERAKT_MAX_FAILURES"),
    ],
)
def test_a_variable_that_is_nearly_right_is_refused(variable: str, meant: str) -> None:
    """One line that names the right one; blank it is as good as not there."""
    with pytest.raises(SettingsError, match=f"^there is no variable {variable}; did you mean {meant}[?]$"):
        Settings.resolve({}, {variable: "1"})
    Settings.resolve({}, {variable: " "})


@pytest.mark.parametrize(
    "variable",
    [
        *("INTERAKT_STATE_DIR", "INTERAKT_TORTURE", "INTERAKT_LONG", "INTERAKT_DB", "INTERAKT_API", "INTERAKT_TOKEN"),
        *("INTERAKT_LOADER_YES", "AIRFLOW_CONN_INTERAKT_DEFAULT", "_INTERAKT_LOADER_COMPLETE", "INTERAKT_", "TIMEOUT"),
        *(variable_of(name) for name in COMMAND_LINE),
    ],
)
def test_any_other_variable_is_left_alone(variable: str) -> None:
    """Those of other programs, of these tests, and of the command line."""
    assert Settings.resolve({}, {variable: "1"}) == Settings()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_said_for_one_load_is_no_variable(name: str) -> None:
    """It is refused, rather than ignored; the message names the option as its reader writes it."""
    with pytest.raises(SettingsError, match=f"^{variable_of(name)}: the environment cannot set .* give {name} where"):
        Settings.resolve({}, {variable_of(name): "0"})
    flag = f"--{name.replace('_', '-')}"
    with flags_in_messages(), pytest.raises(SettingsError, match=f"give {flag} where it is meant$"):
        Settings.resolve({}, {variable_of(name): "1"})


def test_a_program_of_the_sdk_takes_the_account_alone() -> None:
    """What it reads today counts, and nothing else is looked at."""
    environ = {"INTERAKT_API_KEY": "k", "INTERAKT_TIMEOUT": "x", "INTERAKT_RESEND": "1", "INTERAKT_RATELIMIT": "1"}
    settings = Settings.resolve({}, environ, variables=ACCOUNT, strict=False)
    assert (settings.require_key().reveal(), settings.timeout) == ("k", 10)


def test_the_command_line_has_no_other_variables() -> None:
    """Every flag of a command that calls an account, or reads a source, is a variable of one kind or the other."""
    flags = {one for command in cli.commands.values() for one in command.params if isinstance(one, Flag)}
    # `run` has flags of its own for two options of loads
    assert {str(one.envvar) for one in flags if one.envvar} == {*map(variable_of, (*COMMAND_LINE, "dry_run", "html"))}
    without = {str(one.name) for one in flags if not one.envvar} - {*VARIABLES, *REFUSED}
    assert without == {"folder", "port", "limit_per_minute", "latency", "faults", "assume"}


def test_python_reads_them_as_the_command_line_does(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, sandbox: Any
) -> None:
    """Loads take all; what only looks takes those that it has, so that one environment serves all."""
    monkeypatch.chdir(tmp_path)
    users = [{"id": "1"}, {"id": "2"}]
    mapping: MappingDict = {"user_id": "id"}
    for name, text in {
        "API_KEY": sandbox.api_key,
        "BASE_URL": sandbox.url,
        "LEDGER": "x.ledger",
        "REPORT": "x.report.csv",
        "FAILURES": "x.failures.csv",
        "LIMIT": "1",
        "MAX_FAILURES": "0",
        "COALESCE": "1",
    }.items():
        monkeypatch.setenv(f"INTERAKT_{name}", text)
    assert check(users, mapping).rows == 1
    assert baseline(users, mapping).rows == 1
    assert load_users(users, mapping).unchanged == 1
    assert load_users(users, mapping, limit=None, ledger=None).sent == 2
    assert verify(users, mapping, limit=2).rows == 2
    assert infer(users).open_questions is not None
    assert pull("all.csv").contacts == 2
    assert {path.name for path in tmp_path.iterdir()} >= {"x.ledger", "x.report.csv", "all.csv"}
    with pytest.raises(SettingsError, match=r"^INTERAKT_COALESCE is for users"):
        load_events(users, {**mapping, "event": {"value": "x"}})
    monkeypatch.setenv("INTERAKT_BASE_URL", "https://interakt.example")
    with pytest.raises(MappingNeeded):
        load_users(users)
    for run in (load_users, infer, verify, pull):
        monkeypatch.setenv("INTERAKT_LEGER", "x")
        with pytest.raises(SettingsError, match="there is no variable INTERAKT_LEGER; did you mean INTERAKT_LEDGER"):
            run("all.csv")


@given(st.text("AB_", max_size=6), st.text("AB_", max_size=6))
def test_letters_apart(one: str, other: str) -> None:
    """It is a distance: symmetric, 0 for equal words, and never more than one of them replaced by the other."""
    apart = letters_apart(one, other, 6)
    assert apart == letters_apart(other, one, 6)
    assert apart is not None
    assert (apart == 0) == (one == other)
    assert abs(len(one) - len(other)) <= apart <= max(len(one), len(other))
    assert letters_apart(one, other, 1) == (apart if apart <= 1 else None)
    assert letters_apart(one + "A", other + "A", 6) == apart
