"""People's data: not in logs, masked on request, for the owner's eyes only, and in a ledger not at all."""

from __future__ import annotations

import json
import logging
import os
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from interakt_loader import LoadResult, check, load_users, track
from interakt_loader.cli import run
from interakt_loader.errors import APIError
from interakt_loader.ledger.account import address_id, unwrap
from interakt_loader.ledger.digests import Keys
from interakt_loader.privacy.files import open_private
from interakt_loader.sandbox import Sandbox
from tests.privacy.people import BAD_PHONES, MAILS, MAPPING, MARKS, NAMES, PHONES, marks_in, people
from tests.transport.servers import Call, Server

posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows keeps files from others by other means")


class Repeats(Server):
    """Refuses each call, and says whom it was about, as an API may."""

    def _reply(self, connection: socket.socket, call: Call) -> bool:
        said = json.loads(call.body)
        who = f"{said.get('phoneNumber')} of {said['traits'].get('email')} is taken"
        body = json.dumps({"result": False, "message": who}).encode()
        connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return True


def to(sandbox: Sandbox, **options: Any) -> dict[str, Any]:
    """Return the options of a load to a sandbox."""
    return {"api_key": sandbox.api_key, "base_url": sandbox.url, **options}


def shown_of(result: LoadResult) -> str:
    """Return all that a result shows by itself, apart from its report."""
    return f"{result!r}{result._repr_html_()}{result.as_dict()}{result.summary}{result.examples}{result.options}"


# ---------------------------------------------------------------------- logs


