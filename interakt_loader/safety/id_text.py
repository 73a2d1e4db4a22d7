"""What text can be an id, a phone or the name of an event: words for a missing value, lost digits, a failed formula.

As the id of a customer a word such as `N/A` would make one customer of many. In a trait it may be a value: that is for
`mapping.null_words`. The patterns are for Python's `re` and for Arrow's RE2 alike.
"""

from __future__ import annotations

import re

from interakt_loader.safety.visible import hidden_in, hidden_said, stripped

_WORDS = (
    "null|none|nan|nat|nil|undefined|void|[+-]?inf|[+-]?infinity|unknown|unavailable|unassigned|unspecified|missing"
    r"|blank|empty|object object|\\n|#?n[ ./\\_-]?a[.]?"
    "|no[ _-]?(?:data|value)"
    "|not[ _-]?(?:available|applicable|provided|given|known|set|specified|assigned|found|recorded)"
    "|[-–—_.?~]+"
)
_AROUND = r"[\s'\"`(){}<>\[\]]*"

NULL_WORD = rf"^(?i:{_AROUND}(?:{_WORDS}){_AROUND})$"
"""A word that stands for nothing, in any case, with brackets or quotes around it."""

ERROR_CELL = r"^(?i:#[¡¿]?[a-z_]+(?:/[0a-z])?[!?]|#getting_data|#[nb]v|#n/d|#+|err:[0-9]{3})$"
"""What a spreadsheet shows where a formula failed. `#N/A` is none: there the formula says that there is nothing."""
FORMULA_FAILED = "is what a spreadsheet shows where a formula failed"

EXPONENT = r"^[+-]?(?:[0-9]+[.,][0-9]*[eE][+-]?|[0-9]+[eE]\+)[0-9]{1,3}$"
"""How a spreadsheet, or a program, writes a number whose digits it has no room for; `12E45` may well be an id."""
LOST_DIGITS = "lost digits in a spreadsheet: read the column as text"

_REFUSED = ((re.compile(EXPONENT), LOST_DIGITS), (re.compile(ERROR_CELL), FORMULA_FAILED))
_NULL_WORD = re.compile(NULL_WORD)


def id_text(text: str) -> str | None:
    """Return an id or a name without white space or what is invisible at its ends; None if it stands for nothing."""
    text = stripped(text)
    return None if not text or _NULL_WORD.match(text) else text


def refusal(text: str) -> str | None:
    """Say, to be read behind it, why a text can be no id; None if it can."""
    if hidden_in(text) is not None:
        return hidden_said(text)
    return next((said for pattern, said in _REFUSED if pattern.match(text)), None)
