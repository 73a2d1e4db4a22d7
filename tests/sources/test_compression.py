"""Compressed files of every form."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, orc

from interakt_loader.errors import SourceBroken, SourceError
from interakt_loader.sources import BATCH_ROWS, SOURCE_COLUMN, open_source
from tests.sources.reading import column, read, rows_of

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


def test_files_of_several_gzip_members_are_read_to_the_end(tmp_path: Path) -> None:
    """Such are written by programs that append."""
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(CSV[:1000]) + gzip.compress(CSV[1000:]))
    assert read(path) == ROWS


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
    with pytest.raises(SourceBroken, match=r"t\.csv\.\w+: cannot be read past row \d+: "):
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
