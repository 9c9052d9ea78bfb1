"""Where models are written: file and line of classes, columns, tables and indexes, from the source's syntax tree."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from alembic_pgpatterns.output.files import read_regular
from alembic_pgpatterns.schema.origin import Location

_COLUMN_CALLS = frozenset({"Column", "mapped_column", "Field", "column"})
_ITEM_CALLS = frozenset(
    {
        "CheckConstraint",
        "ExcludeConstraint",
        "ForeignKey",
        "ForeignKeyConstraint",
        "Index",
        "PrimaryKeyConstraint",
        "UniqueConstraint",
    }
)


@dataclass(slots=True)
class ClassSource:
    """A class: its line and the lines of its attributes, by attribute name and by column name.

    ``column_calls``: the function that declares an attribute's column, as it is written. ``null_defaults``: attributes
    and columns with ``default=None``.
    """

    line: int
    end: int
    attributes: dict[str, int] = field(default_factory=dict)
    column_calls: dict[str, str] = field(default_factory=dict)
    null_defaults: set[str] = field(default_factory=set)


@dataclass(slots=True)
class TableSource:
    """A ``Table("name", …)`` call: its line, the lines of its Column calls, and the function, as it is written.

    ``null_defaults``: columns with ``default=None``.
    """

    line: int
    end: int
    columns: dict[str, int] = field(default_factory=dict)
    column_calls: dict[str, str] = field(default_factory=dict)
    null_defaults: set[str] = field(default_factory=set)


@dataclass(slots=True)
class FileSource:
    """The declarations in one file. ``items``: named constraints and indexes. Keys of ``classes`` are qualified names.

    ``calls``: lines of all constraints and indexes, by the called name and the columns that it names.

    ``metadata``: the line of its first ``MetaData(…)`` call, if there is one.
    """

    path: str
    classes: dict[str, ClassSource] = field(default_factory=dict)
    tables: dict[str, TableSource] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    calls: dict[tuple[str, tuple[str, ...]], list[int]] = field(default_factory=dict)
    metadata: int | None = None

    def at(self, line: int) -> Location:
        """A line of this file."""
        return Location(self.path, line)

    def call_within(self, place: ClassSource | TableSource, called: str, columns: tuple[str, ...]) -> Location | None:
        """The call for these columns inside a class or a Table."""
        lines = self.calls.get((called, columns), ())
        return next((self.at(line) for line in lines if place.line <= line <= place.end), None)


INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Folders of installed packages."""


class Sources:
    """The files of modules, each parsed once.

    Args:
        root: paths below it are given relative to it, others absolute; None is the current folder.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = (root or Path.cwd()).resolve()
        self._files: dict[str, FileSource | None] = {}

    def of_module(self, name: str) -> FileSource | None:
        """The source of an imported module; None if it has no readable source."""
        if name not in self._files:
            module = sys.modules.get(name)
            self._files[name] = self._read(module) if module is not None else None
        return self._files[name]

    def _read(self, module: ModuleType) -> FileSource | None:
        try:
            file = inspect.getsourcefile(module)
            if file is None:
                return None
            path = self._project_file(Path(file))
            return _file_source(path, self._shown(path), path.stat().st_mtime_ns)
        except (OSError, TypeError, SyntaxError, ValueError):
            return None

    def _project_file(self, path: Path) -> Path:
        """The project's file, where the module is an equal copy of it that was installed (``pip install .``)."""
        inside = next((number for number, part in enumerate(path.parts) if part in INSTALLED), None)
        if inside is None:
            return path
        copies = (self._root.joinpath(source, *path.parts[inside + 1 :]) for source in ("", "src"))
        return next((copy for copy in copies if _is_equal(copy, path)), path)

    def _shown(self, path: Path) -> str:
        resolved = path.resolve()
        return str(resolved.relative_to(self._root) if resolved.is_relative_to(self._root) else resolved)


def _is_equal(copy: Path, path: Path) -> bool:
    return copy.is_file() and copy.stat().st_size == path.stat().st_size and read_regular(copy) == read_regular(path)


