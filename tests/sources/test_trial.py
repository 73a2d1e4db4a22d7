"""Damaged Arrow, Feather and ORC files: another process reads them first, and no row is left out in silence."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather, orc

from interakt_loader.errors import SourceError
from interakt_loader.sources import open_source
from tests.sources.reading import column, read

HOME = Path(__file__).resolve().parents[2]
TABLE = pa.table({"id": [f"C{at}" for at in range(50)], "n": [0] * 50})

only_posix = pytest.mark.skipif(sys.platform == "win32", reason="a script cannot stand for an interpreter there")


def stream_of(table: pa.Table, batches: int = 1) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=table.num_rows // batches)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types


def written(path: Path, table: pa.Table = TABLE) -> Path:
    """Write a good file of the form that the ending says."""
    if path.suffix == ".orc":
        orc.write_table(table, str(path))
    elif path.suffix == ".feather":
        feather.write_feather(table, str(path))
    else:
        path.write_bytes(stream_of(table))
    return path


ENDINGS = [".feather", ".arrow", ".orc"]


def with_indices_out_of_range() -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int32()), pa.array(["a", "b"]), safe=False)


def with_offsets_out_of_range() -> pa.Array:
    offsets = pa.py_buffer(b"".join(one.to_bytes(4, "little", signed=True) for one in (0, 500_000_000, 2)))
    return pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"ab"))


def with_offsets_that_go_back() -> pa.Array:
    offsets = pa.py_buffer(b"".join(one.to_bytes(4, "little", signed=True) for one in (2, -1, 2)))
    return pa.ListArray.from_buffers(pa.list_(pa.int8()), 2, [None, offsets], children=[pa.array([1, 2], pa.int8())])


@pytest.mark.parametrize("ending", [".feather", ".arrow", ".arrow.gz"])
@pytest.mark.parametrize("make", [with_indices_out_of_range, with_offsets_out_of_range, with_offsets_that_go_back])
@pytest.mark.parametrize("python", ["another", "none"])
def test_values_outside_of_their_buffers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, make: Callable[[], pa.Array], python: str
) -> None:
    """Read on, they end the process or bring the bytes of something else. Also where no other Python can be had."""
    if python == "none":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_arrays([make()], ["id"])
    with (pa.ipc.new_file if ending == ".feather" else pa.ipc.new_stream)(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content = sink.getvalue().to_pybytes()
    path = tmp_path / f"t{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    with pytest.raises(Exception, match=r"t\.\S+: cannot be read: ") as refused:
        list(open_source(path).batches())
    assert (type(refused.value) is SourceError) == (python == "another")


def test_a_length_beyond_all_memory_is_refused(tmp_path: Path) -> None:
    """A compressed buffer says how long it is unpacked."""
    path = tmp_path / "t.feather"
    feather.write_feather(pa.table({"n": [0] * 1000}), str(path), "zstd")
    content = path.read_bytes()
    assert content.count((8000).to_bytes(8, "little")) == 1
    path.write_bytes(content.replace((8000).to_bytes(8, "little"), (1 << 40).to_bytes(8, "little")))
    with pytest.raises(SourceError, match=r"t\.feather: "):
        open_source(path)


def test_a_stream_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """Between two batches, only the missing end mark tells that there were more."""
    path = tmp_path / "t.arrow"
    content = stream_of(TABLE, batches=5)
    path.write_bytes(content)
    assert read(path) == TABLE.to_pylist()
    borders = [at for at in range(8, len(content), 8) if content[at : at + 4] == b"\xff\xff\xff\xff"]
    assert len(borders) == 6  # five batches and the end mark
    for cut in [*borders, *range(5, len(content), len(content) // 10)]:
        path.write_bytes(content[:cut])
        with pytest.raises(SourceError, match=r"t\.arrow: "):
            open_source(path)
    path.write_bytes(content[: borders[-1]])
    with pytest.raises(SourceError, match="the stream has no end mark, so rows may be missing"):
        open_source(path)


def test_more_behind_the_end_of_a_stream_is_refused(tmp_path: Path) -> None:
    """Two streams that were joined are two tables; zeros are padding."""
    content = stream_of(TABLE)
    for rest in (content, b"x", b"\n"):
        (tmp_path / "t.arrow").write_bytes(content + rest)
        with pytest.raises(SourceError, match="something follows the end of the stream"):
            open_source(tmp_path / "t.arrow")
    (tmp_path / "t.arrow").write_bytes(content + bytes(64))
    assert read(tmp_path / "t.arrow") == TABLE.to_pylist()


def test_a_short_end_mark_ends_a_stream_too(tmp_path: Path) -> None:
    """Older writers, and that of JavaScript, write four bytes."""
    content = stream_of(TABLE)
    assert content.endswith(b"\xff\xff\xff\xff\0\0\0\0")
    (tmp_path / "t.arrow").write_bytes(content[:-8] + bytes(4))
    assert read(tmp_path / "t.arrow") == TABLE.to_pylist()


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_damaged_one_of_several_files_is_named(tmp_path: Path, ending: str) -> None:
    """One process reads them all."""
    for name in "abc":
        written(tmp_path / f"{name}{ending}")
    assert column(tmp_path, "id") == TABLE["id"].to_pylist() * 3
    content = (tmp_path / f"b{ending}").read_bytes()
    (tmp_path / f"b{ending}").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=rf"b\{ending}: "):
        open_source(tmp_path)


@only_posix
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_ends_the_process_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Whichever way: this one continues."""
    path = written(tmp_path / f"t{ending}")
    for how, words in (("kill -SEGV $$", "exit code -11"), ("kill -ABRT $$", "exit code -6"), ("exit 3", "code 3")):
        monkeypatch.setattr(sys, "executable", interpreter(tmp_path, f"echo ready; {how}"))
        with pytest.raises(SourceError, match=rf"the file is damaged: it ends the process that reads it \(.*{words}\)"):
            open_source(path)


