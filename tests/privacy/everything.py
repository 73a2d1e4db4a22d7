"""A program that loads in every way there is, lets each of them fail in every way there is, and writes down all of it.

It is started in a folder of its own, with the forms of the key in MARKED_KEYS and a sandbox's address in MARKED_URL. No
function here has the key in a variable, so wherever it shows up in what is written, the loader has let it out.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import http.client
import itertools
import json
import logging
import os
import pickle
import signal
import socket
import ssl
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import pandas as pd
import trustme

from interakt_loader import MappingDict, check, load_events, load_users, track
from interakt_loader.cli import run
from interakt_loader.errors import InteraktLoaderError, LoadInterrupted
from interakt_loader.integrations.airflow import load_users_task
from interakt_loader.integrations.spark.task import Load
from interakt_loader.mapping import Mapping
from interakt_loader.settings import Settings
from tests.transport.servers import Call, Server

USERS = pd.DataFrame({"id": ["u1", "u2", ""], "name": ["Ann", "Bob", "Carl"]})
MAPPING: MappingDict = {"user_id": "id", "traits": ["name"]}
EVENTS: MappingDict = {**MAPPING, "event": {"value": "Seen"}}
URL = os.environ["MARKED_URL"]

_PICKLED = [0]

_KEYS = itertools.cycle(json.loads(os.environ.pop("MARKED_KEYS")))


def key() -> str:
    """Return the key in one of its forms, another one each time."""
    return str(next(_KEYS))


def to(url: str = URL, **options: Any) -> dict[str, Any]:
    """Return where to load to; the key is put in by the one who calls."""
    return {"base_url": url, "max_outage": 0.2, "max_retries": 0, "timeout": 5, **options}


def show(thing: Any) -> None:
    """Write down what a thing shows of itself, and what a debugger that looks into it would."""
    print(repr(thing), str(thing), f"{thing}", repr(looked_into(thing)))
    with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError, ValueError):
        _PICKLED[0] += 1
        Path(f"pickle-{_PICKLED[0]}.{type(thing).__name__}").write_bytes(pickle.dumps(thing))


def looked_into(thing: Any, depth: int = 3) -> Any:
    """Return the attributes of a thing of ours, of these the attributes, and so on."""
    if depth == 0 or not type(thing).__module__.startswith("interakt_loader"):
        return thing
    return {name: looked_into(one, depth - 1) for name, one in getattr(thing, "__dict__", {}).items()}


def show_error(error: BaseException) -> None:
    """Write down a traceback with all locals, and each of these looked into."""
    show(error)
    print("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    chain: BaseException | None = error
    while chain is not None:
        for frame, _ in traceback.walk_tb(chain.__traceback__):
            if frame.f_globals.get("__name__", "").startswith(("interakt_loader", "requests", "urllib3", "ssl")):
                print({name: looked_into(one) for name, one in frame.f_locals.items()})
        chain = chain.__cause__ or chain.__context__


class Echo(Server):
    """Says the key back, in one form after another."""

    def _reply(self, connection: socket.socket, call: Call) -> bool:
        form = list(forms_of(call.header("Authorization") or ""))[len(self.calls) % 8]
        body = json.dumps({"result": False, "message": f"no: {form}"}) if len(self.calls) % 2 else f"<p>{form}</p>"
        head = f"HTTP/1.1 400 {form}\r\nX-Key: {form}\r\nLocation: /{form}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall((head + body).encode("latin-1"))
        return True


def forms_of(header: str) -> Iterator[str]:
    """Yield the key as a server might repeat it."""
    token = header.removeprefix("Basic ")
    plain = base64.b64decode(token).decode()
    yield from (header, token, plain, plain.rstrip(":"), quote(plain.rstrip(":"), safe=""), quote(token, safe=""))
    yield from (plain.replace("/", "\\/"), base64.b64encode(token.encode()).decode())


class Interrupts(Server):
    """Takes a call, and has the program interrupted while that waits for the answer."""

    def _reply(self, connection: socket.socket, call: Call) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return True


def by_tables() -> None:
    """Load users and events, and check, by every argument and result that there is."""
    for ending in ("csv", "jsonl", "parquet"):
        result = load_users(
            USERS,
            MAPPING,
            **to(
                report=f"users.{ending}",
                ledger=f"{ending}.ledger",
                html=f"{ending}.html",
                share=f"sqlite:///{Path('clock').absolute()}",
            ),
            rate_limit="1000/s",
            api_key=key(),
        )
        result.raise_for_failures() if result.stopped else None
        assert result.sent == 2, result
    show(result)
    print(result.as_dict(), result.options, result.to_pandas().to_string(), result.failures().to_string())
    Path("notebook.html").write_text(result._repr_html_(), encoding="utf-8")
    result.write_html("personal.html", personal=True)
    result.plot().savefig("plot.svg")
    show(load_events(USERS, EVENTS, **to(), api_key=f" {key()}\n"))
    show(check(USERS, MAPPING, **to(), api_key=key()))
    os.environ["INTERAKT_API_KEY"] = key()
    show(load_users(USERS, MAPPING, **to()))
    del os.environ["INTERAKT_API_KEY"]


def by_mistake() -> None:
    """Give the key together with what is refused."""
    for wrong in ({"workers": 0}, {"worker": 3}, {"report": "users.xlsx"}, {"base_url": "http://evil.example"}):
        refused(lambda wrong=wrong: load_users(USERS, MAPPING, **to(**wrong), api_key=key()))  # type: ignore[misc]
    refused(lambda: load_users(USERS, {"user_id": "nobody"}, **to(), api_key=key()))
    refused(lambda: load_users(USERS, MAPPING, **to(), api_key=key() + "\x07"))
    refused(lambda: load_users(USERS, MAPPING, **to(), api_key=key().encode()))  # type: ignore[arg-type]
    other: dict[str, Any] = to(ledger="csv.ledger", api_key="other")
    refused(lambda: load_users(USERS, MAPPING, **other))
    refused(lambda: load_users(USERS, MAPPING, **other, old_api_key=key()))
    other["same_account"] = True
    refused(lambda: load_users(USERS, MAPPING, **other, old_api_key=key() + "x"))
    refused(lambda: load_users(USERS, MAPPING, **other, old_api_key=key() + "\x07"))
    os.environ["INTERAKT_API_KEY"] = key()
    refused(lambda: load_users(USERS, MAPPING, **to(workers=0)))
    refused(lambda: load_users_task("users.csv", MAPPING, **to(workers=0)))
    del os.environ["INTERAKT_API_KEY"]
    with mock.patch.dict("sys.modules", redis=None):
        refused(lambda: load_users(USERS, MAPPING, **to(), **redis_with_password(), api_key="other"))
    refused(lambda: load_users(USERS, MAPPING, **to(), **redis_with_password(), api_key="other"))
    with mock.patch.dict(os.environ, REQUESTS_CA_BUNDLE="nowhere.pem"):
        refused(lambda: load_users(USERS, MAPPING, **to(), api_key=key()))


def redis_with_password() -> dict[str, Any]:
    """Return a share whose password is the key."""
    password = quote(key(), safe="")
    return {"share": f"redis://:{password}@127.0.0.1:1/0", "rate_limit": "10/s"}


def refused(work: Callable[[], object]) -> None:
    """Write down an error that has to come."""
    try:
        work()
    except (InteraktLoaderError, LoadInterrupted, KeyboardInterrupt, ArithmeticError, SystemExit) as error:
        show_error(error)
    else:
        raise AssertionError("nothing was raised")


def by_bad_luck() -> None:
    """Have the key refused, repeated, and the server away, without TLS that can be trusted, and raising handlers."""

    def raises(error: Exception, message: dict[str, Any]) -> None:
        raise KeyError(message)

    def exits(error: Exception, message: dict[str, Any]) -> None:
        raise SystemExit(3)

    wrong = base64.b64encode(b"some-other-key:").decode()
    load_users(USERS, MAPPING, **to(), api_key=wrong, report="refused.csv", on_error=raises)
    refused(lambda: load_users(USERS, MAPPING, **to(on_error=exits), api_key=key()))
    with Echo() as server:
        many = pd.DataFrame({"id": [f"u{n}" for n in range(32)], "name": "Ann"})
        result = load_users(many, MAPPING, **to(server.url, report="echo.csv"), api_key=key())
        assert result.rejected == 32, result
        assert set(result.to_pandas().message) == {"(the answer repeats the key)"}
        show(result)
        client = track.Client(key(), server.url, sync_mode=True, debug=True)
        refused(lambda: client.user("u1"))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        down = f"http://127.0.0.1:{closed.getsockname()[1]}"
    result = load_users(USERS, MAPPING, **to(down, report="down.jsonl"), api_key=key())
    refused(result.raise_for_failures)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with Server(tls=tls) as server:
        result = load_users(USERS, MAPPING, **to(server.url, report="tls.csv"), api_key=key())
        refused(result.raise_for_failures)
        assert server.calls == []
    with Interrupts() as server:
        client = track.Client(key(), server.url, sync_mode=True)
        refused(lambda: client.user("u1"))
    with Interrupts() as server:
        refused(lambda: load_users(USERS[:1], MAPPING, **to(server.url, timeout=1), api_key=key()))  # one Ctrl-C


def by_track() -> None:
    """Call as the vendor's SDK does: in the background and at once, with a good key and a bad one."""
    told: list[Exception] = []
    track.on_error = lambda error, message: told.append(error)
    track.host, track.debug = URL, True
    for sync_mode in (False, True):
        track.sync_mode = sync_mode
        track.api_key = key()
        show(track.user("t1", traits={"name": "Ann"}))
        show(track.event("t1", "Seen"))
        track.join()
        show(track._client())
        print(track._current)
        track.api_key = None
        with mock.patch.dict(os.environ, INTERAKT_API_KEY=key() + ":wrong!"):
            if sync_mode:
                refused(lambda: track.user("t2"))
            else:
                track.user("t2")
                track.join()
                assert len(told) == 1, told
    show(told[0])
    refused(lambda: track.Client(key(), timeout=-1))
    refused(lambda: track.Client(key(), URL).user(None))


