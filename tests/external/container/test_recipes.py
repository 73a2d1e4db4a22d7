"""The recipes of docs/containers.md and docs/schedule.md: their systems take them, and they do what is said."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from click import Context

from interakt_loader.cli.commands import cli
from interakt_loader.sandbox import Sandbox
from tests.external.container.dockerfile import stages
from tests.snippets import ROOT, fences

TITLES = {
    title[1]: fence.text
    for page in ("containers.md", "schedule.md")
    for fence in fences((ROOT / "docs" / page).read_text(encoding="utf-8"))
    if (title := re.search(r'title="([^"]+)"', fence.info))
}
"""The files that the two pages show, by name."""

USER = int(stages()[-1].only("USER").rest.partition(":")[0])


def _commands() -> list[tuple[str, list[str]]]:
    """Return the arguments of each load in a recipe."""
    cron, job = _cronjob()["spec"]["jobTemplate"], yaml.safe_load(TITLES["job.yaml"])
    (pod,), (task,) = (one["spec"]["template"]["spec"]["containers"] for one in (cron, job["spec"]["template"]))
    unit = re.search(r"^ExecStart=\S+ (.*)", TITLES["interakt-load.service"], re.MULTILINE)
    step = re.search(r"interakt-loader ((?:.|\\\n)*?)\n\n", _step("Load")["run"] + "\n\n")
    assert unit is not None
    assert step is not None
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return [
        ("cronjob.yaml", pod["args"]),
        ("job.yaml", task["args"]),
        ("interakt-load.service", unit[1].split()),
        ("load.yml", shlex.split(step[1])),
        ("compose.yaml", compose["services"]["load"]["command"]),
    ]


def _cronjob() -> Any:
    (found,) = [one for one in yaml.safe_load_all(TITLES["cronjob.yaml"]) if one["kind"] == "CronJob"]
    return found


def _step(name: str) -> Any:
    steps = yaml.safe_load(TITLES["load.yml"])["jobs"]["load"]["steps"]
    (found,) = [one for one in steps if one.get("name") == name]
    return found


@pytest.mark.parametrize(("name", "arguments"), _commands(), ids=lambda given: given if isinstance(given, str) else "")
def test_the_command_line_takes_the_flags(name: str, arguments: list[str]) -> None:
    """Each flag exists, and the key is never its value."""
    command = cli.get_command(Context(cli), "load")
    assert command is not None
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    given = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
    assert given
    assert given <= known
    assert {"--mask", "--rate-limit"} <= given or name in ("compose.yaml", "interakt-load.service")


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("compose-spec", (ROOT / "compose.yaml").read_text(encoding="utf-8")),
        ("github-workflows", TITLES["load.yml"]),
        ("github-workflows", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")),
    ],
    ids=["compose.yaml", "load.yml", "ci.yml"],
)
def test_a_schema_is_kept(schema: str, text: str) -> None:
    """The public schema of the format, as the package check-jsonschema has it."""
    place = files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{schema}.json"
    expected = json.loads(place.read_text(encoding="utf-8"))
    # YAML reads the key `on` as true.
    content = {"on" if key is True else key: value for key, value in yaml.safe_load(text).items()}
    jsonschema.validate(content, expected)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**content, "no_such_key": 1}, expected)


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_kubernetes_takes_the_files(version: str) -> None:
    """By its own schemas, which refuse unknown fields."""
    for document in yaml.safe_load_all(TITLES["cronjob.yaml"]):
        kubernetes_validate.validate(document, version, strict=True)


def test_kubernetes_starts_again_what_another_start_helps() -> None:
    """By the exit code, as the table says: 1 and 2 end the job, and everything else counts against `backoffLimit`."""
    spec = _cronjob()["spec"]["jobTemplate"]["spec"]
    ignored, failed = spec["podFailurePolicy"]["rules"]
    assert (ignored["action"], ignored["onPodConditions"]) == (
        "Ignore",
        [{"type": "DisruptionTarget", "status": "True"}],
    )
    assert (failed["action"], failed["onExitCodes"]["operator"]) == ("FailJob", "In")
    assert failed["onExitCodes"]["values"] == [1, 2]
    assert failed["onExitCodes"]["containerName"] == spec["template"]["spec"]["containers"][0]["name"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert _cronjob()["spec"]["concurrencyPolicy"] == "Forbid"


def test_the_pod_fits_the_image() -> None:
    """It runs as the user of the image, and everything that the loader writes is mounted."""
    pod = _cronjob()["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    context, (container,) = pod["securityContext"], pod["containers"]
    assert {context["runAsUser"], context["runAsGroup"], context["fsGroup"]} == {USER}
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in container["volumeMounts"]}
    assert mounts == {"/data": False, "/tmp": False, "/config": True, "/secrets": True}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    (secret,) = [one["secret"] for one in pod["volumes"] if one["name"] == "secrets"]
    assert secret["defaultMode"] == 0o440
    assert pod["terminationGracePeriodSeconds"] > 11


CLOUD_RUN: dict[str, Any] = {
    "apiVersion": "run.googleapis.com/v1",
    "kind": "Job",
    "metadata": {"name": str},
    "spec": {
        "template": {
            "metadata": {"annotations": dict},
            "spec": {
                "parallelism": int,
                "taskCount": int,
                "template": {
                    "spec": {
                        "maxRetries": int,
                        "timeoutSeconds": int,
                        "serviceAccountName": str,
                        "containers": [
                            {
                                "image": str,
                                "args": [str],
                                "env": [{"name": str, "valueFrom": {"secretKeyRef": {"name": str, "key": str}}}],
                                "resources": {"limits": {"cpu": str, "memory": str}},
                                "volumeMounts": [{"name": str, "mountPath": str}],
                            }
                        ],
                        "volumes": [{"name": str, "nfs": {"server": str, "path": str, "readOnly": bool}}],
                    }
                },
            },
        }
    },
}
"""The fields of the reference of Cloud Run's Admin API v1 that the recipe uses; no schema of it is published."""


