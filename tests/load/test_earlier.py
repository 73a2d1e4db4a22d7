"""A load beside the earlier ones of its ledger: a changed mapping, a new source, another input."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from interakt_loader import LoadResult, MappingDict, UsageError, baseline, check, load_events, load_users
from interakt_loader.load import infer
from interakt_loader.sandbox import Sandbox

PAID: MappingDict = {"user_id": "id", "event": {"value": "Paid"}, "created_at": "at", "traits": ["amount"]}
VISIT: dict[str, Any] = {"user_id": "id", "event": {"value": "Visit"}, "traits": ["page"]}
USERS: MappingDict = {"user_id": "id", "traits": ["amount"]}


class Loader:
    """Loads with one ledger into one sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder

    def options(self, **options: Any) -> dict[str, Any]:
        to = {"api_key": self.sandbox.api_key, "base_url": self.sandbox.url, "rate_limit": None}
        return {**to, "ledger": self.folder / "own.ledger", **options}

    def events(self, data: Any, mapping: Any = None, **options: Any) -> LoadResult:
        return load_events(data, mapping or PAID, **self.options(**options))

    def refused(self, data: Any, mapping: Any = None, **options: Any) -> str:
        """Return why a load is refused; no call was made, and a dry run is refused for the same reason."""
        calls = self.sandbox.stats().calls
        said = []
        for dry_run in (True, False):
            with pytest.raises(UsageError) as error:
                self.events(data, mapping, dry_run=dry_run, **options)
            said.append(str(error.value))
        assert self.sandbox.stats().calls == calls
        assert said[0] == said[1]
        assert "\n" not in said[0]
        assert error.value.exit_code == 2
        return said[0]


@pytest.fixture
def load(sandbox: Sandbox, tmp_path: Path) -> Loader:
    return Loader(sandbox, tmp_path)


def counts(result: LoadResult) -> dict[str, int]:
    return {status: count for status, count in result.summary.counts.items() if count}


def paid(*names: str, **columns: Any) -> pd.DataFrame:
    amounts = list(range(len(names)))
    return pd.DataFrame({"id": list(names), "at": "2026-01-02T00:00:00Z", "amount": amounts, **columns})


def visits(*pages: str) -> pd.DataFrame:
    return pd.DataFrame({"id": "a", "page": list(pages)})