@lru_cache(maxsize=1024)
def _file_source(path: Path, shown: str, changed: int) -> FileSource:
    """Cached until the file changes: autogenerate reads the models several times."""
    source = FileSource(shown)
    _Reader(source).visit(ast.parse(read_regular(path)))
    return source


class _Reader(ast.NodeVisitor):
    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._scope: list[str] = []
        self._classes: list[ClassSource] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        class_source = ClassSource(node.lineno, node.end_lineno or node.lineno)
        self._source.classes[".".join([*self._scope, node.name])] = class_source
        for statement in node.body:
            _note_attribute(class_source, statement)
        self._scope.append(node.name)
        self.generic_visit(node)
        self._scope.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._scope += [node.name, "<locals>"]
        self.generic_visit(node)
        del self._scope[-2:]

    def visit_Call(self, node: ast.Call) -> None:
        name, label = _called(node.func), _text(node.args[0]) if node.args else None
        if name in _ITEM_CALLS:
            keyword = next((_text(item.value) for item in node.keywords if item.arg == "name"), None)
            label = keyword or (label if name == "Index" else None)
            if label is not None:
                self._source.items.setdefault(label, node.lineno)
            self._source.calls.setdefault((name, _named_columns(name, node)), []).append(node.lineno)
        elif name == "MetaData" and self._source.metadata is None:
            self._source.metadata = node.lineno
        elif name == "Table" and label is not None:
            self._source.tables.setdefault(label, _table_source(node))
        self.generic_visit(node)


def _note_attribute(class_source: ClassSource, statement: ast.stmt) -> None:
    names: list[ast.expr]
    if isinstance(statement, ast.AnnAssign):
        names, value = [statement.target], statement.value
    elif isinstance(statement, ast.Assign):
        names, value = statement.targets, statement.value
    elif isinstance(statement, ast.FunctionDef):
        # @declared_attr
        class_source.attributes.setdefault(statement.name, statement.lineno)
        return
    else:
        return
    call = value if isinstance(value, ast.Call) and _called(value.func) in _COLUMN_CALLS else None
    column_name = _text(call.args[0]) if call is not None and call.args else None
    attributes = [name.id for name in names if isinstance(name, ast.Name)]
    class_source.attributes.update(dict.fromkeys(attributes, statement.lineno))
    if column_name is not None:
        class_source.attributes.setdefault(column_name, statement.lineno)
    if call is not None:
        written = dict.fromkeys((*attributes, column_name or ""), ast.unparse(_column_call(call).func))
        class_source.column_calls.update(written)
        if _defaults_to_null(_column_call(call)):
            class_source.null_defaults.update(written)


def _defaults_to_null(call: ast.Call) -> bool:
    """Whether ``default=None`` is written, of which a Column keeps nothing."""
    defaults = [item.value for item in call.keywords if item.arg == "default"]
    return any(isinstance(value, ast.Constant) and value.value is None for value in defaults)


def _column_call(call: ast.Call) -> ast.Call:
    """The call that makes the column: a Field of SQLModel takes no type, index or nullable beside ``sa_column``."""
    inner = (item.value for item in call.keywords if item.arg == "sa_column" and isinstance(item.value, ast.Call))
    return next(inner, call)


def _named_columns(called: str, node: ast.Call) -> tuple[str, ...]:
    arguments = node.args[1:] if called == "Index" else node.args
    if called == "ForeignKeyConstraint" and arguments and isinstance(arguments[0], (ast.List, ast.Tuple)):
        arguments = arguments[0].elts
    return tuple(name for name in map(_text, arguments) if name is not None)


def _table_source(table: ast.Call) -> TableSource:
    calls = _column_calls(table)
    lines = {name: call.lineno for name, call in calls.items()}
    written = {name: ast.unparse(call.func) for name, call in calls.items()}
    null_defaults = {name for name, call in calls.items() if _defaults_to_null(call)}
    return TableSource(table.lineno, table.end_lineno or table.lineno, lines, written, null_defaults)


def _column_calls(table: ast.Call) -> dict[str, ast.Call]:
    calls = [node for item in table.args for node in ast.walk(item) if isinstance(node, ast.Call)]
    named = [(call, _text(call.args[0])) for call in calls if call.args and _called(call.func) in _COLUMN_CALLS]
    return {name: call for call, name in named if name is not None}


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
