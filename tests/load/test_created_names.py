"""The names that a load would create: counted in a dry run, compared with the ledger, and remembered by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import MappingDict, baseline, check, load_events, load_users
from interakt_loader.cli import run
from interakt_loader.mapping.created import MOST_NAMES, PLAN_CAPS, CreatedNames, alike, folded
from interakt_loader.result.creates import Creates
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.settings.values import PLAN_RATES

USERS = pd.DataFrame({"id": ["1", "2"], "City": ["Pune", None], "Pin code": ["1", "2"], "tags": ["vip, new", "vip"]})
MAPPING: MappingDict = {"user_id": "id", "tags": "tags", "traits": "*"}
ORDERS: MappingDict = {"user_id": "id", "event": "event", "traits": ["City"]}


def to(sandbox: Sandbox, **options: Any) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, "progress": False, **options}


def creates(data: Any, mapping: Any, **options: Any) -> Creates:
    """Return what a dry run says of the names."""
    found = check(data, mapping, **options).creates
    assert found is not None
    return found


def names(found: Creates) -> dict[str, tuple[str, ...]]:
    return {one.sort: one.names for one in found.names}


def new(found: Creates) -> dict[str, tuple[str, ...] | None]:
    return {one.sort: one.new for one in found.names}


def test_the_names_in_the_calls_are_counted() -> None:
    """Traits with a value, each tag once, event names; users have no events, and events no tags."""
    assert names(creates(USERS, MAPPING)) == {"traits": ("City", "Pin code"), "tags": ("vip", "new")}
    events = USERS.assign(event=["Paid", "Seen"])
    assert names(creates(events, ORDERS)) == {"traits": ("City",), "events": ("Paid", "Seen")}


def test_only_rows_that_can_be_sent_count() -> None:
    """A row without an id has no call, so its tags and events are not created; nor is a trait without a value."""
    users = USERS.assign(id=["1", None], tags=["a", "b"], City=[None, "Pune"], empty=[None, None])
    assert names(creates(users, MAPPING)) == {"traits": ("Pin code",), "tags": ("a",)}


def test_rows_of_a_group_count_as_their_event() -> None:
    """A trait of any row of a good group; none of a group that is refused."""
    rows = pd.DataFrame({"id": ["1", None, "2"], "order": [1, 1, None], "a": [None, "x", None], "b": [None, None, "y"]})
    written = {"user_id": "id", "event": {"value": "E"}, "group_by": "order", "traits": ["a", "b"]}
    assert names(creates(rows.iloc[:2], written)) == {"traits": ("a",), "events": ("E",)}
    assert names(creates(rows, written)) == {"traits": (), "events": ()}


def test_later_rows_of_json_lines_bring_more_names(tmp_path: Path) -> None:
    """Each row has its own columns: all of them count, however late they come."""
    path = tmp_path / "users.jsonl"
    rows = [{"id": str(at), "first": 1} for at in range(5000)] + [{"id": "last", "late": 2}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert names(creates(path, {"user_id": "id", "traits": "*"}))["traits"] == ("first", "late")


def test_a_ledger_tells_which_names_are_new(sandbox: Sandbox, tmp_path: Path) -> None:
    """All for a ledger that is not there yet; after a load only those that it did not send; none after all were."""
    options = to(sandbox, ledger=tmp_path / "l.ledger")
    assert new(creates(USERS, MAPPING, **options)) == {"traits": ("City", "Pin code"), "tags": ("vip", "new")}
    load_users(USERS.assign(City=None, tags="vip"), MAPPING, **options)
    assert new(creates(USERS, MAPPING, **options)) == {"traits": ("City",), "tags": ("new",)}
    load_users(USERS, MAPPING, **options)
    assert new(creates(USERS, MAPPING, **options)) == {"traits": (), "tags": ()}
    # no calls, so no campaign either
    assert creates(USERS, MAPPING, **options).lines() == [
        "2 traits, known to the ledger",
        "2 tags, known to the ledger",
    ]


def test_without_a_ledger_nothing_is_called_new() -> None:
    """The names of earlier loads are unknown then."""
    found = creates(USERS, MAPPING)
    assert new(found) == {"traits": None, "tags": None}
    assert found.lines()[0] == "2 traits"


def test_users_and_events_have_names_of_their_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """A trait of users is no trait of events: Interakt keeps both apart."""
    options = to(sandbox, ledger=tmp_path / "l.ledger")
    load_users(USERS, MAPPING, **options)
    found = creates(USERS.assign(event="Paid"), {**ORDERS, "created_at": {"value": "2026-01-01"}}, **options)
    assert new(found) == {"traits": ("City",), "events": ("Paid",)}


def test_baseline_and_loads_that_failed(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is put on record counts as known; what the API refused does not."""
    options = to(sandbox, ledger=tmp_path / "l.ledger")
    baseline(USERS, MAPPING, **options)
    assert new(creates(USERS, MAPPING, **options)) == {"traits": (), "tags": ()}
    with Sandbox(SandboxOptions(faults="400=100%")) as refusing:
        options = to(refusing, ledger=tmp_path / "m.ledger")
        load_users(USERS, MAPPING, **options)
        assert new(creates(USERS, MAPPING, **options)) == {"traits": ("City", "Pin code"), "tags": ("vip", "new")}


