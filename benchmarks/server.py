"""A server that is no bottleneck: `python -m benchmarks.server [LATENCY]` prints its port and serves until killed.

It says yes to every call without looking at it, and counts them: what is measured is the client. One thread around
epoll, two system calls a call. An answer goes out `LATENCY` seconds after its call came in.
"""

from __future__ import annotations

import re
import select
import socket
import subprocess
import sys
import time
from collections import deque
from types import TracebackType

_BODY = b'{"result": true, "message": "Customer with 6f1cf0f2-2b4f-4b0f-9d57-0f0f3a0a2f11 updated successfully"}'
ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)
_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)


class _Calls:
    """What one connection has sent so far."""

    def __init__(self) -> None:
        self.heard = b""

    def complete(self, data: bytes) -> int:
        """Take data in; return how many calls it completes."""
        data = self.heard + data if self.heard else data
        done = 0
        while True:
            head = data.find(b"\r\n\r\n")
            length = _LENGTH.search(data, 0, head + 2) if head >= 0 else None
            end = head + 4 + (int(length[1]) if length else 0)
            if head < 0 or len(data) < end:
                self.heard = data
                return done
            done += 1
            data = data[end:]
            if not data:
                self.heard = b""
                return done


def serve(listening: socket.socket, latency: float) -> None:
    """Serve until the process ends."""
    poll = select.epoll()
    poll.register(listening, select.EPOLLIN)
    connections: dict[int, tuple[socket.socket, _Calls]] = {}
    due: deque[tuple[float, socket.socket]] = deque()  # answers that wait; all of them equally long
    door = listening.fileno()
    while True:
        if due:  # epoll itself waits for whole milliseconds
            select.select([poll], [], [], max(0.0, due[0][0] - time.monotonic()))
        for number, _ in poll.poll(0 if due else -1):
            if number == door:
                connection, _ = listening.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection, _Calls()
                poll.register(connection, select.EPOLLIN)
                continue
            connection, calls = connections[number]
            try:
                data = connection.recv(65_536)
                if data:
                    for _ in range(calls.complete(data)):
                        if latency:
                            due.append((time.monotonic() + latency, connection))
                        else:
                            connection.send(ANSWER)
                    continue
            except OSError:  # the client is gone
                pass
            poll.unregister(connection)
            del connections[number]
            connection.close()
        now = time.monotonic()
        while due and due[0][0] <= now:
            try:
                due.popleft()[1].send(ANSWER)
            except OSError:
                continue


class Server:
    """The server in a process of its own; a context manager."""

    def __init__(self, latency: float = 0.0) -> None:
        command = [sys.executable, "-m", "benchmarks.server", str(latency)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def ceiling(url: str, connections: int = 16, calls: int = 100_000) -> float:
    """Return the calls a second that a bare client gets out of it: one thread, a fixed call, no look at the answer."""
    port = int(url.rsplit(":", 1)[1])
    body = b"x" * 250
    call = b"POST /v1/public/track/users/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    began = time.perf_counter()
    for _ in range(calls // connections):
        for one in sockets:
            one.send(call)
        for one in sockets:
            one.recv(65_536)
    seconds = time.perf_counter() - began
    for one in sockets:
        one.close()
    return calls // connections * connections / seconds


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as door:
        print(door.getsockname()[1], flush=True)
        serve(door, float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