@only_posix
def test_a_file_that_is_read_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads it is ended."""
    monkeypatch.setattr("interakt_loader.sources.columnar._PATIENCE", 0.5)
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, "echo ready; exec sleep 600"))
    with pytest.raises(SourceError, match="it takes too long to read"):
        open_source(written(tmp_path / "t.orc"))


@only_posix
@pytest.mark.parametrize("how", ["exit 1", "echo hello", "echo ready-made; exit 1"])
def test_where_the_other_python_does_not_start_the_file_is_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """That says nothing about the file."""
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, how))
    assert read(written(tmp_path / "t.orc")) == TABLE.to_pylist()


@pytest.mark.parametrize("executable", ["", "/usr/bin/uwsgi", "/no/such/python3"])
def test_an_application_with_python_in_it_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    """It would be another of the application, not a Python."""
    monkeypatch.setattr(sys, "executable", executable)
    assert read(written(tmp_path / "t.feather")) == TABLE.to_pylist()


def test_the_other_python_finds_the_package_where_this_one_did(tmp_path: Path) -> None:
    """A notebook may have put it on its path by hand, and its folder may hold modules of any name."""
    (tmp_path / "pyarrow.py").write_text("raise SystemExit('not this one')")
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_arrays([with_indices_out_of_range()], ["id"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    (tmp_path / "t.arrow").write_bytes(sink.getvalue().to_pybytes())
    script = (
        f"import sys; sys.path = [p for p in sys.path if p] + [{str(HOME)!r}]\n"
        "from interakt_loader.sources import open_source\n"
        "try:\n    open_source('t.arrow')\n"
        "except ValueError as error:\n    print(type(error).__name__)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout == "SourceError\n", done.stderr


def interpreter(folder: Path, script: str) -> str:
    """Make an executable that does something else than Python does."""
    path = folder / "python-that-is-none"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)
