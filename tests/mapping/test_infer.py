"""What is found out of columns that were made to show one thing each: identity, times, types, and what is left open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.errors import MappingError
from interakt_loader.mapping import Preparation, read_mapping
from interakt_loader.mapping.infer import SAMPLE_ROWS, Inferred, infer
from interakt_loader.settings import Settings
from interakt_loader.sources import open_source, peek
from interakt_loader.wire import Kind

IDS = [f"C-{number}" for number in range(20)]


def found(columns: dict[str, Any], kind: Kind | None = None, event: str | None = None, **options: Any) -> Inferred:
    """Return what is found out of columns."""
    return infer(list(columns), kind, event, [pa.RecordBatch.from_pydict(columns)], settings=Settings(**options))


def trait(values: Sequence[Any] | pa.Array, name: str = "x") -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
    """Return the options that a column gets as a trait, why, and what is offered instead."""
    array = values if isinstance(values, pa.Array) else pa.array(list(values))
    ids = [f"C-{number}" for number in range(len(array))]
    lines = [line for line in found({"customer_id": ids, name: array}).lines if line.field == "traits"]
    (chosen,) = [line for line in lines if line.active]
    options = [{key: one for key, one in line.written.items() if key != "column"} for line in lines]
    return options[lines.index(chosen)], chosen.reason, [one for one in options if one != options[lines.index(chosen)]]


def why(inferred: Inferred, field: str) -> str:
    """Return the reason for a field."""
    (reason,) = [line.reason for line in inferred.lines if line.active and line.field == field]
    return reason


def loads_as(mapping: Inferred, folder: Path) -> bool:
    """Say whether what is printed reads back as the same mapping."""
    path = folder / "mapping.yaml"
    path.write_text(mapping.as_yaml(), encoding="utf-8")
    return read_mapping(path) == mapping.mapping


# ------------------------------------------------------------------------------ types


def test_yes_and_no_are_booleans_and_a_third_word_makes_text() -> None:
    """A type that would refuse rows is only offered."""
    assert trait(["yes", "No", None, "YES"] * 5) == ({"type": "boolean"}, "yes/no in 15 of 20", [])
    options, why, instead = trait(["yes", "no", "no", "unknown"] * 5)
    assert options == {"type": "string"}
    assert why == "yes/no in 15 of 20, but 'unknown' in row 3: kept as text"
    assert instead == [{"type": "boolean"}]


@pytest.mark.parametrize(
    ("values", "type_"),
    [(["Y", "N"], "boolean"), (["N", "N"], "string"), (["M", "F"], "string"), (["true"] * 2, "boolean"),
     (["0", "1"], "number"), ([0, 1], "number"), ([True, False], "boolean"), (["no", "DSL"] * 2, "string")],
)  # fmt: skip
def test_which_words_are_booleans(values: list[Any], type_: str) -> None:
    """Letters only as a pair; 0 and 1 are numbers, and may be said to be booleans."""
    options, _, instead = trait(values)
    assert options == {"type": type_}
    if type_ == "number":
        assert instead == [{"type": "boolean"}]


def test_numbers_as_people_write_them() -> None:
    """Groups and currency signs are numbers, and one is shown."""
    assert trait(["1", "-2.50", None]) == ({"type": "number"}, "numbers in 2 of 3", [])
    options, why, _ = trait(["12.50", "$9.28", "1,299.00"])
    assert options == {"type": "number"}
    assert why == "numbers in 3 of 3, some written like '$9.28' in row 1"


def test_a_decimal_comma_is_told_and_a_doubtful_one_left_open() -> None:
    """`1.299,50` can only have a comma; of `1.299` nobody knows."""
    options, why, _ = trait(["1.299,50", "9,28"])
    assert options == {"type": "number", "decimal": ","}
    assert why == "numbers with a decimal comma, such as '1.299,50' in row 0"
    options, _, instead = trait(["1.299", "12.500"])
    assert (options, instead) == ({"type": "string"}, [{"type": "number"}, {"type": "number", "decimal": ","}])
    inferred = found({"customer_id": IDS, "x": ["1.299", "12.500"] * 10})
    assert inferred.remarks == (
        "traits: x: '1.299' in row 0, as all others, may have a decimal point or a decimal comma: kept as text",
    )


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("x", ["00017", "00018"], "zeros before the number, such as '00017' in row 0"),
        ("x", ["3587726269478025123", "12"], "up to 19 digits and more than a number holds"),
        ("x", ["'17", "'18"], "an apostrophe before each"),
        ("Zip", ["84720", "11001"], "the name says that they count nothing"),
        ("supportRepId", ["3", "4"], "the name says that they count nothing"),
        ("supportRepId", [3, 4], "int64, and the name says that it counts nothing"),
        ("order_id", [17850.0, None], "double, and the name says that it counts nothing: kept as text, '17850'"),
    ],
)
def test_digits_that_count_nothing_stay_text(name: str, values: list[Any], said: str) -> None:
    """Zeros, long digits and apostrophes would be lost in a number; ids and zips are none."""
    options, why, _ = trait(values, name)
    assert options == {"type": "string"}
    assert said in why


def test_almost_numbers_are_text_and_the_misfit_is_named() -> None:
    """One value of forty that is none: kept as text, with the line that would refuse it."""
    options, why, instead = trait([*(str(one) for one in range(2, 41)), "n/a"])
    assert options == {"type": "string"}
    assert why == "numbers but for 1 of 40, such as 'n/a' in row 39: kept as text"
    assert instead == [{"type": "number"}]


def test_the_word_null_is_told() -> None:
    """It is sent as that word, which nobody wants unawares."""
    _, why, _ = trait(["WA", "NULL", "OR", "CA", "NULL"])
    assert why.startswith("text, 4 different in 5 of 5; 'NULL' in 2 of them is sent as that word (if it means nothing")


def test_words_that_mean_nothing_are_no_misfits() -> None:
    """Named as such, they count as missing when the rows are looked at, as they do in the load."""
    columns = {"customer_id": IDS, "day": [*(f"2024-01-{day:02}" for day in range(1, 20)), "NULL"]}
    assert found(columns).mapping.as_dict()["traits"] == {"day": {"column": "day", "type": "string"}}
    told = found(columns, null_values="NULL")
    assert told.mapping.as_dict()["traits"] == {"day": {"column": "day", "type": "date"}}


def test_phones_are_looked_at_as_they_will_be_judged() -> None:
    """Ten digits that no plan knows: a doubt, unless the load takes their length, or their digits, for enough."""
    columns = {"customer_id": IDS, "phone": [f"11111 111{number:02}" for number in range(20)]}
    assert found(columns).undecided != ()
    for check in ("possible", "as-is"):
        assert found(columns, phones=check).undecided == ()
        assert found(columns, phones=check).mapping.as_dict()["phone"] == "phone"


@pytest.mark.parametrize(
    ("values", "name", "options"),
    [
        (['["a", "b"]', "[]", None], "x", {"type": "list"}),
        (['{"a": 1}', "{}"], "x", {"type": "string"}),
        (["76340251;46897301", None], "merged_ids", {"type": "list", "separator": ";"}),
        (["red|blue", "red", "green|red"], "x", {"type": "list", "separator": "|"}),
        (["vip, pune", "vip"], "Customer tags", {"type": "list"}),
        (["Pune, India", "Delhi, India"], "place", {"type": "string"}),
        (["alert(1); x()", "a;b"], "x", {"type": "string"}),
    ],
)
def test_lists_in_text(values: list[Any], name: str, options: dict[str, str]) -> None:
    """JSON lists, and short items between separators; a comma only where the name says that there are several."""
    assert trait(values, name)[0] == options


def test_a_rare_separator_is_only_offered() -> None:
    """One cell of twenty: it may be part of the text."""
    options, why, instead = trait(["a;b", *(f"item {one}" for one in range(19))])
    assert options == {"type": "string"}
    assert why == "text with ';' in 1 of 20, such as 'a;b' in row 0"
    assert instead == [{"type": "list", "separator": ";"}]


def test_types_of_a_table_that_has_types() -> None:
    """Arrow's own types need no guess."""
    day, noon = dt.date(2024, 1, 31), dt.datetime(2024, 1, 31, 12)
    assert trait([day, day])[:2] == ({"type": "date"}, "date32[day]")
    assert trait([noon, None])[0] == {"type": "datetime"}
    assert trait([dt.datetime(2024, 1, 31), dt.datetime(2024, 2, 1)])[0] == {"type": "date"}
    assert trait([[1, 2], None])[0] == {"type": "list"}
    assert trait([1.5, 2.5])[0] == {"type": "number"}
    assert trait([dt.time(12), None])[0] == {"type": "string"}
    assert trait(pa.array(["a", "b", "a"]).dictionary_encode())[0] == {"type": "string"}


