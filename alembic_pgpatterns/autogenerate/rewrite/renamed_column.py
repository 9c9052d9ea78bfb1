"""SQL that PostgreSQL prints, with one of its columns renamed in the parse tree."""

from __future__ import annotations

from typing import Any, NamedTuple

from alembic_pgpatterns.schema.names import quote


class NotRenamedError(Exception):
    """The column cannot be renamed in a definition: it is not understood, or it names the row as a whole."""


class Renamed(NamedTuple):
    """A column with another name, and where a constraint has it."""

    old: str
    new: str
    on_table: bool = True
    """It is a column of the table that has the constraint."""
    referenced: bool = False
    """It is a column that a foreign key references."""


def index_statement(
    definition: str, schema: str | None, name: str, column: Renamed, tablespace: str | None = None
) -> str:
    """Return ``CREATE INDEX CONCURRENTLY`` for a copy of an index in which one column has another name.

    Args:
        definition: what pg_get_indexdef() prints.
        schema: of the table as the revision writes it; None for the default one.
        name: the name of the new index.
        column: what to rename.
        tablespace: where it is, which the definition does not say; None: the database's default.

    Raises:
        NotRenamedError: the parser does not know the definition.
    """
    tree = _parsed(definition)
    index = tree.stmts[0].stmt.index_stmt
    index.idxname, index.concurrent = name, True
    index.relation.schemaname = schema or ""
    index.table_space = tablespace or ""
    for element in (*index.index_params, *index.index_including_params):
        if element.index_elem.name == column.old:
            element.index_elem.name = column.new
    _rename_references(tree, (column.old,), (column.new,))
    return _deparsed(tree)


_PLACE = "pgpatterns_index ON pgpatterns_table"


def index_around_name(definition: str, column: Renamed, tablespace: str | None = None) -> tuple[str, str]:
    """Return what ``CREATE INDEX CONCURRENTLY`` says before the index's name, and after the table's.

    Args:
        definition: what pg_get_indexdef() prints.
        column: what to rename.
        tablespace: see `index_statement`.

    Raises:
        NotRenamedError: the parser does not know the definition.
    """
    tree = _parsed(definition)
    relation = tree.stmts[0].stmt.index_stmt.relation
    # The parent's definition says ON ONLY.
    relation.relname, relation.inh = "pgpatterns_table", True
    text = index_statement(_deparsed(tree), None, "pgpatterns_index", column, tablespace)
    before, place, after = text.partition(_PLACE)
    if not place:
        raise NotRenamedError
    return before, after


def constraint_statement(definition: str, table: str, name: str, column: Renamed) -> str:
    """Return ``ALTER TABLE … ADD CONSTRAINT … NOT VALID`` for a copy of a CHECK or a foreign key.

    Args:
        definition: what pg_get_constraintdef() prints.
        table: the quoted name of the table that has the constraint.
        name: the name of the new constraint.
        column: what to rename.

    Raises:
        NotRenamedError: the parser does not know the definition.
    """
    tree = _parsed(f"ALTER TABLE {table} ADD CONSTRAINT {quote(name)} {definition}")
    # The field of the parse tree is called "def", which is no name in Python.
    constraint = getattr(tree.stmts[0].stmt.alter_table_stmt.cmds[0].alter_table_cmd, "def").constraint
    constraint.skip_validation, constraint.initially_valid = True, False
    if column.on_table:
        _rename_references(tree, (column.old,), (column.new,))
        _rename_strings((*constraint.fk_attrs, *constraint.fk_del_set_cols), column.old, column.new)
    if column.referenced:
        _rename_strings(constraint.pk_attrs, column.old, column.new)
    return _deparsed(tree)


def statistics_statement(definition: str, schema: str, name: str, column: Renamed) -> str:
    """Return ``CREATE STATISTICS`` for a copy of an object in which one column has another name.

    Args:
        definition: what pg_get_statisticsobjdef() prints.
        schema: of the new object.
        name: of the new object.
        column: what to rename.

    Raises:
        NotRenamedError: the parser does not know the definition.
    """
    tree = _parsed(definition)
    statistics = tree.stmts[0].stmt.create_stats_stmt
    del statistics.defnames[:]
    for part in (schema, name):
        statistics.defnames.add().string.sval = part
    for element in statistics.exprs:
        if element.stats_elem.name == column.old:
            element.stats_elem.name = column.new
    _rename_references(tree, (column.old,), (column.new,))
    return _deparsed(tree)


def expression_with(expression: str, old: str, *new: str) -> str:
    """Return an expression in which a column has another name, such as ``NEW.c`` in a trigger.

    Raises:
        NotRenamedError: the parser does not know the expression.
    """
    tree = _parsed(f"SELECT {expression}")
    _rename_references(tree, (old,), new)
    return _deparsed(tree).removeprefix("SELECT ")


def reads_only(expression: str, column: str) -> bool:
    """Whether an expression can be read, and names one column and nothing else of a row."""
    from alembic_pgpatterns.schema.sql.parser import pg, postgast

    try:
        tree = _parsed(f"SELECT {expression}")
    except NotRenamedError:
        return False
    fields = [list(reference.fields) for reference in postgast.find_nodes(tree, pg.ColumnRef)]
    queries = list(postgast.find_nodes(tree, pg.SubLink))
    return not queries and all(len(parts) == 1 and parts[0].string.sval == column for parts in fields)


def _rename_references(tree: Any, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    from alembic_pgpatterns.schema.sql.parser import pg, postgast

    for reference in list(postgast.find_nodes(tree, pg.ColumnRef)):
        last = reference.fields[-1]
        if last.WhichOneof("node") != "string":
            raise NotRenamedError
        if last.string.sval == old[-1]:
            del reference.fields[:]
            for part in new:
                reference.fields.add().string.sval = part


def _rename_strings(items: Any, old: str, new: str) -> None:
    for item in items:
        if item.string.sval == old:
            item.string.sval = new


def _parsed(statement: str) -> Any:
    from alembic_pgpatterns.schema.sql.parser import postgast

    try:
        return postgast.parse(statement)
    except postgast.PgQueryError as error:
        raise NotRenamedError from error


def _deparsed(tree: Any) -> str:
    from alembic_pgpatterns.schema.sql.parser import postgast

    return str(postgast.deparse(tree))
