"""A proposed mapping is shown, and sent to the API only when somebody has confirmed it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from interakt_loader.cli.proposal import answer_of, next_step
from interakt_loader.mapping import read_mapping
from interakt_loader.settings import Settings
from tests.cli.terminal import Ended, FarApi, run_in_terminal, run_without_terminal

ROWS = "customer_id,mobile,name\nC-1,98765 43210,Ann\nC-2,98765 43211,Bob\n"
OPEN = "user_id,order_date\n7,2024-01-31\n7,2024-02-01\n"
CONTACTS = "Name,Country Code,Phone Number,WhatsApp Opted,User ID\nAsha,91,98765 43210,TRUE,C-1\n"
FILE = "customers.mapping.yaml"

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals in Python")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text(ROWS, encoding="utf-8")


def in_terminal(api: FarApi, folder: Path, *arguments: str, answer: str | signal.Signals | None = None) -> Ended:
    return run_in_terminal(api, folder, [*(arguments or ("customers.csv",)), "--rate-limit", "none"], answer)


def unattended(api: FarApi, folder: Path, *arguments: str) -> Ended:
    return run_without_terminal(api, folder, *(arguments or ("customers.csv",)), "--rate-limit", "none")


# ---------------------------------------------------------------------- the question


@needs_terminal
def test_yes_sends_and_writes_down_what_was_confirmed(api: FarApi, tmp_path: Path) -> None:
    """The proposal, the first call and the number of calls are shown; from then on the file is used by itself."""
    ended = in_terminal(api, tmp_path, answer="y\n")
    assert ended.code == 0, ended
    assert api.sandbox.stats().users == 2
    assert "user_id: customer_id (the column is called customer_id" in ended.err
    assert '"userId": "C-1"' in ended.err
    assert "0 of 2 rows unchanged; 2 calls" in ended.err
    assert f"Send 2 calls to {api.url.removeprefix('https://')}? [y/N] y\n" in ended.err
    assert f"{FILE}: written; later loads of this name use it" in ended.err
    assert "confirmed:" not in (tmp_path / FILE).read_text(encoding="utf-8")
    assert read_mapping(tmp_path / FILE).as_dict()["user_id"] == "customer_id"
    again = unattended(api, tmp_path)
    assert again.code == 0
    assert "  2 unchanged\n" in again.out
    assert f"using {FILE}, the confirmed mapping of this load" in again.err


@needs_terminal
@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04", "yep\n", "j\n"], ids=["n", "empty", "end", "yep", "j"])
def test_anything_but_yes_sends_nothing(api: FarApi, tmp_path: Path, answer: str) -> None:
    """Exit 2 and one line that says how to change the mapping; no file is left, and the last report stays."""
    (tmp_path / "customers.report.csv").write_text("the last one\n", encoding="utf-8")
    ended = in_terminal(api, tmp_path, answer=answer)
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("interakt-loader: nothing was sent. To change the mapping: interakt-")
    assert (api.sandbox.stats().calls, ended.out) == (0, "")
    assert not (tmp_path / FILE).exists()
    assert (tmp_path / "customers.report.csv").read_text(encoding="utf-8") == "the last one\n"


@needs_terminal
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_the_question_leaves_at_once(
    api: FarApi, tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    """Ctrl-C: 130, nothing was sent, nothing was written."""
    ended = in_terminal(api, tmp_path, answer=signum)
    assert ended.code == code
    assert "Traceback" not in ended.err
    assert api.sandbox.stats().calls == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["customers.csv", "customers.ledger"]


@needs_terminal
def test_only_what_the_ledger_leaves_is_asked_about(api: FarApi, tmp_path: Path) -> None:
    """One of two rows was sent before: the question is about one call; about none, nothing is asked."""
    assert in_terminal(api, tmp_path, "customers.csv", "--limit", "1", answer="y\n").code == 0
    (tmp_path / FILE).unlink()
    ended = in_terminal(api, tmp_path, answer="y\n")
    assert "Send 1 call to " in ended.err
    (tmp_path / FILE).unlink()
    ended = in_terminal(api, tmp_path)
    assert ended.code == 0
    assert "[y/N]" not in ended.err


@needs_terminal
@pytest.mark.parametrize("flags", [["--quiet"], ["--output", "json"], ["--quiet", "--output", "json"]])
def test_quiet_and_json_ask_too(api: FarApi, tmp_path: Path, flags: list[str]) -> None:
    """On standard error, with what is asked about; standard output stays the result alone."""
    ended = in_terminal(api, tmp_path, "customers.csv", *flags, answer="yes\n")
    assert ended.code == 0
    assert "user_id: customer_id" in ended.err
    assert "2 calls" in ended.err
    if "json" in flags:
        assert json.loads(ended.out)["status"]["sent"] == 2


@needs_terminal
def test_without_a_ledger_it_asks_about_all_rows(api: FarApi, tmp_path: Path) -> None:
    """Nothing is planned then, and so the number is no more than an estimate."""
    ended = in_terminal(api, tmp_path, "customers.csv", "--ledger", "none", answer="n\n")
    assert "Send about 2 calls to " in ended.err
    assert (ended.code, api.sandbox.stats().calls) == (2, 0)


@needs_terminal
def test_a_recognised_export_is_asked_about_in_a_terminal(api: FarApi, tmp_path: Path) -> None:
    """Who sits there can look."""
    (tmp_path / "contacts.csv").write_text(CONTACTS, encoding="utf-8")
    ended = in_terminal(api, tmp_path, "contacts.csv", answer="n\n")
    assert "preset interakt-contacts: users" in ended.err
    assert (ended.code, api.sandbox.stats().calls) == (2, 0)


@needs_terminal
def test_an_answer_is_waited_for_so_long_and_no_longer() -> None:
    """Nothing comes: None. The terminal goes: an empty text, as at the end of a file."""
    import pty

    ours, theirs = pty.openpty()
    try:
        began = time.monotonic()
        assert answer_of(theirs, 0.3) is None
        assert time.monotonic() - began >= 0.3
    finally:
        os.close(ours)
        os.close(theirs)
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")
    assert answer_of(theirs, 10) == "y\n"
    os.close(ours)
    assert answer_of(theirs, 10) == ""
    os.close(theirs)


# ---------------------------------------------------------------------- nobody there to ask


def test_unattended_a_guess_is_written_and_not_sent(api: FarApi, tmp_path: Path) -> None:
    """The first run writes it; the second does not take it for confirmed; once confirmed, it is sent."""
    first = unattended(api, tmp_path)
    assert first.code == 2
    assert f"this mapping is not confirmed. Review {FILE}, which was written" in first.err
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert text.count("\nconfirmed: false\nuser_id: ") == 1
    second = unattended(api, tmp_path)
    assert second.code == 2
    assert second.err == (
        f"interakt-loader: nothing was sent: {FILE} is not confirmed. Review it and set confirmed: true in it; or "
        "run again in a terminal, or with --yes\n"
    )
    assert (tmp_path / FILE).read_text(encoding="utf-8") == text
    assert api.sandbox.stats().calls == 0
    (tmp_path / FILE).write_text(text.replace("confirmed: false", "confirmed: true"), encoding="utf-8")
    assert unattended(api, tmp_path).code == 0
    assert api.sandbox.stats().users == 2


def test_with_mask_nobody_can_be_called_from_the_file(api: FarApi, tmp_path: Path) -> None:
    """A number that several people share is masked in the comments; the mapping itself stays as it is."""
    rows = "".join(f"C-{at},98765 43210,Ann {at}\n" for at in range(4))
    (tmp_path / "customers.csv").write_text("customer_id,mobile,name\n" + rows, encoding="utf-8")
    ended = unattended(api, tmp_path, "customers.csv", "--mask")
    assert ended.code == 2
    written = (tmp_path / FILE).read_text(encoding="utf-8")
    assert "43210" not in ended.err + written
    assert "••••• ••210 in 4 rows" in written
    assert read_mapping(tmp_path / FILE).as_dict()["phone"] == "mobile"


def test_a_file_given_by_name_is_a_written_mapping(api: FarApi, tmp_path: Path) -> None:
    """Whatever it says of being confirmed; so is what `infer` printed."""
    unattended(api, tmp_path)
    assert unattended(api, tmp_path, "customers.csv", "--mapping", FILE).code == 0
    assert "confirmed: false" in (tmp_path / FILE).read_text(encoding="utf-8")
    printed = run_without_terminal(api, tmp_path, "infer", "customers.csv").out
    (tmp_path / "m.yaml").write_text(printed, encoding="utf-8")
    assert unattended(api, tmp_path, "customers.csv", "--mapping", "m.yaml").code == 0


def test_yes_confirms_a_complete_proposal(api: FarApi, tmp_path: Path) -> None:
    """It is sent and written down, in a run that nobody watches too."""
    ended = unattended(api, tmp_path, "customers.csv", "--yes")
    assert ended.code == 0, ended
    assert api.sandbox.stats().users == 2
    assert "confirmed:" not in (tmp_path / FILE).read_text(encoding="utf-8")
    assert unattended(api, tmp_path).code == 0


def test_yes_confirms_the_file_as_it_was_edited(api: FarApi, tmp_path: Path) -> None:
    """The person's words stay, but for the line that says whether it is confirmed."""
    unattended(api, tmp_path)
    edited = (tmp_path / FILE).read_text(encoding="utf-8").replace('"name", type', '"name", name: "Full name", type')
    (tmp_path / FILE).write_text(edited, encoding="utf-8")
    assert unattended(api, tmp_path, "customers.csv", "--yes").code == 0
    after = (tmp_path / FILE).read_text(encoding="utf-8")
    assert after == edited.replace("confirmed: false", "confirmed: true")
    user = api.sandbox.find_user("C-1")
    assert user is not None
    assert user.traits == {"Full name": "Ann"}


