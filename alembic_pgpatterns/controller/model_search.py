"""Where a project's models are, read from its files: for projects whose env.py does not name them."""

from __future__ import annotations

import ast
import itertools
import os
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.processes import newer_python
from alembic_pgpatterns.schema.names import Name

MOST = 60
"""Modules that are named; a project with more is to say it itself."""
_NOT_SEARCHED = frozenset(
    {"node_modules", "site-packages", "tests", "test", "build", "dist", "__pycache__", "versions"}
)


def models_of(migrations: Path, tables: Collection[Name] | None) -> tuple[str, ...]:
    """The modules that declare some of the tables, as the setting ``models`` has them; empty if there are none.

    Args:
        migrations: the folder of env.py.
        tables: of the database at head; None: any table counts, in the package around the migrations.
    """
    root = import_root(migrations.absolute())
    start = _top_package(migrations.absolute(), root) if tables is not None else migrations.absolute().parent
    names = {table.name for table in tables} if tables is not None else None
    declared = ((path, _declared(path)) for path in sorted(project_files(start)))
    result = [_module(path, root) for path, packages in declared if (packages if names is None else packages & names)]
    return tuple(result) if len(result) <= MOST else ()


_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_INSTALLED = ("site-packages", "dist-packages")


def import_root(migrations: Path) -> Path:
    """The folder from which the package that holds the migrations is imported; else the one beside them.

    A package need not have an ``__init__.py`` (PEP 420): then it is the folder by whose name its own files import.
    """
    for folder in migrations.parents:
        if folder.name in _INSTALLED:
            return folder
    root = migrations.parent
    while (root / "__init__.py").exists():
        root = root.parent
    return next((folder.parent for folder in reversed(_above(root)) if _imports(folder, folder.name)), root)


def roots_of(migrations: Path) -> list[Path]:
    """The folders from which the project may import its packages: of the migrations' own, and those above it.

    A repository with several programs keeps what they share beside them. It ends at its ``.git``.
    """
    root = import_root(migrations.absolute())
    above = [root, *root.parents][:_LEVELS]
    last = next((number for number, folder in enumerate(above) if (folder / ".git").exists()), _LEVELS)
    return above[: last + 1]


def holds_module(folder: Path, name: str) -> bool:
    """Whether a package or a module of that name is in a folder."""
    return (folder / name / "__init__.py").exists() or (folder / f"{name}.py").exists()


_MOST_FILES = 400
_LEVELS = 3
"""Folders that a package without ``__init__.py`` may be above the migrations' own."""


def _above(start: Path) -> list[Path]:
    """A folder and those above it, as long as they may be packages: below the current folder and a project's own."""
    folders: list[Path] = []
    for folder in (start, *start.parents)[:_LEVELS]:
        if folder == Path.cwd() or any((folder / name).exists() for name in _PROJECT_FILES):
            break
        folders.append(folder)
    return folders


def _imports(folder: Path, name: str) -> bool:
    """Whether a file below a folder imports from a package of this name; only so many files are read."""
    imported = re.compile(rf"^\s*(?:from|import)\s+{re.escape(name)}\b", re.MULTILINE)
    return any(imported.search(_text_of(path)) for path in itertools.islice(project_files(folder), _MOST_FILES))


def _text_of(path: Path) -> str:
    try:
        return read_text(path, "replace")
    except OSError:
        return ""


def _top_package(migrations: Path, root: Path) -> Path:
    return root / migrations.relative_to(root).parts[0] if migrations.parent != root else root


def project_files(folder: Path) -> Iterator[Path]:
    """The Python files below a folder, without those of tests, revisions, and other environments."""
    for place, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name not in _NOT_SEARCHED and not name.startswith(".") and not Path(place, name, "pyvenv.cfg").exists()
        ]
        yield from (Path(place, name) for name in files if name.endswith(".py") and not name.startswith("test_"))


def _module(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    for number in (number for number, part in enumerate(parts[:-1]) if part in _SOURCES):
        if not _is_package(root.joinpath(*parts[: number + 1])):
            parts = parts[number + 1 :]
            break
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


_SOURCES = ("src", "lib")
"""Folders from which packages are imported (the src layout), unless they are packages themselves."""


@cache
def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").exists() or _imports(folder, folder.name)


def _declared(path: Path) -> set[str]:
    """The tables that a file declares: ``__tablename__`` of classes, and the first argument of ``Table``."""
    try:
        text = read_text(path)
        if not any(word in text for word in _DECLARES):
            return set()
        tree = newer_python.parse(text)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return set()
    return {name for node in _at_import(tree) for name in _names(node)}


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but those in functions, whose tables are in no MetaData that the module holds."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        yield node
        left += (
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        )


_DECLARES = ("__tablename__", "Table(", "table=True", "mapped_column(", "Mapped[", "Column(")


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        if any(keyword.arg == "table" for keyword in node.keywords):  # SQLModel's own way
            yield node.name.lower()
        if any(_is_column(item) for item in node.body):  # Flask-SQLAlchemy and advanced-alchemy derive a name
            yield re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", node.name).lower()
        for item in node.body:
            if isinstance(item, ast.Assign | ast.AnnAssign) and _target(item) == "__tablename__":
                yield from _text(item.value)
    elif isinstance(node, ast.Call) and node.args and _called(node.func) == "Table" and not _is_reflected(node):
        yield from _text(node.args[0])


def _is_reflected(call: ast.Call) -> bool:
    """Whether a ``Table`` is read from a database (``autoload_with``, and ``autoload`` up to SQLAlchemy 1.4)."""
    return any(str(keyword.arg).startswith("autoload") for keyword in call.keywords)


def _is_column(item: ast.stmt) -> bool:
    if isinstance(item, ast.AnnAssign) and isinstance(item.annotation, ast.Subscript):
        return _called(item.annotation.value) == "Mapped"
    value = item.value if isinstance(item, ast.Assign) else None
    return isinstance(value, ast.Call) and _called(value.func) in ("Column", "mapped_column")


def _target(item: ast.Assign | ast.AnnAssign) -> str:
    target = item.targets[0] if isinstance(item, ast.Assign) else item.target
    return target.id if isinstance(target, ast.Name) else ""


def _called(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _text(value: ast.expr | None) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
