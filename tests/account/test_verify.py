"""`verify` compares each row with what the account holds, and corrects the ledger by it. It sends nothing."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from docs.mkdocs import types_table
from interakt_loader import LoadResult, MappingDict, UsageError, baseline, check, load_users, verify
from interakt_loader.account.contacts import Contact
from interakt_loader.account.index import ContactIndex
from interakt_loader.account.verify import Unclear, Verifier, find
from interakt_loader.cli import run
from interakt_loader.ledger import Ledger
from interakt_loader.load import load
from interakt_loader.load.job import Observer
from interakt_loader.load.opening import opened
from interakt_loader.model import Message, Stop, StopToken
from interakt_loader.report.writer import Summary
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.sending.work import WORK_BATCH
from interakt_loader.settings import Settings
from tests.account.reading import START, after, environment, fill

USERS: MappingDict = {"user_id": "id", "phone": "phone", "traits": ["city", "visits"]}


@pytest.fixture
def account() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def options(sandbox: Sandbox, ledger: Path | None = None) -> dict[str, Any]:
    """Return the options of a load to a sandbox."""
    own = {"api_key": sandbox.api_key, "base_url": sandbox.url, "progress": False}
    return own if ledger is None else own | {"ledger": ledger}


def table(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "phone", "city", "visits"])


def lines(result: LoadResult) -> list[tuple[Any, ...]]:
    """Return the status, the code and the column of each row."""
    report = result.to_arrow().to_pylist()
    return [(one["status"], one["code"], one["column"]) for one in report]


def statuses(result: LoadResult) -> list[str]:
    return [one[0] for one in lines(result)]


THREE = (("C-1", "9876543210", "Pune", 3), ("C-2", "9876543211", "Goa", 4), ("C-3", None, "Agra", 5))


# ------------------------------------------------------------------ what a row is


def test_rows_are_same_different_absent_or_invalid(account: Sandbox) -> None:
    """Each names what differs: the trait, what the row says, and what the account holds."""
    load_users(table(*THREE), USERS, **options(account))
    account.change("C-2", city="Mumbai", extra=1)
    rows = table(*THREE, ("C-4", None, "Pune", 1), (None, None, "Pune", 1), ("C-3", None, "Agra", "5"))
    result = verify(rows.iloc[:5], USERS, **options(account))
    assert lines(result) == [
        ("same", None, None),
        ("different", "trait_differs", "city"),
        ("same", None, None),
        ("absent", "contact_absent", None),
        ("invalid", "identity_missing", "id"),
    ]
    assert result.to_arrow()["message"].to_pylist()[1] == "city is 'Goa' here and 'Mumbai' in the account"
    assert (result.same, result.different, result.absent, result.ambiguous, result.invalid) == (2, 1, 1, 0, 1)
    assert (result.ok, result.exit_code, result.attempts) == (False, 1, 0)
    assert verify(rows.iloc[[0, 2]], USERS, **options(account)).exit_code == 0


def test_a_user_is_compared_in_its_last_state(account: Sandbox) -> None:
    """The traits of all rows together, the later ones first. Each row ends as the user does."""
    rows = table(("C-1", None, "Pune", 3), ("C-2", None, "Goa", 4), ("C-1", None, "Agra", None))
    load_users(rows, USERS, **options(account))
    result = verify(rows, USERS, **options(account))
    assert lines(result) == [("same", "coalesced", None), ("same", None, None), ("same", None, None)]
    account.change("C-1", visits=9)
    assert lines(verify(rows, USERS, **options(account))) == [
        ("different", "trait_differs", None),
        ("same", None, None),
        ("different", "trait_differs", "visits"),
    ]


def test_a_last_state_may_be_longer_than_a_call(account: Sandbox) -> None:
    """It came by several calls, each of which the API accepts."""
    rows = pd.DataFrame(
        {"id": ["C-1"] * 4, **{f"t{n}": [None] * n + ["x" * 20_000] + [None] * (3 - n) for n in range(4)}}
    )
    mapping: MappingDict = {"user_id": "id", "traits": "*"}
    assert load_users(rows, mapping, **options(account)).sent == 4
    assert statuses(verify(rows, mapping, **options(account))) == ["same"] * 4


def test_tags_and_traits_may_be_more_in_the_account(account: Sandbox) -> None:
    """What only the account has is no difference; a tag that is missing is one."""
    account.put(user_id="C-1", tags=["vip", "new"], traits={"city": "Pune", "visits": 3, "more": True})
    rows = table(("C-1", None, "Pune", 3)).assign(tags="vip")
    mapping: MappingDict = {**USERS, "tags": "tags"}
    assert statuses(verify(rows, mapping, **options(account))) == ["same"]
    found = verify(rows.assign(tags="vip,diwali"), mapping, **options(account))
    assert lines(found) == [("different", "tag_missing", "tags")]


# ------------------------------------------------------------------ the ledger


def test_the_next_load_sends_just_what_is_not_there(account: Sandbox, tmp_path: Path) -> None:
    """What is the same is on record, also if it was not; what differs or is absent is not, also if it was."""
    ledger = tmp_path / "own.ledger"
    load_users(table(*THREE[:2]), USERS, **options(account, ledger))
    load_users(table(THREE[2]), USERS, **options(account))
    account.change("C-2", city="Mumbai")
    account.delete("C-1")
    result = verify(table(*THREE), USERS, **options(account, ledger))
    assert statuses(result) == ["absent", "different", "same"]
    with Ledger(ledger, "user", Settings.resolve(options(account))) as kept:
        assert kept.on_record == 1
    again = load_users(table(*THREE), USERS, **options(account, ledger))
    assert statuses(again) == ["sent", "sent", "unchanged"]
    assert statuses(verify(table(*THREE), USERS, **options(account, ledger))) == ["same"] * 3
    assert statuses(load_users(table(*THREE), USERS, **options(account, ledger))) == ["unchanged"] * 3


def test_several_rows_of_a_user_are_on_record_together(account: Sandbox, tmp_path: Path) -> None:
    """As if the load had sent them one by one: a row that is added later is the only one that is sent."""
    rows = [("C-1", None, "Pune", 3), ("C-1", None, "Goa", 4)]
    load_users(table(*rows), USERS, **options(account))
    ledger = tmp_path / "own.ledger"
    assert verify(table(*rows), USERS, **options(account, ledger)).ok
    later = load_users(table(*rows, ("C-1", None, "Agra", 5)), USERS, **options(account, ledger))
    assert statuses(later) == ["unchanged", "unchanged", "sent"]


def test_without_a_ledger_it_only_looks(account: Sandbox, tmp_path: Path) -> None:
    """A ledger that is there stays as it is, to the byte, and the next load is what it was."""
    ledger = tmp_path / "own.ledger"
    load_users(table(*THREE), USERS, **options(account, ledger))
    account.change("C-2", city="Mumbai")
    before = ledger.read_bytes()
    result = verify(table(*THREE), USERS, **options(account))
    assert (statuses(result), result.ledger) == (["same", "different", "same"], None)
    assert ledger.read_bytes() == before
    assert statuses(load_users(table(*THREE), USERS, **options(account, ledger))) == ["unchanged"] * 3


@pytest.mark.parametrize("arrived", [True, False])
def test_unknown_users_are_settled(account: Sandbox, tmp_path: Path, arrived: bool) -> None:
    """A call without an answer: it has arrived, and is the same; or it has not, and is sent."""
    ledger = tmp_path / "own.ledger"
    account.set_faults("cut=100%")
    known = options(account, ledger)
    unknown = load_users(table(THREE[0]), USERS, max_retries=0, max_outage=0, **known)
    assert unknown.unknown == 1
    account.set_faults("")
    if not arrived:
        account.delete("C-1")
    assert statuses(verify(table(THREE[0]), USERS, **known)) == ["same" if arrived else "absent"]
    after = load_users(table(THREE[0]), USERS, **known)
    assert statuses(after) == ["unchanged" if arrived else "sent"]
    assert after.summary.maybe_duplicates == 0


def test_a_changed_mapping_is_taken_over(account: Sandbox, tmp_path: Path) -> None:
    """The ledger knew the users by another id. After `verify` it knows them by this one."""
    ledger = tmp_path / "own.ledger"
    rows = table(*THREE[:2])
    load_users(rows, {"phone": "phone", "traits": ["city", "visits"]}, **options(account, ledger))
    by_id: MappingDict = {"user_id": "phone", "traits": ["city", "visits"]}
    with pytest.raises(UsageError, match="the mapping is not the one"):
        load_users(rows, by_id, **options(account, ledger))
    assert statuses(verify(rows, by_id, **options(account, ledger))) == ["absent"] * 2
    assert statuses(verify(rows, USERS, **options(account, ledger))) == ["different"] * 2


def test_the_mapping_of_rows_that_are_the_same_is_known(account: Sandbox, tmp_path: Path) -> None:
    """After a lost ledger: another mapping would send all of them again, and is refused as after a load."""
    ledger = tmp_path / "own.ledger"
    load_users(table(*THREE[:2]), USERS, **options(account))
    assert verify(table(*THREE[:2]), USERS, **options(account, ledger)).ok
    with pytest.raises(UsageError, match="the mapping is not the one"):
        load_users(table(*THREE[:2]), {"user_id": "phone", "traits": ["city"]}, **options(account, ledger))


def test_only_names_that_the_account_has_are_known(account: Sandbox, tmp_path: Path) -> None:
    """A dry run still says which names the next load creates: those of rows that differ."""
    ledger = tmp_path / "own.ledger"
    load_users(table(*THREE[:2]), USERS, **options(account))
    rows = table(*THREE[:2]).assign(tier=[None, "gold"])
    mapping = USERS | {"traits": ["city", "visits", "tier"]}
    assert statuses(verify(rows, mapping, **options(account, ledger))) == ["same", "different"]
    creates = check(rows, mapping, **options(account, ledger)).creates
    assert creates is not None
    assert [one.new for one in creates.names] == [("tier",), ()]


# ------------------------------------------------------------------ whom a row is about


def contact(own_id: str, user_id: str | None = None, phone: str | None = None) -> Contact:
    code = None if phone is None else "+91"
    return Contact(own_id, user_id, code, phone, None, 0, "", [], {})


@pytest.mark.parametrize(
    ("contacts", "found"),
    [
        ([contact("1", "C-1", "9876543210")], "1"),
        ([contact("1", "C-1")], "1"),
        ([contact("1", "C-1", "9876543211")], "1"),
        ([contact("1", None, "9876543210")], "1"),
        ([contact("1", "C-1", "9876543210"), contact("2", "C-2", "9876543210")], "1"),
        ([contact("1", "C-2", "9876543211")], None),
        ([contact("1", "C-2", "9876543210")], "phone_of_another"),
        ([contact("1", "C-1", "9876543211"), contact("2", "C-2", "9876543210")], "phone_of_another"),
        ([contact("1", "C-1"), contact("2", None, "9876543210")], "phone_of_another"),
        ([contact("1", "C-1"), contact("2", "C-1")], "several_contacts"),
        ([contact("1", None, "9876543210"), contact("2", None, "9876543210")], "several_contacts"),
    ],
)
def test_the_user_id_counts_first(contacts: list[Contact], found: str | None, tmp_path: Path) -> None:
    """A phone decides only if no contact has the id, and only for a contact without another id."""
    index = ContactIndex(tmp_path / "found.db")
    index.add(contacts)
    index.complete()
    message = Message(0, "user", "", b"", "C-1", "+91", "9876543210")
    got = find(message, index)
    index.close()
    assert (got.code if isinstance(got, Unclear) else None if got is None else got.id) == found


def test_a_phone_that_is_somebody_elses_is_ambiguous(account: Sandbox, tmp_path: Path) -> None:
    """Such a row is left as it is in the ledger: a person must look at it."""
    ledger = tmp_path / "own.ledger"
    account.put(user_id="C-9", country_code="+91", phone="9876543210")
    result = verify(table(THREE[0], THREE[2]), USERS, **options(account, ledger))
    assert lines(result) == [("ambiguous", "phone_of_another", None), ("absent", "contact_absent", None)]
    assert (result.ambiguous, result.exit_code) == (1, 1)


# ------------------------------------------------------------------ values in another form

FORMS = [
    SandboxOptions(),
    SandboxOptions(read_types="text"),
    SandboxOptions(read_traits="list", read_missing="absent", read_extra=True),
    SandboxOptions(read_types="text", read_traits="list", read_times="us", read_order="random"),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda one: f"{one.read_types}-{one.read_traits}")
def test_what_goes_in_as_each_type_comes_back_the_same(form: SandboxOptions) -> None:
    """Every value of the page of types that can be sent, in each form that the account may give."""
    with Sandbox(form) as account:
        seen: dict[str, dict[str, int]] = {}
        for name, values in types_table.examples():
            rows = pa.table({"id": [f"{name}-{at}" for at in range(len(values))], "value": values})
            mapping: MappingDict = {"user_id": "id", "traits": ["value"]}
            sent = load_users(rows, mapping, bad_values="drop", **options(account))
            result = verify(rows, mapping, bad_values="drop", **options(account))
            assert statuses(result) == ["same"] * sent.sent + ["invalid"] * sent.invalid, name
            assert result.account is not None
            if result.account.tolerated:
                seen[name] = result.account.tolerated
        kinds = {kind for one in seen.values() for kind in one}
        assert kinds == ({"number_as_text", "boolean_as_text"} if form.read_types == "text" else set())


def test_each_tolerance_is_named_and_counted(account: Sandbox) -> None:
    """In the report by row, and in the result by value."""
    account.put(user_id="C-1", traits={"city": " Pune", "visits": "3"})
    account.put(user_id="C-2", traits={"city": "Goa", "visits": "4.0"})
    result = verify(table(("C-1", None, "Pune", 3), ("C-2", None, "Goa", 4)), USERS, **options(account))
    assert lines(result) == [("same", "white_space", "city"), ("same", "number_as_text", "visits")]
    assert result.account is not None
    assert result.account.tolerated == {"white_space": 1, "number_as_text": 2}
    assert "the same in another form: 1 white_space, 2 number_as_text" in result._repr_html_()


def test_values_that_were_cleared_are_the_same(account: Sandbox) -> None:
    """`nulls="clear"` sends null, which the account may have as nothing at all."""
    rows = table(("C-1", None, None, None))
    account.put(user_id="C-1", traits={"city": ""})
    assert statuses(verify(rows, USERS, nulls="clear", **options(account))) == ["same"]
    account.change("C-1", city="Pune")
    assert statuses(verify(rows, USERS, nulls="clear", **options(account))) == ["different"]
    assert statuses(verify(rows, USERS, **options(account))) == ["same"]


# ------------------------------------------------------------------ reading


def big(count: int, **changed: Any) -> pd.DataFrame:
    """Return the rows of `fill`."""
    return pd.DataFrame({"id": [f"C-{n}" for n in range(count)], "n": range(count)}).assign(**changed)


BY_ID: MappingDict = {"user_id": "id", "traits": ["n"]}


def test_few_users_are_looked_up(account: Sandbox) -> None:
    """Three users of 5,000 take eight calls at most; 60 of them take a reading of the whole account."""
    fill(account, 5_000)
    result = verify(big(5_000).iloc[[7, 70, 700]].assign(n=[7, 70, 0]), BY_ID, **options(account))
    assert statuses(result) == ["same", "same", "different"]
    assert result.account is not None
    assert (result.account.by_look_ups, account.stats().reads <= 9) == (True, True)
    before = account.stats().reads
    result = verify(big(60), BY_ID, **options(account))
    assert (result.ok, result.account.by_look_ups if result.account else None) == (True, False)
    assert 50 <= account.stats().reads - before <= 100


@pytest.mark.parametrize("form", [SandboxOptions(read_id="id"), SandboxOptions(read_404="empty")])
def test_look_ups_never_make_a_contact_absent(form: SandboxOptions) -> None:
    """Whatever `id/` takes and whatever nobody is: the account is read as a whole rather than guessed at."""
    with Sandbox(form) as account:
        fill(account, 2_000)
        rows = pd.DataFrame({"id": ["C-7", "nobody"], "n": [7, 1]})
        assert statuses(verify(rows, BY_ID, **options(account))) == ["same", "absent"]


def test_what_could_not_be_read_is_not_absent(account: Sandbox) -> None:
    """The account changes whenever it is read. Its spans are said, and the rows that were not found are ambiguous."""
    fill(account, 1_000)
    numbers = itertools.count()
    account.on_read(lambda _: account.put(user_id=f"new-{next(numbers)}", modified=START + 30) and None)
    result = verify(pd.concat([big(1_000), pd.DataFrame({"id": ["nobody"], "n": [1]})]), BY_ID, **options(account))
    all_same = verify(big(1_000), BY_ID, **options(account))
    account.on_read(None)
    assert (statuses(all_same), all_same.ok, all_same.exit_code) == (["same"] * 1_000, False, 1)
    assert result.account is not None
    assert result.account.incomplete
    assert lines(result)[-1] == ("ambiguous", "account_incomplete", None)
    assert "incomplete: some contacts modified since" in result._repr_html_()
    assert result.exit_code == 1


def test_a_refused_key_leaves_every_row_unsent(account: Sandbox, tmp_path: Path) -> None:
    """As a load that is stopped: each row has its line, and the ledger stays."""
    ledger = tmp_path / "own.ledger"
    load_users(table(*THREE), USERS, **options(account, ledger))
    account.set_faults("401=100%")
    result = verify(table(*THREE), USERS, **options(account, ledger))
    assert (statuses(result), result.exit_code) == (["unsent"] * 3, 3)
    assert result.stopped is not None
    assert result.stopped.reason == "key_refused"
    account.set_faults("")
    assert statuses(load_users(table(*THREE), USERS, **options(account, ledger))) == ["unchanged"] * 3


def test_contacts_that_are_lost_while_they_are_compared(account: Sandbox, tmp_path: Path) -> None:
    """The load stops. What was compared is on record, and every row has its line."""
    fill(account, 3_000)

    class Loses(Observer):
        def progressed(self, summary: Summary) -> None:
            verifier.close()

    verifier, settings = Verifier(), Settings.resolve(options(account, tmp_path / "own.ledger"))
    rows = pa.Table.from_batches(pa.Table.from_pandas(big(3_000)).to_batches(max_chunksize=1_000))
    result = load(opened(rows, settings), BY_ID, None, settings, observer=Loses(), settler=verifier)
    assert result.stopped is not None
    assert "cannot be read again" in result.stopped.message
    assert (result.same + result.unsent, result.rows, result.exit_code) == (3_000, 3_000, 3)
    assert 0 < result.same < 3_000
    again = check(big(3_000), BY_ID, **options(account, tmp_path / "own.ledger"))
    assert again.unchanged == result.same


def test_an_account_without_contacts(account: Sandbox) -> None:
    """Every row is absent; and a table without rows makes no call."""
    assert statuses(verify(table(*THREE), USERS, **options(account))) == ["absent"] * 3
    before = account.stats().reads
    assert verify(table(), USERS, **options(account)).ok
    assert account.stats().reads == before


# ------------------------------------------------------------------ as a command


def write(folder: Path, count: int) -> None:
    big(count).to_csv(folder / "people.csv", index=False)


def start(sandbox: Sandbox, folder: Path, *flags: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "interakt_loader",
        "verify",
        "people.csv",
        "--map",
        "user_id=id",
        "--trait",
        "n=n:number",
        *flags,
    ]
    return subprocess.Popen(
        command, cwd=folder, env=environment(sandbox), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_command_says_what_it_found(account: Sandbox, tmp_path: Path) -> None:
    """The counts, an example, and what the next load does. The report of the load stays."""
    fill(account, 30)
    write(tmp_path, 31)
    account.change("C-3", n=0)
    (tmp_path / "people.report.csv").write_text("the load's\n")
    process = start(account, tmp_path)
    out, messages = process.communicate(timeout=60)
    assert process.returncode == 1, messages
    assert "  29 same\n" in out
    assert "e.g. n is 3 here and 0 in the account\n" in out
    assert (
        "to do: the next load sends the 2 rows that differ or are absent, and writes over what somebody has changed in "
        "the dashboard\n" in out
    )
    assert "31 rows; 31 users to compare, none is sent" in messages
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "people.csv",
        "people.ledger",
        "people.report.csv",
        "people.runs",
        "people.verify.csv",
    ]
    assert (tmp_path / "people.report.csv").read_text() == "the load's\n"


def test_a_reading_that_was_killed_continues(tmp_path: Path) -> None:
    """`kill -9` in the middle, twice: what was read is not asked for again, and every row ends as it should."""
    with Sandbox(SandboxOptions(latency=0.01)) as account:
        fill(account, 8_000)
        write(tmp_path, 8_000)
        for stop in (30, 60):
            process = start(account, tmp_path, "--workers", "2")
            account.on_read(after(stop, process.kill))
            process.communicate(timeout=60)
            account.on_read(None)
            assert process.returncode == -signal.SIGKILL
            assert (tmp_path / "people.verify.csv.part").is_dir()
        before = account.stats().reads
        process = start(account, tmp_path, "--output", "json")
        out, messages = process.communicate(timeout=60)
        assert process.returncode == 0, messages
        result = json.loads(out)
        assert result["status"] == {"same": 8_000}
        # a whole reading asks for each of the 80 pages, and for more where it divides: that depends on today's date
        assert account.stats().reads - before < 80
        assert "continues after" in messages
        assert not (tmp_path / "people.verify.csv.part").exists()


def test_an_interrupt_while_reading(tmp_path: Path) -> None:
    """Ctrl-C: every row has a line, exit 130, and the same command continues."""
    with Sandbox(SandboxOptions(latency=0.01)) as account:
        fill(account, 5_000)
        write(tmp_path, 5_000)
        process = start(account, tmp_path, "--workers", "2")
        account.on_read(after(30, lambda: process.send_signal(signal.SIGINT)))
        _, messages = process.communicate(timeout=60)
        account.on_read(None)
        assert process.returncode == 130, messages
        assert len(pd.read_csv(tmp_path / "people.verify.csv")) == 5_000
        process = start(account, tmp_path, "-q")
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_an_interrupt_while_comparing(account: Sandbox, tmp_path: Path) -> None:
    """What was read is kept without its index, and the next run reads only what has changed since."""
    fill(account, 4_200)
    report, token = tmp_path / "people.verify.csv", StopToken()

    class Interrupts(Observer):
        def progressed(self, summary: Summary) -> None:
            token.request(Stop("interrupted", f"after {summary.rows} rows"))

    settings = Settings.resolve(options(account) | {"report": report})
    source = opened(big(4_200), settings)
    result = load(source, BY_ID, None, settings, observer=Interrupts(), stop_token=token, settler=Verifier())
    assert (result.same, result.unsent) == (WORK_BATCH, 4_200 - WORK_BATCH)
    kept = tmp_path / "people.verify.csv.part"
    assert sorted(path.name for path in kept.iterdir()) == ["contacts.jsonl", "lock", "windows.jsonl"]
    before = account.stats().reads
    assert verify(big(4_200), BY_ID, report=report, **options(account)).same == 4_200
    assert account.stats().reads - before < 5
    assert not kept.exists()


def test_a_kill_while_comparing_warns_of_no_calls(
    account: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was in flight. A part of the rows is on record, and the next load sends none of them."""
    fill(account, 4_200)
    folder, left = tmp_path / "now", tmp_path / "left"
    folder.mkdir()

    class Copies(Observer):
        def progressed(self, summary: Summary) -> None:
            if not left.exists():
                shutil.copytree(folder, left)  # as a `kill -9` at this moment would leave it

    settings = Settings.resolve(options(account, folder / "own.ledger"))
    load(opened(big(4_200), settings), BY_ID, None, settings, observer=Copies(), settler=Verifier())
    caplog.clear()
    again = verify(big(4_200), BY_ID, **options(account, left / "own.ledger"))
    assert (again.same, [one for one in caplog.messages if "cut short" in one]) == (4_200, [])


