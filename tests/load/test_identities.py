"""Who is sent: the same from a file and from a frame, and nobody where the table does not surely say who."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest

from interakt_loader import MappingDict, load_events, load_users
from interakt_loader.sandbox import Sandbox

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"

WITH_PHONE: MappingDict = {"user_id": "id", "phone": "mobile"}


def of_case(name: str, form: str) -> Any:
    """Return a file of the shared cases, as a path or as a frame of text."""
    path = CASES / name
    if not path.exists():
        pytest.skip(f"the shared cases are not at {CASES}")
    return path if form == "file" else pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])


def lines_of(result: Any) -> list[tuple[Any, ...]]:
    """Return (status, code, user_id, phone) of each row, None where there is none."""
    lines = result.to_pandas()[["status", "code", "user_id", "phone"]].astype(object)
    return [tuple(row) for row in lines.where(lines.notna(), None).itertuples(index=False)]


@pytest.mark.parametrize("form", ["file", "frame"])
@pytest.mark.parametrize("name", ["masked_phone.csv", "masked_two.csv"])
@pytest.mark.parametrize("check", ["strict", "possible", "as-is"])
def test_nobody_is_sent_a_masked_phone(
    name: str, form: str, check: Literal["strict", "possible", "as-is"], sandbox: Sandbox
) -> None:
    """Each row is refused with the number as it stands, and no call goes out."""
    data = of_case(name, form)
    result = load_users(data, WITH_PHONE, api_key=sandbox.api_key, base_url=sandbox.url, phones=check)
    assert {line[:2] for line in lines_of(result)} == {("invalid", "phone_invalid")}
    assert list(sandbox.users()) == []


@pytest.mark.parametrize("form", ["file", "frame"])
def test_nobody_has_an_id_in_exponent_form(form: str, sandbox: Sandbox) -> None:
    """Three customers would become two."""
    result = load_users(of_case("sci_id.csv", form), WITH_PHONE, api_key=sandbox.api_key, base_url=sandbox.url)
    assert {line[:2] for line in lines_of(result)} == {("invalid", "user_id_invalid")}


@pytest.mark.parametrize("form", ["file", "frame"])
def test_a_word_for_nothing_leaves_the_phone_to_say_who_it_is(form: str, sandbox: Sandbox) -> None:
    """Four customers, none of whom is called so; the row without a phone would be refused."""
    result = load_users(of_case("null_id.csv", form), WITH_PHONE, api_key=sandbox.api_key, base_url=sandbox.url)
    assert {line[:3] for line in lines_of(result)} == {("sent", None, None)}
    assert sorted((user.user_id, user.phone) for user in sandbox.users()) == [
        (None, f"98{number}") for number in ("11122333", "11122334", "11122335", "76543210")
    ]
    alone = load_users(of_case("null_id.csv", form), {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url)
    assert {line[:2] for line in lines_of(alone)} == {("invalid", "identity_missing")}


@pytest.mark.parametrize("form", ["file", "frame"])
def test_no_event_is_called_by_a_word_for_nothing(form: str, sandbox: Sandbox) -> None:
    """An event's name cannot be taken back."""
    mapping: MappingDict = {"user_id": "id", "event": "ev"}
    result = load_events(of_case("null_event.csv", form), mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    assert {line[:2] for line in lines_of(result)} == {("invalid", "event_missing")}
    assert "this one is 'NULL', which means a missing value" in result.to_pandas()["message"][0]


@pytest.mark.parametrize("form", ["file", "frame"])
def test_one_id_however_it_was_copied(form: str, sandbox: Sandbox) -> None:
    """Characters that cannot be seen are taken off, which the report says; the mark of a file is none of its lines."""
    result = load_users(of_case("zwsp_id.csv", form), {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url)
    of_the_mark = None if form == "file" else "invisible_removed"
    assert [line[:3] for line in lines_of(result)] == [
        ("sent", None, "17"),
        ("sent", "invisible_removed", "17"),
        ("sent", of_the_mark, "17"),
        ("sent", "invisible_removed", "17"),
    ]
    assert [user.user_id for user in sandbox.users()] == ["17"]


@pytest.mark.parametrize("form", ["file", "frame"])
def test_numbers_as_whatsapp_writes_them_beside_their_country(form: str, sandbox: Sandbox) -> None:
    """The code is taken off where the mobile stands behind it."""
    mapping: MappingDict = {"phone": "phone", "country_code": "country"}
    data = of_case("wa_id_with_country.csv", form)
    result = load_users(data, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    german = "15112345678"
    assert [line[3] for line in lines_of(result)] == [german, german, german, "43201234", "812345678"]
    assert result.sent == 5


@pytest.mark.parametrize("form", ["file", "frame"])
def test_a_cell_of_spaces_is_refused_at_once(form: str, sandbox: Sandbox) -> None:
    """The message has its length, and the other row goes out."""
    mapping: MappingDict = {"user_id": "id", "phone": "phone"}
    data = of_case("spaces_in_phone.csv", form)
    result = load_users(data, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    assert [line[:2] for line in lines_of(result)] == [("invalid", "phone_invalid"), ("sent", None)]
    assert result.to_pandas()["message"][0].endswith("… has 20,002 characters")


def test_the_name_that_a_mapping_gives_to_all_events_is_taken_at_its_word(sandbox: Sandbox) -> None:
    """Only cells stand for nothing: who writes `None` into a mapping means it."""
    mapping: MappingDict = {"user_id": "id", "event": {"value": "None"}}
    result = load_events(pd.DataFrame({"id": ["1"]}), mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    assert result.sent == 1
    assert [event.event for event in sandbox.events()] == ["None"]


def test_names_of_events_are_read_as_ids_are(sandbox: Sandbox) -> None:
    """Invisible characters are taken off the ends and refused inside; a name that is fine stays byte for byte."""
    names = ["Order Placed", "\ufeffOrder Placed\u200b", "Order\u200bPlaced", "N/A", "#REF!", "ऑर्डर", "9 to 5", None]
    frame = pd.DataFrame({"id": ["1"] * len(names), "ev": names})
    mapping: MappingDict = {"user_id": "id", "event": "ev"}
    result = load_events(frame, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    assert [line[:2] for line in lines_of(result)] == [
        ("sent", None),
        ("sent", "invisible_removed"),
        ("invalid", "event_invalid"),
        ("invalid", "event_missing"),
        ("invalid", "event_invalid"),
        ("sent", None),
        ("sent", None),
        ("invalid", "event_missing"),
    ]
    assert sorted(event.event for event in sandbox.events()) == ["9 to 5", "Order Placed", "Order Placed", "ऑर्डर"]


def test_an_event_id_is_held_to_what_a_user_id_is(sandbox: Sandbox, tmp_path: Path) -> None:
    """Words for nothing are missing, lost digits are refused: else other events would be taken for known ones."""
    frame = pd.DataFrame({"id": ["1"] * 4, "order": ["A-1", "N/A", "1.2E+15", "A-2\u200b"]})
    result = load_events(
        frame,
        {"user_id": "id", "event": {"value": "Order Placed"}},
        api_key=sandbox.api_key,
        base_url=sandbox.url,
        event_id="order",
        ledger=tmp_path / "ledger",
    )
    assert [line[:2] for line in lines_of(result)] == [
        ("sent", None),
        ("invalid", "event_id_missing"),
        ("invalid", "event_id_invalid"),
        ("sent", "invisible_removed"),
    ]


def test_an_area_code_with_the_country_completes_local_numbers(sandbox: Sandbox) -> None:
    """`+1-876` is Jamaica; the number of seven digits stands behind its area code."""
    frame = pd.DataFrame({"phone": ["523-0123", "(876) 523-0124", "523-0125"], "cc": ["+1-876", "1 876", "Jamaica"]})
    mapping: MappingDict = {"phone": "phone", "country_code": "cc"}
    result = load_users(frame, mapping, api_key=sandbox.api_key, base_url=sandbox.url)
    assert [line[:2] for line in lines_of(result)] == [("sent", None), ("sent", None), ("invalid", "phone_invalid")]
    assert [line[3] for line in lines_of(result)][:2] == ["8765230123", "8765230124"]
