"""The tree of errors: what its picture shows is what the classes are, and every error passes between processes."""

from __future__ import annotations

import inspect
import pickle
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from interakt_loader import errors, load_users
from interakt_loader.client import Client
from interakt_loader.ledger import Ledger
from interakt_loader.sandbox import Sandbox
from interakt_loader.settings import Settings

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass) if one.__module__ == errors.__name__]
ARGUMENTS = {
    errors.MappingNeeded: ("say which column is which", {"the": "proposal"}),
    errors.ProjectError: ("shop.yaml", ("loads: is missing", "account.key: is missing")),
    errors.APIError: (False, 400, "a message"),
    errors.LoadInterrupted: (None, 15),
}
"""What an error is made with, where that is more than a message."""


def picture() -> dict[str, tuple[str | None, str | None]]:
    """Return the parent and the exit code of each error, as the picture in the module's docstring draws them."""
    drawn: dict[str, tuple[str | None, str | None]] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r" {4}([│├└─ ]*)([A-Z]\w+)", line)
        if not found:
            continue
        depth = len(found[1])
        above = [one for one in above if one[0] < depth]
        exit_code = re.search(r"exit ([\d/]+)$", line)
        drawn[found[2]] = above[-1][1] if above else None, exit_code[1] if exit_code else None
        above.append((depth, found[2]))
    return drawn


def test_the_picture_shows_every_error_below_its_base() -> None:
    raised = [one for one in CLASSES if one is not errors.LedgerBroken]
    bases = {one.__name__: next(base.__name__ for base in one.__bases__) for one in raised}
    names = bases.keys()
    drawn = {name: parent for name, (parent, _) in picture().items()}
    assert drawn == {name: base if base in names else None for name, base in bases.items()}


def test_the_picture_shows_the_exit_codes() -> None:
    """An error without one in the picture has its base's."""
    for name, (_, exit_code) in picture().items():
        if exit_code and "/" not in exit_code:
            assert getattr(errors, name).exit_code == int(exit_code)
    of_signals = [errors.LoadInterrupted(signum=number).exit_code for number in (signal.SIGINT, signal.SIGTERM)]
    assert picture()["LoadInterrupted"][1] == "/".join(map(str, of_signals))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        (lambda: errors.option("rate_limit"), "rate_limit"),
        (lambda: errors.option("same_account", value=True), "same_account: true"),
        (lambda: errors.option("name", "orders"), "name: orders"),
        (lambda: errors.option("ledger", placeholder="PATH"), "ledger: PATH"),
        (lambda: errors.option("api_key"), "account.key"),
        (lambda: errors.by_surface("in Python", "as a flag"), "in Python"),
    ],
)
def test_a_project_names_options_by_their_keys(written: Callable[[], str], key: str) -> None:
    with errors.flags_in_messages(), errors.keys_in_messages():
        assert written() == key
    assert written() != key or key in ("rate_limit", "in Python")


def test_a_project_error_has_a_line_for_each_mistake() -> None:
    assert str(errors.ProjectError("shop.yaml", ("a: b",))) == "project shop.yaml: a: b"
    assert str(errors.ProjectError("shop.yaml", ("a: b", "c: d"))) == "project shop.yaml: 2 mistakes:\n  a: b\n  c: d"


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_arrives_in_another_process_as_it_was(kind: type[BaseException]) -> None:
    """Airflow, Spark and `multiprocessing` pickle errors."""
    error = kind(*ARGUMENTS.get(kind, ("a message",)))
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))
    assert getattr(arrived, "exit_code", None) == getattr(error, "exit_code", None)


def needs_a_mapping() -> None:
    load_users([{"customer_id": "C-17", "city": "Pune"}], api_key="key")


def gets_no_answer() -> None:
    Client("key", "http://127.0.0.1:9", sync_mode=True, max_retries=0).user("C-17")


def sends_a_bad_value() -> None:
    Client("key", sync_mode=True).user("C-17", created_at="yesterday")


