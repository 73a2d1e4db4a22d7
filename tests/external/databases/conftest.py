"""The servers of these tests, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.external.databases.servers import MariaDB, Postgres, Server


def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server."""
    pytest.importorskip("adbc_driver_postgresql", reason="the extra databases is not installed")
    yield from _running(Postgres())


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB server."""
    pytest.importorskip("pymysql", reason="the extra databases is not installed")
    yield from _running(MariaDB())


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two servers in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found