def test_empty_columns_and_those_that_cannot_be_sent_are_commented_out() -> None:
    """The line is there, with the reason, and does nothing."""
    inferred = found(
        {"customer_id": ["a", "b"], "blank": ["", " "], "map": pa.array([[("k", 1)], None], pa.map_("str", "int8"))}
    )
    assert inferred.mapping.as_dict() == {"user_id": "customer_id"}
    text = inferred.as_yaml()
    assert '# traits:\n  # - {column: "blank", type: string}  # empty in all 2 rows\n' in text
    assert '  # - {column: "map", type: string}  # a value of type map' in text


def test_a_constant_column_is_told() -> None:
    """It is sent, and the line may be deleted."""
    _, why, _ = trait(["shop"] * 3)
    assert why == "text: 'shop' in 3 of 3; 'shop' wherever there is a value: delete the line if it tells nothing"


# ------------------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (["2024-01-31", "2024-02-01"], {"type": "date"}, "all values look like 2024-01-31"),
        (["2016-02-03T13:36:39Z", None], {"type": "datetime"}, "all values look like 2016-02-03T13:36:39Z"),
        (["2021-01-01 00:00:00", "2021-01-02 00:00:00"], {"type": "date"}, "at 00:00:00"),
        (["2021-01-01 10:00:00", "2021-01-02 00:00:00"], {"type": "datetime"}, "read as UTC unless timezone is given"),
        (["05/06/2021", "16/05/2021"], {"type": "date", "format": "%d/%m/%Y"}, "in row 1; so day first in 2 of 2"),
        (["7/4/1996", "7/16/1996"], {"type": "date", "format": "%m/%d/%Y"}, "in row 1; so month first in 2 of 2"),
        (["16/05/2021 10:20", None], {"type": "datetime", "format": "%d/%m/%Y %H:%M"}, "so day first"),
    ],
)
def test_times_in_text(values: list[Any], options: dict[str, str], said: str) -> None:
    """ISO 8601 needs no format; another form is taken where one value decides for all, and the value is shown."""
    chosen, why, _ = trait(values)
    assert chosen == options
    assert said in why


