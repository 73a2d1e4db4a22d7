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


_TYPES = "Fix the value, give the column another type in the mapping, or send the row without it: bad_values"
_SERVER = (
    "Load again: rows that were accepted are not sent twice where there is a ledger. If it stays so, ask Interakt."
)
_NETWORK = "See to the network between this machine and the API, and load again."

HINTS: dict[Code, str] = {
    # the row
    "identity_missing": "Map user_id, or phone, or both; and see why they are empty in these rows.",
    "user_id_invalid": "Text or a whole number is an id. Where digits were lost, export the column again as text.",
    "phone_invalid": "Correct the number at its source. If numbers are good whose plan is not known here, load with "
    "phones='possible'.",
    "country_code_invalid": "Write the country as +91, IN or India; or set default_country and leave the column out.",
    "event_missing": "Fill the column that names the event, or give one name for all rows: {value: Order Placed}.",
    "event_id_missing": "Fill the column that event_id names, or leave event_id out: then all it says counts.",
    "event_id_conflict": "Make the ids unique, or choose a column whose values are. Where another shop or system "
    "counts the same numbers, give its load a name, and so a ledger, of its own.",
    "event_invalid": "Correct the name at its source: an event that has once been sent cannot be renamed.",
    "event_id_invalid": "Text or a whole number is an id. Where digits were lost, export the column again as text.",
    "event_id_repeated": "Nothing, if the rows are one event. Else choose a column whose values are unique.",
    "event_content_differs": "Nothing: an event that was accepted cannot be changed. Send a change as an event of its "
    "own, with another name; to send this one once more all the same: resend.",
    "equal_event_sent": "If the source holds this event more than once, load the source again: it counts them.",
    "coalesced": "Nothing: the row that the message names has sent what this one says.",
    "row_unreadable": "Fix this line of the file: most often a separator stands in a cell without quotes around it. "
    "A header within the table is of a file that was joined to it: take it out.",
    "cell_error": "Correct the cell in the workbook, or open the workbook in Excel or LibreOffice and save it, so that "
    "formulas have results. To send the row without the value: bad_values='drop'.",
    "too_large": "Interakt takes 32 KB a call. Map fewer or shorter columns.",
    "not_a_number": f"{_TYPES}='drop'. Decimal commas: decimal: ','.",
    "not_a_boolean": f"{_TYPES}='drop'.",
    "not_a_date": f"{_TYPES}='drop'. Say how dates are written: format: '%d/%m/%Y'.",
    "not_a_datetime": f"{_TYPES}='drop'. Say how times are written: format: '%d/%m/%Y %H:%M'.",
    "datetime_invalid": f"{_TYPES}='drop'. Check the timezone: it may be that of the server, not of the clock.",
    "not_a_list": f"{_TYPES}='drop'. Say what stands between the items: separator: ';'.",
    "not_text": "Lists need the type list. Bytes that are no UTF-8 and halves of surrogate pairs have to be fixed.",
    "out_of_range": "Correct the value at its source: no calendar has it, or no number is that large.",
    "unsupported_type": "Turn the column into text, numbers, times or a list of these before it is loaded.",
    # sent, with a word about it
    "value_dropped": "Nothing: the row went out without this value, as bad_values='drop' asks for.",
    "null_word": "If the word means that nothing is there, name it in null_values, else Interakt shows it.",
    "white_space_tidied": "Nothing: one space was sent where there were several, or a line break.",
    "invisible_removed": "Nothing, if it was not sent with them before: to Interakt that is another one.",
    "phone_passed_over": "Nothing: the first column's phone could not be used, and the next one's was.",
    "phone_chosen": "Nothing: the cell held several phones, and the call has room for one.",
    # what the API, or something before it, answered
    "rejected": "The API's own words say what it does not like. Fix the value and load the row again.",
    "key_refused": "Copy the Secret Key from Interakt's Settings > Developer Settings, and load again: it goes on from "
    "here.",
    "plan_without_api": "The account's plan has no API: Interakt can change that. Then load again.",
    "forbidden": "A firewall before the API refused this very call: look at what is odd in the row.",
    "not_found": "See whether base_url is the API's address.",
    "redirected": "Give the address that the server points to as base_url, if it is the API's.",
    "rate_limited": "Load again with a lower rate_limit, or stop what else uses the account's limit.",
    "server_error": _SERVER,
    "server_timeout": _SERVER,
    "unreadable_answer": f"The row may have been accepted. {_SERVER}",
    "timeout": "The row may have been accepted. Load again, perhaps with a longer timeout.",
    "connection_lost": "The row may have been accepted. See to the network, and load again.",
    "in_doubt": "A former load ended while this event was out, and on_unknown='skip' leaves it so. See in Interakt "
    "whether it is there; on_unknown='resend' sends it again.",
    # no call went out
    "connection_failed": _NETWORK,
    "connect_timeout": _NETWORK,
    "unknown_host": f"See whether base_url is written right. {_NETWORK}",
    "proxy_failed": "See to HTTPS_PROXY and its password, and load again.",
    "certificate_untrusted": "A company's proxy, or an authority of your own: name its CA file in REQUESTS_CA_BUNDLE. "
    "Another host's certificate: see to base_url. One that has expired: see to this machine's clock, then ask whoever "
    "runs the server.",
    "tls_failed": f"See whether base_url has the right port, and https only where the server speaks TLS. {_NETWORK}",
    "internal_error": "A fault of the loader: please report it, with the message.",
    # the load ended before the row's turn
    "interrupted": "Load again: it goes on from here where there is a ledger.",
    "outage": "The API did not answer for as long as max_outage allows. Load again later: it goes on from here.",
    "too_many_failures": "Fix what most rows failed for, then load again; max_failures is the bound.",
    "source_broken": "Fix or renew the file; the rows before the break are done. Then load again.",
    "ledger_broken": "Make room on the disk, or put the ledger back where it was, and load again.",
    "report_broken": "Make room on the disk, or give the report another place, and load again.",
    "share_lost": "See to what share names (a file, or Redis), and load again.",
    "abandoned": "Load again: it goes on from here where there is a ledger.",
}
"""Code: what to do, in one or two sentences."""
