"""Makes the edits in a model's syntax tree. Imported only if LibCST is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst

from alembic_pgpatterns.fix.model_edit import Edit

COLUMNS = ("mappedcolumn", "column")
"""Names of column functions, compared without case and underscores: some projects have their own ``_Column``."""
PARTS = ("ForeignKey", "Identity", "Sequence", "Computed", "CheckConstraint", "FetchedValue", "DefaultClause")
# 100 with the indent of a class.
WIDTH = 96


class Editor(cst.CSTTransformer):
    """Makes edits in mapped classes and in ``Table(...)``. ``made``: the edits whose place was found.

    ``needed``: names to import from sqlalchemy; ``replaced``: names whose import may be unused now.
    """

    def __init__(self, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.edits = edits
        self.made: list[Edit] = []
        self.needed: set[str] = set()
        self.replaced: set[str] = set()

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        """A mapped class: its columns, then its ``__table_args__``."""
        name = _table_name(updated_node)
        edits = [edit for edit in self.edits if edit.table == name and edit not in self.made]
        edits = self._not_there_yet(edits, updated_node)
        if not edits or not isinstance(updated_node.body, cst.IndentedBlock):
            return updated_node
        body = [self._column_line(line, edits) for line in updated_node.body.body]
        body = [remaining for line in body for remaining in self._without(line, edits)]
        remaining_edits = [edit for edit in edits if edit not in self.made and not edit.replaces and not edit.removes]
        if remaining_edits:
            body = self._with_table_args(body, remaining_edits)
        return updated_node.with_changes(body=updated_node.body.with_changes(body=body))

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """``Table("book", metadata, Column(...))``."""
        if _called(updated_node) != "Table" or not updated_node.args:
            return updated_node
        name = _text(updated_node.args[0].value)
        edits = [edit for edit in self.edits if edit.table == name and edit not in self.made]
        edits = self._not_there_yet(edits, updated_node)
        arguments = [self._column_argument(argument, edits) for argument in updated_node.args]
        arguments = [item for item in arguments if not self._is_removed(item.value, edits)]
        remaining_edits = [edit for edit in edits if edit not in self.made and not edit.replaces and not edit.removes]
        return updated_node.with_changes(args=self._with_indexes(arguments, remaining_edits))

    def _not_there_yet(self, edits: Sequence[Edit], place: cst.CSTNode) -> list[Edit]:
        """The edits without new indexes that are declared already, by an earlier run."""
        new = [edit for edit in edits if edit.expression.startswith("Index(")]
        declared = _index_names(place) if new else set()
        done = [edit for edit in new if _index_name(edit) in declared]
        self.made += done
        return [edit for edit in edits if edit not in done]

    def _without(self, line: cst.BaseStatement, edits: Sequence[Edit]) -> list[cst.BaseStatement]:
        """``__table_args__`` without the removed indexes; no line if nothing is left in it."""
        statement = line.body[0] if isinstance(line, cst.SimpleStatementLine) else None
        value = getattr(statement, "value", None)
        if _assigned(line) != "__table_args__" or not isinstance(value, cst.Tuple) or not _is_alone(line):
            return [line]
        elements = [element for element in value.elements if not self._is_removed(element.value, edits)]
        if len(elements) == len(value.elements):
            return [line]
        if not elements:
            return []
        if len(elements) > 1 or value.elements[-1].comma != cst.MaybeSentinel.DEFAULT:
            # The last element's comma carries the line break before the bracket.
            elements[-1] = elements[-1].with_changes(comma=value.elements[-1].comma)
        else:
            # A single element without a comma would not be a tuple.
            elements[-1] = elements[-1].with_changes(comma=cst.Comma())
        return [line.with_deep_changes(value, elements=elements)]

    def _is_removed(self, value: cst.BaseExpression, edits: Sequence[Edit]) -> bool:
        if not isinstance(value, cst.Call) or _called(value) != "Index" or not value.args or _has_comment(value):
            return False
        name = _text(value.args[0].value)
        edit = next((edit for edit in edits if edit.removes == name and edit not in self.made), None)
        if edit is None or name is None:
            return False
        self.made.append(edit)
        return True

    def _column_argument(self, argument: cst.Arg, edits: Sequence[Edit]) -> cst.Arg:
        if not isinstance(argument.value, cst.Call) or not _is_column(argument.value):
            return argument
        return argument.with_changes(value=self._column(argument.value, None, edits))

    def _column_line(self, line: cst.BaseStatement, edits: Sequence[Edit]) -> cst.BaseStatement:
        if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
            return line
        statement = line.body[0]
        value = getattr(statement, "value", None)
        if not isinstance(statement, cst.Assign | cst.AnnAssign) or not isinstance(value, cst.Call):
            return line
        if not _is_column(value):
            return line
        changed = self._column(value, _target(statement), edits)
        return line.with_changes(body=[statement.with_changes(value=changed)])

    def _column(self, call: cst.Call, attribute: str | None, edits: Sequence[Edit]) -> cst.Call:
        name = (_text(call.args[0].value) if call.args else None) or attribute
        for edit in edits:
            if edit.column == name and name is not None:
                changed = self._changed(call, edit)
                if changed is not None:
                    call = changed
                    self.made.append(edit)
        return call

    def _changed(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        if edit.removes:
            return _not_indexed(call)
        return _indexed(call) if edit.simple else self._retyped(call, edit)

    def _retyped(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        for position, argument in enumerate(call.args):
            value = argument.value
            kind = value.func if isinstance(value, cst.Call) else value
            named = kind.attr.value if isinstance(kind, cst.Attribute) else getattr(kind, "value", None)
            if argument.keyword is None and named in edit.replaces and not _has_comment(value):
                new = self._in_the_manner_of(kind, edit.expression, str(named))
                if isinstance(value, cst.Call) and edit.expression == "Text":
                    new = _with_collation(new, value)
                return call.with_changes(args=_replaced(call.args, position, argument.with_changes(value=new)))
        # `Mapped[datetime]` alone says which type it is, and `Mapped[str]` too; but that is VARCHAR without a length,
        # which already behaves as text does.
        return self._typed(call, edit) if "DateTime" in edit.replaces else None

    def _typed(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        """Add a type to a ``mapped_column()`` that has its type only from ``Mapped[datetime]``."""
        positional = [arg for arg in call.args if arg.keyword is None and not arg.star]
        others = [arg for arg in positional if not isinstance(arg.value, cst.SimpleString) and not _is_part(arg.value)]
        if _called(call) != "mapped_column" or others or any(_keyword(arg) == "type_" for arg in call.args):
            return None
        position = 1 if positional and isinstance(positional[0].value, cst.SimpleString) else 0
        new = self._in_the_manner_of(call.func, edit.expression, "DateTime")
        comma = call.args[0].comma if len(call.args) > 1 else cst.Comma(whitespace_after=_after(call))
        if position < len(call.args):
            added = cst.Arg(new, comma=comma)
            return call.with_changes(args=[*call.args[:position], added, *call.args[position:]])
        before = [arg.with_changes(comma=comma) for arg in call.args]
        return call.with_changes(args=[*before, cst.Arg(new)])

    def _in_the_manner_of(self, kind: cst.BaseExpression, expression: str, named: str) -> cst.BaseExpression:
        """``sa.Text`` if the old type is written ``sa.String``, else ``Text`` with an import."""
        new = cst.parse_expression(expression)
        bare = new.func if isinstance(new, cst.Call) else new
        assert isinstance(bare, cst.Name)
        if isinstance(kind, cst.Attribute):
            qualified = cst.Attribute(kind.value, bare)
            return new.with_changes(func=qualified) if isinstance(new, cst.Call) else qualified
        self.needed.add(bare.value)
        if named != bare.value:
            self.replaced.add(named)
        return new

    def _made_index(self, edit: Edit) -> cst.BaseExpression:
        self.made.append(edit)
        self.needed.add("Index")
        if "text(" in edit.expression:
            self.needed.add("text")
        return cst.parse_expression(edit.expression)

    def _with_indexes(self, arguments: list[cst.Arg], remaining_edits: Sequence[Edit]) -> list[cst.Arg]:
        """Insert after the last positional argument; on a line of its own if the others have one each."""
        for edit in remaining_edits:
            last = max((i for i, item in enumerate(arguments) if item.keyword is None and not item.star), default=0)
            before = arguments[last]
            lined = [item.comma for item in arguments if isinstance(item.comma, cst.Comma)]
            comma = lined[0] if lined else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
            new = cst.Arg(self._made_index(edit), comma=before.comma)
            arguments[last : last + 1] = [before.with_changes(comma=comma), new]
        return arguments

    def _with_table_args(
        self, body: list[cst.BaseStatement], remaining_edits: Sequence[Edit]
    ) -> list[cst.BaseStatement]:
        for position, line in enumerate(body):
            if _assigned(line) == "__table_args__":
                changed = self._extended(line, remaining_edits)
                return [*body[:position], changed, *body[position + 1 :]]
        # There is one: `_table_name` read it, else the class had no edits.
        position = next(i for i, line in enumerate(body) if _assigned(line) == "__tablename__") + 1
        for edit in remaining_edits:
            self._made_index(edit)
        return [*body[:position], _table_args([edit.expression for edit in remaining_edits]), *body[position:]]

    def _extended(self, line: cst.BaseStatement, remaining_edits: Sequence[Edit]) -> cst.BaseStatement:
        assert isinstance(line, cst.SimpleStatementLine)
        statement = line.body[0]
        assert isinstance(statement, cst.Assign | cst.AnnAssign)
        value = statement.value
        if not _is_alone(line):
            return line
        if isinstance(value, cst.Tuple):
            new: cst.BaseExpression = self._longer(value, remaining_edits)
        elif value is not None and _is_dictionary(value):
            new = cst.Tuple([*(cst.Element(self._made_index(edit)) for edit in remaining_edits), cst.Element(value)])
        else:
            return line
        return line.with_changes(body=[statement.with_changes(value=new)])

    def _longer(self, value: cst.Tuple, remaining_edits: Sequence[Edit]) -> cst.Tuple:
        """The new elements after the others but before a final dictionary, in the same layout."""
        elements = list(value.elements)
        # SQLAlchemy reads a dictionary of options only where it is the last element ("Declarative Table
        # Configuration").
        options = [elements.pop()] if elements and _is_dictionary(elements[-1].value) else []
        between = _comma_between([*elements, *options], value)
        new = [cst.Element(self._made_index(edit)) for edit in remaining_edits]
        last = (options or elements)[-1].comma if (options or elements) else cst.Comma()
        if len(elements) == 1 and not options and isinstance(between.whitespace_after, cst.SimpleWhitespace):
            last = cst.MaybeSentinel.DEFAULT
        ending = (options or elements)[-1:]
        laid_out = [
            item.with_changes(comma=between) if item in (*new, *ending) else item
            for item in [*elements, *new, *options]
        ]
        return value.with_changes(elements=[*laid_out[:-1], laid_out[-1].with_changes(comma=last)])


def without_comment(comma: cst.Comma) -> cst.Comma:
    """The same kind of comma, without the comment that may end its line."""
    space = comma.whitespace_after
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return comma
    plain = cst.TrailingWhitespace(newline=space.first_line.newline)
    return comma.with_changes(whitespace_after=space.with_changes(first_line=plain, empty_lines=()))


def _comma_between(elements: Sequence[cst.BaseElement], value: cst.Tuple) -> cst.Comma:
    """How the elements are separated: by a new line each, or by a space."""
    commas = [element.comma for element in elements if isinstance(element.comma, cst.Comma)]
    if len(elements) > 1 and commas:
        return without_comment(commas[0])
    if value.lpar and isinstance(value.lpar[0].whitespace_after, cst.ParenthesizedWhitespace):
        return cst.Comma(whitespace_after=value.lpar[0].whitespace_after)
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def _indexed(call: cst.Call) -> cst.Call | None:
    """The column with ``index=True``, unless it says so already."""
    if any(
        _keyword(item) == "index" and isinstance(item.value, cst.Name) and item.value.value == "True"
        for item in call.args
    ):
        return call
    if any(argument.keyword is not None and argument.keyword.value == "index" for argument in call.args):
        return None
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(cst.Name("True"), keyword=cst.Name("index"), equal=equal)
    if not call.args:
        return call.with_changes(args=[new])
    last = call.args[-1]
    commas = [item.comma for item in call.args[:-1] if isinstance(item.comma, cst.Comma)]
    comma = commas[0] if commas else cst.Comma(whitespace_after=_after(call))
    return call.with_changes(args=[*call.args[:-1], last.with_changes(comma=comma), new.with_changes(comma=last.comma)])


def _after(call: cst.Call) -> cst.BaseParenthesizableWhitespace:
    if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
        return call.whitespace_before_args
    return cst.SimpleWhitespace(" ")


def _with_collation(new: cst.BaseExpression, old: cst.Call) -> cst.BaseExpression:
    collation = [arg for arg in old.args if arg.keyword is not None and arg.keyword.value == "collation"]
    if not collation:
        return new
    return cst.Call(new, [collation[0].with_changes(comma=cst.MaybeSentinel.DEFAULT)])


def _replaced(arguments: Sequence[cst.Arg], position: int, new: cst.Arg) -> list[cst.Arg]:
    return [*arguments[:position], new, *arguments[position + 1 :]]


def _table_args(expressions: Sequence[str]) -> cst.BaseStatement:
    """On one line if it fits, otherwise a line each. The class's indent is added when it is written."""
    short = f"__table_args__ = ({expressions[0]},)"
    if len(expressions) == 1 and len(short) <= WIDTH:
        return cst.parse_statement(short)
    return cst.parse_statement("__table_args__ = (\n" + "".join(f"    {item},\n" for item in expressions) + ")\n")


