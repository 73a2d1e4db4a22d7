"""Find the encoding of a text file, and read all of its bytes once before its first row.

An encoding that is not UTF-8 is found by the byte order mark, by the positions of zeros, or by the look of the words. A
wrong guess would send damaged names to people. So an encoding is taken only if nearly all words look right in it, and
no other encoding gives other words that look right too. Otherwise the caller has to name it. What looks right depends
on the language: which letters it has besides ASCII, and where in a word these never are. As on the web, cp1252 is also
used for latin-1.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TextIO, cast

from interakt_loader.errors import SourceError, option
from interakt_loader.sources.local_file import File

LONGEST_LINE = 64 << 20
"""The most characters in a line. A line is held in memory, and a longer one is not the row of a table."""
_CHUNK_BYTES = 256 << 10
_MARK = "\ufeff"
_SAMPLE_BYTES = 64 << 10
_LINE_END = re.compile(rb"[\r\n]+")
# Bytes.
_LONGEST_WORD = 100
_WORDS_FOR_A_BYTE = 20
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_UTF8 = re.compile("[^\0-\x7f\udc80-\udcff]")


@dataclass(frozen=True)
class Text:
    """A text file that is known to be in the encoding from start to end."""

    file: File
    encoding: str
    lines: int
    """The number of lines, including a last one without a newline."""
    has_nul: bool
    """Some character is NUL, which no text should have."""
    has_marks: bool
    """A byte order mark is inside the text: files were joined."""
    notes: list[str]
    """The encoding, unless it is UTF-8."""

    def open(self) -> TextIO:
        """Return the text from its start, with its newlines as they are."""
        return cast(TextIO, io.TextIOWrapper(self.file.open(), self.encoding, newline=""))

    def each_line(self, stream: TextIO) -> Iterable[str]:
        """Return the lines of the opened text, without byte order marks at their starts."""
        return (line.removeprefix(_MARK) for line in stream) if self.has_marks else stream


def open_text(file: File, encoding: str | None) -> Text:
    """Find the encoding unless it is given, check that all of the file is in it, and count the lines.

    This is done before anything is sent, so that a fault in the last row is not found after the others were sent.
    Memory does not grow with the file. SourceError names the first byte that does not fit, counted from 0 in the
    uncompressed file, and its line; or it says that the encoding is unknown.
    """
    head = file.head(_SAMPLE_BYTES)
    marked = marked_encoding(head)
    known = _with_byte_order(encoding, marked) if encoding else marked
    try:
        return _scanned(file, known or "utf-8", head)
    except _NotInEncoding as error:
        if known is not None:
            advice = f"give another {option('encoding')}" if encoding else "save the file as UTF-8"
            raise SourceError(f"{file.given}: {error}; {advice}") from error
        guessed = _guessed(file, str(error))
    try:
        text = _scanned(file, guessed, head)
    except _NotInEncoding as error:
        raise SourceError(
            f"{file.given}: this is not UTF-8; {error}; give {option('encoding', placeholder='NAME')}"
        ) from error
    text.notes.append(
        f"{file.given}: this is not UTF-8, so it is read as {guessed} ({CANDIDATES[guessed]}); "
        f"if letters look wrong, give {option('encoding', placeholder='NAME')}"
    )
    return text


def _with_byte_order(encoding: str, marked: str | None) -> str:
    """Return the encoding that the caller named; for UTF-16 and UTF-32 with the byte order of the file's mark."""
    name = codecs.lookup(encoding).name.removesuffix("-sig")
    if name not in ("utf-16", "utf-32"):
        return name
    return marked if marked is not None and marked.startswith(name) else f"{name}-le"


class _NotInEncoding(Exception):
    """Names the byte that is not in the encoding."""


