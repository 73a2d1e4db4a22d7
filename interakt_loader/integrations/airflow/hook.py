"""The hook: reads a connection of Airflow as options, and loads tables that a task has made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from interakt_loader.errors import APIError, InteraktLoaderError, LoadInterrupted, SettingsError
from interakt_loader.integrations.airflow.provider import CONNECTION_TYPE, DEFAULT_CONNECTION, FORM
from interakt_loader.integrations.airflow.sdk import BaseHook
from interakt_loader.integrations.airflow.source import shown_source
from interakt_loader.integrations.airflow.task_load import errors_for_airflow, read_options
from interakt_loader.privacy.text import masked
from interakt_loader.settings.values import hide_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from interakt_loader.client import Client
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
        self._client: Client | None = None
        self._close_client: Callable[[], object] | None = None

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

    def settings(self) -> Settings:
        """Return the connection as checked `Settings`."""
        from interakt_loader.settings import Settings
        from interakt_loader.settings.environment import ACCOUNT

        return Settings.resolve(self.options(), variables=ACCOUNT, strict=False)

    def get_conn(self) -> Client:
        """Return a client that makes each call at once, and keeps to the rate limit of the connection.

        It has the methods of the vendor's client: `user` and `event`. A call that is not accepted raises `APIError`.
        The client is closed by `close`, when nothing uses it any more, and at the end of the task.
        """
        if self._client is None:
            from interakt_loader.integrations.airflow.calls import paced_client

            self._client, self._close_client = paced_client(self.settings())
        return self._client

    def close(self) -> None:
        """Close the client of `get_conn`. A later call makes a new one."""
        if self._close_client is not None:
            self._close_client()
        self._client = self._close_client = None

    def user(
        self,
        user_id: Any = None,
        country_code: str = "+91",
        phone_number: Any = None,
        traits: dict[str, Any] | None = None,
        created_at: Any = None,
    ) -> dict[str, Any]:
        """Make one user call now, and return the API's answer. The arguments are those of the vendor's SDK.

        Raises `APIError` if the call is not accepted. In a task, arguments and calls that the API refuses raise
        `AirflowFailException`, because no retry helps.
        """
        given = {"user_id": user_id, "country_code": country_code, "phone_number": phone_number}
        return self._call("user", given | {"traits": traits, "created_at": created_at})

    def event(
        self,
        user_id: Any = None,
        event: str | None = None,
        traits: dict[str, Any] | None = None,
        country_code: str = "+91",
        phone_number: Any = None,
        created_at: Any = None,
    ) -> dict[str, Any]:
        """Make one event call now; otherwise like `user`. A retry of the task makes the call again."""
        given = {"user_id": user_id, "country_code": country_code, "phone_number": phone_number}
        return self._call("event", given | {"event": event, "traits": traits, "created_at": created_at})

    def _call(self, kind: Kind, arguments: dict[str, Any]) -> dict[str, Any]:
        with errors_for_airflow():
            try:
                answer: dict[str, Any] = getattr(self.get_conn(), kind)(**arguments).json()
            except APIError as error:
                # the API may repeat a part of the call
                raise APIError(error.status, error.status_code, masked(error.message)) from None
        return answer

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
            trial = try_key(self.settings())
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
