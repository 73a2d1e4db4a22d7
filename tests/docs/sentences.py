"""The sentences of pages, notebooks and Python files, and how many words each has.

`python -m tests.docs.sentences [--words] [FILE...]` prints each sentence that is too long, or with `--words` each
word that another one replaces. Without files it reads every page.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.snippets import ROOT

LONGEST = 30
"""Words in the longest sentence that a page may have."""

OLD_WORDS = re.compile(
    r"\b("
    r"crews?|sleepers?|timekeepers?|overseers?|tickets?|lanes?|stretch(?:es)?|judge?ments?|dice|tidied"
    r"|spoil(?:t|ed|s)?|mend(?:s|ed|ing)?|(?:is|are|was|were) told|(?:found|finds?|finding) (?:it )?out|remed(?:y|ies)"
    r"|what (?:becomes?|became|has become) of|(?:go|goes|going|went) on|nobody knows"
    r")\b",
    re.IGNORECASE,
)
"""Words that have a standard term in their place. Those with a second meaning of their own are not among them."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^( *)(`{3,}|~{3,})[^\n]*\n.*?^\1\2`*~* *$", re.DOTALL | re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n.*?^---$", re.DOTALL | re.MULTILINE)
_TARGET = re.compile(r"^\[[^]]+\]: .*$", re.MULTILINE)
_LITERAL = re.compile(r"(?<=::\n)(?:[ \t]*\n|[ \t]+[^\n]*\n?)+")
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_IMAGE = re.compile(r"!\[([^]]*)\]\([^)]*\)", re.DOTALL)
_LINK = re.compile(r"\[([^]]*)\](?:\([^)]*\)|\[[^]]*\])", re.DOTALL)
_ADDRESS = re.compile(r"<?https?://\S+")
_START = re.compile(r"^\s*(?:[-*+]\s+|\d+[.)]\s+|#+\s+|>\s*|[!?]{3}\S*\s+\w+\s*)")
_ARGUMENT = re.compile(r"^\s+\**\w+(?: \([^)]*\))?: ")
_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)[\"')”’*_\]]*\s+")


class Sentence(NamedTuple):
    """A sentence, a heading, an item of a list or a cell of a table."""

    line: int
    text: str

    @property
    def words(self) -> int:
        """How many there are; those of inline code count too."""
        return sum(any(letter.isalnum() for letter in word) for word in self.text.split())


def sentences(path: Path) -> list[Sentence]:
    """Return what a person reads in a page, the Markdown of a notebook, or a Python file's docstrings and comments."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return [one for line, prose in sorted(_python(text)) for one in in_markdown(prose, line)]
    if path.suffix == ".ipynb":
        cells = ("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
        return [one for cell in cells for one in in_markdown(cell)]
    return list(in_markdown(text))


def in_markdown(text: str, first_line: int = 1) -> Iterator[Sentence]:
    """Yield the sentences of a text in Markdown, without its blocks of code, and with the line where each begins."""
    for pattern in (_FRONT_MATTER, _COMMENT, _FENCE, _TARGET, _LITERAL):
        text = pattern.sub(lambda found: "\n" * found[0].count("\n"), text)
    for pattern, kept in ((_CODE, _inline), (_IMAGE, _shown), (_LINK, _shown), (_ADDRESS, lambda _: "address")):
        text = pattern.sub(kept, text)
    for line, block in _blocks(text.splitlines(), first_line):
        start = 0
        for end in [*(found.end() for found in _END.finditer(block)), len(block)]:
            sentence = Sentence(line + block[:start].count("\n"), " ".join(block[start:end].split()))
            if sentence.words:
                yield sentence
            start = end


def _inline(found: re.Match[str]) -> str:
    """Keep the words of inline code, and nothing in it that could end a sentence."""
    return re.sub(r"[.!?|](?=\s|$)", "", found[2]) or "sign"


def _shown(found: re.Match[str]) -> str:
    return found[1]


def _blocks(lines: list[str], first_line: int) -> Iterator[tuple[int, str]]:
    """Yield paragraphs, headings, items and cells, each with its first line."""
    begun, held = first_line, list[str]()
    for number, line in enumerate(lines, first_line):
        is_row = line.lstrip().startswith("|")
        starts = _START.match(line) or _ARGUMENT.match(line)
        if held and (not line.strip() or is_row or starts or held[0].startswith("#")):
            yield begun, "\n".join([_START.sub("", held[0]), *held[1:]])
            held = []
        if is_row:
            yield from ((number, cell) for cell in re.split(r"(?<!\\)\|", line))
        elif line.strip():
            begun = begun if held else number
            held.append(line)
    if held:
        yield begun, "\n".join([_START.sub("", held[0]), *held[1:]])


def _python(text: str) -> Iterator[tuple[int, str]]:
    """Yield every docstring, those of attributes too, and every group of comments of one indentation."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(docstring))):
                yield node.lineno, docstring
    at, column, held = 0, 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if held and token.start != (at + len(held), column):
            yield at, "\n".join(held)
            held = []
        if not held:
            at, column = token.start
        held.append(token.string.lstrip("#: "))
    if held:
        yield at, "\n".join(held)


def pages() -> list[Path]:
    """Return every page that people read, the notebooks among them."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    benchmarks, samples = (ROOT / "benchmarks").glob("*.md"), (ROOT / "sample_data").glob("*.md")
    return [*top, *sorted((ROOT / "docs").glob("*.md")), *benchmarks, *samples, *(ROOT / "notebooks").glob("*.ipynb")]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    only_words = "--words" in arguments
    count = 0
    for file in [Path(name) for name in arguments if name != "--words"] or pages():
        for one in sentences(file):
            old = sorted({found.lower() for found in OLD_WORDS.findall(one.text)})
            if old if only_words else one.words > LONGEST:
                count += 1
                print(f"{file}:{one.line}: {', '.join(old) if only_words else one.words}: {one.text}")
    print(f"{count} found", file=sys.stderr)
    sys.exit(bool(count))
