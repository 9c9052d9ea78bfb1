"""Whole numbers: how far they count, what counts them up, and the way to a wider type."""

from __future__ import annotations

from dataclasses import replace

from alembic_pgpatterns.remedies.model import TypeChange
from alembic_pgpatterns.schema.model import Column, Name, Schema, Sequence

LARGEST = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}
"""The last number of each type (docs, "Integer Types"), narrowest type first."""

SPELLED = {"int2": "smallint", "int4": "integer", "int8": "bigint"}

_LARGEST_SPELLED = {SPELLED[name]: largest for name, largest in LARGEST.items()}

Feeding = dict[tuple[Name, str], Sequence]


def feeding_sequences(schema: Schema) -> Feeding:
    """Sequences by the columns whose default takes from them, or that own them as identity."""
    feeding: Feeding = {}
    for sequence in schema.sequences:
        feeding.update(dict.fromkeys(sequence.used_by, sequence))
        if sequence.internal and sequence.owned_by is not None:
            feeding[sequence.owned_by] = sequence
    return feeding


def widened(column: Column, target: str, feeding: Feeding) -> TypeChange | str | None:
    """The change of a column to the type ``target`` ("int8"); None where it is as wide, text where it cannot be.

    A ``serial`` column's sequence is of the column's old type and would end where that did: it changes too.
    """
    if column.type.name not in LARGEST:
        return f"its type is {column.type.display or 'not known'}"
    if LARGEST[column.type.name] >= LARGEST[target]:
        return None
    if column.type.decorated:
        return "its type is chosen by a TypeDecorator"
    change = TypeChange(column.table, column.name, column.type.display, SPELLED[target])
    sequence = feeding.get((column.table, column.name))
    # The sequence of an identity column changes with it; one of serial has to be told.
    if sequence is None or sequence.internal or _LARGEST_SPELLED.get(sequence.type, LARGEST[target]) >= LARGEST[target]:
        return change
    return replace(change, sequence=sequence.name)
