"""HTML for the notebook and for the page of a load: one environment, in which all values are escaped.

- `notebook.html`: the frame and the table of what a notebook shows.
- `card.html`: a result. `proposal.html`: a proposed mapping.
- `page.html`, with `page.css` and `page.js`: the page of a load. `load.html`: its sections. `chart.html`: one of its
  charts.
- `project.html`: the page of several loads.
"""

from __future__ import annotations

import importlib.resources
from functools import cache
from typing import TYPE_CHECKING, Any

from interakt_loader.privacy.text import number_of, printable_lines

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def render(template: str, **values: Any) -> str:
    """Return a template with these values. Characters that a browser obeys are escaped, and invisible ones shown."""
    return environment().get_template(template).render(values)


def asset(name: str) -> Markup:
    """Return a file of this folder as it is: it is markup of our own."""
    from markupsafe import Markup

    return Markup((importlib.resources.files(__name__) / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


@cache
def environment() -> Environment:
    """Return what all templates are rendered in."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        autoescape=True,
        finalize=_printable,
        loader=PackageLoader("interakt_loader", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"number": "{:,}".format, "number_of": number_of}
    return made


def _printable(value: Any) -> Any:
    """Return a value as text that can be shown; what is markup by now has been through this."""
    return value if hasattr(value, "__html__") else printable_lines(str(value))
