"""A row and its contact: what counts as the same value, under which name, and what is just another value."""

from __future__ import annotations

import json
import unicodedata
from itertools import permutations
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.account.compare import Comparison, compare
from interakt_loader.account.contacts import Contact, read_page
from interakt_loader.codes import DifferenceCode, ToleranceCode, entries
from interakt_loader.columns import TYPES
from interakt_loader.mapping import Mapping, Preparation
from interakt_loader.sandbox import SandboxOptions, contacts, store
from interakt_loader.settings import Settings
from interakt_loader.values import shown
from tests.columns import columns
from tests.thorough import examples

TIME = "2025-03-27T13:26:52.926Z"
NOON = "2025-03-27T12:00:00.000Z"
COMPOSED, DECOMPOSED = "Jos\u00e9", "Jose\u0301"


def contact(**fields: Any) -> Contact:
    nothing: dict[str, Any] = {
        "user_id": None,
        "country_code": None,
        "phone": None,
        "created_at": None,
        "tags": [],
        "traits": {},
    }
    return Contact(**{"id": "1", "modified": 0, "modified_at": "1970-01-01T00:00:00Z", **nothing, **fields})


def of_values(here: Any, there: Any) -> Comparison:
    """Compare one trait."""
    return compare({"traits": {"a": here}}, contact(traits={"a": there}))


def codes(found: Comparison) -> list[str]:
    """Return the tolerances, or the differences if there are some."""
    return [one.code for one in found.differences or found.tolerated]


SAME: dict[ToleranceCode, list[tuple[Any, Any]]] = {
    "number_as_text": [
        (3, "3"),
        (3, "3.0"),
        (3, "3E0"),
        (300, "3e+2"),
        (-3, "-3"),
        (0, "0"),
        (2**1023 + 1, str(2**1023 + 1)),
        (24.5, "24.50"),
        (24.5, "2.45e1"),
        (1e22, "1e+22"),
        (0.1, "0.1"),
    ],
    "text_as_number": [("3", 3), ("-3", -3), ("1.5", 1.5), ("9876543210123456789", 9876543210123456789), ("0", 0)],
    "boolean_as_text": [(True, "true"), (True, "True"), (True, "TRUE"), (False, "false"), (False, "FALSE")],
    "text_as_boolean": [("true", True), ("TRUE", True), ("False", False)],
    "time_form": [
        (TIME, "2025-03-27T13:26:52.926000Z"),
        (TIME, "2025-03-27T13:26:52.926+00:00"),
        (TIME, "2025-03-27 13:26:52.926+00"),
        (TIME, "2025-03-27T18:56:52.926+05:30"),
        (TIME, "2025-03-27T18:56:52.926000000+0530"),
        (TIME, "2025-03-27T05:26:52.926-08:00"),
        (NOON, "2025-03-27T12:00:00Z"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01T05:30:00+05:30"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T15:59:59.999-08:00"),
    ],
    "date_as_time": [
        ("1998-01-01", "1998-01-01T00:00:00.000Z"),
        ("1998-01-01", "1998-01-01T00:00:00Z"),
        ("1998-01-01", "1998-01-01 00:00:00.000000+00:00"),
        ("1998-01-01", "1998-01-01 00:00:00"),
    ],
    "list_as_text": [
        (["s", "m"], '["s", "m"]'),
        (["s", "m"], "s,m"),
        (["s", "m"], "s, m"),
        (["s"], "s"),
        (["a,b", "c"], '["a,b","c"]'),
        (["[a", "b]"], "[a,b]"),
        ([1, 2.5, True], "[1,2.5,true]"),
        ([], "[]"),
    ],
    "empty_as_missing": [*permutations((None, "", []), 2)],
    "white_space": [("Asha Rao", " Asha Rao\n"), ("Asha  Rao", "Asha Rao"), ("Asha\u00a0", "Asha")],
    "unicode_form": [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (f"{COMPOSED} x" * 400, f"{DECOMPOSED} x" * 400)],
}