def _index_names(node: cst.CSTNode) -> set[str | None]:
    """The names of all ``Index(...)`` within."""
    names: set[str | None] = set()
    if isinstance(node, cst.Call) and _called(node) == "Index" and node.args:
        names.add(_text(node.args[0].value))
    return names.union(*map(_index_names, node.children))


def _index_name(edit: Edit) -> str | None:
    expression = cst.parse_expression(edit.expression)
    return _text(expression.args[0].value) if isinstance(expression, cst.Call) and expression.args else None


def _is_alone(line: cst.BaseStatement) -> bool:
    """Whether the line holds only one statement: a line such as ``a = 1; b = 2`` is not changed."""
    return isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1


def _has_comment(node: cst.CSTNode) -> bool:
    """Whether it contains a comment, which would be lost."""
    return isinstance(node, cst.Comment) or any(map(_has_comment, node.children))


def _keyword(argument: cst.Arg) -> str | None:
    return argument.keyword.value if argument.keyword is not None else None


def _is_column(call: cst.Call) -> bool:
    return (_called(call) or "").replace("_", "").lower() in COLUMNS


def _is_dictionary(value: cst.BaseExpression) -> bool:
    return isinstance(value, cst.Dict) or (isinstance(value, cst.Call) and _called(value) == "dict")


