"""Reading an account has the limit, the retries, the outages and the stops of a load, and continues after a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from interakt_loader import pull
from interakt_loader.account.contacts import PATH, Request, id_request, phone_request
from interakt_loader.account.kept import KeptReading
from interakt_loader.account.reader import AccountReader
from interakt_loader.errors import KeyRefused, LoadStopped, NotJustNow, Outage, SettingsError
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.settings import Settings
from tests.account.reading import after, all_ids, ended, environment, fill, ids, pulled, start
from tests.transport.servers import Server

COUNT = 5_000
CALLS = COUNT // 100
"""The fewest calls that read so many contacts."""

MORE = 30
"""Calls for the search of where the contacts are, and for the last page of each window."""

AGAIN = 24
"""Calls that are made again after an end: a window has up to 20 pages, and the account is counted and searched."""


@pytest.fixture
def account() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        fill(sandbox, COUNT)
        yield sandbox


@pytest.fixture
def slow() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(latency=0.01)) as sandbox:
        fill(sandbox, COUNT)
        yield sandbox


def break_off(sandbox: Sandbox, path: Path, reads: int = 40, **options: Any) -> int:
    """Read a part of an account, as if the network failed then; return how many calls were answered."""
    sandbox.on_read(after(reads, lambda: sandbox.set_faults("reset=100%")))
    with pytest.raises(LoadStopped):
        pulled(sandbox, path, max_outage=0, max_retries=0, **options)
    sandbox.on_read(None)
    sandbox.set_faults("")
    return sandbox.stats().reads_by_status[200]


@pytest.mark.parametrize("fault", ["429", "429-retry-after", "500", "503", "cut", "reset", "garbage", "html502"])
def test_failed_calls_are_tried_again(account: Sandbox, fault: str, tmp_path: Path) -> None:
    """All contacts are there, once."""
    # a 429 says how many calls the account allows: not at once, or there would be hardly any
    account.force([*[None] * 40, fault, None, fault, fault, None, None, fault])
    result = pulled(account, tmp_path / "out.parquet")
    assert account.stats().faults == {fault: 4}
    assert (result.ok, result.contacts, ids(result.path)) == (True, COUNT, all_ids(COUNT))
    assert result.calls == account.stats().reads


def test_a_call_without_an_answer_is_tried_again(account: Sandbox, tmp_path: Path) -> None:
    account.force([None, None, "hang", None, "hang"])
    assert ids(pulled(account, tmp_path / "out.parquet", timeout=0.5).path) == all_ids(COUNT)


def test_a_call_that_never_succeeds_ends_it_by_name(account: Sandbox, tmp_path: Path) -> None:
    """An answer that is not the API's is no empty account, and no traceback."""
    for fault, why in (
        ("garbage", "HTTP 200 with an answer that is not the API's"),
        ("html502", "HTTP 502"),
        ("400", "HTTP 400"),
    ):
        account.set_faults({fault: 1.0})
        with pytest.raises(LoadStopped, match=f"the account cannot be read: .*{why}"):
            pulled(account, tmp_path / "out.parquet", max_retries=1)
    assert [*tmp_path.iterdir()] == []


def test_a_wrong_address_is_no_empty_account(account: Sandbox, tmp_path: Path) -> None:
    """Only a look-up may find nobody: a page that is not there is an error."""
    with pytest.raises(LoadStopped, match="the account cannot be read: HTTP 404"):
        pull(tmp_path / "out.parquet", api_key=account.api_key, base_url=f"{account.url}/other")


def test_a_refused_key_and_a_plan_without_api(tmp_path: Path) -> None:
    """They have the words of a load, and leave nothing behind."""
    with Sandbox() as sandbox, Sandbox(SandboxOptions(plan_without_api=True)) as plain:
        sandbox.set_faults("401=100%")
        with pytest.raises(KeyRefused, match="Settings > Developer Settings"):
            pulled(sandbox, tmp_path / "out.parquet")
        with pytest.raises(KeyRefused, match="plan"):
            pulled(plain, tmp_path / "out.parquet")
        assert sandbox.stats().reads == plain.stats().reads == 1
    assert [*tmp_path.iterdir()] == []