def test_the_ledger_holds_no_name_in_clear(sandbox: Sandbox, tmp_path: Path) -> None:
    """A tag may be personal: the file has digests only."""
    path = tmp_path / "l.ledger"
    load_users(USERS.assign(tags="Secret-tag-of-Asha"), MAPPING, **to(sandbox, ledger=path))
    assert b"Secret-tag-of-Asha" not in path.read_bytes()
    assert b"Pin code" not in path.read_bytes().replace(b'"trait Pin code": ["Pin code"]', b"")


@pytest.mark.parametrize("plan", ["growth", "advanced"])
def test_the_caps_of_a_declared_plan_stand_beside(plan: str) -> None:
    """Names with a meaning of their own are no custom fields."""
    users = USERS.rename(columns={"City": "name"})
    caps = PLAN_CAPS[plan]
    text = f"plan {plan}, as far as is known: 1 of {caps['traits']} custom fields and 2 of {caps['tags']} tags"
    assert text in creates(users, MAPPING, rate_limit=plan).lines()
    for undeclared in (None, str(PLAN_RATES[plan])):
        assert not any("plan" in line for line in creates(users, MAPPING, rate_limit=undeclared).lines())
    events = creates(users.assign(event="Paid"), {**ORDERS, "traits": ["name"]}, rate_limit=plan)
    assert f"0 of {caps['traits']} custom fields and 1 of {caps['events']} custom events" in "\n".join(events.lines())


def test_names_that_differ_only_in_case_or_spaces_are_said(sandbox: Sandbox, tmp_path: Path) -> None:
    """Within the load, and against the names that the ledger knows."""
    users = USERS.assign(city="x")
    line = '"City" and "city" differ only in case, spaces, _ or -, and may be several traits for Interakt'
    assert line in creates(users, MAPPING).lines()
    options = to(sandbox, ledger=tmp_path / "l.ledger")
    load_users(USERS, MAPPING, **options)
    found = creates(USERS.rename(columns={"Pin code": "pincode"}), MAPPING, **options)
    assert found.known_otherwise == ("pincode",)
    assert "the ledger knows these traits with other case, spaces, _ or -: pincode" in found.lines()
    assert found.as_dict()["known_otherwise"] == ["pincode"]


def test_a_trait_spelled_almost_as_one_of_interakts_own_is_said() -> None:
    """`Email` is no `email`; nothing is said of the right name, beside the right name, or of a trait of events."""
    line = '"Email" is not Interakt\'s own trait "email", and may become a custom field'
    users = USERS.rename(columns={"City": "Email"})
    found = creates(users, MAPPING)
    assert line in found.lines()
    assert found.as_dict()["like_own"] == {"Email": "email"}
    assert creates(USERS.rename(columns={"City": "email"}), MAPPING).like_own == {}
    assert creates(users.assign(email="x"), MAPPING).like_own == {}
    assert creates(users.assign(event="Paid"), {**ORDERS, "traits": ["Email"]}).like_own == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Pin code", "pincode", True),
        ("Pin_Code", "PIN-CODE", True),
        ("Straße", "STRASSE", True),
        ("city", "cities", False),
        ("a1", "a 1", True),
    ],
)
def test_what_counts_as_alike(one: str, other: str, *, same: bool) -> None:
    """Case, white space, underscores and hyphens do not count."""
    assert (folded(one) == folded(other)) is same
    assert alike([one, "else", other]) == ([(one, other)] if same else [])