def by_command() -> None:
    """Type commands: the key from the environment, a file, the prompt, and where it does not belong."""
    source = ["customers.csv", "--base-url", URL, "--map", "user_id=id", "--debug"]
    USERS.to_csv("customers.csv", index=False)
    with mock.patch.dict(os.environ, INTERAKT_API_KEY=key()):
        assert run([*source, "--report", "one.csv", "--html", "one.html"]) == 1
        assert run([*source, "--report", "one.csv", "--workers", "0"]) == 2
    file = Path("key")
    file.touch(0o600)
    file.write_text(key(), encoding="utf-8")
    assert run([*source, "--name", "two", "--report", "two.jsonl", "--api-key-file", "key", "--output", "json"]) == 1
    with mock.patch.dict(os.environ, INTERAKT_API_KEY="other"):
        another = [*source, "--ledger", "csv.ledger", "--same-account", "--as", "users"]
        assert run([*another, "--old-api-key-file", "key"]) == 1  # all is unchanged or invalid
        assert run([*another, "--old-api-key", key()]) == 2
    file.chmod(0o644)
    assert run([*source, "--api-key-file", "key"]) == 2
    file.unlink()
    with (
        mock.patch.object(getpass, "getpass", side_effect=lambda *_: key()),
        mock.patch.object(sys.stdin, "isatty", return_value=True),
        mock.patch.object(sys.stderr, "isatty", return_value=True),
    ):
        assert run([*source, "--name", "three", "--report", "three.csv", "--ask-key"]) == 1
    for flag in ("--api-key", "--token"):
        assert run([*source, flag, key()]) == 2
        assert run([*source, f"{flag}={key()}"]) == 2
    assert run([*source, "--api-key-file", key().replace("/", "_")]) == 2


def by_parts() -> None:
    """Look at what holds the key inside."""
    settings = Settings.resolve({"api_key": key()})
    show(settings)
    show(Load(Mapping.of(MAPPING), "user", settings))
    print(settings.public())


def main() -> None:
    """Do all of it, with every log at DEBUG."""
    logging.basicConfig(level=logging.DEBUG, filename="log.txt", format="%(name)s %(levelname)s %(message)s")
    http.client.HTTPConnection.debuglevel = 1  # prints each header that goes through there
    for step in (by_tables, by_mistake, by_bad_luck, by_track, by_command, by_parts):
        print(f"--- {step.__name__}")
        step()
    print("--- done")


if __name__ == "__main__":
    main()