def test_logs_below_debug_are_without_phones_and_addresses(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Rows that are good, invalid, unsent, folded into others, or refused by an API that names people. An inferred
    mapping, and track with handlers that raise their argument. No log record names a person."""
    caplog.set_level(logging.INFO)

    def raises(error: Exception, message: dict[str, Any]) -> None:
        raise ValueError(f"{error}: {message}")

    load_users(people(), MAPPING, **to(sandbox, ledger=tmp_path / "a.ledger", on_error=raises, coalesce=True))
    load_users(people().rename(columns={"id": "customer_id"}), **to(sandbox))
    check(people(), MAPPING)
    with Repeats() as server:
        at: dict[str, Any] = {"api_key": "some-key", "base_url": server.url, "on_error": raises}
        result = load_users(people(), MAPPING, **at)
        assert result.rejected == 6
        assert marks_in(str(result.to_pandas().message.tolist())) != []
        load_users(people(), MAPPING, max_failures=0, **at)
        client = track.Client("some-key", server.url, on_error=raises)
        client.user("C-1", phone_number=PHONES[0], traits={"email": MAILS[0]})
        client.join()
        sync = track.Client("some-key", server.url, sync_mode=True)
        with pytest.raises(APIError):
            sync.user("C-1", phone_number=PHONES[0], traits={"email": MAILS[0]})
    messages = caplog.text
    for logged in ("proposed from the columns", "on_error raised", "user call not sent: rejected", "ValueError"):
        assert logged in messages
    assert "•••@example.com" in messages
    assert marks_in(messages) == []


def test_debug_says_who_so_that_it_can_be_seen_to_be_searched(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG a call of `track` is logged as it is: what the test above looks for can be found."""
    caplog.set_level(logging.DEBUG)
    client = track.Client(sandbox.api_key, sandbox.url)
    client.user("C-1", phone_number=PHONES[0], traits={"email": MAILS[0]})
    client.join()
    assert marks_in(caplog.text) == [PHONES[0], MAILS[0]]


# ---------------------------------------------------------------------- mask


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_with_mask_nothing_shows_a_phone_or_an_address(ending: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither the report nor a page, a personal one too, nor what a result shows; ids stay, rows keep their number."""
    report, page = tmp_path / f"report.{ending}", tmp_path / "page.html"
    result = load_users(people(), MAPPING, **to(sandbox, mask=True, report=report, html=page))
    assert (result.sent, result.invalid) == (6, 4)
    result.write_html(tmp_path / "personal.html", personal=True)
    result.write_report(tmp_path / "again.csv")
    for path in tmp_path.iterdir():
        assert marks_in(path.read_bytes()) == [], path
    assert "masked" in (tmp_path / "personal.html").read_text(encoding="utf-8")
    assert marks_in(shown_of(result)) == []
    lines = result.to_arrow().to_pylist()
    assert [line["user_id"] for line in lines[:5]] == ["C-1", None, "•••@example.com", "•••••••237", "•••••••237"]
    assert [line["phone"] for line in lines[:3]] == ["•••••••234", "•••••••235", "•••••••236"]
    assert lines[5]["message"].startswith("phone: '••••••••••••789' is not a valid phone number for +91")
    failing = result.failures()
    assert failing["row"].tolist() == [5, 6, 7, 8]
    assert failing["phone"].tolist() == list(BAD_PHONES)
    assert {user.phone for user in sandbox.users()} == set(PHONES)


def test_without_mask_the_report_shows_who() -> None:
    """What the test above looks for can be found."""
    result = check(people(), MAPPING)
    assert set(marks_in(str(result.to_pandas().to_dict()))) > {PHONES[0], MAILS[2], BAD_PHONES[0]}
    assert marks_in(str(result.examples)) != []
    assert marks_in(str(check(people(), MAPPING, mask=True).examples)) == []


def test_what_the_api_says_is_masked_as_well(tmp_path: Path) -> None:
    """In the report, the summary and a stop; `on_error`, which is the caller's own, hears all of it."""
    told: list[str] = []
    with Repeats() as server:
        result = load_users(
            people(),
            MAPPING,
            api_key="some-key",
            base_url=server.url,
            mask=True,
            on_error=lambda error, message: told.append(f"{error}{message}"),
        )
    assert result.rejected == 6
    assert marks_in(str(result.to_pandas().to_dict()) + shown_of(result)) == []
    assert "•••••••234 of •••@example.com is taken" in result.to_pandas().message.tolist()
    assert {PHONES[0], MAILS[0]} <= set(marks_in("".join(told)))


def test_mask_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """--mask: the terminal shows nobody either, for an inferred mapping, refused rows and a dry run. Without it, the
    user sees the values."""
    monkeypatch.chdir(tmp_path)
    people().to_csv("people.csv", index=False)
    command = ["people.csv", "--map", "user_id=id", "--map", "phone=phone"]
    for flags in (["--sandbox"], ["--dry-run"], ["--sandbox", "--output", "json"]):
        assert run([*command, "--mask", *flags]) == 1
        out, err = capsys.readouterr()
        assert marks_in(out + err + Path("people.report.csv").read_text(encoding="utf-8")) == []
    assert run(["people.csv", "--mask", "--dry-run", "--map", "phone=phone"]) == 1
    assert "found out" not in "".join(capsys.readouterr())
    people().iloc[:3].assign(id="C-1").to_csv("found.csv", index=False)
    assert run(["found.csv", "--mask", "--dry-run"]) in (0, 1, 2)
    assert marks_in("".join(capsys.readouterr())) == []
    assert run([*command, "--dry-run"]) == 1
    assert marks_in("".join(capsys.readouterr())) != []


# ---------------------------------------------------------------------- the rights of files


def modes(folder: Path) -> dict[str, str]:
    """Return the rights of all files in a folder that others have some to, or that the owner may run."""
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.is_file()}
    return {name: oct(mode) for name, mode in found.items() if mode & 0o177}


@posix_only
@pytest.mark.parametrize("before", [None, 0o666], ids=["new", "written over"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_files_are_for_their_owner(ending: str, before: int | None, sandbox: Sandbox, tmp_path: Path) -> None:
    """Report, page and ledger have mode 0600 during the load and afterwards, and so have the files that SQLite and the
    load add. The umask and the mode of an existing file change nothing."""
    report, page, ledger = tmp_path / f"report.{ending}", tmp_path / "page.html", tmp_path / "a.ledger"
    seen: list[dict[str, str]] = []
    names: set[str] = set()

    def look(*_: object) -> None:
        seen.append(modes(tmp_path))
        names.update(path.name for path in tmp_path.iterdir())

    umask = os.umask(0)
    try:
        if before is not None:
            load_users(people(), MAPPING, **to(sandbox, report=report, ledger=ledger, html=page))
            for path in tmp_path.iterdir():
                path.chmod(before)
        result = load_users(people(), MAPPING, **to(sandbox, report=report, ledger=ledger, html=page, on_error=look))
        result.write_report(tmp_path / "again.csv")
        result.write_report(tmp_path / f"again.{ending}")
    finally:
        os.umask(umask)
    look()
    assert names >= {report.name, "a.ledger", "a.ledger-wal", "a.ledger-calls", "page.html", "again.csv"}
    assert seen == [{}] * 5


@posix_only
def test_a_report_that_nobody_asked_for_is_hidden_too(sandbox: Sandbox) -> None:
    """It lies in a folder of its own (0700), and goes with the result."""
    result = load_users(people(), MAPPING, **to(sandbox))
    folder = result.report.parent
    assert (oct(folder.stat().st_mode & 0o777), modes(folder)) == ("0o700", {})
    del result
    assert not folder.exists()


# ---------------------------------------------------------------------- the ledger


def test_a_ledger_holds_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    """During and after the load, no file next to the ledger contains a phone, an address, a name or an id. The rows of
    the plan have no name on the disk, and only the owner can read them."""
    ledger = tmp_path / "a.ledger"
    secret = (*MARKS, *NAMES, "C-10")
    found: list[Any] = []
    unlinked: list[tuple[int, int]] = []

    def look(*_: object) -> None:
        for path in tmp_path.iterdir():
            data = path.read_bytes()
            found.extend((path.name, mark) for mark in secret if mark.encode() in data)
        unlinked.extend(_open_without_a_name(tmp_path))

    result = load_users(people(), MAPPING, **to(sandbox, ledger=ledger, on_error=look))
    assert (result.sent, result.merged, result.invalid) == (5, 1, 4)
    look()
    assert found == []
    assert ledger.stat().st_size > 1000
    if Path("/proc/self/fd").is_dir():
        assert unlinked
        assert set(unlinked) == {(0, 0o600)}


def _open_without_a_name(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield links and mode of each file that is open in a folder and stands nowhere in it."""
    for handle in Path("/proc/self/fd").glob("*"):
        try:
            name, status = str(handle.readlink()), handle.stat()
        except OSError:
            continue
        if name.startswith(str(folder)) and name.endswith("(deleted)"):
            yield status.st_nlink, stat.S_IMODE(status.st_mode)


def test_who_has_a_ledger_and_not_the_key_can_try_no_phone_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """The secret that the digests are keyed by is not in the file: only the right key opens it there. With it a
    thousand guesses meet the phones that are there, and with any other secret none."""
    ledger = tmp_path / "a.ledger"
    load_users(people(), MAPPING, **to(sandbox, ledger=ledger))
    held = ledger.read_bytes()
    db = sqlite3.connect(ledger)
    ((wrapped,),) = db.execute("SELECT wrapped FROM destinations")
    db.close()

    def guessed(secret: bytes) -> list[str]:
        digest: Callable[[str], bytes] = Keys(secret).user
        guesses = (f"98765{n:05}" for n in range(1_000, 2_000))
        return [phone for phone in guesses if digest(f"+91{phone}") in held or digest(phone) in held]

    secret = unwrap(wrapped, sandbox.api_key, address_id(sandbox.url))
    assert secret is not None
    assert guessed(secret) == [PHONES[1], PHONES[3]]
    assert secret not in held
    assert unwrap(wrapped, "another-key", address_id(sandbox.url)) is None
    assert guessed(bytes(32)) == []


def test_phones_of_digits_alone_are_masked_in_one_go() -> None:
    """A column with nothing else in it gives what each one would give, and an empty one stays empty."""
    frame = pd.DataFrame({"id": ["a", "b"], "phone": [PHONES[0][-10:], None]})
    masked = check(frame, {"user_id": "id", "phone": "phone"}, mask=True).to_arrow()
    assert masked["phone"].to_pylist() == ["•••••••" + PHONES[0][-3:], None]


def test_masked_lines_leave_nothing_that_masked_would_take() -> None:
    """The quick look that spares most texts the close one overlooks none; None stays None, and each line its own."""
    import pyarrow as pa

    from interakt_loader.privacy.text import masked
    from interakt_loader.report.outcomes import OUTCOMES, masked_lines

    texts = [*MARKS, None, "", "C-17", "12 34 56 7", "a@b", "a@b.c", "2024-01-31", "(022) 2345-6789", "1 2 3", "×" * 50]
    lines = pa.table(
        {
            one.name: pa.array(texts if one.name in ("user_id", "phone", "message") else [None] * len(texts), one.type)
            for one in OUTCOMES
        },
        schema=OUTCOMES,
    )
    shown = masked_lines(lines.to_batches()[0])
    assert shown["user_id"].to_pylist() == [None if text is None else masked(text) for text in texts]
    assert shown["message"].to_pylist() == shown["user_id"].to_pylist()
    assert shown["phone"].to_pylist()[:2] == ["•••••••234", "•••••••235"]
    assert isinstance(shown["phone"][len(MARKS)].as_py(), type(None))
    assert pd.Series(shown["phone"].to_pylist()).str.count(r"\d").max() <= 3


@posix_only
def test_a_pipe_in_the_place_of_a_report_is_written_to_as_it_is(tmp_path: Path) -> None:
    """It has no length to cut and no rights of its own to take away; a file has, from its first byte on."""
    reading, writing = os.pipe()
    with open_private(f"/dev/fd/{writing}") as pipe:
        pipe.write(b"line")
    os.close(writing)
    with os.fdopen(reading, "rb") as other_end:
        assert other_end.read() == b"line"
    (tmp_path / "report").write_bytes(b"of last time, and longer")
    (tmp_path / "report").chmod(0o664)
    with open_private(tmp_path / "report") as file:
        assert (stat.S_IMODE(os.fstat(file.fileno()).st_mode), os.fstat(file.fileno()).st_size) == (0o600, 0)
