"""What the name of a column says: whose id or phone it is, which country, what time. All tables of words are here.

Names alone decide which column is proposed for which field. So a table of one row and one of a million give the same
mapping.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal


def _listed(words: str, by: str | None = None) -> list[str]:
    return words.split(by)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# ------------------------------------------------------------------ people and things

PEOPLE = {
    noun: position
    for position, nouns in enumerate(
        _listed(
            "customer cust,user usr,member mbr,contact,client,patient,student,subscriber,lead,profile,distinct,shopper,"
            "buyer,person",
            ",",
        )
    )
    for noun in nouns.split()
}
"""Words for the person whom a row is about, with their order of preference."""

_MAYBE_PEOPLE = _set(
    "guest donor attendee participant resident tenant passenger policyholder holder insured borrower applicant "
    "candidate visitor consumer payer payee learner pupil volunteer alumnus alumni viewer player party people"
)
"""Words for people whose ids are used only after a question."""

OTHERS = _set(
    "agent store shop outlet rider driver vendor support doctor dr physician nurse parent guardian father mother dad "
    "mom mum husband wife spouse relative relation kin nominee referrer referer referred referral refer reference "
    "referee sales salesman salesperson rep representative staff manager mgr emergency supplier seller merchant branch "
    "alternate alternative alt secondary second other courier delivery deliveryman boy executive exec rm am owner "
    "employee emp cashier teacher tutor trainer coach counsellor counselor advisor adviser admin administrator "
    "operator technician engineer mechanic stylist therapist chef waiter captain conductor pilot warden broker partner "
    "distributor dealer franchise franchisee retailer wholesaler company business office work helpline hotline help "
    "service care center centre clinic hospital hotel restaurant school college bank warehouse factory godown plant "
    "builder contractor plumber electrician landlord secretary president chairman principal hod head supervisor boss "
    "hr handler telecaller caller introducer sponsor upline assigned assignee creator created updated modified by "
    "author approver processed entered friend neighbour neighbor witness sender from beneficiary account attendant "
    "poc spoc lawyer agency carrier transporter booked lineman collector surveyor inspector consultant organizer "
    "organiser host vet old former previous prev invalid wrong consignor shipper"
)
"""Words for another person than the subject of a row, or for a number that is not the one to use."""

_PLACES = _set(
    "store shop outlet merchant branch company business office service center centre clinic hospital hotel restaurant "
    "school college bank warehouse agency account partner other alternate alternative alt secondary second old former"
)
"""Those of them that may be before the customer's own id, which raises a question."""

GUARDIANS = _set("parent guardian father mother dad mom mum husband wife spouse")
"""Those of them who are often the recipients, which raises a question."""

_STAFF = _set("employee emp staff")
_SECOND_NUMBERS = _set("alternate alternative alt secondary second other emergency helpline hotline reference ref")
"""Words that with `number` say nothing about the row's subject: `Alternate number`."""
_NOT_PEOPLE = OTHERS | _set("product item sku asset vehicle property flat unit branch place location site department")

_NEUTRAL = _set(
    "prospective prospect new my our your their his her own crm erp shop shopify woo woocommerce stripe razorpay "
    "magento hubspot zoho salesforce klaviyo mixpanel freshsales pipedrive external internal unique global master "
    "primary main end sold billing bill dim fk pk src source loyalty app web platform portal wa whatsapp "
    "interakt google facebook instagram order invoice full complete registered reg valid current active personal "
    "default preferred best formatted raw clean standard enter please provide give what is the s international "
    "national intl address home day daytime direct and with or of for in be on default property custom record data "
    "info details detail communication comm"
)
"""Words next to a person's id or phone that change nothing."""

# ------------------------------------------------------------------ ids

_ID = _set("id no number num nr nbr code key uuid guid identifier")
_ID_FILLERS = _set("unique external internal global master primary main")
_ROW_IDS = {("id",), ("uuid",), ("guid",), ("identifier",), ("record", "id"), ("object", "id"), ("row", "id")}

