"""The JSON Schemas by which editors complete mapping and project files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from interakt_loader import Mapping, infer
from interakt_loader.cli import run as command
from interakt_loader.errors import MappingError
from interakt_loader.mapping import read_mapping
from interakt_loader.mapping.files import SCHEMA, parsed
from interakt_loader.mapping.presets import presets
from interakt_loader.project.written import Mistakes, read
from tests.docs.sentences import pages
from tests.schemas import FOLDER, texts
from tests.snippets import ROOT, fences

MAPPINGS, PROJECTS = (
    Draft202012Validator(json.loads((FOLDER / name).read_text(encoding="utf-8")))
    for name in ("mapping.json", "project.json")
)


def in_json(written: Any) -> Any:
    """Return what a file holds as an editor sees it: dates are text."""
    return json.loads(json.dumps(written, default=str))


def test_they_are_made_from_the_code() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")} == texts(), (
        "python -m tests.schemas writes them anew"
    )
    for one in (MAPPINGS, PROJECTS):
        Draft202012Validator.check_schema(one.schema)


def written_in_docs() -> list[tuple[str, Any]]:
    """Return what each YAML, TOML and JSON block of the pages holds."""
    blocks = ((page, fence) for page in pages() if page.suffix == ".md" for fence in fences(page.read_text("utf-8")))
    return [
        (f"{page.name}: {fence.text[:60]}", parsed(f".{fence.language}", fence.text))
        for page, fence in blocks
        # several documents in one file are for Kubernetes
        if fence.language in ("yaml", "toml", "json") and "jsonl" not in fence.info and "\n---\n" not in fence.text
    ]


def is_mapping(written: Any) -> bool:
    try:
        Mapping.of({key: value for key, value in written.items() if key != "confirmed"})
    except (MappingError, AttributeError):
        return False
    return True


def is_project(written: Any) -> bool:
    mistakes = Mistakes()
    read(written, mistakes)
    return not mistakes


def test_they_accept_every_example_of_the_pages() -> None:
    """What the loader accepts, the schema accepts."""
    examples = written_in_docs()
    mappings = [(where, one) for where, one in examples if is_mapping(one)]
    projects = [(where, one) for where, one in examples if is_project(one)]
    assert len(mappings) > 8
    assert len(projects) > 0
    assert [where for where, one in mappings if not MAPPINGS.is_valid(in_json(one))] == []
    assert [where for where, one in projects if not PROJECTS.is_valid(in_json(one))] == []


@pytest.mark.parametrize("name", presets())
def test_they_accept_every_preset(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As `infer` prints it, and as the mapping that is read from it."""
    if presets()[name].refused is not None:
        return
    assert command(["infer", "--preset", name]) == 0
    written = parsed(".yaml", capsys.readouterr().out)
    MAPPINGS.validate(in_json(written))
    written.pop("confirmed", None)
    MAPPINGS.validate(in_json(Mapping.of(written).as_dict()))


@pytest.mark.parametrize("path", [*(ROOT / "sample_data").glob("*.yaml")], ids=lambda path: path.name)
def test_they_accept_the_sample_data(path: Path) -> None:
    MAPPINGS.validate(in_json(parsed(".yaml", path.read_text(encoding="utf-8"))))


def test_the_first_line_of_a_proposal_leads_an_editor_to_it(tmp_path: Path) -> None:
    """The line is a comment, so the file is read as ever."""
    found = infer([{"customer_id": "C1", "name": "Asha"}])
    text = found.to_yaml()
    first = text.splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA.as_uri()}"
    assert SCHEMA.is_file()
    path = tmp_path / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_mapping(path) == found.mapping
    MAPPINGS.validate(in_json(yaml.safe_load(text)))


GOOD_FIELDS: list[Any] = [
    "id",
    {"column": "id", "type": "string"},
    {"columns": ["a", "b"], "join": " "},
    {"value": 5},
    {"value": ["a", "b"]},
    {"column": "a", "values": {"x": True, "y": None}, "otherwise": None},
    {"column": "a", "default": "2020-01-31", "format": "%Y-%m-%d", "timezone": "+05:30"},
]
BAD_FIELDS: list[Any] = [
    5,
    {"colum": "id"},
    {"column": "id", "value": 5},
    {"columns": ["a", "b"]},
    {"column": "a", "join": " "},
    {"column": "a", "otherwise": 5},
    {"column": "a", "values": {}},
    {"column": "a", "type": "text"},
    {"column": "a", "decimal": ";"},
    {"column": "a", "format": ""},
    {"value": 5, "default": 6},
    {"value": {"a": 5}},
    {"column": "a", "name": "b"},
    {"column": "a", "collect": "yes"},
]


