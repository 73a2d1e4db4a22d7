"""Pages of real loads, and what is in them."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

VOID = ("meta", "input", "link", "br")


class Page(HTMLParser):
    """A page that was parsed: what its elements are and say, each of them closed in its turn."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        """Of the table of rows: the texts of each line's cells."""
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """All that a person reads."""
        return " ".join(self.texts)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of this kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID and not self._self_closed():
            self._open.append(tag)

    def _self_closed(self) -> bool:
        return (self.get_starttag_text() or "").endswith("/>")

    def handle_endtag(self, tag: str) -> None:
        """Hold an element's end to its beginning."""
        if not self._self_closed() or self._open[-1:] == [tag]:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._open[-1:] not in (["style"], ["script"]):
            self.texts.append(data)
            if "td" in self._open or "th" in self._open:
                self.rows[-1][-1] += data
