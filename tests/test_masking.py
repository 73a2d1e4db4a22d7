"""Phones and e-mail addresses made unreadable, and nothing else."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.safety.masking import DOT, masked, masked_body, masked_phone


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("phone 9876543210 is taken", "phone •••••••210 is taken"),
        ("'+91 98765 43210'", "'+•• ••••• ••210'"),
        ("(022) 2345-6789", "(•••) ••••-•789"),
        ("asha.k@example.co.in wrote", "•••@example.co.in wrote"),
        ("<asha@example.com>, 'b@c.de'", "<•••@example.com>, '•••@c.de'"),
        ("2024-01-31 and 31/01/2024 are days", "2024-01-31 and 31/01/2024 are days"),
        ("row 123456, 32 KB, 12.5 and 1,000,000", "row 123456, 32 KB, 12.5 and 1,000,000"),
        ("'x98765 43210' is no phone", "'x••••• ••210' is no phone"),
        ("id C98765432, quoted 'C98765432'", "id C98765432, quoted 'C•••••432'"),
        ("'2024-02-30 10:11:12' is no time", "'2024-02-30 10:11:12' is no time"),
        ("'9876-54-3210' is no date", "'••••-••-•210' is no date"),
        ("Mob.9876543210, no.98765-43210", "Mob.•••••••210, no.•••••-••210"),
        ("98765 - 43210, 98765\t43210", "••••• - ••210, •••••\t••210"),
        ("98765\u202f43210, 98765\u00a0\u2014\u00a043210", "•••••\u202f••210, •••••\u00a0\u2014\u00a0••210"),
        ("1234567\n7654321", "••••567\n••••321"),
        ("v1.12345678 is a version", "v1.12345678 is a version"),
        ("a@b@c.de", "a@•••@c.de"),
        (f"{'x' * 300}@c.de", "•••@c.de"),
        ("", ""),
    ],
)
def test_a_text_keeps_all_but_phones_and_addresses(text: str, shown: str) -> None:
    """What is left of a phone are three digits, and of an address its domain."""
    assert masked(text) == shown


@given(
    st.text(alphabet=string.ascii_lowercase + " .,:'", max_size=20),
    st.from_regex(r"\+?[1-9][0-9]{9,13}", fullmatch=True),
    st.sampled_from(["", " ", ": ", "'", "("]),
)
def test_no_phone_is_left_in_any_text(before: str, phone: str, between: str) -> None:
    """Wherever it stands, unless it is a part of a word."""
    assert phone not in masked(f"{before.rstrip('.')} {between}{phone}")


@pytest.mark.parametrize("piece", ["x", ".", "@", "a@", "a@a.", "98", "(", "'", "9-"])
def test_a_cell_of_two_million_characters_is_masked(piece: str) -> None:
    """Each character is looked at a few times, not once for each one before it: that would take hours."""
    shown = masked(f"{piece * (2_000_000 // len(piece))} asha@example.com")
    assert shown.endswith("•••@example.com")


@given(st.text(alphabet="0123456789 +-()", max_size=20))
def test_a_phone_keeps_three_digits_at_most(phone: str) -> None:
    """And all that is no digit, so that its length can be seen; a very short one is all dots."""
    shown = masked_phone(phone)
    assert sum(one.isdigit() for one in shown) <= 3
    assert len(shown) == len(phone)
    if not any(one.isdigit() for one in phone):
        assert set(shown) <= {DOT}


def test_a_body_is_masked_down_to_its_items() -> None:
    """Texts and long numbers in lists and objects too; what can be no phone stays as it is, of its own type."""
    body = {
        "userId": "asha@example.com",
        "phoneNumber": "9876543210",
        "tags": ["vip", "call 98765 43210"],
        "traits": {"paid": True, "note": None, "age": 24, "other": 9876543210, "share": 0.5, "kin": [{"p": "b@c.de"}]},
    }
    assert json.loads(masked_body(json.dumps(body))) == {
        "userId": "•••@example.com",
        "phoneNumber": "•••••••210",
        "tags": ["vip", "call ••••• ••210"],
        "traits": {
            "paid": True,
            "note": None,
            "age": 24,
            "other": "•••••••210",
            "share": 0.5,
            "kin": [{"p": "•••@c.de"}],
        },
    }
