"""Names for objects that remedies create."""

from __future__ import annotations

import hashlib

from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.names import MAX_IDENTIFIER_BYTES

HASH_LENGTH = 8


def fit(name: str) -> str:
    """The name in at most 63 bytes: a longer one is cut and ends with a hash of the whole name."""
    if len(name.encode()) <= MAX_IDENTIFIER_BYTES:
        return name
    tail = "_" + hashlib.sha256(name.encode()).hexdigest()[:HASH_LENGTH]
    start = name.encode()[: MAX_IDENTIFIER_BYTES - len(tail)].decode(errors="ignore")
    return start + tail


def index_name(index: CreateIndex) -> str:
    """The index's own name, or ``ix_<table>_<columns>`` (``uq_`` if unique), with the method unless it is btree."""
    if index.name is not None:
        return index.name
    columns = (key.column or "expr" for key in index.keys)
    prefix = "uq" if index.unique else "ix"
    suffix = () if index.method == "btree" else (index.method,)
    partial = ("partial",) if index.where else ()
    return fit("_".join((prefix, index.table.name, *columns, *partial, *suffix)))
