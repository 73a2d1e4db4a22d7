"""The account that a ledger belongs to: its secret, and what happens when the API key is renewed."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader import LoadResult, MappingDict, check, load_events, load_users
from interakt_loader.cli import run
from interakt_loader.errors import AnotherKey, SettingsError
from interakt_loader.integrations.airflow import load_events_task
from interakt_loader.ledger import Ledger
from interakt_loader.ledger.account import SECRET, address_id, secret_id, unwrap, wrap
from interakt_loader.ledger.digests import EVENT
from interakt_loader.ledger.in_flight import InFlight
from interakt_loader.ledger.store import Store
from interakt_loader.model import Entry, Message
from interakt_loader.sandbox import Sandbox, SandboxOptions
from interakt_loader.settings import Settings
from tests.privacy.marked import PLAIN, SECRET_KEY, files_with_the_key, forms_in

posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows keeps files from others by other means")

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
HERE = address_id("https://api.interakt.ai")

# ------------------------------------------------------------------ wrapping


@given(st.binary(min_size=SECRET, max_size=SECRET), KEYS)
def test_the_key_that_wrapped_a_secret_unwraps_it(secret: bytes, key: str) -> None:
    """Whatever both are; and no part of the secret can be read in between."""
    wrapped = wrap(secret, key, HERE)
    assert unwrap(wrapped, key, HERE) == secret
    assert secret not in wrapped


@given(st.binary(min_size=SECRET, max_size=SECRET), st.data())
def test_a_flipped_bit_is_refused(secret: bytes, data: st.DataObject) -> None:
    """Wherever it is, and however many bytes are missing or too many."""
    wrapped = wrap(secret, "key", HERE)
    bit = data.draw(st.integers(0, 8 * len(wrapped) - 1))
    flipped = bytearray(wrapped)
    flipped[bit // 8] ^= 1 << bit % 8
    assert unwrap(bytes(flipped), "key", HERE) is None
    cut = data.draw(st.integers(0, len(wrapped) - 1))
    assert unwrap(wrapped[:cut], "key", HERE) is None
    assert unwrap(wrapped + b"\0", "key", HERE) is None


def test_another_key_or_another_address_unwraps_nothing() -> None:
    """A record that was copied to another address is none there."""
    wrapped = wrap(bytes(SECRET), "key", HERE)
    assert unwrap(wrapped, "kez", HERE) is None
    assert unwrap(wrapped, "key", address_id("https://api.interakt.ai/v2")) is None


@pytest.mark.parametrize(
    "form",
    [
        SECRET_KEY,
        f"{PLAIN}:",
        f"Basic {SECRET_KEY}",
        f"basic  {PLAIN}",
        f" {PLAIN}\n",
        base64.b64encode(SECRET_KEY.encode()).decode(),
    ],
)
def test_all_forms_of_a_key_unwrap_it(form: str) -> None:
    """The dashboard's, the SDK's, and what people paste: to a ledger they are one key."""
    assert unwrap(wrap(bytes(range(SECRET)), PLAIN, HERE), form, HERE) == bytes(range(SECRET))
    assert unwrap(wrap(bytes(range(SECRET)), form, HERE), PLAIN, HERE) == bytes(range(SECRET))


def test_no_two_wrappings_have_anything_in_common() -> None:
    """But the version and the id in front: each has a salt of its own, and so another key stream."""
    first, second = (wrap(bytes(SECRET), "key", HERE) for _ in range(2))
    assert first[:17] == second[:17] == b"\x01" + secret_id(bytes(SECRET))
    assert len({first[17:33], second[17:33], first[33:65], second[33:65], first[65:], second[65:]}) == 6


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://api.interakt.ai", "https://API.interakt.ai/", True),
        ("https://api.interakt.ai", "HTTPS://api.interakt.ai:443", True),
        ("https://api.interakt.ai", "https://api.interakt.ai.", True),
        ("http://127.0.0.1:80//", "http://127.0.0.1", True),
        ("https://münchen.example", "https://xn--mnchen-3ya.example/", True),
        ("https://api.interakt.ai", "https://api.interakt.ai:80", False),
        ("https://api.interakt.ai/a", "https://api.interakt.ai/A", False),
        ("http://127.0.0.1:8077", "http://localhost:8077", False),
        ("http://127.0.0.1:443", "https://127.0.0.1", False),
    ],
)
def test_one_address_however_it_is_written(one: str, other: str, same: bool) -> None:
    """Case of the host, its own port and a last slash make no other one; all else does."""
    assert (address_id(one) == address_id(other)) is same


# ------------------------------------------------------------------ a renewed key

ROWS = pd.DataFrame({"user": [f"u{n}" for n in range(5)], "city": "Pune", "at": "2026-01-31T12:00:00Z"})
USERS: MappingDict = {"user_id": "user", "traits": ["city"]}
EVENTS: MappingDict = USERS | {"event": {"value": "Visit"}, "created_at": "at"}
OLD, NEW = "the-old-key-0123456789", "the-new-key-9876543210"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of this test's own."""
    folder = tmp_path / "state"
    monkeypatch.setenv("INTERAKT_STATE_DIR", str(folder))
    return folder