def _scanned(file: File, encoding: str, head: bytes) -> Text:
    lines = returns = offset = 0
    has_nul = has_marks = False
    last = ""
    # Characters since the end of the last line.
    unended = 0
    decoder = codecs.getincrementaldecoder(encoding)()
    with file.open() as stream:
        chunk = None
        while chunk != b"":
            chunk = stream.read(_CHUNK_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line = lines + error.object.count("\n".encode(encoding), 0, error.start) + 1
                place = f"byte {offset - pending + error.start} (line {line})"
                value = error.object[error.start]
                raise _NotInEncoding(f"expected {encoding.upper()}, but {place} is 0x{value:02x}") from error
            lines += text.count("\n")
            returns += text.count("\r")
            has_nul = has_nul or "\0" in text
            has_marks = has_marks or _MARK in (text if offset else text[1:])
            end = max(text.rfind("\n"), text.rfind("\r"))
            unended = unended + len(text) if end < 0 else len(text) - end - 1
            if unended > LONGEST_LINE:
                raise SourceError(
                    f"{file.given}: line {lines + 1} has more than {LONGEST_LINE >> 20} million characters; "
                    "expected one row on each line. Is this a table?"
                )
            offset += len(chunk)
            last = text[-1:] or last
    # A file with carriage returns only comes from an old Mac.
    count = (lines or returns) + (last not in ("\n", "\r", "\ufeff", ""))
    notes = [f"{file.given}: read as {encoding.upper()}"] if encoding.startswith(("utf-16", "utf-32")) else []
    return Text(file, encoding_after_mark(encoding, head), count, has_nul, has_marks, notes)


def _guessed(file: File, complaint: str) -> str:
    """Return the encoding of a file that is not UTF-8; SourceError when it is unknown."""
    utf8 = others = 0
    words = _Words()
    rest = b""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    with file.open() as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text = decoder.decode(chunk)
            if not text.isascii():
                utf8 += len(_UTF8.findall(text))
                others += len(_NO_UTF8.findall(text))
            # A word may continue in the next chunk.
            *lines, rest = _LINE_END.split(rest + chunk) if len(rest) < _CHUNK_BYTES else (rest, chunk)
            for line in lines:
                words.add(line)
    words.add(rest)
    # Bytes of other encodings hardly ever look like UTF-8.
    if utf8 > others:
        raise SourceError(f"{file.given}: {complaint}; save the file as UTF-8")
    encoding, candidates = guess(words.sample())
    if encoding is None:
        choice = f" (it may be {' or '.join(candidates)})" if candidates else ""
        raise SourceError(
            f"{file.given}: {complaint}, and its letters do not tell the encoding{choice}; give it: "
            f"{option('encoding', placeholder='NAME')}"
        )
    return encoding


class _Words:
    """Some words for each byte beyond ASCII. So each byte of a file counts, and memory does not grow with it."""

    def __init__(self) -> None:
        self._seen = dict.fromkeys(range(0x80, 0x100), 0)
        self._wanted = set(self._seen)
        self._unwanted = bytes(range(0x80))
        self._words: dict[bytes, None] = {}

    def add(self, line: bytes) -> None:
        if line.isascii() or not line.translate(None, self._unwanted):
            return
        for word in words_beyond_ascii(line):
            if len(word) <= _LONGEST_WORD and word not in self._words and self._wanted.intersection(word):
                self._words[word] = None
                for byte in set(word) & self._wanted:
                    self._seen[byte] += 1
                    if self._seen[byte] == _WORDS_FOR_A_BYTE:
                        self._wanted.remove(byte)
                        self._unwanted += bytes([byte])

    def sample(self) -> bytes:
        return b"\n".join(self._words)


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # This mark begins with that of UTF-16, so it comes first.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The share of zeros among all bytes from which on they are halves of UTF-16.
_ZEROS = 0.15
# The share of words that must look right in an encoding, each in some language of it.
_TAKEN_FROM = 0.9
# The share of words that look right in one language of another encoding, from which on the encoding is in doubt.
_DOUBTED_FROM = 0.6


class _Language(NamedTuple):
    letters: str
    """Its letters beyond ASCII, or all its letters if it does not use the Latin alphabet. In lower case."""
    never: str = r"\Z\A"
    """The pattern of what no word of it contains, in lower case. Few files need it, so it is compiled when used."""
    is_latin: bool = True


# Its õ is in the first syllable only.
_ESTONIAN = _Language("äõöüšž", "[aeiouäõöü][^aeiouäõöü]+õ")
_WESTERN = (
    _Language("áéíóúüñ", "ñ(?![aeiouáéíóú])|[aeo]á|ieá"),  # Spanish
    _Language("áâãàçéêíóôõúü", "ã(?![oeis]|$)|õ(?!e|$)|ç(?![aouáâãõóú])|[âêô](?=[aeio])|[aeo]á"),  # Portuguese
    _Language(
        "àâæçéèêëîïôœùûüÿ", "(?<![aeiouyé])[ëï]|[âèêîôû](?=[aeiouy])|[àù](?=.)|ç(?![aouêâûô])|(?<![aeo])ÿ"
    ),  # French
    _Language("äöüßéè", "^ß"),  # German
    _Language("àèéìíîòóùú", "[àèìòù](?=.)"),  # Italian
    _Language("àèéíïòóúüç", "[àèò](?=[aeouy])|(?<![aeiou])ï|ç(?![aouàòó]|s?$)"),  # Catalan
    _Language("éèëïöüóêç", "(?<![aeiou])[ëïöü]|[èê](?=[aeiou])|ç(?![aou])"),  # Dutch
    _Language("æøåéôü"),  # Danish, Norwegian
    _Language("åäöéü"),  # Swedish, Finnish
    _Language("áéíóúýþðæö", "^ð|þ(?![aeiouyáéíóúýæörjv])|[czqw]"),  # Icelandic
    _ESTONIAN,
)
_CENTRAL = (
    _Language("ąćęłńóśźż", "[ćńśź](?=[aeiouyąęó])|[ąę](?=[aeiouyąęó])|(?<=[aeouyąęó])[ąę]|^[ąęńy]"),  # Polish
    _Language(
        "áčďéěíňóřšťúůýžöü", "(?<![dtnbpvmf])ě|ď(?![aáoóuúůeěkm]|$)|(?<=[^aeiouyáéěíóúůý])ň|^ů|[aeiouy]č[rvlgmdz]e"
    ),  # Czech
    _Language(
        "áäčďéíľňóôŕšťúýž",  # Slovak
        "[aeiouyáäéíóúý]ŕ|ŕ[aeiouyáäéíóúý]|ŕ$|^ŕ|ď(?![aáoóuúekm]|$)|(?<=[^aeiouyáäéíóôúý])ň|ô(?=[aeiouy])"
        "|[aeiouy]č[rvlgmdz]e",
    ),
    _Language("áéíóöőúüű", "ő(?=[eé])"),  # Hungarian
    _Language("ăâîşţ", "ă(?=[aeo])|^â|â$"),  # Romanian
    _Language("čćđšž", "[aeiouy]č[rvlgmdz]e"),  # Croatian, Slovene
    _Language("äöüß", "^ß"),  # German
)
_TURKISH = (_Language("çğıöşüâîû", "(?<![aeiouıöüâîû])ğ"),)
_BALTIC = (
    _Language("ąčęėįšųūž", "[ąęųį](?![sšzž]|$)(?<!^į)|(?<=[aeiouyąęėįųū])ė|ė(?=[aeiouy])"),  # Lithuanian
    _Language(
        "āčēģīķļņšūž",  # Latvian
        "[āēīū](?=[aeiouāēīū])|(?<=[aeouāēīū])[āēīū]|ķ(?![eiēīuj]|$)|[ģļ](?=[bcdfghjkmnprtvz])|ņ(?=[bcdfghjkmnprtvz])",
    ),
    _ESTONIAN,
)
_TONES = "aàáâãăạảấầẩẫậắằẳẵặeèéêẹẻẽếềểễệiìíĩỉịoòóôõơọỏốồổỗộớờởỡợuùúũưụủứừửữựyýỳỵỷỹ"
_VIETNAMESE = (
    _Language(
        f"đ{_TONES}",
        f"^(?!(ngh?|nh|ch|gh|gi|kh|ph|qu|th|tr|[bcdđghklmnprstvx])?[{_TONES}]{{1,3}}(ch|nh|ng|[cmnpt])?$)",
    ),
)
_BULGARIAN_SOUNDS = "аеиоуъюя"
_SOUNDS = "аеёиоуыэюяіїєў"
_ODD_CYRILLIC = f"^[ьъыў]|[{_SOUNDS}][ьъ]|[^{_SOUNDS}][йў](?!о)|[^{_SOUNDS}ьъ]{{5}}|^[^{_SOUNDS}]{{3,}}$"
_RUSSIAN = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_CYRILLIC = (
    _Language(f"{_RUSSIAN}ё", _ODD_CYRILLIC, is_latin=False),
    _Language(f"{_RUSSIAN}іїєґ", _ODD_CYRILLIC, is_latin=False),
    _Language(f"{_RUSSIAN}ёіў", _ODD_CYRILLIC, is_latin=False),
    _Language(
        _RUSSIAN.replace("ы", "").replace("э", ""),
        f"^[ьй]$|[{_BULGARIAN_SOUNDS}]ь|ь(?!о)|[^{_BULGARIAN_SOUNDS}]{{5}}|^[^{_BULGARIAN_SOUNDS}]{{3,}}$",
        is_latin=False,
    ),
    _Language("абвгдежзиклмнопрстуфхцчшђјљњћџѓѕќ", _ODD_CYRILLIC, is_latin=False),
)
_GREEK = (
    _Language(
        "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐ",
        "ς(?=.)|σ$|[^αεηιουωάέήίόύώϊϋΐ]{5}|^[^αεηιουωάέήίόύώϊϋΐ]{3,}$",
        is_latin=False,
    ),
)
_HEBREW = (_Language("אבגדהוזחטיכךלמםנןסעפףצץקרשת", "[ךםןףץ](?=.)", is_latin=False),)
_ARABIC = (_Language("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگکیں", "ة(?=.)|ى(?=.)|.ء.{4}", is_latin=False),)
_THAI = (_Language("".join(map(chr, range(0x0E01, 0x0E4F))), "^[ะ-ฺ็-๎]", is_latin=False),)
_CJK = (_Language("", "[^\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af]", is_latin=False),)
CANDIDATES = {
    "cp1252": "Western European",
    "cp1250": "Central European",
    "cp1251": "Cyrillic",
    "koi8_r": "Cyrillic",
    "cp1253": "Greek",
    "iso8859_7": "Greek",
    "cp1255": "Hebrew",
    "cp1256": "Arabic",
}
"""The encodings that may be taken, with their alphabets; of several that give the same text, the first."""
_LANGUAGES = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "cp1251": _CYRILLIC,
    "koi8_r": _CYRILLIC,
    "cp1253": _GREEK,
    "iso8859_7": _GREEK,
    "cp1255": _HEBREW,
    "cp1256": _ARABIC,
    # Never taken: their letters have the same bytes as letters of other encodings.
    "cp874": _THAI,
    "cp1254": _TURKISH,
    "cp1257": _BALTIC,
    "iso8859_2": _CENTRAL,
    "iso8859_5": _CYRILLIC,
    "koi8_u": _CYRILLIC,
    "cp1258": _VIETNAMESE,
    # MS-DOS, in which Excel can still write CSV files.
    "cp850": _WESTERN[:-1],
    "cp852": _CENTRAL,
    "cp857": _TURKISH,
    "cp866": _CYRILLIC,
    "iso8859_6": _ARABIC,
    "gb18030": _CJK,
    "shift_jis": _CJK,
    "euc_kr": _CJK,
    "big5": _CJK,
}
_WORD = rb"[^\s,;|\"]+"
_LETTERS = r"[^\W\d_ªº½¼¾²³¹]+"
_APOSTROPHE = (
    r"(?i)(?:^|\W)(?:[cdjlmnostkx]|qu|mc|st|all|dall|dell|nell|sull|un|lorsqu|jusqu|puisqu|aujourd)[’‘]\w|"
    r"\w[’‘](?:[stdm]|ll|re|ve)(?:\W|$)"
)
# Signs, and where they never have a letter: before them, after them, on both sides, or on any side.
_SIGNS = (
    dict.fromkeys("§€£¥¢½¼¾×÷±†‡№•‰", "any")
    | dict.fromkeys("“”‘’»›–—…\xa0", "both")
    | dict.fromkeys("°ºª®©™²³¹،؟؛", "after")
    | dict.fromkeys("‚„¿¡«‹", "before")
    | dict.fromkeys("\xad·ـ฿", "never")
)


