"""What is detected in columns that each show one thing: identity, times, types, and what is left open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interakt_loader.columns.normalize import normalize
from interakt_loader.errors import MappingError
from interakt_loader.mapping import Mapping, Preparation, read_mapping
from interakt_loader.mapping.infer.infer import SAMPLE_ROWS, InferredMapping, infer
from interakt_loader.mapping.infer.inferred import columns_of
from interakt_loader.model import Kind
from interakt_loader.settings import Settings
from interakt_loader.sources import Source, open_source, peek

IDS = [f"C-{number}" for number in range(20)]


def found(
    columns: dict[str, Any], kind: Kind | None = None, event: str | None = None, **options: Any
) -> InferredMapping:
    """Return the proposal for columns."""
    return infer(list(columns), kind, event, [pa.RecordBatch.from_pydict(columns)], settings=Settings(**options))


def trait(values: Sequence[Any] | pa.Array, name: str = "x") -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
    """Return the options that a column gets as a trait, why, and what is offered instead."""
    array = values if isinstance(values, pa.Array) else pa.array(list(values))
    ids = [f"C-{number}" for number in range(len(array))]
    lines = [line for line in found({"customer_id": ids, name: array}).lines if line.field == "traits"]
    (chosen,) = [line for line in lines if line.active]
    options = [{key: one for key, one in line.written.items() if key != "column"} for line in lines]
    return options[lines.index(chosen)], chosen.reason, [one for one in options if one != options[lines.index(chosen)]]


def why(inferred: InferredMapping, field: str) -> str:
    """Return the reason for a field."""
    (reason,) = [line.reason for line in inferred.lines if line.active and line.field == field]
    return reason


def loads_as(mapping: InferredMapping, folder: Path) -> bool:
    """Say whether what is printed reads back as the same mapping."""
    path = folder / "mapping.yaml"
    path.write_text(mapping.to_yaml(), encoding="utf-8")
    return read_mapping(path) == mapping.mapping


# ------------------------------------------------------------------------------ types


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_the_batches_of_a_sample_make_no_difference(kind: pa.DataType) -> None:
    """A text that only the last batch has counts, and rows are numbered from the first."""
    texts = pa.array(["12.5", None, "3", "€ 4"] * 5 + ["1,299.00"]).cast(kind)
    times = pa.array([dt.datetime(2024, 1, 1)] * 20 + [dt.datetime(2024, 1, 1, 10)])
    tags = pa.array([["a"], []] * 10 + [None])
    ids = [f"C-{number}" for number in range(21)]
    table = pa.table({"customer_id": ids, "amount": texts, "seen": times, "tags": tags})
    (whole,), parts = table.to_batches(), table.to_batches(max_chunksize=8)
    assert infer(table.column_names, sample=parts) == infer(table.column_names, sample=[whole])
    assert "numbers in 16 of 21, some written like '€ 4' in row 3" in infer(table.column_names, sample=parts).to_yaml()


@pytest.mark.parametrize(("number", "offered"), [(20210203, 1), (9999999, 0), (20219999, 0), (-20210203, 0)])
def test_only_numbers_of_eight_digits_may_be_dates(number: int, offered: int) -> None:
    """As dates they are only offered: the name does not say that they are times."""
    options, _, instead = trait([number] * 5)
    assert (options, len(instead)) == ({"type": "number"}, offered)


@pytest.mark.parametrize("words", [["NULL", "Pune"], ["NULL", "Poznań"]])
def test_a_null_word_is_noted_beside_any_text(words: list[str]) -> None:
    """In ASCII and beyond."""
    _, why, _ = trait(words * 4)
    assert why.endswith("; 'NULL' in 4 of them is sent as that word (if it means nothing: null_values='NULL')")


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
    """`1.299,50` can only have a comma; `1.299` may have either."""
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
        (
            "x",
            ["3587726269478025123", "12"],
            "whole numbers of more than 11 digits are ids, such as '3587726269478025123'",
        ),
        ("x", ["'17", "'18"], "an apostrophe before each"),
        ("Zip", ["84720", "11001"], "the name is that of a code"),
        ("supportRepId", ["3", "4"], "the name is that of a code"),
        ("supportRepId", [3, 4], "int64, and the name is that of a code"),
        ("order_id", [17850.0, None], "double, and the name is that of a code: kept as text, '17850'"),
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
    assert why == "numbers except 1 of 40, such as 'n/a' in row 39: kept as text"
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
    """Ten digits that India's plan does not know: a doubt, unless the load takes their length, or their digits."""
    columns = {"customer_id": IDS, "phone": [f"11111 111{number:02}" for number in range(20)]}
    assert found(columns).open_questions != ()
    for check in ("possible", "as-is"):
        assert found(columns, phones=check).open_questions == ()
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
    text = inferred.to_yaml()
    assert '# traits:\n  # - {column: "blank", type: string}  # empty in all 2 rows\n' in text
    assert '  # - {column: "map", type: string}  # it cannot be sent: a value of type map' in text
    assert "map is left out: it cannot be sent" in inferred.remarks[0]