OTHERS: dict[ToleranceCode, list[tuple[Any, Any]]] = {
    "number_as_text": [
        (3, "3.0000000000000000000001"),
        (3, "+3"),
        (3, " 3"),
        (3, "3."),
        (3, "003"),
        (3, "0x3"),
        (3, "٣"),
        (1000, "1_000"),
        (1000, "1,000"),
        (2**1023 + 1, str(2**1023)),
        (2**1023 + 1, repr(float(2**1023))),
        (24.5, "24.51"),
        (24.5, "24,5"),
        (1, "true"),
        (0, ""),
        (3, "1e99999"),
        (3, f"1e{'9' * 30}"),
        (3.5, "NaN"),
        (1e308, "1e309"),
    ],
    "text_as_number": [
        ("007", 7),
        ("1.50", 1.5),
        ("3.0", 3),
        ("3", 3.0),
        ("+3", 3),
        ("-0", 0),
        ("1e5", 100000.0),
        ("98765432101234567890", 98765432101234567000.0),
        ("", 0),
        ("1" * 5000, 10**5000),
    ],
    "boolean_as_text": [(True, "false"), (True, "tRUE"), (True, "yes"), (True, "1"), (True, 1), (False, 0), (1, True)],
    "text_as_boolean": [("true", False), ("yes", True), ("1", True), ("", False), ("t", True)],
    "time_form": [
        (TIME, "2025-03-27T13:26:52.926001Z"),
        (TIME, "2025-03-27T13:26:52Z"),
        (TIME, "2025-03-27T13:26:52.926"),
        (TIME, "2025-03-27T13:26:52.926+05:30"),
        (TIME, "2025-03-27"),
        (TIME, 1743082012926),
        (NOON, "2025-03-27T24:00:00+12:00"),
        ("2025-03-27T12:00:00Z", "2025-03-27T12:00:00.000Z"),
        ("2025-03-27 12:00", "2025-03-27T12:00:00.000Z"),
        ("2025-02-30T12:00:00.000Z", "2025-02-30T12:00:00Z"),
    ],
    "date_as_time": [
        ("1998-01-01", "1998-01-01T00:00:00+05:30"),
        ("1998-01-01", "1997-12-31T18:30:00-05:30"),
        ("1998-01-01", "1998-01-01T00:00:01Z"),
        ("1998-01-01", "1998-01-02T00:00:00Z"),
        ("1998-01-01", "01/01/1998"),
        ("1998-02-30", "1998-02-30T00:00:00Z"),
        ("1998-01-01T00:00:00.000Z", "1998-01-01"),
    ],
    "list_as_text": [
        (["s", "m"], "m,s"),
        (["s", "m"], '["m", "s"]'),
        (["s", "m"], ["m", "s"]),
        (["s", "m"], ["s"]),
        (["s", "m"], "s;m"),
        (["s", "m"], "['s', 'm']"),
        (["a,b"], "a,b"),
        (["a,b", "c"], "a,b,c"),
        (["s"], ["s", "s"]),
        ([1], [True]),
        (["s"], '["s"'),
        (["s"], "[" * 100_000),
        ([1], f"[{'1' * 5000}]"),
        ("s,m", ["s", "m"]),
        ("s", ["s"]),
        (["s"], {"0": "s"}),
    ],
    "empty_as_missing": [(None, "null"), (None, 0), ("", False), ([], {}), ([], [None]), ("x", None), (0, None)],
    "white_space": [("Asha Rao", "AshaRao"), ("a b", "a\tb"), ("a b", "a\u00a0b"), ("a", "A")],
    "unicode_form": [
        (COMPOSED, "Jose"),
        ("\ufb01", "fi"),
        ("x\u0301", "x\u0300"),
        ("\u0301\u0323" * 501, "\u0323\u0301" * 501),
        ("x", "\ud800"),
    ],
}


