"""The hook: a connection of Airflow as the options of a load, and loads of tables that a task has made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseHook

from interakt_loader.errors import InteraktLoaderError, LoadInterrupted, SettingsError
from interakt_loader.integrations.airflow.provider import CONNECTION_TYPE, DEFAULT_CONNECTION, FORM
from interakt_loader.integrations.airflow.task_load import read_options, told_to_airflow
from interakt_loader.settings.values import hide_secrets

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.model import Kind
    from interakt_loader.result import LoadResult
    from interakt_loader.settings import Settings
    from interakt_loader.settings.settings import Options

_FIELDS = ("api_key", "base_url")
"""The options that are fields of a connection: its password and its host."""


class InteraktHook(BaseHook):
    """Interakt's track API, by a connection of type `interakt`.

    The connection's password is the key (the dashboard's Secret Key as it stands), its host the address (empty: the
    real API), and its extra holds options of `Settings`, such as `{"rate_limit": "300/min"}`.
    """

    conn_name_attr = "interakt_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = CONNECTION_TYPE
    hook_name = "Interakt"

    def __init__(self, interakt_conn_id: str = DEFAULT_CONNECTION) -> None:
        super().__init__()
        self.interakt_conn_id = interakt_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form of the connection looks, for Airflow before 3.2; newer ones ask the provider."""
        return {name.replace("-", "_"): value for name, value in FORM.items()}

    def options(self, **over: Any) -> dict[str, Any]:
        """Return the connection's options, with those given put over them; key and address only if they are some.

        Raises `SettingsError` for an extra that has a field of its own, or is no such value.
        """
        own, doubled = _read_connection(self.get_connection(self.interakt_conn_id))
        if doubled:
            raise SettingsError(f"extra of connection {self.interakt_conn_id}: {doubled} has a field of its own there")
        own = read_options(own)
        return own | {name: value for name, value in over.items() if value is not None or name not in _FIELDS}

    def get_conn(self) -> Settings:
        """Return the connection as checked `Settings`."""
        from interakt_loader.settings import Settings

        return Settings.resolve(self.options())

    def load_users(self, data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
        """Load a table as users, such as a DataFrame that the task has made, as `interakt_loader.load_users` does.

        Raises `AirflowFailException` for what no retry can mend, and `LoadStopped` where the load ended early.
        What happened to a row is in the result: `result.raise_for_failures()` has the task retried. After SIGTERM or
        Ctrl-C the load is drained, and a `LoadInterrupted` raised.
        """
        hide_secrets(cast("dict[str, Any]", options))
        return self._load(data, mapping, "user", options)

    def load_events(self, data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
        """Load a table as events; otherwise like `load_users`."""
        hide_secrets(cast("dict[str, Any]", options))
        return self._load(data, mapping, "event", options)

    def _load(self, data: Any, mapping: Any, kind: Kind, options: Options) -> LoadResult:
        from interakt_loader.integrations.airflow.task_load import TaskLoad
        from interakt_loader.load.run import Interrupts

        with told_to_airflow():
            load = TaskLoad()
            with Interrupts(
                load.stop_token, "the task was ended"
            ) as interrupts:  # Airflow's own handler tells operators, and no hook
                result = load.run(data, mapping, kind, self.options(**{"progress": False, **options}))
            if interrupts.signum is not None:
                raise LoadInterrupted(result, interrupts.signum)
            if result.stopped is not None:
                result.raise_for_failures()
            return result

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether the API lets the key in, by one call about nobody, which it cannot accept."""
        from interakt_loader.model import Message
        from interakt_loader.transport import HttpTransport

        try:
            settings = self.get_conn()
            key = settings.require_key()
        except InteraktLoaderError as error:
            return False, str(error)
        transport = HttpTransport(settings.base_url, key, timeout=settings.timeout, connections=1)
        try:
            answer = transport.send(Message(row=0, kind="user", ordering_key="", body=b"{}"))
        finally:
            transport.close()
        if answer.http_status == 400:
            return True, f"{settings.base_url} lets the key in"
        status = "no answer" if answer.http_status is None else f"HTTP {answer.http_status}"
        return False, f"{settings.base_url}: {status}: {answer.message}"


def _read_connection(connection: Any) -> tuple[dict[str, Any], str | None]:
    """Return the options of a connection, and the first that is both a field of it and in its extra.

    Nothing is raised where a connection is in a variable: it shows its password in a traceback with locals.
    """
    extra = {name: value for name, value in connection.extra_dejson.items() if value is not None}  # emptied in the form
    password = (connection.password or "").strip()
    own = {"api_key": password, "base_url": _address(connection), **extra}
    hide_secrets(own)
    if not password:
        del own["api_key"]
    return own, next((name for name in _FIELDS if name in extra), None)


def _address(connection: Any) -> str:
    """Return the base URL of a connection, whose host may be one as it stands; empty: the default."""
    host: str = connection.host or ""
    if not host or "://" in host:
        return host
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}"
