"""One file of an application: its classes and its functions' queries, from the syntax tree alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import copy
from dataclasses import replace

from alembic_pgpatterns.evidence.chains import Chains
from alembic_pgpatterns.evidence.conditions import add, key_of
from alembic_pgpatterns.evidence.declarations import called_name, constants_of, read_class, table_call
from alembic_pgpatterns.evidence.deletions import deleted_rows
from alembic_pgpatterns.evidence.other_databases import databases_of
from alembic_pgpatterns.evidence.raw_sql import condition_shapes, statement_shapes
from alembic_pgpatterns.evidence.scope import (
    VARIES,
    Conditions,
    Constant,
    Items,
    Ref,
    Scope,
    Value,
    Words,
    imports_of,
    statements,
)
from alembic_pgpatterns.evidence.symbols import ClassDeclaration, FileFacts, FunctionFacts, Link, PathQuery
from alembic_pgpatterns.evidence.values import naive_uses, text_uses
from alembic_pgpatterns.processes import newer_python

Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_file(source: str, path: str, module: str) -> FileFacts:
    """What a file says.

    Args:
        source: its text.
        path: for places, relative to the project.
        module: its dotted name.

    Raises:
        SyntaxError, ValueError: it is no Python of this version.
    """
    tree = newer_python.parse(source)
    facts = FileFacts(path, module, source.count("\n") + 1, databases=databases_of(source, tree))
    facts.naive, facts.as_text = naive_uses(source, tree), text_uses(source, tree)
    imports = imports_of(tree, module, path.endswith("__init__.py"))
    _Module(facts, imports, tree).read()
    facts.aliases = {name: target for name, target in imports.items() if "." in target}
    return facts


class _Module:
    def __init__(self, facts: FileFacts, imports: dict[str, str], tree: ast.Module) -> None:
        self.facts, self.imports, self.tree = facts, imports, tree
        self.defined = frozenset(_defined(tree))
        self.variables: dict[str, Value] = {}

    def read(self) -> None:
        top = [
            node
            for node in self.tree.body
            if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        ]
        for node in top:
            self._core_table(node)
            self._constant(node)
        self._statements(top, f"{self.facts.module}.<module>")
        self._nested(self.tree.body, self.facts.module, "")

    def _constant(self, node: ast.stmt) -> None:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and (values := constants_of(node.value)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and target.id.isupper():
                    self.facts.constants[target.id] = values

    def _core_table(self, node: ast.stmt) -> None:
        if (
            isinstance(node, ast.Assign)
            and called_name(node.value) == "Table"
            and isinstance(node.targets[0], ast.Name)
        ):
            table, schema, columns = table_call(node.value)
            if table:
                declaration = ClassDeclaration(
                    f"{self.facts.module}.{node.targets[0].id}", node.lineno, table=table, schema=schema
                )
                declaration.declares_table = declaration.is_model = declaration.is_core = True
                declaration.columns = {column.attribute: column for column in columns}
                self.facts.classes.append(declaration)

    def _nested(self, body: list[ast.stmt], prefix: str, owner: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                path = f"{prefix}.{node.name}"
                scope = Scope(self.facts.module, self.imports, self.defined)
                self.facts.classes.append(read_class(node, path, scope.path))
                self._nested(node.body, path, path)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._function(node, f"{prefix}.{node.name}", owner)
            elif isinstance(node, (ast.If, ast.Try)):
                self._nested(
                    [child for child in node.body if isinstance(child, (ast.ClassDef, Function))], prefix, owner
                )

    def _statements(self, body: list[ast.stmt], path: str) -> None:
        reader = FunctionReader(FunctionFacts(path), self.facts, Scope(self.facts.module, self.imports, self.defined))
        reader.run(body)
        self.variables = reader.scope.variables
        if reader.queries:
            self.facts.functions.append(reader.facts)

    def _scope(self, owner: str = "") -> Scope:
        """The names that a function sees, with the module's short ones: ``s = specimen.c``."""
        variables: dict[str, Value] = {
            name: Conditions(list(map(copy, value.items)), value.complete) if isinstance(value, Conditions) else value
            for name, value in self.variables.items()
            if isinstance(value, (Conditions, Ref)) or (name.isupper() and isinstance(value, (Constant, Items)))
        }
        return Scope(self.facts.module, self.imports, self.defined, owner, variables)

    def _function(self, node: Function, path: str, owner: str) -> None:
        facts = FunctionFacts(path, owner)
        reader = FunctionReader(facts, self.facts, self._scope(owner))
        reader.parameters(node)
        reader.run(node.body)
        if facts.queries:
            self.facts.functions.append(facts)
        inner = [child for child in statements(node.body) if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))]
        for child in inner:
            self._inner(child, f"{path}.{child.name}", owner)

    def _inner(self, node: Function, path: str, owner: str) -> None:
        facts = FunctionFacts(path, owner)
        reader = FunctionReader(facts, self.facts, self._scope(owner))
        reader.parameters(node)
        reader.run(node.body)
        if facts.queries:
            self.facts.functions.append(facts)