@pytest.mark.parametrize(
    ("code", "here", "there"), [(code, *pair) for code, pairs in SAME.items() for pair in pairs], ids=shown
)
def test_another_form_is_tolerated_by_its_name(code: str, here: Any, there: Any) -> None:
    """Never silently."""
    found = of_values(here, there)
    assert (found.differences, codes(found)) == ([], [code])


@pytest.mark.parametrize(("here", "there"), [pair for pairs in OTHERS.values() for pair in pairs], ids=shown)
def test_another_value_is_a_difference(here: Any, there: Any) -> None:
    """However near it is to a form that is tolerated."""
    assert codes(of_values(here, there)) == ["trait_differs"]


def test_each_tolerance_has_cases() -> None:
    """Of both kinds; that of phones has its own test."""
    assert SAME.keys() == OTHERS.keys() == entries(ToleranceCode).keys() - {"phone_form"}


@pytest.mark.parametrize(
    ("here", "there"), [(3, 3), (3, 3.0), (24.5, 24.5), (True, True), ("", ""), (None, None), ([], []), ([1], [1.0])]
)
def test_equal_values_need_no_tolerance(here: Any, there: Any) -> None:
    """JSON has one kind of number."""
    assert of_values(here, there) == Comparison([], [])


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        ([1, 2, True], ["1", "2", "True"], ["number_as_text", "boolean_as_text"]),
        ([1, 2], "1, 2", ["list_as_text", "number_as_text"]),
        (["a ", TIME], [" a", "2025-03-27 13:26:52.926Z"], ["white_space", "time_form"]),
        (f"{COMPOSED} ", DECOMPOSED, ["white_space", "unicode_form"]),
    ],
)
def test_a_value_may_need_several_tolerances(here: Any, there: Any, found: list[str]) -> None:
    """Each is named once."""
    assert codes(of_values(here, there)) == found


def test_a_trait_that_is_cleared_may_be_missing() -> None:
    """Any other trait may not."""
    found = compare({"traits": {"a": None, "b": "x"}}, contact())
    assert codes(found) == ["trait_differs"]
    assert [one.code for one in found.tolerated] == ["empty_as_missing"]


def test_what_only_the_contact_has_is_no_difference() -> None:
    """Nor is what the API does not give back."""
    body = {"userId": "C-1", "createdAt": TIME, "add_to_sales_cycle": True, "tags": ["vip"], "traits": {"a": 1}}
    held = contact(
        user_id="C-1", country_code="+91", phone="9876543210", tags=["new", "vip"], traits={"a": 1, "city": "Pune"}
    )
    assert compare(json.dumps(body).encode(), held) == Comparison([], [])


@pytest.mark.parametrize("held", ["c-1", "C-1 ", "C-10", None])
def test_a_user_id_is_the_same_text(held: str | None) -> None:
    """Another form of an id is another id."""
    assert codes(compare({"userId": "C-1", "traits": {}}, contact(user_id=held))) == ["user_id_differs"]


@pytest.mark.parametrize(
    ("country", "phone", "code"),
    [
        ("+91", "9876543210", None),
        ("91", "9876543210", "phone_form"),
        ("+91", "98765 43210", "phone_form"),
        ("91", "98765-43210", "phone_form"),
        ("+91", "919876543210", "phone_form"),
        ("+91", "+91 98765 43210", "phone_form"),
        (None, "+919876543210", "phone_form"),
        (None, "919876543210", "phone_differs"),
        (None, "9876543210", "phone_differs"),
        ("+1", "9876543210", "phone_differs"),
        ("+1", "+919876543210", "phone_differs"),
        ("+9", "19876543210", "phone_differs"),
        ("+91", "9876543211", "phone_differs"),
        ("+91", "09876543210", "phone_differs"),
        ("+91", "91919876543210", "phone_differs"),
        ("+91", "٩876543210", "phone_differs"),
        ("+91", None, "phone_differs"),
        (None, None, "phone_differs"),
    ],
)
def test_a_phone_has_the_same_country_and_digits(country: str | None, phone: str | None, code: str | None) -> None:
    """In no country's form may it be another number."""
    body = {"countryCode": "+91", "phoneNumber": "9876543210", "traits": {}}
    assert codes(compare(body, contact(country_code=country, phone=phone))) == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("country", "phone", "code"),
    [("+1242", "5551234", "phone_form"), ("1242", "555 1234", "phone_form"), ("+1242", "2425551234", "phone_differs")],
)
def test_a_country_code_may_have_the_area_code(country: str, phone: str, code: str) -> None:
    """Several countries share +1. The digits with the country code are the same number all the same."""
    body = {"countryCode": "+1", "phoneNumber": "2425551234", "traits": {}}
    assert codes(compare(body, contact(country_code=country, phone=phone))) == [code]


