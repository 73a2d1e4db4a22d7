"""The claims about parsers of foreign bytes, tried for some seconds; `make fuzz` runs as long as you like."""

from __future__ import annotations

import gc
import time
import weakref

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interakt_loader.transport.responses import AnswerReader
from tests.hostile import claims
from tests.hostile.seeds import ANSWER_SEEDS, MAPPING_SEEDS, TOKENS_OF_ANSWERS, TOKENS_OF_MAPPINGS

SOME = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def made_of(tokens: list[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(st.one_of(st.sampled_from(tokens), st.binary(max_size=4)), max_size=25).map(b"".join)


@given(st.one_of(made_of(TOKENS_OF_ANSWERS), st.sampled_from(ANSWER_SEEDS)), st.lists(st.integers(0, 300), max_size=5))
@SOME
def test_any_answer(data: bytes, cuts: list[int]) -> None:
    """Whatever comes in whatever pieces is an answer or none, the same however it is cut."""
    claims.an_answer(data, cuts)
    claims.an_answer(b"HTTP/1.1 202 \r\n" + data, cuts)


@given(st.integers(100, 999), st.one_of(st.binary(), st.text().map(str.encode), made_of(TOKENS_OF_ANSWERS)), st.text())
@SOME
def test_any_body(status: int, body: bytes, retry_after: str) -> None:
    """Whatever an answer says, its message is one line."""
    claims.a_body(status, body, retry_after)


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ [\d:]+ [+-]?\w*", fullmatch=True)))
@SOME
def test_any_retry_after(value: str) -> None:
    """Seconds, or None."""
    claims.a_wait(value)


@pytest.mark.parametrize(
    "value", ["\x1c7", "7\x1d", "\x857\x85", "٣", "²", "7" * 60_000, "9," * 30_000, "1e9", "inf", "nan"]
)
def test_a_wait_that_is_no_number_asks_for_nothing(value: str) -> None:
    """Of the spaces and digits of Unicode `float` knows some, and a regular expression others: found by fuzzing."""
    assert claims.a_wait(value) is None


@given(
    st.one_of(
        st.tuples(st.sampled_from(["yaml", "toml", "json"]), made_of(TOKENS_OF_MAPPINGS)),
        st.sampled_from(MAPPING_SEEDS),
    )
)
@SOME
def test_any_mapping_file(given: tuple[str, bytes]) -> None:
    """Whatever is in the file, it is a mapping or one line says why it is none."""
    claims.a_mapping(f".{given[0]}", given[1])


HEAD = b"HTTP/1.1 202 Accepted\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"A: " + b"x" * 65_000,
        HEAD + CHUNKS + b"1\r\nx\r\n" * 20_000,
        HEAD + CHUNKS + b"ffff;" + b"x" * 65_000 + b"\r\n" + b"y" * 65_000,
        HEAD + CHUNKS + b"0\r\n" + b"A: b\r\n" * 10_000,
    ],
    ids=["a head", "chunks", "an extension of a chunk", "a trailer"],
)
def test_a_byte_at_a_time_costs_no_more_than_its_bytes(data: bytes) -> None:
    """A tenth of a second; where what came before is looked at again with each byte, it is half a minute."""
    reader, began = AnswerReader(), time.process_time()
    for at in range(len(data)):
        assert reader.feed(data[at : at + 1]) is None
    assert time.process_time() - began < 10


def test_what_came_of_an_answer_is_freed_at_once() -> None:
    """Without the garbage collector, which counts objects and not their bytes."""
    for body in (b"Content-Length: 2\r\n\r\n{}", CHUNKS + b"2\r\n{}\r\n0\r\n\r\n"):
        reader = AnswerReader()
        gone = weakref.ref(reader)
        assert reader.feed(HEAD + body) is not None
        gc.disable()
        try:
            del reader
            assert gone() is None
        finally:
            gc.enable()
