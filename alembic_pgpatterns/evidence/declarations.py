"""Classes and tables of a file: tables, columns, relationships, and what repositories are made for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from alembic_pgpatterns.evidence.hybrids import computed_of, of_self, sql_literal, tests_of
from alembic_pgpatterns.evidence.scope import statements
from alembic_pgpatterns.evidence.symbols import ClassDeclaration, ColumnDeclaration

Resolve = Callable[[ast.expr], str]
"""From an expression to its dotted path; empty where it is none."""

_COLUMNS = frozenset({"Column", "mapped_column", "Field", "column_property"})
_RELATIONSHIPS = frozenset({"relationship", "Relationship", "dynamic_loader"})
_MAPPED = frozenset({"Mapped", "WriteOnlyMapped", "DynamicMapped", "InstrumentedAttribute"})
_SNAKE = frozenset({"camel_to_snake", "camel2snake", "snake_case", "to_snake", "underscore", "camel_to_snake_case"})


def called_name(node: ast.expr | None) -> str:
    """The last word of what is called: ``sa.Column(…)`` is Column; empty where it is no call."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def constant_text(node: ast.AST | None) -> str:
    """The text of a constant; empty for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


AUTOMATIC = "auto"
"""The value of a member of an enumeration that Python chooses."""


def constants_of(node: ast.expr | None) -> tuple[str, ...]:
    """A constant, or the constants of a list, as SQL texts; none for anything else."""
    if isinstance(node, ast.Call) and called_name(node) in ("frozenset", "set", "tuple", "list") and node.args:
        return constants_of(node.args[0])
    items = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    texts = [sql_literal(item.value) if isinstance(item, ast.Constant) else None for item in items]
    return tuple(text for text in texts if text is not None) if None not in texts else ()


def read_class(node: ast.ClassDef, path: str, resolve: Resolve) -> ClassDeclaration:
    """What a class statement declares.

    Args:
        node: the statement.
        path: its dotted path.
        resolve: of names in this file.
    """
    result = ClassDeclaration(path, node.lineno)
    result.bases = tuple(filter(None, (resolve(_plain_base(base)) for base in node.bases)))
    result.arguments = tuple(filter(None, (resolve(item) for base in node.bases for item in _subscripts(base))))
    result.is_model = any(
        word.arg == "table" and isinstance(word.value, ast.Constant) and bool(word.value.value)
        for word in node.keywords
    )
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            result.methods += (statement.name,)
            _read_method(statement, result)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            _read_assignment(statement, result, resolve)
    return result


def _plain_base(base: ast.expr) -> ast.expr:
    return base.value if isinstance(base, ast.Subscript) else base


def _subscripts(base: ast.expr) -> list[ast.expr]:
    if not isinstance(base, ast.Subscript):
        return []
    return list(base.slice.elts) if isinstance(base.slice, ast.Tuple) else [base.slice]


def _read_method(statement: ast.FunctionDef | ast.AsyncFunctionDef, result: ClassDeclaration) -> None:
    decorators = {_decorator(item) for item in statement.decorator_list}
    returned = [item.value for item in statements(statement.body) if isinstance(item, ast.Return)]
    if statement.name == "__tablename__":
        result.declares_table = True
        result.table = next((text for item in returned if (text := constant_text(item))), "")
        result.naming = "" if result.table else _naming(statement)
    elif "declared_attr" in decorators or "declared_attr.directive" in decorators:
        for item in returned:
            _read_value(statement.name, item, statement.lineno, result, "")
    elif "hybrid_property" in decorators and len(returned) == 1:
        _read_hybrid(statement.name, returned[0], result)
    elif len(returned) == 1:
        # The SQL of a hybrid property stands below its Python, and says more: `@is_live.inplace.expression`.
        for decorator in (item.split(".") for item in decorators if item.endswith(".expression")):
            _read_hybrid(decorator[0], returned[0], result)


def _read_hybrid(name: str, value: ast.expr | None, result: ClassDeclaration) -> None:
    """A hybrid property that is another attribute, a test of some with constants, or a function of one."""
    attribute = of_self(value)
    tests, computed = tests_of(value), computed_of(value)
    if attribute:
        result.hybrids[name] = attribute
    elif tests:
        result.tests[name] = tests
    elif computed is not None:
        result.computed[name] = computed


def _decorator(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_decorator(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else called_name(node)


def _naming(statement: ast.AST) -> str:
    """How a table's name is made from its class's: ``cls.__name__.lower()`` or by a function for snake case."""
    names = {called_name(item) for item in ast.walk(statement) if isinstance(item, ast.Call)}
    return "snake" if names & _SNAKE or names & {"sub"} else "lower" if "lower" in names else ""


def _read_assignment(statement: ast.Assign | ast.AnnAssign, result: ClassDeclaration, resolve: Resolve) -> None:
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else statement.targets
    for target in targets:
        if isinstance(target, ast.Name):
            _read_attribute(target.id, statement, result, resolve)


def _read_attribute(
    name: str, statement: ast.Assign | ast.AnnAssign, result: ClassDeclaration, resolve: Resolve
) -> None:
    value, line = statement.value, statement.lineno
    annotation = statement.annotation if isinstance(statement, ast.AnnAssign) else None
    if name == "__tablename__":
        result.declares_table = True
        result.table = constant_text(value)
    elif name == "__table__" and called_name(value) == "Table":
        result.declares_table = True
        result.table, result.schema, columns = table_call(value)
        result.columns.update({column.attribute: column for column in columns})
    elif name == "__table_args__":
        result.schema = _schema_of(value) or result.schema
    elif not _read_value(name, value, line, result, _words(annotation)):
        mapped = isinstance(annotation, ast.Subscript) and _last(annotation.value) in _MAPPED
        if mapped and called_name(value) not in _RELATIONSHIPS:
            result.columns[name] = ColumnDeclaration(name, name, line, _words(annotation))
        elif value is None and annotation is not None:
            # A plain annotation is a column in SQLModel; `resolve` decides that by the bases.
            result.columns.setdefault(name, ColumnDeclaration(name, name, line, f"plain {_words(annotation)}"))
        elif isinstance(value, (ast.Name, ast.Attribute)) and (path := resolve(value)):
            result.values[name] = path
        elif values := (AUTOMATIC,) if called_name(value) == "auto" else constants_of(value):
            result.constants[name] = values


def _read_value(name: str, value: ast.expr | None, line: int, result: ClassDeclaration, kind: str) -> bool:
    """Whether the value is a column or a relationship."""
    called = called_name(value)
    if called == "deferred" and isinstance(value, ast.Call) and value.args:
        return _read_value(name, value.args[0], line, result, kind)
    if called in _COLUMNS and isinstance(value, ast.Call):
        result.columns[name] = _column(name, value, line, kind)
        return True
    if called in _RELATIONSHIPS and isinstance(value, ast.Call):
        result.relationships[name] = _target(value, kind)
        return True
    return False


def _column(attribute: str, call: ast.Call, line: int, kind: str) -> ColumnDeclaration:
    name = constant_text(call.args[0]) if call.args and called_name(call) != "Field" else ""
    words = {word.arg: word.value for word in call.keywords}
    name = constant_text(words.get("name")) or name or attribute
    nested = words.get("sa_column")
    if isinstance(nested, ast.Call) and nested.args:
        name = constant_text(nested.args[0]) or name
    primary = words.get("primary_key")
    types = " ".join(
        _words(item) for item in (*call.args, *(words.get(key) for key in ("type_", "sa_type", "sa_column")))
    )
    key = isinstance(primary, ast.Constant) and primary.value is True
    types += " values_callable" if any(item.arg == "values_callable" for item in _keywords(call)) else ""
    return ColumnDeclaration(attribute, name, line, f"{kind} {types}", key, _referenced(call))


def _keywords(call: ast.Call) -> Iterator[ast.keyword]:
    """The keywords of a column and of its type."""
    yield from call.keywords
    for argument in (*call.args, *(word.value for word in call.keywords)):
        yield from argument.keywords if isinstance(argument, ast.Call) else ()


def _referenced(call: ast.Call) -> str:
    """The table of ``ForeignKey("schema.table.column")``; of ``ForeignKey(Team.id)`` nothing is known here."""
    words = {word.arg: word.value for word in call.keywords}
    plain = constant_text(words.get("foreign_key"))  # SQLModel
    for argument in (*call.args, *([words["sa_column"]] if "sa_column" in words else [])):
        if called_name(argument) == "ForeignKey" and isinstance(argument, ast.Call) and argument.args:
            plain = constant_text(argument.args[0]) or plain
        elif called_name(argument) in _COLUMNS and isinstance(argument, ast.Call):
            return _referenced(argument)
    return plain.rpartition(".")[0]


def _target(call: ast.Call, annotation: str) -> str:
    """The class a relationship leads to, as it is named: the argument, else the last word of the annotation."""
    first = call.args[0] if call.args else next((w.value for w in call.keywords if w.arg == "argument"), None)
    if isinstance(first, ast.Lambda):
        first = first.body
    named = constant_text(first) or (_last(first) if first is not None else "")
    return named.rsplit(".", 1)[-1] or (annotation.split() or [""])[-1]


def _words(node: ast.AST | None) -> str:
    """All names in an expression, for a look at types: ``Mapped[list[str] | None]`` is "Mapped list str"."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and len(node.value) < 80 else ""
    names = (
        item.id if isinstance(item, ast.Name) else item.attr if isinstance(item, ast.Attribute) else constant_text(item)
        for item in ast.walk(node)
    )
    return " ".join(name for name in names if name)


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _schema_of(value: ast.expr | None) -> str:
    items = value.elts if isinstance(value, ast.Tuple) else [value]
    for item in items:
        if isinstance(item, ast.Dict):
            for key, entry in zip(item.keys, item.values, strict=True):
                if constant_text(key) == "schema":
                    return constant_text(entry)
    return ""


def table_call(value: ast.expr | None) -> tuple[str, str, list[ColumnDeclaration]]:
    """Name, schema and columns of ``Table("name", metadata, Column(…), schema=…)``."""
    if not isinstance(value, ast.Call) or not value.args:
        return "", "", []
    schema = next((constant_text(word.value) for word in value.keywords if word.arg == "schema"), "")
    return constant_text(value.args[0]), schema, list(_columns_of(value))


def _columns_of(call: ast.Call) -> Iterator[ColumnDeclaration]:
    for argument in call.args[2:]:
        if called_name(argument) == "Column" and isinstance(argument, ast.Call) and argument.args:
            name = constant_text(argument.args[0])
            if name:
                yield _column(name, argument, argument.lineno, "")
