"""Origins of declared objects: where they are written, and what their ``info`` says."""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import sqlalchemy
from sqlalchemy import Column, Index, MetaData, Table
from sqlalchemy.orm import Mapper, registry
from sqlalchemy.orm.exc import UnmappedColumnError

from alembic_pgpatterns.schema.metadata.annotations import allows_none
from alembic_pgpatterns.schema.metadata.declarations import INSTALLED, ClassSource, FileSource, Sources, TableSource
from alembic_pgpatterns.schema.metadata.python_defaults import dotted
from alembic_pgpatterns.schema.origin import NO_ORIGIN, Location, Origin

INFO_KEY = "pgpatterns"

_STANDARD = sysconfig.get_path("stdlib") + os.sep
_LIBRARIES = frozenset({"abc", "builtins", "pydantic", "sqlalchemy", "sqlmodel", "typing"})


def all_registries() -> set[registry]:
    """Every registry of this process, without which models have no locations. SQLAlchemy has no public way to ask."""
    try:
        from sqlalchemy.orm.mapper import _all_registries
    except ImportError:
        return set()
    return _all_registries()


def mappers_of(classes: Any) -> list[Mapper[Any]]:
    """The mappers of a registry that there are by now, by their classes' names.

    ``registry.mappers`` fails for a class that is mapped later, such as a base of ``AbstractConcreteBase``.
    """
    managers = getattr(classes, "_managers", None)
    if managers is None:
        mappers = classes.mappers
    else:
        mappers = [manager.mapper for manager in list(managers) if manager.is_mapped]
    return sorted(mappers, key=lambda mapper: mapper.class_.__qualname__)


