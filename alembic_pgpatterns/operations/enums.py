"""Values of enum types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, NothingToUndo, register
from alembic_pgpatterns.operations.support.session import emit, explained, outside_transaction
from alembic_pgpatterns.operations.support.template import Name, Sql, Template, Value

if TYPE_CHECKING:
    from alembic.operations import Operations


class AddEnumValueOp(Directive):
    """Add a value to an enum type. The next statement can use it already.

    Args:
        enum_name: the type.
        value: the new value.
        before: the existing value that it is put before; or
        after: the existing value that it is put after. With neither it comes last.
        if_not_exists: no error if the type has the value already, so that the revision can be run again.
        schema: the type's schema; None: PostgreSQL looks along the search path.

    Runs outside a transaction: inside one, PostgreSQL lets nobody use the value before the commit.

    Lock: none on tables.
    Errors: PgPatternsError if both *before* and *after* are given, if env.py holds a transaction of its own, or if
    the server refuses.
    Reversible: no, since PostgreSQL cannot remove a value from an enum. The downgrade leaves it, and the next upgrade
    skips it.
    Offline: COMMIT, ALTER TYPE, BEGIN.
    Source: PostgreSQL documentation, "ALTER TYPE".
    """

    name = "add_enum_value"

    def __init__(
        self,
        enum_name: str,
        value: str,
        *,
        before: str | None = None,
        after: str | None = None,
        if_not_exists: bool = True,
        schema: str | None = None,
    ) -> None:
        if before is not None and after is not None:
            raise errors.PgPatternsError(f"op.{self.name}({enum_name!r}, {value!r}): give before= or after=, not both")
        self.enum_name = enum_name
        self.value = value
        self.before = before
        self.after = after
        self.if_not_exists = if_not_exists
        self.schema = schema

    def run(self, operations: Operations) -> None:
        """ALTER TYPE ... ADD VALUE."""
        neighbour = self.before if self.before is not None else self.after
        words = Sql(" BEFORE " if self.before is not None else " AFTER ")
        place = Template("{words}{value}", words=words, value=Value(neighbour)) if neighbour is not None else Sql("")
        failure = f"value {self.value!r} could not be added to {self.enum_name}"
        # In a transaction the value exists at once, but nobody may use it before the commit (docs, ALTER TYPE,
        # "Notes").
        with outside_transaction(operations, self.name), explained(failure, "Remove the cause, then run it again"):
            emit(
                operations,
                "ALTER TYPE {type} ADD VALUE {check}{value}{place}",
                type=Name(self.schema, self.enum_name),
                check=Sql("IF NOT EXISTS " if self.if_not_exists else ""),
                value=Value(self.value),
                place=place,
            )

    def reverse(self) -> NothingToUndo:
        """Nothing: PostgreSQL cannot do it."""
        return NothingToUndo(f"PostgreSQL cannot remove a value from an enum; {self.value!r} stays")


register(AddEnumValueOp)
