"""Whether two definitions mean the same to PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Table

from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm, ConstraintForm, Forms, IndexForm
from alembic_pgpatterns.autogenerate.compare.scratch import print_texts, same_value
from alembic_pgpatterns.operations.support.template import Name
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.parser import postgast
from alembic_pgpatterns.schema.sql.printed import one_spelling

_NAME = "pgpatterns_compared"


@dataclass(frozen=True, slots=True)
class Sameness:
    """Compares definitions of one table.

    If two texts differ, PostgreSQL prints both again, on a table like the real one and on one like the declared one.
    What it prints for ``varchar IN (...)`` it prints differently after a dump and a restore, and a CHECK on a column
    looks different after the column's type has changed; both count as the same.
    """

    connection: Connection
    declared: Table
    real: Name

    def constraints(self, expected: ConstraintForm, actual: ConstraintForm) -> bool:
        """Whether two constraints are the same, apart from their names."""
        if one_spelling(expected.definition) == one_spelling(actual.definition):
            return True
        pieces = [f"ALTER TABLE {{table}} ADD CONSTRAINT {_NAME} {item.definition}" for item in (expected, actual)]
        return expected.kind == actual.kind and self._printed_alike(
            pieces, lambda forms: forms.constraints[_NAME].definition
        )

    def indexes(self, expected: IndexForm, actual: IndexForm) -> bool:
        """Whether two indexes are the same, apart from their names."""
        if expected.unique != actual.unique:
            return False
        if one_spelling(expected.definition) == one_spelling(actual.definition):
            return True
        pieces = [f"CREATE INDEX {_NAME} ON {{table}} USING {item.definition}" for item in (expected, actual)]
        return self._printed_alike(pieces, lambda forms: forms.indexes[_NAME].definition)

    def defaults(self, column: ColumnForm, expected: str, actual: str) -> bool:
        """Whether two defaults of a column are the same."""
        name = quote(column.name)
        pieces = [f"ALTER TABLE {{table}} ALTER COLUMN {name} SET DEFAULT {value}" for value in (expected, actual)]
        if expected == actual or self._printed_alike(pieces, lambda forms: str(forms.columns[column.name].default)):
            return True
        # 7 and '7'::bigint are the same literal. ARRAY[]::text[] is another expression than '{}'::text[], which
        # create_all() would not give.
        if not (is_literal(expected) and is_literal(actual)):
            return False
        return same_value(self.connection, expected, actual)

    def expressions(self, column: ColumnForm, expected: str, actual: str) -> bool:
        """Whether two expressions of a generated column are the same."""
        pieces = [
            f"ALTER TABLE {{table}} ADD COLUMN {_NAME} {column.type} GENERATED ALWAYS AS ({value}) STORED"
            for value in (expected, actual)
        ]
        if one_spelling(expected) == one_spelling(actual):
            return True
        return self._printed_alike(pieces, lambda forms: str(forms.columns[_NAME].default))

    def _printed_alike(self, pieces: list[str], part: Callable[[Forms], str]) -> bool:
        for like in (self.real, self.declared):
            first, second = print_texts(self.connection, like, pieces)
            if first is not None and second is not None and part(first) == part(second):
                return True
        return False


def is_literal(expression: str) -> bool:
    """Whether an expression is one literal, maybe with casts."""
    try:
        node = postgast.parse(f"SELECT {expression}").stmts[0].stmt.select_stmt.target_list[0].res_target.val
    except (postgast.PgQueryError, IndexError):
        return False
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return str(node.WhichOneof("node")) == "a_const"


def is_constant(expression: str) -> bool:
    """Whether an expression calls nothing and uses no column."""
    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        return False
    pb = postgast.pg_query_pb2
    kinds = (pb.FuncCall, pb.SQLValueFunction, pb.ColumnRef, pb.SubLink)
    return not any(True for kind in kinds for _ in postgast.find_nodes(tree, kind))
