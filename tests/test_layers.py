"""Imports go down only, and nothing imports in a circle."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "alembic_pgpatterns"

LAYERS = (
    ("plugin", "pytest_plugin", "__main__"),
    ("cli",),
    ("report", "fix"),
    ("rehearsal",),
    ("checks",),
    ("autogenerate",),
    ("autogenerate.compare",),
    ("autogenerate.target",),
    ("autogenerate.rewrite",),
    ("controller", "controller.cache"),
    ("runner",),
    ("findings",),
    ("config",),
    ("patterns",),
    ("advisor",),
    ("remedies",),
    ("operations",),
    ("operations.support",),
    ("declare",),
    ("revisions",),
    ("workload",),
    ("rehearsal.rows",),
    ("schema.metadata",),
    ("schema.catalog",),
    ("evidence",),
    ("schema.sql",),
    ("schema",),
    ("evidence.model",),
    ("server",),
    ("processes",),
    ("fences",),
    ("errors",),
    ("output",),
)
"""From the top down, a folder's name per room; a module may import from its own row and from those below it."""


MOST_WITH_MANY_ARGUMENTS = 10
IN_OLD_VERSIONS = {
    "alembic": "command util",
    "alembic.autogenerate.api": "AutogenContext",
    "alembic.config": "Config",
    "alembic.operations": "base",
    "alembic.operations.batch": "BatchOperationsImpl",
    "alembic.runtime.environment": "EnvironmentContext",
    "alembic.runtime.migration": "MigrationContext MigrationStep",
    "alembic.script": "Script ScriptDirectory",
    "alembic.script.revision": "RevisionError",
    "alembic.util": "CommandError",
    "sqlalchemy": (
        "ARRAY BigInteger CheckConstraint Column Computed Constraint DefaultClause ForeignKeyConstraint "
        "Identity Index MetaData PrimaryKeyConstraint Sequence SmallInteger Table UniqueConstraint event exc "
        "pool text types"
    ),
    "sqlalchemy.dialects": "postgresql",
    "sqlalchemy.dialects.postgresql": "ExcludeConstraint",
    "sqlalchemy.dialects.postgresql.base": "PGDialect",
    "sqlalchemy.engine": "Connection Dialect Engine URL url Row",
    "sqlalchemy.engine.interfaces": "Dialect",
    "sqlalchemy.engine.url": "make_url",
    "sqlalchemy.exc": "ArgumentError DisconnectionError NoSuchModuleError SAWarning SQLAlchemyError",
    "sqlalchemy.ext.asyncio": "create_async_engine",
    "sqlalchemy.orm": "MANYTOMANY MANYTOONE Mapped Mapper RelationshipProperty registry",
    "sqlalchemy.orm.exc": "UnmappedColumnError",
    "sqlalchemy.orm.mapper": "_all_registries",
    "sqlalchemy.pool": "Pool",
    "sqlalchemy.schema": "CreateIndex FetchedValue conv",
    "sqlalchemy.sql": "quoted_name",
    "sqlalchemy.sql.compiler": "DDLCompiler",
    "sqlalchemy.sql.elements": "ClauseElement",
    "sqlalchemy.sql.schema": "RETAIN_SCHEMA",
    "sqlalchemy.types": "SchemaType String Text TypeDecorator TypeEngine",
}
"""What the project's process takes from Alembic and SQLAlchemy. Each was looked up in Alembic 1.8.0 and SQLAlchemy
1.4.0, the oldest that `--python` works with; a new name goes in here after that."""
LONGEST_CHAIN = 20
"""How many functions may take six or more arguments, and how many files one may import through."""


@cache
def modules() -> tuple[str, ...]:
    names = (
        str(path.relative_to(PACKAGE).with_suffix("")).replace("/", ".").removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "__init__.py"
    )
    return tuple(sorted(names))


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


@cache
def nodes_of(module: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(module)))


