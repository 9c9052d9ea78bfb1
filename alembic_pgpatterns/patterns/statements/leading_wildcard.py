from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.patterns.statements._places import at_usage, shown, usages
from alembic_pgpatterns.patterns.statements._trees import all_of, column_of, compared, known_values, table_of, unwrapped
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Recorded, Workload

# In the tree LIKE is the operator ~~, and ILIKE is ~~* (docs, "LIKE").
LIKE = ("~~", "~~*", "!~~", "!~~*")


class LeadingWildcard(StatementPattern):
    """A LIKE search whose pattern begins with %, for which an ordinary index cannot be used.

    An ordinary index helps only where the beginning of the text is known. For '%word%' PostgreSQL reads the whole
    table, unless there is a trigram index (extension pg_trgm) or a full-text search.

    It counts where a recorded value, or the statement itself, has a pattern that begins with a wildcard.
    """

    severity = Severity.INFO
    not_when = "The table stays small."
    references = ("https://www.postgresql.org/docs/current/pgtrgm.html",)
    bad = """
        def run(session):
            session.scalars(select(Author).where(Author.name.ilike("%mit%"))).all()
    """
    good = """
        def run(session):
            session.scalars(select(Author).where(Author.name.like("smi%"))).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """LIKE and ILIKE with a pattern that begins with a wildcard, on columns without a trigram index."""
        seen: set[str] = set()
        for statement, usage in usages(workload):
            name = _searched(statement, schema)
            if name is None:
                continue
            problem = f"{name} is searched for text in its middle, which reads the whole table"
            finding = at_usage(self, name, usage, f"{problem}: {shown(statement)}", _instead(name))
            # A search with optional conditions sends many statements from one place.
            if finding.fingerprint not in seen:
                seen.add(finding.fingerprint)
                yield finding


def _searched(statement: Recorded, schema: Schema | None) -> str | None:
    """The first column that is searched so, if there is one without a cast: what is cast may be a number."""
    cast = None
    for left, operator, right in compared(statement):
        column = column_of(unwrapped(left))
        if operator not in LIKE or column is None or _has_trigrams(statement, column, schema):
            continue
        if any(str(value).startswith(("%", "_")) for value in _patterns(statement, right)):
            if column_of(left) is not None:
                return column[1]
            cast = cast or column[1]
    return cast


def _patterns(statement: Recorded, node: pg.Node) -> list[object]:
    """The pattern's value, or where it is put together with || its first part."""
    inner = unwrapped(node)
    if inner.WhichOneof("node") == "a_expr" and inner.a_expr.name[-1].string.sval == "||":
        constants = all_of(inner, pg.A_Const)
        first = constants[0].sval.sval if constants else ""
        begins = unwrapped(_first(inner)).WhichOneof("node") == "a_const"
        return [first] if begins else []
    return known_values(statement, inner)


def _first(node: pg.Node) -> pg.Node:
    while node.WhichOneof("node") == "a_expr":
        node = node.a_expr.lexpr
    return node


def _has_trigrams(statement: Recorded, column: tuple[str | None, str], schema: Schema | None) -> bool:
    table = table_of(statement, column[0], schema)
    keys = (key for index in (table.indexes if table is not None else ()) for key in index.keys)
    return any(key.column == column[1] and "trgm" in str(key.opclass) for key in keys)


def _instead(column: str) -> str:
    return (
        f"A trigram index serves it: CREATE EXTENSION pg_trgm, and Index(..., {column!r}, postgresql_using='gin', "
        f"postgresql_ops={{{column!r}: 'gin_trgm_ops'}}). For words use a tsvector column."
    )
