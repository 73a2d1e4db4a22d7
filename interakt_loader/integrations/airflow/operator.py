"""The operator: a task that loads a file, a folder, a pattern or a list of these."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote

from interakt_loader.errors import SettingsError
from interakt_loader.integrations.airflow.link import InteraktLoadLink
from interakt_loader.integrations.airflow.provider import DEFAULT_CONNECTION
from interakt_loader.integrations.airflow.sdk import BaseOperator
from interakt_loader.integrations.airflow.source import shown_source
from interakt_loader.settings.values import shown_share

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from interakt_loader.integrations.airflow.task_load import TaskLoad
    from interakt_loader.model import Kind
    from interakt_loader.result import LoadResult
    from interakt_loader.sources.data import Data

_KINDS: dict[str | None, Kind | None] = {"users": "user", "events": "event", None: None}


class InteraktLoadOperator(BaseOperator):
    """Loads a table into Interakt, and returns counts and paths (`LoadResult.as_dict`), for XCom.

    - `source` is a path, folder, pattern or address, or a list of them. `{"env": NAME}` is what a variable holds, such
      as the address of a database; then `report` and the option `query` are needed. Rows, a frame or another table of
      a task need `report`. Airflow shows only their type and number.
    - `mapping` is a dict, a path to a YAML, TOML or JSON file, `preset:NAME`, or None: it is proposed.
    - `kind` is `users` or `events`; None: the mapping decides.
    - `event` is the name of all events, if no column has it.
    - `report` is next to the source by default, and `ledger` next to the report; `"none"` keeps no ledger. A `report`
      that is a folder, or ends in `/`, has a report and a ledger for each source.
    - `options` are those of `Settings`. They take precedence over the connection's.
    - `html_url` is where the folder of the pages is served that the option `html` writes, for the link to a page.

    The key is only in the connection `interakt_conn_id`, because everybody can see the fields of an operator.

    Raises `AirflowFailException` for an error that no retry can fix. Raises `LoadStopped` if the load ended early, and
    `RowsFailed` if rows failed; with `raise_for_failures=False` only the counts show these. A retry makes only the
    calls that are left. However the task ends, the load finishes its calls in flight.
    """

    template_fields: Sequence[str] = (
        "source",
        "mapping",
        "kind",
        "event",
        "report",
        "ledger",
        "options",
        "html_url",
        "interakt_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"mapping": "json", "options": "json"}
    operator_extra_links = (InteraktLoadLink(),)
    ui_color = "#d7f2e3"

    def __init__(
        self,
        *,
        source: Data | XComArg,
        mapping: str | PathLike[str] | dict[str, Any] | None = None,
        kind: Literal["users", "events"] | None = None,
        event: str | None = None,
        report: str | PathLike[str] | None = None,
        ledger: str | PathLike[str] | None = None,
        options: dict[str, Any] | None = None,
        html_url: str | None = None,
        raise_for_failures: bool = True,
        interakt_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.mapping = mapping
        self.kind = kind
        self.event = event
        self.report = report
        self.ledger = ledger
        self.options = options
        self.html_url = html_url
        self.raise_for_failures = raise_for_failures
        self.interakt_conn_id = interakt_conn_id
        self._load: TaskLoad | None = None
        self._killed = False
        # Options from another task or a template are not known yet.
        if isinstance(options, dict):
            _keep_secrets_out(options)

    @property
    def source(self) -> Any:
        """What is loaded: paths, or a `Table`, whose rows no page, log line or error shows."""
        return self._source

    @source.setter
    def source(self, given: Any) -> None:
        self._source = shown_source(given)

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the source. Heavy modules are imported here, not when the DAG file is parsed."""
        from interakt_loader.integrations.airflow.files import refuse_one_report, with_files
        from interakt_loader.integrations.airflow.hook import InteraktHook
        from interakt_loader.integrations.airflow.task_load import (
            TaskLoad,
            errors_for_airflow,
            is_missing,
            read_options,
        )
        from interakt_loader.sources.addresses import refuse_passwords

        ti = context["ti"]
        self._load = load = TaskLoad()
        if self._killed:
            self.on_kill()
        with errors_for_airflow():
            # Templates are rendered now.
            given = self._options()
            refuse_passwords(self.source if isinstance(self.source, list) else [self.source])
            files = read_options({"report": self.report or "", "ledger": self.ledger or ""})
            options = InteraktHook(self.interakt_conn_id).options(**{**read_options(given), **files})
            if ti.map_index >= 0:
                refuse_one_report(self.source, options, self._written())
            options = with_files(self.source, options, (ti.dag_id, ti.run_id, ti.map_index, ti.task_id))
            event = None if is_missing(self.event) else self.event
            result = load.run(self.source, self.mapping, self._kind(), options, event)
            if self.raise_for_failures or result.stopped is not None:
                result.raise_for_failures()
        self._describe_outlets(context, result)
        return result.as_dict()

    def page_address(self) -> str | None:
        """Return the address of the load's page; None if the load has written none."""
        result = None if self._load is None else self._load.result
        page = None if result is None else result.options["html"]
        if page is None or not Path(page).is_file():
            return None
        from interakt_loader.integrations.airflow.task_load import is_missing

        path = Path(page).absolute()
        if self.html_url is None or is_missing(self.html_url):
            return path.as_uri()
        return f"{self.html_url.rstrip('/')}/{quote(path.name)}"

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what the load has read and written, for the listener of OpenLineage."""
        del task_instance
        from interakt_loader.integrations.airflow.files import paths_of
        from interakt_loader.integrations.airflow.lineage import lineage_of

        return lineage_of(None if self._load is None else self._load.result, paths_of(self.source))

    def _describe_outlets(self, context: Context, result: LoadResult) -> None:
        """Put the counts into the events of the assets that the task updates."""
        if self.outlets:
            from airflow.sdk import Asset

            from interakt_loader.integrations.airflow.lineage import counts_of

            for outlet in self.outlets:
                if isinstance(outlet, Asset):
                    context["outlet_events"][outlet].extra.update(counts_of(result))

    def _kind(self) -> Kind | None:
        kind: Any = self.kind
        # a template may make a list of it
        if not isinstance(kind, str | None) or kind not in _KINDS:
            raise SettingsError(f"kind is {kind!r}; expected users or events")
        return _KINDS[kind]

    def _options(self) -> dict[str, Any]:
        """Return the options after their templates were rendered."""
        from interakt_loader.values import type_shown

        options = {} if self.options is None else self.options
        # its content is not shown: it may have a key
        if not isinstance(options, dict):
            raise SettingsError(
                f"options is {type_shown(options)}; expected a dict: a template of a whole dict needs "
                "render_template_as_native_obj=True of the DAG"
            )
        _keep_secrets_out(options)
        return options

    def _written(self) -> dict[str, Any]:
        """Return the fields that the DAG file gives, without those that differ between the tasks of this operator."""
        original = self.dag.get_task(self.task_id)
        # an operator in a mapped group of tasks is not mapped itself
        given = getattr(original, "partial_kwargs", None) or vars(original) | {"source": original.source}
        return {name: given[name] for name in ("source", "report", "options") if given.get(name) is not None}

    def on_kill(self) -> None:
        """Stop the load: it finishes and records the calls in flight, and makes no others."""
        self._killed = True
        if self._load is not None:
            self._load.stop("the task was killed")


def _keep_secrets_out(options: dict[str, Any]) -> None:
    """Refuse secrets in options, because everybody can see a rendered template."""
    for name, value in options.items():
        if name in ("api_key", "old_api_key"):
            raise SettingsError(f"options: {name} would be shown to everybody; put it into the connection")
        if name == "share" and isinstance(value, str) and shown_share(value) != value:
            raise SettingsError(
                "options: the password of share would be shown to everybody; put it into the connection"
            )