_ACTIONS = _set(
    "order invoice bill receipt transaction txn trans booking reservation appointment appt admission ticket payment "
    "pay refund return exchange shipment delivery awb tracking consignment waybill parcel session token coupon voucher "
    "product item sku deal opportunity page visit call message event activity interaction meeting task case complaint "
    "enquiry inquiry query claim policy loan subscription cart checkout quote quotation estimate donation trip ride "
    "request prescription rental charge purchase sale challan memo redemption test lab job folio stay "
    "course enrollment enrolment lesson lecture contract agreement application proposal po docket "
    "vehicle"
)
"""What a person may have several of: an id of one of these identifies a row, not a person."""
_BARE_ACTIONS = _set("order invoice receipt awb sku transaction txn booking appointment")
"""Those whose name alone is often that of such an id."""
_ATTRIBUTES = _set(
    "last first latest recent total count avg average mean next previous prev parent default orders of max min sum "
    "current favourite favorite preferred"
)
"""Words that make of `order id` something about a person: `last order id`."""

# ------------------------------------------------------------------ phones

_PHONE = _set(
    "phone phones mobile mob cell cellphone whatsapp telephone tel telefon telefono telefone msisdn handphone "
    "handset gsm ph smartphone celular movil handy portable"
)
_OWN_LETTERS = _set("c u")
"""Letters before a phone that mean the customer or user; `F Mobile` is a father's, `O Phone` an office's."""
_PHONE_SUFFIX = _set(
    "no number numbers num nr nbr digits phone mobile cell whatsapp tel telephone primary main home personal "
    "formatted raw international national intl india in e164 full one s value"
)
_NEVER_PHONE = _set(
    "type service brand model os app country code name email mail status verified consent opt opted optin optout "
    "subscribed marketing opt-in accepts accept allow allowed has have do does can may would should agree updates "
    "receive network plan provider carrier device id ids hash lines protection count usage bill date time money "
    "banking valid is_valid ext extension"
)
UNSAID = 4
"""From this rank on, a phone's name does not say that it is the customer's."""
_LANDLINES = _set("landline fax pager std resi residence")

# ------------------------------------------------------------------ the other fields

_TIMES = _set(
    "date time datetime timestamp dttm dob born birthday birthdate created updated modified signup joined "
    "registered expiry expires since until anniversary dates times"
)
_EVENT_TIMES = _listed(
    "createdat occurredat happenedat eventtime eventat eventdate eventtimestamp timestamp datetime orderedat orderdate "
    "orderedon ordertime orderdatetime purchasedat purchasedate purchasedon invoicedate billdate billeddate billedat "
    "transactiondate transactiontime transactionat txndate txntime paidat paidon paymentdate paymenttime bookedat "
    "bookingdate bookedon appointmentdate appointmenttime visitdate visitedat deliveredat deliverydate donationdate "
    "receiptdate saledate saletime soldat calldate calltime placedat date time createdon createddate createdtime "
    "creationdate datecreated sentat loggedat ts"
)
_USER_TIMES = _listed(
    "createdat createdon createddate createdtime created createdate datecreated creationdate signupdate signuptime "
    "signup signedup signedupat signedupon registeredat registered registrationdate registrationdttm registeredon "
    "dateofregistration joinedat joined joindate joiningdate datejoined dateofjoining joinedon membersince "
    "customersince clientsince"
)
_ACTION_TIMES = _set(
    "order ordered purchase purchased invoice bill billed transaction txn payment paid booking booked appointment "
    "visit visited delivery delivered shipped dispatched dispatch sale sold call event occurred donation donated "
    "ticket checkin receipt session trip ride placed admission redeemed redemption sent received called viewed opened "
    "clicked arrival arrived departure"
)
_TIME_ENDS = _set("date time at on datetime timestamp dt")
_NOT_OF_THE_EVENT = _set(
    "birth birthday dob born birthdate expiry expires expire expected due next last first updated modified until "
    "anniversary valid renewal signup joined registered since end followup promised required"
)
_BARE_TIMES = {"date", "time", "datetime", "timestamp", "day", "when"}