def test_a_long_name_is_cut_in_a_line(tmp_path: Path) -> None:
    """A heading of thousands of characters would hide the others."""
    line = creates(USERS.rename(columns={"City": "n" * 3000}), MAPPING, ledger=tmp_path / "l").lines()[0]
    assert line == f"2 traits, new to the ledger: Pin code, {'n' * 59}…"


def test_no_more_than_a_thousand_names_are_kept(tmp_path: Path) -> None:
    """Of more, it is said that there are more."""
    users = pd.DataFrame({"id": ["1"] * 3, "tags": [f"t{at}" for at in range(3)]})
    users.loc[2, "tags"] = ",".join(f"tag {at}" for at in range(MOST_NAMES))
    found = creates(users, MAPPING, ledger=tmp_path / "new.ledger")
    assert found.lines()[0].startswith(f"more than {MOST_NAMES:,} tags, new to the ledger: t0, ")
    tags = found.as_dict()["tags"]
    assert (tags["count"], tags["has_more"], tags["new_count"], len(tags["new"])) == (1000, True, 1000, 100)
    created = CreatedNames()
    created.add("tags", (str(at) for at in range(MOST_NAMES)))
    assert (created.is_cut("tags"), created.lacks("tags", "0")) == (False, False)
    created.add("tags", ["0", "one more"])
    assert (created.is_cut("tags"), len(created.of("tags"))) == (True, MOST_NAMES)


def test_that_campaigns_may_start_is_said() -> None:
    """Events can start them, and so can new contacts; a load without calls starts none."""
    assert creates(USERS, MAPPING).lines()[-1].startswith("new contacts can start ongoing campaigns")
    assert creates(USERS.assign(event="E"), ORDERS).lines()[-1].startswith("events can start ongoing campaigns")
    assert creates(USERS.assign(id=None), MAPPING).lines() == []


def test_personal_names_are_masked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A phone or an address as a tag or a column's name is shown masked, in the terminal and in JSON."""
    path = tmp_path / "u.csv"
    USERS.assign(tags="asha@example.com", **{"98765 43210": "x"}).to_csv(path, index=False)
    flags = ["--map", "user_id=id", "--map", "tags=tags", "--dry-run", "--report", str(tmp_path / "r.csv")]
    assert run([str(path), *flags, "--ledger", str(tmp_path / "l.ledger"), "--output", "json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)["creates"]
    new_tag = {"count": 1, "has_more": False, "new_count": 1, "new": ["•••@example.com"], "plan_has": None}
    assert found["tags"] == new_tag
    assert "43210" not in json.dumps(found, ensure_ascii=False)
    assert "asha@" not in json.dumps(found) + err


def test_every_surface_says_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The terminal, the notebook's card, and the page; a load that is no dry run has nothing to say."""
    path = tmp_path / "u.csv"
    USERS.to_csv(path, index=False)
    flags = ["--map", "user_id=id", "--dry-run", "--report", str(tmp_path / "r.csv"), "--ledger", "none"]
    assert run([str(path), *flags, "--html", str(tmp_path / "p.html")]) == 0
    assert "names in these calls, which an account keeps for ever:\n  3 traits\n" in capsys.readouterr().out
    assert "<li>3 traits</li>" in (tmp_path / "p.html").read_text(encoding="utf-8")
    result = check(USERS, MAPPING)
    assert "2 traits; 2 tags" in result._repr_html_()
    with Sandbox() as sandbox:
        sent = load_events(USERS.assign(event="E"), ORDERS, **to(sandbox))
    assert sent.creates is None
    assert sent.as_dict()["creates"] is None