def test_an_outage_ends_it_and_the_same_call_continues(account: Sandbox, tmp_path: Path) -> None:
    """What was read stays."""
    path = tmp_path / "out.parquet"
    account.on_read(after(40, lambda: account.set_faults("reset=100%")))
    with pytest.raises(Outage):
        pulled(account, path, max_outage=1)
    assert (path.exists(), (tmp_path / "out.parquet.part").is_dir()) == (False, True)
    account.on_read(None)
    account.set_faults("")
    assert ids(pulled(account, path).path) == all_ids(COUNT)
    assert account.stats().reads_by_status[200] <= CALLS + MORE + AGAIN
    assert [*tmp_path.iterdir()] == [path]


def test_the_declared_limit_is_kept(tmp_path: Path) -> None:
    """By all calls together: 32 calls at 20 a second take more than a second."""
    with Sandbox(SandboxOptions(record_arrivals=True)) as sandbox:
        fill(sandbox, 3_000)
        result = pulled(sandbox, tmp_path / "out.parquet", rate_limit="20/s")
        arrivals = sandbox.arrivals()
    assert result.calls == len(arrivals) >= 30
    assert arrivals[-1] - arrivals[0] >= (len(arrivals) - 1) / 20 * 0.9
    assert all(later - earlier >= 0.95 for earlier, later in zip(arrivals, arrivals[22:], strict=False))


