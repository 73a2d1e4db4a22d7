"""Text in the encodings that exports come in: detected where that is sure, refused where it is not."""

from __future__ import annotations

import codecs
import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interakt_loader.errors import SettingsError, SourceError
from interakt_loader.sources import ReadOptions, open_source
from interakt_loader.sources.text import guess, marked_encoding
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
        ("cp1255", "id,name\n1,שלום כהן\n2,דוד לוי\n", "it may be cp1253 or .* or cp1255"),
        ("mac-roman", WESTERN, "expected UTF-8, but byte 13"),
        ("gb18030", "id,name\n1,王小明\n2,李大同\n", "it may be gb18030"),
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


def test_a_byte_of_no_encoding_far_down_is_found_before_the_first_row(file: Path) -> None:
    """All letters but one fit cp1252, and the last byte is none of it."""
    file.write_bytes(b"a\n" + "José\n".encode("cp1252") * 20_000 + b"\x81\n")
    with pytest.raises(
        SourceError, match=r"expected UTF-8, but byte 5 \(line 2\) is 0xe9, and its letters do not tell"
    ):
        open_source(file)


def test_a_letter_of_another_alphabet_far_down_counts(file: Path) -> None:
    """The first megabyte reads alike in Western and in Turkish; the last name decides, and then nothing is taken."""
    file.write_bytes(b"id,name\n" + "1,Gül\n".encode("cp1254") * 150_000 + "2,Şişli\n".encode("cp1254"))
    with pytest.raises(SourceError, match=r"it may be .*cp1254"):
        open_source(file)


def test_a_long_cell_beside_a_letter_is_looked_at_in_linear_time(file: Path) -> None:
    """Ten megabytes in one line took hours when each byte began a search of its own."""
    file.write_bytes("id,html\n1,José\n2,".encode("cp1252") + b"a" * (10 << 20) + b"\n")
    begin = time.process_time()
    assert "cp1252" in open_source(file).notes[0]
    assert time.process_time() - begin < 20


# Names and places as they stand in tables of each language, by the encoding of its tables.
NAMES = {
    (
        "Spanish",
        "cp1252",
    ): "José María Núñez Peña Álvarez Gutiérrez Sánchez Ibáñez Ramón Martínez Óscar Muñoz Íñigo Agüero",
    ("Portuguese", "cp1252"): "João Conceição Gonçalves Simões Inês Antônio Luís Vitória Magalhães Estêvão Brandão",
    (
        "French",
        "cp1252",
    ): "Hélène François Benoît Zoé Noël Jérôme Françoise Besançon Thérèse Agnès Château Clémence Élodie",
    ("German", "cp1252"): "Müller Jäger Größe Köln Düsseldorf Weiß Schönfeld Bäcker Jürgen Straße Österreich Übersee",
    ("Italian", "cp1252"): "Niccolò Forlì Gesù città perché Donà Mondovì Cefalù",
    ("Swedish", "cp1252"): "Åsa Björn Malmö Håkansson Sjöberg Göran Jönköping Västerås",
    ("Danish", "cp1252"): "Søren Jørgen Kjær Møller Ærø Århus Bjørn Øster Ågård",
    ("Icelandic", "cp1252"): "Guðrún Þórir Sigríður Jón Björk Ásgeir Davíð Jökull",
    (
        "Polish",
        "cp1250",
    ): "Małgorzata Wiśniewska Łukasz Dąbrowski Poznań Łódź Kraków Święta Józef Żaneta Grzegorz Gdańsk",
    ("Czech", "cp1250"): "Jiří Dvořák Přemysl Černý Kateřina Plzeň Třebíč Růžena Zdeněk Šárka Ondřej Vlček",
    ("Slovak", "cp1250"): "Ľubomír Košice Žilina Červený Ďuriš Štefánia Kráľ Ružička Nováková Mäčko",
    ("Hungarian", "cp1250"): "Erdős Szűcs Győr László Zoltán Ödön Tünde Kőszeg Németh Fűzfő Gyöngyös",
    ("Romanian", "cp1250"): "Ştefan Brăila Constanţa Mădălina Bucureşti Iaşi Cîmpulung Vâlcea",
    ("Croatian", "cp1250"): "Đorđe Šibenik Požega Kovačić Marić Živković Čakovec Đurđevac",
    ("Turkish", "cp1254"): "Şişli Beşiktaş Yıldız Çağlar Öztürk İstanbul Ayşe Işık Gül Ümit Güneş Doğan Ağrı",
    ("Lithuanian", "cp1257"): "Šiauliai Žemaitė Kęstutis Jonušas Kazlauskienė Mažeikiai Čiurlionis Ąžuolas Kėdainiai",
    ("Latvian", "cp1257"): "Jānis Bērziņš Rīga Kļaviņa Ķekava Ģirts Šūpulis Līga Zariņš Ēriks",
    ("Estonian", "cp1257"): "Tõnu Jõgi Pärnu Kõrv Mäe Põder Türi Žürii",
    ("Russian", "cp1251"): "Иван Петров Мария Сидорова Александр Екатерина Москва Юрий Щукина",
    ("Russian", "koi8_r"): "Иван Петров Мария Сидорова Александр Екатерина Москва Юрий Щукина",
    ("Ukrainian", "cp1251"): "Їжак Олексій Київ Ірина Ґалаґан Сергій Львів Наталія",
    ("Greek", "cp1253"): "Γιώργος Παπαδόπουλος Άννα Αθήνα Νίκος Ελένη Θεσσαλονίκη",
    ("Hebrew", "cp1255"): "שלום כהן דוד לוי תל אביב ירושלים",
    ("Ukrainian", "koi8_u"): "Їжак Олексій Київ Ірина Лілія Сергій Львів Наталія",
    ("Vietnamese", "cp1258"): "Pha\u0323m Tha\u0300nh Bi\u0300nh Quô\u0301c",
    ("Turkish", "cp857"): "Şişli Beşiktaş Yıldız Çağlar Öztürk Ayşe Şener",
    ("Arabic", "cp1256"): "محمد علي فاطمة القاهرة عبدالله",
}
NAMES |= {
    (language, other): words
    for (language, encoding), words in [*NAMES.items()]
    for other in {"cp1252": ["latin-1", "iso8859_15"], "cp1250": ["iso8859_2"], "cp1254": ["iso8859_9"]}.get(
        encoding, []
    )
}
NAMES["Estonian", "cp1252"] = "Võru Pärnu Tõnu Jõhvi Põlva Šmidt Üksküla Õie"


