"""The recipes of docs/recipes.md: each is followed by itself, and the sandbox then holds what it promises."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import pytest

from interakt_loader.sandbox import Sandbox, SandboxProcess, UserRecord
from tests.snippets import AS_WATCHED, ROOT, fences, followed, timeless

PAGE = ROOT / "docs" / "recipes.md"
RECIPES = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
"""The text of each recipe, by its heading."""

needs_sql = pytest.mark.skipif(find_spec("duckdb") is None, reason="the extra sql is not installed")


@pytest.fixture
def reader(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty working folder of a reader whose key and address are those of the sandbox."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash to run the commands with")
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox.url)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def follow(recipe: str, folder: Path) -> None:
    """Run all blocks of a recipe, and compare what each prints with the page."""
    blocks = [(timeless(one.actual), timeless(one.fence.text)) for one in followed(RECIPES[recipe], folder)]
    assert blocks, "the recipe shows no output"
    for actual, shown in blocks:
        assert actual == shown, "python -m tests.docs writes it anew"


def run_again(recipe: str, folder: Path) -> str:
    """Run the commands of a recipe once more, on the files that are in the folder by then; return what they print."""
    consoles = [f"```console\n{fence.text}```\n" for fence in fences(RECIPES[recipe]) if fence.language == "console"]
    return "".join(one.actual for one in followed("".join(consoles), folder))


def held(sandbox: Sandbox) -> list[UserRecord]:
    """Return the users that the sandbox holds, in the order of their ids: calls may arrive in any order."""
    return sorted(sandbox.users(), key=lambda user: str(user.user_id))


def users(sandbox: Sandbox) -> dict[str | None, dict[str, Any]]:
    """Return the traits of each user that the sandbox holds, by user id."""
    return {user.user_id: dict(user.traits) for user in held(sandbox)}


def test_there_are_eleven_recipes() -> None:
    """Each has a line in the table at the top, and says what to look at.

    That of a database is followed in `tests/external/databases`.
    """
    listed = re.findall(r"^\| .* \| \[(.+)\]\(#.+\) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [*RECIPES]
    assert len(RECIPES) == 11
    assert [name for name, text in RECIPES.items() if not {"**You have**", "**Look at**"} <= set(_bold(text))] == []


def _bold(text: str) -> list[str]:
    return re.findall(r"^\*\*[^*]+\*\*", text, re.MULTILINE)


def test_shopify_customers(sandbox: Sandbox, reader: Path) -> None:
    """Names are joined, and the phone comes from the column that has one."""
    follow("Shopify customers", reader)
    assert [
        (user.user_id, user.country_code, user.phone, user.traits["name"], user.tags) for user in held(sandbox)
    ] == [
        ("7001", "+91", "9876543210", "Asha Rao", ["vip", "diwali"]),
        ("7002", "+91", "9876543211", "Ravi", []),
        ("7003", "+44", "7911123456", "Mehta", []),
    ]
    assert all("whatsapp_opted_in" not in traits for traits in users(sandbox).values())


def test_woocommerce_orders(sandbox: Sandbox, reader: Path) -> None:
    """One event an order, with its items as lists of one length."""
    follow("WooCommerce orders", reader)
    events = {event.traits["Order"]: event for event in sandbox.events()}
    assert len(events) == len(sandbox.events()) == 2
    first = events["2001"]
    assert (first.event, first.phone, first.created_at) == ("Order Placed", "9876543210", "2025-03-27T13:00:00.000Z")
    assert {name: first.traits[name] for name in ("name", "Items", "Item SKUs", "Item quantities", "Total")} == {
        "name": "Asha Rao",
        "Items": ["Shirt", "Cap"],
        "Item SKUs": ["S-1", "-"],
        "Item quantities": [2, 1],
        "Total": 1598,
    }
    assert events["2002"].country_code == "+44"


def test_a_sheet_with_damaged_phones(sandbox: Sandbox, reader: Path) -> None:
    """What can be read is sent; what cannot be read for certain is not guessed."""
    follow("A sheet with damaged phones", reader)
    assert {user.user_id: user.phone for user in held(sandbox)} == {
        "V-1": "9811122201",
        "V-4": "9811122204",
        "V-5": "9811122205",
        "V-6": None,
    }


def test_a_frame_of_odd_types(sandbox: Sandbox, reader: Path) -> None:
    """Each type arrives as JSON that means the same, and missing values do not arrive at all."""
    follow("A frame of odd types", reader)
    ids = [f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2, 3)]
    assert [(user.user_id, user.phone) for user in held(sandbox)] == [
        (ids[0], "9811133301"),
        (ids[1], None),
        (ids[2], "9811133303"),
    ]
    assert users(sandbox)[ids[0]] == {
        "tier": "gold",
        "spent": 1299.5,
        "orders": 2,
        "opted in": True,
        "joined": "2024-01-31T13:00:00.000Z",
        "birthday": "1992-05-16",
        "interests": ["shoes", "caps"],
        "last call": 5,
    }
    assert users(sandbox)[ids[1]] == {"tier": "silver", "spent": 0, "interests": []}


@needs_sql
def test_only_the_opted_in(sandbox: Sandbox, reader: Path) -> None:
    """Whoever did not agree, or did not answer, is not in the account."""
    follow("Only the opted-in", reader)
    assert users(sandbox) == {
        "O-1": {"name": "Asha Rao", "whatsapp_opted_in": True, "Agreed on": "2025-01-10"},
        "O-3": {"name": "Chitra Nair", "whatsapp_opted_in": True, "Agreed on": "2025-02-11"},
    }


@needs_sql
def test_users_who_left_the_list(sandbox: Sandbox, reader: Path) -> None:
    """Who left has the trait, also after they returned and left once more."""
    follow("Users who left the list", reader)
    assert _membership(sandbox) == {"L-1": "member", "L-2": "left", "L-3": "member", "L-4": "member"}
    without = (reader / "members-today.csv").read_text(encoding="utf-8")
    with_l2 = f"{without}L-2,Bob Lee,silver\n"
    for yesterday, today, expected in ((without, with_l2, "member"), (with_l2, without, "left")):
        (reader / "members-yesterday.csv").write_text(yesterday, encoding="utf-8")
        (reader / "members-today.csv").write_text(today, encoding="utf-8")
        run_again("Users who left the list", reader)
        assert _membership(sandbox)["L-2"] == expected


def _membership(sandbox: Sandbox) -> dict[str | None, str]:
    return {user: traits["Membership"] for user, traits in users(sandbox).items()}


def test_nested_json_lines(sandbox: Sandbox, reader: Path) -> None:
    """Fields of objects are traits, and each value keeps its own type."""
    follow("Nested JSON lines", reader)
    assert [(user.user_id, user.phone, user.tags) for user in held(sandbox)] == [
        ("N-1", "9811155501", ["vip", "beta"]),
        ("N-2", None, []),
    ]
    assert users(sandbox) == {
        "N-1": {
            "name": "Asha Rao",
            "City": "Pune",
            "Pin code": "411001",
            "Visits": 3,
            "Last seen": "2025-03-27T13:26:52.926Z",
        },
        "N-2": {"name": "Bob Lee", "City": "Unknown", "Visits": "many"},
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a single other process")
def test_a_million_rows(sandbox_process: SandboxProcess, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 1,000 rows, and Ctrl-C in the middle: the same command continues, and each row is sent once."""
    monkeypatch.setenv("INTERAKT_API_KEY", sandbox_process.api_key)
    monkeypatch.setenv("INTERAKT_BASE_URL", sandbox_process.url)
    recipe = RECIPES["A million rows"]
    for one in followed(recipe.replace("1_000_000", "1_000"), reader):
        assert _without_numbers(one.actual) == _without_numbers(one.fence.text), "python -m tests.docs writes it anew"
    assert sandbox_process.stats().calls == 20
    (command,) = [fence.text for fence in fences(recipe) if fence.language == "bash"]
    flags = shlex.split(command.replace("growth", "30000/min"))[1:]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | AS_WATCHED
    arguments = [sys.executable, "-m", "interakt_loader", *flags]
    load = subprocess.Popen(arguments, env=environment, stdout=PIPE, stderr=STDOUT, encoding="utf-8")
    until = time.monotonic() + 60
    while sandbox_process.stats().calls < 200:
        assert time.monotonic() < until, "the load did not begin"
        assert load.poll() is None, "the load ended too early"
    load.send_signal(signal.SIGINT)
    printed, _ = load.communicate(timeout=30)
    assert load.returncode == 130
    (shown,) = [fence.text for fence in fences(recipe) if fence.language == "text"]
    assert _without_numbers(printed).splitlines() == _without_numbers(shown).splitlines()
    assert 200 <= sandbox_process.stats().calls < 1000
    assert subprocess.run(arguments, env=environment, check=False).returncode == 0
    assert [user.calls for user in sandbox_process.users()] == [1] * 1000


