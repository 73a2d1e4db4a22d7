"""Files that are no mapping: one clear line, soon, and in little memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from interakt_loader.errors import MappingError
from interakt_loader.mapping.files import LONGEST, LONGEST_MISTAKES, MOST_VALUES, parsed, read_mapping
from interakt_loader.mapping.spec import Mapping

LETTERS = list(zip("abcdefgh", "bcdefghi", strict=True))
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in LETTERS)
MERGES = "a: &a {k: 1}\n" + "".join(f"{b}: &{b} {{<<: [{','.join(['*' + a] * 9)}], {b}: 1}}\n" for a, b in LETTERS)

BAD: dict[str, tuple[str, bytes, str]] = {
    "a billion laughs": ("yaml", LAUGHS.encode(), "more than 50,000 values"),
    "one long text, often": ("yaml", b"a: &a " + b"x" * 100_000 + b"\nb: [" + b"*a," * 10_000 + b"]", "50,000 values"),
    "many values": ("json", b"[" + b"1," * 60_000 + b"1]", "more than 50,000 values"),
    "a list in itself": ("yaml", b"user_id: &a [*a]", "more than 20 levels deep"),
    "a dict in itself": ("yaml", b"user_id: &a {column: *a}", "more than 20 levels deep"),
    "lists in lists": ("yaml", b"user_id: " + b"[" * 400 + b"]" * 400, "deep"),
    "lists in lists of JSON": ("json", b"[" * 200_000, "nested too deeply"),
    "lists in lists of TOML": ("toml", b"a = " + b"[" * 200_000, "nested too deeply"),
    "levels that a parser would take": ("json", b'{"traits": ' + b"[" * 30 + b"]" * 30 + b"}", "20 levels deep"),
    "a key of many parts": ("toml", b"a." * 100_000 + b"a = 1", "more than 100 dots"),
    "a number in base 60": ("yaml", b"user_id: {value: 1" + b":1" * 60_000 + b"}", "more than 100 characters"),
    "a fraction in base 60": ("yaml", b"user_id: {value: !!float 1" + b":1" * 60_000 + b"}", "100 characters"),
    "a huge number": ("toml", b"user_id = {value = 0x" + b"f" * 5_000 + b"}", "more than 64 bits"),
    "many digits": ("json", b'{"user_id": {"value": ' + b"9" * 5_000 + b"}}", "is not JSON"),
    "no number": ("yaml", b"user_id: {value: .nan}", "nan is no number"),
    "no number in JSON": ("json", b'{"user_id": {"value": Infinity}}', "Infinity is no number"),
    "a key twice": ("yaml", b"user_id: a\nuser_id: b", "'user_id' is there twice (line 2, column 1)"),
    "nothing": ("yaml", b"", "the mapping is empty; expected a dict"),
    "a list that does not end": (
        "yaml",
        b"user_id: a\ntraits: [b",
        "expected ',' or ']', but got '<stream end>' (line 2, ",
    ),
    "a key twice in JSON": ("json", b'{"traits": {"a": "x", "a": "y"}}', "'a' is there twice"),
    "a key twice in TOML": ("toml", b"user_id = 'a'\nuser_id = 'b'", "is not TOML"),
    "an object": ("yaml", b"user_id: !!python/object/apply:os.system ['touch owned']", "could not determine a constr"),
    "an object of a name": ("yaml", b"user_id: !!python/name:os.system", "could not determine a constructor"),
    "an untrue tag": ("yaml", b"user_id: {value: !!bool maybe}", "not what its tag says"),
    "an untrue time": ("yaml", b"user_id: {value: !!timestamp soon}", "not what its tag says"),
    "bytes": ("yaml", b"user_id: {value: !!binary aGVsbG8=}", "a value is a bytes"),
    "a set": ("yaml", b"user_id: {value: !!set {a, b}}", "a value is a set"),
    "no UTF-8": ("yaml", b"user_id: \xff\xfe", "is not UTF-8 text"),
    "a NUL": ("yaml", b"user_id: a\0b", "is not YAML"),
    "an escape": ("json", b'{"\\u001b[2J": 1}', "has no field"),
    "a direction": ("json", '{"user_id": "a", "\u202eb": 1}'.encode(), "has no field"),
    "a very long key": ("json", b'{"' + b"x" * 100_000 + b'": 1}', "(fields: user_id"),
    "a very long value": ("json", b'{"user_id": [' + b"1," * 20_000 + b"1]}", "is not a field"),
    "too long": ("yaml", b"# " + b"x" * LONGEST, "has more than 256 KB"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_in_one_short_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `MappingError` that says what is wrong, within seconds of processor time, and nothing has been run."""
    monkeypatch.chdir(tmp_path)
    ending, content, said = BAD[name]
    path = Path(f"m.{ending}")
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(MappingError) as refused:
        read_mapping(path)
    assert time.process_time() - began < 5
    message = str(refused.value)
    assert said in message
    assert message.isprintable()
    assert len(message) <= LONGEST_MISTAKES + 60
    assert not Path("owned").exists()


