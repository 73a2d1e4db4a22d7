"""Options in the environment: `INTERAKT_RATE_LIMIT` for `rate_limit`. Which variables are options, and which are wrong.

Pure: the names of the variables are an argument. Their values never come here, because some are secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from interakt_loader.errors import SettingsError, option

PREFIX = "INTERAKT_"

REFUSED = ("yes", "resend", "same_account", "query", "where")
"""Options of one load: a variable that was left behind would send rows again, or others than those that are meant."""

COMMAND_LINE = (
    "as",
    "mapping",
    "preset",
    "event",
    "trait",
    "map",
    "sandbox",
    "api_key_file",
    "ask_key",
    "old_api_key_file",
    "no_ledger",
    "since",
    "output",
    "quiet",
    "debug",
)
"""Options of the command line only, which reads their variables itself. Tests compare them with the flags."""

ACCOUNT = ("api_key", "base_url")
"""The only options that `track`, and tasks of Airflow, take from the environment."""

MOST_LETTERS = 2
"""A variable that differs from an option's by so many letters is a mistake."""


def variable_of(name: str) -> str:
    """Return the variable of an option, whether the environment may set it or not."""
    return PREFIX + name.upper()


def check_variables(variables: Sequence[str], options: Iterable[str]) -> None:
    """Refuse variables that look like options, but would set nothing.

    `variables` are the names of those that are set. `options` are those of a load that the environment may set. Raises
    `SettingsError`.
    """
    for name in REFUSED:
        if variable_of(name) in variables:
            raise SettingsError(
                f"{variable_of(name)}: the environment cannot set this option; unset the variable, and give "
                f"{option(name)} where it is meant"
            )
    known = {variable_of(name): _most_letters(name) for name in (*options, *COMMAND_LINE)}
    for variable in sorted(variables):
        if variable not in known and _has_the_prefix(variable):
            found = ((letters_apart(variable, one, most), one) for one, most in known.items())
            near = min(((apart, one) for apart, one in found if apart is not None), default=None)
            if near is not None:
                raise SettingsError(f"there is no variable {variable}; did you mean {near[1]}?")


def _most_letters(name: str) -> int:
    # of two or three letters another word is left, which means something else
    return min(MOST_LETTERS, len(name) // 2)


def _has_the_prefix(variable: str) -> bool:
    """Tell whether a variable may be near one of ours, by its beginning; most are not, and this is fast."""
    if len(set(PREFIX) - set(variable[: len(PREFIX) + MOST_LETTERS])) > MOST_LETTERS:
        return False
    lengths = range(len(PREFIX) - MOST_LETTERS, len(PREFIX) + MOST_LETTERS + 1)
    return any(letters_apart(variable[:length], PREFIX, MOST_LETTERS) is not None for length in lengths)


def letters_apart(one: str, other: str, most: int) -> int | None:
    """Return how many letters to add, leave out or replace make one word of the other; None if more than `most`."""
    if abs(len(one) - len(other)) > most:
        return None
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        above, row = row, [at]
        for to, wanted in enumerate(other, 1):
            row.append(min(above[to] + 1, row[to - 1] + 1, above[to - 1] + (letter != wanted)))
    return row[-1] if row[-1] <= most else None