class Account:
    """An account at one address, whose key can be renewed; a ledger, and loads of the same events with it."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "own" / "visits.ledger"
        self.ledger.parent.mkdir()
        self.port = 0
        self.calls = 0

    @contextmanager
    def serving(self, key: str) -> Iterator[Sandbox]:
        """Let this key in, and no other."""
        with Sandbox(SandboxOptions(api_key=key, port=self.port)) as sandbox:
            self.port = sandbox.port
            try:
                yield sandbox
            finally:
                self.calls = sandbox.stats().calls

    def load(self, served: str, key: str, **options: Any) -> LoadResult:
        """Load the events while the account's key is `served`, with this key."""
        with self.serving(served) as sandbox:
            return load_events(ROWS, EVENTS, api_key=key, base_url=sandbox.url, ledger=self.ledger, **options)

    def wrapped(self) -> bytes:
        """Return the wrapped secret in the ledger."""
        db = sqlite3.connect(self.ledger)
        ((wrapped,),) = db.execute("SELECT wrapped FROM destinations")
        db.close()
        return bytes(wrapped)


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An account, of which nothing has been sent yet."""
    return Account(tmp_path)


def test_a_renewed_key_stops_the_load_before_any_call_and_same_account_goes_on(state: Path, account: Account) -> None:
    """Exit 2 offers both ways on. With `same_account` no event is sent again, and from then on the new key is enough;
    the old one is another key now."""
    assert account.load(OLD, OLD).sent == 5
    with pytest.raises(AnotherKey) as caught:
        account.load(NEW, NEW)
    assert account.calls == 0
    assert caught.value.exit_code == 2
    said = str(caught.value)
    assert "\n" not in said
    assert all(
        word in said for word in ("visits.ledger", "was renewed", "same_account=True", "ledger=PATH", "name=NAME")
    )
    assert account.load(NEW, NEW, same_account=True).unchanged == 5
    assert account.load(NEW, NEW).unchanged == 5
    assert account.load(NEW, NEW, same_account=True).unchanged == 5
    with pytest.raises(AnotherKey):
        account.load(OLD, OLD)


def test_by_command(
    state: Path, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same with flags, for users as for events: one line on the terminal says what to do."""
    monkeypatch.chdir(tmp_path)
    ROWS.to_csv("visits.csv", index=False)
    for kind, flags in (("events", ["--event", "Visit", "--map", "created_at=at"]), ("users", [])):

        def load(key: str, *more: str, kind: str = kind, flags: list[str] = flags) -> int:
            monkeypatch.setenv("INTERAKT_API_KEY", key)
            with account.serving(key) as sandbox:
                command = ["visits.csv", "--base-url", sandbox.url, "--as", kind, "--map", "user_id=user", *flags, "-q"]
                return run([*command, "--name", kind, "--ledger", f"{kind}.ledger", *more])

        assert (load(OLD), account.calls) == (0, 5)
        capsys.readouterr()
        assert (load(NEW), account.calls) == (2, 0)
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("interakt-loader: ledger ")
        assert err.count("\n") == 1
        assert "--same-account" in err
        assert (load(NEW, "--dry-run"), account.calls) == (2, 0)
        assert (load(NEW, "--dry-run", "--same-account"), account.calls) == (0, 0)
        assert (load(NEW), account.calls) == (2, 0)
        assert (load(NEW, "--same-account"), account.calls) == (0, 0)
        assert (load(NEW), account.calls) == (0, 0)


