"""Which texts are a phone: what is among the digits is never guessed at."""

from __future__ import annotations

import random
from collections.abc import Callable

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.identity import CHECKS, phones
from interakt_loader.identity.phones import one_phone
from tests.growth import grows_too_fast
from tests.identity.known_numbers import example_numbers
from tests.thorough import examples

INDIAN = ("+91", "9876543210")


def read(written: str, country: str = "IN", check: str = "strict") -> tuple[str | None, str | None]:
    found = one_phone(written, country, check)
    assert (found.problem is None) == (found.number is not None)
    return found.country_code, found.number


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "written",
    [
        *("98765xxxxx", "98XXXXXX10", "98765*****", "98765#####", "98765-----", "98765.....", "98765_____", "98765 …"),
        *("+91 98765•••••", "+1 212 456 XXXX", "+62 812 3456 78XX", "+43 664 12345XX", "+373 6059a7951"),
        *("XXXXX43210", "xxxxxx3210", "*****43210", "98765..210", "9876●●●210", "98?6543210", "98765xx"),
        *("98765 Rahul", "98765 43210 Rahul", "98765 43210 (Rahul)", "Rahul 98765 43210", "Father: 98765 43210"),
        *("O9876543210", "98765 4321O", "98765l3210", "I9876543210", "98765 4З210", "9876S43210", "98765 432¹0"),
        *("M9876543210", "98765 43210 M", "ext 98765 43210", "Fax 98765 43210", "98765=43210"),
        *("1-800-FLOWERS", "9876543210a", "a9876543210", "9876543210e5", "0x9876543210", "98765_43210", "98765~43210"),
        *("91+9876543210", "98765+43210", "120363041234567890@g.us", "9876543210@example.com", "wa.me/message/ABC123"),
        *("9876543210.5", "9876543210.55", "9.87654E+09", "9,87654E+09", "9.87654 E+09", "98765 43210 x12", "ext. 12"),
        *("98765 43210;ext=5", "98765 43210 #5", "98765 43210 extn 5", "मो", "phone", "+", "()", "-", ""),
    ],
)
def test_what_is_not_surely_one_number_is_none(written: str, check: str) -> None:
    """Letters, masks, names, look-alikes of digits, extensions: in no mode are there digits that were not written."""
    for country in ("IN", "US", "DE", "AT", "ID", "MD"):
        assert read(written, country, check) == (None, None), country


@pytest.mark.parametrize("check", CHECKS)
def test_no_letter_or_mask_in_any_number_of_any_country_is_read_over(check: str) -> None:
    """Every region's example numbers, with and without plus and code, with signs in place of digits or beside them."""
    rng = random.Random(5)
    for region, code, national in example_numbers(("mobile",)):
        for whole in (national, f"+{code}{national}", f"+{code} {national}"):
            for sign in (*rng.sample("abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWYZ", 4), *"xX*•#", "अ", "О"):
                place = rng.randrange(2, len(whole))
                for changed in (
                    whole[:place] + sign + whole[place + 1 :],
                    whole[:place] + sign + whole[place:],
                    whole + sign,
                    whole[:-3] + 3 * sign,
                    f"{whole} {sign}{sign}",
                ):
                    assert read(changed, region, check) == (None, None), (region, changed)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "before",
    [
        *(
            "Mob: ",
            "mob.",
            "MOB - ",
            "Mob. No. ",
            "Mobile No.: ",
            "Mobile Number ",
            "Tel. ",
            "Phone - ",
            "Phone:",
            "Ph# ",
        ),
        *(
            "WhatsApp: ",
            "Whatsapp No - ",
            "Cell (home): ",
            "(M) ",
            "M: ",
            "T. ",
            "Tel/WhatsApp: ",
            "Contact No. ",
            "Call: ",
        ),
        *("मो. ", "मो.: ", "मोबाइल नंबर - ", "फ़ोन: ", "মোবাইল: ", "મો. ", "மொபைல்: ", "ఫోన్: ", "ಮೊಬೈಲ್: ", "ഫോൺ: "),
        *(
            "Téléphone: ",
            "Tel.-Nr. ",
            "Handy: ",
            "Móvil: ",
            "тел. ",
            "Моб.: ",
            "هاتف: ",
            "电话：",
            "電話: ",
            "전화: ",
            "โทร. ",
        ),
        *("📞 ", "☎️ ", "📱", "№ ", "№: ", "tel:", "TEL:", "sms:", "callto:", "whatsapp:"),
    ],
)
def test_a_word_for_a_phone_may_stand_before_it(before: str, check: str) -> None:
    """In the languages that tables have; it says what the number is, and nothing else."""
    assert read(f"{before}98765 43210", check=check) == INDIAN
    assert read(f"{before}+91 98765 43210", "US", check) == INDIAN


