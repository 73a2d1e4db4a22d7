"""Every code that a line of the report can have. The type checker sees to it that no other is given.

What to do about each code that a report can have: said once, for the HTML report and for the documentation.
"""

from __future__ import annotations

from typing import Literal

ProblemCode = Literal[
    "identity_missing",
    "user_id_invalid",
    "phone_invalid",
    "country_code_invalid",
    "event_missing",
    "event_invalid",
    "event_id_missing",
    "event_id_conflict",
    "event_id_invalid",
    "row_unreadable",
    "cell_error",
    "too_large",
    "not_a_number",
    "not_a_boolean",
    "not_a_date",
    "not_a_datetime",
    "datetime_invalid",
    "not_a_list",
    "not_text",
    "out_of_range",
    "unsupported_type",
]
"""What is wrong with a row before any call."""

NoteCode = Literal[
    "value_dropped",
    "null_word",
    "white_space_tidied",
    "invisible_removed",
    "phone_passed_over",
    "phone_chosen",
    "event_id_repeated",
    "event_content_differs",
    "equal_event_sent",
    "coalesced",
]
"""What there is to say about a row that is sent, or need not be."""

AnswerCode = Literal[
    "rejected",
    "key_refused",
    "plan_without_api",
    "forbidden",
    "not_found",
    "redirected",
    "rate_limited",
    "server_error",
    "server_timeout",
    "unreadable_answer",
    "timeout",
    "connection_lost",
    "connection_failed",
    "connect_timeout",
    "unknown_host",
    "proxy_failed",
    "certificate_untrusted",
    "tls_failed",
    "internal_error",
    "too_large",
    "abandoned",
]
"""What came of a call that was not accepted."""

StopReason = Literal[
    "interrupted",
    "key_refused",
    "plan_without_api",
    "certificate_untrusted",
    "outage",
    "too_many_failures",
    "source_broken",
    "ledger_broken",
    "report_broken",
    "share_lost",
    "abandoned",
]
"""Why a load ended before its last row, which is also the code of the rows that it did not come to."""

Code = Literal[ProblemCode, NoteCode, AnswerCode, StopReason, "in_doubt"]
"""`in_doubt`: an event that may have been accepted, and that `on_unknown="skip"` leaves alone."""


_TYPES = "Fix the value, or give the column another type in the mapping, or send the row without it: bad_values='drop'."
_AGAIN = "Load again. With a ledger, accepted rows are not sent again."
_SERVER = f"{_AGAIN} If the error stays, ask Interakt."
_NETWORK = "Check the network between this machine and the API, and load again."

