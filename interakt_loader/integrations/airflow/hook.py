"""The hook: reads a connection of Airflow as options, and loads tables that a task has made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseHook

from interakt_loader.errors import InteraktLoaderError, LoadInterrupted, SettingsError
from interakt_loader.integrations.airflow.provider import CONNECTION_TYPE, DEFAULT_CONNECTION, FORM
from interakt_loader.integrations.airflow.source import shown_source
from interakt_loader.integrations.airflow.task_load import errors_for_airflow, read_options
from interakt_loader.settings.values import hide_secrets

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from interakt_loader.model import Kind
    from interakt_loader.result import LoadResult
    from interakt_loader.settings import Settings
    from interakt_loader.settings.settings import Options

_FIELDS = ("api_key", "base_url")
"""The options that are fields of a connection, its password and its host."""


class InteraktHook(BaseHook):
    """Interakt's track API, with a connection of type `interakt`.

    The connection's password is the dashboard's Secret Key, unchanged. Its host is the address; empty: the real API.
    Its extra has options of `Settings`, such as `{"rate_limit": "300/min"}`.
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
        """Return the connection's form, for Airflow before 3.2. Newer versions take it from the provider."""
        return {name.replace("-", "_"): value for name, value in FORM.items()}

    def options(self, **over: Any) -> dict[str, Any]:
        """Return the connection's options, replaced by the given ones. A key or address of None replaces nothing.

        Raises `SettingsError` for an extra that belongs into a field of the connection, or has an invalid value.
        """
        found, doubled = _read_connection(self.get_connection(self.interakt_conn_id))
        if doubled:
            raise SettingsError(f"extra of connection {self.interakt_conn_id}: {doubled} has a field of its own there")
        return read_options(found) | {
            name: value for name, value in over.items() if value is not None or name not in _FIELDS
        }

    def get_conn(self) -> Settings:
        """Return the connection as checked `Settings`."""
        from interakt_loader.settings import Settings
        from interakt_loader.settings.environment import ACCOUNT

        return Settings.resolve(self.options(), variables=ACCOUNT, strict=False)

    def load_users(self, data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
        """Load a table as users, such as a DataFrame that the task has made, as `interakt_loader.load_users` does.

        Raises `AirflowFailException` for an error that no retry can fix, and `LoadStopped` if the load ended early. The
        result has the failed rows; `result.raise_for_failures()` makes Airflow retry the task. After SIGTERM or Ctrl-C
        the load finishes its calls in flight, and raises `LoadInterrupted`.
        """
        data = shown_source(data)
        hide_secrets(cast("dict[str, Any]", options))
        return self._load(data, mapping, "user", options)

    def load_events(self, data: Any, mapping: Any = None, **options: Unpack[Options]) -> LoadResult:
        """Load a table as events; otherwise like `load_users`."""
        data = shown_source(data)
        hide_secrets(cast("dict[str, Any]", options))
        return self._load(data, mapping, "event", options)

    def _load(self, data: Any, mapping: Any, kind: Kind, options: Options) -> LoadResult:
        from interakt_loader.integrations.airflow.task_load import TaskLoad
        from interakt_loader.load.run import Interrupts

        with errors_for_airflow():
            load = TaskLoad()
            # Airflow's own handler of signals reaches operators, but not hooks.
            with Interrupts(load.stop_token, "the task was ended") as interrupts:
                result = load.run(data, mapping, kind, self.options(**{"progress": False, **options}))
            if interrupts.signum is not None:
                raise LoadInterrupted(result, interrupts.signum)
            if result.stopped is not None:
                result.raise_for_failures()
            return result

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the API accepts the key, and what to do if not. It makes one call, which changes nothing."""
        from interakt_loader.account.key import try_key

        try:
            trial = try_key(self.get_conn())
        except InteraktLoaderError as error:
            return False, str(error)
        return trial.works, trial.text


def _read_connection(connection: Any) -> tuple[dict[str, Any], str | None]:
    """Return the options of a connection, and the first that is both a field of it and in its extra.

    It raises nothing: a traceback with locals would show the connection, with its password.
    """
    # The form gives None for an empty field.
    extra = {name: value for name, value in connection.extra_dejson.items() if value is not None}
    password = (connection.password or "").strip()
    options = {"api_key": password, "base_url": _address(connection), **extra}
    hide_secrets(options)
    if not password:
        del options["api_key"]
    return options, next((name for name in _FIELDS if name in extra), None)


def _address(connection: Any) -> str:
    """Return the base URL of a connection. Its host may be a whole URL; empty: the default."""
    host: str = connection.host or ""
    if not host or "://" in host:
        return host
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}"
