"""Where the command line takes the key from, and where it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from interakt_loader.cli import run
from interakt_loader.errors import SettingsError
from interakt_loader.privacy.key_file import key_from_file
from interakt_loader.sandbox import Sandbox, SandboxOptions, SandboxProcess
from tests.privacy.marked import PLAIN, SECRET_KEY, forms_in, without_the_key

posix_only = pytest.mark.skipif(
    os.name != "posix", reason="files have other rights elsewhere, and terminals another way"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("users.csv").write_text("id\nu1\nu2\n", encoding="utf-8")


def load_with(sandbox: Sandbox | SandboxProcess, *flags: str) -> int:
    """Load the users of this folder with these flags."""
    return run(["users.csv", "--base-url", sandbox.url, "--map", "user_id=id", "--ledger", "none", "-q", *flags])


def key_file(content: bytes, mode: int = 0o600) -> str:
    """Write the file of the key and return its name."""
    path = Path("the key")
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    "written",
    [
        SECRET_KEY,
        PLAIN,
        f"{PLAIN}:",
        f"Basic {SECRET_KEY}",
        f"basic  {SECRET_KEY}",
        f"\n  {SECRET_KEY} \r\n\n",
        f"\ufeff{SECRET_KEY}\n",
    ],
    ids=["Secret Key", "decoded", "with colon", "Basic", "basic", "with blanks", "with a byte order mark"],
)
def test_every_form_of_the_key_is_let_in(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    """From a file and from the environment, by a sandbox that judges the header by itself."""
    with Sandbox(SandboxOptions(api_key=SECRET_KEY)) as sandbox, pytest.MonkeyPatch.context() as patch:
        assert load_with(sandbox, "--api-key-file", key_file(written.encode())) == 0
        patch.setenv("INTERAKT_API_KEY", written.removeprefix("\ufeff"))
        assert load_with(sandbox) == 0
        assert sandbox.stats().by_status == {202: 4}


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o644, 0o666])
def test_a_file_that_others_may_use_is_refused(mode: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the fix, exit 2, and nothing is sent."""
    name = key_file(SECRET_KEY.encode(), mode)
    with Sandbox(SandboxOptions(api_key=SECRET_KEY)) as sandbox:
        assert load_with(sandbox, "--api-key-file", name) == 2
        assert sandbox.stats().calls == 0
    said = f"--api-key-file the key: others may use it (mode {mode:o}): chmod 600 'the key'\n"
    assert capsys.readouterr().err == f"interakt-loader: {said}"


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can make a file of root for another user")
@pytest.mark.parametrize(("mode", "is_taken"), [(0o440, True), (0o640, True), (0o460, False), (0o444, False)])
def test_a_file_of_root_may_be_for_a_group(mode: int, is_taken: bool) -> None:
    """As systemd and Kubernetes give a key to a service: the group may read it, and nobody else may use it."""
    nobody = 65534
    # Only root may enter the folders of pytest.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        path = Path(folder, "key")
        path.write_text(SECRET_KEY, encoding="utf-8")
        path.chmod(0o600)
        # This loads what reading needs, for which the other user may have no right.
        assert key_from_file(str(path)) is not None
        os.chown(path, 0, nobody)
        path.chmod(mode)
        os.setegid(nobody)
        os.seteuid(nobody)
        try:
            with nullcontext() if is_taken else pytest.raises(SettingsError, match="others may use it"):
                assert key_from_file(str(path)) is not None
        finally:
            os.seteuid(0)
            os.setegid(0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (SECRET_KEY.encode() + b"\nsecond line\n", "has 2 lines that are not blank; expected one, the key"),
        (SECRET_KEY.encode() * 200, "has more than 4,096 bytes; expected the key and nothing else"),
        (b"\xff\xfe" + SECRET_KEY.encode("utf-16-le"), "cannot be read: it is not text"),
        (None, "is a folder; expected a file that holds the key"),
    ],
    ids=["empty", "blank", "lines", "large", "UTF-16", "folder"],
)
def test_a_file_that_is_none_of_a_key(content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit 2, and nothing of what is in it."""
    if content is None:
        if os.name != "posix":
            pytest.skip("Windows opens no folder, and has words of its own for it")
        Path("the key").mkdir(0o700)
    else:
        key_file(content)
    with Sandbox() as sandbox:
        assert load_with(sandbox, "--api-key-file", "the key") == 2
    err = capsys.readouterr().err
    if content is None and "cannot be read" in err:  # opening a folder fails before it can be looked at
        said = "cannot be read: Is a directory"
    assert err == f"interakt-loader: --api-key-file the key: {said}\n"


@posix_only
def test_a_pipe_is_as_good_as_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """`--api-key-file <(pass show interakt)`: from a password store, without a file."""
    with Sandbox(SandboxOptions(api_key=SECRET_KEY)) as sandbox:
        reading, writing = os.pipe()
        os.write(writing, SECRET_KEY.encode() + b"\n")
        os.close(writing)
        assert load_with(sandbox, "--api-key-file", f"/dev/fd/{reading}") == 0
        os.close(reading)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api-key", SECRET_KEY],
        [f"--api-key={SECRET_KEY}"],
        ["--token", PLAIN],
        [f"--key={PLAIN}"],
        [f"INTERAKT_API_KEY={PLAIN}"],
    ],
)
def test_a_key_as_an_argument_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Everybody on the machine can read it there: one line says why and how else, and does not repeat the key."""
    assert run(["users.csv", "--dry-run", *arguments]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "set INTERAKT_API_KEY, or give --api-key-file FILE or --ask-key" in err
    assert "the shell's history" in err
    assert forms_in(out + err) == []


@pytest.mark.parametrize("key", [SECRET_KEY.replace("/", "+"), f"Basic {SECRET_KEY}", PLAIN.replace("/", "-")])
def test_a_key_in_the_place_of_its_file_is_not_repeated(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of that name there is not, and the message does not say the name."""
    assert run(["users.csv", "--api-key-file", key]) == 2
    err = capsys.readouterr().err
    assert "there is no such file, and what was given looks like a key" in err
    assert key[:12] not in err


def test_without_a_key_it_says_the_ways(capsys: pytest.CaptureFixture[str]) -> None:
    """It sends nothing and asks nothing: a scheduled load must not wait for somebody who types."""
    with Sandbox() as sandbox:
        assert load_with(sandbox) == 2
        assert sandbox.stats().calls == 0
    assert capsys.readouterr().err == (
        "interakt-loader: no API key: set INTERAKT_API_KEY, or give --api-key-file FILE or --ask-key; "
        "or try without one: --dry-run sends nothing, --sandbox sends to a local look-alike\n"
    )


def test_it_cannot_ask_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """`--ask-key` in a script: exit 2 and one line; nor is it asked where a file is given as well."""
    with Sandbox() as sandbox:
        assert load_with(sandbox, "--ask-key") == 2
        assert "--ask-key: there is no terminal to ask in; set INTERAKT_API_KEY" in capsys.readouterr().err
        assert load_with(sandbox, "--ask-key", "--api-key-file", "key") == 2
        assert "expected one of the two" in capsys.readouterr().err
    assert run(["users.csv", "--ask-key", "--dry-run", "-q", "--map", "user_id=id"]) == 0
    assert run(["users.csv", "--ask-key", "--sandbox", "-q", "--map", "user_id=id"]) == 0


@posix_only
@pytest.mark.parametrize(("typed", "code"), [(f"{SECRET_KEY}\n", 0), ("\n", 2), ("\x03", 130), ("\x04", 2)])
def test_it_asks_in_a_terminal_and_shows_nothing(typed: str, code: int) -> None:
    """At a real (pseudo) terminal the key loads, and no character of it is echoed. An empty line, Ctrl-C and Ctrl-D
    send nothing. Afterwards the terminal echoes again."""
    import pty
    import termios

    with Sandbox(SandboxOptions(api_key=SECRET_KEY)) as sandbox:
        ours, theirs = pty.openpty()
        command = ["users.csv", "--base-url", sandbox.url, "--map", "user_id=id", "--ask-key"]
        with subprocess.Popen(
            [sys.executable, "-m", "interakt_loader", *command],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=without_the_key(),
            start_new_session=True,  # with the terminal as its own
            preexec_fn=_takes_the_terminal,  # noqa: PLW1509 - it makes one system call, and takes no lock
        ) as process:
            shown = b""
            while b"API key (not shown): " not in shown:
                shown += os.read(ours, 1024)
            while termios.tcgetattr(theirs)[3] & termios.ECHO:  # the question comes an instant before
                assert process.poll() is None
            os.write(ours, typed.encode())
            assert process.stdout is not None
            out = process.stdout.read()
            assert process.wait(30) == code
        assert termios.tcgetattr(theirs)[3] & termios.ECHO
        os.close(theirs)
        shown += _rest(ours)
        assert sandbox.stats().accepted == (2 if code == 0 else 0)
    assert forms_in(shown + out) == []
    assert b"Traceback" not in shown


def _takes_the_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _rest(ours: int) -> bytes:
    data = b""
    try:
        while piece := os.read(ours, 1024):
            data += piece
    except OSError:  # nobody has the other end any more
        pass
    os.close(ours)
    return data
