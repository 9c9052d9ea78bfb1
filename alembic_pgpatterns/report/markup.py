"""Elements of HTML and SVG from Python: every text is escaped, and there is no other way to make one."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

from alembic_pgpatterns.output.safe_text import inert

VOID = ("meta", "input")
"""Elements of HTML that have no end."""
CHILDLESS = ("path", "rect", "circle")
"""Elements of SVG that end themselves."""


class Markup(str):
    """Text that is HTML already. Only `tag` and `joined` make it from what others wrote."""

    __slots__ = ()


Child: TypeAlias = "str | int | Markup | Iterable[Child] | None"


def tag(element: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """One element.

    Args:
        element: its name.
        children: texts, which are escaped, elements, or lists of these; None is left out.
        attributes: by name: ``class_`` is ``class`` and ``data_name`` is ``data-name``. True is an attribute without a
            value; None and False are left out.
    """
    start = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if element in VOID:
        return Markup(f"<{element}{start}>")
    if element in CHILDLESS:
        return Markup(f"<{element}{start}/>")
    return Markup(f"<{element}{start}>{joined(*children)}</{element}>")


def joined(*children: Child) -> Markup:
    """Several things one after the other."""
    return Markup("".join(map(_child, children)))


def _attribute(name: str, value: str | int | float | bool) -> str:
    if value is False:
        return ""
    spelled = name.rstrip("_").replace("_", "-")
    return f" {spelled}" if value is True else f' {spelled}="{html.escape(inert(str(value)))}"'


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return str(child)
    if isinstance(child, (str, int)):
        return html.escape(inert(str(child)), quote=False)
    return joined(*child)
