"""The key is in nothing that is written, shown, pickled or handed on."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from interakt_loader.errors import SettingsError
from interakt_loader.integrations.spark.task import Load
from interakt_loader.mapping import Mapping
from interakt_loader.model import authorization
from interakt_loader.privacy.secrets import Secret
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from interakt_loader.settings import Settings
from interakt_loader.transport import read_answer
from interakt_loader.transport.http import KeyForms
from interakt_loader.transport.route import Head
from tests.privacy.marked import (
    FORMS,
    PLAIN,
    SECRET_KEY,
    family,
    files_with_the_key,
    forms_in,
    said_of,
    without_the_key,
)


def run_everything(folder: Path, url: str) -> str:
    """Run the program that does everything in a folder, and put there what it printed; return that."""
    (folder / "temporary").mkdir()
    keys = json.dumps([SECRET_KEY, PLAIN, f"Basic {SECRET_KEY}"])
    environment = {"MARKED_KEYS": keys, "MARKED_URL": url, "TMPDIR": str(folder / "temporary")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.privacy.everything"],
        cwd=folder,
        env=without_the_key() | environment,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    (folder / "stdout").write_text(done.stdout, encoding="utf-8")
    (folder / "stderr").write_text(done.stderr, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(240)  # some forty loads in one go: seconds, but not on a machine with much else to do
def test_the_key_is_in_nothing_that_is_written(tmp_path: Path) -> None:
    """Loads, checks, track and commands, successful and failing, logged at DEBUG with the locals of every traceback.
    Each object is searched and, if possible, pickled. No form of the key is in any output, file or file's name."""
    with Sandbox(SandboxOptions(api_key=SECRET_KEY)) as sandbox:
        printed = run_everything(tmp_path, sandbox.url)
        assert sandbox.stats().accepted > 20
    assert printed.endswith("--- done\n")
    for shown in (
        "api_key = •••",
        "<HttpTransport to http",
        "'_heads': {'user': <Head>",
        "the server's certificate cannot be trusted",
    ):
        assert shown in printed
    log = tmp_path / "log.txt"
    logged = log.read_text(encoding="utf-8")
    for level in (
        "interakt_loader DEBUG",
        "interakt_loader WARNING",
        "interakt_loader ERROR",
        "urllib3.connectionpool",
    ):
        assert level in logged
    assert len(list(tmp_path.glob("pickle-*"))) > 20
    assert files_with_the_key(tmp_path) == {}
    log.write_text(f"{logged}DEBUG Authorization: {authorization(PLAIN)}\n", encoding="utf-8")
    assert list(files_with_the_key(tmp_path)) == ["log.txt"]


def test_every_form_of_a_key_that_is_let_out_is_found() -> None:
    """In UTF-8 and in UTF-16; a text that only begins alike is none."""
    for name, form in FORMS.items():
        assert name in forms_in(f"before{form}after".encode())
        assert name in forms_in(f"before{form}after".encode("utf-16-le"))
    assert forms_in("an innocent text, bTRyazNk") == []


def test_neither_the_process_list_nor_a_child_has_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A load runs by command, with a sandbox in a process of its own. No command line of a process contains the key,
    and neither does the environment of the sandbox."""
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("there is no /proc to read other processes' command lines from")
    (tmp_path / "users.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(400)), encoding="utf-8")
    monkeypatch.setenv("INTERAKT_API_KEY", SECRET_KEY)
    with SandboxProcess(SandboxOptions(api_key=SECRET_KEY, latency=0.05)) as sandbox:
        command = [
            sys.executable,
            "-m",
            "interakt_loader",
            "users.csv",
            "--base-url",
            sandbox.url,
            "--map",
            "user_id=id",
        ]
        environment = without_the_key() | {"INTERAKT_API_KEY": SECRET_KEY}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as process:
            while sandbox.stats().calls < 20:
                assert process.poll() is None
            us = family(os.getpid())
            assert process.pid in us
            said = said_of(us, "cmdline")
            process.terminate()
            process.wait(20)
        assert b"interakt_loader.sandbox" in said
        assert b"user_id=id" in said
        assert forms_in(said) == []
        of_sandbox = [pid for pid in us if b"interakt_loader.sandbox" in said_of([pid], "cmdline")]
        inherited = said_of(of_sandbox, "environ")
        assert b"PYTHONPATH" in inherited
        assert forms_in(inherited) == []


def test_a_pickle_leaves_the_key_behind() -> None:
    """What comes out of one says that the key is missing; a copy within the process has it."""
    settings = Settings(api_key=PLAIN)
    arrived = pickle.loads(pickle.dumps(settings))
    with pytest.raises(SettingsError, match="a pickle does not contain the key: give the key again"):
        arrived.require_key().reveal()
    assert copy.deepcopy(settings).require_key().reveal() == copy.copy(settings.require_key()).reveal() == PLAIN
    assert len({Secret(PLAIN), Secret(PLAIN), Secret("other")}) == 2
    assert Secret(PLAIN) == Secret(PLAIN) != Secret("other")
    assert (f"{Secret(PLAIN):>5}", repr([Secret(PLAIN)]), "%s" % Secret(PLAIN)) == ("  •••", "[•••]", "•••")  # noqa: UP031


def test_what_holds_the_key_ready_for_calls_goes_into_no_pickle() -> None:
    """Heads of calls and the forms that are looked for in answers: both refuse, in words without the key."""
    key = Secret(PLAIN)
    for holder in (Head("POST / HTTP/1.1", "api.example", key, {}), KeyForms(key)):
        with pytest.raises(TypeError, match="pickle") as caught:
            pickle.dumps(holder)
        assert forms_in(f"{caught.value}{holder!r}".encode()) == []


def test_an_answer_that_writes_the_key_in_escapes_repeats_it() -> None:
    """Its bytes do not show it, the message that is made of them would."""
    escaped = "".join(f"\\u{ord(one):04x}" for one in PLAIN)
    answer = read_answer(400, b'{"result": false, "message": "no %s here"}' % escaped.encode(), 0.1)
    assert PLAIN in answer.message
    assert PLAIN.encode() not in answer.body
    assert KeyForms(Secret(PLAIN)).are_in(answer.message, answer.body)
    assert not KeyForms(Secret("another-key-altogether")).are_in(answer.message, answer.body)


def test_what_goes_to_sparks_workers_has_the_key_only_where_that_is_said() -> None:
    """The broadcast carries key and password as an explicit step; any other pickle of it does not, and no repr."""
    settings = Settings(api_key=PLAIN, share=f"redis://:{'pa55word'}@cache:6379/0", rate_limit="9/s")
    load = Load(Mapping.of({"user_id": "id"}), "user", settings)
    carried = Load(load.mapping, "user", settings, with_secrets=True)
    arrived = pickle.loads(pickle.dumps(carried))
    assert arrived.settings.require_key().reveal() == PLAIN
    assert arrived.settings.share.reveal() == "redis://:pa55word@cache:6379/0"
    assert forms_in(pickle.dumps(load)) == []
    assert b"pa55word" not in pickle.dumps(load)
    assert "pa55word" not in f"{load!r}{carried!r}{settings.public()}{settings.share}"
    assert forms_in(f"{load!r}{carried!r}") == []
