"""What the name of a column says: whose id and whose phone it is, in the spellings that exports have."""

from __future__ import annotations

import pytest

from interakt_loader.mapping.infer import names

IDS = (
    "customer_id|Customer ID|customerId|CustomerID|CUSTOMERID|customerid|customerNo.|Customer No|CUST_CODE|cust_id|"
    "custid|Customer #|Customer#|c_customer_id|ProspectiveBuyerId|uid|usr_id|userUUID|user.id|User Key|client-code|"
    "Client Nr|Member Number|member_no|Patient No.|STUDENT_ID|subscriber id|Lead Id|profileId|$distinct_id|"
    "shopper_guid|buyer_id|contact_id|Contact Code|id_customer|Customer ID (internal)|customer_unique_id|"
    "shopify_customer_id|custNo|Customer's ID"
)
ASKED = (
    "id|ID|_id|Record ID|record_id|uuid|GUID|unique id|external_id|object_id|customer|Client|cust|usr|donor_id|"
    "Guest ID|visitor id|System User Code|acme_customer_id|Bank Customer ID"
)
NOBODYS = (
    "Sr No|S.No.|serial|row|row_number|index|order_id|Order #|invoice_no|bill_no|receipt id|transaction_id|"
    "booking_id|appointment no|admission_no|ticket_id|payment_id|shipment_id|awb|session_id|token|card_no|"
    "coupon_code|product_id|sku|deal_id|company_id|email|page_id|customer_order_id|customer_group_id|"
    "Customer Type Code|created_by_user_id|agent_user_id|assigned_user_id|sales_customer_id|referrer_customer_id|"
    "seller_user_id|parent_customer_id|user_agent_id|contact no|contact number|distinct number|no of customers|"
    "number of users|customers|user pseudo id|device_id|zip code|Roll No|employee_id|Emp Code|store_id|"
    "member_card_no|customer_address_id|customer_id_hash|paid|valid|grid|turkey|barcode"
)


@pytest.mark.parametrize("name", IDS.split("|"))
def test_a_persons_id(name: str) -> None:
    """A word for the person with a word for an id."""
    found = names.person_id(name)
    assert found is not None
    assert found.sure


@pytest.mark.parametrize("name", ASKED.split("|"))
def test_an_id_that_is_asked(name: str) -> None:
    """A bare id, a word alone, or a person who is not among those that are sure."""
    found = names.person_id(name)
    assert found is not None
    assert not found.sure


@pytest.mark.parametrize("name", NOBODYS.split("|"))
def test_an_id_of_something_else(name: str) -> None:
    """Of an order, of a row, or of somebody else."""
    assert names.person_id(name) is None


OWN = (
    "phone|Phone Number|phoneNumber|PHONE_NO|mobile|Mobile No.|mobileno|MOB|Mob. No|cell|Cell Phone|tel|Telephone|"
    "msisdn|WhatsApp|WhatsApp Number|whatsapp_no|Whats App No|wa_id|Contact No|Contact Number|contact#|Ph. No|"
    "customer_phone|customer.phone|user mobile|Student Mobile|patientPhone|Primary Phone|Registered Mobile Number|"
    "Phone 1|Billing Phone|Phone (Billing)|Default Address Phone|homePhone|Mobile (10 digits)|phone_e164|e164|"
    "Your Mobile Number|Enter your WhatsApp number (with country code)|What is your phone number?|"
    "mobile_number_with_country_code|Mobile number of customer|guest phone|Phone - Mobile"
)
SOMEBODY_ELSES = (
    "agent_phone|agentPhone|AGENTMOBILE|Agent Mobile No|store_phone|Store Contact|Rider Phone|Driver Mobile|"
    "vendor contact no|support_phone|Doctor Phone|Dr. Mobile|referrer_phone|sales rep phone|salesman tel|"
    "Staff Mobile|manager_phone|Relationship Manager Mobile|Emergency Contact|Emergency Contact Number|"
    "supplier phone|seller_phone|merchant_mobile|Branch Phone|alternate_phone|Alternate Mobile No|Alt Phone|"
    "Secondary Phone|Phone 2|Mobile No.2|customer_alternate_phone|Office Phone|Work Phone|Phone (Work)|"
    "delivery boy phone|courier_phone|Nominee Mobile|next of kin phone|Mobile of Agent|phone_agent|"
    "lead owner phone|Teacher Mobile|Coach Phone|fax|Fax No|landline|previous phone|Consignor Mob|shipper phone"
)
GUARDIANS = (
    "Parent Mobile|parent_phone|Father's Mobile No|mother mobile|guardian_phone|Contact Number of Parent|spouse mobile"
)
UNCLEAR = (
    "contact|Customer Contact|Number|Recipient Phone|Consignee Mobile|shipping_phone|xyz phone|insurer phone|"
    "to_phone|display_phone_number|F Mobile|M. Mobile|O Phone"
)
NO_PHONES = (
    "whatsapp_opted_in|WhatsApp Opted|WhatsApp Opt-in|PhoneService|Phone Type|phone model|phone_country_code|"
    "Phone Country|contact person|Contact owner|Contact Name|contact_email|contact_id|mobile_verified|"
    "Mobile Verified?|is_mobile|mobile app version|mobile_os|phone_number_id|Do you have WhatsApp?|"
    "Best time to call|Ph.D|order number|national_number|customer care number|phone calls count|"
    "Accepts WhatsApp Marketing|Mobile Data Plan|phone bill|telephone network|number of orders"
)


@pytest.mark.parametrize(
    ("listed", "whose"),
    [(OWN, "own"), (SOMEBODY_ELSES, "other"), (GUARDIANS, "guardian"), (UNCLEAR, "unclear"), (NO_PHONES, None)],
)
def test_whose_phone_it_is(listed: str, whose: str | None) -> None:
    """The customer's, somebody else's, a parent's, not clear, or none at all."""
    said = {name: names.phone(name) for name in listed.split("|")}
    assert {name: one and one.whose for name, one in said.items()} == dict.fromkeys(said, whose)


def test_which_of_several_phones_is_taken() -> None:
    """One that names the customer before a bare one, WhatsApp before mobile, an unclear one last."""
    in_order = [
        "customer whatsapp",
        "customer mobile",
        "customer phone",
        "whatsapp",
        "mobile",
        "phone",
        "billing phone",
    ]
    in_order.append("recipient phone")

    def rank(name: str) -> int:
        found = names.phone(name)
        assert found is not None
        return found.rank

    assert sorted(sorted(in_order), key=rank) == in_order


def test_the_number_of_a_helper_tells_no_rows_apart() -> None:
    """The delivery boy's is not the delivery's; a loan's account is."""
    assert not names.action_id("DeliveryBoy No")
    assert names.action_id("Delivery No")
    assert names.action_id("Loan A/c No")


@pytest.mark.parametrize("name", ["Alternate number", "Helpline No", "Customer Reference Number"])
def test_a_second_number_is_no_subject_of_a_row(name: str) -> None:
    """So it is not said that the rows have it and no person."""
    assert names.subject(name) is None
