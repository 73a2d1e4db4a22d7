"""Addresses of sources: how each may be shown, and those of databases, which are kept secret from the start."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from interakt_loader.errors import SettingsError, SourceError
from interakt_loader.settings.values import did_you_mean, is_address

_WEB_SCHEMES = ("http", "https")


def is_web(address: str) -> bool:
    """Tell whether an address is one of the web."""
    return address.partition("://")[0].partition("::")[0] in _WEB_SCHEMES


def hide_secrets(address: str) -> str:
    """Return the address as it may be shown, each part of a chain (`zip://a.csv::https://…`) without its secrets.

    A web address loses its user and its query, which may be a signature. Any other address loses a user with a
    password. A user alone may be a place, such as the container of `abfs://container@account/…`.
    """
    return "::".join(_without_secrets(one) for one in address.split("::"))


def _without_secrets(address: str) -> str:
    scheme, found, rest = address.partition("://")
    if not found:
        return address
    if scheme.lower() in _WEB_SCHEMES:
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    place, slash, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    return f"{scheme}://{host if ':' in user else place}{slash}{path}"


# The address of a database has a user and often a password. So it is a `Secret` from the moment it arrives.

_DATABASE = r"(?i)(?:jdbc:)?(postgres|postgresql|mysql|mariadb|sqlite|duckdb)(?:\+\w+)?://"
_NEARLY = r"(?i)(?:jdbc:)?(postgres|postgresql|mysql|mariadb)(?:\+\w+)?[:/]{1,2}(?=.*:.*@)"
"""Slashes are missing, before a user with a password."""
_KEYS = r"\w[\w ]*="
_PASSWORD_KEY = re.compile(r"(?:^|[\s;])(?:password|pwd)\s*=", re.IGNORECASE)
_HOST = re.compile(r"(?:[^\s:@/?#\[\]]*|\[[0-9A-Fa-f:.]+\])(?::\d+)?")
_PASSWORD_OPTION = re.compile(r"(?:^|&)(?!passfile=)[^=&]*(?:pass|pwd|secret|token)[^=&]*=[^&]", re.IGNORECASE)
_OWN_VARIABLE = {"postgresql": "PGPASSWORD or ~/.pgpass", "mysql": "MYSQL_PWD or ~/.my.cnf"}


class DatabaseAddress(NamedTuple):
    """The parts of an address, as they are written. It is only for a moment: `user` may hold a password."""

    kind: str
    """`postgresql`, `mysql`, `sqlite` or `duckdb`."""
    user: str
    hosts: str
    path: str
    """From the first slash on."""
    options: str
    is_clear: bool
    """False if a `@` may belong to any of several parts, or the form is another one."""

    def __repr__(self) -> str:
        """Return the address as it may be shown, for tracebacks with locals."""
        return self.shown

    @classmethod
    def of(cls, address: str) -> DatabaseAddress | None:
        """Return the parts; None if it is not the address of a database.

        A variable may have quotes, or the end of a line. What only seems to have a password is an unclear address.
        """
        address = address.strip().strip("\"'")
        scheme = re.match(_DATABASE, address)
        nearly = scheme or re.match(_NEARLY, address)
        kind = "postgresql" if nearly is None else nearly[1].lower().replace("mariadb", "mysql")
        kind = "postgresql" if kind == "postgres" else kind
        if scheme is None:
            has_keys = re.match(_KEYS, address) and _PASSWORD_KEY.search(address)
            return cls(kind, "", "", "", "", is_clear=False) if nearly or has_keys else None
        base, _, options = address[scheme.end() :].partition("?")
        hosts, slash, path = base.partition("/")
        path = slash + path
        if kind in ("sqlite", "duckdb"):
            return cls(kind, "", hosts, path, options, is_clear="@" not in hosts)
        user, _, hosts = hosts.rpartition("@")
        is_clear = all(map(_HOST.fullmatch, hosts.split(","))) and "@" not in path + options
        return cls(kind, user, hosts, path, options, is_clear)

    @property
    def file(self) -> str:
        """The path of the database, if it is a file of this machine; else empty."""
        return self.path[1:] if self.kind in ("sqlite", "duckdb") and not self.hosts else ""

    @property
    def has_password(self) -> bool:
        """Tell whether it has a password, or may have one."""
        in_options = _PASSWORD_OPTION.search(unquote(self.options)) is not None
        return not self.is_clear or bool(self.user.partition(":")[2]) or in_options

    @property
    def shown(self) -> str:
        """Return the address without user and options."""
        return f"{self.kind}://{self.hosts}{self.path}" if self.is_clear else f"{self.kind}://…"


_FORMS = "postgresql://user@host/database, mysql://user@host/database, sqlite:///path or duckdb:///path"
_SUPPORTED = ("postgresql", "postgres", "mysql", "mariadb", "sqlite", "duckdb")
_OTHER_DATABASES = (
    "mssql|sqlserver|oracle|snowflake|bigquery|redshift|clickhouse|mongodb|trino|presto|databricks|db2|cockroachdb|hive"
    "|impala|teradata|vertica|firebird"
)


def from_environment(name: str) -> str:
    """Return the source that an environment variable holds, without blanks and quotes around it.

    Raises `SourceError` if it holds none. It does not show what there is instead.
    """
    if not re.fullmatch(r"\w+", name):
        raise SourceError("env:…: expected the name of an environment variable that holds an address")
    value = os.environ.get(name, "").strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1].strip()
    if not value:
        raise SourceError(f"env:{name}: the environment variable {name} is not set; expected the address of a source")
    is_source = is_address(value) or DatabaseAddress.of(value) is not None or os.path.lexists(os.path.expanduser(value))  # noqa: PTH111 - any text
    if not is_source and not glob.has_magic(value):
        raise SourceError(
            f"env:{name}: the environment variable holds no path that is there, and no address such as {_FORMS}; its "
            "value is not shown, because it may hold a password"
        )
    return value


def refuse_other_databases(given: str) -> None:
    """Refuse the address of a database that cannot be read, and one that is misspelt. It may hold a password.

    Raises `SourceError`, which does not repeat the address.
    """
    scheme = given.partition("://")[0].partition("+")[0].lower() if "://" in given else ""
    is_other = re.fullmatch(_OTHER_DATABASES, scheme) is not None
    hint = "" if not scheme or is_other or scheme in _SUPPORTED else did_you_mean(scheme, _SUPPORTED)
    if is_other or hint:
        raise SourceError(
            f"{scheme}://…: such a database cannot be read{hint} (there are {_FORMS}). In Python, "
            "give what another library reads, such as pandas.read_sql(…)"
        )
    may_hold_password = ":" in given.rpartition("@")[0] or given.lower().startswith("jdbc:")
    if may_hold_password and not is_address(given) and not os.path.lexists(given):
        raise SourceError(
            f"the source is no path that is there, and no address such as {_FORMS}. It is not shown, because it may "
            "hold a password"
        )


def refuse_passwords(sources: Iterable[object]) -> None:
    """Refuse addresses with a password where others can see them, such as in the list of processes.

    Raises `SettingsError`, which does not repeat the address.
    """
    for source in sources:
        given = source if isinstance(source, str) else ""
        scheme, found, rest = given.partition("://")
        database = DatabaseAddress.of(given)
        user = rest.partition("/")[0].rpartition("@")[0]
        if database is not None and database.has_password:
            own, scheme = _OWN_VARIABLE.get(database.kind), database.kind
        elif database is None and found and user.partition(":")[2]:
            own = None
        else:
            continue
        put = "Put" if own is None else f"Put the password into {own}, or put"
        raise SettingsError(
            f"{scheme}://…: an address with a password is not accepted here, because others can see it. {put} the "
            "address into an environment variable, and give env:NAME as the source"
        )
