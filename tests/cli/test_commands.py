"""The commands, as a person types them."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from interakt_loader.cli import run
from interakt_loader.cli.commands import speak_utf8
from interakt_loader.cli.options import written_mapping
from interakt_loader.mapping import read_mapping
from interakt_loader.report.reading import read_report
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess

ROWS = "customer_id,mobile,name,joined\n001,98765 43210,Ann,2024-01-31\n002,12,Bob,2024-02-30\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("customers.csv").write_text(ROWS, encoding="utf-8")


def test_load_with_what_it_infers(capsys: pytest.CaptureFixture[str]) -> None:
    """No mapping: it says what it took each column for; the summary names the row, the column and the value."""
    assert run(["customers.csv", "--sandbox"]) == 1
    out, err = capsys.readouterr()
    assert "proposed from the columns: users" in err
    assert "\n  user_id: customer_id (the column is called customer_id; 2 different in 2 of 2; leading zeros" in err
    assert "\n  phone: mobile (the column is called mobile; 1 of 2 values are phone numbers of +91)\n" in err
    assert "\n  note: phone: 1 of 2 values of mobile (50%) are no valid phone numbers, such as '12' in row 1" in err
    assert "  1 sent\n  1 invalid\n" in out
    assert "invalid phone_invalid: row 1 (line 3)" in out
    assert "mobile: '12' is not a valid phone number for +91" in out
    assert Path("customers.report.csv").exists()


def test_json_output_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """`--output json`: the counts under `status`, rows, attempts, seconds, report and exit."""
    assert run(["customers.csv", "--sandbox", "--output", "json", "-q", "--map", "user_id=customer_id"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["status"]["sent"] == 2
    assert (said["rows"], said["attempts"], said["report"], said["exit"]) == (2, 2, "customers.report.csv", 0)


def test_map_trait_and_event_flags(capsys: pytest.CaptureFixture[str]) -> None:
    """`--map`, `--trait NAME=COLUMN:TYPE` and `--event` write the mapping."""
    arguments = ["--map", "user_id=customer_id", "--trait", "Joined on=joined:date", "--event", "Signed Up"]
    assert run(["customers.csv", "--sandbox", "--report", "out.parquet", *arguments]) == 1
    lines = read_report("out.parquet").to_pylist()
    assert [(line["kind"], line["event"], line["status"]) for line in lines] == [
        ("event", "Signed Up", "sent"),
        ("event", "Signed Up", "invalid"),
    ]
    assert lines[1]["column"] == "joined"
    assert "'2024-02-30'" in lines[1]["message"]
    assert lines[0]["user_id"] == "001"


@pytest.mark.parametrize(
    ("base", "traits"),
    [
        ({"Full name": "name", "Age": {"column": "age", "type": "number"}}, ["Full name", "Age"]),
        ("*", ["*"]),
        (["name", {"column": "age", "name": "Age"}], ["name", "Age"]),
    ],
)
def test_a_trait_goes_beside_those_of_the_mapping_and_over_one_of_its_name(base: object, traits: list[str]) -> None:
    """In whichever of its three forms the mapping has them."""
    written = written_mapping({"user_id": "id", "traits": base}, (), ("City=town", "Age=years:number"), None)
    names = [one.get("name", one["column"]) if isinstance(one, dict) else one for one in written["traits"]]
    assert names == [*(one for one in traits if one != "Age"), "City", "Age"]
    assert written["traits"][-1] == {"name": "Age", "column": "years", "type": "number"}


def test_flags_that_say_nothing_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the form that was expected."""
    for flag, form in (("--trait", "NAME=COLUMN[:TYPE]"), ("--map", "FIELD=COLUMN")):
        assert run(["customers.csv", "--dry-run", flag, "city"]) == 2
        assert f"{flag} 'city': expected {form}" in capsys.readouterr().err


