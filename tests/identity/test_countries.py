"""Countries by their names and letters."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers.geodata.locale import LOCALE_DATA

from interakt_loader.identity.countries import country_names, country_of, name_keys, region_of


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("India", "IN"),
        ("IND", "IN"),
        ("in", "IN"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("united states of america", "US"),
        ("UK", "GB"),
        ("England", "GB"),
        ("Brazil", "BR"),
        ("Venezuela", "VE"),
        ("Czech Republic", "CZ"),
        ("Czechia", "CZ"),
        ("Viet Nam", "VN"),
        ("Côte d’Ivoire", "CI"),
        ("TÜRKİYE", "TR"),
        ("Trinidad & Tobago", "TT"),
        ("Korea, Republic of", "KR"),
        ("Canada", "CA"),
        ("AND", "AD"),
        ("NA", "NA"),
        ("NO", "NO"),
        ("Korea, South", "KR"),
        ("Korea, Dem. People's Rep.", "KP"),
        ("Netherlands, The", "NL"),
        ("The Gambia", "GM"),
        ("Gambia (the)", "GM"),
        ("Congo (Kinshasa)", "CD"),
        ("Congo, Rep.", "CG"),
        ("Egypt, Arab Rep.", "EG"),
        ("Cayman Is.", "KY"),
        ("St.Lucia", "LC"),
        ("Saint Vincent & Grenadines", "VC"),
        ("Virgin Islands (U.S.)", "VI"),
        ("Macedonia", "MK"),
        ("Pitcairn Islands", "NZ"),
        ("Canary Islands", "ES"),
        ("Deutschland", "DE"),
        ("España", "ES"),
        ("भारत", "IN"),
        ("இந்தியா", "IN"),
        ("日本", "JP"),
        ("الإمارات العربية المتحدة", "AE"),
        ("India (IN)", "IN"),
        ("IN - India", "IN"),
        ("IN-India", "IN"),
        ("Timor-Leste (TL)", "TL"),
        ("United States (USA)", "US"),
        ("🇮🇳", "IN"),
        ("🇮🇳 India", "IN"),
        ("🇬🇧 +44", "GB"),
        ("India (+91)", "IN"),
        ("IN +91", "IN"),
        ("+91 (India)", "IN"),
        ("91 - India", "IN"),
        ("Kazakhstan +7", "KZ"),
        ("(+91)", "IN"),
        ("+ 91", "IN"),
        ("00 91", "IN"),
        ("٩١", "IN"),
        ("\u200b+91\u200e", "IN"),
        ("+1-876", "JM"),
        ("1 876", "JM"),
        ("1-876", "JM"),
        ("+1 (876)", "JM"),
        ("+1876", "JM"),
        ("Jamaica (+1-876)", "JM"),
        ("1-809, 1-829, 1-849", "DO"),
        ("+1-809/829/849", "DO"),
        ("+1 204", "CA"),
        ("+1 212", "US"),
        ("+44-1481", "GG"),
        ("44-1534", "JE"),
        ("+44 1624", "IM"),
        ("+358-18", "AX"),
        ("356", "MT"),
    ],
)
def test_a_country_by_name_or_letters(written: str, region: str) -> None:
    """Case, accents and punctuation do not matter; a country of a shared dialling code keeps its own region."""
    found = country_of(written)
    assert found is not None
    assert found.region == region


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            "&",
            "Narnia",
            "United",
            "Europe",
            "12a",
            "India and Nepal",
            "India/Nepal",
            "US/Canada",
            "Delhi, India",
        ),
        *("India (+92)", "IN +1", "Canada (+44)", "+1-100", "+1-999", "1876", "1246", "+999", "-91", "1.5", "9 1", "+"),
        *("Republic", "The", "Islands", "IN KA", "🇽🇽", "+91 98765 43210", "9876543210", "India " * 40),
    ],
)
def test_what_is_no_country(written: str) -> None:
    """Nothing is guessed from a part of a name, and a name and a code that contradict each other are none."""
    assert country_of(written) is None


def test_every_region_with_phones_is_there_and_no_name_is_two_regions() -> None:
    """The table has each region that phonenumbers knows, once, and each name leads back to its own."""
    rows = country_names()
    assert {two for two, _ in rows} == set(phonenumbers.SUPPORTED_REGIONS)
    assert len(rows) == len({names[1] for _, names in rows})
    for two, names in rows:
        assert (names[0], len(names[1])) == (two, 3)
        for one in names:
            assert all(name_keys(one)), one
            assert region_of(one) == two, one


def test_every_english_name_of_a_country_is_read() -> None:
    """Those of CLDR, as phonenumbers has them: in capitals, with the article or a word behind, with its code."""
    seen = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        names = LOCALE_DATA.get(region, {})
        name = names.get("en", "")
        name = names[name[1:]] if name.startswith("*") else name  # as in another language
        if not name:
            continue
        seen += 1
        first, _, rest = name.partition(" ")
        expected = country_of(region)
        for written in (name, name.upper(), f"{name}, The", f"{rest}, {first}", f"{name} ({region})"):
            assert country_of(written) == expected, written
        code = phonenumbers.country_code_for_region(region)
        assert country_of(f"{name} (+{code})") == expected
    assert seen > 240