def test_an_ambiguous_date_is_left_open() -> None:
    """Nothing tells 7 April from 4 July: text, with both lines to choose from."""
    options, why, instead = trait(["7/4/1996", "8/1/1996"])
    assert options == {"type": "string"}
    assert why == "'7/4/1996' in row 0, as all others, may be day first or month first: kept as text"
    assert instead == [{"type": "date", "format": "%d/%m/%Y"}, {"type": "date", "format": "%m/%d/%Y"}]


def test_an_ambiguous_created_at_is_not_taken() -> None:
    """The time of an event decides its place in the timeline: without a format it is left out, and said first."""
    inferred = found({"user_id": ["a", "b"], "order_date": ["7/4/1996", "8/1/1996"]}, event="Order Placed")
    assert "created_at" not in inferred.mapping.as_dict()
    assert inferred.undecided[-1].startswith(
        "created_at: order_date: '7/4/1996' in row 0, as all others, may be day first"
    )
    assert (
        '# created_at: {column: "order_date", type: datetime, format: "%d/%m/%Y"}  # if it is day first'
        in inferred.as_yaml()
    )


def test_a_created_at_with_a_misfit_is_not_replaced_by_another_time() -> None:
    """`shipped` is the only column that is all times, and it is not when the order was placed."""
    days = [f"2024-01-{day:02}" for day in range(1, 21)]
    columns = {"user_id": IDS, "order_date": [*days[:-1], "2024-02-30"], "shipped": days}
    inferred = found(columns, event="Order Placed")
    assert "created_at" not in inferred.mapping.as_dict()
    (said,) = inferred.undecided
    assert said.startswith("created_at: order_date: dates but for 1 of 20, such as '2024-02-30' in row 19")


