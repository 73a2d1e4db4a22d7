"""Where the report and the ledger of a task are. All tries of a task use the same files; no two tasks share them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interakt_loader.errors import SettingsError
from interakt_loader.integrations.airflow.source import Table
from interakt_loader.settings.settings import ledger_beside, report_beside, report_path
from interakt_loader.settings.values import is_address, local_path, parse_name, parsed
from interakt_loader.values import type_shown

_OF_A_TASK = re.compile(r"\{.*\b(ti|task|task_instance)\b.*\}", re.DOTALL)
"""A template whose value may differ between the tasks of a mapped operator."""

DIGITS = 8
"""Of the hash in the name of a report, by which sources with equal names differ."""


def with_files(source: Any, options: Mapping[str, Any], task: Sequence[object] = ()) -> dict[str, Any]:
    """Return the options of a load, with a path for the report and for the ledger.

    Without `report`, the report is beside the first source. A `report` or an `html` that is a folder has one file for
    each source. The ledger is beside the report, and a ledger of None stays None. The option `name` names the files.

    Args:
        source: As `shown_source` returns it. Only a path names a file: a `Table` has the name of its task.
        options: The options as given.
        task: What identifies the run of a task; its last part is the task's name.

    Raises:
        SettingsError: The report is needed, or is not on this machine.
    """
    given = dict(options)
    name = given.get("name")
    if name is not None:
        parsed("name", parse_name, name)
    for one in ("report", "ledger", "html"):
        if given.get(one) is not None:
            given[one] = _on_this_machine(one, given[one])
    report = given.get("report")
    if report is None:
        report = report_beside(_local_path(source), name)
    elif is_folder(report):
        report = str(_folder("report", report) / report_path(name or _name_in(report, source, given, task)))
    html = given.get("html")
    if html is not None and is_folder(html):
        given["html"] = str(_folder("html", html) / f"{name or _name_in(html, source, given, task)}.html")
    ledger = ledger_beside(str(report), name)
    return {"progress": False, "ledger": ledger, **given, "report": report}


def refuse_one_report(source: Any, options: Mapping[str, Any], written: Mapping[str, Any]) -> None:
    """Refuse a report that all tasks of a mapped operator would write.

    Args:
        source: What this task loads.
        options: The options of this task, for which a file may be given.
        written: The fields of the operator as the DAG file has them. A field that is not there differs by task.

    Raises:
        SettingsError: The field that decides on the path is the same for all.
    """
    report, name = options.get("report"), options.get("name")
    among = written.get("options")
    written = {**(among if isinstance(among, Mapping) else {}), **written}
    if report is not None and not is_folder(report):
        decides, file = written.get("report"), report
    elif name is not None:
        decides, file = written.get("name"), report_path(name)
    elif isinstance(source, Table) or (report is not None and _differs_by_rows(options, written)):
        # the name of rows is that of the mapped task; in a folder, query and where are part of the name
        decides, file = None, report
    else:
        decides, file = written.get("source"), report or "beside the source"
    if _is_same_for_all(decides):
        raise _one_file(f"report {file}")
    html = options.get("html")
    if html is not None and not is_folder(html) and _is_same_for_all(written.get("html")):
        raise _one_file(f"html {html}")


def _one_file(what: str) -> SettingsError:
    return SettingsError(
        f"{what}: all mapped tasks would write it; give a folder that ends in / and no name, or a path for each task "
        "with expand_kwargs"
    )


def _differs_by_rows(options: Mapping[str, Any], written: Mapping[str, Any]) -> bool:
    return any(options.get(one) is not None and not _is_same_for_all(written.get(one)) for one in ("query", "where"))


def _is_same_for_all(written: Any) -> bool:
    """Tell whether a field is the same for all mapped tasks: it is text, and no template of something of the task."""
    texts = written if isinstance(written, (list, tuple)) else [written]
    return all(isinstance(one, (str, os.PathLike)) and not _OF_A_TASK.search(str(one)) for one in texts)


def is_folder(given: str | os.PathLike[str]) -> bool:
    """Tell whether the path of a file to write is a folder: it ends in a slash, or the folder is there."""
    return str(given).endswith(("/", os.sep)) or Path(given).is_dir()


def _folder(option: str, given: str) -> Path:
    folder = Path(given)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{option} {given}: the folder cannot be made: {error.strerror}") from None
    return folder


def _on_this_machine(name: str, given: Any) -> str:
    """Return the path of a file to write, also that of an ObjectStoragePath on this machine."""
    from interakt_loader.sources.paths import RemotePath, as_path, is_path

    if not is_path(given):
        raise SettingsError(f"{name} is {type_shown(given)}; expected a path")
    path = as_path(given)
    here = None if isinstance(path, RemotePath) else local_path(path)
    if here is None:
        raise SettingsError(f"{name}: is at an address; expected a path on this machine, or on a disk that it mounts")
    return here


def paths_of(source: Any) -> list[str]:
    """Return the paths of a source, and addresses without their secrets; none of a `Table`."""
    from interakt_loader.sources import hidden_source, with_paths
    from interakt_loader.sources.addresses import hide_secrets
    from interakt_loader.sources.paths import is_path

    data = with_paths(hidden_source(source))
    data = [*data] if isinstance(data, (list, tuple)) else [data]
    # the address of a database shows itself without secrets
    return [hide_secrets(os.fspath(one) if is_path(one) else str(one)) for one in data if not isinstance(one, Table)]


def _local_path(source: Any) -> str:
    """Return the path of the first source, beside which the report can be."""
    paths = paths_of(source)
    here = local_path(paths[0]) if paths else None
    if here is None:
        what = "is at an address" if paths else f"is {source}"
        raise SettingsError(
            f"report: give a path, or a folder that ends in /: the source {what}, and nothing can be put beside it"
        )
    return here


def _name_in(folder: str, source: Any, options: Mapping[str, Any], task: Sequence[object]) -> str:
    """Return the name of a source's files in a folder. A whole file of that folder has no hash."""
    paths = paths_of(source)
    if not paths:
        if not task:
            raise SettingsError(f"{folder}: give the path of a file, or name: the source {source} has no name")
        return f"{task[-1]}-{_hash(task)}"
    plain = [one if is_address(one) else os.path.abspath(os.path.expanduser(one)) for one in paths]  # noqa: PTH100, PTH111
    stem = Path(report_beside(paths[0])).name.removesuffix(Path(report_path("")).name)
    rows = [options.get("query"), options.get("where")]
    if len(plain) == 1 and rows == [None, None] and Path(plain[0]).parent == Path(folder).expanduser().absolute():
        return stem
    return f"{stem}-{_hash([*plain, *rows])}"


def _hash(parts: Sequence[object]) -> str:
    return hashlib.blake2b(repr([str(one) for one in parts]).encode(), digest_size=DIGITS // 2).hexdigest()