def layer(module: str) -> int:
    candidates = [
        (len(name), number)
        for number, names in enumerate(LAYERS)
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    assert candidates, f"{module} stands in no layer: give it one here"
    return max(candidates)[1]


@cache
def path_of(module: str) -> Path:
    plain = PACKAGE / (module.replace(".", "/") + ".py")
    return plain if plain.exists() else PACKAGE / module.replace(".", "/") / "__init__.py"


@cache
def imports(module: str) -> frozenset[str]:
    """What a module of ours imports from us, as module names, lazily or not, for types or not."""
    found: set[str] = set()
    for node in nodes_of(module):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("alembic_pgpatterns"):
            base = node.module.removeprefix("alembic_pgpatterns").lstrip(".")
            for alias in node.names:
                name = f"{base}.{alias.name}".lstrip(".")
                found.add(name if path_of(name).exists() else base)
        elif isinstance(node, ast.Import):
            ours = (alias.name for alias in node.names if alias.name.startswith("alembic_pgpatterns."))
            found |= {name.removeprefix("alembic_pgpatterns.") for name in ours}
    return frozenset(found - {""})


def test_imports_go_down() -> None:
    upward = {module: {name for name in imports(module) if layer(name) < layer(module)} for module in modules()}
    assert not {module: names for module, names in upward.items() if names}, "imports from above"


def test_no_circles() -> None:
    graph = {module: imports(module) & set(modules()) for module in modules()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join((*path, module))}"
        if module not in done:
            for name in graph[module] - {module}:
                visit(name, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_few_functions_take_many_arguments() -> None:
    """Six or more; not counted are signatures that Alembic, SQLAlchemy or our users' revisions call."""
    others = ("operations", "cli.pgrevision", "revisions.recorder", "workload.recorder")
    many = [
        f"{module}.{node.name}"
        for module in modules()
        if not module.startswith(others)
        for node in nodes_of(module)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _arguments(node) >= 6
    ]
    assert len(many) <= MOST_WITH_MANY_ARGUMENTS, many


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len([argument for argument in given if argument.arg not in ("self", "cls")])


def test_chains_of_imports_are_short() -> None:
    @cache
    def chain(module: str) -> tuple[str, ...]:
        below = imports(module) & set(modules()) - {module}
        return (module, *max(map(chain, below), key=len, default=()))

    longest = max(map(chain, modules()), key=len)
    assert len(longest) <= LONGEST_CHAIN, " -> ".join(longest)


def test_only_commands_see_alembic_config() -> None:
    # And the project's process in another interpreter, which makes its Config of plain data.
    own = ("cli", "plugin", "__main__", "runner.start")
    others = [module for module in modules() if not module.startswith(own)]
    assert not [module for module in others if "alembic.config" in _imported_anywhere(module)]


def _imported_anywhere(module: str) -> set[str | None]:
    nodes = nodes_of(module)
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    return names | {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}


def in_the_project_s_process() -> set[str]:
    """Modules that run in the project's environment, which has none of our own dependencies."""
    rooms = [module for module in modules() if module.startswith(("runner", "schema.metadata", "fences"))]
    needed: set[str] = set()
    while rooms:
        module = rooms.pop()
        if module not in needed:
            needed.add(module)
            rooms += imports(module) & set(modules())
    return needed


def test_the_project_s_process_needs_nothing_but_alembic_and_sqlalchemy() -> None:
    allowed = {*sys.stdlib_module_names, "__future__", "alembic", "sqlalchemy", "alembic_pgpatterns"}
    foreign = {
        module: names - allowed
        for module in in_the_project_s_process()
        if (names := {str(name).partition(".")[0] for name in _imported_anywhere(module)}) - allowed
    }
    assert not foreign


def test_the_project_s_process_needs_only_what_old_versions_have() -> None:
    taken = {
        (node.module, alias.name)
        for module in in_the_project_s_process()
        for node in nodes_of(module)
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in {"alembic", "sqlalchemy"}
        for alias in node.names
    }
    assert not taken - {(module, name) for module, names in IN_OLD_VERSIONS.items() for name in names.split()}


def test_files_of_the_user_are_read_in_one_place() -> None:
    """A pipe waits for ever: `output.files` looks first. These rooms read files of their own, or of the system."""
    own = ("output.files", "server.", "processes.", "fences.", "report.", "operations.op_stub", "pytest_plugin")
    reading = {
        f"{module}:{node.lineno}"
        for module in modules()
        if not module.startswith(own) or module == "server.real_database"
        for node in nodes_of(module)
        if isinstance(node, ast.Call) and _reads_a_file(node)
    }
    assert {place.partition(":")[0] for place in reading} == {"evidence.source", "revisions.serverlog"}


def _reads_a_file(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        mode = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
        # `server.files` reads in folders of its own.
        is_own = isinstance(call.func.value, ast.Name) and call.func.value.id == "files"
        opens = call.func.attr == "open" and mode in ("r", "rb")
        return not is_own and (call.func.attr in ("read_text", "read_bytes") or opens)
    return isinstance(call.func, ast.Name) and call.func.id == "open"


def test_files_are_short() -> None:
    lines = {module: len(path_of(module).read_text(encoding="utf-8").splitlines()) for module in modules()}
    assert not {module: count for module, count in lines.items() if count >= 400}


def test_functions_are_short() -> None:
    lengths = {
        f"{module}.{node.name}:{node.lineno}": (node.end_lineno or 0) - node.lineno
        for module in modules()
        for node in nodes_of(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: length for name, length in lengths.items() if length > 50}


def test_the_design_names_every_room() -> None:
    text = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    table = text[text.index("\n## Rooms") : text.index("```mermaid")]
    named = [
        name for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)
    ]
    assert set(named) == {name for row in LAYERS for name in row}


def test_the_picture_in_the_design_is_what_the_sources_say() -> None:
    from tests import rooms

    drawn = rooms.PICTURE.search(rooms.DESIGN.read_text(encoding="utf-8"))
    assert drawn and drawn[0] == rooms.picture(), "draw it again: python -m tests.rooms"


def test_the_glossary_is_short() -> None:
    text = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| (\w[^|]*) \|", text[text.index("\n## Words") : text.index("\n## Rooms")], re.MULTILINE)
    assert len(words) - 1 <= 20