def test_dates_with_a_misfit_are_text() -> None:
    """The misfit is named, and the date offered."""
    options, why, instead = trait([*(f"{day}/5/2021" for day in range(1, 29)), "soon"], "due_date")
    assert options == {"type": "string"}
    assert why == "dates but for 1 of 29, such as 'soon' in row 28: kept as text"
    assert instead == [{"type": "date", "format": "%d/%m/%Y"}]


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([1400826750, 1700000000], "epoch_s"),
        (["1400826750", None], "epoch_s"),
        ([1400826750123, 1700000000000], "epoch_ms"),
    ],
)
def test_seconds_since_1970_in_a_column_of_times(values: list[Any], form: str) -> None:
    """The name and the size of the numbers together: neither alone is enough."""
    options, why, _ = trait(values, "updated_at")
    assert options == {"type": "datetime", "format": form}
    assert "since 1970, going by the name and the numbers: 2014-05-23 to" in why
    assert trait(values, "amount")[0] == {"type": "number"}


def test_a_name_that_promises_a_time_and_numbers_that_are_none() -> None:
    """Said, since the name will mislead."""
    _, why, _ = trait(["2452443", "2452646"], "last_review_date")
    assert "the name is that of a time, but '2452443' in row 0 has no form of one" in why


def test_eight_digits_are_a_date_where_the_name_says_so() -> None:
    """`20140131` may be anything elsewhere."""
    assert trait(["20140102", "20140131"], "order_date")[0] == {"type": "date", "format": "%Y%m%d"}
    assert trait([20140102, 20140131], "order_date")[0] == {"type": "date", "format": "%Y%m%d"}
    assert trait(["20140102", "20140131"], "stock")[0] == {"type": "number"}


# ------------------------------------------------------------------------------ identity


def test_phones_are_found_by_their_values() -> None:
    """A name that says nothing, and numbers of India; the reason is the share."""
    numbers = [f"98765 {number:05}" for number in range(43_200, 43_220)]
    inferred = found({"ref": IDS, "x7": numbers}, "user")
    assert inferred.mapping.as_dict()["phone"] == "x7"
    assert why(inferred, "phone") == "all of 20 values are phone numbers of +91"
    some = found({"ref": IDS, "x7": [*numbers[:-1], "12345"]}, "user")
    assert why(some, "phone") == "95 % of 20 values are phone numbers of +91"


def test_a_name_alone_makes_no_phone() -> None:
    """`contact` that holds words, and `cc` that holds cards, are traits."""
    inferred = found(
        {"customer_id": ["a", "b"], "contact": ["cellular", "telephone"], "cc": ["4111111111111111", None]}
    )
    assert set(inferred.mapping.as_dict()) == {"user_id", "traits"}


