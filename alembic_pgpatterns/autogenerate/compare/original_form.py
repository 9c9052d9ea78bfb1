"""The SQL that makes PostgreSQL print exactly what it prints of an existing CHECK.

``varchar IN ('a', 'b')`` is printed as ``= ANY ((ARRAY[...])::text[])``, and that text, read again, is printed in yet
another way. A downgrade that executes the printed text would restore an equal CHECK that looks different.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from alembic_pgpatterns.autogenerate.compare.forms import ConstraintForm, Forms
from alembic_pgpatterns.autogenerate.compare.scratch import print_texts
from alembic_pgpatterns.autogenerate.rewrite.in_lists import with_in_lists
from alembic_pgpatterns.operations.support.template import Name


def with_sources(connection: Connection, table: Name, forms: Forms) -> Forms:
    """The forms of a table, with the SQL that restores each CHECK exactly."""
    constraints = {
        name: _with_source(connection, table, form) if form.kind == "c" else form
        for name, form in forms.constraints.items()
    }
    return replace(forms, constraints=constraints)


def _with_source(connection: Connection, table: Name, form: ConstraintForm) -> ConstraintForm:
    if "ANY (" not in form.definition and "ALL (" not in form.definition:
        return form
    expression = with_in_lists(form.definition.removeprefix("CHECK (").removesuffix(")"))
    if expression is None:
        return form
    source, probe = f"CHECK ({expression})", "pgpatterns_compared"
    printed = print_texts(connection, table, [f"ALTER TABLE {{table}} ADD CONSTRAINT {probe} {source}"])[0]
    is_equal = printed is not None and printed.constraints[probe].definition == form.definition
    return replace(form, source=source) if is_equal else form
