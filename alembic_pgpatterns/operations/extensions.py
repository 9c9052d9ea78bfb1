"""Extensions of a database."""

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
        extension: its name in ``CREATE EXTENSION``.
        schema: the schema for its objects, which must exist. None: PostgreSQL chooses.
        version: its version; None is the server's default version.
        cascade: whether to create the extensions that it needs too.
        if_not_exists: no error if it exists already, in whatever schema and version.

    Lock: none on tables. The role needs CREATE on the database; for an extension that is not trusted it must be a
    superuser.
    Errors: the server's if the extension is not installed on the server's machine.
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
        if_exists: no error if it does not exist.
        cascade: whether to drop what uses it too, also columns of its types.
        schema: its schema, for the downgrade.
        version: its version, for the downgrade.

    Lock: ACCESS EXCLUSIVE on the extension's own tables and, with *cascade*, on tables that lose a column.
    Errors: the server's if objects still use it.
    Reversible: yes, by ``op.create_extension``; what *cascade* dropped is not restored.
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
        schema: the new schema, which must exist.
        previous: the old schema, for the downgrade.

    Lock: none on the application's tables. The role must own the extension.
    Errors: the server's if the extension cannot be moved (it is not "relocatable").
    Reversible: yes, if *previous* is given. Offline: the same statement.
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
        """Move it back to the previous schema.

        Raises:
            PgPatternsError: the previous schema was not given.
        """
        if self.previous is None:
            raise errors.PgPatternsError(f"extension {self.extension!r}: its old schema is not known; give previous=")
        return SetExtensionSchemaOp(self.extension, self.previous, previous=self.schema)


_EXTENSIONS = """
    SELECT e.extname, n.nspname FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
"""


def compare_extensions(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> PriorityDispatchResult:
    """Create declared extensions that are missing, and move those in another schema. None is dropped."""
    from alembic_pgpatterns.declare import Extension
    from alembic_pgpatterns.operations.support import comparing

    declared = comparing.declared_on_metadata(context, Extension)
    if declared:
        existing = {row.extname: row.nspname for row in comparing.fetch(context, _EXTENSIONS)}
        # at the start, and in the declared order: the tables of this revision may use them
        for position, operation in enumerate(_missing(declared, existing)):
            comparing.log.info("Detected %s %r", operation.name.replace("_", " "), operation.extension)
            upgrade_ops.ops.insert(position, operation)
    return PriorityDispatchResult.CONTINUE


def _missing(declared: list[Extension], existing: dict[str, str]) -> list[CreateExtensionOp | SetExtensionSchemaOp]:
    operations: list[CreateExtensionOp | SetExtensionSchemaOp] = []
    for extension in {item.name: item for item in declared}.values():
        schema = existing.get(extension.name)
        if schema is None:
            operations.append(CreateExtensionOp(extension.name, schema=extension.schema))
        elif extension.schema is not None and extension.schema != schema:
            operations.append(SetExtensionSchemaOp(extension.name, extension.schema, previous=schema))
    return operations


register(CreateExtensionOp, DropExtensionOp, SetExtensionSchemaOp)
