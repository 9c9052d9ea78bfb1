"""Where a project makes what its env.py asks for, read from its files: an application, or its configuration."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic_pgpatterns.controller.model_search import project_files
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.processes import newer_python

_CONFIGURATIONS = ("SQLAlchemyAsyncConfig", "SQLAlchemySyncConfig")
_PLUGINS = ("SQLAlchemyPlugin", "SQLAlchemyInitPlugin", "AdvancedAlchemy", "Litestar")
_AROUND_FLASK = ("FlaskApp", "App")
"""Connexion's names for what has an application of Flask's in it."""
_NO_APPLICATION = ("env.py", "conftest.py", "setup.py")
"""They may make an application for their own use; whoever imports them gets more than that."""
_SERVED = frozenset(
    {"app", "application", "autoapp", "wsgi", "asgi", "main", "server", "serve", "run", "manage", "web"}
)
"""Last parts of modules that make the application for a server, or for Flask's command."""
_BLOCKS = (ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.While)
_HARMLESS = (ast.Import, ast.ImportFrom, ast.Pass, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
"""What may stand in a block: views that are imported in the application's context, for example."""


@dataclass(frozen=True)
class _Source:
    """A file that may say something: its module as it is imported, and its tree."""

    module: str
    tree: ast.Module


def flask_applications(folder: Path) -> tuple[str, ...]:
    """What makes a Flask application, the likeliest first, as ``flask --app`` takes it.

    Args:
        folder: in which the command runs. Modules are imported from there.
    """
    sources = list(_sources(folder, folder, ("Flask", "create_app", "_app(", "import app", ", app", "Migrate(")))
    factories = _factories([item for source in sources for item in _functions(source.tree)])
    importable = [source for source in sources if not _is_script(source.tree)]
    makers = {
        (source.module, name)
        for source in importable
        for name, value in _assignments(source.tree)
        if _is_flask(_called(value)) or _called(value) in factories
    }
    taken = ((source.module, name) for source in importable for name in _completed(source.tree, makers))
    # Flask-Migrate's extension is given one, in whatever way it was made.
    migrated = ((source.module, name) for source in importable for name in _migrated(source.tree))
    made = [_for_flask(module, name) for module, name in (*makers, *taken, *migrated)]
    by_factory = [
        f"{source.module}:{item.name}"
        for source in importable
        for item in _functions(source.tree)
        if item.name in factories and _needs_nothing(item) and not item.name.startswith("_") and not _returns_more(item)
    ]
    return tuple(dict.fromkeys([*sorted(made, key=_likelihood), *sorted(by_factory, key=_likelihood)]))


def _migrated(tree: ast.Module) -> Iterator[str]:
    """The names of a module that are given to ``Migrate(app, db)`` where the module is imported."""
    for item in tree.body:
        call = item.value if isinstance(item, ast.Assign | ast.Expr) else None
        if isinstance(call, ast.Call) and _called(call) == "Migrate":
            yield from (argument.id for argument in call.args[:1] if isinstance(argument, ast.Name))


def _completed(tree: ast.Module, makers: Collection[tuple[str, str]]) -> list[str]:
    """The applications that a module imports from where they are made, and gives settings or extensions.

    Args:
        tree: of the module.
        makers: modules and the names by which they have an application.
    """
    imported = [
        alias.name
        for item in tree.body
        if isinstance(item, ast.ImportFrom)
        for alias in item.names
        if alias.asname is None and any(_is_from(item, module) and name == alias.name for module, name in makers)
    ]
    set_up = {name for item in tree.body if isinstance(item, ast.Assign | ast.Expr) for name in _set_up(item)}
    return [name for name in imported if name in set_up]


def _is_from(item: ast.ImportFrom, module: str) -> bool:
    """Whether a statement imports from a module; of a relative one only the end of its name is there."""
    return module == item.module or (item.level > 0 and f".{module}".endswith(f".{item.module or ''}"))


def _set_up(item: ast.Assign | ast.Expr) -> Iterator[str]:
    """The names to whose attributes something is given, as in ``app.config["KEY"] = …``, or that a call is given."""
    for target in item.targets if isinstance(item, ast.Assign) else ():
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
            if isinstance(target, ast.Name):
                yield target.id
    if isinstance(item.value, ast.Call):
        yield from (argument.id for argument in item.value.args if isinstance(argument, ast.Name))


def alchemy_configurations(folder: Path) -> tuple[str, ...]:
    """What has the configuration of advanced-alchemy, the likeliest first, as the setting of that name takes it.

    Args:
        folder: in which the command runs. Modules are imported from there, and from ``src`` in it.
    """
    source_folder = folder / "src"
    words = (*_CONFIGURATIONS, *_PLUGINS)
    in_folder = [item for item in _sources(folder, folder, words) if not item.module.startswith("src.")]
    in_source = list(_sources(source_folder, source_folder, words)) if source_folder.is_dir() else []
    sources = sorted([*in_source, *in_folder], key=lambda item: _depth(item.module))
    # The configuration itself first: to import an application may need more of its surroundings.
    groups = ({*_CONFIGURATIONS}, *({name} for name in _PLUGINS))
    return tuple(
        dict.fromkeys(
            f"{source.module}:{name}"
            for group in groups
            for source in sources
            for name in _assigned(source.tree, group)
        )
    )


def _sources(folder: Path, root: Path, words: tuple[str, ...]) -> Iterator[_Source]:
    for path in sorted(project_files(folder)):
        if path.name in _NO_APPLICATION:
            continue
        try:
            text = read_text(path)
            if any(word in text for word in words):
                yield _Source(_module(path, root), newer_python.parse(text))
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue


def _module(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


def _is_script(tree: ast.Module) -> bool:
    """Whether to import the module is to run it: it works in a block or a loop, as one that exports or imports data."""
    blocks = (item for item in tree.body if isinstance(item, _BLOCKS))
    return any(not isinstance(inner, _HARMLESS) for block in blocks for inner in block.body)


def _likelihood(name: str) -> tuple[bool, int, str]:
    """Modules that are named as what serves the application come first: others may have a purpose of their own."""
    served = name.partition(":")[0].rpartition(".")[2] in _SERVED
    return not served, *_depth(name)


def _depth(name: str) -> tuple[int, str]:
    return name.count("."), name


def _for_flask(module: str, name: str) -> str:
    # Flask itself looks for these names in a module.
    return module if name in ("app", "application") else f"{module}:{name}"


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    yield from (item for item in tree.body if isinstance(item, ast.FunctionDef))


def _factories(functions: list[ast.FunctionDef]) -> set[str]:
    """The functions that make an application, themselves or by another one that does."""
    names: set[str] = set()
    while new := {item.name for item in functions if item.name not in names and _makes_flask(item, names)}:
        names |= new
    return names


def _makes_flask(function: ast.FunctionDef, factories: set[str]) -> bool:
    called = {_called(node) for node in ast.walk(function)}
    if any(map(_is_flask, called)):
        return True
    returned = {_called(node.value) for node in ast.walk(function) if isinstance(node, ast.Return) and node.value}
    says_so = function.returns is not None and _is_flask(ast.unparse(function.returns).rpartition(".")[2])
    # Connexion's application has Flask's in it; who returns that one says so at best in the annotation.
    return bool(returned & factories) or (says_so and bool(called & {*factories, *_AROUND_FLASK}))


def _is_flask(name: str) -> bool:
    """Whether a call makes an application: also of a class that somebody derived, such as ``APIFlask``."""
    return name.endswith("Flask") and name[0].isupper()


def _needs_nothing(function: ast.FunctionDef) -> bool:
    arguments = function.args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return needed == 0 and all(default is not None for default in arguments.kw_defaults)


def _returns_more(function: ast.FunctionDef) -> bool:
    """Whether something is returned beside the application: Flask's command takes the application alone."""
    return any(isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) for node in ast.walk(function))


def _assigned(tree: ast.Module, functions: set[str]) -> list[str]:
    """The names of a module that hold what one of the functions returns."""
    return [name for name, value in _assignments(tree) if _called(value) in functions]


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for item in tree.body:
        if isinstance(item, ast.Assign):
            yield from ((name, item.value) for target in item.targets for name in _names(target))
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.value is not None:
            yield item.target.id, item.value


def _names(target: ast.expr) -> list[str]:
    """The name that is given a value; of several, as in ``app, socketio = create_app()``, that of the application."""
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    return sorted(names, key=lambda name: "app" not in name.lower())[:1]


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
