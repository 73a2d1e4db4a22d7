"""What is claimed of each parser of foreign bytes, for any bytes: for hypothesis in the tests, and for fuzzing.

Each raises `AssertionError`, or whatever the parser should not have raised.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from pathlib import Path

from interakt_loader.errors import MappingError
from interakt_loader.mapping.files import LONGEST_MISTAKES, read_mapping
from interakt_loader.mapping.spec import Mapping
from interakt_loader.sending.retry_policy import parse_retry_after
from interakt_loader.transport.responses import (
    LONGEST_BODY,
    LONGEST_HEAD,
    LONGEST_MESSAGE,
    AnswerReader,
    BrokenOff,
    NoHttp,
    RawResponse,
    read_answer,
)

PIECE = 65_536
"""Bytes that a connection reads at once."""

MOST_HELD = LONGEST_HEAD + LONGEST_BODY + 2 * PIECE

FORMS = (".yaml", ".toml", ".json")


def raw_response(pieces: list[bytes]) -> tuple[object, ...]:
    """Read an answer that comes in these pieces and then ends; return the result, `keep_alive` apart."""
    reader = AnswerReader()
    try:
        for piece in pieces:
            answer = reader.feed(piece)
            assert len(reader._data) + len(reader._body) <= MOST_HELD
            if answer is not None:
                return _known(answer)
        return _known(reader.end())
    except BrokenOff as broken:
        return "broken off", range(100, 1000).index(broken.status), broken.retry_after
    except NoHttp:
        return ("no HTTP",)


def _known(answer: RawResponse) -> tuple[object, ...]:
    assert 200 <= answer.status <= 999
    assert len(answer.body) <= LONGEST_BODY
    return type(answer.body), *answer[:-1]


def an_answer(data: bytes, cuts: list[int]) -> None:
    """Any bytes, cut anywhere: `BrokenOff`, `NoHttp` or an answer, the same for all ways to cut them, within bounds."""
    borders = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    cut = [data[begin:end] for begin, end in itertools.pairwise(borders) if begin < end]
    whole = raw_response([data[at : at + PIECE] for at in range(0, len(data), PIECE)])
    assert raw_response(cut) == whole
    if len(data) < 2_000:
        assert raw_response([data[at : at + 1] for at in range(len(data))]) == whole
    if whole[0] is bytes:
        a_body(int(str(whole[1])), bytes(whole[2]), str(whole[3]))  # type: ignore[call-overload]


def a_body(status: int, body: bytes, retry_after: str) -> None:
    """Any status and body: an answer whose message is one printable line."""
    answer = read_answer(status, body, 0.1, a_wait(retry_after))
    assert answer.http_status == status
    assert answer.accepted is (answer.code is None)
    assert not answer.accepted or 200 <= status < 300
    assert len(answer.message) <= LONGEST_MESSAGE
    assert len(answer.message.splitlines()) <= 1
    assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in answer.message)
    answer.message.encode()


def a_wait(value: str) -> float | None:
    """Any header: None, or seconds that are none less than zero and not without end."""
    seconds = parse_retry_after(value)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))
    return seconds


def a_mapping(ending: str, content: bytes) -> None:
    """Any bytes in a file: a mapping, which can be written and read again, or one `MappingError` in one short line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m{ending}"
        path.write_bytes(content)
        try:
            mapping = read_mapping(path)
        except MappingError as error:
            message = str(error).replace(folder, "")
            assert message.isprintable() or "\u200c" in message or "\u200d" in message or not message.isascii()
            assert len(message.splitlines()) == 1
            assert len(message) <= LONGEST_MISTAKES + 60
        else:
            assert Mapping.of(mapping.as_dict()) == mapping