@pytest.mark.parametrize(
    "written",
    [
        *("9876543210", "98765 43210", "98765-43210", "(98765) 43210", "98765.43210", "98765/43210", "[98765] 43210"),
        *("919876543210", "91 98765 43210", "91-98765-43210", "+919876543210", "++91 98765 43210", "+ 91 98765 43210"),
        *("0919876543210", "091-98765 43210", "0 91 98765 43210", "00919876543210", "00 91 98765 43210", "09876543210"),
        *("+0919876543210", "+0091 98765 43210", "+91 (0) 98765 43210", "+91-0-98765-43210", "+91 098765 43210"),
        *("(+91) 98765 43210", "[+91] 98765 43210", "+91-9876543210", "+91.98765.43210", "＋91 98765 43210"),
        *(
            "98765\u202f43210",
            "98765\u00a043210",
            "98765\u200943210",
            "98765\u300043210",
            "98765\t43210",
            "98765–43210",
        ),
        *("9,876,543,210", "98,76,54,32,10", "9,87,65,43,210", "9 876 543 210", "9.876.543.210", "9,876,543,210.00"),
        *(
            "9876543210.0",
            "9876543210.00",
            "'9876543210",
            '"9876543210"',
            "“98765 43210”",
            "9876543210,",
            " 9876543210;",
        ),
        *("919876543210@c.us", "919876543210@s.whatsapp.net", "919876543210:12@s.whatsapp.net", "+919876543210@C.US"),
        *("https://wa.me/919876543210", "wa.me/+919876543210", "http://wa.me/919876543210?text=Hi%20there"),
        *("https://api.whatsapp.com/send?phone=919876543210&text=Hi", "whatsapp://send?phone=%2B919876543210"),
        *(
            "९८७६५४३२१०",
            "٩٨٧٦٥٤٣٢١٠",
            "９８７６５４３２１０",
            "9️⃣876543210",
            "\u202a9876543210\u202c",
            "98765\u200b43210\x00",
        ),
    ],
)
def test_one_indian_number_in_the_forms_that_people_write(written: str) -> None:
    """Trunk zero, code with and without plus, WhatsApp's own forms, groups, all sorts of spaces and digits."""
    assert read(written) == INDIAN


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("written", ["919876543210@c.us", "https://wa.me/919876543210", "whatsapp:+919876543210"])
def test_whatsapps_own_forms_say_the_country(written: str, check: str) -> None:
    """The default country has nothing to say there."""
    assert read(written, "US", check) == INDIAN


