"""The other objects in the frozen model: views, sequences, functions, privileges, extensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alembic_pgpatterns.schema.names import Name, quote
from alembic_pgpatterns.schema.origin import NO_ORIGIN, Origin


@dataclass(frozen=True, slots=True)
class View:
    """A plain view. ``reads``: (relation, column) pairs that its query depends on; column None for the whole row."""

    name: Name
    definition: str
    owner: str
    security_invoker: bool
    security_barrier: bool
    reads: frozenset[tuple[Name, str | None]]
    materialized: bool = False
    origin: Origin = NO_ORIGIN

    @property
    def table(self) -> Name:
        """Its own name."""
        return self.name

    @property
    def identifier(self) -> str:
        """``schema.view``."""
        return str(self.name)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence. ``owned_by``: (table, column); ``used_by``: columns whose default calls nextval on it.

    ``internal``: it belongs to an identity column. ``last_value``: None if it was never used or cannot be read.
    """

    name: Name
    type: str
    start: int
    minimum: int
    maximum: int
    increment: int
    cycle: bool
    internal: bool = False
    owned_by: tuple[Name, str] | None = None
    used_by: frozenset[tuple[Name, str]] = frozenset()
    last_value: int | None = None
    origin: Origin = NO_ORIGIN

    @property
    def table(self) -> Name:
        """The table that owns it, else its own name."""
        return self.owned_by[0] if self.owned_by else self.name

    @property
    def identifier(self) -> str:
        """``schema.sequence``."""
        return str(self.name)


@dataclass(frozen=True, slots=True)
class Function:
    """A function or procedure. ``kind``: 'f', 'p', 'a', 'w' (pg_proc.prokind); ``config``: proconfig.

    ``standard_body``: an SQL-standard body (BEGIN ATOMIC, RETURN), whose names are resolved when it is created.
    """

    name: Name
    arguments: str
    kind: str
    language: str
    volatility: Literal["immutable", "stable", "volatile"]
    security_definer: bool
    config: tuple[str, ...]
    standard_body: bool
    owner: str
    origin: Origin = NO_ORIGIN

    @property
    def table(self) -> Name:
        """Its own name."""
        return self.name

    @property
    def identifier(self) -> str:
        """``schema.function(argument types)``."""
        return f"{self.name}({self.arguments})"


GrantTarget = Literal["table", "sequence", "schema", "function", "type", "database"]


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege from an ACL, of a role other than the owner. ``grantee``: a role, or 'PUBLIC'.

    ``name`` is (schema, schema) for a schema and ('', database) for a database. ``column``: only for column privileges.
    ``arguments``: the argument types, only for functions. PostgreSQL's default privileges for PUBLIC are included for
    functions (EXECUTE) and the database; for other objects a NULL ACL grants nothing that matters here.
    """

    grantee: str
    privilege: str
    target: GrantTarget
    name: Name
    grantor: str
    grantable: bool
    column: str | None = None
    arguments: str | None = None


@dataclass(frozen=True, slots=True)
class DefaultPrivilege:
    """One privilege from pg_default_acl; ``schema`` is None if it applies to all schemas."""

    owner: str
    schema: str | None
    target: GrantTarget
    grantee: str
    privilege: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """A schema in PostgreSQL's sense (pg_namespace). Its privileges are in ``Schema.grants``."""

    name: str
    owner: str
    origin: Origin = NO_ORIGIN

    @property
    def table(self) -> None:
        """A namespace belongs to no table."""
        return None

    @property
    def identifier(self) -> str:
        """Its name, quoted where needed."""
        return quote(self.name)


STAND_IN = "stand-in"
"""The version of extensions that the throw-away server has without their functions (server/share/extension)."""


@dataclass(frozen=True, slots=True)
class Extension:
    """An installed extension."""

    name: str
    schema: str
    version: str
    relocatable: bool
    origin: Origin = NO_ORIGIN

    @property
    def is_stand_in(self) -> bool:
        """Whether the throw-away server lacks it, and has what its types and functions need in order to be named."""
        return self.version == STAND_IN

    @property
    def table(self) -> None:
        """An extension belongs to no table."""
        return None

    @property
    def identifier(self) -> str:
        """Its name, quoted where needed."""
        return quote(self.name)


@dataclass(frozen=True, slots=True)
class ModelMetaData:
    """One MetaData of the application: whether it has a naming convention, and for which kinds of keys.

    ``check_template``: the convention for CHECK constraints, such as ``ck_%(table_name)s_%(constraint_name)s``.
    ``index_template``: that for indexes, None if it is not a text.
    ``by_plugin``: autogenerate writes its revisions with this package's plugin.
    ``databases``: others that the models are made for, such as ``mysql``.
    """

    label: str
    convention: frozenset[str]
    unnamed_constraints: int
    origin: Origin = NO_ORIGIN
    check_template: str | None = None
    index_template: str | None = "ix_%(column_0_label)s"
    by_plugin: bool = False
    databases: frozenset[str] = frozenset()

    @property
    def table(self) -> None:
        """A MetaData belongs to no table."""
        return None

    @property
    def identifier(self) -> str:
        """``MetaData`` and its label."""
        return self.label


@dataclass(frozen=True, slots=True)
class Relationship:
    """A mapped relationship, read from a configured registry.

    ``cascade``: SQLAlchemy's cascade options. ``columns``: of the child's foreign key. ``many_to_one``: it leads from
    the child to the parent, so its cascade does not concern the deletion of parents. ``view_only``: it never writes.
    ``eager``: whoever loads the parent loads the children, too.
    """

    model: str
    name: str
    parent: Name
    child: Name
    columns: tuple[str, ...]
    cascade: frozenset[str]
    passive_deletes: bool | str
    many_to_one: bool = False
    view_only: bool = False
    eager: bool = False
    origin: Origin = NO_ORIGIN

    @property
    def table(self) -> Name:
        """The child table, whose foreign key carries the ON DELETE."""
        return self.child

    @property
    def identifier(self) -> str:
        """``Model.relationship``."""
        return f"{self.model}.{self.name}"
