"""The only Jinja environment, and its filters.

Templates place; they do not decide. A literal ``{{`` of the target language never stands in a
template: ``{{1,2}}`` would silently render as ``(1, 2)``. Brace lists come from ``braces``.
"""

from __future__ import annotations

from functools import cache

import jinja2

from hwaccel import resources
from hwaccel.emit import literals


@cache
def environment() -> jinja2.Environment:
    """Return the environment; a misspelt variable in a template is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.templates()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(("html.j2",), default_for_string=False, default=False),
    )
    env.filters["braces"] = literals.braces
    env.filters["c_int"] = literals.c_int
    env.filters["comment"] = literals.comment
    return env


def render(template: str, **context: object) -> str:
    """Render ``template`` with the given variables."""
    return environment().get_template(template).render(**context)
