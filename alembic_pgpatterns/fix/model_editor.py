"""Makes the edits in a model's syntax tree. Imported only if LibCST is needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import libcst as cst

from alembic_pgpatterns.fix.model_edit import Edit
from alembic_pgpatterns.fix.model_syntax import (
    assigned_name,
    called_name,
    comma_between,
    has_comment,
    indexed_column,
    is_alone,
    is_column,
    is_dictionary,
    is_docstring,
    is_field,
    is_part,
    item_names,
    keyword_of,
    space_after,
    table_args_line,
    table_names,
    target_name,
    text_of,
    unindexed_column,
    with_argument,
    with_collation,
    with_keyword,
)


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
        names = table_names(updated_node)
        edits = [edit for edit in self.edits if edit.table in names and edit not in self.made]
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
        if called_name(updated_node) != "Table" or not updated_node.args:
            return updated_node
        name = text_of(updated_node.args[0].value)
        edits = [edit for edit in self.edits if edit.table == name and edit not in self.made]
        edits = self._not_there_yet(edits, updated_node)
        arguments = [self._column_argument(argument, edits) for argument in updated_node.args]
        arguments = [item for item in arguments if not self._is_removed(item.value, edits)]
        remaining_edits = [edit for edit in edits if edit not in self.made and not edit.replaces and not edit.removes]
        return updated_node.with_changes(args=self._with_indexes(arguments, remaining_edits))

    def _not_there_yet(self, edits: Sequence[Edit], place: cst.CSTNode) -> list[Edit]:
        """The edits without new indexes and constraints that are declared already, by an earlier run."""
        new = [edit for edit in edits if edit.expression.startswith(("Index(", "CheckConstraint("))]
        declared = item_names(place) if new else set()
        done = [edit for edit in new if item_names(cst.parse_expression(edit.expression)) & declared]
        self.made += done
        return [edit for edit in edits if edit not in done]

    def _without(self, line: cst.BaseStatement, edits: Sequence[Edit]) -> list[cst.BaseStatement]:
        """``__table_args__`` without the removed indexes; no line if nothing is left in it."""
        statement = line.body[0] if isinstance(line, cst.SimpleStatementLine) else None
        value = getattr(statement, "value", None)
        if assigned_name(line) != "__table_args__" or not isinstance(value, cst.Tuple) or not is_alone(line):
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
        if not isinstance(value, cst.Call) or called_name(value) != "Index" or not value.args or has_comment(value):
            return False
        name = text_of(value.args[0].value)
        edit = next((edit for edit in edits if edit.removes == name and edit not in self.made), None)
        if edit is None or name is None:
            return False
        self.made.append(edit)
        return True

    def _column_argument(self, argument: cst.Arg, edits: Sequence[Edit]) -> cst.Arg:
        if not isinstance(argument.value, cst.Call) or not is_column(argument.value):
            return argument
        return argument.with_changes(value=self._column(argument.value, None, edits))

    def _column_line(self, line: cst.BaseStatement, edits: Sequence[Edit]) -> cst.BaseStatement:
        if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
            return line
        statement = line.body[0]
        value = getattr(statement, "value", None)
        if not isinstance(statement, cst.Assign | cst.AnnAssign) or not isinstance(value, cst.Call):
            return line
        if not (is_column(value) or is_field(value)):
            return line
        changed = self._column(value, target_name(statement), edits)
        return line.with_changes(body=[statement.with_changes(value=changed)])

    def _column(self, call: cst.Call, attribute: str | None, edits: Sequence[Edit]) -> cst.Call:
        first = call.args[0].value if call.args and call.args[0].keyword is None else None
        name = text_of(first) or attribute
        for edit in edits:
            if edit.column == name and name is not None:
                changed = self._changed(call, edit)
                if changed is not None:
                    call = changed
                    self.made.append(edit)
        return call

    def _changed(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        if is_field(call) and (retyped := self._changed_field(call, edit)) is not None:
            return retyped
        if edit.removes:
            return unindexed_column(call)
        return indexed_column(call) if edit.simple else self._retyped(call, edit)

    def _changed_field(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        """SQLModel's ``Field(...)``: its Column, or its ``sa_type``; None if it is changed as any column is.

        It takes no ``index`` and no type beside ``sa_column`` (SQLModel raises RuntimeError).
        """
        places = {keyword_of(argument): position for position, argument in enumerate(call.args)}
        position = places.get("sa_column", places.get("sa_type"))
        if position is None:
            return None if edit.simple or edit.removes else self._with_sa_type(call, edit, places)
        argument = call.args[position]
        if keyword_of(argument) == "sa_column":
            inner = argument.value if isinstance(argument.value, cst.Call) else None
            new: cst.BaseExpression | None = None if inner is None else self._changed(inner, edit)
        else:
            new = None if edit.simple or edit.removes else self._other_type(argument.value, edit)
        if new is None:
            return None
        return call.with_changes(args=with_argument(call.args, position, argument.with_changes(value=new)))

    def _with_sa_type(self, call: cst.Call, edit: Edit, places: Collection[str | None]) -> cst.Call | None:
        if "max_length" not in places and "DateTime" not in edit.replaces:
            return None
        new = self._in_the_manner_of(cst.Name("Field"), edit.expression, "Field")
        self.replaced.discard("Field")
        return with_keyword(call, "sa_type", new)

    def _other_type(self, value: cst.BaseExpression, edit: Edit) -> cst.BaseExpression | None:
        """The new type in place of a type that the edit replaces; None if it is another one."""
        kind = value.func if isinstance(value, cst.Call) else value
        named = kind.attr.value if isinstance(kind, cst.Attribute) else getattr(kind, "value", None)
        if named not in edit.replaces or has_comment(value):
            return None
        new = self._in_the_manner_of(kind, edit.expression, str(named))
        return with_collation(new, value) if isinstance(value, cst.Call) and edit.expression == "Text" else new

    def _retyped(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        for position, argument in enumerate(call.args):
            new = self._other_type(argument.value, edit) if argument.keyword is None else None
            if new is not None:
                return call.with_changes(args=with_argument(call.args, position, argument.with_changes(value=new)))
        # `Mapped[datetime]` alone says which type it is, and `Mapped[str]` too; but that is VARCHAR without a length,
        # which already behaves as text does.
        return self._typed(call, edit) if "DateTime" in edit.replaces else None

    def _typed(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        """Add a type to a ``mapped_column()`` that has its type only from ``Mapped[datetime]``."""
        positional = [arg for arg in call.args if arg.keyword is None and not arg.star]
        others = [arg for arg in positional if not isinstance(arg.value, cst.SimpleString) and not is_part(arg.value)]
        if called_name(call) != "mapped_column" or others or any(keyword_of(arg) == "type_" for arg in call.args):
            return None
        position = 1 if positional and isinstance(positional[0].value, cst.SimpleString) else 0
        new = self._in_the_manner_of(call.func, edit.expression, "DateTime")
        comma = call.args[0].comma if len(call.args) > 1 else cst.Comma(whitespace_after=space_after(call))
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
        self.needed.add(edit.expression.partition("(")[0])
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
            if assigned_name(line) == "__table_args__":
                changed = self._extended(line, remaining_edits)
                return [*body[:position], changed, *body[position + 1 :]]
        named = [i for i, line in enumerate(body) if assigned_name(line) == "__tablename__"]
        position = named[0] + 1 if named else int(is_docstring(body[0]))
        for edit in remaining_edits:
            self._made_index(edit)
        return [*body[:position], table_args_line([edit.expression for edit in remaining_edits]), *body[position:]]

    def _extended(self, line: cst.BaseStatement, remaining_edits: Sequence[Edit]) -> cst.BaseStatement:
        assert isinstance(line, cst.SimpleStatementLine)
        statement = line.body[0]
        assert isinstance(statement, cst.Assign | cst.AnnAssign)
        value = statement.value
        if not is_alone(line):
            return line
        if isinstance(value, cst.Tuple):
            new: cst.BaseExpression = self._longer(value, remaining_edits)
        elif value is not None and is_dictionary(value):
            new = cst.Tuple([*(cst.Element(self._made_index(edit)) for edit in remaining_edits), cst.Element(value)])
        else:
            return line
        return line.with_changes(body=[statement.with_changes(value=new)])

    def _longer(self, value: cst.Tuple, remaining_edits: Sequence[Edit]) -> cst.Tuple:
        """The new elements after the others but before a final dictionary, in the same layout."""
        elements = list(value.elements)
        # SQLAlchemy reads a dictionary of options only where it is the last element ("Declarative Table
        # Configuration").
        options = [elements.pop()] if elements and is_dictionary(elements[-1].value) else []
        between = comma_between([*elements, *options], value)
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