def test_a_constant_column_is_told() -> None:
    """It is sent, and the line may be deleted."""
    _, why, _ = trait(["shop"] * 3)
    assert why == "text: 'shop' in 3 of 3; 'shop' in every row with a value: delete the line if it is of no use"


# ------------------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (["2024-01-31", "2024-02-01"], {"type": "date"}, "dates in ISO 8601, such as 2024-01-31"),
        (["2016-02-03T13:36:39Z", None], {"type": "datetime"}, "times in ISO 8601, such as 2016-02-03T13:36:39Z"),
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


def test_an_ambiguous_created_at_is_asked() -> None:
    """The time of an event decides its place in the timeline: it is asked, with the lines that would say it."""
    inferred = found({"user_id": ["a", "b"], "order_date": ["7/4/1996", "8/1/1996"]}, event="Order Placed")
    assert inferred.mapping.as_dict()["created_at"] == {"column": "order_date", "type": "datetime"}
    assert inferred.open_questions == (
        "created_at: order_date: '7/4/1996' in row 0, as all others, may be day first or month first: a mapping line "
        'such as created_at: {column: "order_date", type: datetime, format: "%d/%m/%Y"} or '
        'created_at: {column: "order_date", type: datetime, format: "%m/%d/%Y"}',
    )
    assert (
        '# created_at: {column: "order_date", type: datetime, format: "%d/%m/%Y"}  # if it is day first'
        in inferred.to_yaml()
    )


def test_a_created_at_of_amounts_is_asked() -> None:
    """It was a KeyError: the ways to read numbers have no format of times."""
    inferred = found({"user_id": ["a", "b"], "created_at": ["1,234", "2,345"]})
    (question,) = inferred.open_questions
    assert question.startswith("created_at: created_at: '1,234' in row 0, as all others, may have a decimal point or")


def test_a_created_at_with_a_misfit_is_not_replaced_by_another_time() -> None:
    """`shipped` is the only column that is all times, and it is not when the order was placed."""
    days = [f"2024-01-{day:02}" for day in range(1, 21)]
    columns = {"user_id": IDS, "order_date": [*days[:-1], "2024-02-30"], "shipped": days}
    inferred = found(columns, event="Order Placed")
    assert inferred.mapping.as_dict()["created_at"] == {"column": "order_date", "type": "datetime"}
    assert inferred.open_questions == ()
    assert inferred.remarks == (
        "created_at: order_date: dates except 1 of 20, such as '2024-02-30' in row 19: those rows are refused",
    )


def test_dates_with_a_misfit_are_text() -> None:
    """The misfit is named, and the date offered."""
    options, why, instead = trait([*(f"{day}/5/2021" for day in range(1, 29)), "soon"], "due_date")
    assert options == {"type": "string"}
    assert why == "dates except 1 of 29, such as 'soon' in row 28: kept as text"
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
    assert trait(values, "amount")[0] == {"type": "number" if form == "epoch_s" else "string"}


def test_a_name_that_promises_a_time_and_numbers_that_are_none() -> None:
    """Said, since the name will mislead."""
    _, why, _ = trait(["2452443", "2452646"], "last_review_date")
    assert "the name is that of a time, but '2452443' in row 0 cannot be read as one" in why


def test_eight_digits_are_a_date_where_the_name_says_so() -> None:
    """`20140131` may be anything elsewhere."""
    assert trait(["20140102", "20140131"], "order_date")[0] == {"type": "date", "format": "%Y%m%d"}
    assert trait([20140102, 20140131], "order_date")[0] == {"type": "date", "format": "%Y%m%d"}
    assert trait(["20140102", "20140131"], "stock")[0] == {"type": "number"}


