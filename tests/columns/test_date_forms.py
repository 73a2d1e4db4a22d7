"""Dates whose order of parts must be detected: by one value for a message, by a whole column for a decision."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.columns import DatesSeen, Target, coerce, date_format_of
from tests.columns.test_convert import problem, texts

_DATES = st.dates(date(1900, 1, 1), date(2099, 12, 31))


@pytest.mark.parametrize(
    ("values", "form", "evidence"),
    [
        (["7/4/1996", "7/16/1996", "8/1/1996"], "%m/%d/%Y", "7/16/1996"),
        (["02/01/2014", "31/12/2012", None, ""], "%d/%m/%Y", "31/12/2012"),
        (["16-05-2021 10:00"], "%d-%m-%Y %H:%M", "16-05-2021 10:00"),
        (["09.07.2013 12:00:00", "13.07.2013 12:00:00"], "%d.%m.%Y %H:%M:%S", "13.07.2013 12:00:00"),
        (["5/16/2021 3:04 PM"], "%m/%d/%Y %I:%M %p", "5/16/2021 3:04 PM"),
        (["5/16/2021, 3:04:05.123pm +0530"], "%m/%d/%Y, %I:%M:%S.%f%p %z", "5/16/2021, 3:04:05.123pm +0530"),
        (["16/05/2021 10:00 UTC"], "%d/%m/%Y %H:%M %Z", "16/05/2021 10:00 UTC"),
        (["2021/5/6"], "%Y/%m/%d", "2021/5/6"),
        (["2021-5-6"], "%Y-%m-%d", "2021-5-6"),
        (["19970101", "19970118"], "%Y%m%d", "19970101"),
        (["12122012", "13122012"], "%d%m%Y", "12122012"),
        (["7/4/96", "7/16/96"], "%m/%d/%y", "7/4/96"),
        (["'7/16/1996 "], "%m/%d/%Y", "7/16/1996"),
    ],
)
def test_a_column_that_can_be_in_one_format_only_is_decided(values: list[str | None], form: str, evidence: str) -> None:
    """One value with a part above 12 decides for all, and the format then reads every one of them."""
    found = date_format_of([pa.array(values)])
    assert (found.format, found.could_be, found.evidence) == (form, (form,), evidence)
    assert form in found.reason
    assert None not in texts(pa.array([one for one in values if one]), Target("datetime", form))


@pytest.mark.parametrize(
    ("values", "could_be", "said"),
    [
        (["7/4/1996", "8/1/1996"], ("%d/%m/%Y", "%m/%d/%Y"), "'7/4/1996', as all others, may be"),
        (["16/05/21"], ("%d/%m/%y", "%y/%m/%d"), "may be %d/%m/%y or %y/%m/%d"),
        (["7/4/12"], ("%d/%m/%y", "%m/%d/%y"), "may be %d/%m/%y or %m/%d/%y"),
        (["12122012"], ("%d%m%Y", "%m%d%Y"), "may be"),
        (["13/1/2020", "1/13/2020"], (), "no one format reads '13/1/2020' and '1/13/2020'"),
        (["99/99/2020"], (), "no one format reads '99/99/2020'"),
        (["05/16/2021", "2021-04-13"], (), "'05/16/2021' and '2021-04-13' differ in form"),
        (["09.07.2013 12:00:00", "13.07.2013"], (), "differ in form"),
        (["16/05/2021", "soon"], (), "'soon' has no form of a date that is known here"),
        (["2021-04-13", "2023-07-18 12:43:52 UTC"], (), "is ISO 8601 and needs no format"),
        (["Ann"], (), "'Ann' has no form of a date that is known here"),
        (["12345678"], (), "has no form of a date"),
        (["123/4/2020"], (), "has no form of a date"),
        ([None, " "], (), "there is no text or whole number to tell by"),
        ([], (), "there is no text or whole number to tell by"),
    ],
)
def test_a_column_that_is_not_sure_is_not_decided(
    values: list[str | None], could_be: tuple[str, ...], said: str
) -> None:
    """Ambiguous, contradictory and mixed columns stay undecided, with the reason."""
    found = date_format_of([pa.array(values, pa.string())])
    assert (found.format, found.could_be) == (None, could_be)
    assert said in found.reason


def test_whole_numbers_can_be_dates_and_other_types_are_none() -> None:
    """A column of 19970101 as ints is decided; floats, dates and lists show nothing."""
    assert date_format_of([pa.array([19970101, 19970118])]).format == "%Y%m%d"
    for values in (pa.array([19970101.0]), pa.array([date(1997, 1, 1)]), pa.array([["16/05/2021"]]), pa.nulls(2)):
        assert DatesSeen.of(values) == DatesSeen()


def test_a_batch_after_two_forms_changes_nothing() -> None:
    """Two forms with nothing in common have decided: what comes later is not looked at, in batches either."""
    column = pa.array(["01/01/2000", "01.01.00", "on 01"])
    assert date_format_of([column[:1], column[1:2], column[2:]]) == DatesSeen.of(column).decision


@given(
    st.lists(_DATES, max_size=12),
    st.lists(st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%Y%m%d", "%Y-%m-%d", "on %d"]), min_size=1),
    st.data(),
)
def test_the_batches_of_a_column_decide_as_the_column_does(
    dates: list[date], forms: list[str], data: st.DataObject
) -> None:
    """However a reader cuts a column, of one form or of several: its batches decide as the whole does."""
    column = pa.array([one.strftime(forms[at % len(forms)]) for at, one in enumerate(dates)], pa.string())
    cut = data.draw(st.integers(0, len(dates)))
    later = data.draw(st.integers(cut, len(dates)))
    parts = [DatesSeen.of(one) for one in (column[:cut], column[cut:later], column[later:])]
    assert (parts[0] + parts[1]) + parts[2] == parts[0] + (parts[1] + parts[2])
    assert date_format_of([column[:cut], column[cut:later], column[later:]]) == DatesSeen.of(column).decision


@given(st.lists(_DATES, min_size=1, max_size=12), st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d-%m-%y"]))
def test_the_right_format_is_never_ruled_out(dates: list[date], form: str) -> None:
    """A column written in one format is decided for that or not at all, and it is decided iff no other reads it."""
    found = date_format_of([pa.array([one.strftime(form) for one in dates])])
    assert form in found.could_be
    assert found.format == (form if len(found.could_be) == 1 else None)
    if form in ("%d/%m/%Y", "%m/%d/%Y"):
        assert (found.format is not None) == any(one.day > 12 for one in dates)


@pytest.mark.parametrize("target", ["date", "datetime"])
def test_an_ambiguous_date_is_refused_with_the_formats_that_would_do(target: str) -> None:
    """The message names each format that fits the value; where only one does, it is refused too."""
    wanted = {"date": "date", "datetime": "date and time"}[target]
    code, message = problem("7/4/1996", Target(target))
    assert code == f"not_a_{target}"
    assert message == f"'7/4/1996' is a {wanted} in more than one way: give its format, '%d/%m/%Y' or '%m/%d/%Y'"
    code, message = problem(" 16/05/2021", Target(target))
    assert code == f"not_a_{target}"
    assert message == f"' 16/05/2021' is not a {wanted} in ISO 8601: give its format, '%d/%m/%Y'"


def test_the_order_dates_of_northwind_are_month_first(shared_data: Path) -> None:
    """`7/4/1996` is ambiguous and `7/16/1996` is not: the column of 830 decides, from its first batch on."""
    text = pa.csv.ConvertOptions(column_types={name: pa.string() for name in ("OrderDate", "ShippedDate")})
    orders = pa.csv.read_csv(shared_data / "northwind" / "orders.csv", convert_options=text)
    for name in ("OrderDate", "ShippedDate"):
        found = date_format_of(orders[name].chunks)
        assert found.format == "%m/%d/%Y"
        read = texts(orders[name].combine_chunks(), Target("date", found.format))
        assert sum(one is not None for one in read) == {"OrderDate": 830, "ShippedDate": 809}[name]


def test_a_day_that_there_is_not() -> None:
    """The shape of 2021-02-30 is right, so no format is asked for."""
    problems = coerce(pa.array(["2021-02-30", "31/04/2021"]), Target("date")).problems
    assert [one.message for one in problems.values()] == [
        "'2021-02-30' is not a date: expected one like 1998-01-01, or give its format",
        "'31/04/2021' is not a date: expected one like 1998-01-01, or give its format",
    ]


_ODD = ("32/01/2024", "1/13/2024", "13/1/2024", "1/1/24", "00/1/2024", "5-May-2024", "5-Jun-2024", "2024-01-31", "soon",
        "01.01.2024 10:5", "20240131", "1.1.2024 10:05")  # fmt: skip


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%y", "%Y-%m-%d", "%d-%b-%Y", "%d.%m.%Y %H:%M", "%Y%m%d"])
@given(odd=st.sampled_from(_ODD), days=st.integers(0, 60))
def test_a_long_column_shows_what_its_parts_show(form: str, odd: str, days: int) -> None:
    """Most values of a long column are not looked at one by one; one among them that differs still counts."""
    start = date(2024, 1, 1).toordinal() + days
    texts = [date.fromordinal(start + day).strftime(form) for day in range(150)] + [odd, "7/16/2024"]
    parts = [DatesSeen.of(pa.array(texts[at : at + 50])) for at in range(0, len(texts), 50)]
    assert DatesSeen.of(pa.array(texts)) == sum(parts, DatesSeen())