def _of_classes(value: Value) -> Value:
    """A list of classes, such as a loop goes through: its variable stands for each of them."""
    listed = value.values if isinstance(value, Items) else []
    is_known = all(isinstance(item, Ref) and item.path.rpartition(".")[2][:1].isupper() for item in listed)
    return value if listed and is_known else None


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in statements(tree.body):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
    for statement in tree.body:
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            if isinstance(target, ast.Name):
                yield target.id


class FunctionReader(Chains):
    """Runs the statements of a function in the order of the source, both branches of each ``if``."""

    def __init__(self, facts: FunctionFacts, file: FileFacts, scope: Scope) -> None:
        self.facts, self.file, self.scope = facts, file, scope
        self.queries = facts.queries

    def parameters(self, node: Function) -> None:
        """Bind the parameters: to what their annotation names, or to a query that a caller hands over."""
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        self.facts.parameters = tuple(argument.arg for argument in arguments)
        for argument in arguments:
            if argument.arg not in ("self", "cls"):
                self.scope.variables[argument.arg] = self._parameter(argument)
        if node.args.vararg is not None:
            self.scope.variables[node.args.vararg.arg] = Conditions(handed=True)
        if node.args.kwarg is not None:
            self.scope.variables[node.args.kwarg.arg] = Words(handed=True)

    def _parameter(self, argument: ast.arg) -> Value:
        annotation = argument.annotation
        if isinstance(annotation, ast.Subscript):
            name = self.scope.path(annotation.value).rsplit(".", 1)[-1]
            if name in ("Select", "Query", "Update", "Delete", "SelectOfScalar"):
                return self._handed_over(argument.arg)
            if name == "Annotated" and isinstance(annotation.slice, ast.Tuple):
                annotation = annotation.slice.elts[0]
            elif name in ("type", "Type"):
                return Ref(self.scope.path(annotation.slice)) if self.scope.path(annotation.slice) else None
        path = self.scope.path(annotation) if annotation is not None else ""
        if path.rsplit(".", 1)[-1] in ("Select", "Query", "Update", "Delete"):
            return self._handed_over(argument.arg)
        if path:
            return Ref(f"@{path}")
        return self._handed_over(argument.arg) if argument.arg in ("query", "stmt", "statement", "q") else None

    def _handed_over(self, name: str) -> PathQuery:
        return PathQuery(0, link=Link(parameter=name))

    def run(self, body: list[ast.stmt]) -> None:
        """Run statements."""
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                self._assign(targets, self.value(value))
            case ast.AnnAssign(target=target) if node.value is not None:
                self._assign([target], self.value(node.value))
            case ast.AugAssign(target=ast.Name(id=name), value=value):
                self._extend(name, self.value(value))
            case ast.Return(value=value) if value is not None:
                self._return(self.value(value))
            case ast.Expr(value=value):
                self.value(value)
            case ast.If(test=test):
                self.value(test)
                self._branches(node.body, node.orelse)
            case ast.For() | ast.AsyncFor():
                self._assign([node.target], _of_classes(self.value(node.iter)))
                self._branches(node.body, node.orelse)
            case ast.While():
                self._branches(node.body, node.orelse)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    entered = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self._assign([item.optional_vars], entered if isinstance(entered, Ref) else None)
                self.run(node.body)
            case ast.Try():
                for part in (node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody):
                    self.run(part)
            case ast.Match():
                for case in node.cases:
                    self._branches(case.body, [])
            case ast.Assert() | ast.Raise() | ast.Delete():
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)

    def _branches(self, *bodies: list[ast.stmt]) -> None:
        self.scope.depth += 1
        for body in bodies:
            self.run(body)
        self.scope.depth -= 1

    def _assign(self, targets: list[ast.expr], value: Value) -> None:
        for target in targets:
            if isinstance(target, ast.Name):
                self.scope.variables[target.id] = value
            elif isinstance(target, ast.Tuple):
                for item in target.elts:
                    if isinstance(item, ast.Name):
                        self.scope.variables[item.id] = None
            elif isinstance(target, ast.Attribute):
                if not (isinstance(value, Constant) and value.value in (None, False)):
                    head = self.scope.path(target.value)
                    self.file.assigned.add(f"{head if head.startswith('@') else '?'}.{target.attr}")
            elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                words = self.value(target.value)
                if isinstance(words, Words) and isinstance(target.slice.value, str):
                    words.values[target.slice.value] = value

    def _extend(self, name: str, value: Value) -> None:
        before = self.scope.variables.get(name)
        if isinstance(before, Items):
            before.values += value.values if isinstance(value, Items) else [value]
        elif isinstance(before, Conditions):
            add(before, value)

    def _return(self, value: Value) -> None:
        if isinstance(value, PathQuery):
            if value not in self.queries:
                self.queries.append(value)
            self.facts.returned.append(next(n for n, item in enumerate(self.queries) if item is value))

    def value(self, node: ast.expr) -> Value:
        """What an expression is."""
        match node:
            case ast.Call():
                return self.call(node)
            case ast.Name(id=name) if name in self.scope.variables:
                return self.scope.variables[name]
            case ast.Name() | ast.Attribute():
                return self._attribute(node)
            case ast.Constant(value=value):
                return Constant(value)
            case ast.Compare():
                return self.compare(node)
            case ast.UnaryOp() | ast.BinOp() | ast.BoolOp():
                return self._operators(node)
            case ast.Await(value=inner) | ast.NamedExpr(value=inner) | ast.Starred(value=inner):
                return self._inner_value(node, inner)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return Items([self.value(item) for item in items], self.scope.depth)
            case ast.Dict():
                return self._dictionary(node)
            case ast.IfExp():
                return self._either(node)
            case ast.Subscript():
                return self._subscript(node)
            case ast.JoinedStr(values=parts):
                texts = (str(part.value) if isinstance(part, ast.Constant) else VARIES for part in parts)
                return Constant("".join(texts), prefix=True)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self._comprehension(node)
            case ast.Lambda(body=body):
                return self.value(body)
        return None

    def _inner_value(self, node: ast.expr, inner: ast.expr) -> Value:
        value = self.value(inner)
        if isinstance(node, ast.NamedExpr):
            self._assign([node.target], value)
        return value

    def _operators(self, node: ast.UnaryOp | ast.BinOp | ast.BoolOp) -> Value:
        if isinstance(node, ast.BoolOp):
            values = [self.value(item) for item in node.values]
            return next((value for value in values if isinstance(value, (PathQuery, Conditions))), None)
        return self.boolean(node)

    def _attribute(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Attribute):
            below = self.value(node.value) if isinstance(node.value, (ast.Call, ast.Subscript)) else None
            if isinstance(below, Ref) and node.attr == "astext":
                return replace(below, taken_out=True)
            if isinstance(below, PathQuery):
                return below if node.attr in ("scalar", "c", "columns") else None
            if node.attr == "astext":
                inner = self.value(node.value)
                return replace(inner, taken_out=True) if isinstance(inner, Ref) else None
        path = self.scope.path(node)
        path = path.replace(".c.", ".").replace(".columns.", ".")
        return Ref(path) if path else None

    def _subscript(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        if isinstance(value, Ref) and not isinstance(node.slice, ast.Slice):
            if value.path.endswith(".c") and isinstance(node.slice, ast.Constant):
                return Ref(f"{value.path[:-2]}.{node.slice.value!s}")
            return Ref(value.path, taken_out=True, keys=(*value.keys, key_of(self.value(node.slice))))
        if isinstance(value, PathQuery) and isinstance(node.slice, ast.Slice):
            query = self.step_from(value)
            query.limit = True
            return query
        return None

    def _either(self, node: ast.IfExp) -> Value:
        first, second = self.value(node.body), self.value(node.orelse)
        return first if first is not None and not (isinstance(first, Constant) and first.value is None) else second

    def _dictionary(self, node: ast.Dict) -> Value:
        result = Words()
        for key, item in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                result.values[key.value] = self.value(item)
            else:
                self.value(item)
                result.complete = False
        return result

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
        for generator in node.generators:
            self.value(generator.iter)
        outer = dict(self.scope.variables)
        for generator in node.generators:
            self._assign([generator.target], None)
        value = self.value(node.elt)
        self.scope.variables = outer
        return Items([value], self.scope.depth)

    def text(self, node: ast.Call) -> Value:
        """SQL in a text: whole statements are queries of their own, a fragment is a condition that is read later."""
        value = self.value(node.args[0])
        if isinstance(value, Constant) and isinstance(value.value, str) and not value.prefix:
            shapes = statement_shapes(value.value, node.lineno)
            for shape in shapes:
                shape.function = self.facts.path.rsplit(".", 1)[-1]
            self.file.texts += shapes
            if not shapes:
                return condition_shapes(value.value)
        return None

    def deleted(self, session: ast.expr, row: ast.expr) -> None:
        """Note what ``session.delete(row)`` deletes."""
        value = self.value(row) if isinstance(row, ast.Name) else None
        self.file.deleted |= deleted_rows(session, row, value)

    def varies(self, path: str) -> None:
        """Note that what may be a column is compared with a variable value, maybe for a query of another function."""
        self.file.varying.add(path)

    def created(self, path: str, line: int) -> None:
        """Note that something was called, and with which paths as arguments."""
        self.file.created.setdefault(path, line)