# ------------------------------------------------------------------------------ identity


def test_phones_in_a_column_of_another_name_are_a_trait() -> None:
    """Ten digits may be anything: a name has to say that they are phones."""
    numbers = [f"98765 432{number:02}" for number in range(20)]
    with pytest.raises(MappingError, match="no column looks like a user_id or a phone"):
        found({"ref": IDS, "x7": numbers})
    assert "phone" not in found({"customer_id": IDS, "x7": numbers}).mapping.as_dict()


def test_how_many_values_are_phones_is_said() -> None:
    """In the reason, and as a note where some are none."""
    numbers = [f"98765 432{number:02}" for number in range(20)]
    assert why(found({"phone": numbers}), "phone") == (
        "the column is called phone; all of 20 values are phone numbers of +91"
    )
    some = found({"phone": [*numbers[:-1], "12345"]}, "user")
    assert why(some, "phone") == "the column is called phone; 19 of 20 values are phone numbers of +91"
    assert some.remarks == (
        "phone: 1 of 20 values of phone (5%) are no valid phone numbers, such as '12345' in row 19: those rows are "
        "refused",
    )


def test_a_phone_by_name_that_holds_none_is_asked() -> None:
    """`contact` that holds words, and `cc` that holds cards: the names propose them, and the values ask."""
    columns = {"customer_id": ["a", "b"], "contact": ["cellular", "telephone"], "cc": ["4111111111111111", None]}
    phone, country = found(columns).open_questions
    assert phone == (
        "phone: contact may not be the phone of the row's subject: "
        '"phone": "contact" if it is, or "user_id": "customer_id" to load without a phone'
    )
    assert country.startswith("country_code: cc cannot be read as countries, such as '4111111111111111' in row 0")


def test_the_countries_of_the_table_stand_even_where_the_default_would_do_better() -> None:
    """`2222222222` is valid in India, and the table says that it is in the United States."""
    inferred = found({"customer_id": ["a", "b"], "phone": ["2222222222", "2222222223"], "country_code": ["US", "US"]})
    assert inferred.mapping.as_dict()["country_code"] == "country_code"
    (said,) = inferred.open_questions
    assert said.startswith("phone: none of 2 values is a phone number, such as '2222222222' in row 0")


def test_another_country_is_named_where_the_default_does_not_do() -> None:
    """Numbers of Singapore under +91: the option that would make them valid is named."""
    numbers = [f"8123 {number:04}" for number in range(5000, 5020)]
    (said,) = found({"customer_id": IDS, "Phone": numbers}).open_questions
    assert said.startswith("country_code: 20 of the 20 numbers of Phone that name no country are numbers of +65 ")
    assert "and 0 of +91: default_country='+65', default_country=" in said
    assert said.endswith(", or default_country='+91' if they are of +91")
    assert found({"customer_id": IDS, "Phone": numbers}, default_country="+65").mapping.as_dict()["phone"] == "Phone"


def test_american_numbers_that_are_valid_in_india_are_told() -> None:
    """They would go to strangers, and no check of the number alone can tell."""
    numbers = [f"(212) 736-{number:04}" for number in range(5000, 5020)]
    (said,) = found({"customer_id": IDS, "Phone": numbers}).open_questions
    assert said.startswith(
        "country_code: 20 of 20 values of Phone are written as in North America: default_country='+1', or"
    )
    assert found({"customer_id": IDS, "Phone": numbers}, default_country="+1").open_questions == ()


def test_an_id_that_is_unique_is_nobodys_without_a_name_that_says_so() -> None:
    """`shop_key` tells the rows apart, and `customer` may hold names: neither is taken without a question."""
    names = ["Asha", "Ravi"] * 10
    (said,) = found({"customer": names, "ref": ["x"] * 20, "shop_key": IDS}, "user").open_questions
    assert said == 'user_id: customer may not be the person\'s id: "user_id": "customer" if it is'
    with pytest.raises(MappingError, match="no column looks like a user_id"):
        found({"shop_key": IDS, "city": names})


def test_values_alone_make_no_id() -> None:
    """In a file without headings nothing is proposed, and it is said how to name the column."""
    columns = {"column_1": ["Asha", "Ravi"] * 10, "column_2": [str(number) for number in range(17, 37)]}
    with pytest.raises(MappingError, match=r"the columns have no names; give a mapping: \"user_id\": COLUMN"):
        found(columns)


