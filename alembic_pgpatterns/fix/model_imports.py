"""Names imported from sqlalchemy, in the file's own style and order. Imported only if LibCST is needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor, RemoveImportsVisitor

from alembic_pgpatterns.fix.import_place import with_import
from alembic_pgpatterns.fix.model_syntax import is_from, without_comment


def with_imports(module: cst.Module, needed: Mapping[str, Collection[str]], replaced: Collection[str]) -> cst.Module:
    """The module with the needed imports added, and with unused ones of the replaced names removed.

    Args:
        module: the file.
        needed: names by the package that they are imported from.
        replaced: names of sqlalchemy that may be unused now.
    """
    context = CodemodContext()
    for package, names in needed.items():
        finder = _Finder(package)
        module.visit(finder)
        # LibCST's own AddImportsVisitor puts new names before the others (1.9), which isort and ruff would complain
        # about. It is left for files that import no other package.
        adder = _Adder(package, set(names) - finder.names)
        module = module.visit(adder)
        placed = with_import(module, package, adder.missing) if adder.missing else None
        module = placed or module
        for name in sorted(adder.missing) if placed is None else ():
            AddImportsVisitor.add_needed_import(context, package, name)
    for name in sorted(replaced):
        RemoveImportsVisitor.remove_unused_import(context, "sqlalchemy", name)
    module = AddImportsVisitor(context).transform_module(module)
    return RemoveImportsVisitor(context).transform_module(module)


class _Finder(cst.CSTVisitor):
    """Collects the names that the file imports from a package, in any of its statements."""

    def __init__(self, package: str) -> None:
        super().__init__()
        self.package = package
        self.names: set[str] = set()

    def visit_If(self, node: cst.If) -> bool:
        """Skip ``if TYPE_CHECKING``: its imports do not exist when the module runs."""
        return not _is_for_checkers(node)

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        """One statement."""
        if is_from(node, self.package) and not isinstance(node.names, cst.ImportStar):
            self.names.update(_name(alias) for alias in node.names)


class _Adder(cst.CSTTransformer):
    """Adds names to the first ``from sqlalchemy import …``, in sorted order if that is sorted."""

    def __init__(self, package: str, needed: Collection[str]) -> None:
        super().__init__()
        self.package = package
        self.missing = set(needed)

    def visit_If(self, node: cst.If) -> bool:
        """Skip ``if TYPE_CHECKING``: the module needs the names when it runs."""
        return not _is_for_checkers(node)

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        """One statement."""
        names = updated_node.names
        if not is_from(updated_node, self.package) or isinstance(names, cst.ImportStar):
            return updated_node
        if not self.missing:
            return updated_node
        new = [
            cst.ImportAlias(cst.Name(name)) for name in sorted(self.missing - {_name(imported) for imported in names})
        ]
        self.missing.clear()
        return updated_node.with_changes(names=_joined(names, new)) if new else updated_node


def _is_for_checkers(node: cst.If) -> bool:
    test = node.test
    name = test.attr if isinstance(test, cst.Attribute) else test
    return isinstance(name, cst.Name) and name.value == "TYPE_CHECKING"


def _joined(names: Sequence[cst.ImportAlias], new: Sequence[cst.ImportAlias]) -> list[cst.ImportAlias]:
    keys = [_order(imported) for imported in names]
    joined = [*names, *new]
    # Names in another order stay where they are: the edit is what a person looks at.
    if keys == sorted(keys):
        joined.sort(key=_order)
    commas = [imported.comma for imported in names if isinstance(imported.comma, cst.Comma)]
    between = without_comment(commas[0]) if len(names) > 1 else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    separated = [
        imported.with_changes(comma=between) if imported in (*new, names[-1]) else imported for imported in joined
    ]
    return [*separated[:-1], separated[-1].with_changes(comma=names[-1].comma)]


def _name(alias: cst.ImportAlias) -> str:
    return alias.name.value if isinstance(alias.name, cst.Name) else ""


def _order(alias: cst.ImportAlias) -> tuple[int, str]:
    """The order of isort and ruff: constants, classes, functions."""
    name = _name(alias)
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)
