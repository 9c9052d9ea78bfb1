"""What every object of the frozen model may carry: what is not known of it, and where it is declared."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


class Unknown(enum.Enum):
    """The type of UNKNOWN. Its truth value is an error, so that nobody mistakes it for "no"."""

    UNKNOWN = "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("UNKNOWN is neither true nor false: compare with `is UNKNOWN` first")

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Location:
    """Where something is written: a file, as its loader names it, and a line counted from 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Origin:
    """What only the models know about an object: where it is declared, and what its ``info`` says.

    ``call``: the function that declares the column, as the source writes it: ``db.Column``, ``Field``. ``library``: a
    base class from an installed package declares it, so that no line of the project does.
    """

    location: Location | None = None
    ignored: frozenset[str] = frozenset()
    info: Mapping[str, object] = field(default_factory=dict, hash=False)
    call: str | None = field(default=None, compare=False)
    library: bool = field(default=False, compare=False)


NO_ORIGIN: Final = Origin()
