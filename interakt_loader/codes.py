"""Every code that a line of the report can have. The type checker sees to it that no other is given."""

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
