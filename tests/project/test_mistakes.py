"""Mistakes in a project file: all of them in one message, each with its place, and nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import interakt_loader
from interakt_loader.cli import run as command
from interakt_loader.errors import ProjectError, UsageError
from interakt_loader.project.written import Mistakes, read
from interakt_loader.sandbox import Sandbox
from tests.project.conftest import Example

LOADS: dict[str, Any] = {"loads": {"a": {"source": "a.csv"}, "b": {"source": "b.csv"}}}


def mistakes_of(written: Any) -> list[str]:
    found = Mistakes()
    read(written, found)
    return found


def of_load(**keys: Any) -> list[str]:
    return mistakes_of({"loads": {"a": {"source": "a.csv"}, "b": {"source": "b.csv"} | keys}})


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        (None, "the file is empty; expected account, defaults, loads"),
        ([], "the file is a list; expected account, defaults, loads"),
        ({}, "loads: is missing or empty"),
        ({"loads": {}}, "loads: there is none; expected at least one load"),
        ({"loads": []}, "loads: is a list; expected a table"),
        (LOADS | {"accounts": {}}, "accounts: no such key here; did you mean 'account'?"),
        (LOADS | {"account": "key"}, "account: is a str; expected a table"),
        (LOADS | {"account": {"tiemout": 3}}, "account.tiemout: no such key here; did you mean 'timeout'?"),
        (LOADS | {"account": {"query": "x"}}, "account.query: no such key here"),
        (
            LOADS | {"account": {"base_url": "http://user:secret@example.com"}},
            "account.base_url: holds a user name or password, or another @; the key goes into api_key",
        ),
        (LOADS | {"defaults": {"name": "a"}}, "defaults.name: the load's key in the file is its name"),
        (LOADS | {"defaults": {"timeout": 0}}, "defaults.timeout: is 0; expected a number above 0 and at most 86400"),
        ({"loads": {"a/b": {"source": "a.csv"}}}, "loads.a/b: the name 'a/b' holds '/'; expected a part of a file's"),
        ({"loads": {"a": None}}, "loads.a: is missing or empty"),
    ],
)
def test_a_mistake_of_the_file(written: Any, mistake: str) -> None:
    """Each is found by itself."""
    (found,) = mistakes_of(written)
    assert found.startswith(mistake)


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ({"sources": "a.csv"}, "sources: no such key here; did you mean 'source'?"),
        ({"source": None}, "source: is missing; expected a path, an address, {env: NAME}, or a list of these"),
        ({"source": []}, "source: is an empty list"),
        ({"source": ["a.csv", 5]}, "source: is an int; expected a path"),
        ({"source": {"env": "A", "file": "B"}}, "source: is a dict; expected a path"),
        ({"source": "-"}, "source: is standard input; expected a path"),
        ({"mapping": 5}, "mapping: is 5; expected a table, a file or preset:NAME"),
        ({"mapping": None}, "mapping: is None; expected a table"),
        ({"after": 5}, "after: is 5; expected the name of a load, or a list of names"),
        ({"after": "aa"}, "after: there is no load 'aa'; did you mean 'a'?"),
        ({"after": "b"}, "after: a load cannot be after itself"),
        ({"api_key": "s3cr3t"}, "api_key: the key is given as account.key"),
        ({"base_url": "https://x"}, "base_url: all loads go to one address: give account.base_url"),
        ({"rate_limit": "fast"}, "rate_limit: is 'fast'; expected auto, none, growth, advanced, or calls"),
        ({"rate_limit": None}, "rate_limit: is empty; expected text"),
        ({"rows": 110}, "rows: is 110; expected text, in quotes"),
        ({"resend": "yes"}, "resend: is 'yes'; expected true or false"),
        ({"timeout": True}, "timeout: is True; expected a number"),
        ({"limit": 1.5}, "limit: is 1.5; expected a whole number"),
        ({"null_values": 5}, "null_values: is 5; expected a list of texts or text"),
        ({"null_values": ["NULL", None]}, "null_values: is ['NULL', None]; expected texts, such as 'NULL,N/A'"),
        ({"phones": "strickt"}, "phones: is 'strickt'; expected strict, possible or as-is; did you mean 'strict'?"),
        ({"share": "file:x"}, "share: is '•••'; expected sqlite:///PATH"),
    ],
)
def test_a_mistake_of_a_load(keys: dict[str, Any], mistake: str) -> None:
    """Each is found by itself, at its place."""
    (found,) = of_load(**keys)
    assert found.startswith(f"loads.b.{mistake}")


def test_loads_run_in_the_order_of_the_file() -> None:
    """What is after a later load, or goes in a circle, is refused."""
    loads = {
        name: {"source": "a.csv", "after": after} for name, after in {"a": "b", "b": [], "c": "d", "d": "c"}.items()
    }
    assert mistakes_of({"loads": loads}) == [
        "loads.a.after: 'b' is further down; loads run in the order of the file",
        "loads.c.after: 'd' is after 'c', too; loads run in the order of the file",
    ]


@pytest.mark.parametrize(
    "key", ["s3cr3t-k3y", {"env": "A", "file": "s3cr3t-k3y"}, {"key": "s3cr3t-k3y"}, ["s3cr3t-k3y"]]
)
def test_a_key_in_the_file_is_refused_and_not_shown(key: Any) -> None:
    """Only its place is written into the file."""
    (found,) = mistakes_of(LOADS | {"account": {"key": key}})
    assert found.startswith("account.key: ")
    assert found.endswith("expected {env: NAME} or {file: PATH}")
    assert "s3cr3t" not in found


def mistakes_in(example: Example) -> list[str]:
    with pytest.raises(ProjectError) as raised:
        interakt_loader.run(example.write())
    return list(raised.value.mistakes)


def test_a_mistake_in_each_load_in_one_message(
    example: Example, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, and exit code 2."""
    example.written["account"] |= {"key": {"env": "NO_SUCH_KEY"}, "workers": 0}
    example.loads["customers"] |= {"source": "export/*.csv", "timeout": "soon"}
    example.loads["orders"] |= {"mapping": {"user_id": "customer", "event": {"value": "Order"}}, "query": "orders.sql"}
    example.loads["items"] = {"source": "orders.csv", "mapping": "items.yaml"}
    example.loads["copy"] = {"source": "orders.csv", "mapping": {"user_id": "customer"}, "event_id": "no"}
    assert command(["run", example.write()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    head, *lines = err.splitlines()
    assert head == f"interakt-loader: project {example.path}: 8 mistakes:"
    assert [line.strip().partition(": ")[0] for line in lines] == [
        "account.workers",
        "loads.customers.timeout",
        "account.key",
        "loads.customers.source",
        "loads.orders.query",
        "loads.items.mapping",
        "loads.copy.mapping",
        "loads.copy",
    ]
    assert "the environment variable NO_SUCH_KEY is not set" in err
    assert "orders.sql: no such file or directory" in err
    assert sandbox.stats().calls == 0


def test_two_loads_with_the_same_files(example: Example) -> None:
    """Neither an output of another load nor a file that another one reads may be written."""
    example.loads["orders"] |= {"report": "out.csv", "ledger": "./customers.ledger"}
    example.loads["items"] = {"source": "orders.csv", "mapping": {"user_id": "customer_id"}, "report": "OUT.csv"}
    example.loads["more"] = {"source": "orders.csv", "mapping": {"user_id": "customer_id"}, "html": "customers.yaml"}
    folder = example.folder
    assert mistakes_in(example) == [
        f"loads.orders.ledger: {folder}/customers.ledger is the ledger of loads.customers, too; choose another path",
        f"loads.items.report: {folder}/OUT.csv is the report of loads.orders, too; choose another path",
        f"loads.more.html: {folder}/customers.yaml is the input of loads.customers, too; choose another path",
    ]


def test_the_page_is_a_file_of_its_own(example: Example) -> None:
    """It cannot be a source, or in a folder that does not exist."""
    for html in (example.folder / "orders.csv", Path("nowhere/all.html")):
        with pytest.raises(ProjectError, match=r"html: .*: expected a file of its own, in a folder that exists"):
            interakt_loader.run(example.write(), html=html)


def test_a_password_in_an_address_is_refused(example: Example) -> None:
    """As on the command line; the address is not shown."""
    example.loads["orders"] |= {"source": "postgresql://u:s3cr3t@127.0.0.1/shop", "query": "SELECT 1"}
    (found,) = mistakes_in(example)
    assert found.startswith("loads.orders.source: postgresql://…: an address with a password is not accepted")
    assert "s3cr3t" not in found


def test_the_key_has_to_be_there(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that may be the key itself is not shown."""
    key = example.put("shop.key", "s3cr3t")
    key.chmod(0o644)
    account = example.written["account"]
    for given, text in (
        ({"env": "kEy0123456789abcdef"}, "account.key: the environment variable is not set"),
        ({"file": "shop.key"}, f"account.key: file {key}: others may use it (mode 644): chmod 600 {key}"),
        (
            {"file": "no.key"},
            f"account.key: file {example.folder / 'no.key'}: cannot be read: No such file or directory",
        ),
        (None, "account.key: is missing; expected {env: NAME} or {file: PATH}, or set INTERAKT_API_KEY"),
    ):
        account["key"] = given
        assert mistakes_in(example) == [text]
    del account["key"]
    monkeypatch.setenv("INTERAKT_API_KEY", "other")
    example.loads["orders"]["limit"] = 0
    assert interakt_loader.run(example.write(), ["orders"]).ok


def test_options_that_do_not_fit_together(example: Example) -> None:
    """They are named as the file has them."""
    example.loads["customers"] |= {"where": "1", "query": "SELECT 1"}
    example.loads["orders"] |= {"ledger": "none", "resend": True}
    assert mistakes_in(example) == [
        "loads.customers: query and where are both given: put the condition into the query",
        "loads.orders: resend is about the ledger: give ledger: PATH too",
    ]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("project.txt", "", "expected a file ending in .yaml, .yml, .toml, .json"),
        ("none.yaml", None, "no such file or directory"),
        ("twice.yaml", "loads: {}\nloads: {}\n", "is not YAML: 'loads' is there twice"),
        ("cut.json", "{", "is not JSON: "),
        ("deep.yaml", "loads: " + "[" * 5000, "is not YAML: it is nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read(example: Example, name: str, text: str | None, why: str) -> None:
    """It is one line that names the file."""
    path = example.folder / name
    if text is not None:
        example.put(name, text)
    with pytest.raises(UsageError) as raised:
        interakt_loader.run(path)
    assert str(raised.value).startswith(f"project {path}: {why}")


# ------------------------------------------------------------------ a load without a mapping

CONTACTS = "Name,Country Code,Phone Number,Email,WhatsApp Opted,User ID,Area,City\nAsha,91,9876543210,,TRUE,U1,,Pune\n"


def test_a_recognised_export_needs_no_mapping(example: Example, sandbox: Sandbox) -> None:
    """Neither does a local address, which may use what is proposed."""
    example.put("contacts.csv", CONTACTS)
    example.loads["contacts"] = {"source": "contacts.csv"}
    example.loads["named"] = {"source": "contacts.csv", "mapping": "preset:interakt-contacts"}
    del example.loads["customers"]["mapping"]
    assert interakt_loader.run(example.write()).ok
    assert {user.user_id for user in sandbox.users()} == {"C1", "C2", "U1"}


def test_a_proposal_is_written_for_review(example: Example, sandbox: Sandbox) -> None:
    """Nothing is sent to the API by a mapping that nobody has confirmed; once it is confirmed, it is used."""
    example.written["account"]["base_url"] = "https://api.interakt.test"
    del example.loads["customers"]["mapping"]
    path = example.folder / "customers.mapping.yaml"
    (found,) = mistakes_in(example)
    assert found.startswith("loads.customers.mapping: there is no mapping; a proposal is sent only when")
    assert found.endswith(f"Review {path}, which was written, and set confirmed: true in it")
    (found,) = mistakes_in(example)
    assert found == f"loads.customers.mapping: {path} is not confirmed. Review it and set confirmed: true in it"
    path.write_text(path.read_text(encoding="utf-8").replace("confirmed: false", "confirmed: true"), encoding="utf-8")
    example.written["account"]["base_url"] = sandbox.url
    assert interakt_loader.run(example.write())["customers"].sent == 2


def test_open_questions_are_named(example: Example) -> None:
    """A local address does not answer them, and no file is written for it."""
    del example.loads["orders"]["mapping"]
    (found,) = mistakes_in(example)
    assert found.startswith("loads.orders.mapping: there is no mapping; kind: order_no may differ")
    assert not (example.folder / "orders.mapping.yaml").exists()


def test_a_preset_that_does_not_fit(example: Example) -> None:
    """Its message names what is missing."""
    example.loads["customers"]["mapping"] = "preset:shopify-customers"
    example.loads["orders"]["mapping"] = "preset:shopfy"
    first, second = mistakes_in(example)
    assert first.startswith("loads.customers.mapping: preset shopify-customers: no such column: ")
    assert second.startswith("loads.orders.mapping: there is no preset 'shopfy'")