def file(path: Path, frame: pd.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path


# ---------------------------------------------------------------------- the mapping


@pytest.mark.parametrize(
    ("mapping", "options", "said"),
    [
        (PAID | {"user_id": "other"}, {}, "user_id: id → other"),
        (PAID | {"event": {"value": "Bought"}}, {}, "event: a constant → 'Bought'"),
        (PAID | {"created_at": "until"}, {}, "created_at: at → until"),
        (PAID | {"traits": ["amount", "other"]}, {}, "trait other: none → other"),
        (PAID | {"traits": "*"}, {}, "trait other: none → other; trait until: none → until"),
        (PAID | {"traits": [{"column": "amount", "type": "string"}]}, {}, "trait amount: amount → amount, type string"),
        (PAID, {"nulls": "clear"}, "nulls: none → clear"),
    ],
)
def test_a_changed_mapping_stops_a_load_of_events(load: Loader, mapping: Any, options: Any, said: str) -> None:
    """Each of these would send all of them again; what is offered continues."""
    frame = paid("a", "b", other="x", until="2026-01-03T00:00:00Z")
    load.events(frame)
    why = load.refused(frame, mapping, **options)
    assert f"({said})" in why
    for way in ("map event_id", "baseline(…)", "resend=True", "name=NAME"):
        assert way in why
    assert counts(load.events(frame)) == {"unchanged": 2}


def test_resend_sends_all_by_the_new_mapping_and_renews_it(load: Loader) -> None:
    """From then on the new one is the one that is known."""
    frame = paid("a", "b", other="x")
    load.events(frame)
    changed: MappingDict = PAID | {"traits": "*"}
    assert counts(load.events(frame, changed, resend=True)) == {"sent": 2}
    assert counts(load.events(frame, changed)) == {"unchanged": 2}
    assert "trait other: other → none" in load.refused(frame, PAID)


def test_baseline_puts_the_rows_on_record_by_the_new_mapping(load: Loader) -> None:
    """Nothing is sent twice, and a new row is sent by the new mapping."""
    frame = paid("a", "b", other="x")
    load.events(frame)
    changed: MappingDict = PAID | {"traits": "*"}
    assert counts(baseline(frame, changed, **load.options())) == {"recorded": 2}
    assert counts(load.events(paid("a", "b", "c", other="x"), changed)) == {"sent": 1, "unchanged": 2}
    assert [event.traits.get("other") for event in load.sandbox.events()] == [None, None, "x"]


def test_with_an_event_id_changed_traits_do_no_harm(load: Loader) -> None:
    """Old events are known by their ids; a new one has the new traits."""
    load.events(paid("a", "b", no=[1, 2]), event_id="no")
    changed: MappingDict = PAID | {"traits": ["amount", "city"]}
    result = load.events(paid("a", "b", "c", no=[1, 2, 3], city="Pune"), changed, event_id="no")
    assert counts(result) == {"sent": 1, "unchanged": 2}
    assert "event_id: no → none" in load.refused(paid("a"), changed | {"traits": ["amount"]})


def test_users_stop_for_another_identity_alone(load: Loader) -> None:
    """Their traits may change: what changed is sent. Another id column would make other people of them."""
    frame = paid("a", "b", other=["x", "y"])
    load_users(frame, USERS, **load.options())
    assert counts(load_users(frame, USERS | {"traits": "*"}, **load.options())) == {"sent": 2}
    with pytest.raises(UsageError, match=r"knows these users \(user_id: id → other\)"):
        load_users(frame, USERS | {"user_id": "other"}, **load.options())
    assert counts(load_users(frame, USERS | {"user_id": "other"}, **load.options(resend=True))) == {"sent": 2}


def test_a_constant_of_yesterday_is_never_shown(load: Loader) -> None:
    """Today's is: whoever reads the message has it before them."""
    load.events(paid("a"), PAID | {"user_id": {"value": "asha@example.com"}})
    said = load.refused(paid("a"), PAID | {"user_id": {"value": "ravi@example.com"}})
    assert "user_id: a constant → 'ravi@example.com'" in said
    assert "asha" not in said
    assert b"asha" not in (load.folder / "own.ledger").read_bytes()


def test_columns_and_traits_in_another_order_are_the_same_events(load: Loader) -> None:
    """With every column as a trait, and with the mapping turned round."""
    frame = paid("a", "b", city="Pune", page="x")
    mapping: MappingDict = PAID | {"traits": "*"}
    load.events(frame, mapping)
    assert counts(load.events(frame[["page", "amount", "at", "city", "id"]], mapping)) == {"unchanged": 2}
    named = {"traits": ["page", "city", "amount"], **{key: PAID[key] for key in ("created_at", "event", "user_id")}}
    assert counts(load.events(frame, named)) == {"unchanged": 2}


def test_rows_with_other_keys_are_no_other_mapping(load: Loader) -> None:
    """Of JSON lines every key is a trait, and no two rows need have the same ones."""
    path = load.folder / "paid.jsonl"
    row = {"id": "a", "at": "2026-01-02", "amount": 1}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    load.events(path, PAID | {"traits": "*"})
    path.write_text(json.dumps(row | {"id": "b", "city": "Goa"}) + "\n" + json.dumps(row) + "\n", encoding="utf-8")
    assert counts(load.events(path, PAID | {"traits": "*"})) == {"sent": 1, "unchanged": 1}


def test_an_inferred_mapping_and_the_same_written_down(load: Loader) -> None:
    """What `infer` proposes, its YAML, and its dict."""
    frame = paid("a", "b").rename(columns={"id": "customer_id", "at": "created_at"}).assign(event="Paid")
    found = infer(frame, kind="events")
    assert not found.open_questions
    load.events(frame, found)
    (load.folder / "m.yaml").write_text(found.to_yaml(confirmed=True), encoding="utf-8")
    for mapping in (load.folder / "m.yaml", found.as_dict()):
        assert counts(load.events(frame, mapping)) == {"unchanged": 2}


def test_a_load_of_which_nothing_was_accepted_binds_nobody(load: Loader) -> None:
    """The API refused all rows: the mapping may be corrected, with no more said."""
    load.sandbox.force(["400", "400"])
    assert counts(load.events(paid("a", "b"))) == {"rejected": 2}
    assert counts(load.events(paid("a", "b"), PAID | {"user_id": "id", "traits": []})) == {"sent": 2}


def test_the_mapping_of_each_name_is_its_own(load: Loader) -> None:
    """Two sorts of events in one ledger, each under its name."""
    refunds = PAID | {"event": {"value": "Refunded"}}
    load.events(paid("a"), name="orders")
    assert counts(load.events(paid("a"), refunds, name="refunds")) == {"sent": 1}
    assert counts(load.events(paid("a"), name="orders")) == {"unchanged": 1}
    assert "event: a constant → 'Refunded'" in load.refused(paid("a"), refunds, name="orders")


# ---------------------------------------------------------------------- the source


def test_a_source_that_is_new_to_the_ledger_stops(load: Loader) -> None:
    """`store-12.csv` and `store-13.csv` are two loads; a name that is given accepts the second, from then on."""
    load.events(file(load.folder / "store-12.csv", paid("a")))
    other = file(load.folder / "store-13.csv", paid("b"))
    said = load.refused(other)
    assert "holds events of other sources" in said
    assert "name='store-13'" in said
    assert counts(load.events(other, name="store-13")) == {"sent": 1}
    assert counts(load.events(other)) == {"unchanged": 1}


def test_the_files_of_two_days_are_one_source(load: Loader) -> None:
    """By the date in the name, or in the folder's."""
    load.events(file(load.folder / "orders-2026-11-28.csv", paid("a")))
    assert counts(load.events(file(load.folder / "orders-2026-11-29.csv", paid("a", "b")))) == {
        "sent": 1,
        "unchanged": 1,
    }
    one = {"ledger": load.folder / "daily.ledger"}
    load.events(file(load.folder / "exports" / "2026-11-28" / "orders.csv", paid("a")), **one)
    assert load.events(file(load.folder / "exports" / "2026-11-29" / "orders.csv", paid("b")), **one).sent == 1
    load.refused(file(load.folder / "elsewhere" / "orders.csv", paid("b")), **one)


@pytest.mark.parametrize("spelling", ["relative", "link", "linked folder", "dots", "pattern", "copy", "list"])
def test_a_source_may_be_spelled_as_one_likes(load: Loader, monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    """The same folder and the same name, whichever way there."""
    path = file(load.folder / "exports" / "orders.csv", paid("a"))
    load.events(path)
    monkeypatch.chdir(load.folder)
    if "link" in spelling:
        try:
            (load.folder / "link.csv").symlink_to(path)
            (load.folder / "linked").symlink_to(path.parent)
        except OSError:
            pytest.skip("no links here")
    if spelling == "copy":
        shutil.copy(path, path.with_name("orders (1).csv"))
    other = {
        "relative": "exports/orders.csv",
        "link": "link.csv",
        "linked folder": "linked/orders.csv",
        "dots": "exports/../exports/./orders.csv",
        "pattern": "exports/orders*.csv",
        "copy": "exports/orders (1).csv",
        "list": ["exports/orders.csv"],
    }[spelling]
    assert counts(load.events(other)) == {"unchanged": 1}


def test_several_sources_in_any_order(load: Loader) -> None:
    """Each is known; one more is not."""
    files = [file(load.folder / f"{name}.csv", paid(name)) for name in ("north", "south", "west")]
    load.events(files[:2])
    assert counts(load.events([files[1], files[0]])) == {"unchanged": 2}
    assert counts(load.events(files[1])) == {"unchanged": 1}
    load.refused(files)


def test_users_and_frames_have_no_such_question(load: Loader) -> None:
    """Users twice do no harm, and nobody can tell where a frame comes from."""
    load_users(file(load.folder / "north.csv", paid("a")), USERS, **load.options())
    load_users(file(load.folder / "south.csv", paid("b")), USERS, **load.options())
    load.events(paid("a"))
    assert counts(load.events(pa.Table.from_pandas(paid("a", "b")))) == {"sent": 1, "unchanged": 1}


def test_events_of_a_frame_need_a_name_if_the_ledger_knows_only_other_names(load: Loader) -> None:
    """Nothing tells with which mapping they are to be compared: by another one, all of them would be new events."""
    load.events(file(load.folder / "orders.csv", paid("a")))
    for data in (paid("a"), pa.Table.from_pandas(paid("a"))):
        assert "Give the name of that load: name=NAME;" in load.refused(data)
    assert "the mapping is not the one" in load.refused(paid("a"), PAID | {"traits": []}, name="orders")
    typed = paid("a", "b").astype({"amount": str})
    assert counts(load.events(typed, name="orders")) == {"sent": 1, "unchanged": 1}
    load.events(paid("c"), name="another")
    load_users(paid("a"), USERS, **load.options())  # users do no harm


def test_a_failures_file_is_of_the_source_that_it_is_called_after(load: Loader) -> None:
    """Wherever it lies; one of another load is another source."""
    load.events(file(load.folder / "exports" / "orders.csv", paid("a")))
    assert load.events(file(load.folder / "orders.failures.csv", paid("b"))).sent == 1
    load.refused(file(load.folder / "other.failures.csv", paid("c")))


# ---------------------------------------------------------------------- the input


def test_what_says_the_same_in_another_input_is_another_event(load: Loader) -> None:
    """Without a time and an id: it stops; said to be new, all of it is sent, and both inputs continue separately."""
    monday, tuesday = visits("/home", "/cart"), visits("/cart", "/home", "/home")
    load.events(monday, VISIT)
    said = load.refused(tuesday, VISIT)
    assert "neither created_at nor an event id" in said
    assert counts(load.events(tuesday, VISIT, resend=True)) == {"sent": 3}
    for frame in (monday, tuesday):
        assert counts(load.events(frame, VISIT)) == {"unchanged": len(frame)}


def test_a_new_input_that_was_stopped_goes_on(load: Loader) -> None:
    """Of the second input some rows failed: the next load sends those, and nothing of the first stands for them."""
    load.events(visits("/home", "/cart"), VISIT)
    tuesday = visits("/cart", "/home", "/home")
    load.sandbox.force(["400", "400"])
    assert counts(load.events(tuesday, VISIT, resend=True)) == {"sent": 1, "rejected": 2}
    assert counts(load.events(tuesday, VISIT)) == {"sent": 2, "unchanged": 1}
    assert load.sandbox.stats().events == 5


@pytest.mark.parametrize("form", ["csv", "frame", "arrow", "stream", "records"])
def test_an_input_may_grow(load: Loader, form: str) -> None:
    """The same rows, and more behind them: those are sent, also where they say what others have said."""

    def given(frame: pd.DataFrame) -> Any:
        table = pa.Table.from_pandas(frame)
        if form == "csv":
            return file(load.folder / "visits.csv", frame)
        if form == "stream":
            return pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
        return {"frame": frame, "arrow": table, "records": frame.to_dict("records")}[form]

    load.events(given(visits("/home", "/home", "/cart")), VISIT)
    assert counts(load.events(given(visits("/home", "/home", "/cart")), VISIT)) == {"unchanged": 3}
    assert counts(load.events(given(visits("/home", "/home", "/cart", "/home")), VISIT)) == {"sent": 1, "unchanged": 3}
    load.refused(visits("/cart"), VISIT)


def test_a_day_without_events_is_no_other_input(load: Loader) -> None:
    """There is nothing to ask about; the rows before and after are one input."""
    path = load.folder / "visits.csv"
    for pages, sent in ((["/home"], 1), ([], 0), (["/home", "/cart"], 1)):
        file(path, visits(*pages) if pages else visits("/").head(0))
        assert load.events(path, VISIT, dry_run=True).summary.counts["unsent"] == sent
        assert counts(load.events(path, VISIT)).get("sent", 0) == sent


def test_a_file_that_is_overwritten_daily_stops(load: Loader) -> None:
    """The same path with other rows, with fewer, or with rows put in on top; and its exact copy of another name."""
    path = file(load.folder / "visits.csv", visits("/home", "/cart"))
    load.events(path, VISIT)
    for other in (("/cart", "/home"), ("/home",), ("/new", "/home", "/cart")):
        load.refused(file(path, visits(*other)), VISIT)
    load.refused(file(load.folder / "visits-2026-11-29.csv", visits("/home", "/cart")), VISIT)
    assert counts(load.events(file(path, visits("/home", "/cart")), VISIT)) == {"unchanged": 2}


def test_a_part_of_an_input_is_that_input(load: Loader) -> None:
    """First ten rows, then all, then from the middle on."""
    path = file(load.folder / "visits.csv", visits(*(f"/{number}" for number in range(300))))
    assert load.events(path, VISIT, limit=10).sent == 10
    assert counts(load.events(path, VISIT)) == {"sent": 290, "unchanged": 10}
    assert counts(load.events(path, VISIT, rows="200:")) == {"unchanged": 100}


def test_a_row_that_could_not_be_sent_may_be_corrected(load: Loader) -> None:
    """In its place: that is no other input."""
    path = file(load.folder / "visits.csv", visits("/home", "/cart").assign(id=["a", None]))
    assert counts(load.events(path, VISIT)) == {"sent": 1, "invalid": 1}
    assert counts(load.events(file(path, visits("/home", "/cart")), VISIT)) == {"sent": 1, "unchanged": 1}


def test_failures_are_rows_of_their_input(load: Loader) -> None:
    """As a frame from the result, and as a file: they settle in the same ledger."""
    path = file(load.folder / "visits.csv", visits("/home", "/cart", "/pay"))
    load.sandbox.force(["400", "400"])
    first = load.events(path, VISIT)
    assert counts(first) == {"sent": 1, "rejected": 2}
    failed = first.failures()
    assert counts(load.events(file(load.folder / "visits.failures.csv", failed[["id", "page"]][:1]), VISIT)) == {
        "sent": 1
    }
    assert counts(load.events(failed, VISIT, name="visits")) == {"sent": 1, "unchanged": 1}
    assert counts(load.events(path, VISIT)) == {"unchanged": 3}


def test_with_a_time_or_an_id_inputs_may_be_what_they_like(load: Loader) -> None:
    """Rows on top, taken out, shuffled."""
    load.events(paid("a", "b"))
    assert counts(load.events(paid("a", "b")[::-1])) == {"unchanged": 2}
    ids = {"ledger": load.folder / "ids.ledger", "event_id": "no"}
    load.events(visits("/home", "/cart").assign(no=[1, 2]), VISIT, **ids)
    assert counts(load.events(visits("/x", "/cart").assign(no=[3, 2]), VISIT, **ids)) == {"sent": 1, "unchanged": 1}


def test_standard_input_is_known_by_what_it_says(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows continue; others stop."""

    def piped(frame: pd.DataFrame) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(frame.to_csv(index=False).encode())))
        return "-"

    load.events(piped(visits("/home", "/cart")), VISIT)
    assert counts(load.events(piped(visits("/home", "/cart", "/pay")), VISIT)) == {"sent": 1, "unchanged": 2}
    with pytest.raises(UsageError, match="another input"):
        load.events(piped(visits("/pay")), VISIT)


# ---------------------------------------------------------------------- no trace


def test_a_refused_load_leaves_everything_as_it_was(load: Loader) -> None:
    """The last report too."""
    report = load.folder / "own.report.csv"
    load.events(paid("a"), report=report)
    before = report.read_bytes()
    load.refused(paid("a"), PAID | {"traits": []}, report=report)
    assert report.read_bytes() == before


def test_a_dry_run_notes_nothing(load: Loader) -> None:
    """Neither its mapping nor its source."""
    load.events(file(load.folder / "orders.csv", paid("a")))
    other = file(load.folder / "other.csv", paid("a"))
    check(other, PAID, **load.options(name="other"))
    load.refused(other)


# ---------------------------------------------------------------------- no ledger


def test_a_second_load_without_a_ledger_is_warned_of(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The same rows by the same mapping to the same account; other rows, users or a ledger: not a word."""
    to: Any = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    load_events(paid("a", "b"), PAID, **to)
    load_events(paid("a", "c"), PAID, **to)
    load_events(paid("a", "b"), PAID | {"event": {"value": "Other"}}, **to)
    load_users(paid("a", "b"), USERS, **to)
    load_users(paid("a", "b"), USERS, **to)
    check(paid("a", "b"), PAID, **to)
    assert "sent these" not in caplog.text
    load_events(paid("a", "b"), PAID, **to)
    assert "this process has sent these 2 events before, and without a ledger nothing remembers them" in caplog.text
    assert "ledger='orders.ledger'" in caplog.text


def test_the_result_says_that_nothing_remembers_its_events(load: Loader) -> None:
    """On the card and in one line; not with a ledger, nor of users."""
    without = load.events(paid("a"), ledger=None)
    assert "nothing remembers these events" in without._repr_html_()
    assert (
        "ledger=&quot;orders.ledger&quot;" in without._repr_html_() or 'ledger="orders.ledger"' in without._repr_html_()
    )
    assert "no ledger: nothing remembers these events" in repr(without)
    users = load_users(paid("a"), USERS, **load.options(ledger=None))
    for result in (load.events(paid("a")), users):
        assert "nothing remembers" not in result._repr_html_() + repr(result)
