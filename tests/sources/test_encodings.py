"""Text in the encodings that exports come in: found out where that is sure, refused where it is not."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.errors import SettingsError, SourceError
from interakt_loader.sources import ReadOptions, open_source
from interakt_loader.sources.encodings import guess, marked_encoding
from tests.sources.reading import read, rows_of

WESTERN = "id,name\n1,José Núñez\n2,Müller – “Größe” €5\n3,L’Été à Orléans\n"
HINDI = "id,name\n1,आशा शर्मा\n2,राम\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


def rows(text: str) -> list[dict[str, str]]:
    return [dict(zip(("id", "name"), line.split(","), strict=True)) for line in text.splitlines()[1:]]


@pytest.mark.parametrize("text", [WESTERN, HINDI])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_unicode_encoding_is_found_out(file: Path, text: str, encoding: str) -> None:
    """With a byte order mark or without, the rows are the same, and no mark is part of the first name."""
    file.write_bytes(text.encode(encoding))
    source = open_source(file)
    assert list(rows_of(source)) == rows(text)
    assert source.rows == text.count("\n") - 1
    assert source.notes == ([] if encoding.startswith("utf-8") else [f"{file}: read as {source.notes[0][-9:]}"])


@pytest.mark.parametrize("byte_order", [codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE])
def test_the_larger_end_may_come_first(file: Path, byte_order: bytes) -> None:
    """The mark says it."""
    file.write_bytes(byte_order + WESTERN.encode(f"utf-{8 * len(byte_order)}-be"))
    assert read(file) == rows(WESTERN)


@pytest.mark.parametrize(
    ("encoding", "read_as", "text"),
    [
        ("cp1252", "cp1252", WESTERN),
        ("latin-1", "cp1252", "id,name\n1,José Núñez\n2,Année créée\n"),
        ("latin-1", "cp1252", "id,name\n1,©\n"),
        ("cp1250", "cp1250", "id,name\n1,Małgorzata Wiśniewska\n2,Łukasz Dąbrowski\n"),
        ("cp1251", "cp1251", "id,name\n1,Иван Петров\n2,Мария Сидорова\n3,Александр\n"),
        ("koi8-r", "koi8_r", "id,name\n1,Иван Петров\n2,Мария Сидорова\n3,Александр\n"),
        ("cp1253", "cp1253", "id,name\n1,Γιώργος Παπαδόπουλος\n2,Άννα\n"),
        ("iso8859-7", "iso8859_7", "id,name\n1,Γιώργος Παπαδόπουλος\n2,Άννα\n"),
        ("cp1256", "cp1256", "id,name\n1,محمد علي\n2,فاطمة\n"),
    ],
)
def test_older_encodings_are_taken_where_their_letters_fit(file: Path, encoding: str, read_as: str, text: str) -> None:
    """The note says which was taken, because a guess it is."""
    file.write_bytes(text.encode(encoding))
    source = open_source(file)
    assert list(rows_of(source)) == rows(text)
    (note,) = source.notes
    assert note.startswith(f"{file}: this is not UTF-8, so it is read as {read_as} (")


@pytest.mark.parametrize(
    ("encoding", "text", "choice"),
    [
        ("cp1255", "id,name\n1,שלום כהן\n2,דוד לוי\n", "it may be cp1251 or .* or cp1255"),
        ("mac-roman", WESTERN, "expected UTF-8, but byte 13"),
        ("gb18030", "id,name\n1,王小明\n2,李大同\n", "its letters do not tell the encoding; give it"),
    ],
)
def test_an_encoding_that_cannot_be_told_is_asked_for(file: Path, encoding: str, text: str, choice: str) -> None:
    """No name is sent in letters that were guessed at; with the encoding given, the file is read."""
    file.write_bytes(text.encode(encoding))
    with pytest.raises(SourceError, match=choice) as refused:
        open_source(file)
    assert "do not tell the encoding" in str(refused.value)
    source = open_source(file, ReadOptions(encoding=encoding))
    assert list(rows_of(source)) == rows(text)
    assert source.notes == []


def test_utf8_with_a_damaged_byte_is_not_taken_for_something_else(file: Path) -> None:
    """Where other characters are UTF-8, the message names the byte that is not, wherever it is."""
    content = b"a\n" + "é".encode() * 140_000 + b"\n\xe9x\n"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=rf"expected UTF-8, but byte {len(content) - 3} \(line 3\) is 0xe9; save"):
        open_source(file)
    file.write_bytes(b"a\n\xe9x\n" + "é".encode() * 140_000)
    with pytest.raises(SourceError, match=r"expected UTF-8, but byte 2 \(line 2\) is 0xe9; save"):
        open_source(file)


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (b"a\n1\nx\xe9\n", "utf-8", r"expected UTF-8, but byte 5 \(line 3\) is 0xe9; give another encoding"),
        (b"a\n1\nx\x81\n", "cp1252", r"expected CP1252, but byte 5 \(line 3\) is 0x81; give another encoding"),
        (
            codecs.BOM_UTF8 + b"a\n\xe9\n",
            None,
            r"expected UTF-8, but byte 5 \(line 2\) is 0xe9; save the file as UTF-8",
        ),
        ("a\n1\n".encode("utf-16") + b"x", None, r"expected UTF-16-LE, but byte 10 \(line 3\) is 0x78"),
    ],
)
def test_what_was_said_is_held_to(file: Path, content: bytes, encoding: str | None, words: str) -> None:
    """An encoding that the caller or the file's mark names is not replaced by another."""
    file.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        open_source(file, ReadOptions(encoding=encoding))