def test_the_countries_of_the_table_stand_even_where_the_default_would_do_better() -> None:
    """`2222222222` is valid in India, and the table says that it is in the United States."""
    inferred = found({"customer_id": ["a", "b"], "phone": ["2222222222", "2222222223"], "country_code": ["US", "US"]})
    assert "phone" not in inferred.mapping.as_dict()
    assert "phone: of phone, none of 2 values is a phone number, and not '2222222222' in row 0" in inferred.undecided[0]


def test_another_country_is_named_where_the_default_does_not_do() -> None:
    """Numbers of Singapore under +91: the line is offered, with the option that would make them valid."""
    numbers = [f"6123 {number:04}" for number in range(5000, 5020)]
    assert found({"customer_id": IDS, "Phone": numbers}).undecided == (
        "phone: of Phone, none of 20 values is a phone number, and not '6123 5000' in row 0; "
        "100 % would be with the default country +65",
    )
    assert found({"customer_id": IDS, "Phone": numbers}, default_country="+65").mapping.as_dict()["phone"] == "Phone"


def test_american_numbers_that_are_valid_in_india_are_told() -> None:
    """They would go to strangers, and no check of the number alone can tell."""
    numbers = [f"(212) 736-{number:04}" for number in range(5000, 5020)]
    (said,) = found({"customer_id": IDS, "Phone": numbers}).undecided
    assert said.startswith(
        "phone: 20 of 20 values of Phone are written as in North America and taken for numbers of +91"
    )
    assert found({"customer_id": IDS, "Phone": numbers}, default_country="+1").undecided == ()


def test_an_id_like_column_that_is_unique_goes_before_a_vague_name() -> None:
    """`customer` holds names that repeat; `ref` tells the rows apart."""
    names = ["Asha", "Ravi"] * 10
    assert (
        found({"customer": names, "ref": ["x"] * 20, "shop_key": IDS}, "user").mapping.as_dict()["user_id"]
        == "shop_key"
    )


def test_an_id_by_its_values_alone() -> None:
    """In a file without headings the column with another value in each row, in the form of an id."""
    columns = {"column_1": ["Asha", "Ravi"] * 10, "column_2": [str(number) for number in range(17, 37)]}
    inferred = found(columns)
    assert inferred.mapping.as_dict()["user_id"] == "column_2"
    assert why(inferred, "user_id") == "each of 20 rows has another value, in the form of an id"
    with pytest.raises(MappingError, match="no column looks like a user_id"):
        found({name: values[:9] for name, values in columns.items()})  # too few to tell by


def test_ids_that_were_read_as_floats() -> None:
    """17850.0 is sent as 17850, and the comment says so; what is missing is counted."""
    inferred = found({"CustomerID": [17850.0, None, 17851.0], "n": [1, 2, 3]}, "user")
    assert "whole numbers that were read as floats: 17850.0 is sent as 17850" in why(inferred, "user_id")
    assert inferred.remarks == (
        "user_id: CustomerID is empty in 1 of 3 rows; there is no phone, so they cannot be sent",
    )


def test_users_with_an_id_twice_are_told() -> None:
    """Where the rows are known to be users, the last row of each stays."""
    (said,) = found({"customer_id": ["a", "a", "b"], "n": [1, 2, 3]}, "user").remarks
    assert said.startswith("user_id: customer_id is not unique (2 different in 3 rows)")


def test_users_with_a_phone_twice_are_told() -> None:
    """Where the phone alone says who it is, rows of one phone are one user."""
    numbers = [f"98765 {number:05}" for number in range(43_200, 43_205)] * 4
    assert found({"phone": numbers, "n": [*range(20)]}, "user").remarks == (
        "phone: 5 different in 20 rows: rows with the same phone are one user, and the last one's traits stay",
    )


def test_a_column_called_country_that_holds_none_is_no_country() -> None:
    """Booleans beside the phones tell no country: the default holds, and the column is a trait."""
    columns = {"id": IDS, "phone": [f"98765{n:05}" for n in range(43_200, 43_220)], "country": [True, False] * 10}
    mapping = found(columns, "user").mapping.as_dict()
    assert (mapping["phone"], "country_code" in mapping) == ("phone", False)
    assert mapping["traits"]["country"]["type"] == "boolean"