@pytest.mark.parametrize("call", [needs_a_mapping, gets_no_answer, sends_a_bad_value])
@pytest.mark.longest
def test_an_error_that_a_call_raises_arrives_with_what_it_carries(call: Callable[[], None]) -> None:
    """The proposal, the parts of an answer, and the code."""
    with pytest.raises(errors.InteraktLoaderError) as raised:
        call()
    arrived = pickle.loads(pickle.dumps(raised.value))
    assert vars(arrived)
    assert (type(arrived), str(arrived), vars(arrived)) == (raised.type, str(raised.value), vars(raised.value))


@pytest.mark.parametrize(
    ("written", "python", "flags"),
    [
        (lambda: errors.option("rate_limit"), "rate_limit", "--rate-limit"),
        (lambda: errors.option("same_account", value=True), "same_account=True", "--same-account"),
        (lambda: errors.option("header", value=False), "header=False", "--no-header"),
        (lambda: errors.option("name", "orders"), "name='orders'", "--name orders"),
        (lambda: errors.option("name", "my orders"), "name='my orders'", '--name "my orders"'),
        (lambda: errors.option("ledger", placeholder="PATH"), "ledger=PATH", "--ledger PATH"),
        (lambda: errors.option("old_api_key", placeholder="KEY"), "old_api_key=KEY", "--old-api-key-file FILE"),
        (lambda: errors.option("as", "users"), "kind='users'", "--as users"),
        (lambda: errors.mapped("phone", "Mobile"), '"phone": "Mobile"', '--map phone="Mobile"'),
        (lambda: errors.mapped("phone"), '"phone": COLUMN', "--map phone=COLUMN"),
        (
            lambda: errors.spell_options("Lower `rate_limit`, or `bad_values='drop'` and `mask=True`."),
            "Lower rate_limit, or bad_values='drop' and mask=True.",
            "Lower --rate-limit, or --bad-values drop and --mask.",
        ),
    ],
)
def test_an_option_is_named_as_its_reader_writes_it(written: Callable[[], str], python: str, flags: str) -> None:
    """As a keyword argument in Python, as a flag on the command line, and so in every thread."""
    assert written() == python
    with errors.flags_in_messages(), ThreadPoolExecutor(1) as other:
        assert (written(), other.submit(written).result()) == (flags, flags)
    assert written() == python


@pytest.mark.parametrize(
    "error", [errors.RowsFailed, errors.Outage, errors.TooManyFailures, errors.SourceError, errors.NotJustNow]
)
def test_a_retry_may_help_where_time_mends_it(error: type[errors.InteraktLoaderError]) -> None:
    """Failed rows, an unreachable API, a late file, a ledger in use."""
    assert error("…").can_retry


@pytest.mark.parametrize(
    "error", [errors.KeyRefused, errors.SettingsError, errors.MappingError, errors.AnotherKey, errors.BadArgument]
)
def test_no_retry_helps_where_a_person_is_needed(error: type[errors.InteraktLoaderError]) -> None:
    """The key, the plan, the options and the mapping stay as they are."""
    assert not error("…").can_retry


@pytest.mark.parametrize(("status_code", "can_retry"), [(None, True), (429, True), (503, True), (400, False)])
def test_a_call_may_be_retried_unless_the_api_refused_it(status_code: int | None, *, can_retry: bool) -> None:
    """Without a response, at the limit, or after an error of the server."""
    assert errors.APIError(False, status_code, "…").can_retry is can_retry


def test_a_ledger_that_another_load_has_is_there_later(sandbox: Sandbox, tmp_path: Path) -> None:
    """An abandoned try may still be running: the next try gets this message, and can run again."""
    options = {"api_key": sandbox.api_key, "base_url": sandbox.url, "ledger": str(tmp_path / "a.ledger")}
    with (
        Ledger(options["ledger"], "user", Settings.resolve(options)),
        pytest.raises(errors.NotJustNow, match="is in use by another load") as refused,
    ):
        load_users([{"user": "u1"}], {"user_id": "user"}, **options)  # type: ignore[arg-type]
    assert refused.value.can_retry