class Origins:
    """Finds out where the objects of some MetaData are declared.

    Args:
        metadatas: those whose tables will be looked up.
        registries: more registries with mapped classes.
        root: paths below it are given relative to it.
        located: whether to search the modules that hold them. Not for a copy, which no module declares.
    """

    def __init__(
        self, metadatas: Sequence[MetaData], registries: Iterable[registry], root: Path | None, located: bool = True
    ) -> None:
        self._sources = Sources(root)
        self._classes: dict[Table, list[type]] = defaultdict(list)
        for mapper in _mappers(metadatas, {*registries, *all_registries()}):
            if isinstance(mapper.local_table, Table):
                self._classes[mapper.local_table].append(mapper.class_)
        self._table_files: dict[Table, list[FileSource]] = {}
        self._modules = _modules_with(metadatas, self._classes) if located else {}

    def of_table(self, table: Table) -> Origin:
        """The line of the class, or of the Table call."""
        return self._origin(self._table_location(table), table.info, table.metadata.info)

    def of_column(self, column: Column[Any]) -> Origin:
        """The line of the attribute (maybe in a mixin), or of the Column call."""
        table = column.table
        origin = self._origin(self._column_location(column), column.info, table.info, table.metadata.info)
        return replace(origin, call=self._column_call(column) or origin.call, library=self._is_of_library(column))

    def of_metadata(self, metadata: MetaData) -> Origin:
        """The line of ``metadata`` in the declarative base, of that class, or of the MetaData call.

        If a library makes it, as SQLModel does, the line of the first table.
        """
        origin = self._origin(self._metadata_location(metadata), metadata.info)
        return replace(origin, call=self._metadata_call(metadata))

    def _metadata_call(self, metadata: MetaData) -> str | None:
        """How the models reach a MetaData that a library makes for them; None: they make it themselves."""
        if "bind_key" in metadata.info:  # Flask-SQLAlchemy 3 notes there which database it is for
            return "SQLAlchemy"
        bases = self._metadata_bases(metadata)
        return "SQLModel" if bases and bases[-1].__module__.partition(".")[0] == "sqlmodel" else None

    def _metadata_bases(self, metadata: MetaData) -> list[type]:
        """The classes that have it as their own attribute; the last one is the declarative base."""
        of_tables = (classes[0] for table, classes in self._classes.items() if table.metadata is metadata)
        first = next(of_tables, None)
        return [base for base in first.__mro__ if base.__dict__.get("metadata") is metadata] if first else []

    def _metadata_location(self, metadata: MetaData) -> Location | None:
        if bases := self._metadata_bases(metadata):
            of_tables = (self._table_location(table) for table in metadata.tables.values())
            return self.class_location(bases[-1], "metadata") or next(filter(None, of_tables), None)
        for name in self._modules.get(id(metadata), ()):
            source = self._sources.of_module(name) if name.partition(".")[0] not in _LIBRARIES else None
            if source is not None and source.metadata is not None:
                return source.at(source.metadata)
        return None

    def of_item(self, item: Any, columns: tuple[Any, ...], *more: Any) -> Origin:
        """The origin of an index or constraint. It ignores the patterns that its columns ignore.

        Args:
            item: the index or constraint.
            columns: its columns.
            more: other objects whose ``info`` applies to it, for example a column's ForeignKey.
        """
        table = _table_of(item)
        # An EXCLUDE constraint may hold a plain column() without ``info``.
        of_models = [column for column in columns if isinstance(column, Column)]
        infos = [part.info for part in (*more, *of_models)]
        written = self._written_location(item, of_models)
        location = written or self._column_or_table_location(item, of_models)
        origin = self._origin(location, item.info, *infos, table.info, table.metadata.info)
        of_table = bool(of_models) and of_models[0].table is table
        library = written is None and of_table and all(map(self._is_of_library, of_models))
        call = self._column_call(of_models[0]) if of_table else None
        return replace(origin, call=call or origin.call, library=library)

    def factory_default(self, column: Column[Any]) -> str | None:
        """``default_factory`` of SQLModel fields and MappedAsDataclass, which the column does not know."""
        for class_ in self._classes.get(column.table, ()):
            for name in ("model_fields", "__dataclass_fields__"):
                fields = getattr(class_, name, None)
                factory = getattr(fields.get(column.key), "default_factory", None) if isinstance(fields, dict) else None
                if callable(factory):
                    return dotted(factory)
        return None

    def null_annotated(self, column: Column[Any]) -> bool:
        """Whether the class says that null is meant: ``Mapped[bool | None]``.

        SQLAlchemy makes such a column nullable, and does not keep that an annotation said so.
        """
        for class_ in self._classes.get(column.table, ()):
            key = _property(class_, column)
            annotations = (inspect.get_annotations(base).get(key) for base in class_.__mro__ if key is not None)
            if any(map(allows_none, annotations)):
                return True
        return False

    def is_of_subclass(self, column: Column[Any]) -> bool:
        """Whether only a subclass of single-table inheritance has it: in rows of other classes it is null."""
        classes = self._classes.get(column.table, ())
        single = any(sqlalchemy.inspect(class_).single for class_ in classes)
        return single and any(_property(class_, column) is None for class_ in classes)

    def class_location(self, class_: type, attribute: str) -> Location | None:
        """The line of a class's attribute, or of the class."""
        for source, class_source in self._class_sources(class_):
            if attribute in class_source.attributes:
                return source.at(class_source.attributes[attribute])
        return next((source.at(class_source.line) for source, class_source in self._class_sources(class_)), None)

    def _origin(self, location: Location | None, info: Mapping[Any, Any], *outer: Mapping[Any, Any]) -> Origin:
        infos = [item for item in (info, *outer) if INFO_KEY in item]
        if not infos:
            return Origin(location) if location else NO_ORIGIN
        ignored = frozenset(name for item in infos for name in _ignored(_for_us(item)))
        return Origin(location, ignored, _for_us(info))

    def _table_location(self, table: Table) -> Location | None:
        for class_ in self._classes.get(table, ()):
            for source, class_source in self._class_sources(class_):
                return source.at(class_source.line)
        for source in self._files(table):
            if (call := source.tables.get(str(table.name))) is not None:
                return source.at(call.line)
        return None

    def _column_location(self, column: Column[Any]) -> Location | None:
        name, table = str(column.name), column.table
        for class_ in self._classes.get(table, ()):
            for source, class_source in self._class_sources(class_):
                line = class_source.attributes.get(name) or class_source.attributes.get(str(column.key))
                if line is not None:
                    return source.at(line)
        for source in self._files(table):
            call = source.tables.get(str(table.name))
            if call is not None and name in call.columns:
                return source.at(call.columns[name])
        return self._table_location(table)

    def _column_call(self, column: Column[Any]) -> str | None:
        """The function that declares a column: the one in the source, or the one that its class would take."""
        names = (str(column.name), str(column.key))
        calls = (place.column_calls.get(name) for place in self._places(column.table) for name in names)
        return next((call for call in calls if call), None) or self._usual_call(column.table)

    def defaults_to_null(self, column: Column[Any]) -> bool:
        """Whether the models write ``default=None``, which says that null is meant."""
        names = {str(column.name), str(column.key)}
        return any(names & place.null_defaults for place in self._places(column.table))

    def _places(self, table: Table) -> list[ClassSource | TableSource]:
        """The classes and the Table calls that declare a table."""
        places: list[ClassSource | TableSource] = [
            place for class_ in self._classes.get(table, ()) for _, place in self._class_sources(class_)
        ]
        return places + [
            source.tables[str(table.name)] for source in self._files(table) if str(table.name) in source.tables
        ]

    def _usual_call(self, table: Table) -> str | None:
        classes = self._classes.get(table, ())
        if not classes:
            return "Column"
        bases = (base for class_ in classes for base in class_.__mro__)
        return "Field" if any(base.__module__.partition(".")[0] == "sqlmodel" for base in bases) else None

    def _is_of_library(self, column: Column[Any]) -> bool:
        """Whether a base class from an installed package declares the column, and no class of the project."""
        names = {str(column.name), str(column.key)}
        classes = self._classes.get(column.table, ())
        sources = (source for class_ in classes for _, source in self._class_sources(class_))
        if any(names & source.attributes.keys() for source in sources):
            return False
        bases = (base for class_ in classes for base in class_.__mro__ if _installed_beside(base, class_))
        return any(names & {*vars(base), *inspect.get_annotations(base)} for base in bases)

    def _written_location(self, item: Any, columns: list[Column[Any]]) -> Location | None:
        """Where the project declares the item itself."""
        name = str(item.name) if item.name is not None else None
        if name is not None:
            for source in self._files(_table_of(item)):
                if name in source.items:
                    return source.at(source.items[name])
        return self._call_location(item, columns)

    def _column_or_table_location(self, item: Any, columns: list[Column[Any]]) -> Location | None:
        if len(columns) == 1 and columns[0].table is _table_of(item):
            return self._column_location(columns[0])
        return self._table_location(_table_of(item))

    def _call_location(self, item: Any, columns: list[Column[Any]]) -> Location | None:
        """The location of an item without a name, or whose name a convention makes."""
        table = _table_of(item)
        places: list[tuple[FileSource, ClassSource | TableSource]] = [
            place for class_ in self._classes.get(table, ()) for place in self._class_sources(class_)
        ]
        for source in self._files(table):
            if (call := source.tables.get(str(table.name))) is not None:
                places.append((source, call))
        names = {tuple(str(column.name) for column in columns), tuple(str(column.key) for column in columns)}
        called = type(item).__name__
        locations = (source.call_within(place, called, columns_) for source, place in places for columns_ in names)
        return next((location for location in locations if location is not None), None)

    def _files(self, table: Table) -> list[FileSource]:
        if table not in self._table_files:
            self._table_files[table] = list(self._find_files(table))
        return self._table_files[table]

    def _find_files(self, table: Table) -> Iterator[FileSource]:
        names = [
            base.__module__
            for class_ in self._classes.get(table, ())
            for base in class_.__mro__
            if not _installed_beside(base, class_)
        ]
        for part in (table, table.metadata):
            names += self._modules.get(id(part), ())
        for name in dict.fromkeys(names):
            source = self._sources.of_module(name) if name.partition(".")[0] not in _LIBRARIES else None
            if source is not None:
                yield source

    def _class_sources(self, class_: type) -> Iterator[tuple[FileSource, ClassSource]]:
        for base in class_.__mro__:
            if base.__module__.partition(".")[0] in _LIBRARIES or _installed_beside(base, class_):
                continue
            source = self._sources.of_module(base.__module__)
            class_source = source.classes.get(base.__qualname__) if source else None
            if source is not None and class_source is not None:
                yield source, class_source