def test_tags_are_compared_one_by_one() -> None:
    """In the order of the row; the account may hold one in another form."""
    body = {"tags": ["vip", "old", COMPOSED, "7 ", "old", "VIP"], "traits": {}}
    found = compare(body, contact(tags=["7", "x", DECOMPOSED, "vip"]))
    assert [one.text for one in found.differences] == [
        "the tag 'old' is missing in the account",
        "the tag 'VIP' is missing in the account",
    ]
    assert codes(found) == ["tag_missing", "tag_missing"]
    assert [one[:2] for one in found.tolerated] == [("tags", "unicode_form"), ("tags", "white_space")]


def test_differences_come_in_the_order_of_the_row() -> None:
    """Identity first. Each has its name and both values, in one line."""
    body = {
        "traits": {"z": "Pune", "b": None, "a": True, "c\nd": ["s", 1], "e": "x" * 200, "f": 2**300},
        "tags": ["vip"],
        "phoneNumber": "9876543210",
        "countryCode": "+91",
        "userId": "C-1",
    }
    traits = {"z": "Mum\nbai", "b": {"x": 1}, "a": None, "c\nd": [["s"], "x" * 100], "e": "x" * 201}
    found = compare(body, contact(user_id="C-2", phone="9876543210", traits=traits))
    assert [(one.name, one.text) for one in found.differences] == [
        ("user_id", "user_id is 'C-1' here and 'C-2' in the account"),
        ("phone", "phone is '+91 9876543210' here and '9876543210' in the account"),
        ("tags", "the tag 'vip' is missing in the account"),
        ("z", r"z is 'Pune' here and 'Mum\nbai' in the account"),
        ("b", "b is null here and an object in the account"),
        ("a", "a is true here and null in the account"),
        ("c\nd", rf"c\nd is ['s', 1] here and [a list, '{'x' * 49}… in the account"),
        ("e", f"e differs only after what is shown here: '{'x' * 58}…"),
        ("f", "f is a whole number of 301 bits here and missing in the account"),
    ]
    (tolerated,) = of_values(3, "3").tolerated
    assert tolerated == ("a", "number_as_text", "a is 3 here and '3' in the account")


# ------------------------------------------------------------------ any value that a load sends


@st.composite
def bodies(draw: Any) -> list[bytes]:
    """Draw a column of any type, as any type of the mapping, and return the bodies that a load makes of it."""
    values = draw(columns.anything())
    table = {"id": [f"C-{row}" for row in range(len(values))], "a": values, "tags": values}
    written = {"user_id": "id", "traits": [{"column": "a", "type": draw(st.sampled_from(TYPES))}]}
    if draw(st.booleans()):
        written["tags"] = "tags"
    options = Settings(nulls=draw(st.sampled_from(["omit", "clear"])), bad_values="drop")
    batch = pa.RecordBatch.from_pydict(table)
    return [one for one in Preparation(Mapping.of(written), "user", options)(batch, 0)["body"].to_pylist() if one]


