"""A real PostgreSQL and a real MariaDB, on free ports of this machine and in temporary folders."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

TEMPORARY = tempfile.gettempdir()
"""Each test has another one for itself, which only it may enter."""

PATIENCE = 60.0
"""Seconds that a server has to start."""

PASSWORD = "s3cret/Pa:ss@word"
"""With characters that an address must write as %XX."""

WRITTEN = "s3cret%2FPa%3Ass%40word"


class Server(ABC):
    """A database server with the database `shop`, and a user `loader` who may read and write there."""

    kind: str
    variable: str
    """The environment variable of the driver for the password."""
    endless: str
    """A query that computes for hours without a row."""
    slow: str
    """A query of a million rows that take a minute."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="interakt-test-", dir=TEMPORARY))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {name: value for name, value in os.environ.items() if name != "TMPDIR"}

    @property
    def address(self) -> str:
        """The address, without a password."""
        return f"{self.kind}://loader@127.0.0.1:{self.port}/shop"

    @property
    def whole_address(self) -> str:
        """The address with the password."""
        return f"{self.kind}://loader:{WRITTEN}@127.0.0.1:{self.port}/shop"

    @property
    def shown(self) -> str:
        """The address as messages show it."""
        return f"{self.kind}://127.0.0.1:{self.port}/shop"

    @abstractmethod
    def start(self) -> None:
        """Start it; returns once it answers."""

    @abstractmethod
    def run(self, *commands: str) -> list[tuple[Any, ...]]:
        """Run commands, and return the rows of the last one."""

    @abstractmethod
    def loaders(self) -> int:
        """Return how many connections the loader has now."""

    @abstractmethod
    def computes(self) -> bool:
        """Tell whether the server works on the endless query now."""

    @abstractmethod
    def end_loaders(self) -> None:
        """End the connections of the loader."""

    def stop(self) -> None:
        """End it, and remove its folder."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_until_ready(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.run("SELECT 1")
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def wait_until_it_computes(self, seconds: float = 20.0) -> None:
        """Wait until the server works on the endless query; fails after some seconds."""
        deadline = time.monotonic() + seconds
        while not self.computes():
            assert time.monotonic() < deadline, "the endless query does not run"
            time.sleep(0.05)

    def wait_for_loaders(self, wanted: int, seconds: float = 20.0) -> None:
        """Wait until the loader has so many connections; fails after some seconds."""
        deadline = time.monotonic() + seconds
        while (found := self.loaders()) != wanted:
            assert time.monotonic() < deadline, f"{found} connections of the loader, and not {wanted}"
            time.sleep(0.05)


class Postgres(Server):
    kind = "postgresql"
    variable = "PGPASSWORD"
    endless = (
        "SELECT count(*) AS id FROM generate_series(1, 100000) a, generate_series(1, 1000000) b WHERE a.a * b.b = -1"
    )
    slow = "SELECT i AS id, pg_sleep(0.0001)::text AS nothing FROM generate_series(1, 1000000) AS i"

    def start(self) -> None:
        programs = self._programs()
        data = self.folder / "data"
        # PostgreSQL does not run as root
        as_user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
        if as_user:
            shutil.chown(self.folder, "postgres")
        secret = self.folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if as_user:
            shutil.chown(secret, "postgres")
        made: list[Any] = [programs / "initdb", "-D", data, "-U", "loader", "-A", "scram-sha-256", f"--pwfile={secret}"]
        subprocess.run(
            [*made, "-E", "UTF8", "--no-locale"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            env=self.environment,
            **as_user,
        )
        command: list[Any] = [
            programs / "postgres",
            "-D",
            data,
            "-p",
            str(self.port),
            "-h",
            "127.0.0.1",
            "-k",
            data,
            "-c",
            "fsync=off",
        ]
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL, **as_user
        )
        self._database = "postgres"
        self.wait_until_ready()
        self.run("CREATE DATABASE shop")
        self._database = "shop"

    @staticmethod
    def _programs() -> Path:
        found = shutil.which("initdb")
        folders = [Path(found).parent] if found else [*sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
        if not folders:
            raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
        return folders[-1]

    def run(self, *commands: str) -> list[tuple[Any, ...]]:
        from adbc_driver_postgresql import dbapi

        address = f"postgresql://loader:{WRITTEN}@127.0.0.1:{self.port}/{self._database}"
        rows: list[tuple[Any, ...]] = []
        with dbapi.connect(address, autocommit=True) as connection:
            for command in commands:
                with connection.cursor() as cursor:
                    cursor.execute(command)
                    rows = cursor.fetchall() if cursor.description else []
        return rows

    def loaders(self) -> int:
        ((count,),) = self.run("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'interakt-loader'")
        return int(count)

    def computes(self) -> bool:
        mine = "application_name = 'interakt-loader' AND state = 'active' AND query LIKE 'COPY%= -1%'"
        return self.run(f"SELECT count(*) FROM pg_stat_activity WHERE {mine}") != [(0,)]

    def end_loaders(self) -> None:
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'interakt-loader'")


class MariaDB(Server):
    kind = "mysql"
    variable = "MYSQL_PWD"
    endless = "SELECT count(*) AS id FROM seq_1_to_1000000 a JOIN seq_1_to_1000000 b ON a.seq * b.seq = -1"
    slow = "SELECT seq AS id, sleep(0.0001) AS nothing FROM seq_1_to_1000000"

    def start(self) -> None:
        server, maker = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
        if server is None or maker is None:
            raise RuntimeError("MariaDB is not installed: apt-get install mariadb-server")
        data = self.folder / "data"
        user: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "mysql")
            user = ["--user=mysql"]
        made = [maker, "--no-defaults", *user, f"--datadir={data}", "--auth-root-authentication-method=normal"]
        subprocess.run([*made, "--skip-test-db"], check=True, stdout=subprocess.DEVNULL, env=self.environment)
        self._socket = f"{self.folder}/s"
        command = [
            server,
            "--no-defaults",
            *user,
            f"--datadir={data}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
        ]
        command += [f"--socket={self._socket}", f"--pid-file={self.folder}/pid", "--innodb-flush-log-at-trx-commit=0"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=self.environment, **quiet)  # type: ignore[call-overload]
        self._database: str | None = None
        while not Path(self._socket).exists():
            assert self.process.poll() is None, "MariaDB does not start"
            time.sleep(0.05)
        self.wait_until_ready()
        self.run(
            "DELETE FROM mysql.global_priv WHERE user = ''",
            "FLUSH PRIVILEGES",
            "CREATE DATABASE shop",
            f"CREATE USER loader IDENTIFIED BY '{PASSWORD}'",
            "GRANT ALL ON shop.* TO loader",
        )
        self._database = "shop"

    def run(self, *commands: str) -> list[tuple[Any, ...]]:
        import pymysql

        rows: list[tuple[Any, ...]] = []
        with (
            pymysql.connect(
                unix_socket=self._socket, user="root", database=self._database, autocommit=True, charset="utf8mb4"
            ) as connection,
            connection.cursor() as cursor,
        ):
            for command in commands:
                cursor.execute(command)
                rows = [*cursor.fetchall()]
        return rows

    def loaders(self) -> int:
        ((count,),) = self.run("SELECT count(*) FROM information_schema.processlist WHERE user = 'loader'")
        return int(count)

    def computes(self) -> bool:
        mine = "user = 'loader' AND info LIKE '%= -1%'"
        return self.run(f"SELECT count(*) FROM information_schema.processlist WHERE {mine}") != [(0,)]

    def end_loaders(self) -> None:
        for (number,) in self.run("SELECT id FROM information_schema.processlist WHERE user = 'loader'"):
            self.run(f"KILL {number}")