@pytest.mark.parametrize("field", [*GOOD_FIELDS, *BAD_FIELDS], ids=str)
def test_a_field_is_good_for_both_or_for_neither(field: Any) -> None:
    """The loader and the schema agree."""
    written = {"created_at" if "%d" in str(field) else "country_code": field}
    assert MAPPINGS.is_valid(in_json(written)) == is_mapping(written) == (field in GOOD_FIELDS)


@pytest.mark.parametrize(
    ("written", "good"),
    [
        ({"user_id": "id", "traits": "*"}, True),
        ({"phone": ["a", {"column": "b"}], "traits": ["*", {"column": "c", "name": "d"}]}, True),
        ({"user_id": "id", "traits": {"A": "a", "B": {"value": True}}}, True),
        ({"user_id": "id", "traitz": ["a"]}, False),
        ({"phone": []}, False),
        ({"traits": "all"}, False),
        ({"traits": [5]}, False),
        ([], False),
    ],
)
def test_a_mapping_is_good_for_both_or_for_neither(written: Any, good: bool) -> None:
    """The loader and the schema agree."""
    assert MAPPINGS.is_valid(written) == is_mapping(written) == good


LOAD = {"source": "a.csv"}


@pytest.mark.parametrize(
    ("written", "good"),
    [
        ({"loads": {"a": LOAD}}, True),
        ({"account": {"key": {"env": "KEY"}, "rate_limit": "growth", "workers": 4}, "loads": {"a": LOAD}}, True),
        ({"account": {"key": {"file": "key"}}, "defaults": {"phones": "possible"}, "loads": {"a": LOAD}}, True),
        ({"loads": {"a": {"source": ["a.csv", {"env": "B"}], "mapping": "preset:shopify-orders"}}}, True),
        (
            {"loads": {"a": LOAD, "b": LOAD | {"after": ["a"], "mapping": {"user_id": "id"}, "max_failures": "5%"}}},
            True,
        ),
        ({"loads": {"a": LOAD | {"max_failures": 5, "null_values": ["-"], "sheet": 2, "resend": True}}}, True),
        ({"loads": {}}, False),
        ({}, False),
        ({"account": {"key": "s3cr3t"}, "loads": {"a": LOAD}}, False),
        ({"account": {"key": {"env": "A", "file": "b"}}, "loads": {"a": LOAD}}, False),
        ({"account": {"query": "x"}, "loads": {"a": LOAD}}, False),
        ({"defaults": {"base_url": "https://x"}, "loads": {"a": LOAD}}, False),
        ({"loads": {"a": {}}}, False),
        ({"loads": {"a": {"source": []}}}, False),
        ({"loads": {"a": LOAD | {"afters": "b"}}}, False),
        ({"loads": {"a": LOAD | {"phones": "all"}}}, False),
        ({"loads": {"a": LOAD | {"timeout": 0}}}, False),
        ({"loads": {"a": LOAD | {"timeout": "10"}}}, False),
        ({"loads": {"a": LOAD | {"workers": 2000}}}, False),
        ({"loads": {"a": LOAD | {"resend": "yes"}}}, False),
        ({"loads": {"a": LOAD | {"name": "b"}}}, False),
        ({"loads": {"a": LOAD | {"mapping": 5}}}, False),
        ([], False),
    ],
)
def test_a_project_is_good_for_both_or_for_neither(written: Any, good: bool) -> None:
    """The loader and the schema agree."""
    assert PROJECTS.is_valid(written) == is_project(written) == good


def test_every_key_has_a_description() -> None:
    """Editors show it."""
    for one in (MAPPINGS, PROJECTS):
        text = json.dumps(one.schema)
        assert not re.findall(r'"description": ""', text)
    options = PROJECTS.schema["$defs"]
    assert options["rate_limit"]["description"].startswith("The account's limit: `300/min`")
    assert MAPPINGS.schema["properties"]["event_id"]["description"].startswith("the column that identifies an event")
