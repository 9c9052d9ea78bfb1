"""The program that runs: what its messages tell people to type."""

from __future__ import annotations

import re

_COMMAND = re.compile(r"\balembic(?= (?:-c \S+ )?pg[a-z]+\b)")
_STOCK = re.compile(r"\balembic(?= (?:upgrade|downgrade|revision|stamp|merge|current|history) )")
_IN_FLASK = "flask db"
"""The group in which Flask-Migrate has Alembic's own commands."""
_name = "alembic"


def set_program(name: str) -> None:
    """Note which program runs our commands: ``flask``, for example."""
    global _name
    _name = name


def is_program(name: str) -> bool:
    """Whether this program runs our commands."""
    return _name == name


def typed(text: str) -> str:
    """A message with our commands as they are typed here.

    Args:
        text: that names them as commands of ``alembic``.
    """
    if _name == "alembic":
        return text
    return _COMMAND.sub(_name, _STOCK.sub(_IN_FLASK, text) if _name == "flask" else text)
