"""Traits that mean something to Interakt: which columns are proposed as them, and how that is written."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from interakt_loader.mapping import Mapping, read_mapping
from interakt_loader.mapping.infer import names
from interakt_loader.mapping.infer.infer import infer
from interakt_loader.mapping.infer.inferred import InferredMapping, Line
from interakt_loader.mapping.presets import preset

CELLS = {"id": ["C1", "C2"], "phone": ["98765 43210", "98765 43211"]}
ADDRESSES = ["ann@example.com", "bo@example.com"]


def proposed(columns: dict[str, list[Any]], **given: Any) -> InferredMapping:
    """Return the proposal for a table with these columns beside an id and a phone."""
    cells = {"customer_id": CELLS["id"], "phone": CELLS["phone"]} | columns
    return infer(
        list(cells), sample=[pa.RecordBatch.from_pydict({name: pa.array(of) for name, of in cells.items()})], **given
    )


def traits_of(found: InferredMapping) -> dict[str, Any]:
    """Return the columns of each trait."""
    return {name: field.columns for name, field in found.traits}


@pytest.mark.parametrize(
    ("columns", "trait", "of"),
    [
        ({"Full Name": ["Asha Rao", "Ravi Shah"]}, "name", ("Full Name",)),
        ({"Customer Name": ["Asha Rao", "Ravi Shah"], "Shop Name": ["A", "B"]}, "name", ("Customer Name",)),
        ({"customer name": ["A", "B"], "Name": ["Asha Rao", "Ravi Shah"]}, "name", ("Name",)),
        ({"E-mail ID": ADDRESSES, "Agent Email": ADDRESSES}, "email", ("E-mail ID",)),
        ({"WhatsApp Opt-in": ["yes", "no"]}, "whatsapp_opted_in", ("WhatsApp Opt-in",)),
        ({"Accepts WhatsApp Marketing": ["1", "0"]}, "whatsapp_opted_in", ("Accepts WhatsApp Marketing",)),
        ({"Contact Owner": ADDRESSES}, "account_owner_email_crm", ("Contact Owner",)),
        ({"lead_status": ["New", "Lost"]}, "lead_status_crm", ("lead_status",)),
        ({"Merchant Location": ["Pune", "Kochi"]}, "merchant_location", ("Merchant Location",)),
    ],
)  # fmt: skip
def test_a_column_that_means_a_trait_of_interakt_gets_its_name(
    columns: dict[str, list[Any]], trait: str, of: tuple[str, ...]
) -> None:
    """The reason says so."""
    found = proposed(columns)
    assert traits_of(found)[trait] == of
    assert of[0] not in traits_of(found)
    assert found.reasons[f"traits.{trait}"].startswith("Interakt's own trait; ")


@pytest.mark.parametrize(
    "columns",
    [
        {"Agent Name": ["Asha", "Ravi"]},
        {"Username": ["asha", "ravi"]},
        {"Agent Email": ADDRESSES},
        {"Email": ["d41d8cd98f00b204", "e9800998ecf8427e"]},
        {"Email Status": ["valid", "bounced"]},
        {"WhatsApp Opt Out": ["yes", "no"]},
        {"WhatsApp Opted": ["Subscribed", "Never"]},
        {"WhatsApp Opted At": ["2024-01-31", "2024-02-01"]},
        {"Contact Owner": ["Jane (jane@example.com)", "joe@example.com"]},
        {"Store Owner": ADDRESSES},
        {"Status": ["New", "Lost"]},
    ],
)
def test_any_other_column_keeps_its_name(columns: dict[str, list[Any]]) -> None:
    """Another person's data, another fact, or values that are no addresses and no answers."""
    assert traits_of(proposed(columns)) == {name: (name,) for name in columns}


def test_a_name_is_joined_of_its_parts() -> None:
    """First Name and Last Name stay traits of their own. A whole name makes joining needless."""
    parts = {"First Name": ["Asha", "Ravi"], "Last Name": ["Rao", ""]}
    found = proposed(parts)
    assert traits_of(found) == {
        "name": ("First Name", "Last Name"),
        "First Name": ("First Name",),
        "Last Name": ("Last Name",),
    }
    assert found.reasons["traits.name"] == "Interakt's own trait, from First Name and Last Name"
    assert '{columns: ["First Name", "Last Name"], join: " ", name: "name", type: string}' in found.to_yaml()
    assert traits_of(proposed({"First Name": ["Asha", "Ravi"]}))["name"] == ("First Name",)
    assert traits_of(proposed({"Name": ["Asha Rao", "Ravi Shah"]} | parts))["name"] == ("Name",)
    assert "name" not in traits_of(proposed({"Last Name": ["Rao", "Shah"]}))


def test_parts_of_two_people_are_not_joined() -> None:
    """The first name of one and the last name of another are no name."""
    found = proposed({"Billing First Name": ["Asha", "Ravi"], "Last Name": ["Rao", "Shah"]})
    assert traits_of(found)["name"] == ("Billing First Name",)


def test_a_column_that_has_the_name_keeps_it() -> None:
    """No other column takes it away."""
    found = proposed({"email": ["", "ravi"], "Email Address": ADDRESSES, "whatsapp_opted_in": ["1", "0"]})
    assert traits_of(found) == {name: (name,) for name in ("email", "Email Address", "whatsapp_opted_in")}
    assert dict(found.traits)["whatsapp_opted_in"].target.type == "boolean"