def test_yes_is_no_variable(api: FarApi, tmp_path: Path) -> None:
    """What confirms is typed, not left behind in an environment."""
    with_it = api._replace(environment={**api.environment, "INTERAKT_YES": "1"})
    ended = unattended(with_it, tmp_path)
    assert (ended.code, api.sandbox.stats().calls) == (2, 0)
    assert "INTERAKT_YES: the environment cannot set this option; unset the variable, and give --yes" in ended.err


def test_yes_answers_no_open_question(api: FarApi, tmp_path: Path) -> None:
    """Not in the proposal, and not in the file that was written of it and left as it is."""
    (tmp_path / "orders.csv").write_text(OPEN, encoding="utf-8")
    for _ in range(2):
        ended = unattended(api, tmp_path, "orders.csv", "--yes")
        assert ended.code == 2
        assert "open question:\n  - kind: " in ended.err
        assert "1 question is open, and --yes answers none" in ended.err
    assert api.sandbox.stats().calls == 0
    assert "confirmed: false" in (tmp_path / "orders.mapping.yaml").read_text(encoding="utf-8")
    assert unattended(api, tmp_path, "orders.csv", "--yes", "--as", "users").code == 0


def test_an_answer_in_the_file_closes_its_question(api: FarApi, tmp_path: Path) -> None:
    """Events, says the person by naming them: then `--yes` confirms the file."""
    (tmp_path / "orders.csv").write_text(OPEN, encoding="utf-8")
    unattended(api, tmp_path, "orders.csv")
    path = tmp_path / "orders.mapping.yaml"
    text = path.read_text(encoding="utf-8").replace("# event: ", "event: ")
    path.write_text(text, encoding="utf-8")
    assert unattended(api, tmp_path, "orders.csv", "--yes").code == 0
    assert api.sandbox.stats().events == 2