def test_merges_of_merges_stay_small(tmp_path: Path) -> None:
    """In an address space that would not hold what they stand for; some PyYAMLs would make all of it."""
    code = (
        "import resource, sys; from interakt_loader.mapping.files import parsed;"
        "import yaml; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "parsed('.yaml', sys.stdin.read())"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=MERGES, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 or "merges (<<) that copy too much" in done.stderr


def test_many_merges_are_too_much() -> None:
    """Whatever the PyYAML: what merges may copy is counted."""
    big = "a: &a {" + ", ".join(f"k{at}: 1" for at in range(5_000)) + "}\n"
    with pytest.raises(ValueError, match="copy too much"):
        parsed(".yaml", big + "b: {<<: *a}\nc: {<<: *a}\nd: {<<: *a}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: {<<: *a, x: 3}", {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": {"x": 3}}),
        ("a: &a {b: &b {x: 1}}\nc: {<<: [*a, *b], x: 2}", {"a": {"b": {"x": 1}}, "c": {"b": {"x": 1}, "x": 2}}),
        ("a: [[{k: &b {<<: &x {x: 1}, x: 2}}]]\nc: {<<: *b}", None),
        ("a: &a {<<: *a, x: 1}", {"a": {"x": 1}}),
        ("a: [0x1f, 1_000, 1:30, 1.5, 2026-01-02]", None),
    ],
)
def test_yaml_is_read_as_ever(text: str, expected: Any) -> None:
    """Anchors, aliases and merges, in moderation, and every form of plain value."""
    import yaml

    assert parsed(".yaml", text) == yaml.safe_load(text)
    assert expected is None or parsed(".yaml", text) == expected


def test_what_a_big_mapping_needs_is_there(tmp_path: Path) -> None:
    """A thousand traits with a type each are far from every bound."""
    lines = [f"  - {{column: column_{at}, name: A name of some length {at}, type: string}}" for at in range(1_000)]
    path = tmp_path / "m.yaml"
    path.write_text("user_id: id\ntraits:\n" + "\n".join(lines), encoding="utf-8")
    assert len(read_mapping(path).traits) == 1_000
    assert path.stat().st_size < LONGEST / 3
    assert MOST_VALUES / 5 > 1_000 * 8


def test_a_folder(tmp_path: Path) -> None:
    """With a mapping's ending."""
    (tmp_path / "m.yaml").mkdir()
    with pytest.raises(MappingError, match="is a directory"):
        read_mapping(tmp_path / "m.yaml")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither in its folders")
def test_a_pipe_and_a_device_are_not_waited_for(tmp_path: Path) -> None:
    """The first may never say anything, the other never ends."""
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name in ("pipe.yaml", "zero.json"):
        with pytest.raises(MappingError, match="is no regular file"):
            read_mapping(tmp_path / name)


def test_a_path_that_cannot_be() -> None:
    """A NUL in it, or more of it than a system takes."""
    for path in ("a\0.yaml", "x" * 10_000 + ".yaml"):
        with pytest.raises(MappingError):
            read_mapping(path)


def test_a_mapping_is_still_a_mapping(tmp_path: Path) -> None:
    """The same in all three forms."""
    texts = {
        "m.yaml": "user_id: id\ntraits: {a: b}\n",
        "m.json": '\ufeff{"user_id": "id", "traits": {"a": "b"}}',
        "m.toml": "user_id = 'id'\ntraits.a = 'b'\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read_mapping(tmp_path / name) == Mapping.of({"user_id": "id", "traits": {"a": "b"}})
