"""Why an edit could not be made in a file of models. Imported only if LibCST is needed."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst
from libcst import matchers

from alembic_pgpatterns.fix.model_edit import Edit
from alembic_pgpatterns.fix.model_syntax import (
    called_name,
    has_comment,
    is_column,
    is_field,
    keyword_of,
    table_names,
    target_name,
    text_of,
    types_of,
)


def why_missed(module: cst.Module, edit: Edit) -> str:
    """The reason, in words that can stand in brackets.

    Args:
        module: the file without any edit.
        edit: what could not be changed in it.
    """
    classes = [node for node in matchers.findall(module, matchers.ClassDef()) if isinstance(node, cst.ClassDef)]
    of_table = [node for node in classes if edit.table in table_names(node)]
    if edit.replaces or edit.keyword:
        others = [node for node in classes if node not in of_table]
        reasons = (_of_column(module, line, edit) for node in (*of_table, *others) for line in node.body.body)
        missing = f"no class of this file writes out the column {edit.column}"
        return next((reason for reason in reasons if reason is not None), missing)
    if edit.removes:
        return f"the index {edit.removes} is not written out in this file"
    if of_table:
        return f"__table_args__ of {of_table[0].name.value} is not a tuple that is written out, or shares its line"
    return f"this file has no class of the table {edit.table}"


def _of_column(module: cst.Module, line: cst.CSTNode, edit: Edit) -> str | None:
    """What is in the way at a line of a class, if that line declares the column."""
    if isinstance(line, cst.FunctionDef) and line.name.value == edit.column:
        return f"a function makes {edit.column} (declared_attr)"
    if not isinstance(line, cst.SimpleStatementLine):
        return None
    statement = next((item for item in line.body if edit.column in _names(item)), None)
    if statement is None:
        return None
    if len(line.body) > 1:
        return "several statements share its line"
    return _of_value(module, getattr(statement, "value", None))


def _names(statement: cst.BaseSmallStatement) -> Iterator[str | None]:
    """The column's possible names: the attribute, and the first argument."""
    if isinstance(statement, cst.Assign | cst.AnnAssign):
        yield target_name(statement)
        if isinstance(statement.value, cst.Call) and statement.value.args and not is_field(statement.value):
            yield text_of(statement.value.args[0].value)


def _of_value(module: cst.Module, value: cst.CSTNode | None) -> str:
    if not isinstance(value, cst.Call) or not (is_column(value) or is_field(value)):
        written = "" if value is None else f" but `{module.code_for_node(value)}`"
        return f"the column is not written with mapped_column(), Column() or Field(){written}"
    if any(keyword_of(argument) == "type_" for argument in value.args):
        return "its type is written with type_="
    types = types_of(value)
    if any(has_comment(argument.value) for argument in types):
        return "a comment stands inside its type"
    if types:
        return f"pgfix does not know the type `{module.code_for_node(types[0].value)}`"
    return f"its type is not written in {called_name(value)}()"
