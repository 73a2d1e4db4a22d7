"""The command line in a real terminal, and an API that is not on this machine as far as it can tell."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import trustme

from interakt_loader.sandbox import SandboxProcess
from tests.transport.servers import Proxy, Server, _relay

HOST = "interakt.test"
HOME = str(Path(__file__).resolve().parents[2])


class _Front(Server):
    """Takes TLS off and hands what it hears on to the sandbox."""

    def __init__(self, tls: ssl.SSLContext, beyond: int) -> None:
        super().__init__(tls=tls)
        self._beyond = beyond

    def _talk(self, accepted: socket.socket, number: int) -> None:
        assert self._tls is not None
        with (
            accepted,
            self._tls.wrap_socket(accepted, server_side=True) as heard,
            socket.create_connection(("127.0.0.1", self._beyond)) as beyond,
        ):
            self._open += [heard, beyond]
            _relay(heard, beyond)


class FarApi(NamedTuple):
    """A sandbox that is reached by a name of another machine, through a proxy."""

    sandbox: SandboxProcess
    url: str
    environment: Mapping[str, str]


@contextmanager
def far_api(folder: Path) -> Iterator[FarApi]:
    """Run one; nothing leaves this machine."""
    authority = trustme.CA()
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(tls)
    with ExitStack() as stack:
        sandbox = stack.enter_context(SandboxProcess())
        front = stack.enter_context(_Front(tls, urlsplit(sandbox.url).port or 0))
        proxy = stack.enter_context(Proxy())
        url = f"https://{HOST}:{front.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERAKT_")}
        kept["INTERAKT_STATE_DIR"] = "none"
        yield FarApi(
            sandbox,
            url,
            kept
            | {
                "PYTHONPATH": HOME,
                "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}",
                "https_proxy": f"http://127.0.0.1:{proxy.port}",
                "NO_PROXY": "",
                "no_proxy": "",
                "REQUESTS_CA_BUNDLE": str(bundle),
                "INTERAKT_API_KEY": sandbox.api_key,
                "INTERAKT_BASE_URL": url,
                "COLUMNS": "80",
            },
        )


class Ended(NamedTuple):
    """How a command ended, and what it showed."""

    code: int
    out: str
    err: str
    """In a terminal both are what the terminal showed."""


def run_without_terminal(api: FarApi, folder: Path, *arguments: str, text: str | None = None) -> Ended:
    """Run the command as a job does that nobody watches."""
    done = subprocess.run(
        [sys.executable, "-m", "interakt_loader", *arguments],
        cwd=folder,
        env=dict(api.environment),
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def run_in_terminal(
    api: FarApi, folder: Path, arguments: Sequence[str], answer: str | signal.Signals | None = None
) -> Ended:
    """Run the command in a pseudo-terminal; type the answer (or send the signal) once it asks, if it does."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "interakt_loader", *arguments],
        cwd=folder,
        env=dict(api.environment),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 60
    with process:
        while time.monotonic() < deadline:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux says so of a terminal that nobody holds any more
                break
            if not part:
                break
            shown += part
            if answer is not None and shown.endswith(b"[y/N] "):
                if isinstance(answer, str):
                    os.write(ours, answer.encode())
                else:
                    process.send_signal(answer)
                answer = None
        os.close(ours)
        assert process.stdout is not None
        out = process.stdout.read().decode()
        code = process.wait(10)
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown.decode("utf-8", "replace")).replace("\r\n", "\n")
    return Ended(code, out, text)