def test_ids_that_were_read_as_floats() -> None:
    """17850.0 is sent as 17850, and the comment says so; what is missing is counted."""
    inferred = found({"CustomerID": [17850.0, None, 17851.0], "n": [1, 2, 3]}, "user")
    assert "whole numbers that were read as floats: 17850.0 is sent as 17850" in why(inferred, "user_id")
    assert inferred.remarks == (
        "user_id: CustomerID is empty in 1 of 3 rows: there is no phone, so they cannot be sent",
    )


def test_users_with_an_id_twice_are_told() -> None:
    """Where the rows are known to be users, the last row of each stays."""
    (said,) = found({"customer_id": ["a", "a", "b"], "n": [1, 2, 3]}, "user").remarks
    assert said == "user_id: customer_id has 2 different ids in 3 rows: of each user the last row's traits stay"


def test_users_with_a_phone_twice_are_told() -> None:
    """Where the phone alone says who it is, rows of one phone are one user."""
    numbers = [f"98765 {number:05}" for number in range(43_200, 43_205)] * 4
    assert found({"phone": numbers, "n": [*range(20)]}, "user").remarks == (
        "phone: 5 different in 20 rows: rows with the same phone are one user, and the last row's traits stay",
    )


def test_a_column_called_country_of_another_type_is_no_country() -> None:
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
    assert inferred.open_questions == (
        "kind: id may differ in rows of the same person: kind='events', event=NAME if each row is an event, or "
        "kind='users' (of each user the last row stays)",
    )
    assert '# event: {value: "Order Placed"}' in inferred.to_yaml()
    assert '# created_at: {column: "order_date", type: datetime}' in inferred.to_yaml()


def test_without_any_identity_it_is_said_what_would_do() -> None:
    """An address is offered as the id, somebody else's phone as the phone."""
    with pytest.raises(MappingError) as caught:
        found({"age": [30, 31, 30], "email": ["a@x.in", "b@x.in", "c@x.in"]})
    assert str(caught.value) == (
        "no column looks like a user_id or a phone among age, email: email is an e-mail address; give "
        '"user_id": "email" to make it the id, or give a mapping: "user_id": COLUMN or '
        '"phone": COLUMN'
    )
    with pytest.raises(MappingError, match='Rider Phone is the phone of another person; give "phone": "Rider Phone"'):
        found({"Rider Phone": ["9876543210"]})


def test_a_column_of_countries_that_holds_none_is_asked() -> None:
    """Phones are read with it, so that those without a country would be of the default one."""
    columns = {"customer_id": IDS, "phone": [f"98765{n:05}" for n in range(43_200, 43_220)], "country": ["Oz"] * 20}
    (said,) = found(columns).open_questions
    assert said.startswith("country_code: country cannot be read as countries, such as 'Oz' in row 0")


# ------------------------------------------------------------------------------ events and users


def test_the_events_name_time_and_rest() -> None:
    """By their names; a time whose name does not say that it is the event's is asked."""
    columns = {"person_id": ["a", "b"], "event": ["Visit", "Buy"], "time": ["2024-01-31 10:00", "2024-02-01 11:00"]}
    assert found(columns).mapping.as_dict() == {
        "user_id": "person_id",
        "event": "event",
        "created_at": {"column": "time", "type": "datetime"},
    }
    columns["seen"] = columns.pop("time")
    assert found(columns).open_questions == (
        "created_at: seen may be the time of the event: a mapping line such as "
        'created_at: {column: "seen", type: datetime}',
    )


def test_several_times_and_none_that_is_called_so() -> None:
    """Which one is the event's is asked."""
    times = ["2024-01-31 10:00", "2024-02-01 11:00"]
    inferred = found({"user_id": ["a", "b"], "packed_at": times, "sorted_at": times}, event="Order Sent")
    assert inferred.open_questions == (
        "created_at: any of packed_at, sorted_at may be the time of the event: a mapping line such as "
        'created_at: {column: "packed_at", type: datetime}',
    )


def test_events_without_a_name_are_told() -> None:
    """Nobody but the user knows what the rows are."""
    inferred = found({"user_id": ["a", "b"], "date": ["2024-01-31", "2024-02-01"]}, "event")
    assert inferred.kind == "event"
    assert inferred.open_questions == ("event: no column holds the name of the events: event=NAME",)


