"""PostgreSQL and MariaDB with one table each, for the length of a scenario."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

QUERY = "SELECT id, phone, name, city, spent, since FROM customers ORDER BY id"

_COLUMNS = "id INT PRIMARY KEY, phone VARCHAR(20), name VARCHAR(80), city VARCHAR(40), spent NUMERIC(12, 2), since DATE"
_VALUES = "seq, concat('98', 10000000 + seq), concat('Asha Rao ', seq), 'Pune', seq * 0.25, DATE '2025-01-31'"


@contextlib.contextmanager
def databases(rows: int) -> Iterator[None]:
    """Start both servers with so many customers each. The environment says where they are."""
    from tests.external.databases.servers import PASSWORD, MariaDB, Postgres

    postgres, mariadb = Postgres(), MariaDB()
    try:
        for server, series in (
            (postgres, f"generate_series(1, {rows}) AS s(seq)"),
            (mariadb, f"seq_1_to_{rows}"),
        ):
            server.start()
            server.run(f"CREATE TABLE customers ({_COLUMNS})", f"INSERT INTO customers SELECT {_VALUES} FROM {series}")
        os.environ |= {
            "BENCH_QUERY": QUERY,
            "BENCH_POSTGRES": postgres.whole_address,
            "BENCH_POSTGRES_OPEN": postgres.address,
            "BENCH_MARIADB": mariadb.whole_address,
            "BENCH_MARIADB_PORT": str(mariadb.port),
            "PGPASSWORD": PASSWORD,
            "MYSQL_PWD": PASSWORD,
        }
        yield
    finally:
        postgres.stop()
        mariadb.stop()
