"""What users type, written down from the source alone: names, signatures, flags, exit codes, and the report's columns.

`python -m tests.public_api` writes it into public_api.txt anew, and what `tests.signatures` makes. Modules are read,
not imported, so that Airflow and Spark need not be there.
"""

from __future__ import annotations

import ast
import inspect
import signal
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import click

import interakt_loader
from interakt_loader import errors
from interakt_loader.cli.commands import cli
from interakt_loader.codes import ABOUT
from interakt_loader.model import Status
from interakt_loader.report.outcomes import OUTCOMES
from interakt_loader.settings import Settings
from interakt_loader.settings.environment import variable_of
from interakt_loader.settings.settings import VARIABLES, Options
from tests.signatures import API, STUB, stub, with_options

SNAPSHOT = Path(__file__).with_name("public_api.txt")

MODULES = (
    "interakt_loader",
    "interakt_loader.track",
    "interakt_loader.errors",
    "interakt_loader.sandbox",
    "interakt_loader.integrations.airflow",
    "interakt_loader.integrations.spark",
)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_MADE_BY_US = ("LoadResult", "ProjectResult")
"""Classes of which users get objects, and make none."""

PACKAGE = Path(interakt_loader.__file__).parent


def public_api() -> str:
    """Return the whole of it, as text."""
    parts = [_module(name) for name in MODULES]
    parts += [_options(), _commands(), _exit_codes(), _report()]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


@cache
def _tree(module: str) -> ast.Module:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _module(module: str) -> list[str]:
    lines = [f"# {module}"]
    for name in _names(module):
        lines += _name(module, name)
    return lines


def _names(module: str) -> list[str]:
    """Return what `__all__` lists or, where there is none, each class that the module makes."""
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return sorted(ast.literal_eval(node.value))
    return [node.name for node in _tree(module).body if isinstance(node, ast.ClassDef)]


def _name(module: str, name: str) -> list[str]:
    """Describe a name where it is made, however many modules hand it on."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return [_signature(node)]
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _class(node)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            return [ast.unparse(node)]
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [name]:
            return [f"{name} = …"]
        if isinstance(node, ast.ImportFrom) and any((one.asname or one.name) == name for one in node.names):
            assert node.module is not None
            if node.module == "interakt_loader" and name == "track":
                return [f"module {name}"]
            return _name(node.module, name)
    raise AssertionError(f"{module} says that it has {name}, and where is it?")


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    returns = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    marks = {ast.unparse(one) for one in node.decorator_list}
    kind = "property" if "property" in marks else "classmethod" if "classmethod" in marks else "def"
    return f"{kind} {node.name}({ast.unparse(node.args)}){returns}"


def _class(node: ast.ClassDef) -> list[str]:
    lines = [f"class {node.name}({', '.join(map(ast.unparse, node.bases))})".replace("()", "")]
    members: list[str] = []
    for one in node.body:
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if one.name == "__init__":
                members += [] if node.name in _MADE_BY_US else [_signature(one)]
                members += _attributes(one)
            elif not one.name.startswith("_") or one.name in ("__enter__", "_repr_html_"):
                members.append(_signature(one))
        elif isinstance(one, ast.AnnAssign) and not ast.unparse(one.target).startswith("_"):
            members.append(_field(one))
        elif isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) in ("exit_code", "template_fields"):
            members.append(ast.unparse(one))
    return lines + [f"    {one}" for one in members]


def _field(node: ast.AnnAssign) -> str:
    """Return a field with its default: for a field made by a call, its argument `default`, else its first one."""
    default = node.value
    if isinstance(default, ast.Call) and default.args:
        named = {one.arg: one.value for one in default.keywords}
        default = named.get("default", default.args[0])
    return f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}" + (
        "" if default is None else f" = {ast.unparse(default)}"
    )


def _attributes(init: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for node in ast.walk(init):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        for one in targets:
            name = ast.unparse(one)
            if name.startswith("self.") and not name.startswith("self._"):
                yield f"attribute {name.removeprefix('self.')}"


def _options() -> list[str]:
    lines = ["# options of a load, by keyword, and their environment variables"]
    annotated = {name: kinds.__forward_arg__ for name, kinds in Options.__annotations__.items()}
    for one in fields(Settings):
        choices, variable = one.metadata["choices"], variable_of(one.name) if one.name in VARIABLES else None
        line = f"{one.name}: {annotated[one.name]} = {one.default!r}"
        lines.append(line + (f" of {choices}" if choices else "") + (f" env {variable}" if variable else ""))
    return lines


def _commands() -> list[str]:
    lines = ["# command line"]
    for name, command in {"": cli, **cli.commands}.items():
        lines.append(f"interakt-loader {name}".rstrip())
        lines += [f"    {_parameter(one)}" for one in command.params]
    return lines


def _parameter(one: click.Parameter) -> str:
    names = "/".join([*one.opts, *one.secondary_opts])
    several = " …" if one.multiple or one.nargs == -1 else ""
    if isinstance(one, click.Argument):
        return f"{one.human_readable_name}{'' if one.required else ' (optional)'}"
    assert isinstance(one, click.Option)
    variable = f" env {one.envvar}" if one.envvar else ""
    if one.is_flag:
        return names + variable
    kind = (
        " | ".join(one.type.choices) if isinstance(one.type, click.Choice) else (one.metavar or one.type.name.upper())
    )
    return f"{names} {kind}{several}{variable}"


def _exit_codes() -> list[str]:
    found = {name: getattr(one, "exit_code", None) for name, one in inspect.getmembers(errors, inspect.isclass)}
    codes = {name: code for name, code in found.items() if isinstance(code, int)}
    codes |= {f"LoadInterrupted by {one.name}": errors.LoadInterrupted(signum=one).exit_code for one in _SIGNALS}
    lines = (f"{code:3} {name}" for name, code in sorted(codes.items(), key=lambda pair: (pair[1], pair[0])))
    return ["# exit codes", *lines]


def _report() -> list[str]:
    return [
        "# report",
        *(f"column {one.name}: {one.type}" for one in OUTCOMES),
        *(f"status {one.value}" for one in Status),
        *(f"code {one}" for one in sorted(ABOUT)),
    ]


if __name__ == "__main__":
    SNAPSHOT.write_text(public_api(), encoding="utf-8")
    STUB.write_text(stub(), encoding="utf-8")
    API.write_text(with_options(API.read_text(encoding="utf-8")), encoding="utf-8")
