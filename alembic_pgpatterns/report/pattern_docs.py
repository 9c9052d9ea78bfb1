"""What a pattern says of itself in its docstring."""

from __future__ import annotations

import inspect

from alembic_pgpatterns.patterns import Pattern


def title(cls: type[Pattern]) -> str:
    """The first line of a pattern's docstring: what it is."""
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]