def test_in_a_table_of_orders_the_id_is_the_orders() -> None:
    """`id` is another in each row, and `user_id` says who."""
    columns = {"id": [1, 2, 3], "user_id": [7, 8, 7], "order_date": ["2024-01-01", "2024-01-02", "2024-01-03"]}
    inferred = found(columns)
    assert inferred.mapping.as_dict()["user_id"] == "user_id"
    assert inferred.undecided[0].startswith("kind: user_id comes more than once in 3 rows and order_date is a time")
    assert '# event: {value: "Order Placed"}' in inferred.as_yaml()
    assert '# created_at: {column: "order_date", type: datetime}' in inferred.as_yaml()


def test_without_any_identity_it_is_said_what_was_looked_for() -> None:
    """What came nearest is named; an address that is another in each row is offered as the id."""
    with pytest.raises(MappingError) as caught:
        found({"age": [30, 31, 30], "mail": ["a@x.in", "b@x.in", "c@x.in"], "contact": ["cellular"] * 3})
    said = str(caught.value)
    assert said.startswith("no column looks like a user_id or a phone among age, mail, contact: give a mapping")
    assert "contact: none of 3 values is a phone number" in said
    assert "mail is another in each row: user_id: mail would make it the id" in said


def test_where_no_column_is_left_nothing_is_nearest() -> None:
    """The only column names the events: what was looked for is said, and no column is held to have come near."""
    with pytest.raises(MappingError, match="looked for: a column called like customer_id") as caught:
        found({"event": ["Visit", "Buy"]})
    assert "nearest" not in str(caught.value)


# ------------------------------------------------------------------------------ events and users


def test_the_events_name_time_and_rest() -> None:
    """A column of few names is the event; the only column of times is when."""
    columns = {"person_id": ["a", "b"], "event": ["Visit", "Buy"], "seen": ["2024-01-31 10:00", "2024-02-01 11:00"]}
    assert found(columns).mapping.as_dict() == {
        "user_id": "person_id",
        "event": "event",
        "created_at": {"column": "seen", "type": "datetime"},
    }


def test_several_times_and_none_that_is_called_so() -> None:
    """Which one is the event's is left open, with a line for each."""
    times = ["2024-01-31 10:00", "2024-02-01 11:00"]
    inferred = found({"user_id": ["a", "b"], "packed": times, "shipped": times}, event="Order Sent")
    assert inferred.undecided == ("created_at: several columns are times (packed, shipped): say which is the event's",)
    assert inferred.as_yaml().count("# created_at: ") == 2


def test_events_without_a_name_are_told() -> None:
    """Nobody but the user knows what the rows are."""
    inferred = found({"user_id": ["a", "b"], "date": ["2024-01-31", "2024-02-01"]}, "event")
    assert inferred.kind == "event"
    assert inferred.undecided == ("event: no column holds the name of the events: give one (--event NAME)",)


def test_a_column_called_event_with_gaps_names_no_events() -> None:
    """An event needs a name in each row: a column that has one in some rows is passed over for the next."""
    columns = {"user_id": ["a", "b"], "event": ["Visit", None], "event name": ["Visit", "Buy"]}
    assert found(columns, "event").mapping.as_dict()["event"] == "event name"
    del columns["event name"]
    assert found(columns, "event").undecided == (
        "event: no column holds the name of the events: give one (--event NAME)",
    )


def test_tags_that_are_lists_need_no_separator() -> None:
    """The column's type says it all."""
    inferred = found({"customer_id": ["a", "b"], "tags": [["vip", "pune"], []]}, "user")
    assert inferred.mapping.as_dict()["tags"] == "tags"
    assert why(inferred, "tags") == "list<item: string>"