def _misfits(given: Any, expected: Any, place: str = "") -> list[str]:
    if isinstance(expected, dict):
        if not isinstance(given, dict):
            return [place]
        names = [f"{place}.{name}" for name in given.keys() ^ expected.keys()]
        pairs = [(given[name], expected[name], f"{place}.{name}") for name in given.keys() & expected.keys()]
        return names + [one for pair in pairs for one in _misfits(*pair)]
    if isinstance(expected, list):
        return [one for item in given for one in _misfits(item, expected[0], f"{place}[]")]
    fits = type(given) is expected if isinstance(expected, type) else given == expected
    return [] if fits else [place]


def test_cloud_run_has_the_fields() -> None:
    """Each with the type that it takes."""
    assert _misfits(yaml.safe_load(TITLES["job.yaml"]), CLOUD_RUN) == []


def test_no_two_loads_of_cloud_run_overlap() -> None:
    """All tries of a night end before the next one; a try that is stopped has time for the calls in flight."""
    task = yaml.safe_load(TITLES["job.yaml"])["spec"]["template"]["spec"]["template"]["spec"]
    assert (task["maxRetries"] + 1) * task["timeoutSeconds"] < 24 * 60 * 60
    assert "--timeout=5" in task["containers"][0]["args"]


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The folder of the two units, which start a program that this machine has."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in ("interakt-load.service", "interakt-load.timer"):
        text = TITLES[name].replace("/opt/interakt/bin/interakt-loader", str(Path(sys.executable).resolve()))
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_systemd_takes_the_units(units: Path) -> None:
    """Without a word; an unknown line is one."""
    verify = ["systemd-analyze", "verify", *map(str, sorted(units.iterdir()))]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, _about(done.stderr)) == (0, [])
    service = units / "interakt-load.service"
    service.write_text(service.read_text(encoding="utf-8") + "NoSuchLine=yes\n", encoding="utf-8")
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert "NoSuchLine" in "".join(_about(done.stderr))


def _about(said: str) -> list[str]:
    return [line for line in said.splitlines() if "interakt-load" in line]


def test_the_service_is_hardened(units: Path) -> None:
    """systemd's own review gives it less than two points of ten, where ten is the worst."""
    review = ["systemd-analyze", "security", "--offline=yes", str(units / "interakt-load.service")]
    done = subprocess.run(review, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for interakt-load\.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) < 2