def _without_numbers(text: str) -> str:
    """Return what a command prints without what depends on the number of rows."""
    text = re.sub(r"about [\d dhmins]+ at [\d,]+", "about … at …", timeless(text))
    text = re.sub(r" *[\d,]+ (of|rows|users|would|calls|sent|unchanged|unsent)\b", r" … \1", text)
    return re.sub(r"rows [\d, ]+…|^ +e\.g\.", "…", text, flags=re.MULTILINE)


def test_fix_and_run_again(sandbox: Sandbox, reader: Path) -> None:
    """Each row is sent once. With the same fix in the source, its next load finds nothing to do."""
    follow("Fix and run again", reader)
    expected = {
        "F-1": {"name": "Asha Rao", "Score": 7, "Met on": "2025-03-01"},
        "F-2": {"name": "Bob Lee", "Score": 5, "Met on": "2025-03-02"},
        "F-3": {"name": "Chitra Nair", "Score": 8, "Met on": "2025-03-03"},
        "F-4": {"name": "Dev Mehta", "Score": 9, "Met on": "2025-04-03"},
    }
    assert users(sandbox) == expected
    assert not (reader / "leads.failures.csv").exists()
    source = reader / "leads.csv"
    text = source.read_text(encoding="utf-8")
    for wrong, right in ((",98111,", ",98111 66602,"), ("high", "8"), ("03/04/2025", "2025-04-03")):
        text = text.replace(wrong, right)
    source.write_text(text, encoding="utf-8")
    assert "4 unchanged" in run_again("Fix and run again", reader)
    assert (sandbox.stats().calls, users(sandbox)) == (4, expected)


def test_a_daily_delta(sandbox: Sandbox, reader: Path) -> None:
    """Two nights make five calls: three for new users, and one each for a new and a changed one."""
    follow("A daily delta", reader)
    assert {user.user_id: (user.traits["city"], user.calls) for user in held(sandbox)} == {
        "D-1": ("Pune", 1),
        "D-2": ("London", 1),
        "D-3": ("Goa", 2),
        "D-4": ("Jaipur", 1),
    }