def test_a_recognised_export_goes_on_unattended(api: FarApi, tmp_path: Path) -> None:
    """Its headings are known. Nothing is written, because nothing was confirmed."""
    (tmp_path / "contacts.csv").write_text(CONTACTS, encoding="utf-8")
    assert unattended(api, tmp_path, "contacts.csv").code == 0
    assert api.sandbox.stats().users == 1
    assert not (tmp_path / "contacts.mapping.yaml").exists()


@pytest.mark.parametrize("flags", [["--dry-run"], ["--sandbox"]])
def test_what_sends_nothing_outside_never_asks(api: FarApi, tmp_path: Path, flags: list[str]) -> None:
    """A complete proposal is used, and none is written down; open questions are listed, exit 2."""
    assert unattended(api, tmp_path, "customers.csv", *flags).code == 0
    (tmp_path / "orders.csv").write_text(OPEN, encoding="utf-8")
    ended = unattended(api, tmp_path, "orders.csv", *flags)
    assert ended.code == 2
    assert "  - kind: " in ended.err
    assert list(tmp_path.glob("*.mapping.yaml")) == []


def test_a_local_address_never_asks(api: FarApi, tmp_path: Path) -> None:
    """Nothing leaves this machine."""
    assert unattended(api, tmp_path, "customers.csv", "--base-url", api.sandbox.url).code == 0
    assert list(tmp_path.glob("*.mapping.yaml")) == []


def test_a_dry_run_uses_the_confirmed_file(api: FarApi, tmp_path: Path) -> None:
    """And one that waits to be confirmed, so that it can be tried."""
    (tmp_path / FILE).write_text("user_id: name\n", encoding="utf-8")
    ended = unattended(api, tmp_path, "customers.csv", "--dry-run")
    assert f"using {FILE}, the confirmed mapping" in ended.err
    assert '{"userId":"Ann","traits":{}}' in ended.out
    (tmp_path / FILE).write_text("confirmed: false\nuser_id: name\n", encoding="utf-8")
    ended = unattended(api, tmp_path, "customers.csv", "--dry-run")
    assert f"using {FILE}, which is not confirmed yet" in ended.err
    assert '{"userId":"Ann","traits":{}}' in ended.out