def test_a_column_called_event_with_gaps_is_told() -> None:
    """An event needs a name in each row: those without one are refused, and that is said."""
    inferred = found({"user_id": ["a", "b"], "event": ["Visit", None]}, "event")
    assert inferred.mapping.as_dict()["event"] == "event"
    assert inferred.remarks[0] == "event: event is empty in 1 of 2 rows: those rows are refused"


def test_a_column_of_events_with_many_names_is_asked() -> None:
    """Each name is a kind of event for ever."""
    columns = {"user_id": ["a"] * 101, "event": [f"said {n}" for n in range(101)], "time": ["2024-01-31"] * 101}
    (said,) = found(columns).open_questions
    assert said.startswith("event: event holds 101 different values, and each becomes a kind of event for ever")


def test_tags_that_are_lists_need_no_separator() -> None:
    """The column's type says it all."""
    inferred = found({"customer_id": ["a", "b"], "tags": [["vip", "pune"], []]}, "user")
    assert inferred.mapping.as_dict()["tags"] == "tags"
    assert why(inferred, "tags") == "the column is called tags; list<item: string>"


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
    """The sample ends where it should, whatever the size of the batches, and its size is named."""
    path = tmp_path / "many.csv"
    path.write_text("id,n\n" + "".join(f"{row},{row}\n" for row in range(12_000)), encoding="utf-8")
    source = open_source(path)
    batches, _ = peek(source, SAMPLE_ROWS)
    assert sum(batch.num_rows for batch in batches) == SAMPLE_ROWS
    assert "the first 10,000 rows" in infer(source.columns, sample=batches).to_yaml()


def test_batches_whose_types_differ_are_looked_at_together() -> None:
    """JSON lines have types of their own in each batch; a list beside a number is neither, and left out."""
    batches = [
        pa.RecordBatch.from_pydict({"id": [1, 2], "n": [1, 2], "mixed": [1, 2]}),
        pa.RecordBatch.from_pydict({"id": ["3", "4"], "n": [1.5, 2.5], "mixed": [["a"], ["b"]]}),
        pa.RecordBatch.from_pydict({"id": ["5"]}),
    ]
    mapping = infer(["id", "n", "mixed"], sample=batches).mapping.as_dict()
    assert mapping["user_id"] == "id"
    assert {name: one["type"] for name, one in mapping["traits"].items()} == {"n": "number"}


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


# ------------------------------------------------------------------------------ any column at all

