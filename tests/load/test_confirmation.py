"""In Python: a proposed mapping is a `Mapping`, and is sent to the API only when somebody has given it back."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import interakt_loader
from interakt_loader import InferredMapping, Mapping, MappingNeeded, UsageError, check, infer, load_events, load_users
from interakt_loader.errors import SettingsError
from interakt_loader.mapping import read_mapping
from interakt_loader.sandbox import Sandbox
from tests.cli.terminal import FarApi, far_api

USERS = pd.DataFrame(
    {
        "customer_id": ["C-1", "C-2"],
        "mobile": ["98765 43210", "98765 43211"],
        "name": ["Ann <b>", "Bob"],
        "spent": ["1,299.00", "7"],
    }
)
OPEN = pd.DataFrame({"user_id": ["7", "7"], "order_date": ["2024-01-31", "2024-02-01"]})
CONTACTS = pd.DataFrame(
    [["Asha", "91", "98765 43210", "TRUE", "C-1"]],
    columns=["Name", "Country Code", "Phone Number", "WhatsApp Opted", "User ID"],
)


@pytest.fixture(scope="module")
def _far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarApi]:
    with far_api(tmp_path_factory.mktemp("far")) as api:
        yield api


@pytest.fixture
def api(_far: FarApi, monkeypatch: pytest.MonkeyPatch) -> FarApi:
    """An API that is not on this machine, and knows nobody yet; loads find it without being told."""
    _far.sandbox.reset()
    for name, value in _far.environment.items():
        if name.startswith("INTERAKT_") or "PROXY" in name.upper() or name == "REQUESTS_CA_BUNDLE":
            monkeypatch.setenv(name, value)
    return _far


def test_a_guess_is_an_error_that_holds_it(api: FarApi) -> None:
    """Nothing is sent; what the error says can be pasted, and then it is."""
    with pytest.raises(MappingNeeded, match="no mapping is given, and a guess is sent only when") as caught:
        load_users(USERS, rate_limit=None)
    assert api.sandbox.stats().calls == 0
    assert isinstance(caught.value, UsageError)
    assert caught.value.proposal.as_dict()["user_id"] == "customer_id"
    _, _, call = str(caught.value).partition("\n\n")
    assert call.startswith("load_users(data, {\n    'user_id': 'customer_id',  # the column is called customer_id")
    pasted = ast.parse(call).body[0]
    assert isinstance(pasted, ast.Expr)
    assert isinstance(pasted.value, ast.Call)
    mapping = ast.literal_eval(pasted.value.args[1])
    assert load_users(USERS, mapping, rate_limit=None).sent == 2
    user = api.sandbox.find_user("C-1")
    assert user is not None
    assert user.traits == {"name": "Ann <b>", "spent": 1299}


def test_to_give_the_proposal_back_is_to_confirm_it(api: FarApi) -> None:
    """`load_users(df, infer(df))` sends."""
    assert load_users(USERS, infer(USERS), rate_limit=None).sent == 2


def test_confirming_answers_no_open_question(api: FarApi) -> None:
    """Not in a dry run either: what it would show would not be what is sent."""
    proposal = infer(OPEN)
    assert proposal.open_questions[0].startswith("kind: ")
    for load in (load_users, check):
        with pytest.raises(MappingNeeded, match="the mapping is not complete: answer the open questions") as caught:
            load(OPEN, proposal)
        assert "\n# open: kind: " in str(caught.value)
    assert api.sandbox.stats().calls == 0
    answered = infer(OPEN, kind="events", event="Order Placed")
    assert answered.open_questions == ()
    assert load_events(OPEN, answered, rate_limit=None).sent == 2


def test_a_recognised_export_goes_on(api: FarApi) -> None:
    """Its headings say what it is."""
    assert load_users(CONTACTS, rate_limit=None).sent == 1


def test_what_stays_on_this_machine_goes_on(sandbox: Sandbox) -> None:
    """A dry run, and an address of this machine by each of its names."""
    assert check(USERS).unsent == 2
    assert load_users(USERS, dry_run=True).unsent == 2
    for name in ("127.0.0.1", "localhost"):
        url = sandbox.url.replace("127.0.0.1", name)
        assert load_users(USERS, api_key=sandbox.api_key, base_url=url).sent == 2
    with pytest.raises(MappingNeeded):
        load_users(USERS, api_key="key", base_url="https://127.0.0.1.example.com")


def test_both_pickle(api: FarApi) -> None:
    """They cross process borders, with all that they hold."""
    with pytest.raises(MappingNeeded) as caught:
        load_users(USERS)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.proposal, str(again)) == (caught.value.proposal, str(caught.value))
    assert again.proposal.reasons == infer(USERS, kind="users").reasons


def test_airflow_does_not_try_it_again() -> None:
    """No retry confirms anything."""
    with pytest.raises(MappingNeeded) as caught:
        load_users(USERS, api_key="key", base_url="https://api.example.com")
    assert not caught.value.can_retry


def test_what_a_proposal_says() -> None:
    """It is a `Mapping`, with reasons, notes, and a plain way of showing itself."""
    found = infer(USERS)
    assert isinstance(found, Mapping)
    assert isinstance(found, InferredMapping)
    assert repr(found) == "<InferredMapping: users, user_id=customer_id, phone=mobile, 2 traits>"
    assert list(found.reasons) == ["user_id", "phone", "traits.name", "traits.spent"]
    assert found.reasons["phone"].startswith("the column is called mobile; all of 2 values are phone numbers")
    assert (found.kind, found.preset, found.open_questions) == ("user", None, ())
    assert repr(infer(OPEN)).endswith("1 open>")
    assert infer(CONTACTS).preset == "interakt-contacts"


def test_it_is_written_as_a_file_that_nobody_has_confirmed(tmp_path: Path) -> None:
    """Read by name it is this very mapping; of a recognised export there is nothing to confirm."""
    path = tmp_path / "m.yaml"
    path.write_text(infer(USERS).to_yaml(), encoding="utf-8")
    assert "\nconfirmed: false\n" in path.read_text(encoding="utf-8")
    assert read_mapping(path) == infer(USERS).mapping
    assert "confirmed" not in infer(CONTACTS).to_yaml()


def test_only_a_file_says_whether_it_is_confirmed() -> None:
    """A dict is given by somebody."""
    with pytest.raises(UsageError, match="the mapping has no field 'confirmed'"):
        check(USERS, Mapping.of({"user_id": "customer_id", "confirmed": False}))


@pytest.mark.parametrize("column", ["<img src=x>", "a\u202eb", "name\nline"])
def test_the_notebook_shows_it_escaped(column: str) -> None:
    """Whatever the columns are called."""
    frame = pd.DataFrame({"customer_id": ["a", "b"], column: ["x", "y"]})
    html = infer(frame)._repr_html_()
    assert "customer_id" in html
    assert column not in html
    assert "load_users(data, mapping)" in html
    assert "open questions" in infer(OPEN)._repr_html_()


def test_a_country_that_is_given_is_part_of_the_mapping(api: FarApi) -> None:
    """Else the confirmed mapping would read other numbers in the next call; one that is not given is not."""
    frame = pd.DataFrame({"customer_id": ["C-1"], "mobile": ["(212) 736-5001"]})
    found = infer(frame, default_country="+1")
    assert found.as_dict()["country_code"] == {"value": "+1"}
    assert load_users(frame, found, rate_limit=None).sent == 1
    user = api.sandbox.find_user("C-1")
    assert user is not None
    assert user.country_code == "+1"
    assert "country_code" not in infer(USERS).as_dict()
    assert infer(USERS, default_country="+91").as_dict()["country_code"] == {"value": "+91"}


def test_what_infer_does_not_know() -> None:
    """One line, and nothing else."""
    with pytest.raises(SettingsError, match="kind is 'user'; expected users or events"):
        infer(USERS, kind="user")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="there is no preset 'shopify'"):
        infer(USERS, preset="shopify")
    with pytest.raises(UsageError, match="there is no option 'evnt'"):
        infer(USERS, evnt="x")  # type: ignore[call-arg]


def test_phones_in_the_error_are_masked() -> None:
    """An error's text goes into logs; the proposal itself has all."""
    frame = pd.DataFrame({"customer_id": ["a", "b"], "mobile": ["98765 43210", "98765 4321"]})
    with pytest.raises(MappingNeeded) as caught:
        load_users(frame, api_key="key", base_url="https://api.example.com")
    assert "98765 4321" not in str(caught.value)
    assert any("98765 4321" in one for one in caught.value.proposal.remarks)


def test_the_public_names(monkeypatch: Any) -> None:
    """They load when they are first used."""
    assert interakt_loader.infer is infer
    assert interakt_loader.MappingNeeded is MappingNeeded