HINTS: dict[Code, str] = {
    # the row
    "identity_missing": "Map user_id, or phone, or both. Check why they are empty in these rows.",
    "user_id_invalid": "An id must be text or a whole number. If digits were lost, export the column again as text.",
    "phone_invalid": "Correct the number in the source. If the numbers are good but their numbering plan is not known "
    "here, load with phones='possible'.",
    "country_code_invalid": "Write the country as +91, IN or India. Or set default_country and leave the column out.",
    "event_missing": "Fill the column of the event's name, or give one name for all rows: {value: Order Placed}.",
    "event_id_missing": "Fill the column of event_id, or leave event_id out: then events are compared by all fields "
    "together.",
    "event_id_conflict": "Make the ids unique, or choose a column with unique values. If another shop or system uses "
    "the same numbers, give its load its own name: then it has its own ledger.",
    "event_invalid": "Correct the name in the source. An event that was sent cannot be renamed.",
    "event_id_invalid": "An id must be text or a whole number. If digits were lost, export the column again as text.",
    "event_id_repeated": "Nothing, if the rows are one event. Otherwise choose a column with unique values.",
    "event_content_differs": "Nothing: an accepted event cannot be changed. Send a change as a new event with another "
    "name. To send this event again anyway, use resend.",
    "equal_event_sent": "If the source has this event more than once, load the source again: it counts them.",
    "coalesced": "Nothing: the call of the row in the message includes this row.",
    "row_unreadable": "Fix this line of the file. Most often a cell has a separator and no quotes around it. If the "
    "line is a second header, two files were joined: remove the line.",
    "cell_error": "Correct the cell in the workbook. If a formula has no result, open the workbook in Excel or "
    "LibreOffice and save it. To send the row without the value: bad_values='drop'.",
    "too_large": "Interakt accepts 32 KB in a call. Map fewer or shorter columns.",
    "not_a_number": f"{_TYPES} If commas are decimal signs: decimal: ','.",
    "not_a_boolean": _TYPES,
    "not_a_date": f"{_TYPES} Give the format of the dates: format: '%d/%m/%Y'.",
    "not_a_datetime": f"{_TYPES} Give the format of the times: format: '%d/%m/%Y %H:%M'.",
    "datetime_invalid": f"{_TYPES} Check the timezone: it must be that of the times, which may not be the server's.",
    "not_a_list": f"{_TYPES} Give the text between the items: separator: ';'.",
    "not_text": "A list needs the type list. Fix bytes that are not UTF-8 and halves of surrogate pairs.",
    "out_of_range": "Correct the value in the source: the date does not exist, or the number is too large.",
    "unsupported_type": "Before the load, turn the column into text, numbers, times, or a list of these.",
    # sent, with a word about it
    "value_dropped": "Nothing: the row was sent without this value, because of bad_values='drop'.",
    "null_word": "If the word means a missing value, name it in null_values. Otherwise Interakt shows the word.",
    "white_space_tidied": "Nothing: line breaks, tabs and repeated spaces were sent as one space.",
    "invisible_removed": "Nothing, unless an earlier call sent it with these characters: for Interakt that is another "
    "id or name.",
    "phone_passed_over": "Nothing: the phone of the first column could not be used, so the next column's was.",
    "phone_chosen": "Nothing: the cell has several phones, and a call has only one.",
    # what the API, or something before it, answered
    "rejected": "Read the API's message. Fix the value and load the row again.",
    "key_refused": f"Copy the Secret Key from Interakt's Settings > Developer Settings. {_AGAIN}",
    "plan_without_api": "The account's plan has no API. Ask Interakt to change that, then load again.",
    "forbidden": "A firewall in front of the API refused this call. Look for unusual text in the row.",
    "not_found": "Check that base_url is the address of the API.",
    "redirected": "If the server's new address is the API's, give it as base_url.",
    "rate_limited": "Load again with a lower rate_limit, or stop other programs that use the account's limit.",
    "server_error": _SERVER,
    "server_timeout": _SERVER,
    "unreadable_answer": f"The row may have been accepted. {_SERVER}",
    "timeout": "The row may have been accepted. Load again, perhaps with a longer timeout.",
    "connection_lost": "The row may have been accepted. Check the network, and load again.",
    "in_doubt": "An earlier load ended while this event was in flight, and on_unknown='skip' does not send it again. "
    "Check in Interakt whether it is there. If it is not, on_unknown='resend' sends it again.",
    # no call went out
    "connection_failed": _NETWORK,
    "connect_timeout": _NETWORK,
    "unknown_host": f"Check the spelling of base_url. {_NETWORK}",
    "proxy_failed": "Check HTTPS_PROXY and its password, and load again.",
    "certificate_untrusted": "If your company has a proxy or its own authority, name its CA file in "
    "REQUESTS_CA_BUNDLE. If the certificate is of another host, check base_url. If it has expired, check this "
    "machine's clock, then ask whoever runs the server.",
    "tls_failed": f"Check the port in base_url, and use https only if the server speaks TLS. {_NETWORK}",
    "internal_error": "This is a fault of the loader. Please report it, with the message.",
    # the load ended before the row's turn
    "interrupted": _AGAIN,
    "outage": f"The API did not answer, or answered only 429, for max_outage seconds. Wait. {_AGAIN}",
    "too_many_failures": "Fix the most common error, then load again. max_failures is the limit.",
    "source_broken": f"Repair or replace the file. {_AGAIN}",
    "ledger_broken": "Free space on the disk, or put the ledger back where it was. Then load again.",
    "report_broken": "Free space on the disk, or put the report in another place. Then load again.",
    "share_lost": "Check the file or the Redis server that share names, and load again.",
    "abandoned": _AGAIN,
}
"""Code: what to do, in short sentences."""