def test_users_get_their_tags_and_the_time_since_when() -> None:
    """Tags with the separator that they have; created_at as users have it."""
    columns = {"customer_id": ["a", "b"], "Tags": ["vip; pune", ""], "Signed up": ["31/01/2024", "01/02/2024"]}
    assert found(columns).mapping.as_dict() == {
        "user_id": "customer_id",
        "created_at": {"column": "Signed up", "type": "datetime", "format": "%d/%m/%Y"},
        "tags": {"column": "Tags", "type": "list", "separator": ";"},
    }


# ------------------------------------------------------------------------------ the sample and the file


def test_only_the_first_rows_are_read(tmp_path: Path) -> None:
    """The sample ends where it should, whatever the size of the batches, and its size is told."""
    path = tmp_path / "many.csv"
    path.write_text("id,n\n" + "".join(f"{row},{row}\n" for row in range(12_000)), encoding="utf-8")
    source = open_source(path)
    batches, _ = peek(source, SAMPLE_ROWS)
    assert sum(batch.num_rows for batch in batches) == SAMPLE_ROWS
    assert "the first 10,000 rows" in infer(source.columns, sample=batches).as_yaml()


def test_batches_whose_types_differ_are_looked_at_together() -> None:
    """JSON lines have types of their own in each batch."""
    batches = [
        pa.RecordBatch.from_pydict({"id": [1, 2], "n": [1, 2], "mixed": [1, 2]}),
        pa.RecordBatch.from_pydict({"id": ["3", "4"], "n": [1.5, 2.5], "mixed": [["a"], ["b"]]}),
        pa.RecordBatch.from_pydict({"id": ["5"]}),
    ]
    mapping = infer(["id", "n", "mixed"], sample=batches).mapping.as_dict()
    assert mapping["user_id"] == "id"
    assert {name: one["type"] for name, one in mapping["traits"].items()} == {"n": "number", "mixed": "string"}


def test_times_of_different_units_are_looked_at_together() -> None:
    """Seconds in one file and milliseconds in the next are one column of times; two widths of text are one of text."""
    moment = dt.datetime(2024, 1, 31, 10)
    batches = [
        pa.RecordBatch.from_pydict(
            {"id": ["a"], "seen": pa.array([moment], pa.timestamp(unit)), "name": pa.array(["Ann"], text)}
        )
        for unit, text in (("s", pa.string()), ("ms", pa.large_string()))
    ]
    inferred = infer(["id", "seen", "name"], "user", sample=batches)
    types = {name: one["type"] for name, one in inferred.mapping.as_dict()["traits"].items()}
    assert types == {"seen": "datetime", "name": "string"}
    (reason,) = (line.reason for line in inferred.lines if line.written == {"column": "seen", "type": "datetime"})
    assert reason.startswith("timestamp[ms] or timestamp[s]; no time zone")


def test_a_sample_without_rows_leaves_the_names() -> None:
    """An empty file has its headings all the same."""
    batch = pa.RecordBatch.from_pydict({"customer_id": pa.array([], pa.string())})
    assert infer(["customer_id"], sample=[batch]) == infer(["customer_id"], sample=[]) == infer(["customer_id"])


NAMES = ["user: id", "a # b", "it's", 'say "hi"', "new\nline", "tab\t", "पता", "😀", " ", "null", "*", "- x", "{a}",
         "\u2028", "\x85", "\ufeffbom", "\x7f", "yes", "12", "a" * 2000, "\\", "%d", "&x", "!y",
         "traits", "name", ""]  # fmt: skip


def test_every_name_of_a_column_is_written_so_that_it_reads_back(tmp_path: Path) -> None:
    """Quotes, colons, line ends, marks of YAML and of Unicode, and a name that is empty."""
    values = ["17 # x", "b: c\nd"]
    for name in NAMES:
        inferred = found({"customer_id": ["a", "b"], name: values})
        assert loads_as(inferred, tmp_path), name
        as_id = found({"tail": values, name: ["a", "b"], "customer_id": [f"{name}1", f"{name}2"]}, event=name or "x")
        assert loads_as(as_id, tmp_path), name
        assert loads_as(infer(["customer_id", name]), tmp_path), name


