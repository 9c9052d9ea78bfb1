"""Questions about a model's syntax tree, and small changes of it. Imported only if LibCST is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import libcst as cst
from libcst.helpers import get_full_name_for_node

COLUMNS = ("mappedcolumn", "column")
"""Names of column functions, compared without case and underscores: some projects have their own ``_Column``."""
PARTS = ("ForeignKey", "Identity", "Sequence", "Computed", "CheckConstraint", "FetchedValue", "DefaultClause")
# 100 with the indent of a class.
WIDTH = 96


def without_comment(comma: cst.Comma) -> cst.Comma:
    """The same kind of comma, without the comment that may end its line."""
    space = comma.whitespace_after
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return comma
    plain = cst.TrailingWhitespace(newline=space.first_line.newline)
    return comma.with_changes(whitespace_after=space.with_changes(first_line=plain, empty_lines=()))


def comma_between(elements: Sequence[cst.BaseElement], value: cst.Tuple) -> cst.Comma:
    """How the elements are separated: by a new line each, or by a space."""
    commas = [element.comma for element in elements if isinstance(element.comma, cst.Comma)]
    if len(elements) > 1 and commas:
        return without_comment(commas[0])
    if value.lpar and isinstance(value.lpar[0].whitespace_after, cst.ParenthesizedWhitespace):
        return cst.Comma(whitespace_after=value.lpar[0].whitespace_after)
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def indexed_column(call: cst.Call) -> cst.Call | None:
    """The column with ``index=True``, unless it says so already."""
    if any(
        keyword_of(item) == "index" and isinstance(item.value, cst.Name) and item.value.value == "True"
        for item in call.args
    ):
        return call
    if any(argument.keyword is not None and argument.keyword.value == "index" for argument in call.args):
        return None
    return with_keyword(call, "index", cst.Name("True"))


def with_keyword(call: cst.Call, keyword: str, value: cst.BaseExpression) -> cst.Call:
    """The call with another value of that argument, or with one more at its end, in the layout of the others."""
    for position, argument in enumerate(call.args):
        if keyword_of(argument) == keyword:
            return call.with_changes(args=with_argument(call.args, position, argument.with_changes(value=value)))
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(value, keyword=cst.Name(keyword), equal=equal)
    if not call.args:
        return call.with_changes(args=[new])
    last = call.args[-1]
    commas = [item.comma for item in call.args[:-1] if isinstance(item.comma, cst.Comma)]
    comma = commas[0] if commas else cst.Comma(whitespace_after=space_after(call))
    return call.with_changes(args=[*call.args[:-1], last.with_changes(comma=comma), new.with_changes(comma=last.comma)])


def space_after(call: cst.Call) -> cst.BaseParenthesizableWhitespace:
    """The space between two arguments: a line break if the first one has a line of its own."""
    if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
        return call.whitespace_before_args
    return cst.SimpleWhitespace(" ")


def with_collation(new: cst.BaseExpression, old: cst.Call) -> cst.BaseExpression:
    """The new type with the collation of the old one."""
    collation = [arg for arg in old.args if arg.keyword is not None and arg.keyword.value == "collation"]
    if not collation:
        return new
    return cst.Call(new, [collation[0].with_changes(comma=cst.MaybeSentinel.DEFAULT)])


def with_argument(arguments: Sequence[cst.Arg], position: int, new: cst.Arg) -> list[cst.Arg]:
    """The arguments with a new one at a position."""
    return [*arguments[:position], new, *arguments[position + 1 :]]


def table_args_line(expressions: Sequence[str]) -> cst.BaseStatement:
    """On one line if it fits, otherwise a line each. The class's indent is added when it is written."""
    short = f"__table_args__ = ({expressions[0]},)"
    if len(expressions) == 1 and len(short) <= WIDTH:
        return cst.parse_statement(short)
    return cst.parse_statement("__table_args__ = (\n" + "".join(f"    {item},\n" for item in expressions) + ")\n")


def item_names(node: cst.CSTNode) -> set[str | None]:
    """The names of all ``Index(...)`` and ``CheckConstraint(...)`` within."""
    names: set[str | None] = set()
    if isinstance(node, cst.Call) and called_name(node) == "Index" and node.args:
        names.add(text_of(node.args[0].value))
    if isinstance(node, cst.Call) and called_name(node) == "CheckConstraint":
        names.update(text_of(item.value) for item in node.args if keyword_of(item) == "name")
    return names.union(*map(item_names, node.children)) - {None}


def is_alone(line: cst.BaseStatement) -> bool:
    """Whether the line holds only one statement: a line such as ``a = 1; b = 2`` is not changed."""
    return isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1


def has_comment(node: cst.CSTNode) -> bool:
    """Whether it contains a comment, which would be lost."""
    return isinstance(node, cst.Comment) or any(map(has_comment, node.children))


