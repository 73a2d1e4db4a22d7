"""Phones and e-mail addresses made unreadable, and nothing else."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.privacy.text import DOT, masked, masked_body, masked_phone


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
        ("12.34.56.78, 01.23.45.67.89", "••.••.•6.78, ••.••.••.•7.89"),
        ("91.234.56.78 may be a phone of Spain", "••.•••.•6.78 may be a phone of Spain"),
        ("2024-01-31 98765 43210", "2024-01-31 ••••• ••210"),
        ("'98.765x43210', 'tel98.76.54.32.10'", "'••.•••x••210', 'tel••.••.••.•2.10'"),
        ("987-20-12-2024", "•••-••-••-•024"),
        ("'/data/98765-43210.csv', \"/home/98765 43210/x\"", "'/data/•••••-••210.csv', \"/home/••••• ••210/x\""),
        ("a@b@c.de", "a@•••@c.de"),
        (f"{'x' * 300}@c.de", "•••@c.de"),
        ("", ""),
    ],
)
def test_a_text_keeps_all_but_phones_and_addresses(text: str, shown: str) -> None:
    """What is left of a phone are three digits, and of an address its domain."""
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        'File "/home/ann/.pyenv/versions/3.11.7/lib/python3.11/threading.py", line 331, in wait',
        'File "/opt/uv/cpython-3.11.7-linux-x86_64-gnu/lib/python3.11/site-packages/requests-2.32.3/x.py", line 12345',
        r'File "C:\Users\Ann\AppData\Local\Programs\Python\Python311\Lib\site-packages\urllib3-2.2.3\util.py", line 7',
        "Python 3.11.7 (main, Dec  4 2023, 18:10:11) [GCC 11.4.0] on linux",
        "'3.11.7 (main, Dec  4 2023, 18:10:11) [GCC 11.4.0]'",
        "requires 'Python >=3.8,<3.15, got 3.11.7', \"numpy-1.26.4, pandas-2.2.3\"",
        "could not reach 127.0.0.1:54321, 192.168.100.12 or '10.200.100.123:8080'",
        "it isn't 172.16.254.100, 169.254.169.254 nor 3.11.7, wasn't it",
        "2024/01/31, 12/1/2024, 1.2.2024, (2024-01-31)",
        "2024-01-31T10:11:12.123456+05:30, 10:11:12,123 and '2024-01-31 10:11:12.123456'",
        "Customer with 550e8400-e29b-41d4-a716-446655440000, '550e8400-e29b-41d4-a716-446655440000'",
        "took 0.123456789 s; <object at 0x7f9d1fc02aa0>, '<object at 0x7f9d1234567890>'",
    ],
)
def test_what_is_no_phone_is_not_masked(text: str) -> None:
    """Versions, paths, line numbers, dates, times, addresses of this machine and its network, UUIDs, fractions."""
    assert masked(text) == text


def test_a_masked_traceback_keeps_pythons_version_and_loses_the_phone() -> None:
    """Where it happened can be found, and about whom it was cannot."""
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/home/ann/.pyenv/versions/3.11.7/lib/python3.11/json/decoder.py", line 355, in raw_decode\n'
        "    raise KeyError(phone)\n"
        "KeyError: '+91 98765 43210 of asha@example.com'"
    )
    assert masked(trace).splitlines()[:3] == trace.splitlines()[:3]
    assert masked(trace).endswith("KeyError: '+•• ••••• ••210 of •••@example.com'")


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
