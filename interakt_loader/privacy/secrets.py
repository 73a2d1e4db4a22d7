"""A text that shows itself nowhere: the key, and an address that holds a password.

Tracebacks with locals, debuggers, logs and reports show what an object says of itself. So the key is held in a `Secret`
from the moment it comes in, and no function has it as plain text in a variable while anything can go wrong.
"""

from __future__ import annotations

from typing import Any

from interakt_loader.errors import SettingsError

DOTS = "•••"


class Secret:
    """A text that only `reveal` says. Equal secrets hold equal texts.

    A pickle of it does not hold the text: what comes out of one can be shown, and has nothing to reveal.
    """

    __slots__ = ("_shown", "_text")

    def __init__(self, text: str | None, shown: str = DOTS) -> None:
        """Hold a text, and say `shown` in its place; what is no text is held, too, so that nobody shows that either."""
        self._text = text
        self._shown = shown

    def reveal(self) -> str:
        """Return the text. Raises `SettingsError` where it was left behind by a pickle."""
        if self._text is None:
            raise SettingsError("the key does not travel in a pickle: give it again, such as by INTERAKT_API_KEY")
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
    """Return a value as a `Secret`; None, and what is one, as it is."""
    return value if value is None or isinstance(value, Secret) else Secret(value)