def _property(class_: type, column: Column[Any]) -> str | None:
    """The attribute of a mapped class that holds a column; None if it maps none to it."""
    try:
        return str(sqlalchemy.inspect(class_).get_property_by_column(column).key)
    except UnmappedColumnError:
        return None


def _installed_beside(base: type, class_: type) -> bool:
    """Whether a base class comes from an installed package, and not from that of the mapped class."""
    if base.__module__.partition(".")[0] == class_.__module__.partition(".")[0]:
        return False
    path = getattr(sys.modules.get(base.__module__), "__file__", None) or ""
    return not INSTALLED.isdisjoint(Path(path).parts)


def _table_of(item: Any) -> Table:
    """The table of an index or constraint. A CHECK inside a Column belongs to the column."""
    parent = item.table if isinstance(item, Index) else item.parent
    return cast(Table, parent.table if isinstance(parent, Column) else parent)


def _mappers(metadatas: Sequence[MetaData], registries: Iterable[registry]) -> Iterator[Mapper[Any]]:
    ids = {id(metadata) for metadata in metadatas}
    for classes in registries:
        for mapper in mappers_of(classes):
            metadata = getattr(mapper.local_table, "metadata", None)
            if id(metadata) in ids:
                yield mapper


def _modules_with(metadatas: Sequence[MetaData], mapped: Mapping[Table, Any]) -> dict[int, list[str]]:
    """By an object's id: the modules in which a name refers to it. For MetaData, and for Tables without a class."""
    ids = {id(metadata) for metadata in metadatas}
    ids |= {id(table) for metadata in metadatas for table in metadata.tables.values() if table not in mapped}
    modules: dict[int, list[str]] = defaultdict(list)
    for name, module in sorted(sys.modules.items()):
        namespace = getattr(module, "__dict__", {})
        # A copy: to look at a lazy object may import, and so change, the module that it is in.
        for value in list(namespace.values()) if _may_declare(name, namespace.get("__file__")) else ():
            if id(value) in ids:
                modules[id(value)].append(name)
            # isinstance() would ask a proxy for its __class__, which may import a package that is not there (openai's).
            elif issubclass(type(value), type) and id(value.__dict__.get("metadata")) in ids:
                modules[id(value.__dict__["metadata"])].append(name)
    return modules


def _may_declare(module: str, file: object) -> bool:
    """Whether it may declare models: half of all modules belong to Python and SQLAlchemy themselves."""
    if not isinstance(file, str) or module.partition(".")[0] in _LIBRARIES:
        return False
    return not file.startswith(_STANDARD) or "-packages" in file


def _for_us(info: Mapping[Any, Any]) -> Mapping[str, object]:
    entry = info.get(INFO_KEY)
    return dict(entry) if isinstance(entry, Mapping) else {}


def _ignored(entry: Mapping[str, object]) -> tuple[str, ...]:
    names = entry.get("ignore", ())
    if isinstance(names, str):
        return (names,)
    return tuple(map(str, names)) if isinstance(names, Iterable) else ()