def held_by(body: bytes, options: SandboxOptions) -> Contact:
    """Return the contact that the sandbox shows after a call, as `pull` reads it."""
    sent = json.loads(body)
    user = store.Contact("1", sent["userId"], None, None, sent["traits"], sent.get("tags", []), None, 0, 0)
    customer = json.dumps(contacts.customer(user, options))
    page = f'{{"data":{{"total_customers":1,"has_next_page":false,"customers":[{customer}]}}}}'
    return read_page(page.encode()).contacts[0]


@examples(500)
@given(bodies())
def test_a_contact_that_holds_what_was_sent_is_the_same(sent: list[bytes]) -> None:
    """Without any tolerance."""
    for body in sent:
        assert compare(body, held_by(body, SandboxOptions())) == Comparison([], [])


@examples(500)
@given(bodies())
def test_numbers_and_booleans_may_come_back_as_text(sent: list[bytes]) -> None:
    """Each such trait is named with what it has."""
    for body in sent:
        found = compare(body, held_by(body, SandboxOptions(read_types="text")))
        value = json.loads(body)["traits"].get("a")
        kinds = {type(one) for one in (value if isinstance(value, list) else [value])}
        expected = {"boolean_as_text"} if bool in kinds else set()
        expected |= {"number_as_text"} if kinds & {int, float} else set()
        assert not found.differences
        assert {(one.name, one.code) for one in found.tolerated} == {("a", code) for code in expected}


def others(value: Any) -> list[Any]:
    """Return values that are not this one, in any form."""
    if isinstance(value, list):
        longer = [*value, "x"]
        changed = [[*value[:at], other, *value[at + 1 :]] for at in range(len(value)) for other in others(value[at])]
        return [longer, json.dumps(longer), {"a": value}, *changed, *([None, "", value[1:]] if value else ["x"])]
    if isinstance(value, bool):
        return [not value, json.dumps(not value), int(value), None, [value]]
    if isinstance(value, (int, float)):
        other = value + 1 if isinstance(value, int) else value * 2 or 1
        return [other, json.dumps(other), bool(value), None, [value], f"{json.dumps(value)}x"]
    if value is None:
        return [0, False, "x", [None], {}]
    return [f"{value}x", f"x {value}", None, "", [value], {"a": value}, unicodedata.normalize("NFD", f"{value}\u00e9")]


@examples(500)
@given(bodies(), st.data())
def test_any_other_value_is_one_difference_of_its_trait(sent: list[bytes], data: st.DataObject) -> None:
    """In the same form or in another one; so is a value that is missing."""
    for body in sent:
        traits = json.loads(body)["traits"]
        if "a" not in traits:
            continue
        held = held_by(body, SandboxOptions())
        changed = compare(body, held._replace(traits={"a": data.draw(st.sampled_from(others(traits["a"])))}))
        assert [(one.name, one.code) for one in changed.differences] == [("a", "trait_differs")]
        assert changed.tolerated == []
        missing = compare(body, held._replace(traits={}))
        assert len(missing.differences) == (traits["a"] not in (None, "", []))


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["NaN", "-Infinity", "1e400"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
) | st.sampled_from([nested(100_000), 10**10_000, "9" * 10_000, "[" * 100_000, "\ud800", "\ufeff", "\u0301" * 9000])


@examples(500)
@given(bodies(), JSON, st.lists(st.text(st.characters()), max_size=3), st.none() | st.text())
def test_no_contact_makes_it_fail(sent: list[bytes], value: Any, tags: list[str], text: str | None) -> None:
    """Whatever JSON it holds: the texts are short and in one line."""
    for body in sent:
        phone = json.loads(body) | {"countryCode": "+91", "phoneNumber": "9876543210"}
        found = compare(phone, contact(user_id=text, country_code=text, phone=text, tags=tags, traits={"a": value}))
        texts = [one.text for one in found.differences] + [one.text for one in found.tolerated]
        assert all(len(text) < 250 and text.isprintable() for text in texts)
        assert entries(DifferenceCode | ToleranceCode).keys() >= {*codes(found)}
