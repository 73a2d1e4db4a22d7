"""Each small input that once went wrong, run as it was then: `interakt-loader FILE ARGUMENTS` against the sandbox.

The inputs and their arguments are in the shared folder of cases; what is right for each stands here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.cli import run
from interakt_loader.report.reading import read_report
from interakt_loader.sandbox import Sandbox

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the inputs that went wrong are not at {CASES}")

Users = dict[str, dict[str, Any]]
"""Traits by user id, or by whole number where there is no id."""


@dataclass(frozen=True)
class Right:
    """What is right: the exit code, and as much of the rest as a case is about."""

    exit_code: int
    codes: list[str | None] | None = None
    says: tuple[str, ...] = ()
    users: Users | None = None
    phones: list[str] | None = None
    """Of each line of the report, with its country's code."""
    events: list[tuple[str, dict[str, Any]]] | None = None
    """User id and traits."""
    args: tuple[str, ...] = ()
    """Arguments beside those of the case."""
    instead: tuple[str, ...] | None = None
    """Arguments in the place of those of the case."""


A_BARE_ID = ("--map", "user_id=id")
"""Whose id a bare `id` is, is an open question of its own: it is answered, so that the case's own point shows."""

ASHA_AND_CY = {"+919876543210": {"name": "Asha", "n": 1}, "+919988776655": {"name": "Cy", "n": 3}}
A_TO_B: Users = {"1": {"name": "Ann"}, "2": {"name": "Bob"}}
CUST_IDS: Users = {f"C{number:02}": {"city": "Pune"} for number in range(1, 21) if number != 7}

RIGHT = {
    "masked_phone.csv": Right(1, ["phone_invalid"] * 4, users={}),
    "masked_two.csv": Right(1, ["phone_invalid"] * 3, users={}),
    "sci_id.csv": Right(1, ["user_id_invalid"] * 3, users={}),
    "bigid.xlsx": Right(1, ["user_id_invalid"] * 3, says=("lost digits",), users={}),
    "null_id.csv": Right(
        0,
        users={
            "+919876543210": {"name": "Asha"},
            "+919811122333": {"name": "Bob"},
            "+919811122334": {"name": "Cy"},
            "+919811122335": {"name": "Di"},
        },
    ),
    "null_event.csv": Right(1, ["event_missing"] * 3, events=[]),
    "zwsp_id.csv": Right(0, users={"17": {"name": "Di"}}),
    "surrogate.jsonl": Right(1, ["not_text"], users={}),
    "types.jsonl": Right(
        0,
        args=A_BARE_ID,
        users={str(row): {"v": "n/a" if row == 4_999 else row} for row in range(5_000)},
    ),
    "parts1": Right(2, says=("b.csv", "customer_id"), users={}),
    "parts2": Right(2, says=("b.csv", "customer_id"), users={}),
    "cat_bom.csv": Right(1, [None, "row_unreadable", None], users=A_TO_B),
    "repeat_hdr.csv.gz": Right(1, [None, "row_unreadable", None], users={"1": {"name": "A"}, "2": {"name": "B"}}),
    "two_headers.xlsx": Right(2, says=("header",), users={}),
    "index_level.parquet": Right(0, users=ASHA_AND_CY),
    "to_csv_index.csv": Right(0, says=("index",), users=ASHA_AND_CY | {"+919811122333": {"name": "Bob", "n": 2}}),
    "error_cells.xlsx": Right(
        1,
        ["cell_error", None, None],
        instead=("--map", "user_id=customer_id", "--map", "phone=phone"),
    ),
    "nocache.xlsx": Right(1, ["cell_error"], says=("Excel",), users={}),
    "really_xlsx.xls": Right(1, ["cell_error"]),
    "eq_text.csv": Right(0, users={"001": {"zip": "00123"}, "002": {"zip": "00456"}}),
    "shopify_customer.csv": Right(0, phones=["+919810000001"]),
    "hdr_spaces.csv": Right(0, args=A_BARE_ID, users={"1": {"name": "Ann"}}),
    "sep.csv": Right(0, args=A_BARE_ID, users={"1": {"name": "Ann"}}),
    "trailing.csv": Right(0, users=A_TO_B),
    "dup.csv": Right(0, users={"1": {"name": "Ann"}}),
    "dsstore.zip": Right(0, users={"1": {"name": "A"}}),
    "empty.zip": Right(2, says=("holds no file",)),
    "turkish.csv": Right(2, says=("--encoding",), users={}),
    "second_stream_corrupt.csv.bz2": Right(2, users={}),
    "second_stream_corrupt.csv.xz": Right(2, users={}),
    "long_ascii_line.csv": Right(1, [None, "too_large", None]),
    "spaces_in_phone.csv": Right(1, ["phone_invalid", None]),
    "parquet_column_num_values_mismatch.parquet": Right(2, args=("--map", "user_id=n"), says=("8",), users={}),
    "wa_id_with_country.csv": Right(
        1,  # three rows give one number to three ids, which the account refuses
        phones=["+4915112345678"] * 3 + ["+38343201234", "+62812345678"],
    ),
    "agent_phone.csv": Right(0, phones=["+919810000001", "+919810000002", "+919810000003"]),
    "orders_id_customer_email.csv": Right(2, says=("--as",), users={}, events=[]),
    "orders_3rows.csv": Right(2, says=("--as",), users={}, events=[]),
    "invoice_no.csv": Right(2, says=("--as",), users={}, events=[]),
    "products.csv": Right(2, users={}),
    "us_bare10.csv": Right(2, says=("--default-country",), users={}),
    "id_blank.csv": Right(0, users=CUST_IDS | {"+919810000007": {"city": "Pune"}}),
    "id_three_rows.csv": Right(0, users={"C01": {"city": "Pune"}, "C02": {"city": "Pune"}, "C03": {"city": "Goa"}}),
    "opted_mixed_words.csv": Right(
        0,
        users={
            f"C{number}": {"opted": opted}
            for number, opted in enumerate([True, False, True, False, True, True, False], 1)
        },
    ),
    "nested_items.jsonl": Right(0),
    "line_items.csv": Right(
        1,
        [None, "event_id_conflict", None],
        events=[("C1", {"order_id": "1", "item": "a"}), ("C2", {"order_id": "2", "item": "c"})],
        args=("--ledger", "own.ledger"),
    ),
}


