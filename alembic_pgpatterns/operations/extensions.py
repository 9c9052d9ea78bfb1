"""Extensions of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.util import PriorityDispatchResult

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register
from alembic_pgpatterns.operations.support.session import emit
from alembic_pgpatterns.operations.support.template import Name, Sql, Template, Value

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import Operations, ops

    from alembic_pgpatterns.declare import Extension


class CreateExtensionOp(Directive):
    """Create an extension.

    Args:
        extension: its name, as ``CREATE EXTENSION`` knows it.
        schema: where its objects go; the schema must exist. None is PostgreSQL's choice.
        version: a version of it; None is the server's default one.
        cascade: create the extensions it needs too.
        if_not_exists: no error where it is there already; then its schema and version are not looked at.

    Lock: none on tables. Needs CREATE on the database and, unless the extension is trusted, a superuser.
    Errors: the server's, where its files are not installed.
    Reversible: yes, by ``op.drop_extension``, which refuses while objects use it.
    Offline: the same statement.
    Source: PostgreSQL documentation, "CREATE EXTENSION".
    """

    name = "create_extension"

    def __init__(
        self,
        extension: str,
        *,
        schema: str | None = None,
        version: str | None = None,
        cascade: bool = False,
        if_not_exists: bool = True,
    ) -> None:
        self.extension = extension
        self.schema = schema
        self.version = version
        self.cascade = cascade
        self.if_not_exists = if_not_exists

    def run(self, operations: Operations) -> None:
        """CREATE EXTENSION."""
        emit(
            operations,
            "CREATE EXTENSION {check}{name}{schema}{version}{cascade}",
            check=Sql("IF NOT EXISTS " if self.if_not_exists else ""),
            name=Name(self.extension),
            schema=Template(" SCHEMA {name}", name=Name(self.schema)) if self.schema else Sql(""),
            version=Template(" VERSION {value}", value=Value(self.version)) if self.version else Sql(""),
            cascade=Sql(" CASCADE" if self.cascade else ""),
        )

    def reverse(self) -> DropExtensionOp:
        """Drop it."""
        return DropExtensionOp(self.extension, schema=self.schema, version=self.version)


class DropExtensionOp(Directive):
    """Drop an extension.

    Args:
        extension: its name.
        if_exists: no error where it is gone already.
        cascade: drop what uses it too, columns of its types included.
        schema: where it was, for the way back.
        version: which it was, for the way back.

    Lock: ACCESS EXCLUSIVE on its own tables and, with *cascade*, on those that lose something.
    Errors: the server's, where objects still use it.
    Reversible: yes, by ``op.create_extension``; what *cascade* dropped does not come back.
    Offline: the same statement.
    Source: PostgreSQL documentation, "DROP EXTENSION".
    """

    name = "drop_extension"

    def __init__(
        self,
        extension: str,
        *,
        if_exists: bool = True,
        cascade: bool = False,
        schema: str | None = None,
        version: str | None = None,
    ) -> None:
        self.extension = extension
        self.if_exists = if_exists
        self.cascade = cascade
        self.schema = schema
        self.version = version

    def run(self, operations: Operations) -> None:
        """DROP EXTENSION."""
        emit(
            operations,
            "DROP EXTENSION {check}{name}{cascade}",
            check=Sql("IF EXISTS " if self.if_exists else ""),
            name=Name(self.extension),
            cascade=Sql(" CASCADE" if self.cascade else ""),
        )

    def reverse(self) -> CreateExtensionOp:
        """Create it again."""
        return CreateExtensionOp(self.extension, schema=self.schema, version=self.version)


class SetExtensionSchemaOp(Directive):
    """Move the objects of an extension into another schema.

    Args:
        extension: its name.
        schema: the schema they go to; it must exist.
        previous: the schema they were in, for the way back.

    Lock: none on tables of yours. Needs to own the extension.
    Errors: the server's, where the extension cannot be moved (it is not "relocatable").
    Reversible: yes, where *previous* is given. Offline: the same statement.
    Source: PostgreSQL documentation, "ALTER EXTENSION".
    """

    name = "set_extension_schema"

    def __init__(self, extension: str, schema: str, *, previous: str | None = None) -> None:
        self.extension = extension
        self.schema = schema
        self.previous = previous

    def run(self, operations: Operations) -> None:
        """ALTER EXTENSION ... SET SCHEMA."""
        emit(
            operations,
            "ALTER EXTENSION {name} SET SCHEMA {schema}",
            name=Name(self.extension),
            schema=Name(self.schema),
        )

    def reverse(self) -> SetExtensionSchemaOp:
        """Back to where it was.

        Raises:
            PgPatternsError: that is not known.
        """
        if self.previous is None:
            raise errors.PgPatternsError(f"extension {self.extension!r}: where it was is not known; give previous=")
        return SetExtensionSchemaOp(self.extension, self.previous, previous=self.schema)


_EXTENSIONS = """
    SELECT e.extname, n.nspname FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
"""


def compare_extensions(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> PriorityDispatchResult:
    """Create declared extensions that are missing, move those that are elsewhere; drop none."""
    from alembic_pgpatterns.declare import Extension
    from alembic_pgpatterns.operations.support import comparing

    wanted = comparing.declared_on_metadata(context, Extension)
    if wanted:
        found = {row.extname: row.nspname for row in comparing.fetch(context, _EXTENSIONS)}
        # first, and in the order declared: the tables of this revision may use them
        for position, operation in enumerate(_missing(wanted, found)):
            comparing.log.info("Detected %s %r", operation.name.replace("_", " "), operation.extension)
            upgrade_ops.ops.insert(position, operation)
    return PriorityDispatchResult.CONTINUE


def _missing(wanted: list[Extension], found: dict[str, str]) -> list[CreateExtensionOp | SetExtensionSchemaOp]:
    operations: list[CreateExtensionOp | SetExtensionSchemaOp] = []
    for extension in {item.name: item for item in wanted}.values():
        there = found.get(extension.name)
        if there is None:
            operations.append(CreateExtensionOp(extension.name, schema=extension.schema))
        elif extension.schema is not None and extension.schema != there:
            operations.append(SetExtensionSchemaOp(extension.name, extension.schema, previous=there))
    return operations


register(CreateExtensionOp, DropExtensionOp, SetExtensionSchemaOp)
