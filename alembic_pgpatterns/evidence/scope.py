"""Names in a function: what is imported, what a variable holds, what ``self`` is."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from alembic_pgpatterns.evidence.symbols import PathCondition, PathQuery


@dataclass(slots=True)
class Ref:
    """A dotted path, with what was done to it.

    Attributes:
        function: around it. ``template``: the SQL of that, with ``{}`` for the column; empty where it is not known, or
            is the function of the column alone.
        taken_out: a value is taken out of it. ``keys``: the keys in the document, as far as they are constants.
    """

    path: str
    function: str = ""
    taken_out: bool = False
    template: str = ""
    keys: tuple[str, ...] = ()


@dataclass(slots=True)
class Constant:
    """A constant; ``prefix``: a text of which parts vary. Where one stands in it is `VARIES`."""

    value: object
    prefix: bool = False


VARIES = "\0"
"""Stands for what is not known in a text that is put together."""


@dataclass(slots=True)
class Conditions:
    """Conditions that are joined by AND.

    ``complete``: all of them were understood. ``handed``: the caller of the function hands over more.
    """

    items: list[PathCondition] = field(default_factory=list)
    complete: bool = True
    handed: bool = False


@dataclass(slots=True)
class Items:
    """A list, tuple or set. ``depth``: how many ``if`` and loops deep it was made."""

    values: list[Value] = field(default_factory=list)
    depth: int = 0


@dataclass(slots=True)
class Words:
    """A dictionary with constant keys, for ``filter_by(**words)``. ``handed``: its keys come from the caller."""

    values: dict[str, Value] = field(default_factory=dict)
    complete: bool = True
    handed: bool = False


Value: TypeAlias = Ref | Constant | Conditions | Items | Words | PathQuery | None


@dataclass(slots=True)
class Scope:
    """Names that can be seen in one function.

    Attributes:
        module: dotted name of the file.
        imports: dotted paths by name.
        defined: names that the module defines.
        owner: dotted path of the class of a method.
        variables: values by name.
        depth: how many ``if`` and loops deep the statement stands.
    """

    module: str
    imports: dict[str, str]
    defined: frozenset[str] = frozenset()
    owner: str = ""
    variables: dict[str, Value] = field(default_factory=dict)
    depth: int = 0

    def path(self, node: ast.expr) -> str:
        """The dotted path of an expression; empty where it is none."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return self._through_call(node, parts)
        root = self._root(node.id)
        return ".".join((root, *reversed(parts))) if root else ""

    def _through_call(self, node: ast.expr, parts: list[str]) -> str:
        """``super().name`` and ``UserRepo(session).name``; ``Annotated["User", …]`` by its text."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            return self._root(node.value)
        if not isinstance(node, ast.Call):
            return ""
        if isinstance(node.func, ast.Name) and node.func.id == "super" and self.owner:
            return ".".join((f"@{self.owner}", *reversed(parts)))
        called = self.path(node.func)
        last = called.rsplit(".", 1)[-1]
        if last == "aliased" and node.args:
            called = self.path(node.args[0])
            return ".".join((called, *reversed(parts))) if called else ""
        if last[:1].isupper() and not called.startswith("@"):
            return ".".join((f"@{called}", *reversed(parts)))
        return ""

    def _root(self, name: str) -> str:
        value = self.variables.get(name)
        if isinstance(value, Ref) and not value.function and not value.taken_out:
            return value.path
        if name in self.variables:
            return ""
        if name in ("self", "cls") and self.owner:
            return f"@{self.owner}"
        if name in self.imports:
            return self.imports[name]
        return f"{self.module}.{name}" if name in self.defined else ""


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements in a body, those inside others too. No expression is looked at, which is what takes time."""
    for node in body:
        yield node
        for name in ("body", "orelse", "finalbody"):
            yield from statements(getattr(node, name, ()))
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from statements(part.body)


def imports_of(tree: ast.Module, module: str, is_package: bool) -> dict[str, str]:
    """The dotted paths of imported names, those under TYPE_CHECKING and in functions too."""
    result: dict[str, str] = {}
    for node in statements(tree.body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                result[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            for alias in node.names:
                result[alias.asname or alias.name] = f"{base}.{alias.name}".lstrip(".")
    return result


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    keep = len(parts) - node.level + (1 if is_package else 0)
    return ".".join((*parts[: max(keep, 0)], *(filter(None, [node.module]))))