def _is_part(value: cst.BaseExpression) -> bool:
    """Whether a column's argument is something other than its type."""
    return isinstance(value, cst.Call) and _called(value) in PARTS


def _not_indexed(call: cst.Call) -> cst.Call | None:
    """The column without ``index=True``."""
    arguments = [arg for arg in call.args if arg.keyword is None or arg.keyword.value != "index"]
    if len(arguments) == len(call.args):
        return None
    if arguments:
        arguments[-1] = arguments[-1].with_changes(comma=call.args[-1].comma)
    return call.with_changes(args=arguments)


def _table_name(node: cst.ClassDef) -> str | None:
    lines: Iterable[cst.CSTNode] = node.body.body
    for line in lines:
        if _assigned(line) == "__tablename__" and isinstance(line, cst.SimpleStatementLine):
            return _text(getattr(line.body[0], "value", None))
    return None


def _assigned(line: cst.CSTNode) -> str | None:
    if isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Assign | cst.AnnAssign):
        return _target(line.body[0])
    return None


def _target(statement: cst.Assign | cst.AnnAssign) -> str | None:
    target = statement.targets[0].target if isinstance(statement, cst.Assign) else statement.target
    return target.value if isinstance(target, cst.Name) else None


def _called(call: cst.Call) -> str | None:
    if isinstance(call.func, cst.Attribute):
        return call.func.attr.value
    return call.func.value if isinstance(call.func, cst.Name) else None


def _text(value: cst.CSTNode | None) -> str | None:
    if not isinstance(value, cst.SimpleString):
        return None
    text = value.evaluated_value
    return text if isinstance(text, str) else None
