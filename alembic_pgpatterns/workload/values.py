"""Values of parameters as JSON, and which of them a file may contain."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import uuid
from collections.abc import Mapping
from typing import Any

LEVELS = ("all", "safe", "none")
LONGEST = 2000
"""The most characters of a stored text. Longer texts are documents, which do not affect the choice of an index."""


class _Withheld:
    """Replaces a value that is not stored."""


WITHHELD = _Withheld()


def plain(value: Any, level: str = "all") -> object:
    """A value for a JSON file; WITHHELD if the level does not allow it, or if JSON cannot represent it.

    ``safe`` keeps numbers, booleans, times and members of enumerations, and no other text, which may be personal data.
    """
    if level == "none":
        return WITHHELD
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, decimal.Decimal | datetime.datetime | datetime.date | datetime.time):
        return str(value)
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds()} seconds"
    if isinstance(value, enum.Enum):
        return str(value.value) if isinstance(value.value, str) else value.name
    if isinstance(value, list | tuple | set | frozenset):
        items = [plain(item, level) for item in value]
        return WITHHELD if WITHHELD in items else items
    return _text(value) if level == "all" else WITHHELD


def _text(value: Any) -> object:
    if isinstance(value, str):
        return value if len(value) <= LONGEST else WITHHELD
    if isinstance(value, uuid.UUID):
        return str(value)
    document = getattr(value, "obj", value)  # psycopg's Json and Jsonb wrap what they carry
    if isinstance(document, Mapping) or document is not value:
        return _json(document)
    return WITHHELD if isinstance(value, bytes | bytearray | memoryview) else str(value)[:LONGEST]


def _json(document: Any) -> object:
    try:
        text = json.dumps(document)
    except (TypeError, ValueError):
        return WITHHELD
    return text if len(text) <= LONGEST else WITHHELD