_EVENTS = ("eventname", "event", "eventtype", "nameofevent", "eventaction")
_LOOSE_EVENTS = ("type", "action", "activity", "metric", "metricname")
_TAGS = ("tags", "tag")

_COUNTRY_CODES = _listed(
    "countrycode phonecountrycode mobilecountrycode whatsappcountrycode phonecountry phonecode dialcode dialingcode "
    "diallingcode isdcode isd countrydialcode callingcode countrycallingcode cc phonecc"
)
_COUNTRIES = ("countryiso", "country", "countryname", "countryregion", "addresscountry", "defaultaddresscountrycode")
_NO_COUNTRY = _set("origin store shop ip product made manufacture manufacturer birth nationality supplier vendor group")

_STATES = _set("state province emirate county statecode provincecode")
_ZIPS = _set("zip zipcode postal postcode postalcode pin pincode")

_CODES = _set("zip zipcode postcode postal postalcode pin pincode phone mobile fax telephone tel sku ean isbn aadhaar")
_CODES_AT_THE_END = _set(
    "id ids key code no num number nr uuid guid ref reference cc iban account extension ext aadhar aadhaar identifier"
)
_LISTS = _set("tags tag labels label categories interests ids segments groups lists")
_PERSON_NAMES = _set(
    "name fullname firstname lastname surname fname lname forename middlename displayname username nickname salutation"
)
_FIRST_NAMES = {("first",), ("last",), ("full",), ("middle",), ("display",), ("sur",), ("given",), ("family",)}
_WHOLE_NAMES = [("name",), ("full", "name")]
_NAME_PARTS: dict[Literal["first", "last"], tuple[tuple[str, ...], ...]] = {
    "first": (("first", "name"), ("given", "name"), ("fname",), ("forename",)),
    "last": (("last", "name"), ("family", "name"), ("lname",), ("surname",)),
}
_NO_NOUNS = _set("profile distinct user usr")
"""Those words for people whose name is a sign-in name or no name."""
_NEXT_TO_OWNER = _set("owner account record crm hubspot zoho salesforce property hs email mail address")
_AGREES = _set("opted optin consent subscribed newsletter")
_ACCEPTS = _set("accepts accept accepted")
_MEDIA = _set("marketing email sms whatsapp wa messages updates")
_NO_CONSENT = _set(
    "out optout no not never unsubscribed declined dnd at on date time updated source method level form version id "
    "timestamp count"
)
"""Words that make of a consent something else."""
_AMOUNTS = _set("amount amt price qty quantity fare fee fees cost subtotal bill paid")
_SERIALS = {
    ("sr", "no"), ("s", "no"), ("sl", "no"), ("serial", "no"), ("serial", "number"), ("no",), ("sr",), ("sno",),
    ("row",), ("index",), ("srno",), ("slno",), ("serial",),
}  # fmt: skip
_PERSONAL = _set("email mail dob birthdate gender age")
_NO_NAME = re.compile(r"(column|col|field|unnamed|f|c|var|v|x|index level)?[\W_]*\d*[\W_]*", re.IGNORECASE | re.ASCII)

# ------------------------------------------------------------------ the words of a name

_JOINED = (
    _ID
    | PEOPLE.keys()
    | _MAYBE_PEOPLE
    | _ACTIONS
    | _PHONE
    | {word for word in OTHERS if len(word) > 4}
    | _set("contact country created at date name time agent store driver rider parent first last full dial isd record")
)
"""Words that are written together: `customerid`, `mobileno`."""


def simplified(name: str) -> str:
    """Return a name without case and punctuation: `Customer ID` is `customerid`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@functools.lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in small letters: `c_customerID` is c, customer, id; `Bill #` is bill, no."""
    decomposed = unicodedata.normalize("NFKD", name)
    text = "".join(character for character in decomposed if not "\u0300" <= character <= "\u036f")
    text = re.sub(r"whats[\s_-]?app", "Whatsapp", text, flags=re.IGNORECASE)
    text = re.sub(r"\ba/c\b", "account", text, flags=re.IGNORECASE)
    text = re.sub(r"\be-?mail", "Email", text, flags=re.IGNORECASE)
    text = re.sub(r"e[._-]?164", " phone ", text, flags=re.IGNORECASE)
    text = re.sub(r"['\u2019]s\b", "", text)
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|#|[^\W\d_A-Za-z]+", text)
    return tuple(word for run in found for word in _split_joined("no" if run == "#" else run.lower()))