def test_a_fault_beyond_the_sample_is_found_before_the_first_row(file: Path) -> None:
    """The letters fit cp1252, and the last byte is none of it."""
    file.write_bytes(b"a\n" + "José\n".encode("cp1252") * 20_000 + b"\x81\n")
    with pytest.raises(
        SourceError, match=r"this is not UTF-8; expected CP1252, but byte 100002 \(line 20002\) is 0x81"
    ):
        open_source(file)


def test_an_encoding_is_told_by_letters_after_a_megabyte_of_none(file: Path) -> None:
    """What fits all encodings tells nothing, however much of it comes first."""
    file.write_bytes(b"id,name\n" + b"1,Ann\n" * 400_000 + "2,José\n".encode("cp1252"))
    source = open_source(file)
    assert source.rows == 400_001
    assert "read as cp1252 (Western European)" in source.notes[0]


@pytest.mark.parametrize("encoding", ["utf-16", "UTF_8", "utf-8-sig", "utf-16-le"])
def test_a_mark_is_no_part_of_the_table_when_the_encoding_is_given(file: Path, encoding: str) -> None:
    """Names of encodings are as Python takes them."""
    marked = {"UTF_8": "utf-8-sig", "utf-16-le": "utf-16"}.get(encoding, encoding)
    file.write_bytes(WESTERN.encode(marked))
    assert list(rows_of(open_source(file, ReadOptions(encoding=encoding)))) == rows(WESTERN)


def test_json_lines_may_be_in_utf16_too(tmp_path: Path) -> None:
    """PowerShell writes them so."""
    path = tmp_path / "t.jsonl"
    path.write_bytes('{"name": "é"}\r\n{"name": "ü"}\r\n'.encode("utf-16"))
    assert read(path) == [{"name": "é"}, {"name": "ü"}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoding": "utf-9"}, "encoding: no such encoding: 'utf-9'"),
        ({"encoding": "base64"}, "encoding: no such encoding: 'base64'"),
        ({"delimiter": ";;"}, "delimiter is ';;'; expected one character"),
        ({"delimiter": '"'}, "expected one character"),
        ({"sheet": 0}, "sheet is 0; sheets are counted from 1"),
    ],
)
def test_options_without_sense_are_refused(options: dict[str, str], words: str) -> None:
    """They are looked at when they are given, not when a file needs them."""
    with pytest.raises(SettingsError, match=words):
        ReadOptions(**options)  # type: ignore[arg-type]  # of several types


@given(st.binary())
def test_any_bytes_get_an_answer(content: bytes) -> None:
    """Looking at bytes never raises, and an encoding that is named decodes them or is one of Unicode's."""
    assert marked_encoding(content) is None or marked_encoding(content).startswith("utf")  # type: ignore[union-attr]
    encoding, candidates = guess(content)
    assert encoding is None or encoding in candidates
    if encoding is not None:
        content.decode(encoding)