def test_traits_of_events_keep_their_names() -> None:
    """They describe the event, not the account's contact."""
    found = proposed({"Full Name": ["Asha", "Ravi"], "Email Address": ADDRESSES}, event="Paid")
    assert [*traits_of(found)] == ["Full Name", "Email Address"]


@pytest.mark.parametrize("name", ["Newsletter", "Accepts Marketing", "Email Opt In", "sms_consent"])
def test_consent_to_something_else_is_only_offered(name: str, tmp_path: Path) -> None:
    """The file has the line that a person may add, as a comment that says when."""
    found = proposed({name: ["yes", "no"]})
    assert traits_of(found) == {name: (name,)}
    line = f'# - {{column: "{name}", name: "whatsapp_opted_in", type: boolean}}'
    assert f"  {line}  # only if they agreed to WhatsApp messages" in found.to_yaml().splitlines()
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(found.to_yaml().replace(line, line.removeprefix("# ")), encoding="utf-8")
    assert {trait: of.columns for trait, of in read_mapping(mapping).traits} == {
        name: (name,),
        "whatsapp_opted_in": (name,),
    }
    with_consent = proposed({name: ["yes", "no"], "WhatsApp Opted": ["yes", "no"]})
    assert "only if they agreed" not in with_consent.to_yaml()


def test_a_preset_offers_consent_too() -> None:
    """Shopify's export says e-mail and SMS."""
    found = infer(["Customer ID", "Accepts Email Marketing", "Phone"], preset=preset("shopify-customers"))
    assert '# - {column: "Accepts Email Marketing", name: "whatsapp_opted_in", type: boolean}' in found.to_yaml()
    assert "whatsapp_opted_in" not in traits_of(found)


@pytest.mark.parametrize(
    ("values", "trait"),
    [
        (ADDRESSES, "account_owner_email_crm"),
        (["Jane (jane@x.com)", "bo@x.com"], "Contact owner"),
        (["", ""], "Contact owner"),
    ],
)
def test_the_owner_of_a_hubspot_contact(values: list[str], trait: str) -> None:
    """It is the owner's address only where each value is an address and nothing else."""
    cells = {"Record ID": ["1", "2"], "Email": ADDRESSES, "Contact owner": values}
    found = infer(list(cells), sample=[pa.RecordBatch.from_pydict(cells)], preset=preset("hubspot-contacts"))
    assert traits_of(found)[trait] == ("Contact owner",)
    assert len(found.traits) == 2


def test_consent_is_told_by_words() -> None:
    """A time, a refusal and a source of consent are none."""
    assert names.consent("wa_opt_in") == "whatsapp"
    assert names.consent("sms_consent") == "other"
    assert [names.consent(name) for name in ("opted_out", "consent date", "accepts cash", "consent_source")] == [
        None
    ] * 4


def test_own_names_give_way_to_what_is_given() -> None:
    """A trait that the user names replaces the proposed one of this name."""
    found = proposed({"First Name": ["Asha", "Ravi"], "Last Name": ["Rao", "Shah"], "Alias": ["Ash", "Rav"]})
    given = found.with_given([Line("traits", {"column": "Alias", "name": "name"}, "given")])
    assert traits_of(given)["name"] == ("Alias",)


# ------------------------------------------------------------------ written and read again

WRITTEN: dict[str, Any] = {
    "phone": ["a", {"columns": ["cc", "number"], "join": ""}],
    "event": {"value": "Order"},
    "event_id": "order",
    "group_by": {"columns": ["order", "shop"], "join": "-"},
    "created_at": {"column": "at", "default": dt.date(2024, 1, 31)},
    "traits": {
        "name": {"columns": ["first", "last"], "join": " "},
        "one": {"columns": ["first"], "join": "\n"},
        "status": {
            "column": "s",
            "values": {
                "Yes": True, "No": False, "01": "a", "null": None, "x: y, {z}": [1, "No"], "~": 1.5,
                'a"b\u2028c': "\\n",
                "at": dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc), "half": Decimal("0.50"),
            },
            "otherwise": None,
        },
        "city": {"column": "c", "default": "No"},
        "items": {"column": "i", "collect": True, "default": 0, "type": "number"},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [WRITTEN, {"user_id": "u", "add_to_sales_cycle": {"column": "s", "values": {"On": True}, "otherwise": False}}],
    ids=["events", "users"],
)
def test_every_form_reads_back_as_it_was(written: dict[str, Any], tmp_path: Path) -> None:
    """A mapping file has the same mapping, and so has the call that a person can paste."""
    mapping = Mapping.of(written)
    found = InferredMapping.as_written(mapping)
    path = tmp_path / "mapping.yaml"
    path.write_text(found.to_yaml(), encoding="utf-8")
    assert read_mapping(path) == mapping
    pasted: list[dict[str, Any]] = []
    load = {f"load_{found.kind}s": lambda _, given: pasted.append(given), "data": None}
    exec(found.to_python(), {"datetime": dt, "Decimal": Decimal} | load)
    assert Mapping.of(pasted[0]) == mapping


def test_people_see_which_columns_make_a_trait() -> None:
    """In the summary of a load and in a notebook."""
    found = InferredMapping.as_written(Mapping.of(WRITTEN))
    (traits,) = [line for line in found.details() if line.startswith("  traits")]
    assert traits == "  traits: name = first + last, one = first, status = s, city = c; items = i (number, collected)"
    assert "  phone: a, cc + number" in found.details()
    assert "&#34;join&#34;: &#34; &#34;" in found._repr_html_()