@pytest.mark.parametrize(("language", "encoding"), NAMES, ids=str)
def test_no_name_is_ever_read_in_the_wrong_letters(language: str, encoding: str) -> None:
    """Each name alone, each two beside each other, and all: read as they were written, or asked about."""
    names = NAMES[language, encoding].split()
    samples = [[one] for one in names] + [[one, two] for one, two in itertools.combinations(names, 2)] + [names]
    for sample in samples:
        written = "\n".join(sample)
        content = written.encode(encoding)
        if content.isascii():
            continue
        found = guess(content).encoding
        assert found is None or content.decode(found) == written


@pytest.mark.parametrize(
    ("language", "encoding"), [key for key in NAMES if key[1] in ("cp1252", "latin-1") and key[0] != "Estonian"]
)
def test_western_names_are_read_without_a_question(language: str, encoding: str) -> None:
    """A table of several names of one language, and of all of them, needs no `encoding`."""
    content = NAMES[language, encoding].encode(encoding)
    assert guess(content).encoding == "cp1252"


@pytest.mark.parametrize(
    "text",
    [
        "Müller – “Größe” €5 … Straße 10°",
        "don’t O’Brien L’Oréal Children’s D’Souza",
        "JOSÉ MUÑOZ ZÜRICH GARÇON",
        "£20 5€ ©2024 Acme® Nº5 ½ 20×30",
        "¿Qué? ¡Hola! «Été»",
        "Mumbai – Pune",
    ],
)
def test_usual_signs_need_no_question(text: str) -> None:
    """Currencies, quotes and dashes of Windows stand in the same places in its Western tables."""
    assert guess(text.encode("cp1252")).encoding == "cp1252"


@pytest.mark.parametrize("language", ["Turkish", "Lithuanian", "Latvian", "Estonian"])
def test_turkish_and_baltic_tables_are_asked_about(language: str, file: Path) -> None:
    """Their letters stand where Western ones do; with the encoding given they are read."""
    encoding, names = next((key[1], words) for key, words in NAMES.items() if key[0] == language)
    text = "id,name\n" + "".join(f"{at},{name}\n" for at, name in enumerate(names.split()))
    file.write_bytes(text.encode(encoding))
    with pytest.raises(SourceError, match=f"do not tell the encoding .*{encoding}.*encoding=NAME"):
        open_source(file)
    assert list(rows_of(open_source(file, ReadOptions(encoding=encoding)))) == rows(text)


@pytest.mark.parametrize("encoding", ["cp850", "cp852", "mac_roman", "gb18030", "shift_jis", "cp866"])
def test_tables_of_ms_dos_and_others_are_asked_about(encoding: str) -> None:
    """Nothing is taken for what is none of the usual encodings."""
    words = {
        "cp850": NAMES["Spanish", "cp1252"],
        "cp852": NAMES["Polish", "cp1250"],
        "mac_roman": NAMES["French", "cp1252"],
        "gb18030": "王小明 李大同 北京市 上海",
        "shift_jis": "山田太郎 東京都 佐藤",
        "cp866": NAMES["Russian", "cp1251"],
    }[encoding]
    assert guess(words.encode(encoding)).encoding is None


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