POOLS = [
    ["yes", "no", "Yes", "unknown"],
    ["1", "0", "2.50", "1,299.00", "1.299", "$9.28", "(12.50)", "1e3", "n/a", "nan", "12 %", "9876543210.0"],
    ["7/4/1996", "16/05/2021", "05/16/2021", "31.12.2020", "2024-02-30", "2024-01-31", "soon"],
    ["2023-07-18 12:43:52 UTC", "2023-07-18T12:43:52+05:30", "2021-01-01 00:00:00", "20140102", "1400826750"],
    ["a;b", "a|b|c", '["a"]', '{"a": 1}', "a, b", "x", "[]"],
    ["00017", "'17", "12345678901234567890", "+919876543210", "98765 43210"],
    ["Yes", "No", "TRUE", "FALSE", "y", "N", "on", "1", "0", " yes ", "maybe"],
    ["15-Jan-2026", "3-MAY-2026", "Jan 15, 2026", "15 May 2026", "31-Feb-2026", "1 June 2026 10:20 PM", "15-Jan-26"],
    ["20260115", "20260231", "123456789012", "1234567890123", "12", "1.23E+17", "007.5"],
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


NESTED = st.lists(
    st.lists(st.fixed_dictionaries({"sku": st.text(max_size=2)}), max_size=2) | st.none(), min_size=4, max_size=4
)


@example(name="x", values=["20260115", "20260231", None, None])
@given(name=TITLES, values=CELLS | TYPED | NESTED)
def test_every_line_that_is_written_holds_for_every_row(name: str, values: list[Any]) -> None:
    """A trait is accepted in every row; a line that is only offered is too, or says that it refuses some.

    What a comment counts is so, by the loader's own preparation.
    """
    columns = {"customer_id": ["a", "b", "c", "d"], name: pa.array(values)}
    inferred = found(columns)
    batch = pa.RecordBatch.from_pydict(columns)
    filled = len(normalize(columns[name]).values.drop_null())
    for line in inferred.lines:
        if line.field != "traits" or line.reason.startswith(("empty in all", "it cannot be sent")):
            continue
        mapping = Mapping.of({"user_id": "customer_id", "traits": [line.written]})
        rows = Preparation(mapping, "user", Settings())(batch, 0).to_pylist()
        refused = sum(row["body"] is None for row in rows)
        if line.active:
            assert refused == 0, (line, rows)
        else:
            assert (refused > 0) == ("refuse" in line.reason or "cannot be sent" in line.reason), (line, rows)
        if line.reason.endswith(f" of {len(values)}") and "but for" not in line.reason:
            assert int(line.reason.split(" ")[-3]) == filled, line


@given(name=TITLES, values=CELLS | TYPED, event=st.none() | st.just("Visit"))
def test_a_type_that_is_chosen_fits_every_row_that_was_looked_at(
    name: str, values: list[Any], event: str | None
) -> None:
    """No value of the sample is refused by the type, format or separator that the sample was given."""
    columns = {"customer_id": ["a", "b", "c", "d"], name: pa.array(values)}
    inferred = found(columns, event=event)
    batch = pa.RecordBatch.from_pydict(columns)
    rows = Preparation(inferred.mapping, inferred.kind, Settings())(batch, 0).to_pylist()
    asked = {columns_of(line.written)[0] for line in inferred.lines if line.field in ("phone", "created_at")}
    told = " ".join((*inferred.open_questions, *inferred.remarks))
    refused = {row["column"] for row in rows if row["body"] is None}
    assert refused <= asked
    assert all(name in told for name in refused)


# ------------------------------------------------------------------------------ forms that were taken for others


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["15-Jan-2026", "3-May-2026"], "%d-%b-%Y"),
        (["Jan 15, 2026", "May 3, 2026"], "%b %d, %Y"),
        (["15 January 2026", "3 May 2026"], "%d %B %Y"),
        (["May 3, 2026", "may 4, 2026"], "%b %d, %Y"),
        (["15-JAN-26", "03-FEB-26"], "%d-%b-%y"),
        (["15Jan2026", "03Feb2026"], "%d%b%Y"),
        (["Thu, 15 Jan 2026", "Fri, 16 Jan 2026"], "%a, %d %b %Y"),
        (["2026-Jan-15", "2026-Feb-03"], "%Y-%b-%d"),
        (["20260115", "20260203"], "%Y%m%d"),
        (["15012026", "03022026"], "%d%m%Y"),
    ],
)
def test_dates_with_the_month_in_letters_or_without_separators_get_their_format(values: list[str], form: str) -> None:
    """As a trait, and as the time of an event, where the loader takes every row by it."""
    assert trait(values, "due date")[0] == {"type": "date", "format": form}
    columns = {"user_id": ["a", "b"], "order_date": values}
    inferred = found(columns, event="Order Placed")
    assert inferred.open_questions == ()
    assert inferred.mapping.as_dict()["created_at"] == {"column": "order_date", "type": "datetime", "format": form}
    rows = Preparation(inferred.mapping, "event", Settings())(pa.RecordBatch.from_pydict(columns), 0).to_pylist()
    assert all(row["body"] is not None for row in rows)


def test_months_in_letters_with_a_time_of_day() -> None:
    """Half days and zones too."""
    assert trait(["15-Jan-2026 10:20", "3-Feb-2026 22:05"], "seen at")[0]["format"] == "%d-%b-%Y %H:%M"
    assert trait(["Jan 15, 2026 10:20 PM"] * 2, "seen at")[0]["format"] == "%b %d, %Y %I:%M %p"


@pytest.mark.parametrize(
    "values",
    [["123456789012", "998877665544"], [123456789012, 998877665544], [123456789012.0, None], ["+919876543210"] * 2],
)
def test_long_digits_are_ids_and_no_numbers(values: list[Any]) -> None:
    """Aadhaar numbers, order numbers, phones in a column of another name."""
    assert trait(values, "ref value")[0] == {"type": "string"}


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["Yes", "No", "TRUE", "FALSE"], "boolean"),
        (["Y", "no", "1", "0"], "boolean"),
        (["on", "Off", " TRUE "], "boolean"),
        (["yes", "1"], "boolean"),
        (["Y", "1"], "string"),
        (["1", "0"], "number"),
        (["M", "F"], "string"),
    ],
)
def test_words_that_the_loader_takes_together_are_detected_together(values: list[str], type_: str) -> None:
    """In one column: a lone letter beside digits may stand for anything."""
    assert trait(values)[0] == {"type": type_}


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
@pytest.mark.parametrize("first", [0, 1])
def test_an_unnamed_first_column_that_counts_the_rows_is_left_out_and_said(name: str, first: int) -> None:
    """As pandas writes its index, in text or as numbers: the source leaves it out, so no mapping has it."""
    counted = range(first, first + 3)
    for values in ([str(one) for one in counted], list(counted)):
        columns, source = of_source({name: values, "mobile": ["9876543210", "9811122333", "9988776655"]})
        assert columns == {"phone": "mobile"}
        assert any("left out" in note for note in source.notes)


