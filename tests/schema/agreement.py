"""Do the two readers agree on what both know?

``disagreements`` compares the catalog's Schema of a database that ``create_all`` built with the metadata reader's
Schema of the same models. UNKNOWN on either side is no disagreement. What only one of them can know at all is not
compared: ONLY_DATABASE and ONLY_MODELS below. SQL expressions are compared only in that both have one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Any

from alembic_pgpatterns.schema.model import UNKNOWN, Check, DataType, Index, IndexKey, Key, Schema
from alembic_pgpatterns.schema.names import Name, truncate

ONLY_DATABASE = {
    "owner",
    "row_security",
    "force_row_security",
    "replica_identity",
    "statistics",
    "ready",
    "valid",
    "building",
    "clustered",
    "parent",
    "scans",
    "size",
    "inherited",
    "last_value",
    "table",
    "policies",
    "rules",
    "seeded",
}
ONLY_MODELS = {"origin", "python_default", "decorated", "decorator", "null_stated", "of_subclass"}
EXPRESSIONS = {"default", "expression", "predicate"}
UNORDERED = {"checks", "foreign_keys", "unique_constraints", "exclusions", "indexes"}


def disagreements(database: Schema, models: Schema) -> list[str]:
    """One line for each fact on which the two readers differ."""
    found = list(_by_key("table", database.tables, models.tables, lambda table: table.identifier))
    mine = {str(sequence.name) for sequence in models.sequences}
    sequences = [sequence for sequence in database.sequences if str(sequence.name) in mine]
    return found + list(_by_key("sequence", sequences, models.sequences, lambda sequence: str(sequence.name)))


def _by_key(at: str, database: Iterable[Any], models: Iterable[Any], key: Callable[[Any], Any]) -> Iterator[str]:
    mine, theirs = {key(item): item for item in models}, {key(item): item for item in database}
    for name in sorted({*mine, *theirs}, key=str):
        if name not in theirs:
            yield f"{at} {name}: only in the models"
        elif name not in mine:
            yield f"{at} {name}: only in the database"
        else:
            yield from _values(f"{at} {name}", theirs[name], mine[name])


def _values(at: str, database: Any, models: Any) -> Iterator[str]:
    for item in fields(database):
        if item.name in ONLY_DATABASE | ONLY_MODELS or item.name.startswith("_"):
            continue
        yield from _value(f"{at}.{item.name}", item.name, getattr(database, item.name), getattr(models, item.name))


def _value(at: str, name: str, database: Any, models: Any) -> Iterator[str]:
    if database is UNKNOWN or models is UNKNOWN:
        return
    if name == "key_opfamilies":
        # Those of extensions (pg_trgm has text's equality) only the database knows.
        database = tuple(frozenset(family for family in key if family.schema == "pg_catalog") for key in database)
    if name in EXPRESSIONS:
        if (database is None) != (models is None):
            yield f"{at}: database {database!r}, models {models!r}"
    elif name in UNORDERED:
        yield from _by_key(at, database, models, _identity)
    elif isinstance(database, DataType) and isinstance(models, DataType):
        yield from _types(at, database, models)
    elif isinstance(database, tuple) and database and isinstance(database[0], IndexKey):
        yield from _keys(at, database, models)
    elif name == "columns" and database and hasattr(database[0], "nullable"):
        if [column.name for column in database] != [truncate(column.name) for column in models]:
            yield f"{at}: other columns"
        yield from _by_key(at, database, models, lambda column: truncate(column.name))
    elif isinstance(database, (Key,)) and isinstance(models, Key):
        yield from _values(at, database, models)
    elif hasattr(database, "__dataclass_fields__") and hasattr(models, "__dataclass_fields__"):
        if isinstance(database, Name):
            if str(database) != str(models):
                yield f"{at}: database {database}, models {models}"
        else:
            yield from _values(at, database, models)
    elif name == "name" and (models is None or (isinstance(models, str) and truncate(models) == database)):
        return
    elif (name == "columns" and at.startswith("table") and ".checks" in at) or name == "options":
        if set(database) != set(models):
            yield f"{at}: database {database!r}, models {models!r}"
    elif database != models:
        yield f"{at}: database {database!r}, models {models!r}"


def _identity(item: Any) -> Any:
    """Names where both sides have one by construction; else what the object is about."""
    if isinstance(item, Index):
        return truncate(item.name.name)
    if isinstance(item, Check):
        return truncate(item.name) if item.name and not item.name.endswith(("_check", "check1")) else "unnamed"
    return item.identifier if not hasattr(item, "index") or hasattr(item, "columns") else item.index


def _types(at: str, database: DataType, models: DataType) -> Iterator[str]:
    if models.kind == "unknown":
        return
    for item in fields(DataType):
        if item.name in ONLY_MODELS:
            continue
        theirs, mine = getattr(database, item.name), getattr(models, item.name)
        if item.name == "labels" and models.decorated:
            # Enum(native_enum=False): a varchar to the database.
            continue
        if theirs != mine:
            yield f"{at}.{item.name}: database {theirs!r}, models {mine!r}"


def _keys(at: str, database: tuple[IndexKey, ...], models: tuple[IndexKey, ...]) -> Iterator[str]:
    if len(database) != len(models):
        yield f"{at}: database {len(database)}, models {len(models)} keys"
    for number, (theirs, mine) in enumerate(zip(database, models, strict=False)):
        yield from _values(f"{at}[{number}]", theirs, mine)
