"""Loads that are given no mapping, or the name of a preset: what is detected, shown and sent, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from interakt_loader import check, load_events, load_users
from interakt_loader.errors import MappingNeeded, SettingsError
from interakt_loader.mapping.infer.infer import SAMPLE_ROWS
from interakt_loader.sandbox import Sandbox

ROWS = 20
USERS = {
    "customer_id": [f"C-{number}" for number in range(ROWS)],
    "mobile": [f"98765 432{number:02}" for number in range(ROWS)],
    "vip": ["yes", "no"] * (ROWS // 2),
    "spent": ["1,299.00", "$9.28"] * (ROWS // 2),
    "birthday": ["16/05/1991", "01/02/1992"] * (ROWS // 2),
}


def to(sandbox: Sandbox) -> Any:
    return {"api_key": sandbox.api_key, "base_url": sandbox.url}


def test_users_are_sent_as_their_values_are(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Text becomes what it shows itself to be; each column is shown before anything is sent."""
    assert load_users(pd.DataFrame(USERS), **to(sandbox)).sent == ROWS
    found = sandbox.find_user("C-0")
    assert found is not None
    assert found.phone == "9876543200"
    assert found.traits == {"vip": True, "spent": 1299.0, "birthday": "1991-05-16"}
    assert caplog.messages[0].splitlines() == [
        "proposed from the columns: users (interakt-loader infer SOURCE prints this mapping, with all reasons)",
        "  user_id: customer_id (the column is called customer_id; 20 different in 20 of 20)",
        "  phone: mobile (the column is called mobile; all of 20 values are phone numbers of +91)",
        "  traits: vip (boolean); spent (number); birthday (date)",
    ]


def test_the_rows_looked_at_are_sent_too(sandbox: Sandbox) -> None:
    """A reader can be read only once, and every row of it arrives, in its place."""
    reader = pa.Table.from_pydict(USERS).to_reader(max_chunksize=7)
    result = load_users(reader, **to(sandbox))
    assert (result.sent, result.to_pandas()["row"].tolist()) == (ROWS, list(range(ROWS)))
    assert {user.user_id for user in sandbox.users()} == set(USERS["customer_id"])


def test_a_value_beyond_the_sample_is_refused_and_named() -> None:
    """What the first rows show holds for all; a later row that differs gets its line in the report."""
    frame = pd.DataFrame({"user_id": range(SAMPLE_ROWS + 2), "age": ["30"] * (SAMPLE_ROWS + 1) + ["thirty"]})
    result = check(frame)
    assert (result.unsent, result.invalid) == (SAMPLE_ROWS + 1, 1)
    (failure,) = result.to_pandas().query("status == 'invalid'").to_dict("records")
    assert (failure["row"], failure["column"], failure["code"]) == (SAMPLE_ROWS + 1, "age", "not_a_number")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"customer_id": ["a", "b"], "phone": ["11111 11111", "22 22 22 22"]},
            "phone: none of 2 values is a phone number",
        ),
        ({"customer_id": ["a", "b"], "phone": ["(212) 736-5001", "(212) 736-5002"]}, "as in North America"),
        (
            {"customer_id": ["a", "b"], "phone": ["98765 43210", "98765 43211"], "country": ["Oz", "Narnia"]},
            "country_code: country cannot be read as countries",
        ),
    ],
)
def test_phones_in_doubt_stop_the_load(sandbox: Sandbox, columns: dict[str, list[str]], said: str) -> None:
    """A message to a stranger cannot be taken back: a question says what is open, and nothing is sent."""
    with pytest.raises(MappingNeeded) as caught:
        load_users(pd.DataFrame(columns), **to(sandbox))
    assert any(said in one for one in caught.value.proposal.open_questions)
    assert sandbox.stats().users == 0


def test_the_time_of_events_in_doubt_stops_the_load(sandbox: Sandbox) -> None:
    """7 April or 4 July: an event stays in the timeline as it was sent."""
    columns = {"user_id": ["a", "b"], "event": ["Paid", "Paid"], "order_date": ["7/4/1996", "8/1/1996"]}
    with pytest.raises(
        MappingNeeded, match="# open: created_at: order_date: '7/4/1996' in row 0, as all others, may be day"
    ):
        load_events(pd.DataFrame(columns), **to(sandbox))
    assert sandbox.stats().events == 0


def test_a_preset_by_name(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """`preset:NAME` stands where a mapping does; what the table lacks is left out."""
    contacts = {"Phone Number": ["98765 43210"], "Country Code": ["91"], "WhatsApp Opted": ["TRUE"], "Area": ["Baner"]}
    assert load_users(pd.DataFrame(contacts), "preset:interakt-contacts", **to(sandbox)).sent == 1
    (user,) = sandbox.users()
    assert (user.country_code, user.phone) == ("+91", "9876543210")
    assert user.traits == {"whatsapp_opted_in": True, "Area": "Baner"}
    assert "preset interakt-contacts: users" in caplog.text


def test_an_export_is_recognised_without_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """The headings tell, and it is said which preset they are of; a value that misfits is the row's affair."""
    rows = [f"pay_{n},49900,INR,captured,order_{n},upi,+91987654321{n},140082675{n}" for n in range(9)]
    rows.append("pay_9,forty,INR,captured,order_9,upi,+919876543219,1400826759")
    columns = ["id", "amount", "currency", "status", "order_id", "method", "contact", "created_at"]
    frame = pd.DataFrame([row.split(",") for row in rows], columns=columns)
    result = check(frame)
    assert (result.kind, result.unsent, result.invalid) == ("event", 9, 1)
    assert json.loads(result.examples[0])["createdAt"] == "2014-05-23T06:32:30.000Z"
    assert "preset razorpay-payments: events" in caplog.text
    assert "note: amount: 1 of 10 values are no number, such as 'forty' in row 9: those rows are refused" in caplog.text


def test_a_place_that_there_is_not_is_refused_before_the_rows_are_looked_at(tmp_path: Path) -> None:
    """The rows are looked at with the country of their phones."""
    with pytest.raises(SettingsError, match="default_country is 'Narnia'"):
        check(pd.DataFrame(USERS), default_country="Narnia")
    with pytest.raises(SettingsError, match="timezone: "):
        check(pd.DataFrame(USERS), timezone="Mars/Olympus")
