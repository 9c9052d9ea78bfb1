"""Digests of plain data and of files, with which the cache finds out whether anything changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from alembic_pgpatterns.output.files import read_regular


def digest(value: object) -> str:
    """The digest of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


def digest_of(path: Path) -> str:
    """The digest of a file's bytes. Raises OSError."""
    return hashlib.sha256(read_regular(path)).hexdigest()[:32]
