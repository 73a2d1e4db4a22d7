"""Types at run time and in editors, and that they say what the code checks. `external/packaging` has the checkers."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import jedi
import pytest

import interakt_loader
from interakt_loader import FieldDict, LoadResult, MappingDict, Options, TraitDict, load_users, pull, run, track
from interakt_loader.account.pull import OPTIONS
from interakt_loader.columns.target import DECIMALS, TYPES
from interakt_loader.mapping.spec import _FIELD_KEYS, FIELDS
from interakt_loader.settings import Settings
from interakt_loader.settings.values import Rate, parse_rate
from tests.signatures import API, STUB, stub, with_options

NAMES = [one.name for one in fields(Settings)]
PUBLIC = [getattr(interakt_loader, name) for name in interakt_loader.__all__]
OF_TRACK = [getattr(track, name) for name in track.__all__]
FUNCTIONS = [one for one in PUBLIC if inspect.isfunction(one) and one is not run]
KINDS = (inspect.isfunction, inspect.isclass, inspect.ismodule)
TYPED = [one for one in (*PUBLIC, *OF_TRACK) if any(is_kind(one) for is_kind in KINDS)]


@pytest.mark.parametrize("typed", TYPED, ids=lambda one: one.__name__)
def test_types_resolve_at_run_time(typed: Callable[..., Any]) -> None:
    """Of each public function, class and module, as programs need it that read types."""
    found = typing.get_type_hints(typed)
    assert found.keys() == inspect.get_annotations(typed).keys() or inspect.isclass(typed)
    assert not [name for name, kind in found.items() if isinstance(kind, (str, typing.ForwardRef))]


def test_a_method_that_returns_arrow_data_is_typed() -> None:
    """Those that return data of pandas and matplotlib have types for checkers only: both are slow to import."""
    assert typing.get_type_hints(LoadResult.to_arrow)["return"].__module__.startswith("pyarrow")


def test_each_choice_is_a_literal_of_what_its_parser_takes() -> None:
    choices = {one.name: one.metadata["choices"] for one in fields(Settings) if one.metadata["choices"]}
    typed = typing.get_type_hints(Options)
    assert choices
    assert {name: typing.get_args(typed[name]) for name in choices} == choices
    words, *others = typing.get_args(typed["rate_limit"])
    assert others == [str, Rate, type(None)]
    assert [parse_rate(word) for word in typing.get_args(words)]


def test_the_dicts_of_a_mapping_have_the_keys_that_are_read() -> None:
    assert MappingDict.__annotations__.keys() == set(FIELDS)
    assert TraitDict.__annotations__.keys() == set(_FIELD_KEYS) == FieldDict.__annotations__.keys() | {"name"}
    typed = typing.get_type_hints(FieldDict)
    assert (typing.get_args(typed["type"]), typing.get_args(typed["decimal"])) == (TYPES, DECIMALS)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_each_option_is_a_parameter(function: Callable[..., Any]) -> None:
    """`help` and editors show them with their defaults, and `pull` only those that it takes."""
    shown = inspect.signature(function).parameters
    expected = [one for one in NAMES if function is not pull or one in OPTIONS]
    assert list(shown)[-len(expected) :] == expected
    assert {name: shown[name].default for name in expected} == {
        one.name: one.default for one in fields(Settings) if one.name in expected
    }


def test_what_is_made_of_the_options_is_up_to_date() -> None:
    """If this fails, run `python -m tests.public_api`."""
    assert STUB.read_text(encoding="utf-8") == stub()
    api = API.read_text(encoding="utf-8")
    assert with_options(api) == api


def test_the_docstring_of_a_load_has_each_option() -> None:
    """With the beginning of its meaning."""
    text = " ".join((load_users.__doc__ or "").split())
    for one in fields(Settings):
        assert f"- `{one.name}`: {one.metadata['meaning'][:20]}" in text


PROGRAM = """
import pandas as pd
from interakt_loader import load_users

df = pd.DataFrame()
m = {"user_id": "id"}
load_users(df, m, """


@pytest.mark.parametrize("is_notebook", [False, True])
def test_an_editor_completes_options(is_notebook: bool) -> None:
    """From the source, as an editor does, and from living objects, as a notebook does."""

    def completed(typed: str) -> list[str]:
        if is_notebook:
            script = jedi.Interpreter(f"load_users(df, m, {typed}", [{"load_users": load_users}])
        else:
            script = jedi.Script(PROGRAM + typed, project=jedi.Project(STUB.parents[1]))
        return [one.name_with_symbols for one in script.complete() if one.name_with_symbols.endswith("=")]

    assert completed("rate") == ["rate_limit="]
    assert set(completed("")) >= {f"{name}=" for name in NAMES}


def test_an_editor_shows_the_docstring() -> None:
    """The signature comes from the stub, and the text from the source."""
    script = jedi.Script(PROGRAM, project=jedi.Project(STUB.parents[1]))
    (signature,) = script.get_signatures()
    assert signature.docstring(raw=True).startswith("Make one user call for each row of a table")
