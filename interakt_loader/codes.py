"""Every code that a line of the report can have: what it means, and what to do about it.

A code is one entry below: `Annotated[Literal[CODE], MEANING, HINT]`. To add a code, add an entry to its group. The type
checker, the hints and the page of codes all read the entries.

The meaning is in Markdown, for the page of codes. The hint is also shown beside rows, in short sentences. In both,
`timeout` or `phones='possible'` between backquotes is an option: see `errors.spell_options`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, Union, get_args

from interakt_loader.errors import KEY_PLACE

AGAIN = "Load again. With a ledger, accepted rows are not sent again."
SERVER = f"{AGAIN} If the error stays, ask Interakt."
NETWORK = "Check the network between this machine and the API, and load again."
ID = "An id must be text or a whole number. If digits were lost, export the column again as text."
TYPE = "Fix the value, or give the column another type in the mapping, or send the row without it: `bad_values='drop'`."

DIFFERS = (
    "The next load sends this row, and writes over what somebody may have changed in the dashboard. If the row was "
    "sent in the last minutes, verify again later."
)
SAME = "Nothing: the value is the same, in another form."

# Codes that two groups have.
TooLarge: TypeAlias = Annotated[
    Literal["too_large"],
    "the call has more than 32 KB; also the API's own 413",
    "Interakt accepts 32 KB in a call. Map fewer or shorter columns.",
]

KeyRefused: TypeAlias = Annotated[
    Literal["key_refused"],
    "401: the load stops",
    f"Copy the key from {KEY_PLACE}. {AGAIN}",
]

PlanWithoutApi: TypeAlias = Annotated[
    Literal["plan_without_api"],
    "403 in the API's own words: the load stops",
    "The account's plan has no API. Ask Interakt to change that, then load again.",
]

CertificateUntrusted: TypeAlias = Annotated[
    Literal["certificate_untrusted"],
    "the certificate of the server, or of an `https://` proxy, is not trusted: the load stops",
    "If your company has a proxy or its own authority, name its CA file in REQUESTS_CA_BUNDLE. If the certificate is "
    "of another host, check `base_url`. If it has expired, check this machine's clock, then ask whoever runs the "
    "server.",
]

Abandoned: TypeAlias = Annotated[
    Literal["abandoned"],
    "a program that uses the loader ended the load in the middle",
    AGAIN,
]

ProblemCode: TypeAlias = Union[
    Annotated[
        Literal["phone_invalid"],
        "not a valid phone number of its country",
        "Correct the number in the source. If the numbers are good but their numbering plan is not known here, load "
        "with `phones='possible'`.",
    ],
    Annotated[
        Literal["country_code_invalid"],
        "not a country",
        "Write the country as +91, IN or India. Or set `default_country` and leave the column out.",
    ],
    Annotated[
        Literal["user_id_invalid"],
        "a fraction, a list, a number that has lost digits (`1.23457E+17`), a spreadsheet error, or text with "
        "invisible characters",
        ID,
    ],
    Annotated[
        Literal["identity_missing"],
        "neither a user_id nor a phone",
        "Map user_id, or phone, or both. Check why they are empty in these rows.",
    ],
    Annotated[
        Literal["event_missing"],
        "the event's name is empty, or a word for a missing value such as `NULL`",
        "Fill the column of the event's name, or give one name for all rows: {value: Order Placed}.",
    ],
    Annotated[
        Literal["event_invalid"],
        "the event's name is a spreadsheet error, or has invisible characters",
        "Correct the name in the source. An event that was sent cannot be renamed.",
    ],
    Annotated[
        Literal["event_id_missing"],
        "the column of `event_id` is empty in this row",
        "Fill the column of event_id, or leave event_id out: then events are compared by all fields together.",
    ],
    Annotated[
        Literal["event_id_conflict"],
        "another row has the same event id with other content; or the ledger knows the id for another person",
        "Make the ids unique, or choose a column with unique values. If another shop or system uses the same numbers, "
        "give its load its own `name`: then it has its own ledger.",
    ],
    Annotated[
        Literal["event_id_invalid"],
        "as `user_id_invalid`, for the column of `event_id`",
        ID,
    ],
    Annotated[
        Literal["not_a_number"],
        "text that is not a number",
        f"{TYPE} If commas are decimal signs: decimal: ','.",
    ],
    Annotated[
        Literal["not_a_boolean"],
        "neither yes nor no",
        TYPE,
    ],
    Annotated[
        Literal["not_a_datetime"],
        "not ISO 8601, or not in the given `format`",
        f"{TYPE} Give the format of the times: format: '%d/%m/%Y %H:%M'.",
    ],
    Annotated[
        Literal["datetime_invalid"],
        "a local time that does not exist, because clocks go forward at that time",
        f"{TYPE} Check the timezone: it must be that of the times, which may not be the server's.",
    ],
    Annotated[
        Literal["not_a_date"],
        "as `not_a_datetime`",
        f"{TYPE} Give the format of the dates: format: '%d/%m/%Y'.",
    ],
    Annotated[
        Literal["not_a_list"],
        "text that begins like a JSON array and is not one",
        f"{TYPE} Give the text between the items: separator: ';'.",
    ],
    Annotated[
        Literal["not_text"],
        "a list where text is expected, bytes that are not UTF-8, or half of a surrogate pair",
        "A list needs the type list. Fix bytes that are not UTF-8 and halves of surrogate pairs.",
    ],
    Annotated[
        Literal["out_of_range"],
        "a time outside the years 1 to 9999, an impossible time of day, or a number above 1e308",
        "Correct the value in the source: the date does not exist, or the number is too large.",
    ],
    Annotated[
        Literal["unsupported_type"],
        "a map, a duration, a list of lists, an object where a value is expected, or a similar type",
        "Before the load, turn the column into text, numbers, times, or a list of these.",
    ],
    TooLarge,
    Annotated[
        Literal["cell_error"],
        "a workbook cell with an error such as `#N/A`, or a formula without a stored result",
        "Correct the cell in the workbook. If a formula has no result, open the workbook in Excel or LibreOffice and "
        "save it. To send the row without the value: `bad_values='drop'`.",
    ],
    Annotated[
        Literal["value_unmapped"],
        "a value that `values` in the mapping does not have",
        "Add the value to the value map in the mapping, or give it an otherwise for all other values.",
    ],
    Annotated[
        Literal["group_conflict"],
        "rows of one event (`group_by` in the mapping) have two values where an event has one",
        "Make the values equal. If the event has several, collect them to a list in the mapping.",
    ],
    Annotated[
        Literal["group_split"],
        "the value of `group_by` was there before, and other rows are between",
        "Sort the input by the column, so that all rows of an event are together. The rows that came first may be sent "
        "already: check that event.",
    ],
    Annotated[
        Literal["group_invalid"],
        "another row of the same event (`group_by`) cannot be sent, or it is unknown to which event a row belongs",
        "Fix the row that the message names, and load all rows of the event.",
    ],
    Annotated[
        Literal["row_unreadable"],
        "a line with more or fewer cells than the header, a line that cannot be parsed, or a line that repeats the "
        "header",
        "Fix this line of the file. Most often a cell has a separator and no quotes around it. If the line is a second"
        " header, two files were joined: remove the line.",
    ],
]
"""What is wrong with a row before any call."""


NoteCode: TypeAlias = Union[
    Annotated[
        Literal["value_dropped"],
        "a value that cannot be sent was left out (`bad_values='drop'`)",
        "Nothing: the row was sent without this value, because of `bad_values='drop'`.",
    ],
    Annotated[
        Literal["white_space_tidied"],
        "a line break, a tab or three spaces in a row became one space, because the API refuses them",
        "Nothing: line breaks, tabs and repeated spaces were sent as one space.",
    ],
    Annotated[
        Literal["invisible_removed"],
        "invisible characters were removed from the ends of an id or of an event's name",
        "Nothing, unless an earlier call sent it with these characters: for Interakt that is another id or name.",
    ],
    Annotated[
        Literal["null_word"],
        "a text such as `NULL` or `N/A` was sent as it is",
        "If the word means a missing value, name it in `null_values`. Otherwise Interakt shows the word.",
    ],
    Annotated[
        Literal["phone_chosen"],
        "the cell has several phones, and one was used",
        "Nothing: the cell has several phones, and a call has only one.",
    ],
    Annotated[
        Literal["phone_passed_over"],
        "a column had no good phone, so the phone of another column was used",
        "Nothing: the phone of the first column could not be used, so the next column's was.",
    ],
    Annotated[
        Literal["event_id_repeated"],
        "`merged`: another row has the same event id and the same content; it was sent for both",
        "Nothing, if the rows are one event. Otherwise choose a column with unique values.",
    ],
    Annotated[
        Literal["coalesced"],
        "`merged`: the call of a later row of the same user includes this row (`coalesce`)",
        "Nothing: the call of the row in the message includes this row.",
    ],
    Annotated[
        Literal["grouped"],
        "`merged`: the row is a part of one event with the rows around it (`group_by`)",
        "Nothing: the call of the row in the message includes this row.",
    ],
    Annotated[
        Literal["event_content_differs"],
        "`unchanged`: the event was accepted before under this id, with other content",
        "Nothing: an accepted event cannot be changed. Send a change as a new event with another name. To send this "
        "event again anyway, use `resend=True`.",
    ],
    Annotated[
        Literal["equal_event_sent"],
        "`unchanged`: this event of the failures file has the same content as one on record",
        "If the source has this event more than once, load the source again: it counts them.",
    ],
]
"""A note on a row that is sent, or that needs no call."""


ApiAnswerCode: TypeAlias = Union[
    Annotated[
        Literal["rejected"],
        '400 or another 4xx, or `"result": false`',
        "Read the API's message. Fix the value and load the row again.",
    ],
    KeyRefused,
    PlanWithoutApi,
    Annotated[
        Literal["forbidden"],
        "403 with a page that is not the API's",
        "A firewall in front of the API refused this call. Look for unusual text in the row.",
    ],
    Annotated[
        Literal["not_found"],
        "404",
        "Check that `base_url` is the address of the API.",
    ],
    Annotated[
        Literal["redirected"],
        "3xx; the loader does not follow it",
        "If the server's new address is the API's, give it as `base_url`.",
    ],
    Annotated[
        Literal["rate_limited"],
        "429",
        "Load again with a lower `rate_limit`, or stop other programs that use the account's limit.",
    ],
    Annotated[
        Literal["server_error"],
        "5xx; after a 502 or 504 the row is in doubt",
        SERVER,
    ],
    Annotated[
        Literal["server_timeout"],
        "408",
        SERVER,
    ],
    Annotated[
        Literal["unreadable_answer"],
        "not the API's JSON, or cut short: the row is in doubt",
        f"The row may have been accepted. {SERVER}",
    ],
]
"""The API refused a call."""


NoAnswerCode: TypeAlias = Union[
    Annotated[
        Literal["timeout"],
        "the call was sent, and no answer came in time",
        "The row may have been accepted. Load again, perhaps with a longer `timeout`.",
    ],
    Annotated[
        Literal["connection_lost"],
        "the connection ended before an answer came",
        "The row may have been accepted. Check the network, and load again.",
    ],
    Annotated[
        Literal["connection_failed"],
        "no connection",
        NETWORK,
    ],
    Annotated[
        Literal["connect_timeout"],
        "no connection in time",
        NETWORK,
    ],
    Annotated[
        Literal["unknown_host"],
        "the name of the host could not be resolved",
        f"Check the spelling of `base_url`. {NETWORK}",
    ],
    Annotated[
        Literal["proxy_failed"],
        "the proxy could not be used",
        "Check HTTPS_PROXY and its password, and load again.",
    ],
    CertificateUntrusted,
    Annotated[
        Literal["tls_failed"],
        "the encrypted connection failed; the row is in doubt only if the call had been sent",
        f"Check the port in `base_url`, and use https only if the server speaks TLS. {NETWORK}",
    ],
    Annotated[
        Literal["internal_error"],
        "a fault in the loader itself",
        "This is a fault of the loader. Please report it, with the message.",
    ],
]
"""A call had no answer."""


AnswerCode: TypeAlias = Union[ApiAnswerCode, NoAnswerCode, TooLarge, Abandoned]
"""Why a call was not accepted."""


StopReason: TypeAlias = Union[
    KeyRefused,
    PlanWithoutApi,
    CertificateUntrusted,
    Annotated[
        Literal["interrupted"],
        "Ctrl-C or SIGTERM",
        AGAIN,
    ],
    Annotated[
        Literal["outage"],
        "no answer, or only 429, for `max_outage` seconds",
        f"The API did not answer, or answered only 429, for `max_outage` seconds. Wait. {AGAIN}",
    ],
    Annotated[
        Literal["too_many_failures"],
        "more rows failed than `max_failures` allows",
        "Fix the most common error, then load again. `max_failures` is the limit.",
    ],
    Annotated[
        Literal["source_broken"],
        "the file could not be read to its end",
        f"Repair or replace the file. {AGAIN}",
    ],
    Annotated[
        Literal["ledger_broken"],
        "the ledger can no longer be written, or was removed",
        "Free space on the disk, or put the ledger back where it was. Then load again.",
    ],
    Annotated[
        Literal["report_broken"],
        "the report can no longer be written",
        "Free space on the disk, or put the report in another place. Then load again.",
    ],
    Annotated[
        Literal["share_lost"],
        "the shared limit could no longer be reached",
        "Check the file or the Redis server in `share`, and load again.",
    ],
    Annotated[
        Literal["secret_missing"],
        "a worker of Spark could not read the key, or the address of the shared limit",
        "Set the environment variable on every worker, or put the file there. Then load again.",
    ],
    Abandoned,
]
"""Why a load ended before its last row. It is also the code of the rows that were not tried."""


InDoubt: TypeAlias = Annotated[
    Literal["in_doubt"],
    "the call was in flight when a load ended",
    "An earlier load ended while this event was in flight, and `on_unknown='skip'` does not send it again. Check in "
    "Interakt whether it is there. If it is not, `on_unknown='resend'` sends it again.",
]
"""The code of an event that `on_unknown="skip"` does not send again."""


DifferenceCode: TypeAlias = Union[
    Annotated[
        Literal["user_id_differs"],
        "the contact has another user id, or none",
        DIFFERS,
    ],
    Annotated[
        Literal["phone_differs"],
        "the contact has another country code or phone, or none",
        DIFFERS,
    ],
    Annotated[
        Literal["tag_missing"],
        "the contact does not have a tag of the row",
        DIFFERS,
    ],
    Annotated[
        Literal["trait_differs"],
        "a trait of the contact has another value, or is missing",
        DIFFERS,
    ],
]
"""How a contact of the account differs from its row."""


ContactCode: TypeAlias = Union[
    Annotated[
        Literal["contact_absent"],
        "the account has no contact with this user id, nor with this phone",
        "The next load sends this row. If it was sent in the last minutes, verify again later.",
    ],
    Annotated[
        Literal["several_contacts"],
        "several contacts of the account have this user id, or this phone",
        "Look the contacts up in Interakt. Give the row a user id that only one of them has.",
    ],
    Annotated[
        Literal["phone_of_another"],
        "the phone belongs to a contact with another user id",
        "Ask whose phone it is. Correct the user id or the phone, here or in Interakt, before the row is sent.",
    ],
    Annotated[
        Literal["account_incomplete"],
        "the contact was not found, but some contacts of the account could not be read",
        "Verify again when fewer contacts change, for example at night.",
    ],
]
"""Why a row has no contact of the account."""


ToleranceCode: TypeAlias = Union[
    Annotated[
        Literal["number_as_text"],
        "a number is text in the account: 3 is `3`, `3.0` or `3E0`",
        SAME,
    ],
    Annotated[
        Literal["text_as_number"],
        "text is the number in the account that is written with the same digits; `007` is not 7",
        SAME,
    ],
    Annotated[
        Literal["boolean_as_text"],
        "a boolean is text in the account: `true`, `True` or `TRUE`",
        SAME,
    ],
    Annotated[
        Literal["text_as_boolean"],
        "one of these texts is a boolean in the account",
        SAME,
    ],
    Annotated[
        Literal["time_form"],
        "a time is the same instant in another form: other zeros, another offset, or a space for the T",
        SAME,
    ],
    Annotated[
        Literal["date_as_time"],
        "a date is the midnight of the same date, in UTC or without a zone",
        SAME,
    ],
    Annotated[
        Literal["list_as_text"],
        "a list is text in the account: a JSON array, or its items with commas between them",
        SAME,
    ],
    Annotated[
        Literal["empty_as_missing"],
        "a value that the row clears is missing, null, or empty in the account",
        SAME,
    ],
    Annotated[
        Literal["white_space"],
        "text has other white space at its ends, or one space for several",
        SAME,
    ],
    Annotated[
        Literal["unicode_form"],
        "text has the same characters in another form of Unicode, such as é as e with an accent",
        SAME,
    ],
    Annotated[
        Literal["phone_form"],
        "a phone has the same digits, with or without the country code, its plus, blanks or dashes",
        SAME,
    ],
]
"""A form in which the account may hold the value of a row, and which is no difference."""


Code: TypeAlias = Union[
    ProblemCode, NoteCode, AnswerCode, InDoubt, StopReason, DifferenceCode, ContactCode, ToleranceCode
]


class About(NamedTuple):
    """What a code means, and what to do about it."""

    meaning: str
    hint: str


def entries(group: Any) -> dict[str, About]:
    """Return the codes of a group, such as `StopReason`, in their order."""
    return {get_args(one.__origin__)[0]: About(*one.__metadata__) for one in get_args(group)}


ABOUT: dict[str, About] = entries(Code)
