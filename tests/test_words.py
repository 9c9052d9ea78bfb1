"""Plain English in the source: names that say what the thing is, and phrases that a reader need not look up."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "alembic_pgpatterns"
# A name says what the thing is: `findings` and not `found`, `expected` and not `wanted`, `reason` and not `why`.
NAMES = frozenset(
    [
        "arrival",
        "arrived",
        "asked",
        "found",
        "given",
        "gone",
        "keyed",
        "kept",
        "known",
        "lacking",
        "looked",
        "meant",
        "mine",
        "noted",
        "one",
        "ours",
        "own",
        "reached",
        "road",
        "said",
        "standing",
        "theirs",
        "there",
        "tied",
        "told",
        "twins",
        "wanted",
        "what",
        "why",
        "judge",
        "judged",
    ]
)
# Old or rare phrases, each with a common one that means the same.
PHRASES = {
    r"\banew\b": "again",
    r"\bso long as\b": "as long as, until",
    r"\bcome what may\b": "in any case",
    r"\bwithout a word\b": "silently",
    r"\bheeds?\b": "respects, follows",
    r"\bhence\b": "so",
    r"\bby way of\b": "with, by",
}
ANY_PHRASE = re.compile("|".join(PHRASES))


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(text: str) -> ast.Module:
    return ast.parse(text)


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that is assigned, of a parameter, a function, a class or an attribute of our own, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The docstrings and comments of a file, line by line."""
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from enumerate(node.value.value.splitlines(), node.lineno)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_names_say_what_the_thing_is() -> None:
    bad = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, name in names(tree_of(text_of(path)))
        if name.strip("_").lower() in NAMES
    ]
    assert not bad, "\n".join(bad)


def test_phrases_are_common_ones() -> None:
    bad = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {match[0]!r}, write: {better}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in prose(text_of(path))
        if ANY_PHRASE.search(text) is not None
        for phrase, better in PHRASES.items()
        if (match := re.search(phrase, text)) is not None
    ]
    assert not bad, "\n".join(bad)


def unknown_arguments(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What the section "Args:" of a function describes, although it is not a parameter."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            section = re.search(r"^Args:\n((?: +.*\n?|\n)*)", ast.get_docstring(node) or "", re.MULTILINE)
            described = re.findall(r"^ {4}\**(\w+):", section[1], re.MULTILINE) if section else []
            parameters = {item.arg for item in ast.walk(node.args) if isinstance(item, ast.arg)}
            yield from ((node.lineno, name) for name in described if name not in parameters)


def test_docstrings_describe_parameters_that_exist() -> None:
    bad = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, name in unknown_arguments(tree_of(text_of(path)))
    ]
    assert not bad, "\n".join(bad)
    source = 'def f(a):\n    """Text.\n\n    Args:\n        a: one.\n        b: two.\n    """'
    assert [name for _, name in unknown_arguments(ast.parse(source))] == ["b"]


def test_the_search_sees_each_kind_of_name() -> None:
    source = (
        "def told(wanted, *found):\n    own = [one for one in found]\n    self._kept = own\nclass Judged: known: int"
    )
    seen = {name.strip("_").lower() for _, name in names(ast.parse(source))}
    assert {"told", "wanted", "found", "own", "one", "kept", "judged", "known"} <= seen
    assert dict(prose('"""Written anew."""\n# hence\n')) == {1: "Written anew.", 2: "# hence"}
