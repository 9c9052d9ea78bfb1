"""How a file of models writes the types of SQLAlchemy. Imported only if LibCST is needed."""

from __future__ import annotations

import libcst as cst
from libcst.helpers import get_full_name_for_node

from alembic_pgpatterns.fix.model_syntax import is_from

WITHOUT_TYPES = ("sqlalchemy.orm", "sqlalchemy.dialects.postgresql", "sqlmodel.sql.sqltypes")
"""Modules with functions or types of their own, but without those that are written here (SQLAlchemy 2.0)."""


class TypeWriter:
    """Writes types as the file does: ``Text`` with an import, or ``sa.Text``.

    Args:
        needed: gets the names to import from sqlalchemy.
        replaced: gets the names whose import may be unused now.
    """

    def __init__(self, needed: set[str], replaced: set[str]) -> None:
        self._needed = needed
        self._replaced = replaced
        self._module: str | None = None
        self._has_names = False
        self._without_types = set(WITHOUT_TYPES)

    def see_import(self, node: cst.Import) -> None:
        """``import sqlalchemy as sa``."""
        for alias in node.names:
            package = get_full_name_for_node(alias.name)
            short = alias.evaluated_alias
            if package == "sqlalchemy":
                self._module = short or "sqlalchemy"
            elif package in WITHOUT_TYPES and short is not None:
                self._without_types.add(short)

    def see_import_from(self, node: cst.ImportFrom) -> None:
        """``from sqlalchemy import orm``, or ``from sqlalchemy import Text``."""
        if node.module is None or isinstance(node.names, cst.ImportStar):
            return
        for alias in node.names:
            if f"{get_full_name_for_node(node.module)}.{alias.evaluated_name}" in WITHOUT_TYPES:
                self._without_types.add(alias.evaluated_alias or alias.evaluated_name)
            elif is_from(node, "sqlalchemy"):
                self._has_names = True

    def in_place_of(self, kind: cst.BaseExpression, expression: str, named: str) -> cst.BaseExpression:
        """``sa.Text`` if the old type is written ``sa.String``, else ``Text`` with an import.

        Args:
            kind: the old type, without its arguments.
            expression: the new type.
            named: the name of the old type.
        """
        new = cst.parse_expression(expression)
        bare = new.func if isinstance(new, cst.Call) else new
        assert isinstance(bare, cst.Name)
        if isinstance(kind, cst.Attribute):
            return self.beside(kind, expression)
        self._needed.add(bare.value)
        if named != bare.value:
            self._replaced.add(named)
        return new

    def beside(self, function: cst.BaseExpression, expression: str) -> cst.BaseExpression:
        """The type from the module of a function or of another type: ``db.Text`` in ``db.mapped_column()``.

        Where it has none or no such type, as in ``orm.mapped_column()``, it is written as the file writes others.
        """
        new = cst.parse_expression(expression)
        bare = new.func if isinstance(new, cst.Call) else new
        assert isinstance(bare, cst.Name)
        if isinstance(function, cst.Attribute) and get_full_name_for_node(function.value) not in self._without_types:
            return self._of(function.value, new, bare)
        if self._module is not None and not self._has_names:
            return self._of(cst.Name(self._module), new, bare)
        self._needed.add(bare.value)
        return new

    @staticmethod
    def _of(module: cst.BaseExpression, new: cst.BaseExpression, bare: cst.Name) -> cst.BaseExpression:
        qualified = cst.Attribute(module, bare)
        return new.with_changes(func=qualified) if isinstance(new, cst.Call) else qualified
