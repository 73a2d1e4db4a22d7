"""What an installed wheel can do by itself: run by the interpreter of an environment that has nothing else.

    python -I smoke.py FOLDER

imports neither the tests nor what they need; FOLDER is empty and may be written to. Prints a line a claim; the first
one that does not hold ends it with a traceback.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

import interakt_loader
from interakt_loader import InteraktLoaderError, MappingDict, check, load_users, track
from interakt_loader.mapping.files import SCHEMA
from interakt_loader.sandbox import Sandbox, SandboxProcess

CUSTOMERS = pd.DataFrame({"customer_id": ["C-17", "C-18"], "mobile": ["98765 43210", "12"], "name": ["Asha", "Bob"]})
MAPPING: MappingDict = {"user_id": "customer_id", "phone": "mobile", "traits": ["name"]}


def the_package_is_the_environment_s(_: Path) -> None:
    assert Path(interakt_loader.__file__).is_relative_to(sys.prefix), interakt_loader.__file__


def there_are_two_ways_to_the_command_line(folder: Path) -> None:
    script = Path(sys.executable).with_name("interakt-loader")
    said = f"interakt-loader {interakt_loader.__version__}"
    assert _run([str(script), "--version"], folder) == said
    assert _run([sys.executable, "-I", "-m", "interakt_loader", "--version"], folder) == said


def the_demo_makes_its_tables_and_loads_them(folder: Path) -> None:
    said = _run([sys.executable, "-I", "-m", "interakt_loader", "demo", "--rows", "500"], folder)
    assert "the sandbox now holds" in said
    assert len((folder / "users.report.csv").read_text(encoding="utf-8").splitlines()) == 501


def a_frame_is_loaded_and_reported(folder: Path) -> None:
    with Sandbox() as sandbox:
        result = load_users(
            CUSTOMERS, MAPPING, api_key=sandbox.api_key, base_url=sandbox.url, ledger=folder / "customers.ledger"
        )
        assert (result.sent, result.invalid) == (1, 1)
        found = sandbox.find_user("C-17")
    assert found is not None
    assert found.traits == {"name": "Asha"}
    assert list(result.failures()["code"]) == ["phone_invalid"]
    page = result.write_html(folder / "load.html").read_text(encoding="utf-8")
    assert "phone_invalid" in page
    assert "<style>" in page


def track_sends(_: Path) -> None:
    with SandboxProcess() as sandbox:
        track.api_key, track.host = sandbox.api_key, sandbox.url
        track.event(user_id="C-17", event="Order Placed", traits={"orderNumber": "CUS001"})
        track.join()
        assert [event.event for event in sandbox.events()] == ["Order Placed"]


def the_presets_are_found(folder: Path) -> None:
    said = _run([sys.executable, "-I", "-m", "interakt_loader", "infer", "--preset", "shopify-customers"], folder)
    assert "user_id" in said
    assert SCHEMA.is_file()
    assert SCHEMA.as_uri() in said


def the_sandbox_s_page_is_there(_: Path) -> None:
    from urllib.request import urlopen

    with Sandbox() as sandbox, urlopen(sandbox.url) as answer:
        assert b"<html" in answer.read()


def each_missing_library_has_one_clear_line(folder: Path) -> None:
    book = folder / "book.xlsx"
    with zipfile.ZipFile(book, "w") as parts:
        parts.writestr("[Content_Types].xml", "")
    result = check(CUSTOMERS, MAPPING)

    def airflow() -> None:
        from interakt_loader.integrations.airflow import InteraktLoadOperator  # noqa: F401

    def spark() -> None:
        from interakt_loader.integrations import spark

        spark.load_users(CUSTOMERS, MAPPING)

    for packages, attempt in {
        "matplotlib": result.plot,
        "python-calamine": lambda: check(book, MAPPING),
        "fsspec aiohttp": lambda: check("https://127.0.0.1:9/customers.csv", MAPPING),
        "redis": lambda: load_users(
            CUSTOMERS, MAPPING, api_key="k", rate_limit="300/min", share="redis://127.0.0.1:9/0"
        ),
        "'apache-airflow>=3.1'": airflow,
        "'pyspark>=4.1'": spark,
    }.items():
        line = "nothing was raised"
        try:
            attempt()
        except (InteraktLoaderError, ImportError) as error:
            line = str(error)
        assert f"pip install {packages}" in line, line
        assert "\n" not in line, line
        print(f"  {line}")


CLAIMS: tuple[Callable[[Path], None], ...] = (
    the_package_is_the_environment_s,
    there_are_two_ways_to_the_command_line,
    the_demo_makes_its_tables_and_loads_them,
    a_frame_is_loaded_and_reported,
    track_sends,
    the_presets_are_found,
    the_sandbox_s_page_is_there,
    each_missing_library_has_one_clear_line,
)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


if __name__ == "__main__":
    for claim in CLAIMS:
        claim(Path(sys.argv[1]))
        print(claim.__name__.replace("_", " "))
    print(f"{len(CLAIMS)} claims hold on Python {sys.version.split()[0]}")