class Guess(NamedTuple):
    """The encoding that fits; or None, and the encodings that are possible."""

    encoding: str | None
    candidates: list[str]


def marked_encoding(head: bytes) -> str | None:
    """Return the encoding that the first bytes of a file prove: by a byte order mark, or by the zeros of UTF-16."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    halves = len(head) // 2
    even, odd = (head[at : 2 * halves : 2].count(0) for at in (0, 1))
    if even + odd < _ZEROS * len(head) or min(even, odd) > max(even, odd) / 10:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    return None if "\0" in head[: 2 * halves].decode(encoding, "replace") else encoding


def encoding_after_mark(encoding: str, head: bytes) -> str:
    """Return the name by which Python reads the encoding and leaves out the byte order mark, if there is one."""
    name = codecs.lookup(encoding).name
    if not any(head.startswith(mark) and name == marked for mark, marked in _MARKS):
        return name
    return "utf-8-sig" if name == "utf-8" else name[: -len("-le")]


def words_beyond_ascii(text: bytes) -> list[bytes]:
    """Return the words that have a byte beyond ASCII."""
    return [word for word in re.findall(_WORD, text) if not word.isascii()]


def guess(sample: bytes) -> Guess:
    """Return the encoding of text that has bytes beyond ASCII and is not UTF-8."""
    words = list(dict.fromkeys(words_beyond_ascii(sample)))
    readings = {encoding: reading for encoding in _LANGUAGES if (reading := _decoded(words, encoding)) is not None}
    everything = range(len(words))
    possible = [one for one, reading in readings.items() if _share(one, reading, everything) >= _DOUBTED_FROM]
    for encoding in CANDIDATES:
        reading = readings.get(encoding)
        if reading is None or _share_of_any(encoding, reading) < _TAKEN_FROM:
            continue
        # Signs alone prove nothing.
        if encoding not in possible and encoding != "cp1252":
            continue
        others = [one for one in possible if one != encoding and _is_doubt(one, readings[one], (encoding, reading))]
        if others:
            return Guess(None, list(dict.fromkeys([encoding, *others])))
        return Guess(encoding, [encoding])
    return Guess(None, possible)


def _decoded(words: Sequence[bytes], encoding: str) -> list[str] | None:
    try:
        decoded = [word.decode(encoding) for word in words]
        # Vietnamese has tones as separate characters.
        return [unicodedata.normalize("NFC", word) for word in decoded] if encoding == "cp1258" else decoded
    except UnicodeDecodeError:
        return None


def _is_doubt(encoding: str, reading: Sequence[str], taken: tuple[str, Sequence[str]]) -> bool:
    """Return whether another encoding is possible too.

    It is if its words look right where they differ from those of the encoding to be taken. It is too if some of them
    do, and one of its languages fits more of all words than any language of the encoding to be taken.
    """
    differing = [at for at, (one, other) in enumerate(zip(reading, taken[1], strict=True)) if one != other]
    share = _share(encoding, reading, differing) if differing else 0.0
    everything = range(len(reading))
    return share >= _DOUBTED_FROM or (share > 0 and _share(encoding, reading, everything) >= _share(*taken, everything))


def _share_of_any(encoding: str, reading: Sequence[str]) -> float:
    """Return the share of the words that look right in some language of the encoding."""
    right = sum(any(_looks_right(word, language) for language in _LANGUAGES[encoding]) for word in reading)
    return right / len(reading) if reading else 1.0


def _share(encoding: str, reading: Sequence[str], places: Sequence[int]) -> float:
    """Return the share of these words that look right in one language: the one in which most do.

    Words do not count whose only characters beyond ASCII are usual signs or single letters: they prove nothing.
    """
    telling = [reading[at] for at in places if _tells(reading[at])]
    if not telling:
        return 0.0
    return max(sum(_looks_right(word, one) for word in telling) for one in _LANGUAGES[encoding]) / len(telling)


@cache
def _tells(word: str) -> bool:
    return not _has_usual_signs(word) or any(len(part) > 1 for part in re.findall(_LETTERS, word) if not part.isascii())


@cache
def _looks_right(word: str, language: _Language) -> bool:
    if not _has_usual_signs(word):
        return False
    parts = [part for part in re.findall(_LETTERS, word) if not part.isascii()]
    return all(_is_usual_case(part) and _is_usual_spelling(part, language) for part in parts)


@cache
def _has_usual_signs(word: str) -> bool:
    for at, one in enumerate(word):
        if one.isascii() or (one.isalpha() and one not in "ªº"):
            continue
        before, after = word[at - 1] if at else " ", word[at + 1] if at + 1 < len(word) else " "
        if unicodedata.category(one) == "Mn":
            if before.isascii():
                return False
            continue
        never = _SIGNS.get(one)
        if never is None:
            return False
        if (before.isalpha() and never in ("any", "before")) or (after.isalpha() and never in ("any", "after")):
            return False
        if never == "both" and before.isalpha() and after.isalpha():
            if one in "’‘" and re.search(_APOSTROPHE, word):
                continue
            if not (one in "–—\xa0" and after.isupper()):
                return False
        if one == "’" and not before.isalnum() and after.islower():
            return False
        if one == "\xa0" and before.islower() and after == " ":
            return False
    return True


def _is_usual_case(part: str) -> bool:
    """Return whether no capital beyond ASCII follows a small letter, and no small letter is among capitals."""
    if part.islower() or part.isupper() or part.istitle():
        return True
    for before, one, after in zip(f" {part}", part, f"{part[1:]} ", strict=False):
        if one.isascii():
            continue
        if one.isupper() and (before.islower() or (before.isupper() and after.islower())):
            return False
        if one.islower() and before.isupper() and after.isupper():
            return False
    ascii_letters = [one for one in part[1:] if one.isascii()]
    return not (ascii_letters and all(map(str.isupper, ascii_letters)) and any(map(str.islower, part)))


def _is_usual_spelling(part: str, language: _Language) -> bool:
    small = part.replace("İ", "i").lower()
    if not language.is_latin:
        is_of_it = not language.letters or set(small) <= set(language.letters)
        return is_of_it and not re.search(language.never, small)
    if any(not one.isascii() and one not in language.letters for one in small) or re.search(language.never, small):
        return False
    return not re.search(_CROWDED, small)


_PLAIN = "bcdfghjklmnpqrstvwxz"
_OTHERS = "çčćđďľłńňñřŕśşšťţźžżğģķļņß"
# A consonant beyond ASCII is next to a vowel or to another such consonant, or before k (Vlčková). d may be before ź.
_CROWDED = (
    f"([{_PLAIN.replace('d', '')}][{_OTHERS}]|d[{_OTHERS.replace('ź', '')}])([{_PLAIN.replace('k', '')}]|$)"
    f"|^[{_PLAIN}{_OTHERS}]{{3,}}$"
)
