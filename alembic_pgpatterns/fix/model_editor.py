"""Makes the edits in a model's syntax tree. Imported only if LibCST is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import libcst as cst
from libcst.metadata import PositionProvider

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
    is_mapped,
    item_names,
    keyword_of,
    makes_table,
    may_be_dictionary,
    refers,
    space_after,
    table_args_line,
    table_names,
    target_name,
    text_of,
    types_of,
    unindexed_column,
    with_argument,
    with_collation,
    with_keyword,
)
from alembic_pgpatterns.fix.model_types import TypeWriter


class Editor(cst.CSTTransformer):
    """Makes edits in mapped classes and in ``Table(...)``. ``made``: the edits whose place was found.

    ``needed``: names to import, by package; ``replaced``: names of sqlalchemy whose import may be unused now.
    """

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.edits = edits
        self.made: list[Edit] = []
        self.needed: dict[str, set[str]] = {"sqlalchemy": set(), "sqlalchemy.orm": set(), "sqlmodel": set()}
        self.replaced: set[str] = set()
        self.types = TypeWriter(self.needed["sqlalchemy"], self.replaced)

        self.inherited: dict[str, frozenset[str]] = {}
        """By the name of a class without a table of its own: the tables of its ancestors in this file."""
        self.below: set[tuple[str, str]] = set()
        """Tables, and columns of theirs that such a class declares (single-table inheritance)."""

    def visit_Module(self, node: cst.Module) -> None:
        """Which classes share a table: an index in the ``__table_args__`` of one cannot name a column of the other."""
        tables: dict[str, frozenset[str]] = {}
        for line in node.body:
            if isinstance(line, cst.ClassDef):
                named = any(assigned_name(item) == "__tablename__" for item in line.body.body)
                bases = [base.value.value for base in line.bases if isinstance(base.value, cst.Name)]
                of_bases = frozenset(table for base in bases for table in tables.get(base, ()))
                tables[line.name.value] = table_names(line) if named else of_bases
                if not named and of_bases:
                    self.inherited[line.name.value] = of_bases
                    self.below |= {(table, name) for table in of_bases for name in _columns(line)}

    def visit_Import(self, node: cst.Import) -> None:
        """``import sqlalchemy as sa``: how the file names types."""
        self.types.see_import(node)

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        """``from sqlalchemy import orm``, or names of types."""
        self.types.see_import_from(node)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        """A mapped class: its columns, then its ``__table_args__``; or a mixin with columns of several tables."""
        updated_node = self._with_declared_columns(original_node, updated_node)
        edits = self._not_there_yet(list(self._edits_of(updated_node)), updated_node)
        if not edits or not isinstance(updated_node.body, cst.IndentedBlock):
            return updated_node
        is_table = makes_table(updated_node)
        body = [self._column_line(line, edits, is_table) for line in updated_node.body.body]
        body = [remaining for line in body for remaining in self._without(line, edits)]
        remaining_edits = [edit for edit in edits if edit not in self.made and _is_of_table(edit)]
        if remaining_edits:
            body = self._with_table_args(body, remaining_edits)
        return updated_node.with_changes(body=updated_node.body.with_changes(body=body))

    def _edits_of(self, node: cst.ClassDef) -> Iterator[Edit]:
        """The edits of a class: of its table, without those of columns that a subclass declares; or of such columns."""
        names, inherited = table_names(node), self.inherited.get(node.name.value, frozenset())
        columns = _columns(node) if inherited else frozenset()
        for edit in self.edits:
            if edit in self.made:
                continue
            if edit.table in inherited:
                if edit.column in columns and (edit.simple or not edit.expression.startswith("Index(")):
                    yield edit
            elif edit.table in names and not any((edit.table, name) in self.below for name in _named(edit)):
                yield edit

    def _with_declared_columns(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        """The class with the new types of columns that are declared at a line of it, whatever its table is."""
        body, edits = updated_node.body, [edit for edit in self.edits if edit.line is not None]
        if not edits or not isinstance(body, cst.IndentedBlock):
            return updated_node
        lines: list[cst.BaseStatement] = []
        for original, line in zip(original_node.body.body, body.body, strict=True):
            assert isinstance(line, cst.BaseStatement)
            span = self.get_metadata(PositionProvider, original)
            # All tables of a mixin ask for the same edit. The first makes it, and the others find it made.
            here = [edit for edit in edits if edit.line is not None and span.start.line <= edit.line <= span.end.line]
            lines.append(self._column_line(line, here, makes_table(updated_node)) if here else line)
        return updated_node.with_changes(body=body.with_changes(body=lines))

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """``Table("book", metadata, Column(...))``."""
        if called_name(updated_node) != "Table" or not updated_node.args:
            return updated_node
        name = text_of(updated_node.args[0].value)
        edits = [edit for edit in self.edits if edit.table == name and edit not in self.made]
        edits = self._not_there_yet(edits, updated_node)
        arguments = [self._column_argument(argument, edits) for argument in updated_node.args]
        arguments = [item for item in arguments if not self._is_removed(item.value, edits)]
        remaining_edits = [edit for edit in edits if edit not in self.made and _is_of_table(edit)]
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

    def _column_line(self, line: cst.BaseStatement, edits: Sequence[Edit], is_table: bool) -> cst.BaseStatement:
        if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
            return line
        statement = line.body[0]
        value = getattr(statement, "value", None)
        if isinstance(statement, cst.AnnAssign) and value is None:
            return line.with_changes(body=[self._with_function(statement, edits, is_table)])
        if not isinstance(statement, cst.Assign | cst.AnnAssign) or not isinstance(value, cst.Call):
            return line
        if not (is_column(value) or is_field(value)):
            return line
        changed = self._column(value, target_name(statement), edits)
        return line.with_changes(body=[statement.with_changes(value=changed)])

    def _with_function(self, statement: cst.AnnAssign, edits: Sequence[Edit], is_table: bool) -> cst.AnnAssign:
        """``at: Mapped[datetime]`` with the ``mapped_column()``, or SQLModel's Field, that its change needs."""
        mapped = is_mapped(statement.annotation.annotation)
        if mapped is None and not is_table:
            return statement
        name, package = ("Field", "sqlmodel") if mapped is None else ("mapped_column", "sqlalchemy.orm")
        function: cst.BaseExpression = cst.Name(name)
        if isinstance(mapped, cst.Attribute):
            function = cst.Attribute(mapped.value, cst.Name(name))
        of_column = [edit for edit in edits if edit.replaces or edit.keyword]
        call = self._column(cst.Call(function), target_name(statement), of_column)
        if not call.args:
            return statement
        if isinstance(function, cst.Name):
            self.needed[package].add(name)
        return statement.with_changes(value=call)

    def _column(self, call: cst.Call, attribute: str | None, edits: Sequence[Edit]) -> cst.Call:
        # The first argument of SQLModel's Field is a default.
        unnamed = call.args and call.args[0].keyword is None and not is_field(call)
        first = call.args[0].value if unnamed else None
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
        if edit.keyword:
            return with_keyword(call, edit.keyword, cst.parse_expression(edit.expression))
        return indexed_column(call) if edit.simple else self._retyped(call, edit)

    def _changed_field(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        """SQLModel's ``Field(...)``: its Column, or its ``sa_type``; None if it is changed as any column is.

        It takes no ``index`` and no type beside ``sa_column`` (SQLModel raises RuntimeError).
        """
        places = {keyword_of(argument): position for position, argument in enumerate(call.args)}
        position = places.get("sa_column", places.get("sa_type"))
        if position is None or (edit.keyword and "sa_column" not in places):
            return None if edit.simple or edit.removes or edit.keyword else self._with_sa_type(call, edit, places)
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
        if "max_length" not in places and edit.expression == "Text":
            return None
        return with_keyword(call, "sa_type", self.types.beside(cst.Name("Field"), edit.expression))

    def _other_type(self, value: cst.BaseExpression, edit: Edit) -> cst.BaseExpression | None:
        """The new type in place of a type that the edit replaces, or that is the new one; None if it is another one."""
        kind = value.func if isinstance(value, cst.Call) else value
        named = kind.attr.value if isinstance(kind, cst.Attribute) else getattr(kind, "value", None)
        if named == edit.expression:
            return value
        if named not in edit.replaces or has_comment(value):
            return None
        new = self.types.in_place_of(kind, edit.expression, str(named))
        return with_collation(new, value) if isinstance(value, cst.Call) and edit.expression == "Text" else new

    def _retyped(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        for position, argument in enumerate(call.args):
            new = self._other_type(argument.value, edit) if argument.keyword is None else None
            if new is not None:
                return call.with_changes(args=with_argument(call.args, position, argument.with_changes(value=new)))
        return self._typed(call, edit)

    def _typed(self, call: cst.Call, edit: Edit) -> cst.Call | None:
        """Add a type to a ``mapped_column()`` that has its type only from the annotation, whatever that says.

        An explicit type comes before that of ``Mapped[...]``, and of an ``Annotated`` with a ``mapped_column()`` in it
        (``Column._merge`` of SQLAlchemy 2.0).
        """
        if types_of(call) or any(keyword_of(arg) == "type_" for arg in call.args):
            return None
        if refers(call):
            # Without a type, SQLAlchemy gives it that of the column that it refers to, which changes with it.
            return call
        if called_name(call) != "mapped_column":
            return None
        positional = [arg for arg in call.args if arg.keyword is None]
        position = 1 if positional and isinstance(positional[0].value, cst.SimpleString) else 0
        new = self.types.beside(call.func, edit.expression)
        if not call.args:
            return call.with_changes(args=[cst.Arg(new)])
        comma = call.args[0].comma if len(call.args) > 1 else cst.Comma(whitespace_after=space_after(call))
        if position < len(call.args):
            added = cst.Arg(new, comma=comma)
            return call.with_changes(args=[*call.args[:position], added, *call.args[position:]])
        before = [arg.with_changes(comma=comma) for arg in call.args]
        return call.with_changes(args=[*before, cst.Arg(new)])

    def _made_index(self, edit: Edit) -> cst.BaseExpression:
        self.made.append(edit)
        self.needed["sqlalchemy"].add(edit.expression.partition("(")[0])
        if "text(" in edit.expression:
            self.needed["sqlalchemy"].add("text")
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
        # Configuration"). A name there may be that of one.
        options = [elements.pop()] if elements and may_be_dictionary(elements[-1].value) else []
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


def _is_of_table(edit: Edit) -> bool:
    """Whether the edit adds something to the table, and not to one of its columns."""
    return not (edit.replaces or edit.removes or edit.keyword)


def _columns(node: cst.ClassDef) -> frozenset[str]:
    """The names that a class gives values to, its columns among them."""
    return frozenset(name for name in map(assigned_name, node.body.body) if name is not None)


def _named(edit: Edit) -> Iterator[str]:
    """The columns that an edit names."""
    if edit.column is not None:
        yield edit.column
    call = cst.parse_expression(edit.expression) if edit.expression.startswith("Index(") else None
    for argument in call.args[1:] if isinstance(call, cst.Call) else ():
        name = text_of(argument.value)
        if argument.keyword is None and name is not None:
            yield name