def test_many_reasons_and_doubles_are_counted_and_not_all_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """The summary stays short; how many more there are is said, and how many rows may have arrived twice."""
    columns = [f"c{number}" for number in range(12)]
    rows = [",".join("x" if at == row else "1" for at in range(12)) for row in range(12)]
    lines = [",".join(["id", *columns]), *(f"{row},{cells}" for row, cells in enumerate(rows)), "12" + ",1" * 12]
    Path("wide.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    traits = [flag for name in columns for flag in ("--trait", f"{name}={name}:number")]
    with Sandbox() as sandbox, pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERAKT_API_KEY", sandbox.api_key)
        sandbox.force(["cut"])
        assert run(["wide.csv", "--base-url", sandbox.url, "--map", "user_id=id", "-q", *traits]) == 1
    out = capsys.readouterr().out
    assert "1 row may have arrived twice (maybe_duplicate in the report)" in out
    assert out.count("not_a_number") == 10
    assert "… and 2 more reasons in the report" in out


def test_a_mapping_file_and_a_flag_over_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The flag's field takes the place of the file's."""
    Path("mapping.toml").write_text('user_id = "nobody"\ntraits = "*"\n', encoding="utf-8")
    assert run(["customers.csv", "--sandbox", "--mapping", "mapping.toml", "--map", "user_id=customer_id"]) == 0


def test_dry_run_needs_no_key_and_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Good rows are reported as unsent; exit 1 tells that there are bad ones."""
    assert run(["customers.csv", "--dry-run"]) == 1
    out = capsys.readouterr().out
    assert "dry run: nothing was sent" in out
    assert "1 would be sent" in out
    assert run(["customers.csv", "--dry-run", "--limit", "1"]) == 0


def test_infer_prints_a_mapping_that_loads(capsys: pytest.CaptureFixture[str]) -> None:
    """What `infer` prints, saved to a file, is a mapping, and says why."""
    assert run(["infer", "customers.csv"]) == 0
    text = capsys.readouterr().out
    assert "# the column is called customer_id" in text
    Path("mapping.yaml").write_text(text, encoding="utf-8")
    assert run(["customers.csv", "--mapping", "mapping.yaml", "--dry-run"]) == 1


def test_infer_looks_at_several_files_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The shell makes many names of `exports/*.csv`; they are one table, as for a load."""
    Path("a.csv").write_text("id,n\nC-1,1\nC-2,2\n", encoding="utf-8")
    Path("b.csv").write_text("id,n\nC-3,x\n", encoding="utf-8")
    assert run(["infer", "a.csv", "b.csv"]) == 0
    out = capsys.readouterr().out
    assert "all 3 rows" in out
    assert """{column: "n", type: string}  # text: '1', '2', 'x' in 3 of 3""" in out


def test_infer_takes_what_says_how_to_read_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    """The delimiter, the header and the country of phones, as `load` does."""
    Path("odd.txt").write_text("".join(f"C-{n}#x\n" for n in range(10)), encoding="utf-8")
    assert run(["infer", "odd.txt", "--delimiter", "#", "--no-header", "--as", "users"]) == 2
    assert "among column_1, column_2: the columns have no names" in capsys.readouterr().err
    Path("odd.csv").write_text("cust_id;phone\nC-1;(212) 736-5001\n", encoding="utf-8")
    assert run(["infer", "odd.csv", "--default-country", "+1"]) == 0
    assert 'phone: "phone"  # the column is called phone; all of 1 values are phone numbers of +1' in (
        capsys.readouterr().out
    )
    assert run(["infer", "odd.csv", "--default-country", "Narnia"]) == 2
    assert "--default-country is 'Narnia'" in capsys.readouterr().err


def test_what_is_left_open_stops_a_load_and_not_infer(capsys: pytest.CaptureFixture[str]) -> None:
    """The load lists it, and sends nothing; `infer` prints it above the mapping."""
    Path("orders.csv").write_text("user_id,order_date\n7,2024-01-31\n7,2024-02-01\n", encoding="utf-8")
    assert run(["orders.csv", "--sandbox"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "open question:\n  - kind: order_date may be the time of an action" in err
    assert "interakt-loader: nothing was sent: 1 question is open. Answer it with a flag, or in a mapping" in err
    assert run(["infer", "orders.csv"]) == 0
    assert "# Open questions:\n# - kind: order_date may be the time of an action" in capsys.readouterr().out
    assert run(["orders.csv", "--sandbox", "--event", "Order Placed"]) == 0
    assert run(["orders.csv", "--sandbox", "--as", "users"]) == 0


CONTACTS = "Name,Country Code,Phone Number,WhatsApp Opted,User ID\nAsha,91,98765 43210,TRUE,C-1\n"


def test_a_preset_by_name_and_a_flag_over_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`--preset` maps a well-known export; `--map` and `--trait` still have the last word."""
    Path("contacts.csv").write_text(CONTACTS, encoding="utf-8")
    flags = ["--map", "user_id=Name", "--trait", "Consent=WhatsApp Opted:boolean"]
    assert run(["contacts.csv", "--dry-run", "--preset", "interakt-contacts", *flags]) == 0
    out, err = capsys.readouterr()
    assert "preset interakt-contacts: users" in err
    assert '{"userId":"Asha","countryCode":"+91","phoneNumber":"9876543210","traits":{"Consent":true,' in out
    assert '"name":"Asha"' in out


def test_infer_prints_a_preset_with_a_source_and_without(capsys: pytest.CaptureFixture[str]) -> None:
    """Alone it is the export as it is today; with a file it is what that file has."""
    assert run(["infer", "--preset", "interakt-contacts"]) == 0
    alone = capsys.readouterr().out
    assert alone.splitlines()[1].startswith("# Interakt's own contact CSV: preset interakt-contacts")
    assert 'tags: "Tags"' in alone
    Path("contacts.csv").write_text(CONTACTS, encoding="utf-8")
    assert run(["infer", "contacts.csv", "--preset", "interakt-contacts"]) == 0
    fitted = capsys.readouterr().out
    assert "# Not in this table: Tags, Email\n" in fitted
    assert "preset; all of 1 values are phone numbers of +91, with the countries in Country Code" in fitted
    for text in (alone, fitted):
        Path("mapping.yaml").write_text(text, encoding="utf-8")
        assert "phone" in read_mapping("mapping.yaml").as_dict()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["customers.csv", "--preset", "shopify"], "there is no preset 'shopify'"),
        (["infer", "--preset", "zoho-contact"], "did you mean 'zoho-contacts'? (there are hubspot-contacts, "),
        (["infer"], "nothing to look at: give a source, or the name of a preset"),
        (
            ["customers.csv", "--preset", "zoho-contacts", "--mapping", "m.yaml"],
            "--mapping and --preset are both given",
        ),
        (["customers.csv", "--preset", "interakt-contacts"], "no such column: 'Phone Number' or 'User ID'"),
        (["customers.csv", "--preset", "zoho-contacts", "--as", "events"], "its rows are users, not events"),
    ],
)
def test_a_preset_that_will_not_do_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, what is wrong, and which presets there are."""
    assert run(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_the_key_comes_from_a_file(sandbox_process: SandboxProcess) -> None:
    """`--api-key-file`: with a newline at its end, as editors leave it."""
    Path("key.txt").write_text(sandbox_process.api_key + "\n", encoding="utf-8")
    Path("key.txt").chmod(0o600)
    arguments = ["--api-key-file", "key.txt", "--base-url", sandbox_process.url, "--map", "user_id=customer_id"]
    assert run(["customers.csv", *arguments]) == 0
    assert sandbox_process.stats().users == 2


def test_help_names_every_command_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` shows the options of `load` and the other commands."""
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for word in ("--mapping", "--rate-limit", "--dry-run", "demo", "sandbox", "infer"):
        assert word in out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a single other process")
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_finishes_what_is_in_flight(signum: int, code: int) -> None:
    """Ctrl-C and SIGTERM: calls in flight are finished and reported as sent, every other row is unsent."""
    rows = 5000
    Path("many.csv").write_text("id,n\n" + "".join(f"{n},{n}\n" for n in range(rows)), encoding="utf-8")
    with SandboxProcess(SandboxOptions(latency=0.05)) as sandbox:
        process = _start("many.csv", sandbox)
        _wait_for_calls(sandbox, 50)
        process.send_signal(signum)
        out, err = process.communicate(timeout=20)
        held = {user.user_id for user in sandbox.users()}
    assert process.returncode == code, err
    assert "Traceback" not in err
    lines = read_report("many.report.csv").to_pylist()
    assert [line["row"] for line in lines] == list(range(rows))
    assert {line["user_id"] for line in lines if line["status"] == "sent"} == held
    assert {line["status"] for line in lines} == {"sent", "unsent"}
    assert "stopped early: the load was interrupted" in out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a single other process")
def test_the_second_signal_leaves_at_once() -> None:
    """While calls hang, a second Ctrl-C does not wait for them."""
    Path("many.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(50)), encoding="utf-8")
    with SandboxProcess(SandboxOptions(faults="hang=100%")) as sandbox:
        process = _start("many.csv", sandbox, "--timeout", "60")
        _wait_for_calls(sandbox, 1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "once more leaves at once" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130


def _start(source: str, sandbox: SandboxProcess, *flags: str) -> subprocess.Popen[str]:
    home = str(Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "-m", "interakt_loader", source, "--base-url", sandbox.url, "--map", "user_id=id", *flags],
        env=os.environ | {"PYTHONPATH": home, "INTERAKT_API_KEY": sandbox.api_key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for_calls(sandbox: SandboxProcess, calls: int) -> None:
    deadline = time.monotonic() + 20
    while sandbox.stats().calls < calls:
        assert time.monotonic() < deadline, "the load did not begin"
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process alone")
def test_the_sandbox_runs_until_it_is_ended() -> None:
    """It says its address, its key and a line that works; Ctrl-C ends it, and not with an error."""
    command = [sys.executable, "-u", "-m", "interakt_loader", "sandbox", "--port", "0", "--faults", "500=100%"]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with ExitStack() as stack:
        pipe = subprocess.PIPE
        process = stack.enter_context(subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True))
        stack.callback(process.kill)  # if it is not what it should be
        assert process.stdout is not None
        said = "".join(process.stdout.readline() for _ in range(3))
        found = re.search(r"sandbox at (http://127\.0\.0\.1:[0-9]+), key (\S+); try", said)
        assert found is not None
        assert f"INTERAKT_API_KEY={found[2]} interakt-loader SOURCE --base-url {found[1]}\n" in said
        users = f"{found[1]}/v1/public/track/users/"
        assert requests.post(users, json={"userId": "a"}, auth=(found[2], ""), timeout=5).status_code == 500
        assert requests.get(f"{found[1]}/sandbox/users", timeout=5).json() == []
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_the_sandbox_behaves_as_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    """`--assume` reaches its options; a name or a value that does not exist ends it with a reason."""
    for assumption, said in (("read_type=text", "did you mean 'read_types'"), ("read_types=no", "as_sent or text")):
        assert run(["sandbox", "--port", "0", "--assume", assumption]) == 2
        assert said in capsys.readouterr().err


def test_the_ledger_lies_beside_the_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By default; the result says where. `--ledger none` makes none, nor does a dry run or the embedded sandbox."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("INTERAKT_API_KEY", sandbox.api_key)
        command = ["customers.csv", "--map", "user_id=customer_id", "--base-url", sandbox.url, "-q", "--output", "json"]
        for arguments in (["--ledger", "none"], ["--ledger", "None"], ["--dry-run"], ["--sandbox"]):
            assert run([*command, *arguments]) == 0
            assert json.loads(capsys.readouterr().out)["ledger"] is None
        assert [path.name for path in Path().iterdir() if "ledger" in path.name] == []
        Path("out").mkdir()
        for arguments, ledger, sent in (
            ([], "customers.ledger", 2),
            (["--report", "out/monday.report.jsonl"], "out/customers.ledger", 2),
            (["--report", "out/tuesday.csv"], "out/customers.ledger", 0),
            (["--report", "none"], "customers.ledger", 0),
            (["--ledger", "own.db"], "own.db", 2),
        ):
            assert run([*command, *arguments]) == 0
            said = json.loads(capsys.readouterr().out)
            assert (Path(said["ledger"]), said["status"]["sent"]) == (Path(ledger), sent)
            assert Path(ledger).exists()
            assert run([*command, *arguments]) == 0
            assert json.loads(capsys.readouterr().out)["status"]["unchanged"] == 2


def test_a_ledger_that_is_the_source_or_the_report_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit 2, and the source is as it was."""
    for arguments, said in (
        (["--ledger", "customers.csv"], "--ledger customers.csv: is the source itself; choose another path"),
        (["--ledger", "out.csv", "--report", "out.csv"], "--ledger out.csv: is the report too; choose another path"),
    ):
        assert run(["customers.csv", "--map", "user_id=customer_id", "--sandbox", "-q", *arguments]) == 2
        assert capsys.readouterr().err == f"interakt-loader: {said}\n"
    assert Path("customers.csv").read_text(encoding="utf-8") == ROWS


def test_a_dry_run_shows_what_would_go_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Every problem with count and rows, the calls and minutes it would take, and the first calls, byte for byte."""
    lines = [f"{n:03},98765 4321{n % 10},Ann" for n in range(500)]
    Path("many.csv").write_text("\n".join(["customer_id,mobile,name", *lines, "x,12,Bob"]), encoding="utf-8")
    arguments = ["--map", "user_id=customer_id", "--map", "phone=mobile", "--rate-limit", "growth", "--dry-run"]
    assert run(["many.csv", *arguments]) == 1
    out = capsys.readouterr().out
    assert "500 would be sent" in out
    assert "1 invalid phone_invalid: row 500 (line 502)" in out
    assert "to do: 501 rows, 1 invalid; 500 calls, about 2 min at 300/min\n" in out
    body = '{"userId":"000","countryCode":"+91","phoneNumber":"9876543210","traits":{"name":"Ann"}}'
    assert f"the first calls, to /v1/public/track/users/:\n  {body}\n" in out
    assert out.count('{"userId":') == 3


def test_what_goes_into_a_file_is_utf8_on_windows_too() -> None:
    """A mapping that `infer` writes holds the columns' own names; a stream of Windows would not take all of them."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="cp1252")
    speak_utf8([stream, None])
    stream.write("Größe ₹")
    stream.flush()
    assert written.getvalue().decode("utf-8") == "Größe ₹"
