"""What a Python file imports, names and reads, from its syntax tree; nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

ALL_VARIABLES = "*"
"""Stands for all environment variables: which of them are read is not known."""

_ENVIRONMENTS = frozenset({"environ", "environb", "getenv", "getenvb"})
_READERS_OF_SETTINGS = frozenset({"BaseSettings", "decouple", "load_config"})
_MOMENTS = frozenset({"utcnow", "now", "today", "strftime", "localtime", "gmtime", "ctime", "asctime", "time_ns"})
"""Of the modules datetime and time, under whatever name they were imported; `time` itself is a common name."""
_NO_CLOCKS = frozenset({"func", "functions"})


@dataclass
class PythonSource:
    """The facts of one file.

    ``imports``: modules as the file writes them, relative ones with their dots; of ``from a import b`` both ``a`` and
    ``a.b``. ``names``: all identifiers, attributes and imported names. ``pairs``: attributes with the name before them,
    such as ``event.listen``. ``called``: the last name of everything that is called. ``variables``: of the environment;
    `ALL_VARIABLES` if it is not known which. ``texts``: all strings. ``uses_clock``: it asks Python for the time.
    """

    imports: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    @property
    def uses_clock(self) -> bool:
        """Whether it asks Python for the time or the date."""
        clocks = (pair.rpartition(".") for pair in self.pairs)
        if any(name in _MOMENTS and base not in _NO_CLOCKS for base, _, name in clocks):
            return True
        return "time.time" in self.pairs or any(f"time.{name}" in self.imports for name in (*_MOMENTS, "time"))

    def mentions(self, *words: str) -> bool:
        """Whether one of the words is an identifier, or is in a string, in any case of letters."""
        names = {name.lower() for name in self.names}
        return any(word in names or any(word in text.lower() for text in self.texts) for word in words)


@lru_cache(maxsize=4096)
def read_source(text: str) -> PythonSource:
    """The facts of a file's text. What cannot be parsed may read any variable."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return PythonSource(variables={ALL_VARIABLES})
    source = PythonSource()
    read_by_name: set[int] = set()
    nodes = list(ast.walk(tree))  # parents come before what is in them
    environments = _ENVIRONMENTS | {name for node in nodes for name in _other_names(node)}
    for node in nodes:
        _read(node, source, read_by_name, environments)
    return source


def _other_names(node: ast.AST) -> Iterator[str]:
    """``env`` of ``env = os.getenv`` and of ``env = os.environ.get``."""
    if isinstance(node, ast.Assign):
        value = node.value
        reader = value.value if isinstance(value, ast.Attribute) and value.attr == "get" else value
        if last_name(reader) in _ENVIRONMENTS:
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _read(node: ast.AST, source: PythonSource, read_by_name: set[int], environments: Collection[str]) -> None:
    if isinstance(node, ast.Import | ast.ImportFrom):
        _import(node, source)
    elif isinstance(node, ast.Name | ast.Attribute):
        name = last_name(node)
        source.names.add(name)
        if isinstance(node, ast.Attribute):
            source.pairs.add(f"{last_name(node.value)}.{name}")
        if (name in _ENVIRONMENTS and id(node) not in read_by_name) or _reads_settings(name):
            source.variables.add(ALL_VARIABLES)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        source.texts.append(node.value)
    elif isinstance(node, ast.Call | ast.Subscript):
        _variable(node, source, read_by_name, environments)
        if isinstance(node, ast.Call):
            _call(node, source)


def _import(node: ast.Import | ast.ImportFrom, source: PythonSource) -> None:
    if isinstance(node, ast.Import):
        source.imports += [alias.name for alias in node.names]
        words = [word for alias in node.names for word in alias.name.split(".")]
    else:
        base = "." * node.level + (node.module or "")
        separator = "" if base.endswith(".") else "."
        source.imports += [base, *(f"{base}{separator}{alias.name}" for alias in node.names)]
        words = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
    source.names.update(words)
    # Under another name, nothing tells a read of the environment from any other.
    renamed = any(alias.asname and alias.name in _ENVIRONMENTS for alias in node.names)
    if renamed or any(map(_reads_settings, words)):
        source.variables.add(ALL_VARIABLES)


def _reads_settings(name: str) -> bool:
    return name in _READERS_OF_SETTINGS or "dotenv" in name


def _variable(
    node: ast.Call | ast.Subscript, source: PythonSource, read_by_name: set[int], environments: Collection[str]
) -> None:
    """Note a variable that is read by its name: ``environ["A"]``, ``environ.get("A")``, ``getenv("A")``."""
    if isinstance(node, ast.Subscript):
        holder, key = node.value, node.slice
    else:
        holder, key = node.func, node.args[0] if node.args else node
        if isinstance(holder, ast.Attribute) and holder.attr == "get":
            holder = holder.value
    if last_name(holder) in environments and isinstance(key, ast.Constant) and isinstance(key.value, str):
        source.variables.add(key.value)
        read_by_name.add(id(holder))


def _call(node: ast.Call, source: PythonSource) -> None:
    name = last_name(node.func)
    source.called.add(name)
    first = node.args[0] if node.args else None
    by_name = name in ("import_module", "__import__")
    if by_name and isinstance(first, ast.Constant) and isinstance(first.value, str):
        source.imports.append(first.value)


def last_name(node: ast.AST) -> str:
    """``c`` of ``a.b.c``; empty if the expression does not end in a name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def with_packages(name: str, package: str) -> Iterator[str]:
    """The absolute name of an imported module, after the packages that it is in.

    Args:
        name: as the file writes it.
        package: of the file, for relative imports.
    """
    absolute = name.lstrip(".")
    level = len(name) - len(absolute)
    if level:
        parents = package.split(".")
        absolute = ".".join([*parents[: len(parents) - level + 1], *([absolute] if absolute else [])])
    parts = absolute.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def assigned_texts(text: str) -> Iterator[tuple[str, str, int]]:
    """The variables of a module that are given strings, or something with strings in it: name, string and line."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return
    for statement in body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = getattr(statement, "value", None)
        nodes = ast.walk(value) if isinstance(value, ast.AST) else ()
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from ((name, item, statement.lineno) for name in names for item in texts)
