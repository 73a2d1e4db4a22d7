"""Compressed files of every form."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather, orc

from interakt_loader import load_users
from interakt_loader.errors import InteraktLoaderError, SourceBroken, SourceError
from interakt_loader.sandbox import Sandbox
from interakt_loader.sources import BATCH_ROWS, SOURCE_COLUMN, open_source
from tests.sources.reading import DATA, column, read, rows_of
from tests.thorough import examples

ROWS = [{"id": f"{at:05}", "name": f"näme {at}"} for at in range(2 * BATCH_ROWS + 7)]
CSV = "".join(["id,name\n", *(f"{row['id']},{row['name']}\n" for row in ROWS)]).encode()


def arrows(codec: str) -> Callable[[bytes], bytes]:
    def compressed(content: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types

    return compressed


def zipped(content: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        archive.writestr("folder/inner.csv", content)
        archive.writestr("__MACOSX/._inner.csv", b"junk")
    return sink.getvalue()


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": arrows("zstd"),
    "lz4": arrows("lz4"),
    "zip": zipped,
}


@pytest.mark.parametrize("ending", COMPRESSORS)
def test_a_compressed_text_file_is_read_like_any_other(tmp_path: Path, ending: str) -> None:
    """Its name, its encoding and its rows are those of what is in it, and it can be read again."""
    path = tmp_path / f"t.csv.{ending}"
    path.write_bytes(COMPRESSORS[ending](CSV))
    source = open_source(path)
    name = "inner.csv" if ending == "zip" else "t.csv"
    assert (source.name, source.columns, source.rows) == (name, ["id", "name"], len(ROWS))
    assert list(rows_of(source)) == ROWS
    assert list(rows_of(source)) == ROWS
    assert set(column(path, SOURCE_COLUMN)) == {str(path)}


@pytest.mark.parametrize("ending", COMPRESSORS)
def test_names_that_hide_or_make_up_a_compression_do_no_harm(tmp_path: Path, ending: str) -> None:
    """The first bytes tell: some servers unpack what they send and keep its name, or the other way round."""
    hidden, made_up = tmp_path / "t.csv", tmp_path / f"u.csv.{ending}"
    hidden.write_bytes(COMPRESSORS[ending](CSV))
    made_up.write_bytes(CSV)
    assert read(hidden) == read(made_up) == ROWS


STREAMS = ["gz", "bz2", "xz"]
"""Formats of which several streams may stand in a file, each with checksums."""


def in_two_streams(ending: str) -> tuple[bytes, list[dict[str, str]]]:
    """Return a file of two streams, each compressed by itself, and the rows in it."""
    rows = [{"id": f"{at:05}", "name": f"name {at * 7919}"} for at in range(120)]
    lines = ["id,name\n", *(f"{row['id']},{row['name']}\n" for row in rows)]
    halves = ["".join(half).encode() for half in (lines[:61], lines[61:])]
    return b"".join(map(COMPRESSORS[ending], halves)), rows


@pytest.mark.parametrize("ending", [*STREAMS, "zst", "lz4"])
def test_files_of_several_streams_are_read_to_the_end(tmp_path: Path, ending: str) -> None:
    """Programs that append write such, and those that compress in parallel."""
    path = tmp_path / f"t.csv.{ending}"
    content, rows = in_two_streams(ending)
    path.write_bytes(content)
    assert read(path) == rows


@pytest.mark.parametrize("ending", STREAMS)
@pytest.mark.parametrize("count", [1, 4, 600, 300_000])
def test_zeros_after_the_last_stream_are_padding(tmp_path: Path, ending: str, count: int) -> None:
    """Tapes and blocks of a fixed size leave them."""
    path = tmp_path / f"t.csv.{ending}"
    content, rows = in_two_streams(ending)
    path.write_bytes(content + bytes(count))
    assert read(path) == rows


@pytest.mark.parametrize("ending", [*STREAMS, "zst", "lz4"])
@pytest.mark.parametrize("rest", [b"x", b"\n", b"and more text", b"BZh9", b"\x1f\x8b", bytes(40) + b"x"])
def test_anything_else_after_the_last_stream_is_refused(tmp_path: Path, ending: str, rest: bytes) -> None:
    """It may be rows whose stream is damaged."""
    path = tmp_path / f"t.csv.{ending}"
    path.write_bytes(in_two_streams(ending)[0] + rest)
    with pytest.raises(SourceError, match=rf"t\.csv\.{ending}: cannot be read: "):
        open_source(path)


def test_an_empty_stream_before_others_is_no_end(tmp_path: Path) -> None:
    """It is what `bzip2` makes of an empty file."""
    path = tmp_path / "t.csv.bz2"
    path.write_bytes(bz2.compress(b"") + in_two_streams("bz2")[0])
    assert len(read(path)) == 120


@pytest.mark.parametrize("ending", ["bz2", "xz"])
def test_a_damaged_second_stream_is_refused(ending: str) -> None:
    """As bzcat and xzcat refuse it: without it, half of the rows would be left out."""
    path = DATA.parent / "cases" / f"second_stream_corrupt.csv.{ending}"
    if not path.is_file():
        pytest.skip(f"the shared cases have no {path.name} here")
    with pytest.raises(SourceError, match=rf"\.csv\.{ending}: cannot be read: "):
        open_source(path)


@pytest.mark.parametrize("ending", [*STREAMS, "zip"])
@given(data=st.data())
@settings(examples(2000), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_with_any_byte_changed_all_rows_are_there_or_it_is_refused(
    tmp_path: Path, ending: str, data: st.DataObject
) -> None:
    """Each of these has a checksum. What nobody reads, such as the time in gzip's header, may be changed."""
    path = tmp_path / f"t.csv.{ending}"
    content, rows = in_two_streams(ending) if ending in STREAMS else (zipped(CSV), ROWS)
    at = data.draw(st.integers(0, len(content) - 1))
    bit = data.draw(st.integers(0, 7))
    path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
    with contextlib.suppress(InteraktLoaderError, UnicodeDecodeError):
        assert read(path) == rows or at < 4  # without its mark it is no compressed file, and has no such columns