@pytest.mark.parametrize(
    ("written", "country", "expected"),
    [
        ("+52 1 55 1234 5678", "IN", ("+52", "5512345678")),
        ("5215512345678", "MX", ("+52", "5512345678")),
        ("5215512345678@c.us", "IN", ("+52", "5512345678")),
        ("044 55 1234 5678", "MX", ("+52", "5512345678")),
        ("01 55 1234 5678", "MX", ("+52", "5512345678")),
        ("1 212 555 0123", "MX", (None, None)),
        ("+54 9 11 1234 5678", "IN", ("+54", "91112345678")),
        ("5491112345678", "AR", ("+54", "91112345678")),
        ("+54 9 11 15 1234 5678", "IN", ("+54", "91112345678")),
        ("011 15-1234-5678", "AR", ("+54", "91112345678")),
        ("8 (916) 123-45-67", "RU", ("+7", "9161234567")),
        ("79161234567", "RU", ("+7", "9161234567")),
        ("011 91 98765 43210", "US", INDIAN),
        ("8~10 91 98765 43210", "RU", (None, None)),
        ("810 91 98765 43210", "RU", INDIAN),
        ("6641234567.00", "AT", ("+43", "6641234567")),
        ("6641234567.5", "AT", (None, None)),
        ("523-0123", "+1-876", ("+1", "8765230123")),
        ("(876) 523-0123", "+1 (876)", ("+1", "8765230123")),
        ("523-0123", "Jamaica", (None, None)),
        ("212 555 0123", "+1-876", ("+1", "2125550123")),
    ],
)
def test_numbers_of_other_countries_in_their_own_ways(
    written: str, country: str, expected: tuple[str | None, str | None]
) -> None:
    """Mexico's old mobile 1, Argentina's 9 and 15, prefixes for calls abroad, fractions, area codes of the country."""
    assert read(written, country) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("98765 43210, 98111 22333", INDIAN),
        ("98765xxxxx / 98765 43210", INDIAN),
        ("98765 43210 (or) 98111 22333", (None, None)),
        ("98765,43210", (None, None)),
        ("98765 and 43210", (None, None)),
        ("080 2222 3333 / 98765 43210", ("+91", "8022223333")),
        ("1/" * 100 + "98765 43210", (None, None)),
    ],
)
def test_several_phones_in_a_text_are_told_from_one(written: str, expected: tuple[str | None, str | None]) -> None:
    """Halves of one number are never a number."""
    assert read(written) == expected


def test_digits_that_may_be_one_phone_or_two_are_refused() -> None:
    """In a country with numbers of many lengths, both are valid."""
    problem = one_phone("030 12345 / 67890", "DE", "strict").problem
    assert problem is not None
    assert problem.message == "'030 12345 / 67890' may be one phone number or 2"


_SPOILED = st.sampled_from(
    [" ", "-", "--", "---", "+", "0", "00", "91", "+91", "(", "x", ".", "/", ",", "\u200b", "+49", "49"]
)


@examples(1000)
@given(
    st.lists(
        st.lists(st.one_of(_SPOILED, st.text("0123456789", min_size=1, max_size=6)), max_size=6).map("".join),
        max_size=8,
    ),
    st.sampled_from(["IN", "DE", "ID", "AT", "SE", "XK", "AR", "MX", "BR", "US", "SG", "RU", "IT"]),
    st.sampled_from(CHECKS),
)
def test_a_column_at_once_gives_what_each_number_gives_by_itself(written: list[str], country: str, check: str) -> None:
    """Both roads have one outcome: the fast one takes nothing that the other refuses, and reads no other number."""
    column = pa.array(written * 64, pa.string())
    found = phones(column, None, country, check)
    for row, text in enumerate(written):
        alone = phones(pa.array([text]), None, country, check)
        assert (found.country_codes[row], found.numbers[row]) == (alone.country_codes[0], alone.numbers[0]), text
        assert found.problems.get(row) == alone.problems.get(0)


@examples(300)
@given(st.text(), st.sampled_from(["IN", "US", "DE", "AR", "MX"]), st.sampled_from(CHECKS))
def test_a_number_has_the_digits_that_were_written_and_no_others(written: str, country: str, check: str) -> None:
    """But for the prefixes that Mexico and Argentina put before mobiles, in the order in which they stand."""
    found = one_phone(written, country, check)
    if found.number is not None and country not in ("AR", "MX"):
        digits = "".join(str(int(one)) for one in written if one.isdecimal())
        assert found.number in digits


@pytest.mark.parametrize(
    "filling", [" ", "0", "x", "+", "-", ", ", " or ", " and", "@c.us", "wa.me/", "(", "E+", "#", "\u200b", "मो"]
)
def test_a_cell_of_any_length_takes_no_time(filling: str) -> None:
    """A cell that is eight times as long takes about eight times as long, not 64 times."""

    def work(times: int) -> Callable[[], object]:
        cell = f"9{filling * times}8"
        return lambda: [one_phone(cell, "IN", check) for check in CHECKS]

    assert not grows_too_fast(work, 4_000, 32_000)


def test_the_library_reads_letters_as_digits_still() -> None:
    """The reason for all this: once it is gone, this file may be shorter."""
    assert phonenumbers.parse("98765xxxxx", "IN").national_number == 9876599999