@functools.lru_cache(maxsize=4096)
def _split_joined(word: str) -> tuple[str, ...]:
    """Return the two or three known words that make up a word, or the word itself."""
    if word in _JOINED or len(word) > 40:
        return (word,)
    for end in range(2, len(word) - 1):
        head, tail = word[:end], word[end:]
        if head in _JOINED and tail in _JOINED and not (head in _ID and tail in _ID):
            return head, tail
    for end in range(2, len(word) - 3):
        if word[:end] in _JOINED and len(rest := _split_joined(word[end:])) == 2:
            return word[:end], *rest
    return (word,)


def _without_remark(name: str) -> tuple[str, ...]:
    """Return the words without a remark in brackets: `Mobile (10 digits)`."""
    return words(re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", name)) or words(name)


# ------------------------------------------------------------------ ids


@dataclass(frozen=True)
class IdName:
    """The person whose id a column holds, by its name."""

    noun: str
    """The word for the person; "" for `id` alone."""
    rank: int
    """The lower, the clearer."""
    sure: bool
    """False if a question asks whether it is the person's."""


def person_id(name: str) -> IdName | None:
    """Return whose id a column holds, if it is the id of the row's subject; else None."""
    parts = _without_remark(name)
    if parts == ("uid",):
        return IdName("user", 0, sure=True)
    if len(parts) == 2 and parts[0] in ("id", "key") and parts[1] in PEOPLE:
        # PrestaShop writes id_customer
        parts = parts[::-1]
    if parts in _ROW_IDS or tuple(word for word in parts if word not in _ID_FILLERS) in _ROW_IDS:
        return IdName("", 9, sure=False)
    if len(parts) == 1 and (parts[0] in PEOPLE or parts[0] in _MAYBE_PEOPLE) and parts[0] not in ("contact", "lead"):
        return IdName(parts[0], 11, sure=False)
    if not parts or parts[-1] not in _ID:
        return None
    before = list(parts[:-1])
    if before[-1:] == ["id"]:
        # `Customer ID No`
        before.pop()
    filled = len(before)
    while before and before[-1] in _ID_FILLERS:
        before.pop()
    filled -= len(before)
    noun, others = (before[-1], before[:-1]) if before else ("", [])
    if noun in _MAYBE_PEOPLE and OTHERS.isdisjoint(others):
        return IdName(noun, 10, sure=False)
    if noun not in PEOPLE or not (OTHERS - _PLACES).isdisjoint(others) or "of" in others:
        return None
    if (noun == "contact" and parts[-1] in ("no", "number", "num", "nr", "nbr")) or (
        noun == "distinct" and parts[-1] not in ("id", "key")
    ):
        return None
    known = all(len(word) == 1 or word.isdigit() or word in _NEUTRAL or word in PEOPLE for word in others)
    return IdName(noun, (2 if others else 0) + bool(filled) if known else 5, sure=known)


def action_id(name: str) -> bool:
    """Tell whether a name is that of an id of something that a person may have several of: an order, a visit."""
    parts = _without_remark(name)
    if not parts or not _ATTRIBUTES.isdisjoint(parts):
        return False
    if len(parts) == 1:
        return parts[0] in _BARE_ACTIONS
    # a bank's account; an account id is often a company's
    if parts[-2:] in (("account", "no"), ("account", "number")):
        return True
    # `Delivery Boy No`
    if parts[-2] in ("boy", "man", "agent", "executive", "exec"):
        return False
    return parts[-1] in _ID | {"token", "ref", "reference"} and not _ACTIONS.isdisjoint(parts[-3:-1])


def action_time(name: str) -> bool:
    """Tell whether a name is that of the time at which something was done: `order_date`, `paid_at`."""
    parts = words(name)
    if "of" in parts:
        # `date of visit`
        parts = (*parts[parts.index("of") + 1 :], *parts[: parts.index("of")])
    if simplified(name) in ("checkin", "checkout", "checkedin", "checkedout"):
        return True
    if not parts or parts[-1] not in _TIME_ENDS or not _NOT_OF_THE_EVENT.isdisjoint(parts):
        return False
    return not _ACTION_TIMES.isdisjoint(parts[:-1])


def bare_time(name: str) -> bool:
    """Tell whether a name is only `date` or `time`."""
    return simplified(name) in _BARE_TIMES


def subject(name: str) -> Literal["staff", "thing", "word"] | None:
    """Return whose id or name a column holds, if it is not the recipient's: that of staff, or of a thing or a shop.

    One word alone, such as `Supplier`, may be either (`word`).
    """
    parts = _without_remark(name)
    if len(parts) == 1 and parts[0] in OTHERS:
        return "word"
    if len(parts) < 2 or parts[-1] not in _ID | {"name"} or not _ATTRIBUTES.isdisjoint(parts):
        return None
    if parts[-2] in _STAFF:
        return "staff"
    if parts[-2] in _SECOND_NUMBERS:
        return None
    return "thing" if parts[-2] in _NOT_PEOPLE else None


# ------------------------------------------------------------------ phones


@dataclass(frozen=True)
class PhoneName:
    """Whose phone a column holds, by its name."""

    whose: Literal["own", "unclear", "guardian", "other"]
    rank: int
    """The lower, the clearer."""


def phone(name: str) -> PhoneName | None:
    """Return whose phone a column holds, by its name; None if it holds no phones."""
    inside = re.findall(r"\(([^()]*)\)", name)
    name = re.sub(r"(?i)\b(with|incl\.?|including)[\s_]+(country|isd|dial)[\s_]*code\b", " ", name.replace("_", " "))
    parts = list(_without_remark(name))
    if parts[:1] == ["is"] or simplified(name) in ("waid", "whatsappid"):
        return PhoneName("own", 0) if parts[:1] != ["is"] else None
    core = _core(parts)
    if core is None:
        is_landline = not _LANDLINES.isdisjoint(parts[-2:])
        if is_landline and (len(parts) == 1 or parts[-1] in _PHONE_SUFFIX | _LANDLINES):
            return PhoneName("other", 9)
        return None
    start, end, weak = core
    before = parts[:start]
    behind = _behind(parts[end:])
    if behind is None or not _NEVER_PHONE.isdisjoint(before):
        return None
    remark = [word for text in inside for word in words(text)]
    around = [*before, *behind, *(word for word in remark if word in OTHERS | {"billing", "shipping", "optional"})]
    kinds = {"whatsapp": 0, "wa": 0, "mobile": 1, "mob": 1, "cell": 2}
    rank = min(kinds.get(word, 3) for word in [*parts, *remark])
    return _whose(around, rank, weak=weak)


def _core(parts: list[str]) -> tuple[int, int, bool] | None:
    """Return where the words for a phone begin and end, and whether they are weak ones."""
    for place, word in enumerate(parts):
        if word in _PHONE and (word != "ph" or parts[place + 1 : place + 2] != ["d"]):
            return place, place + 1, False
        follows = parts[place + 1 : place + 2]
        if word in ("contact", "wa") and follows and follows[0] in ("no", "number", "num", "nr", "nbr", "numbers"):
            return place, place + 2, False
    if parts[-1:] == ["contact"] and not (set(parts[:-1]) & _ACTIONS):
        return len(parts) - 1, len(parts), True
    return (0, 1, True) if parts in (["number"], ["wa"], ["numbers"], ["contacts"]) else None


def _behind(parts: list[str]) -> list[str] | None:
    """Return the words after a phone that say whose it is; None if they say that it is not a phone."""
    for word in ("of", "for"):
        if word in parts:
            place = parts.index(word)
            first = _behind(parts[:place])
            return None if first is None else [*first, *parts[place + 1 :]]
    owners = []
    for word in parts:
        if word.isdigit():
            owners += ["alternate"] if int(word) > 1 and len(word) < 3 else []
        elif word in _NEVER_PHONE:
            return None
        elif word in OTHERS or word in PEOPLE or word in ("billing", "shipping"):
            owners.append(word)
        elif word not in _PHONE_SUFFIX:
            return None
    return owners


def _whose(around: list[str], rank: int, *, weak: bool) -> PhoneName:
    if not GUARDIANS.isdisjoint(around):
        return PhoneName("guardian", 30 + rank)
    numbered = any(word.isdigit() and 1 < int(word) < 10 for word in around)
    if not OTHERS.isdisjoint(around) or numbered:
        return PhoneName("other", 40 + rank)
    people = any(word in PEOPLE for word in around)
    known = all(word in _OWN_LETTERS or word.isdigit() or word in _NEUTRAL or word in PEOPLE for word in around)
    if weak:
        return PhoneName("unclear", 15 + rank)
    if not known and not all(word in _MAYBE_PEOPLE or word in _NEUTRAL or word in PEOPLE for word in around):
        return PhoneName("unclear", 20 + rank)
    if "billing" in around or "bill" in around:
        return PhoneName("own", 10 + rank)
    return PhoneName("own", rank if people else UNSAID + rank)


# ------------------------------------------------------------------ the other fields


def country_rank(name: str) -> int | None:
    """Return how clearly a name is that of a phone's country, the lower the clearer; None if it is not."""
    for rank, names in enumerate((_COUNTRY_CODES, _COUNTRIES)):
        if simplified(name) in names:
            return 100 * rank + names.index(simplified(name))
    parts = words(name)
    if "country" not in parts or not _NO_COUNTRY.isdisjoint(parts) or not OTHERS.isdisjoint(parts):
        return None
    return 300 + ("shipping" in parts) + len(parts)


def event_rank(name: str, *, known: bool) -> int | None:
    """Return how clearly a name is that of the event; `known` says that the rows are events."""
    names = (*_EVENTS, *(_LOOSE_EVENTS if known else ()))
    return names.index(simplified(name)) if simplified(name) in names else None


def created_at_rank(name: str, kind: str) -> int | None:
    """Return how clearly a name is that of an event's time, or of the time since when a user is one."""
    names = _EVENT_TIMES if kind == "event" else _USER_TIMES
    if simplified(name) in names:
        return names.index(simplified(name))
    return 100 if kind == "event" and action_time(name) else None


def tags_rank(name: str) -> int | None:
    """Return how clearly a name is that of a user's tags."""
    return _TAGS.index(simplified(name)) if simplified(name) in _TAGS else None


def names_a_state(name: str) -> bool:
    """Tell whether a name is that of a state or province."""
    return not _STATES.isdisjoint(words(name)[-2:])


def names_a_zip(name: str) -> bool:
    """Tell whether a name is that of a postcode."""
    return _any_of(_ZIPS, name)


def names_a_currency(name: str) -> bool:
    """Tell whether a name is that of a currency."""
    return "currency" in words(name)


def names_a_code(name: str) -> bool:
    """Tell whether a name is that of digits that are no amount: an id, a zip, a phone."""
    parts = words(name)
    return bool(parts) and (parts[-1] in _CODES_AT_THE_END or _any_of(_CODES, name) or phone(name) is not None)


def names_a_time(name: str) -> bool:
    """Tell whether a name is that of a date or a time."""
    parts = words(name)
    return bool(parts) and (parts[-1] in ("at", "on") or _any_of(_TIMES, name))


def names_an_event_time(name: str, *, typed: bool) -> bool:
    """Tell whether a name may be that of an event's time: not a birthday or an expiry.

    `typed` says that the column has a type of times, whatever its name.
    """
    return (typed or names_a_time(name)) and _NOT_OF_THE_EVENT.isdisjoint(words(name))


def names_a_list(name: str) -> bool:
    """Tell whether a name is that of several values in one cell."""
    return _any_of(_LISTS, name)


def names_a_person(name: str) -> bool:
    """Tell whether a column holds the name of the row's subject."""
    parts = _without_remark(name)
    if simplified(name) in _PERSON_NAMES or (len(parts) == 2 and parts[1] == "name" and parts[:1] in _FIRST_NAMES):
        return True
    return len(parts) > 1 and parts[-1] == "name" and parts[-2] in PEOPLE.keys() | _MAYBE_PEOPLE


def full_name_rank(name: str) -> int | None:
    """Return how clearly a column holds the subject's whole name, the lower the clearer; None if it does not."""
    parts = _without_remark(name)
    if parts in _WHOLE_NAMES:
        return _WHOLE_NAMES.index(parts)
    rest = [word for word in parts[:-1] if word not in _NEUTRAL]
    if parts[-1:] == ("name",) and rest and all(word in PEOPLE and word not in _NO_NOUNS for word in rest):
        return 10 + len(parts)
    return None


def name_part(name: str) -> tuple[Literal["first", "last"], tuple[str, ...]] | None:
    """Return which part of a person's name a column holds, and the words before it; None if it holds none."""
    parts = _without_remark(name)
    for part, endings in _NAME_PARTS.items():
        for ending in endings:
            before = parts[: -len(ending)]
            if parts[-len(ending) :] == ending and all(word in _NEUTRAL or word in PEOPLE for word in before):
                return part, before
    return None


def email_rank(name: str) -> int | None:
    """Return how clearly a column holds the subject's e-mail address, the lower the clearer; None if it does not."""
    parts = _without_remark(name)
    others = [word for word in parts if word not in ("email", "mail", "address", "id")]
    if not {"email", "mail"} & {*parts} or not all(word in PEOPLE or word in _NEUTRAL for word in others):
        return None
    return len(others) * 10 + len(parts)


def names_an_owner(name: str) -> bool:
    """Tell whether a column holds who is in charge of the subject: `Contact owner`."""
    parts = words(name)
    return "owner" in parts and all(word in PEOPLE or word in _NEXT_TO_OWNER for word in parts)


def names_a_lead_status(name: str) -> bool:
    """Tell whether a column holds the status of a lead."""
    return tuple(word for word in words(name) if word not in _NEUTRAL and word != "hs") == ("lead", "status")


def consent(name: str) -> Literal["whatsapp", "other"] | None:
    """Return what a person agrees to by a column: messages in WhatsApp, or anything else; None if it is no consent."""
    parts = words(name)
    agrees = not _AGREES.isdisjoint(parts) or ("opt" in parts and "in" in parts)
    agrees = agrees or (not _ACCEPTS.isdisjoint(parts) and not _MEDIA.isdisjoint(parts))
    if not agrees or not _NO_CONSENT.isdisjoint(parts):
        return None
    return "whatsapp" if parts[0] == "wa" or "whatsapp" in parts else "other"


def names_an_amount(name: str) -> bool:
    """Tell whether a name is that of money or of a quantity that belongs to one purchase."""
    parts = words(name)
    return not _AMOUNTS.isdisjoint(parts) and _ATTRIBUTES.isdisjoint(parts)


def counts_rows(name: str) -> bool:
    """Tell whether a name is that of a serial number: `Sr No`, `#`."""
    return words(name) in _SERIALS


def names_something_personal(name: str) -> bool:
    """Tell whether a column is something that people have and orders do not."""
    return names_a_person(name) or _any_of(_PERSONAL, name)


def says_nothing(name: str) -> bool:
    """Tell whether a name is only a position: `column_1`, `f0`, `Unnamed: 3`."""
    return _NO_NAME.fullmatch(name.replace("_", " ").strip()) is not None


def _any_of(wanted: Iterable[str], name: str) -> bool:
    """Tell whether a name, one of its words or two of them together is wanted: `birth_date` is birthdate."""
    parts = words(name)
    pairs = (first + second for first, second in pairwise(parts))
    return not set(wanted).isdisjoint({simplified(name), *parts, *pairs})
