"""The walk through a model's syntax tree that makes the edits; imported only where LibCST is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst

from alembic_pgpatterns.autogenerate.model_edit import Edit

COLUMNS = ("mapped_column", "Column")


class Editor(cst.CSTTransformer):
    """Makes edits in mapped classes and in ``Table(...)``; ``made`` are those that found their place.

    ``needed``: names to import from sqlalchemy; ``replaced``: names that may be needed no more.
    """

    def __init__(self, wanted: Sequence[Edit]) -> None:
        super().__init__()
        self.wanted = wanted
        self.made: list[Edit] = []
        self.needed: set[str] = set()
        self.replaced: set[str] = set()

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        """A mapped class: its columns, then its ``__table_args__``."""
        name = _table_name(updated_node)
        wanted = [edit for edit in self.wanted if edit.table == name and edit not in self.made]
        if not wanted or not isinstance(updated_node.body, cst.IndentedBlock):
            return updated_node
        body = [self._column_line(line, wanted) for line in updated_node.body.body]
        rest = [edit for edit in wanted if edit not in self.made and not edit.replaces]
        if rest:
            body = self._with_table_args(body, rest)
        return updated_node.with_changes(body=updated_node.body.with_changes(body=body))

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """``Table("book", metadata, Column(...))``."""
        if _called(updated_node) != "Table" or not updated_node.args:
            return updated_node
        name = _text(updated_node.args[0].value)
        wanted = [edit for edit in self.wanted if edit.table == name and edit not in self.made]
        arguments = [self._column_argument(argument, wanted) for argument in updated_node.args]
        rest = [edit for edit in wanted if edit not in self.made and not edit.replaces]
        return updated_node.with_changes(args=self._with_indexes(arguments, rest))

    def _column_argument(self, argument: cst.Arg, wanted: Sequence[Edit]) -> cst.Arg:
        if not isinstance(argument.value, cst.Call) or _called(argument.value) not in COLUMNS:
            return argument
        return argument.with_changes(value=self._column(argument.value, None, wanted))

    def _column_line(self, line: cst.BaseStatement, wanted: Sequence[Edit]) -> cst.BaseStatement:
        if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
            return line
        statement = line.body[0]
        value = getattr(statement, "value", None)
        if not isinstance(statement, cst.Assign | cst.AnnAssign) or not isinstance(value, cst.Call):
            return line
        if _called(value) not in COLUMNS:
            return line
        changed = self._column(value, _target(statement), wanted)
        return line.with_changes(body=[statement.with_changes(value=changed)])

    def _column(self, call: cst.Call, attribute: str | None, wanted: Sequence[Edit]) -> cst.Call:
        name = (_text(call.args[0].value) if call.args else None) or attribute
        for edit in wanted:
            if edit.column == name and name is not None:
                changed = _indexed(call) if edit.simple else self._retyped(call, edit)
                if changed is not None:
                    call = changed
                    self.made.append(edit)
        return call

    def _retyped(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        for position, argument in enumerate(call.args):
            value = argument.value
            kind = value.func if isinstance(value, cst.Call) else value
            named = kind.attr.value if isinstance(kind, cst.Attribute) else getattr(kind, "value", None)
            if argument.keyword is None and named in edit.replaces:
                new = self._in_the_manner_of(kind, edit.expression, str(named))
                if isinstance(value, cst.Call) and edit.expression == "Text":
                    new = _with_collation(new, value)
                return call.with_changes(args=_replaced(call.args, position, argument.with_changes(value=new)))
        return None

    def _in_the_manner_of(self, kind: cst.BaseExpression, expression: str, named: str) -> cst.BaseExpression:
        """``sa.Text`` where ``sa.String`` stood, else ``Text`` with its import."""
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

    def _with_indexes(self, arguments: list[cst.Arg], rest: Sequence[Edit]) -> list[cst.Arg]:
        """Behind the last positional argument, on a line of its own where the others have one."""
        for edit in rest:
            last = max((i for i, one in enumerate(arguments) if one.keyword is None and not one.star), default=0)
            before = arguments[last]
            lined = [one.comma for one in arguments if isinstance(one.comma, cst.Comma)]
            comma = lined[0] if lined else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
            new = cst.Arg(self._made_index(edit), comma=before.comma)
            arguments[last : last + 1] = [before.with_changes(comma=comma), new]
        return arguments

    def _with_table_args(self, body: list[cst.BaseStatement], rest: Sequence[Edit]) -> list[cst.BaseStatement]:
        for position, line in enumerate(body):
            if _assigned(line) == "__table_args__":
                changed = self._extended(line, rest)
                return [*body[:position], changed, *body[position + 1 :]]
        position = next(i for i, line in enumerate(body) if _assigned(line) == "__tablename__") + 1
        indexes = [cst.Element(self._made_index(edit)) for edit in rest]
        if len(indexes) == 1:
            indexes = [indexes[0].with_changes(comma=cst.Comma())]
        return [*body[:position], _assignment("__table_args__", cst.Tuple(indexes)), *body[position:]]

    def _extended(self, line: cst.BaseStatement, rest: Sequence[Edit]) -> cst.BaseStatement:
        assert isinstance(line, cst.SimpleStatementLine)
        statement = line.body[0]
        assert isinstance(statement, cst.Assign | cst.AnnAssign)
        value = statement.value
        if isinstance(value, cst.Tuple):
            new: cst.BaseExpression = self._longer(value, rest)
        elif isinstance(value, cst.Dict):
            new = cst.Tuple([*(cst.Element(self._made_index(edit)) for edit in rest), cst.Element(value)])
        else:
            return line
        return line.with_changes(body=[statement.with_changes(value=new)])

    def _longer(self, value: cst.Tuple, rest: Sequence[Edit]) -> cst.Tuple:
        """New elements behind the others, before the dictionary that may end it, laid out as they are."""
        elements = list(value.elements)
        options = [elements.pop()] if elements and isinstance(elements[-1].value, cst.Dict) else []
        between = _comma_between([*elements, *options], value)
        new = [cst.Element(self._made_index(edit)) for edit in rest]
        last = (options or elements)[-1].comma if (options or elements) else cst.Comma()
        joined = [*elements, *new, *options]
        laid_out = [element.with_changes(comma=between) for element in joined[:-1]]
        return value.with_changes(elements=[*laid_out, joined[-1].with_changes(comma=last)])


def _comma_between(elements: Sequence[cst.BaseElement], value: cst.Tuple) -> cst.Comma:
    """How the elements are separated: a line each, or a space."""
    commas = [element.comma for element in elements if isinstance(element.comma, cst.Comma)]
    if len(elements) > 1 and commas:
        return commas[0]
    if value.lpar and isinstance(value.lpar[0].whitespace_after, cst.ParenthesizedWhitespace):
        return cst.Comma(whitespace_after=value.lpar[0].whitespace_after)
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def _indexed(call: cst.Call) -> cst.Call | None:
    """The column with ``index=True``."""
    if any(argument.keyword is not None and argument.keyword.value == "index" for argument in call.args):
        return None
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(cst.Name("True"), keyword=cst.Name("index"), equal=equal)
    if not call.args:
        return call.with_changes(args=[new])
    last = call.args[-1]
    commas = [one.comma for one in call.args[:-1] if isinstance(one.comma, cst.Comma)]
    comma = commas[0] if commas else cst.Comma(whitespace_after=_after(call))
    return call.with_changes(
        args=[*call.args[:-1], last.with_changes(comma=comma), new.with_changes(comma=last.comma)]
    )


def _after(call: cst.Call) -> cst.BaseParenthesizableWhitespace:
    if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
        return call.whitespace_before_args
    return cst.SimpleWhitespace(" ")


def _with_collation(new: cst.BaseExpression, old: cst.Call) -> cst.BaseExpression:
    kept = [one for one in old.args if one.keyword is not None and one.keyword.value == "collation"]
    if not kept:
        return new
    return cst.Call(new, [kept[0].with_changes(comma=cst.MaybeSentinel.DEFAULT)])


def _replaced(arguments: Sequence[cst.Arg], position: int, new: cst.Arg) -> list[cst.Arg]:
    return [*arguments[:position], new, *arguments[position + 1 :]]


def _assignment(name: str, value: cst.BaseExpression) -> cst.SimpleStatementLine:
    return cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(cst.Name(name))], value)])


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
