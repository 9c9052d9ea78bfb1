from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from alembic_pgpatterns.patterns import Action, Finding, Fold, Identified, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Check, Column, Exclusion, ForeignKey, Index, Key, Schema, Table
from alembic_pgpatterns.schema.sql.parser import COL_NAME_KEYWORD, NO_KEYWORD, UNRESERVED_KEYWORD, postgast

# As PostgreSQL's lexer has it (scan.l, ident_start and ident_cont): letters of other alphabets are letters, too.
_PLAIN = re.compile(r"[a-z_\x80-\U0010ffff][a-z0-9_$\x80-\U0010ffff]*")


class QuotedIdentifier(SchemaPattern):
    """A name that must always be written in double quotes, such as one with upper case letters.

    Quotes are needed for upper case letters, blanks, special characters and reserved words. PostgreSQL turns names
    without quotes into lower case: `SELECT * FROM Account` looks for `account` and does not find `"Account"`.
    SQLAlchemy writes the quotes for you; psql, reports, functions and other tools do not.

    Schemas, tables, columns, views, sequences, functions,
    constraints and indexes are checked. The name of a constraint or index alone is a guess, because queries do not
    write it; so is a reserved word, such as `user`, of a table that the models have, and any name of a table or column
    whose line in the models is known: SQLAlchemy writes the quotes, and other code has the name, too.

    Not reported: names made from a quoted table or column name, such as `"Account_pkey"` (the table is reported);
    indexes behind constraints, sequences behind columns; triggers.
    """

    severity = Severity.INFO
    fold = Fold.ALL
    action = Action.REPORT
    not_when = "Leave it if another system that cannot change decides the names."
    references = ("https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS",)
    bad = """
        CREATE TABLE "Account" (id bigint PRIMARY KEY, email text);
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Objects whose names need quotes."""
        for at, name in _named(schema):
            if needs_quotes(name):
                finding = self.finding(
                    at=at,
                    message=_message(name),
                    remedy=Advice(f"Rename it to {_suggestion(name)}, or keep writing the quotes."),
                    detail=f'"{name}"' if isinstance(at, Key | ForeignKey) else "",
                    cause=name,
                )
                of_constraint = isinstance(at, Key | ForeignKey | Check | Exclusion | Index)
                is_known = _is_declared(at) or (_is_word(name) and _is_modelled(schema, at))
                yield finding.but(guess=of_constraint or is_known)


def _is_word(name: str) -> bool:
    """Whether only that it is a reserved word makes it need quotes."""
    return _PLAIN.fullmatch(name) is not None and name == name.lower()


def _is_declared(at: Identified) -> bool:
    return isinstance(at, Table | Column) and at.origin.location is not None


def _is_modelled(schema: Schema, at: Identified) -> bool:
    table = at if isinstance(at, Table) else schema.table(at.table) if isinstance(at, Column) else None
    return table is not None and table.modelled


def _named(schema: Schema) -> Iterator[tuple[Identified, str]]:
    for namespace in schema.namespaces:
        yield namespace, namespace.name
    for table in schema.checked_tables():
        yield table, table.name.name
        for column in table.columns:
            yield column, column.name
        yield from _parts(table)
    for view in schema.views:
        yield view, view.name.name
    for sequence in schema.sequences:
        if sequence.owned_by is None and not sequence.internal:
            yield sequence, sequence.name.name
    for function in schema.functions:
        yield function, function.name.name


def _parts(table: Table) -> Iterator[tuple[Identified, str]]:
    """Constraints and indexes whose names do not come from a name that is reported already."""
    quoted = [name for name in (table.name.name, *(column.name for column in table.columns)) if needs_quotes(name)]
    keys = (table.primary_key,) if table.primary_key else ()
    constraints = (*keys, *table.unique_constraints, *table.foreign_keys, *table.checks, *table.exclusions)
    for constraint in constraints:
        if constraint.name and not any(name in constraint.name for name in quoted):
            yield constraint, constraint.name
    for index in table.indexes:
        if index.constraint is None and not any(name in index.name.name for name in quoted):
            yield index, index.name.name


def _message(name: str) -> str:
    return f'the name "{name}" must be written in quotes'


@lru_cache(maxsize=65536)
def needs_quotes(name: str) -> bool:
    """Whether a statement that names a column or table so fails without quotes (docs, "SQL Key Words").

    Words such as ``timestamp`` and ``values`` cannot name a function, but do name columns and tables.
    """
    # Upper case beyond A to Z stays as it is in UTF-8, and does not in encodings of one byte.
    return (
        _PLAIN.fullmatch(name) is None
        or name != name.lower()
        or _keyword(name) not in (NO_KEYWORD, UNRESERVED_KEYWORD, COL_NAME_KEYWORD)
    )


def _keyword(name: str) -> int:
    """The kind of keyword a name is (docs, "SQL Key Words")."""
    tokens = list(postgast.scan(name).tokens) if _PLAIN.fullmatch(name) else []
    return int(tokens[0].keyword_kind) if len(tokens) == 1 else int(NO_KEYWORD)


def _suggestion(name: str) -> str:
    plain = re.sub(r"[^\w]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")
    # A keyword needs a letter more, a name that starts with a digit one in front.
    return next(
        (form for form in (plain, f"{plain}_", f"_{plain}") if form.strip("_") and not needs_quotes(form)),
        "another name",
    )