def test_a_reading_of_last_week_begins_anew(account: Sandbox, tmp_path: Path) -> None:
    """Contacts that were deleted since would count as there."""
    fill(account, 4_200)
    account.on_read(after(40, lambda: account.set_faults("401=100%")))
    report = tmp_path / "people.verify.csv"
    assert verify(big(4_200), BY_ID, report=report, **options(account)).exit_code == 3
    account.on_read(None)
    account.set_faults("")
    journal = tmp_path / "people.verify.csv.part" / "windows.jsonl"
    head, *windows = journal.read_text().splitlines()
    assert json.loads(windows[-1])["rows"]
    week = {"past": json.loads(head)["past"] - 7 * 86_400 * 10**6}
    journal.write_text("\n".join([json.dumps(json.loads(head) | week), *windows]) + "\n")
    account.delete("C-5")
    result = verify(big(4_200), BY_ID, report=report, **options(account))
    assert (result.same, result.absent) == (4_199, 1)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--event", "Paid"], "verify compares users"),
        (["--ledger", "a.ledger", "--no-ledger"], "--no-ledger and --ledger are both given"),
        (["--dry-run"], "No such option"),
    ],
)
def test_the_command_refuses_what_has_no_meaning(
    account: Sandbox, tmp_path: Path, flags: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line, exit 2, no call."""
    write(tmp_path, 1)
    os.environ.update(environment(account))
    code = run(["verify", str(tmp_path / "people.csv"), "--map", "user_id=id", *flags])
    assert (code, account.stats().reads) == (2, 0)
    assert said in capfd.readouterr().err


def test_options_of_sending_are_refused(account: Sandbox) -> None:
    """In Python, too."""
    given: dict[str, Any]
    for given in (
        {"dry_run": True},
        {"resend": True, "ledger": "a.ledger"},
        {"on_error": print},
        {"failures": "a.csv"},
    ):
        with pytest.raises(UsageError, match=next(iter(given))):
            verify(table(*THREE), USERS, **given, **options(account))


# ------------------------------------------------------------------ people and forecasts


def test_masked_reports_have_no_phone(account: Sandbox) -> None:
    """Neither that of the row nor that of the account."""
    account.put(user_id="C-1", country_code="+91", phone="9876543219")
    result = verify(table(THREE[0]), USERS, mask=True, **options(account))
    line = str(result.to_arrow().to_pylist())
    assert "phone_differs" in line
    assert "987654321" not in line
    assert "987654321" not in result._repr_html_()


def test_the_page_shows_what_was_found(account: Sandbox, tmp_path: Path) -> None:
    """What differs, what to do, and how much was read."""
    account.put(user_id="C-1", country_code="+91", phone="9876543210", traits={"city": "Goa", "visits": 3})
    page = verify(table(*THREE[:2]), USERS, **options(account)).write_html(tmp_path / "page.html").read_text("utf-8")
    assert "city is &#39;Pune&#39; here and &#39;Goa&#39; in the account" in page
    assert "1 contact looked up by" in page or "1 contact read by" in page
    assert "writes over what somebody has changed in the dashboard" in page


FAR: dict[str, Any] = {"api_key": "key", "base_url": "https://api.interakt.ai"}


@pytest.mark.parametrize(
    ("known", "rows", "said"), [(0, 1000, True), (0, 999, False), (1000, 1500, False), (0, 2000, True)]
)
def test_a_forecast_says_when_verifying_first_saves_calls(tmp_path: Path, known: int, rows: int, said: bool) -> None:
    """If the ledger knows few of many users. A dry run for the API itself makes no call."""
    ledger = tmp_path / "own.ledger"
    with Sandbox() as account:
        if known:
            baseline(big(known), BY_ID, ledger=ledger, **FAR)
        result = check(big(rows), BY_ID, ledger=ledger, **FAR)
        assert (f"{rows:,} users are new to the ledger" in (result.forecast or "")) == said
        assert "verify" not in (check(big(rows), BY_ID, **options(account, tmp_path / "near.ledger")).forecast or "")
