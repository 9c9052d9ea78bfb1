"""Where a new import statement goes: into the block of the other packages, in its order. Needs LibCST."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import libcst as cst
from libcst.helpers import get_full_name_for_node


def with_import(module: cst.Module, package: str, names: Iterable[str]) -> cst.Module | None:
    """The module with ``from package import names`` at its place; None if it has no block of other packages' imports.

    isort's and ruff's order: the library, other packages, the project; in a block ``import x`` first, then
    ``from x import y`` by the package's name. LibCST's AddImportsVisitor (1.9) puts a statement behind all the others.

    Args:
        module: the file.
        package: that the names are imported from.
        names: what is imported.
    """
    block = _block(module, package.partition(".")[0])
    if not block:
        return None
    statement = _statement(package, sorted(names))
    later = next((index for index in block if _key(module.body[index]) > (1, package)), None)
    body = list(module.body)
    if later is None:
        body.insert(block[-1] + 1, statement)
        return module.with_changes(body=body)
    following = cst.ensure_type(body[later], cst.SimpleStatementLine)
    if later == block[0]:
        # The empty lines above the block stay above it; a comment there belongs to the statement that it is above.
        empty = [line for line in following.leading_lines if line.comment is None]
        comments = [line for line in following.leading_lines if line.comment is not None]
        comments = [cst.EmptyLine(indent=False), *comments] if comments else []  # as isort and ruff have it
        statement = statement.with_changes(leading_lines=empty)
        body[later] = following.with_changes(leading_lines=comments)
    body.insert(later, statement)
    return module.with_changes(body=body)


def _statement(package: str, names: Sequence[str]) -> cst.SimpleStatementLine:
    text = f"from {package} import {', '.join(names)}"
    return cst.ensure_type(cst.parse_statement(text), cst.SimpleStatementLine)


def _blocks(body: Sequence[cst.BaseStatement]) -> list[list[int]]:
    """The imports at the top of a file, by their places, in groups that empty lines separate."""
    blocks: list[list[int]] = []
    for index, statement in enumerate(body):
        if not _package(statement):
            if blocks:
                break
            continue  # the docstring
        lines = cst.ensure_type(statement, cst.SimpleStatementLine).leading_lines
        if not blocks or any(line.comment is None for line in lines):
            blocks.append([])
        blocks[-1].append(index)
    return blocks


def _block(module: cst.Module, top: str) -> list[int]:
    """The block with imports of a package, else the first one of other packages than the library and the project."""
    blocks = _blocks(module.body)
    tops = [{_package(module.body[index]).partition(".")[0] for index in block} for block in blocks]
    same = (block for block, packages in zip(blocks, tops, strict=True) if top in packages)
    other = (block for block, packages in zip(blocks, tops, strict=True) if any(map(_is_other, packages)))
    return next(same, None) or next(other, None) or []


def _is_other(top: str) -> bool:
    """Whether a package is neither the library's nor, as far as the current folder shows, the project's own."""
    places = (Path(folder, f"{top}{ending}") for folder in (".", "src") for ending in ("", ".py"))
    return bool(top) and top not in sys.stdlib_module_names and not any(place.exists() for place in places)


def _package(statement: cst.CSTNode) -> str:
    """What a statement imports from; a dot for the project's own by a relative import; empty if it imports nothing."""
    inner = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    if isinstance(inner, cst.Import):
        return get_full_name_for_node(inner.names[0].name) or ""
    if isinstance(inner, cst.ImportFrom):
        return "." if inner.relative or inner.module is None else get_full_name_for_node(inner.module) or ""
    return ""


def _key(statement: cst.CSTNode) -> tuple[int, str]:
    inner = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    return (int(isinstance(inner, cst.ImportFrom)), _package(statement))