def test_flags_go_over_the_proposal(api: FarApi, tmp_path: Path) -> None:
    """Of an identity they are a mapping of their own, and leave no file; others are confirmed with the proposal."""
    assert unattended(api, tmp_path, "customers.csv", "--map", "user_id=customer_id").code == 0
    assert not (tmp_path / FILE).exists()
    assert unattended(api, tmp_path, "customers.csv", "--trait", "Full name=name").code == 2
    assert unattended(api, tmp_path, "customers.csv", "--map", "tags=nam").code == 2
    (tmp_path / FILE).unlink()
    assert unattended(api, tmp_path, "customers.csv", "--trait", "Full name=name", "--yes").code == 0
    assert read_mapping(tmp_path / FILE).as_dict()["traits"]["Full name"] == "name"


def test_a_country_that_was_given_is_kept_in_the_file(api: FarApi, tmp_path: Path) -> None:
    """The next load may not say it, and must not take the numbers for others."""
    (tmp_path / "customers.csv").write_text("customer_id,mobile\nC-1,(212) 736-5001\n", encoding="utf-8")
    assert unattended(api, tmp_path, "customers.csv", "--yes", "--default-country", "+1").code == 0
    assert unattended(api, tmp_path, "customers.csv", "--resend").code == 0
    user = api.sandbox.find_user("C-1")
    assert user is not None
    assert (user.country_code, user.phone) == ("+1", "2127365001")


def test_the_file_lies_in_the_working_folder(api: FarApi, tmp_path: Path) -> None:
    """Wherever the source is, and under the name without its date: tomorrow's file is loaded by it too."""
    (tmp_path / "exports").mkdir()
    for day in ("2026-01-30", "2026-01-31"):
        (tmp_path / "exports" / f"people_{day}.csv").write_text(ROWS, encoding="utf-8")
    assert unattended(api, tmp_path, "exports/people_2026-01-30.csv", "--yes").code == 0
    assert (tmp_path / "people.mapping.yaml").exists()
    assert unattended(api, tmp_path, "exports/people_2026-01-31.csv").code == 0


def test_the_explicit_mapping_wins(api: FarApi, tmp_path: Path) -> None:
    """`--mapping` and `--preset` stand over the file; `--mapping preset:NAME` is the same as `--preset NAME`."""
    (tmp_path / "contacts.csv").write_text(CONTACTS, encoding="utf-8")
    (tmp_path / "contacts.mapping.yaml").write_text("user_id: nowhere\n", encoding="utf-8")
    for flags in (["--preset", "interakt-contacts"], ["--mapping", "preset:interakt-contacts"]):
        ended = unattended(api, tmp_path, "contacts.csv", *flags)
        assert ended.code == 0
        assert "preset interakt-contacts: users" in ended.err


def test_a_mapped_column_that_is_gone(api: FarApi, tmp_path: Path) -> None:
    """One line that names the file and the column."""
    (tmp_path / FILE).write_text("user_id: customer_id\nphone: phone\n", encoding="utf-8")
    ended = unattended(api, tmp_path)
    assert ended.code == 2
    assert ended.err.startswith(f"interakt-loader: mapping {FILE}: no such column: 'phone'")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("text", ["user_id: [\n", "confirmed: perhaps\nuser_id: customer_id\n", "user: customer_id\n"])
def test_a_file_that_is_no_mapping(api: FarApi, tmp_path: Path, text: str) -> None:
    """One line that names it."""
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    ended = unattended(api, tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(f"interakt-loader: mapping {FILE}: ")


def test_a_working_folder_that_cannot_be_written(api: FarApi, tmp_path: Path) -> None:
    """One line that says what to do, exit 2."""
    if not Path("/proc/self").exists():
        pytest.skip("there is no folder here that nobody can write in")
    ended = run_without_terminal(api, Path("/proc"), str(tmp_path / "customers.csv"), "--quiet")
    assert ended.code == 2
    assert ended.err.startswith(f"interakt-loader: nothing was sent: {FILE} cannot be written (")
    assert ended.err.count("\n") == 1


def test_standard_input_has_a_name_too(api: FarApi, tmp_path: Path) -> None:
    """It is no terminal, so nothing is asked."""
    ended = run_without_terminal(api, tmp_path, "-", text=ROWS)
    assert ended.code == 2
    assert "confirmed: false" in (tmp_path / "stdin.mapping.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("local", "recognised", "yes", "terminal", "step"),
    [
        (True, False, False, True, "send"),
        (True, False, True, False, "send"),
        (False, False, False, True, "ask"),
        (False, True, False, True, "ask"),
        (False, True, False, False, "send"),
        (False, False, False, False, "review"),
        (False, False, True, True, "confirm"),
        (False, False, True, False, "confirm"),
    ],
)
def test_what_is_done_about_a_complete_proposal(
    local: bool, recognised: bool, yes: bool, terminal: bool, step: str
) -> None:
    """In each situation that there is."""
    settings = Settings(base_url="http://127.0.0.1:1" if local else "https://api.interakt.ai")
    assert next_step(settings, recognised=recognised, yes=yes, terminal=terminal) == step