def _cases() -> list[dict[str, Any]]:
    if not CASES.is_dir():
        return []
    found: list[dict[str, Any]] = json.loads((CASES / "cases.json").read_text(encoding="utf-8"))
    return found


def test_every_case_is_tried() -> None:
    """None that is in the folder is left out here."""
    assert {one["file"] for one in _cases()} == RIGHT.keys()


@pytest.mark.parametrize("case", _cases(), ids=lambda one: one["file"])
def test_what_went_wrong_is_right(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code, the report's codes, what is said, and what the sandbox was sent."""
    monkeypatch.chdir(tmp_path)
    right = RIGHT[case["file"]]
    with Sandbox() as sandbox:
        monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
        to = ["--base-url", sandbox.url, "--report", "report.csv", "--ledger", "none"]
        code = run([str(CASES / case["file"]), *to, *(right.instead or case["args"]), *right.args])
        said = "".join(capsys.readouterr())
        users = {user.user_id or f"{user.country_code}{user.phone}": user.traits for user in sandbox.users()}
        events = sorted((event.user_id, event.traits) for event in sandbox.events())
    assert "Traceback" not in said
    assert code == right.exit_code, said
    if right.codes is not None:
        assert [line["code"] for line in read_report("report.csv").to_pylist()] == right.codes
    if right.phones is not None:
        lines = read_report("report.csv").to_pylist()
        assert [f"{line['country_code']}{line['phone']}" for line in lines] == right.phones
    for one in right.says:
        assert one in said
    if right.users is not None:
        assert users == right.users
    if right.events is not None:
        assert events == right.events


@pytest.mark.parametrize("key", [True, False], ids=["with the key", "without it"])
def test_a_dry_run_of_two_lines_of_one_order_says_what_the_load_does(
    key: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second line of an order conflicts with the first in both: two calls, and no ledger is made for it."""
    monkeypatch.chdir(tmp_path)
    if key:
        monkeypatch.setenv("INTERAKT_API_KEY", "any")
    case = next(one for one in _cases() if one["file"] == "line_items.csv")
    assert run([str(CASES / case["file"]), *case["args"], "--dry-run"]) == 1
    assert "  1 invalid\n  2 would be sent\n" in capsys.readouterr().out
    lines = read_report("line_items.check.csv").to_pylist()
    assert [(line["status"], line["code"]) for line in lines] == [
        ("unsent", None),
        ("invalid", "event_id_conflict"),
        ("unsent", None),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line_items.check.csv"]