@given(
    name=st.text(st.characters(codec="utf-8"), max_size=20),
    values=st.lists(st.text(max_size=10), min_size=2, max_size=2),
)
def test_any_name_and_any_value_reads_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, values: list[str]
) -> None:
    """Whatever a column is called and holds, the comment ends with its line and the name is whole."""
    if name != "customer_id":
        columns = {"customer_id": ["a", "b"], name: values}
        assert loads_as(found(columns), tmp_path_factory.mktemp("any"))
        assert loads_as(found(columns, event="Visit"), tmp_path_factory.mktemp("any"))


def test_the_readme_shows_what_infer_prints() -> None:
    """Line for line."""
    columns = {
        "customer_id": [f"C-{number}" for number in range(40)],
        "mobile": [f"98765 432{number:02}" for number in range(40)],
        "vip": ["yes", "no"] * 20,
        "spent": ["₹1,299.00", "499"] * 20,
        "birthday": ["05/06/1991", "16/05/1992"] * 20,
        "last order": ["4/7/2024", "1/8/2024"] * 20,
    }
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"```yaml\n{found(columns).as_yaml()}```" in readme


# ------------------------------------------------------------------------------ any column at all

POOLS = [
    ["yes", "no", "Yes", "unknown"],
    ["1", "0", "2.50", "1,299.00", "1.299", "$9.28", "(12.50)", "1e3", "n/a", "nan", "12 %", "9876543210.0"],
    ["7/4/1996", "16/05/2021", "05/16/2021", "31.12.2020", "2024-02-30", "2024-01-31", "soon"],
    ["2023-07-18 12:43:52 UTC", "2023-07-18T12:43:52+05:30", "2021-01-01 00:00:00", "20140102", "1400826750"],
    ["a;b", "a|b|c", '["a"]', '{"a": 1}', "a, b", "x", "[]"],
    ["00017", "'17", "12345678901234567890", "+919876543210", "98765 43210"],
]
CELLS = st.one_of(*(st.lists(st.sampled_from(pool) | st.none(), min_size=4, max_size=4) for pool in POOLS))
LISTED = st.lists(st.lists(st.integers(0, 9), max_size=3) | st.none(), min_size=4, max_size=4)
TYPED = st.one_of(
    st.lists(st.booleans() | st.none(), min_size=4, max_size=4),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=4, max_size=4),
    st.lists(st.floats(width=64) | st.none(), min_size=4, max_size=4),
    st.lists(st.dates() | st.none(), min_size=4, max_size=4),
    st.lists(st.datetimes() | st.none(), min_size=4, max_size=4),
    st.lists(st.decimals(-999, 999, places=2) | st.none(), min_size=4, max_size=4),
    st.lists(st.text(max_size=8) | st.none(), min_size=4, max_size=4),
    LISTED,
)
TITLES = st.sampled_from(["x", "amount", "order_date", "zip", "tags", "Labels", "updated_at", "phone", "note"])


@given(name=TITLES, values=CELLS | TYPED, event=st.none() | st.just("Visit"))
def test_a_type_that_is_chosen_fits_every_row_that_was_looked_at(
    name: str, values: list[Any], event: str | None
) -> None:
    """No value of the sample is refused by the type, format or separator that the sample was given."""
    columns = {"customer_id": ["a", "b", "c", "d"], name: pa.array(values)}
    inferred = found(columns, event=event)
    batch = pa.RecordBatch.from_pydict(columns)
    rows = Preparation(inferred.mapping, inferred.kind, Settings())(batch, 0).to_pylist()
    of_phones = inferred.mapping.as_dict().get("phone")
    assert {row["column"] for row in rows if row["body"] is None} <= {of_phones}