def test_only_an_index_is_left_out() -> None:
    """A column with a name, one that does not count, and one that is not the first are sent."""
    phones = ["9876543210", "9811122333"]
    for columns in (
        {"rank": [0, 1], "mobile": phones},
        {"column_1": [0, 1], "mobile": phones},
        {"": [0, 5], "mobile": phones},
        {"mobile": phones, "": [0, 1]},
    ):
        assert "traits" in of_source(columns)[0]


def of_source(columns: dict[str, Any]) -> tuple[dict[str, Any], Source]:
    """Return the mapping that is proposed for a table as a load reads it, and its source."""
    sample, source = peek(open_source(pa.table(columns)), SAMPLE_ROWS)
    return infer(source.columns, sample=sample).mapping.as_dict(), source


def test_a_list_of_structs_is_left_out_and_said() -> None:
    """No list can hold it, so the line does nothing."""
    items = pa.array([[{"sku": "a", "qty": 1}], []])
    inferred = found({"customer_id": ["a", "b"], "items": items})
    assert inferred.mapping.as_dict() == {"user_id": "customer_id"}
    assert inferred.remarks[0].startswith("items is left out: it cannot be sent: ")


def test_one_blank_and_one_repeated_id_change_nothing_but_the_note() -> None:
    """The lines are the same but for what they count, and nothing is asked."""
    ids = [f"C-{n}" for n in range(20)]
    columns = {"cust_id": ids, "phone": [f"98765{n:05}" for n in range(43_200, 43_220)]}
    plain_one = found(columns)
    for changed in ([None, *ids[1:]], [ids[1], *ids[1:]]):
        other = found(columns | {"cust_id": changed})
        assert (other.mapping, other.open_questions) == (plain_one.mapping, ())
        assert len(other.remarks) == 1


def test_a_number_that_many_share_is_listed() -> None:
    """Beside three people, in more than one row of a hundred; a family's phone is not, nor one in a large table."""
    phones = [f"98765{n:05}" for n in range(43_200, 43_300)]
    names = [f"Person {n}" for n in range(100)]
    shared = [*["9999999999"] * 3, *phones[3:]]
    (said,) = found({"Name": names, "mobile": shared}).open_questions
    assert said.startswith(
        "phone: several people share a number in mobile: 9999999999 in 3 rows: null_values='9999999999'"
    )
    assert found({"Name": names, "mobile": shared}, null_values="9999999999").open_questions == ()
    assert found({"Name": names, "mobile": [*["9999999999"] * 2, *phones[2:]]}).open_questions == ()
    assert found({"Name": ["Asha"] * 3 + names[3:], "mobile": shared}).open_questions == ()
    many = {"Name": names * 4, "mobile": shared + [f"97765{n:05}" for n in range(300)]}
    assert found(many).open_questions == ()


def test_one_id_for_all_rows_is_asked_where_their_phones_differ() -> None:
    """It may be the code of the shop that sends, or a cashier's login; two rows, or one phone, may be one person's."""
    phones = [f"98765{n:05}" for n in range(43_200, 43_230)]
    (said,) = found({"Client Code": ["KA01"] * 30, "Mobile": phones}, kind="user").open_questions
    assert said.startswith("user_id: Client Code is the same in 30 rows with 30 different phones")
    assert found({"Client Code": ["KA01"] * 2, "Mobile": phones[:2]}, kind="user").open_questions == ()
    assert found({"Client Code": ["KA01"] * 30, "Mobile": phones[:1] * 30}, kind="user").open_questions == ()
    assert found({"Client Code": ["KA01"] * 15 + ["KA02"] * 15, "Mobile": phones}, kind="user").open_questions == ()
