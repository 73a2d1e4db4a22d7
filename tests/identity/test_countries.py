"""Countries by their names and letters."""

from __future__ import annotations

import phonenumbers
import pytest

from interakt_loader.identity.countries import country_of
from interakt_loader.identity.country_names import _TABLE, _bare, region_of


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
    ],
)
def test_a_country_by_name_or_letters(written: str, region: str) -> None:
    """Case, accents and punctuation do not matter; a country of a shared dialling code keeps its own region."""
    found = country_of(written)
    assert found is not None
    assert found.region == region


@pytest.mark.parametrize("written", ["", " ", "&", "Narnia", "United", "Europe", "12a", "India and Nepal"])
def test_what_is_no_country(written: str) -> None:
    """Nothing is guessed from a part of a name."""
    assert country_of(written) is None


def test_every_region_with_phones_is_there_and_no_name_is_two_regions() -> None:
    """The table has each region that phonenumbers knows, once, and each name leads back to its own."""
    rows = [line.split(" ", 2) for line in _TABLE.splitlines()]
    assert {two for two, _, _ in rows} == set(phonenumbers.SUPPORTED_REGIONS)
    assert len(rows) == len({three for _, three, _ in rows})
    for two, three, names in rows:
        assert len(three) == 3
        for one in (two, three, *names.split("|")):
            assert _bare(one)
            assert region_of(one) == two