def keyword_of(argument: cst.Arg) -> str | None:
    """The keyword of an argument."""
    return argument.keyword.value if argument.keyword is not None else None


def is_column(call: cst.Call) -> bool:
    """Whether it calls a column function."""
    return (called_name(call) or "").replace("_", "").lower() in COLUMNS


def is_field(call: cst.Call) -> bool:
    """Whether it calls SQLModel's ``Field``."""
    return called_name(call) == "Field"


def is_dictionary(value: cst.BaseExpression) -> bool:
    """Whether it is a dictionary."""
    return isinstance(value, cst.Dict) or (isinstance(value, cst.Call) and called_name(value) == "dict")


def may_be_dictionary(value: cst.BaseExpression) -> bool:
    """Whether it is a dictionary, or something whose value the source does not show here, such as a name."""
    return is_dictionary(value) or not isinstance(value, cst.Call)


def is_from(node: cst.ImportFrom, package: str) -> bool:
    """Whether names are imported from a package: ``from sqlalchemy.orm import …``."""
    return not node.relative and node.module is not None and get_full_name_for_node(node.module) == package


def types_of(call: cst.Call) -> list[cst.Arg]:
    """What may be the type among a column's arguments: neither its name nor a part such as a key."""
    positional = [argument for argument in call.args if argument.keyword is None]
    return [item for item in positional if not isinstance(item.value, cst.SimpleString) and not is_part(item.value)]


def refers(call: cst.Call) -> bool:
    """Whether a column has a ``ForeignKey(...)``."""
    return any(isinstance(arg.value, cst.Call) and called_name(arg.value) == "ForeignKey" for arg in call.args)


def is_mapped(annotation: cst.BaseExpression) -> cst.BaseExpression | None:
    """``Mapped`` or ``orm.Mapped`` of an annotation ``Mapped[...]``; None for another one."""
    name = annotation.value if isinstance(annotation, cst.Subscript) else None
    return name if name is not None and (get_full_name_for_node(name) or "").split(".")[-1] == "Mapped" else None


def makes_table(node: cst.ClassDef) -> bool:
    """Whether it is a class ``class Hero(SQLModel, table=True)``."""
    return any(keyword_of(argument) == "table" for argument in node.keywords)


def is_part(value: cst.BaseExpression) -> bool:
    """Whether a column's argument is something other than its type."""
    return isinstance(value, cst.Call) and called_name(value) in PARTS


def unindexed_column(call: cst.Call) -> cst.Call | None:
    """The column without ``index=True``."""
    arguments = [arg for arg in call.args if arg.keyword is None or arg.keyword.value != "index"]
    if len(arguments) == len(call.args):
        return None
    if arguments:
        arguments[-1] = arguments[-1].with_changes(comma=call.args[-1].comma)
    return call.with_changes(args=arguments)


def table_names(node: cst.ClassDef) -> frozenset[str]:
    """The ``__tablename__`` of a class; if it has none, the names that libraries make from the class's name.

    SQLModel takes it in small letters, Flask-SQLAlchemy and advanced-alchemy put underscores between its words.
    """
    lines: Iterable[cst.CSTNode] = node.body.body
    for line in lines:
        if assigned_name(line) == "__tablename__" and isinstance(line, cst.SimpleStatementLine):
            name = text_of(getattr(line.body[0], "value", None))
            return frozenset() if name is None else frozenset({name})
    if not node.bases:
        return frozenset()
    words = re.sub(r"(?<=[a-z0-9])([A-Z])|(?<!^)([A-Z])(?=[a-z])", r"_\1\2", node.name.value)
    return frozenset({node.name.value.lower(), words.lower()})


def is_docstring(line: cst.CSTNode) -> bool:
    """Whether a line of a class is a string alone."""
    statement = line.body[0] if isinstance(line, cst.SimpleStatementLine) else None
    return isinstance(statement, cst.Expr) and isinstance(statement.value, cst.SimpleString)


def assigned_name(line: cst.CSTNode) -> str | None:
    """The name that a line gives a value to."""
    if isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Assign | cst.AnnAssign):
        return target_name(line.body[0])
    return None


def target_name(statement: cst.Assign | cst.AnnAssign) -> str | None:
    """The name on the left."""
    target = statement.targets[0].target if isinstance(statement, cst.Assign) else statement.target
    return target.value if isinstance(target, cst.Name) else None


def called_name(call: cst.Call) -> str | None:
    """The called name, without its module."""
    if isinstance(call.func, cst.Attribute):
        return call.func.attr.value
    return call.func.value if isinstance(call.func, cst.Name) else None


def text_of(value: cst.CSTNode | None) -> str | None:
    """The text of a plain string."""
    if not isinstance(value, cst.SimpleString):
        return None
    text = value.evaluated_value
    return text if isinstance(text, str) else None
