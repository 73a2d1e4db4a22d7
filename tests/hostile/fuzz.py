"""`make fuzz`: the claims of `claims`, tried on inputs that atheris makes, led by the lines that they reach.

`python -m tests.hostile.fuzz answer|wait|mapping [--seconds N]` ends with how many inputs were tried, as
`number_of_executed_units`. A crash ends it at once, with an exit code that is not 0 and the input in a file.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import atheris

LOOKED_INTO = [
    "interakt_loader.transport",
    "interakt_loader.mapping",
    "interakt_loader.privacy.text",
    "yaml",
    "tomllib",
]

with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=LOOKED_INTO):
    for name in ("tomllib", "yaml"):  # else they would be imported later, where nobody looks into them
        importlib.import_module(name)
    from tests.hostile import claims
    from tests.hostile.seeds import ANSWER_SEEDS, MAPPING_SEEDS, TOKENS_OF_ANSWERS, TOKENS_OF_MAPPINGS

SLOW = 10.0
"""Seconds of processor time for one input, from which on it is a crash."""

MEGABYTES = 2048
"""Of memory, from which on it is a crash."""


def answer(data: bytes) -> None:
    """The first bytes say where it is cut."""
    claims.an_answer(data[4:], [*data[:4]])
    if data:
        claims.a_body(100 + (data[0] * 256 + data[-1]) % 900, data[4:], data[:40].decode("latin-1"))


def wait(data: bytes) -> None:
    """The header as it comes off the wire."""
    claims.a_wait(data.decode("latin-1"))


def mapping(data: bytes) -> None:
    """The first byte says the form."""
    claims.a_mapping(claims.FORMS[(data[:1] or b"\0")[0] % len(claims.FORMS)], data[1:])


TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes], list[bytes]]] = {
    "answer": (answer, [b"\x07\x63\xc8\x11" + one for one in ANSWER_SEEDS], TOKENS_OF_ANSWERS),
    "wait": (wait, [b"7", b"Thu, 26 Nov 2026 10:00:00 GMT", b"1e9", b"-1", b"Thu, 1 Jan 0001 00:00:00 +2359"], []),
    "mapping": (
        mapping,
        [bytes([claims.FORMS.index(f".{form}")]) + content for form, content in MAPPING_SEEDS],
        TOKENS_OF_MAPPINGS,
    ),
}


def watched(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Return a target that has a bound in time."""

    def one(data: bytes) -> None:
        began = time.process_time()
        target(data)
        assert time.process_time() - began < SLOW, "too slow"

    return one


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main() -> None:
    """Run one target for a while."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"))
    given = parser.parse_args()
    target, seeds, tokens = TARGETS[given.target]
    corpus = given.folder / given.target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    words = given.folder / f"{given.target}.dict"
    words.write_text("".join(f'"{_escaped(one)}"\n' for one in tokens), encoding="ascii")
    options = [f"-max_total_time={given.seconds}", "-max_len=4096", "-timeout=60", f"-rss_limit_mb={MEGABYTES}"]
    options += ["-verbosity=0", f"-artifact_prefix={given.folder}/{given.target}-crash-", "-print_final_stats=1"]
    options += [f"-dict={words}"] if tokens else []
    os.environ.setdefault("PYTHONHASHSEED", "0")
    atheris.Setup([sys.argv[0], *options, str(corpus)], watched(target))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
