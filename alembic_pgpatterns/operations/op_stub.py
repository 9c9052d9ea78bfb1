"""Write `op.pyi`, the types of ``op`` with our directives: ``python -m alembic_pgpatterns.operations.op_stub``.

Type checkers do not see what a plugin adds to ``alembic.op`` at import. So there is a stub file, as Alembic has one for
its own operations. It is generated from the directives, and a test compares the two.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import textwrap
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from alembic import op

from alembic_pgpatterns.operations import IN_BATCH, KINDS
from alembic_pgpatterns.operations.directive import Directive

STUB = Path(__file__).with_name("op.pyi")

_HEADER = '''\
"""``alembic.op`` with the directives of this package. Written by `op_stub`: change the directives, not this file."""
'''
_GIVEN_BY_BATCH = ("table", "schema")
"""Arguments that ``batch_op`` fills in."""


def stub() -> str:
    """The source of ``op.pyi``."""
    functions = [function(directive) for directive in directives(KINDS)]
    methods = [textwrap.indent(function(directive, in_batch=True), "    ") for directive in directives(IN_BATCH)]
    parts = (_HEADER, "\n".join(_imports()), *functions, _BATCH, *methods, _BATCH_FUNCTION)
    return "\n".join(parts)


_BATCH = '''
@type_check_only
class _BatchOperations(BatchOperations):
    """``batch_op`` with the directives that work on its table."""
'''
# The arguments are those of `alembic.op.batch_alter_table` in Alembic 1.20; test_op_types.py compares them.
_BATCH_FUNCTION = '''
def batch_alter_table(
    table_name: str,
    schema: str | None = None,
    recreate: Literal["auto", "always", "never"] = "auto",
    partial_reordering: list[tuple[str, ...]] | None = None,
    copy_from: Table | None = None,
    table_args: tuple[Any, ...] = (),
    table_kwargs: Mapping[str, Any] = ...,
    reflect_args: tuple[Any, ...] = (),
    reflect_kwargs: Mapping[str, Any] = ...,
    naming_convention: dict[str, str] | None = None,
) -> AbstractContextManager[_BatchOperations]:
    """Alembic's, whose ``batch_op`` has directives too."""
'''


def directives(kinds: Iterable[str]) -> Iterator[type[Directive]]:
    """The directives of some modules of this folder, in the order of `KINDS`."""
    for kind in kinds:
        module = import_module(f"alembic_pgpatterns.operations.{kind}")
        by_name = {item.name: item for item in vars(module).values() if _is_directive(item)}
        yield from (by_name[name] for name in KINDS[kind])


def _is_directive(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, Directive) and "name" in vars(item)


def function(directive: type[Directive], in_batch: bool = False) -> str:
    """The stub of ``op.<name>``, or of ``batch_op.<name>``."""
    parameters = [item for item in inspect.signature(directive).parameters.values() if not item.name.startswith("_")]
    if in_batch:
        parameters = [item for item in parameters if item.name not in _GIVEN_BY_BATCH]
    first = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)] if in_batch else []
    signature = inspect.Signature([*(item.replace(kind=item.POSITIONAL_OR_KEYWORD) for item in first), *parameters])
    result = inspect.signature(directive.run).return_annotation
    # Only the first line: `help(op.create_policy)` has everything, and a full copy would change with every edit.
    summary = inspect.cleandoc(directive.__doc__ or "").splitlines()[0]
    return f'def {directive.name}{_text(signature)} -> {result}:\n    """{summary}"""\n'


def _text(signature: inspect.Signature) -> str:
    """The signature with its annotations as written. `inspect` would put them in quotes."""
    return str(signature.replace(parameters=[_unquoted(item) for item in signature.parameters.values()]))


class _Written(str):
    """An annotation whose representation is its own text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _unquoted(parameter: inspect.Parameter) -> inspect.Parameter:
    if parameter.annotation is parameter.empty:
        return parameter
    return parameter.replace(annotation=_Written(parameter.annotation))


def _imports() -> list[str]:
    """Alembic's own names, and an import for each name in an annotation, taken from the directive's module."""
    fixed = {
        f"from alembic.op import {', '.join(f'{name} as {name}' for name in _of_alembic())}",
        "from alembic.operations import BatchOperations",
        "from collections.abc import Mapping",
        "from contextlib import AbstractContextManager",
        "from sqlalchemy import Table",
        "from typing import Any, Literal, type_check_only",
    }
    return sorted(fixed | {line for directive in directives(KINDS) for line in _imports_of(directive)})


def _of_alembic() -> list[str]:
    """The functions of Alembic's own stub, without the one that is replaced here: a star import would override it."""
    tree = ast.parse(Path(op.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    return sorted(names - {"batch_alter_table"})


def _imports_of(directive: type[Directive]) -> Iterator[str]:
    module = import_module(directive.__module__)
    homes = _homes(module)
    annotations = [item.annotation for item in inspect.signature(directive).parameters.values() if item.name[0] != "_"]
    for annotation in (*annotations, inspect.signature(directive.run).return_annotation):
        for node in ast.walk(ast.parse(str(annotation), mode="eval")):
            if isinstance(node, ast.Name) and node.id in homes:
                yield f"from {homes[node.id]} import {node.id}"


def _homes(module: ModuleType) -> dict[str, str]:
    """The module that each name of a module comes from: imported (also for types only), or the module itself."""
    tree = ast.parse(inspect.getsource(module))
    homes: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            homes[node.name] = module.__name__
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            homes[node.target.id] = module.__name__
        elif isinstance(node, ast.Assign):
            homes |= {target.id: module.__name__ for target in node.targets if isinstance(target, ast.Name)}
    for item in ast.walk(tree):
        if isinstance(item, ast.ImportFrom) and item.module:
            homes |= {alias.asname or alias.name: item.module for alias in item.names}
    return homes


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
    subprocess.run(["ruff", "format", "--quiet", STUB], check=True)
