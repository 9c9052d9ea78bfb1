"""All classes of an application: which are mapped, to which table, and what a dotted path means."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from alembic_pgpatterns.evidence.declarations import AUTOMATIC
from alembic_pgpatterns.evidence.hybrids import Test
from alembic_pgpatterns.evidence.model import Place
from alembic_pgpatterns.evidence.symbols import ClassDeclaration, ColumnDeclaration, FileFacts, FunctionFacts

_PLAIN = re.compile(r"\b(str|int|String|Text|Integer|SmallInteger|BigInteger|Unicode|VARCHAR|TEXT)\b")
"""Words of a type that is no enumeration. A column of an annotated enumeration is one: `Mapped[Status]`."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Re-exports are followed so far; a name that leads back to itself ends there.
_DEEP = 12

Declared = Mapping[tuple[str, int], str]
"""The table in which a column is that is declared in a file at a line, as ``schema.table``."""


class Classes:
    """The classes of all files, by dotted path.

    Args:
        files: what the files say.
        declared: places of columns that are known from the loaded models; they name tables better than the source.
    """

    def __init__(self, files: Iterable[FileFacts], declared: Declared) -> None:
        self._classes: dict[str, ClassDeclaration] = {}
        self._aliases: dict[str, str] = {}
        self._by_last: dict[str, list[str]] = defaultdict(list)
        self._places: dict[str, str] = {}
        self._below: dict[str, list[str]] = defaultdict(list)
        self._tables: dict[str, str | None] = {}
        self._lines: dict[str, str] = {}
        self._declared = declared
        self._constants: dict[str, tuple[str, ...]] = {}
        for file in files:
            self._constants.update((f"{file.module}.{name}", values) for name, values in file.constants.items())
            for declaration in file.classes:
                self._classes[declaration.path] = declaration
                self._by_last[declaration.path.rsplit(".", 1)[-1]].append(declaration.path)
                self._places[declaration.path] = file.path
            self._aliases.update((f"{file.module}.{name}", target) for name, target in file.aliases.items())
        for declaration in self._classes.values():
            for base in declaration.bases:
                self._below[self.canonical(base)].append(declaration.path)

    def canonical(self, path: str) -> str:
        """The path where a class is defined, through re-exports; else the only mapped class of that name."""
        if path not in self._lines:
            # Classes of one name in many modules, each the base of another, would ask for one another for ever.
            self._lines[path] = path
            self._lines[path] = self._canonical(path)
        return self._lines[path]

    def _canonical(self, path: str) -> str:
        seen = path
        for _ in range(_DEEP):
            if seen in self._classes:
                return seen
            target = self._aliases.get(seen)
            if target is None:
                break
            seen = target
        last = path.rsplit(".", 1)[-1]
        named = self._by_last.get(last, []) if last[:1].isupper() else []
        if len(named) > 1:
            named = [candidate for candidate in named if self._classes[candidate].columns and self.table(candidate)]
        return named[0] if len(named) == 1 else seen

    def get(self, path: str) -> ClassDeclaration | None:
        """The class of that path."""
        return self._classes.get(self.canonical(path))

    def line(self, path: str) -> Iterator[ClassDeclaration]:
        """The class and its bases, depth first, as far as they are in the source."""
        seen: set[str] = set()
        waiting = [self.canonical(path)]
        while waiting:
            current = waiting.pop(0)
            declaration = self._classes.get(current)
            if declaration is None or current in seen:
                continue
            seen.add(current)
            yield declaration
            waiting[:0] = [self.canonical(base) for base in declaration.bases]

    def below(self, path: str) -> list[str]:
        """The class and all that inherit from it."""
        result, waiting = [], [path]
        while waiting:
            current = waiting.pop(0)
            if current not in result:
                result.append(current)
                waiting += self._below.get(current, [])
        return result

    def foreign_bases(self, path: str) -> set[str]:
        """The last words of all bases that are not in the source."""
        bases = (base for declaration in self.line(path) for base in declaration.bases)
        return {base.rsplit(".", 1)[-1] for base in bases if self.canonical(base) not in self._classes}

    def table(self, path: str) -> str | None:
        """``schema.table`` or ``table`` of a mapped class; None where it is not mapped."""
        path = self.canonical(path)
        if path not in self._tables:
            self._tables[path] = None
            self._tables[path] = self._table(path)
        return self._tables[path]

    def _table(self, path: str) -> str | None:
        declaration = self._classes.get(path)
        if declaration is None:
            return None
        placed = [self._declared.get((self._places[path], column.line)) for column in declaration.columns.values()]
        tables = [table for table in placed if table is not None]
        if tables:
            return max(set(tables), key=tables.count)
        name = self._name(declaration)
        if name is None or not self._has_columns(path, declaration):
            return None
        schema = next((item.schema for item in self.line(path) if item.schema), "")
        return f"{schema}.{name}" if schema else name

    def _has_columns(self, path: str, declaration: ClassDeclaration) -> bool:
        has_mapped = any(not column.kind.startswith("plain ") for column in declaration.columns.values())
        return has_mapped or any(item.columns for item in self.line(path))

    def _name(self, declaration: ClassDeclaration) -> str | None:
        if declaration.table:
            return declaration.table
        last = declaration.path.rsplit(".", 1)[-1]
        bases = self.foreign_bases(declaration.path)
        if "SQLModel" in bases:
            return last.lower() if declaration.is_model else None
        mapped = [column for column in declaration.columns.values() if not column.kind.startswith("plain ")]
        inherited = [item for item in self.line(declaration.path) if item is not declaration]
        for item in inherited:
            if item.table:  # one table for a class and those below it
                return item.table
            if item.naming and mapped:
                return _snake(last) if item.naming == "snake" else last.lower()
        # Flask-SQLAlchemy's way, and the usual one of a base class whose own rule cannot be read.
        has_key = any(column.primary_key for item in self.line(declaration.path) for column in item.columns.values())
        return _snake(last) if mapped and (has_key or "Model" in bases) else None

    def column(self, path: str, attribute: str) -> ColumnDeclaration | None:
        """The column behind an attribute of a mapped class, through hybrid properties."""
        model = any(item.is_model for item in self.line(path))
        for item in self.line(path):
            if attribute in item.hybrids and item.hybrids[attribute] != attribute:
                return self.column(path, item.hybrids[attribute])
            declared = item.columns.get(attribute)
            if declared is not None and (model or not declared.kind.startswith("plain ")):
                return declared
            # `jobs.c.name` is a column, also where the table got it from a function: `Table("jobs", m, *timestamps())`.
            if item.is_core:
                return ColumnDeclaration(attribute, attribute, item.line)
        return None

    def constants(self, path: str, kind: str) -> tuple[str, ...]:
        """What a name stands for that is given constants, in a module or class, as SQL texts.

        A member of an enumeration is what a column of these words of its type (``kind``) has for it.
        """
        head, _, name = path.rpartition(".")
        for target in (path, self._aliases.get(path, path)):
            if target in self._constants:
                return self._constants[target]
        for item in self.line(head):
            if name in item.constants:
                is_enum = any("Enum" in base or "Choices" in base for base in self.foreign_bases(item.path))
                return (_member(name, item.constants[name][0], kind),) if is_enum else item.constants[name]
        return ()

    def tests(self, path: str, attribute: str) -> tuple[Test, ...]:
        """What a hybrid property tests; nothing if it is none, or was not understood."""
        return next((item.tests[attribute] for item in self.line(path) if attribute in item.tests), ())

    def computed(self, path: str, attribute: str) -> tuple[str, str] | None:
        """The attribute that a hybrid property is a function of, and the function."""
        return next((item.computed[attribute] for item in self.line(path) if attribute in item.computed), None)

    def relationship(self, path: str, attribute: str) -> str | None:
        """The class that a relationship leads to, as it is named there."""
        return next(
            (item.relationships[attribute] for item in self.line(path) if attribute in item.relationships), None
        )

    def key_to(self, path: str, target: str) -> str | None:
        """The one column of a class whose foreign key leads to the table of another; None where it is not one."""
        table = (self.table(target) or "").rsplit(".", 1)[-1]
        columns = {
            column.name
            for item in self.line(path)
            for column in item.columns.values()
            if column.references and column.references.rsplit(".", 1)[-1] == table
        }
        return next(iter(columns)) if len(columns) == 1 else None

    def keys(self, path: str) -> list[str]:
        """The columns of the primary key, as far as the source says so."""
        columns = {c.name: None for item in self.line(path) for c in item.columns.values() if c.primary_key}
        return list(columns)

    def bound(self, path: str, attribute: str) -> str | None:
        """The mapped class that ``self.<attribute>`` of a repository is: by an attribute, else by its arguments."""
        for item in self.line(path):
            value = item.values.get(attribute)
            if value is not None and self.table(value) is not None:
                return self.canonical(value)
        for item in self.line(path):
            for argument in item.arguments:
                if self.table(argument) is not None:
                    return self.canonical(argument)
        return None

    def repository_of(self, path: str) -> str | None:
        """The mapped class that a repository or service of advanced-alchemy is for."""
        if not any("Repository" in base or "Service" in base for base in self.foreign_bases(path)):
            return None
        direct = self.bound(path, "model_type")
        if direct is not None:
            return direct
        inner = next(
            (item.values["repository_type"] for item in self.line(path) if "repository_type" in item.values), None
        )
        return self.bound(inner, "model_type") if inner is not None else None

    def method(self, functions: Mapping[str, FunctionFacts], path: str, name: str) -> FunctionFacts | None:
        """The method that an instance of the class has under this name."""
        for item in self.line(path):
            if name in item.methods:
                return functions.get(f"{item.path}.{name}")
        return None

    def place(self, path: str) -> Place | None:
        """Where a class is declared."""
        declaration = self.get(path)
        return Place(self._places[declaration.path], declaration.line) if declaration is not None else None


def _member(name: str, value: str, kind: str) -> str:
    """A member of an enumeration in the database: its name in sqlalchemy.Enum, unless that is told otherwise."""
    if value == AUTOMATIC:
        value = f"'{name.lower()}'"
    by_name = ("Enum" in kind or not _PLAIN.search(kind)) and "values_callable" not in kind
    return f"'{name}'" if by_name else value


def _snake(name: str) -> str:
    return _HUMP.sub("_", name).lower()