class Repository:
    """A repository of a user on GitHub, and a runner that is new for each night."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder, self.origin, self.nights = folder, folder / "origin.git", 0
        loader = folder / "bin" / "interakt-loader"
        loader.parent.mkdir()
        loader.write_text(f'#!/bin/sh\nexec {sys.executable} -m interakt_loader "$@"\n', encoding="utf-8")
        loader.chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("INTERAKT", "GIT_"))},
            **{"PATH": f"{loader.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "INTERAKT_STATE_DIR": "none"},
            **{"INTERAKT_API_KEY": sandbox.api_key, "INTERAKT_BASE_URL": sandbox.url},
            "SHOP_URL": f"sqlite:///{folder / 'shop.db'}",
        }
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        self.git("clone", "--quiet", str(self.origin), "first")
        (folder / "first" / "customers.sql").write_text("SELECT * FROM customers ORDER BY id", encoding="utf-8")
        (folder / "first" / "customers.yaml").write_text("user_id: id\ntraits: [city]\n", encoding="utf-8")
        self.git("-C", "first", "add", "--all")
        self.git("-C", "first", "-c", "user.name=n", "-c", "user.email=e@localhost", "commit", "--quiet", "-m", "m")
        self.git("-C", "first", "push", "--quiet", "origin", "HEAD:main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def night(self, *, new: bool = False) -> list[int]:
        """Run the steps as a runner does, and return their exit codes."""
        self.nights += 1
        clone = f"night-{self.nights}"
        self.git("clone", "--quiet", "--depth=1", f"file://{self.origin}", clone)
        codes: list[int] = []
        for step in (_step(name) for name in ("Fetch the ledger", "Load", "Keep the ledger")):
            if any(codes) and step.get("if") != "always()":
                continue
            environment = {**self.environment, "NEW": str(new).lower()}
            command = ["bash", "-e", "-c", step["run"]]
            done = subprocess.run(
                command, cwd=self.folder / clone, env=environment, capture_output=True, text=True, check=False
            )
            codes.append(done.returncode)
        return codes

    def customers(self, *rows: tuple[str, str]) -> None:
        """Make these the rows of the shop's table."""
        database = sqlite3.connect(self.folder / "shop.db")
        database.execute("DROP TABLE IF EXISTS customers")
        database.execute("CREATE TABLE customers (id TEXT, city TEXT)")
        database.executemany("INSERT INTO customers VALUES (?, ?)", rows)
        database.commit()
        database.close()


def test_the_workflow_keeps_its_ledger(tmp_path: Path, sandbox: Sandbox) -> None:
    """It begins a ledger only on demand, sends what is new, and the branch has one commit with one file."""
    repository = Repository(tmp_path, sandbox)
    repository.customers(("C-1", "Pune"), ("C-2", "Panaji"))
    fetched, *_ = repository.night()
    assert (fetched != 0, sandbox.stats().calls) == (True, 0)
    assert repository.night(new=True) == [0, 0, 0]
    assert sandbox.stats().calls == 2
    repository.customers(("C-1", "Pune"), ("C-2", "Goa"), ("", "Delhi"))
    assert repository.night() == [0, 1, 0]
    assert sandbox.stats().calls == 3
    assert repository.night(new=True) == [0, 1, 0]
    assert sandbox.stats().calls == 3
    assert repository.git("-C", str(repository.origin), "ls-tree", "--name-only", "ledger") == "customers.ledger\n"
    assert repository.git("-C", str(repository.origin), "rev-list", "--count", "ledger") == "1\n"


def test_the_workflow_sends_nothing_without_an_answer(tmp_path: Path, sandbox: Sandbox) -> None:
    """If the branch cannot be asked for, not even an order to begin begins a ledger."""
    repository = Repository(tmp_path, sandbox)
    repository.customers(("C-1", "Pune"))
    run = _step("Fetch the ledger")["run"]
    environment = {**repository.environment, "NEW": "true"}
    repository.git("-C", "first", "remote", "set-url", "origin", str(tmp_path / "gone"))
    done = subprocess.run(["bash", "-e", "-c", run], cwd=tmp_path / "first", env=environment, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "first" / "state").exists()