def test_without_the_state_folder_the_old_key_opens_the_ledger(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--old-api-key-file`; without it, and with a key that is neither, exit 2 says what is missing."""
    account.load(OLD, OLD)
    with pytest.raises(AnotherKey, match="does not hold its secret; give the old key too: old_api_key=KEY"):
        account.load(NEW, NEW, same_account=True)
    with pytest.raises(AnotherKey, match="the old API key is not the one that this ledger was last used with"):
        account.load(NEW, NEW, same_account=True, old_api_key="neither")
    assert account.calls == 0
    monkeypatch.chdir(tmp_path)
    ROWS.to_csv("visits.csv", index=False)
    Path("mapping.json").write_text(json.dumps(EVENTS), encoding="utf-8")
    Path("old").write_text(f"Basic {OLD}\n", encoding="utf-8")
    Path("old").chmod(0o600)
    monkeypatch.setenv("INTERAKT_API_KEY", NEW)
    with account.serving(NEW) as sandbox:
        command = ["visits.csv", "--base-url", sandbox.url, "--mapping", "mapping.json", "--ledger"]
        command += [str(account.ledger), "--name", "visits", "-q"]
        assert run([*command, "--same-account", "--old-api-key-file", "old"]) == 0
        assert run(command) == 0
        assert run([*command, "--old-api-key-file", "old"]) == 2
        assert "--old-api-key-file is given without --same-account" in capsys.readouterr().err
        assert run([*command, "--same-account", "--old-api-key-file", "nowhere"]) == 2
        assert capsys.readouterr().err.startswith("interakt-loader: --old-api-key-file nowhere: cannot be read")
        assert run([*command, "--old-api-key", OLD]) == 2
        assert "give --old-api-key-file FILE" in (err := capsys.readouterr().err)
        assert OLD not in err
    assert account.calls == 0


def test_another_account_by_mistake_gets_nothing(state: Path, account: Account) -> None:
    """Its key at the same address: no call; with a ledger of its own everything is sent to it."""
    account.load(OLD, OLD)
    with pytest.raises(AnotherKey):
        account.load("key-of-another-account", "key-of-another-account")
    assert account.calls == 0
    account.ledger = account.ledger.with_name("another.ledger")
    assert account.load("key-of-another-account", "key-of-another-account").sent == 5


def test_the_same_rows_go_to_each_address_of_one_ledger(
    state: Path, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has a secret of its own, so that what one has counts nowhere else, and that is said; renewing the key of one
    leaves the other as it is."""
    assert account.load(OLD, OLD).sent == 5
    assert "nothing on record" not in caplog.text
    with Sandbox() as other:
        to: dict[str, Any] = {"api_key": other.api_key, "base_url": other.url, "ledger": account.ledger}
        assert load_events(ROWS, EVENTS, **to).sent == 5
        assert f"has nothing on record for {other.url}" in caplog.text
        assert account.load(NEW, NEW, same_account=True).unchanged == 5
        assert load_events(ROWS, EVENTS, **to).unchanged == 5
    assert len(list((state / "ledgers").iterdir())) == 2
    assert account.load(NEW, NEW).unchanged == 5


def test_forms_of_one_address_have_one_record(account: Account) -> None:
    """A slash at the end, capitals: nothing is sent again."""
    account.load(OLD, OLD)
    with account.serving(OLD) as sandbox:
        for form in (f"{sandbox.url}/", sandbox.url.replace("http", "HTTP")):
            result = load_events(ROWS, EVENTS, api_key=OLD, base_url=form, ledger=account.ledger)
            assert result.unchanged == 5


# ------------------------------------------------------------------ keys that prove to be wrong


def test_a_first_load_with_a_wrong_key_does_not_keep_the_right_one_out(state: Path, account: Account) -> None:
    """Nothing is on record yet, so the ledger belongs to nobody; and no secret of it stays behind."""
    assert account.load(OLD, "mistyped").exit_code == 3
    assert list((state / "ledgers").iterdir()) == []
    assert account.load(OLD, OLD).sent == 5


def test_nor_does_one_at_a_second_address(state: Path, account: Account) -> None:
    """What the first address has on record stays as it is."""
    account.load(OLD, OLD)
    with Sandbox() as other:
        to: dict[str, Any] = {"base_url": other.url, "ledger": account.ledger}
        assert load_events(ROWS, EVENTS, api_key="mistyped", **to).exit_code == 3
        assert load_events(ROWS, EVENTS, api_key=other.api_key, **to).sent == 5
    assert account.load(OLD, OLD).unchanged == 5


def test_a_first_load_that_leaves_a_call_in_doubt_keeps_its_secret(account: Account) -> None:
    """The event may have been accepted: the next load has to know it again."""
    with account.serving(OLD) as sandbox:
        sandbox.force(["cut"] * 5)
        to: dict[str, Any] = {"api_key": OLD, "base_url": sandbox.url, "ledger": account.ledger}
        assert load_events(ROWS, EVENTS, max_retries=0, **to).unknown == 5
        result = load_events(ROWS, EVENTS, **to)
    assert result.to_pandas()["maybe_duplicate"].tolist() == [True] * 5


def test_calls_that_a_killed_load_left_behind_are_no_damage(tmp_path: Path) -> None:
    """Its ledger was deleted, the file of its calls was not: the next ledger begins with nothing, and is opened again
    like any other."""
    left = InFlight(tmp_path / "l-calls", 1, b"i" * 16)
    left.begin(Message(0, "event", "u", b"{}", entry=Entry(b"k" * 16, EVENT)))
    left.close()
    for _ in range(2):
        Ledger(tmp_path / "l", "event", Settings(api_key=OLD)).close()
    assert not (tmp_path / "l-calls").exists()


def test_a_mistyped_new_key_leaves_the_ledger_to_the_old_one(account: Account) -> None:
    """The API refuses it: the same command with the right key continues, old key and all."""
    account.load(OLD, OLD)
    more = ROWS.assign(city="Agra")
    with account.serving(NEW) as sandbox:
        to: dict[str, Any] = {"base_url": sandbox.url, "ledger": account.ledger}
        to |= {"same_account": True, "old_api_key": OLD}
        assert load_events(more, EVENTS, api_key="mistyped", **to).exit_code == 3
        assert load_events(more, EVENTS, api_key=NEW, **to).sent == 5
        assert load_events(ROWS, EVENTS, api_key=NEW, base_url=sandbox.url, ledger=account.ledger).unchanged == 5


# ------------------------------------------------------------------ what lies on disks


def test_the_old_wrapping_is_nowhere_once_a_call_is_accepted(state: Path, account: Account, tmp_path: Path) -> None:
    """Nor are the salt and the encrypted secret alone: not in the ledger, nor in any file beside it, during the load
    and after it. A row that is refused after the first one that was sent looks at the files."""
    account.load(OLD, OLD)
    old = account.wrapped()
    assert old in account.ledger.read_bytes()
    seen: list[dict[str, bool]] = []

    def look(*_: object) -> None:
        parts = (old, old[17:33], old[33:65], old[65:])
        files = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        seen.append({name: any(part in held for part in parts) for name, held in files.items()})

    with account.serving(NEW) as sandbox:
        sandbox.force_for("u4", ["400"])
        to: dict[str, Any] = {"api_key": NEW, "base_url": sandbox.url, "ledger": account.ledger}
        result = load_events(ROWS.assign(city="Agra"), EVENTS, same_account=True, on_error=look, workers=1, **to)
    assert (result.sent, result.rejected) == (4, 1)
    look()
    assert {"visits.ledger", "visits.ledger-wal", "visits.ledger-calls"} <= seen[0].keys()
    assert [name for one in seen for name, holds in one.items() if holds] == []
    assert account.wrapped()[:17] == old[:17]


def test_a_secret_that_is_taken_out_is_nowhere(tmp_path: Path) -> None:
    """Alone, and beside one that stays."""
    for kept in ({}, {HERE: wrap(bytes(SECRET), OLD, HERE)}):
        store = Store(tmp_path / "l")
        for at, wrapped in kept.items():
            store.put_destination(at, wrapped)
        gone = wrap(bytes(SECRET), OLD, b"elsewhere")
        store.put_destination(b"elsewhere", gone)
        store.put_destination(b"elsewhere", None)
        assert store.destinations() == kept
        assert [path.name for path in tmp_path.iterdir() if gone[33:65] in path.read_bytes()] == []
        store.close()


@posix_only
def test_a_copy_of_the_secret_lies_in_the_state_folder(state: Path, account: Account, tmp_path: Path) -> None:
    """For its owner only, in a file whose name is its id alone; what is missing or damaged is there again after the
    next load."""
    account.load(OLD, OLD)
    (copy,) = (state / "ledgers").iterdir()
    secret = copy.read_bytes()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (state, copy.parent, copy)]
    assert (modes, len(secret), copy.name) == ([0o700, 0o700, 0o600], SECRET, secret_id(secret).hex())
    assert unwrap(account.wrapped(), OLD, address_id(f"http://127.0.0.1:{account.port}")) == secret
    for spoil in (copy.unlink, lambda: copy.write_bytes(secret[:7]), lambda: copy.write_bytes(bytes(SECRET))):
        spoil()
        account.load(OLD, OLD)
        assert copy.read_bytes() == secret
    copy.write_bytes(bytes(SECRET))
    with pytest.raises(AnotherKey, match="state folder does not hold its secret"):
        account.load(NEW, NEW, same_account=True)


def test_where_no_copy_can_be_kept_a_load_goes_without(account: Account, state: Path) -> None:
    """A file stands where the folder would be."""
    state.mkdir()
    (state / "ledgers").write_bytes(b"")
    assert account.load(OLD, OLD).sent == 5
    assert account.load(NEW, NEW, same_account=True, old_api_key=OLD).unchanged == 5


def test_a_ledger_that_is_copied_elsewhere_needs_the_key_alone(
    account: Account, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another machine the state folder is empty; from then on it has the secret too."""
    account.load(OLD, OLD)
    monkeypatch.setenv("INTERAKT_STATE_DIR", str(tmp_path / "elsewhere"))
    copied = tmp_path / "copied.ledger"
    copied.write_bytes(account.ledger.read_bytes())
    account.ledger = copied
    assert account.load(OLD, OLD).unchanged == 5
    assert account.load(NEW, NEW, same_account=True).unchanged == 5


def test_no_file_and_no_word_holds_a_key(
    account: Account, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the old one nor the new one, in whichever form: in the ledger, the state folder, the log, an error."""
    caplog.set_level("DEBUG")
    shown: list[str] = []

    def refused(key: str, **options: Any) -> None:
        with pytest.raises(SettingsError) as caught:
            account.load(key, key, **options)
        shown.append(repr(caught.value))

    account.load(PLAIN, PLAIN)
    refused(NEW)
    refused(NEW, same_account=True, old_api_key="")
    refused(NEW, old_api_key=PLAIN)
    result = account.load(NEW, NEW, same_account=True, old_api_key=SECRET_KEY)
    shown += [repr(result), str(result.options), repr(Settings(same_account=True, ledger="l", old_api_key=PLAIN))]
    assert account.load(SECRET_KEY, f"{PLAIN}:", same_account=True).unchanged == 5
    refused(NEW)
    assert files_with_the_key(tmp_path) == {}
    assert forms_in("".join(shown) + caplog.text + "".join(capsys.readouterr())) == []
    assert len(shown) == 7


# ------------------------------------------------------------------ damage


def test_a_damaged_secret_is_told_from_another_key(state: Path, account: Account) -> None:
    """Whichever byte of it flips: exit 2 says *damaged*, with the right key as with another, and nothing is sent."""
    account.load(OLD, OLD)
    whole, wrapped = account.ledger.read_bytes(), account.wrapped()
    at = whole.index(wrapped)
    for offset in (-1, 0, 1, 17, 33, 65, len(wrapped) - 1, len(wrapped)):
        damaged = bytearray(whole)
        damaged[at + offset] ^= 0x10
        account.ledger.write_bytes(damaged)
        for key in (OLD, NEW):
            with pytest.raises(SettingsError, match=r"visits\.ledger: is damaged") as caught:
                account.load(key, key, same_account=True)
            assert not isinstance(caught.value, AnotherKey)
            assert account.calls == 0
    account.ledger.write_bytes(whole)
    assert account.load(OLD, OLD).unchanged == 5


@pytest.mark.parametrize("lost", ["DELETE FROM destinations", "DELETE FROM destinations WHERE address = :here"])
def test_a_secret_that_is_lost_is_damage_too(account: Account, lost: str) -> None:
    """Else the address would look new, and everything would be sent again."""
    account.load(OLD, OLD)
    with Sandbox() as other:
        load_events(ROWS, EVENTS, api_key=other.api_key, base_url=other.url, ledger=account.ledger)
    db = sqlite3.connect(account.ledger)
    assert db.execute(lost, {"here": address_id(f"http://127.0.0.1:{account.port}")}).rowcount > 0
    db.commit()
    db.close()
    with pytest.raises(SettingsError, match="is damaged"):
        account.load(OLD, OLD)
    assert account.calls == 0


@pytest.mark.parametrize(
    "spoils",
    [
        "UPDATE destinations SET wrapped = zeroblob(97) WHERE address = x'61'",
        "UPDATE destinations SET wrapped = 'text' WHERE address = x'61'",
        "UPDATE destinations SET checksum = zeroblob(16) WHERE address = x'61'",
        "UPDATE destinations SET address = x'63' WHERE address = x'61'",
        "DELETE FROM destinations WHERE address = x'61'",
        "DELETE FROM destinations",
    ],
)
def test_a_row_that_is_not_what_it_was_is_damage(tmp_path: Path, spoils: str) -> None:
    """Even where the file itself is whole, as after another program has written to it; asked for either address."""
    store = Store(tmp_path / "l")
    store.put_destination(b"a", wrap(bytes(SECRET), OLD, b"a"))
    store.put_destination(b"b", wrap(bytes(SECRET), OLD, b"b"))
    store.append([(b"k" * 16, EVENT, None, False)])
    assert store.destinations().keys() == {b"a", b"b"}
    store.db.execute(spoils)
    with pytest.raises(SettingsError, match="l: is damaged"):
        store.destinations()
    store.close()


DIES_WITHIN = """
import os, signal, sys
from interakt_loader.ledger import Ledger
from interakt_loader.settings import Settings

path, url, key, statement = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
ledger = Ledger(path, "event", Settings(api_key=key, base_url=url, ledger=path, same_account=True))
run = []

def dies(sql):
    run.append(sql)
    if len(run) == statement:
        os.kill(os.getpid(), signal.SIGKILL)

ledger._store.db.set_trace_callback(dies)
ledger.renew_account()
print(*run, sep="\\n")
"""


@posix_only
def test_a_kill_while_the_key_is_renewed_leaves_one_of_the_two(state: Path, account: Account) -> None:
    """Before each of the statements in turn: either key opens the ledger afterwards, and no event is sent again."""
    account.load(OLD, OLD)
    whole, url, opened = account.ledger.read_bytes(), f"http://127.0.0.1:{account.port}", []
    for statement in range(1, 100):
        account.ledger.write_bytes(whole)
        command = [sys.executable, "-c", DIES_WITHIN, str(account.ledger), url, NEW, str(statement)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        for key in (OLD, NEW):
            try:
                Ledger(account.ledger, "event", Settings(api_key=key, base_url=url)).close()
            except AnotherKey:
                continue
            opened.append(key)
            assert account.load(key, key).unchanged == 5
        if done.returncode == 0:
            assert "COMMIT" in done.stdout
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(opened) == statement
    assert set(opened) == {OLD, NEW}
    assert opened == sorted(opened, key=[OLD, NEW].index)


# ------------------------------------------------------------------ around it


def test_a_dry_run_says_the_same_and_changes_nothing(state: Path, account: Account) -> None:
    """With another key it refuses; with `same_account` it plans; afterwards the old key is the ledger's as before."""
    account.load(OLD, OLD)
    (copy,) = (state / "ledgers").iterdir()
    before, more = account.wrapped(), pd.concat([ROWS, ROWS.assign(city="Agra")])
    to: dict[str, Any] = {"base_url": f"http://127.0.0.1:{account.port}", "ledger": account.ledger}
    with pytest.raises(AnotherKey):
        check(more, EVENTS, api_key=NEW, **to)
    for rows, unsent in ((more, 5), (ROWS, 0)):
        result = check(rows, EVENTS, api_key=NEW, same_account=True, **to)
        assert (result.unchanged, result.unsent) == (5, unsent)
    copy.unlink()
    check(more, EVENTS, api_key=OLD, **to)
    assert not copy.exists()
    assert account.wrapped() == before


def test_users_are_kept_like_events(state: Path, account: Account) -> None:
    """One secret for both kinds."""
    with account.serving(OLD) as sandbox:
        load_users(ROWS, USERS, api_key=OLD, base_url=sandbox.url, ledger=account.ledger)
        load_events(ROWS, EVENTS, api_key=OLD, base_url=sandbox.url, ledger=account.ledger)
    with account.serving(NEW) as sandbox:
        to: dict[str, Any] = {"api_key": NEW, "base_url": sandbox.url, "ledger": account.ledger}
        with pytest.raises(AnotherKey):
            load_users(ROWS, USERS, **to)
        assert load_users(ROWS, USERS, same_account=True, **to).unchanged == 5
        assert load_events(ROWS, EVENTS, **to).unchanged == 5


def test_airflow_does_not_try_again_with_another_key(
    state: Path, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection's key was renewed: the task fails for good, and continues with `same_account`, as text too."""
    source = tmp_path / "visits.parquet"
    ROWS.to_parquet(source)

    def load(key: str, **options: Any) -> dict[str, Any]:
        with account.serving(key) as sandbox:
            return load_events_task(str(source), EVENTS, api_key=key, base_url=sandbox.url, **options)

    load(OLD)
    with pytest.raises(AnotherKey) as caught:
        load(NEW)
    assert not caught.value.can_retry
    assert load(NEW, same_account="true")["status"]["unchanged"] == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"same_account": True},
            r"same_account is about the ledger: give ledger=PATH too",
        ),
        ({"old_api_key": "k", "ledger": "l"}, "old_api_key is given without same_account"),
        ({"old_api_key": " ", "ledger": "l", "same_account": True}, "old_api_key is blank"),
        ({"old_api_key": 5, "ledger": "l", "same_account": True}, "old_api_key has the type int; expected text"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], said: str) -> None:
    """One line each."""
    with pytest.raises(SettingsError, match=said):
        Settings(**options)