def test_the_limit_is_detected(tmp_path: Path) -> None:
    """Without a declared one, 429s slow it down, and nothing is lost."""
    with Sandbox(SandboxOptions(limit_per_minute=10, window=0.3)) as sandbox:
        fill(sandbox, 3_000)
        assert ids(pulled(sandbox, tmp_path / "out.parquet").path) == all_ids(3_000)
        assert sandbox.stats().refused_by_limit > 0


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_it_and_the_same_command_continues(
    slow: Sandbox, tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    path = tmp_path / "out.parquet"
    process = start(slow, path)
    slow.on_read(after(40, lambda: process.send_signal(signum)))
    exit_code, result, messages = ended(process)
    assert (exit_code, result) == (code, {"error": f"interrupted by {signum.name}", "exit": code})
    assert messages.splitlines()[-1] == f"{path}.part: has what was read; the same command continues from there"
    assert not path.exists()
    slow.on_read(None)
    exit_code, result, messages = ended(start(slow, path))
    assert (exit_code, result["contacts"], ids(path)) == (0, COUNT, all_ids(COUNT))
    assert "continues after" in messages
    assert slow.stats().reads <= CALLS + MORE + AGAIN


@pytest.mark.parametrize("seed", range(6))
def test_kill_9_at_any_moment_loses_nothing(slow: Sandbox, tmp_path: Path, seed: int) -> None:
    """Windows that were read are not asked for again: what is read twice is the window of each kill."""
    path, rng, kills = tmp_path / "out.parquet", random.Random(seed), 3
    for _ in range(kills):
        process = start(slow, path)
        slow.on_read(after(rng.randint(1, 30), process.kill))
        assert ended(process)[0] == -signal.SIGKILL
    slow.on_read(None)
    exit_code, result, _ = ended(start(slow, path))
    assert (exit_code, result["contacts"], ids(path)) == (0, COUNT, all_ids(COUNT))
    assert slow.stats().reads <= CALLS + MORE + kills * AGAIN
    assert [*tmp_path.iterdir()] == [path]


def test_what_is_kept_is_its_owners_alone(account: Sandbox, tmp_path: Path) -> None:
    """The folder, its files, and the output; whatever the umask says."""
    seen: dict[str, int] = {}
    folder = tmp_path / "out.parquet.part"

    def look(_: Any) -> None:
        for path in (folder, *folder.iterdir()):
            seen[path.name] = stat.S_IMODE(path.stat().st_mode)

    account.on_read(look)
    former = os.umask(0)
    try:
        result = pulled(account, tmp_path / "out.parquet")
    finally:
        os.umask(former)
    assert seen == {"out.parquet.part": 0o700, "lock": 0o600, "contacts.jsonl": 0o600, "windows.jsonl": 0o600}
    assert stat.S_IMODE(result.path.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [result.path]


@pytest.mark.parametrize("other", ["account", "since"])
def test_another_account_and_another_since_begin_anew(account: Sandbox, tmp_path: Path, other: str) -> None:
    """Nothing of the first reading is in the file of the second."""
    path = tmp_path / "out.parquet"
    before = break_off(account, path)
    if other == "account":
        for number in range(COUNT):
            account.delete(f"C-{number}")
        account.put(user_id="other")
        account.renew_key("another-key")
        result = pulled(account, path)
        assert ids(path) == ["other"]
    else:
        result = pulled(account, path, since="2023-11-15")
        # 106 minutes after the first
        assert ids(path) == sorted(f"C-{number}" for number in range(107, COUNT))
        assert account.stats().reads_by_status[200] - before > CALLS - 10
    assert result.ok


def test_a_folder_that_was_damaged_begins_anew_where_it_must(account: Sandbox, tmp_path: Path) -> None:
    """A journal that was cut off, or contacts that are gone, are read again."""
    for damage in (
        lambda folder: (folder / "windows.jsonl").write_bytes(b'{"version": 1}\n[]\n'),
        lambda folder: (folder / "windows.jsonl").write_bytes(b"\x00" * 100),
        lambda folder: (folder / "windows.jsonl").write_bytes((folder / "windows.jsonl").read_bytes()[:-9]),
        lambda folder: os.truncate(folder / "contacts.jsonl", 1000),
        lambda folder: (folder / "contacts.jsonl").unlink(),
    ):
        path = tmp_path / "out.parquet"
        break_off(account, path)
        damage(tmp_path / "out.parquet.part")
        assert ids(pulled(account, path).path) == all_ids(COUNT)


def test_a_second_process_gets_one_line(account: Sandbox, tmp_path: Path) -> None:
    """The first one has the folder."""
    path = tmp_path / "out.parquet"
    settings = Settings(api_key=account.api_key, base_url=account.url)
    with closing(KeptReading(tmp_path / "out.parquet.part", settings, 0, 1)):
        with pytest.raises(NotJustNow):
            pulled(account, path)
        exit_code, _, messages = ended(start(account, path))
    assert exit_code == 2
    assert messages == f"interakt-loader: {path}.part: another process reads an account to there\n"
    assert account.stats().reads == 0


@pytest.mark.parametrize("what", ["contacts", "table"])
def test_a_full_disk_ends_it_in_one_line(account: Sandbox, tmp_path: Path, what: str) -> None:
    """Exit code 3, and the same command continues when there is room."""
    path = tmp_path / "out.jsonl"
    whole = pulled(account, path).path.stat().st_size
    path.unlink()
    # the table is the largest file
    room = 100_000 if what == "contacts" else whole - 10
    code = (
        "import resource, signal, sys; from interakt_loader.cli import run;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}));"
        "sys.exit(run(sys.argv[1:]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, "pull", str(path)],
        env={name: value for name, value in environment(account).items() if not name.startswith("COVERAGE_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    full = f"{path}.part" if what == "contacts" else path
    assert process.stderr.splitlines()[-1] == f"interakt-loader: {full}: cannot be written: File too large"
    assert (process.returncode, [one.name for one in tmp_path.iterdir()]) == (3, ["out.jsonl.part"])
    before = account.stats().reads
    assert pulled(account, path).contacts == COUNT
    assert what == "contacts" or account.stats().reads - before < 10


def test_a_folder_that_cannot_be_written_is_said_before_any_call(account: Sandbox, tmp_path: Path) -> None:
    """One line that names it."""
    (tmp_path / "out.parquet.part").write_text("a file")
    with pytest.raises(SettingsError, match=r"out\.parquet\.part: cannot be written: "):
        pulled(account, tmp_path / "out.parquet")
    assert account.stats().reads == 0


@pytest.mark.parametrize(
    "body",
    [
        '[{"name": "Asha", "phone_number": "9876543210"}]',
        '"Asha 9876543210',
        '{"data": {"customers": [{"user_id": "Asha", "phone_number": "98765432',
        '{"data": {"customers": [{"modified_at_utc": "Asha"}], "total_customers": 1, "has_next_page": false}}',
        '{"data": {"customers": "9876543210"}}',
    ],
)
def test_a_message_has_nobody_in_it(
    tmp_path: Path, body: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that is cut, or that has another form, may begin with people."""
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with Server(answer) as server, pytest.raises(LoadStopped, match="is not the API's") as caught:
        pull(tmp_path / "out.csv", api_key="key", base_url=server.url, max_retries=0)
    shown = capsys.readouterr()
    texts = str(caught.value), shown.out, shown.err, caplog.text
    assert [text for text in texts if "Asha" in text or "98765" in text] == []


def test_a_connection_that_breaks_off_in_a_page_is_said(tmp_path: Path) -> None:
    """The same as a call without an answer."""
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"data": {"customers": [{"user_id": "Asha"'
    with Server(answer, hangs_up=True) as server, pytest.raises(LoadStopped, match="broke off") as caught:
        pull(tmp_path / "out.csv", api_key="key", base_url=server.url, max_retries=0)
    assert "Asha" not in str(caught.value)


# ------------------------------------------------------------------ single look-ups


@pytest.fixture
def asked(account: Sandbox) -> Iterator[AccountReader]:
    with AccountReader(Settings(api_key=account.api_key, base_url=account.url, max_retries=0)) as reader:
        yield reader


def answer(content: Any) -> bytes:
    """Return a response with this as JSON."""
    body = json.dumps(content)
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_a_probe_without_an_answer_stops_the_reader(account: Sandbox, asked: AccountReader) -> None:
    """As any other call does."""
    account.set_faults("500=100%")
    with pytest.raises(LoadStopped, match="the account cannot be read: HTTP 500"):
        asked.probe(id_request("C-1"))


def test_the_reader_goes_on_after_a_probe(account: Sandbox, asked: AccountReader) -> None:
    """Whatever the answer: 400, 405, 404 of another path, and a 200 that is not the API's."""
    assert asked.probe(phone_request("x")) is None
    assert asked.probe(Request("GET", PATH)) is None
    assert asked.probe(Request("GET", f"{PATH}email/x")) == (0, False, [])
    account.force(["garbage"])
    assert asked.probe(id_request("C-1")) is None
    page = asked.probe(id_request("C-1"))
    assert page is not None
    assert [one.user_id for one in page.contacts] == ["C-1"]
    assert (asked.count(), account.stats().faults) == (COUNT, {"garbage": 1})


@pytest.mark.parametrize("shape", [{"data": {"user_id": "Asha"}}, {"result": False, "message": "Asha"}, ["Asha"]])
def test_a_probe_takes_any_shape(shape: Any) -> None:
    """At once: it would come again."""
    with Server(answer(shape)) as server, AccountReader(Settings(api_key="key", base_url=server.url)) as reader:
        assert reader.probe(id_request("C-1")) is None
        assert reader.attempts == 1


def test_a_look_up_of_another_shape_is_an_error() -> None:
    """As a page is, with nobody in it. A call that is refused is none."""
    with Server(answer({"data": {"user_id": "Asha"}})) as server:
        settings = Settings(api_key="key", base_url=server.url, max_retries=0)
        with AccountReader(settings) as reader, pytest.raises(LoadStopped, match="200 with an answer that") as caught:
            reader.look_up([id_request("C-1")])
    assert "Asha" not in str(caught.value)
    refused = answer({"result": False})
    with Server(refused) as server, AccountReader(Settings(api_key="key", base_url=server.url)) as reader:
        assert reader.look_up([id_request("C-1")] * 2) == [None, None]
