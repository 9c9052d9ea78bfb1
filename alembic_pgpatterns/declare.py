"""Declarations in models for which SQLAlchemy has no construct: row security, policies, grants, extensions, storage.

Table constructs go into ``__table_args__`` (or ``Table.info["pgpatterns"]``, a list of them); constructs of
the whole database go onto the MetaData with `declare`. Autogenerate acts on what is declared, and on nothing
else: a table without declarations keeps whatever policies, grants and parameters it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import MetaData, Table
from sqlalchemy.schema import SchemaItem

from alembic_pgpatterns.errors import PgPatternsError

KEY = "pgpatterns"
"""The entry of ``Table.info`` and ``MetaData.info`` that holds declarations."""

COMMANDS = ("ALL", "SELECT", "INSERT", "UPDATE", "DELETE")


class _Items(tuple[Any, ...]):
    """Declarations inside an ``info``, which Alembic writes into ``op.create_table`` by its repr."""

    def __repr__(self) -> str:
        return "()"


class Declared(SchemaItem):
    """Something a table or a MetaData declares."""

    __visit_name__ = "pgpatterns_declared"

    def _set_parent(self, parent: Any, **kw: Any) -> None:
        if not isinstance(parent, Table):
            raise PgPatternsError(f"{self!r} belongs into the arguments of a Table, not of {parent!r}")
        _add(parent, self)


def declare(metadata: MetaData, *items: Declared) -> None:
    """Declare extensions, grants on schemas and the like, and default privileges on a MetaData.

    Args:
        metadata: the models' MetaData (with SQLModel, ``SQLModel.metadata``).
        items: `Extension`, `Grant` with ``on=``, `DefaultPrivileges`.
    """
    for item in items:
        _add(metadata, item)


def _add(owner: Table | MetaData, item: Declared) -> None:
    # a new value each time: to_metadata() shares it between the copies
    owner.info[KEY] = _Items((*declared(owner), item))


D = TypeVar("D", bound=Declared)


def declared(owner: Table | MetaData) -> tuple[Declared, ...]:
    """All declarations of *owner*."""
    value = owner.info.get(KEY, ())
    items = value if isinstance(value, list | tuple) else ()
    return tuple(item for item in items if isinstance(item, Declared))


def declared_of(owner: Table | MetaData, kind: type[D]) -> tuple[D, ...]:
    """The declarations of one kind."""
    return tuple(item for item in declared(owner) if isinstance(item, kind))


def _strings(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@dataclass(frozen=True)
class RowSecurity(Declared):
    """Row-level security of a table.

    Args:
        enabled: policies apply; without policies only the owner sees rows.
        force: they also apply to the table's owner, which is often the application's role.

    Source: PostgreSQL documentation, "Row Security Policies".
    """

    enabled: bool = True
    force: bool = False


@dataclass(frozen=True)
class Policy(Declared):
    """A policy of row-level security.

    Args:
        name: unique in its table.
        using: SQL that existing rows must satisfy; None for ``INSERT`` policies.
        with_check: SQL that new rows must satisfy; None means that *using* applies.
        command: ``ALL``, ``SELECT``, ``INSERT``, ``UPDATE`` or ``DELETE``.
        roles: those it applies to; ``public`` means all roles.
        permissive: policies are combined with OR; restrictive ones with AND.

    Raises:
        PgPatternsError: an unknown command.
    """

    name: str
    using: str | None = None
    with_check: str | None = None
    command: str = "ALL"
    roles: tuple[str, ...] | str = ("public",)
    permissive: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "command", self.command.upper())
        object.__setattr__(self, "roles", _strings(self.roles))
        if self.command not in COMMANDS:
            raise PgPatternsError(f"policy {self.name!r}: {self.command!r} is not one of {', '.join(COMMANDS)}")


@dataclass(frozen=True, init=False)
class StorageParameters(Declared):
    """Storage parameters of a table: fillfactor, autovacuum thresholds.

    Args:
        mapping: parameters whose names are not Python names: ``{"toast.autovacuum_enabled": False}``.
        parameters: all others: ``fillfactor=70, autovacuum_vacuum_scale_factor=0.02``.

    Source: PostgreSQL documentation, "CREATE TABLE", Storage Parameters.
    """

    parameters: tuple[tuple[str, str | int | float | bool], ...]

    def __init__(
        self, mapping: Mapping[str, str | int | float | bool] | None = None, **parameters: str | int | float | bool
    ) -> None:
        object.__setattr__(self, "parameters", tuple(sorted({**(mapping or {}), **parameters}.items())))


@dataclass(frozen=True)
class Grant(Declared):
    """The privileges of a role on an object: these, and no others.

    Args:
        privileges: ``"SELECT"`` or several; ``"ALL"``; an empty tuple revokes every privilege.
        to: the role, or several; ``public`` means all roles.
        on: the object's name; leave it out in ``__table_args__``, where it is the table.
        kind: ``table``, ``sequence``, ``schema``, ``database``, ``function`` or ``type``.
        schema: the object's schema; None is the default one.
        grant_option: the role may grant them to others.
    """

    privileges: tuple[str, ...] | str
    to: tuple[str, ...] | str
    on: str | None = None
    kind: str = "table"
    schema: str | None = None
    grant_option: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "privileges", tuple(p.upper() for p in _strings(self.privileges)))
        object.__setattr__(self, "to", _strings(self.to))


@dataclass(frozen=True)
class DefaultPrivileges(Declared):
    """The privileges of a role on objects that are created in the future.

    Args:
        privileges: as in `Grant`.
        on: ``tables``, ``sequences``, ``functions``, ``types`` or ``schemas``.
        to: the role, or several.
        schema: only in this schema; None for the whole database.
        creator: only on objects that this role creates; None is the role that runs the migration.
    """

    privileges: tuple[str, ...] | str
    on: str
    to: tuple[str, ...] | str
    schema: str | None = None
    creator: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "privileges", tuple(p.upper() for p in _strings(self.privileges)))
        object.__setattr__(self, "to", _strings(self.to))


@dataclass(frozen=True)
class Extension(Declared):
    """An extension that the database needs. It is not dropped if its declaration is removed.

    Args:
        name: as in ``CREATE EXTENSION``.
        schema: for its objects (it must exist); None means PostgreSQL's default.
    """

    name: str
    schema: str | None = None