@pytest.mark.parametrize("ending", [*STREAMS, "zst", "lz4", "zip"])
def test_cut_at_any_byte_all_rows_are_there_or_it_is_refused(tmp_path: Path, ending: str) -> None:
    """Only between two streams does nothing tell that there was another one."""
    path = tmp_path / f"t.csv.{ending}"
    content, rows = in_two_streams(ending) if ending != "zip" else (zipped(CSV[:2000]), ROWS)
    found = {}
    for cut in range(10, len(content)):  # with less than its mark, a file is text
        path.write_bytes(content[:cut])
        with contextlib.suppress(SourceError):
            found[cut] = read(path)
    assert list(found.values()) == ([] if ending == "zip" else [rows[:60]])


def test_a_stream_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    """The header of xz says how much that is."""
    path = tmp_path / "t.csv.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 1 << 20}]
    content = bytearray(lzma.compress(CSV, filters=filters))
    header = content[
        12:24
    ]  # block header: its size, flags, the filter's id, the size of its properties, these, padding
    header[4] = 40  # a dictionary of 4 GB
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    path.write_bytes(content[:12] + header + content[24:])
    with pytest.raises(SourceError, match=r"(?i)memory"):
        open_source(path)


@pytest.mark.parametrize("ending", STREAMS)
def test_a_stream_cut_after_the_file_was_opened_ends_the_reading_with_an_error(
    tmp_path: Path, sandbox: Sandbox, ending: str
) -> None:
    """Not in silence. Of a file that is cut before it is opened, nothing is sent."""
    path = tmp_path / f"t.csv.{ending}"
    lines = [f"{at},{'x' * 500}\n" for at in range(20_000)]
    halves = ["".join(half).encode() for half in (["id,name\n", *lines[:10_000]], lines[10_000:])]
    streams = [*map(COMPRESSORS[ending], halves)]
    path.write_bytes(b"".join(streams))
    source = open_source(path)
    path.write_bytes(streams[0] + streams[1][: len(streams[1]) // 2])
    with pytest.raises(SourceBroken, match=r"cannot be read after row \d+ \(line \d+\): "):
        list(source.batches())
    with pytest.raises(SourceError):
        load_users(path, {"user_id": "id"}, api_key=sandbox.api_key, base_url=sandbox.url)
    assert sandbox.users() == []


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_binary_forms_may_be_compressed_as_a_whole(tmp_path: Path, ending: str) -> None:
    """They are unpacked to a temporary file, which goes when the source does."""
    table = pa.Table.from_pylist(ROWS)
    sink = pa.BufferOutputStream()
    if ending == "parquet":
        pq.write_table(table, sink)
    else:
        feather.write_feather(table, sink)
    path = tmp_path / f"t.{ending}.gz"
    path.write_bytes(gzip.compress(sink.getvalue().to_pybytes()))
    source = open_source(path)
    assert source.name == f"t.{ending}"
    assert list(rows_of(source)) == ROWS
    assert list(rows_of(source)) == ROWS


def test_temporary_copies_go_with_their_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One stays while the source can be read, also while nothing reads it, and none stays after."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = tmp_path / "t.orc.gz"
    sink = pa.BufferOutputStream()
    orc.write_table(pa.Table.from_pylist(ROWS), sink)
    path.write_bytes(gzip.compress(sink.getvalue().to_pybytes()))
    source = open_source(path)
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    assert list(rows_of(source)) == ROWS
    del source
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("ending", COMPRESSORS)
def test_a_file_cut_short_is_refused_before_its_first_row(tmp_path: Path, ending: str) -> None:
    """All of it is looked at on opening: half a file is not sent as if it were whole."""
    path = tmp_path / f"t.csv.{ending}"
    content = COMPRESSORS[ending](CSV)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError) as refused:
        open_source(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip"])
def test_a_damaged_file_is_refused_before_its_first_row(tmp_path: Path, ending: str) -> None:
    """These four carry checksums, and they are checked."""
    path = tmp_path / f"t.csv.{ending}"
    content = bytearray(COMPRESSORS[ending](CSV))
    middle = len(content) // 2
    content[middle] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"t\.csv\.\w+: "):
        open_source(path)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst", "zip"])
def test_a_file_cut_while_it_is_read_is_broken_at_a_row(tmp_path: Path, ending: str) -> None:
    """Rows were given by then: the load stops, and says where."""
    path = tmp_path / f"t.csv.{ending}"
    path.write_bytes(COMPRESSORS[ending](CSV))
    source = open_source(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceBroken, match=r"t\.csv\.\w+: cannot be read( after row \d+ \(line \d+\))?: "):
        list(source.batches())


def test_a_zip_of_several_files_is_refused_with_their_names(tmp_path: Path) -> None:
    """Which one is meant cannot be told; a workbook, which is a zip too, is not taken for one."""
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for name in "abcd":
            archive.writestr(f"{name}.csv", b"id\n1\n")
    with pytest.raises(SourceError, match=r"the zip file holds 4 files \(a.csv, b.csv, c.csv, …\), not one"):
        open_source(tmp_path / "t.zip")


def test_a_zip_may_be_called_by_its_own_name_alone(tmp_path: Path) -> None:
    """The name within it tells the form."""
    (tmp_path / "export.zip").write_bytes(zipped(CSV))
    assert read(tmp_path / "export.zip") == ROWS


@pytest.mark.parametrize(
    "others",
    [
        [".DS_Store"],
        ["__MACOSX/._t.csv", "__MACOSX/"],
        ["Thumbs.db", "desktop.ini"],
        ["folder/.DS_Store", "folder/Desktop.ini", "folder/"],
        ["ehthumbs.db", "~$customers.xlsx"],
        [],
    ],
)
def test_what_systems_put_into_a_zip_is_not_meant(others: list[str], tmp_path: Path) -> None:
    """The one file beside it is."""
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for name in others:
            archive.writestr(name, "x")
        archive.writestr("folder/t.csv", "id\n1\n")
    assert read(tmp_path / "t.zip") == [{"id": "1"}]


def _encrypted(content: bytes) -> bytes:
    """Set the flag of encryption in both headers of a zip's only member."""
    changed = bytearray(content)
    changed[6] |= 1
    changed[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "the zip file holds no file"),
        ([".DS_Store", "folder/"], "the zip file holds no file"),
        (["a.zip"], r"the zip file holds a compressed file \(a.zip\); unpack it first"),
        (["a.csv.gz"], r"the zip file holds a compressed file \(a.csv.gz\); unpack it first"),
        (["a.csv", "b.csv"], r"the zip file holds 2 files \(a.csv, b.csv\), not one; unpack it first"),
    ],
)
def test_a_zip_without_one_table_says_what_it_holds(names: list[str], words: str, tmp_path: Path) -> None:
    """One line, whatever is in it."""
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "id\n1\n")
    with pytest.raises(SourceError, match=words):
        open_source(tmp_path / "t.zip")


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    """Nobody is asked for a password."""
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t.csv", "id\n1\n")
    path.write_bytes(_encrypted(path.read_bytes()))
    with pytest.raises(SourceError, match="the zip file is encrypted; unpack it first"):
        open_source(path)
