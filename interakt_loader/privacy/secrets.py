"""A text that is never shown: the key, or an address with a password.

Tracebacks with locals, debuggers, logs and reports show the `repr` of objects. So the key is a `Secret` from the moment
it arrives, and no function keeps it as text in a variable where an error can be raised.
"""

from __future__ import annotations

from typing import Any

from interakt_loader.errors import SettingsError

DOTS = "•••"


class Secret:
    """A text that only `reveal` returns. Equal secrets have equal texts.

    A pickle does not contain the text: an unpickled secret can be shown, but not revealed.
    """

    __slots__ = ("_shown", "_text")

    def __init__(self, text: str | None, shown: str = DOTS) -> None:
        """Keep a text, and show `shown` in its place. A value of a wrong type is kept too, so that it is not shown."""
        self._text = text
        self._shown = shown

    def reveal(self) -> str:
        """Return the text. Raises `SettingsError` for an unpickled secret."""
        if self._text is None:
            raise SettingsError("a pickle does not contain the key: give the key again, such as by INTERAKT_API_KEY")
        return self._text

    def __repr__(self) -> str:
        return self._shown

    def __format__(self, spec: str) -> str:
        return format(self._shown, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Secret, (None, self._shown)


def hidden(value: Any) -> Any:
    """Return a value as a `Secret`. None and a `Secret` are returned unchanged."""
    return value if value is None or isinstance(value, Secret) else Secret(value)
