"""Origins of what models declare: location, what their ``info`` asks for."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Column, Index, MetaData, Table
from sqlalchemy.orm import Mapper, registry

from alembic_pgpatterns.schema.metadata.declarations import ClassSource, FileSource, Sources, TableSource
from alembic_pgpatterns.schema.metadata.python_defaults import dotted
from alembic_pgpatterns.schema.parts import NO_ORIGIN, Location, Origin

INFO_KEY = "pgpatterns"

_STANDARD = sysconfig.get_path("stdlib") + os.sep
_LIBRARIES = frozenset({"abc", "builtins", "pydantic", "sqlalchemy", "sqlmodel", "typing"})


def all_registries() -> set[registry]:
    """Every registry of this process. SQLAlchemy has no public way to ask; without it models have no locations."""
    try:
        from sqlalchemy.orm.mapper import _all_registries
    except ImportError:
        return set()
    return _all_registries()


class Origins:
    """Looks up where the objects of some MetaData are declared.

    Args:
        metadatas: whose tables will be asked for.
        registries: more registries to look for mapped classes in.
        root: paths below it are given relative to it.
        located: look for modules that hold them; not for a copy, which nobody has declared.
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
        """The line of the attribute, also one of a mixin's, or of the Column call."""
        table = column.table
        return self._origin(self._column_location(column), column.info, table.info, table.metadata.info)

    def of_metadata(self, metadata: MetaData) -> Origin:
        """The line of the declarative base's ``metadata`` or of that class, or of the MetaData call."""
        return self._origin(self._metadata_location(metadata), metadata.info)

    def _metadata_location(self, metadata: MetaData) -> Location | None:
        for table, classes in self._classes.items():
            if table.metadata is metadata:
                bases = [base for base in classes[0].__mro__ if base.__dict__.get("metadata") is metadata]
                return self.class_location(bases[-1], "metadata") if bases else None
        for name in self._modules.get(id(metadata), ()):
            source = self._sources.of_module(name) if name.partition(".")[0] not in _LIBRARIES else None
            if source is not None and source.metadata is not None:
                return source.at(source.metadata)
        return None

    def of_item(self, item: Any, columns: tuple[Any, ...], *more: Any) -> Origin:
        """Of an index or a constraint; what its columns are to ignore, it ignores.

        Args:
            item: the index or constraint.
            columns: of the table it is on.
            more: objects whose ``info`` counts for it as well, the ForeignKey of a column say.
        """
        table = _table_of(item)
        # An EXCLUDE constraint may hold a bare column().
        known = [column for column in columns if isinstance(column, Column)]
        infos = [part.info for part in (*more, *known)]
        location = self._item_location(item, known)
        return self._origin(location, item.info, *infos, table.info, table.metadata.info)

    def factory_default(self, column: Column[Any]) -> str | None:
        """``default_factory`` of SQLModel's fields and MappedAsDataclass: the column does not know of it."""
        for class_ in self._classes.get(column.table, ()):
            for name in ("model_fields", "__dataclass_fields__"):
                fields = getattr(class_, name, None)
                factory = getattr(fields.get(column.key), "default_factory", None) if isinstance(fields, dict) else None
                if callable(factory):
                    return dotted(factory)
        return None

    def class_location(self, class_: type, attribute: str) -> Location | None:
        """The line of a class's attribute, else the class's own."""
        for source, found in self._class_sources(class_):
            if attribute in found.attributes:
                return source.at(found.attributes[attribute])
        return next((source.at(found.line) for source, found in self._class_sources(class_)), None)

    def _origin(self, location: Location | None, own: Mapping[Any, Any], *outer: Mapping[Any, Any]) -> Origin:
        infos = [info for info in (own, *outer) if INFO_KEY in info]
        if not infos:
            return Origin(location) if location else NO_ORIGIN
        ignored = frozenset(name for info in infos for name in _ignored(_asked(info)))
        return Origin(location, ignored, _asked(own))

    def _table_location(self, table: Table) -> Location | None:
        for class_ in self._classes.get(table, ()):
            for source, found in self._class_sources(class_):
                return source.at(found.line)
        for source in self._files(table):
            if (call := source.tables.get(str(table.name))) is not None:
                return source.at(call.line)
        return None

    def _column_location(self, column: Column[Any]) -> Location | None:
        name, table = str(column.name), column.table
        for class_ in self._classes.get(table, ()):
            for source, found in self._class_sources(class_):
                line = found.attributes.get(name) or found.attributes.get(str(column.key))
                if line is not None:
                    return source.at(line)
        for source in self._files(table):
            call = source.tables.get(str(table.name))
            if call is not None and name in call.columns:
                return source.at(call.columns[name])
        return self._table_location(table)

    def _item_location(self, item: Any, columns: list[Column[Any]]) -> Location | None:
        name = str(item.name) if item.name is not None else None
        if name is not None:
            for source in self._files(_table_of(item)):
                if name in source.items:
                    return source.at(source.items[name])
        call = self._call_location(item, columns)
        if call is not None:
            return call
        if len(columns) == 1 and columns[0].table is _table_of(item):
            return self._column_location(columns[0])
        return self._table_location(_table_of(item))

    def _call_location(self, item: Any, columns: list[Column[Any]]) -> Location | None:
        """Of one without a name, or whose name a convention makes."""
        table = _table_of(item)
        places: list[tuple[FileSource, ClassSource | TableSource]] = [
            place for class_ in self._classes.get(table, ()) for place in self._class_sources(class_)
        ]
        for source in self._files(table):
            if (call := source.tables.get(str(table.name))) is not None:
                places.append((source, call))
        names = {tuple(str(column.name) for column in columns), tuple(str(column.key) for column in columns)}
        called = type(item).__name__
        found = (source.call_within(place, called, one) for source, place in places for one in names)
        return next((location for location in found if location is not None), None)

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
            found = source.classes.get(base.__qualname__) if source else None
            if source is not None and found is not None:
                yield source, found


def _installed_beside(base: type, class_: type) -> bool:
    """Whether a base class comes from an installed package other than the one of the mapped class."""
    if base.__module__.partition(".")[0] == class_.__module__.partition(".")[0]:
        return False
    path = getattr(sys.modules.get(base.__module__), "__file__", None) or ""
    return bool({"site-packages", "dist-packages"} & set(Path(path).parts))


def _table_of(item: Any) -> Table:
    """Of an index or constraint; a CHECK inside a Column hangs on that."""
    parent = item.table if isinstance(item, Index) else item.parent
    return cast(Table, parent.table if isinstance(parent, Column) else parent)


def _mappers(metadatas: Sequence[MetaData], registries: Iterable[registry]) -> Iterator[Mapper[Any]]:
    known = {id(metadata) for metadata in metadatas}
    for found in registries:
        for mapper in sorted(found.mappers, key=lambda mapper: mapper.class_.__qualname__):
            metadata = getattr(mapper.local_table, "metadata", None)
            if id(metadata) in known:
                yield mapper


def _modules_with(metadatas: Sequence[MetaData], mapped: Mapping[Table, Any]) -> dict[int, list[str]]:
    """Modules that hold the MetaData, or a Table without a class, under a name; by the object's id."""
    wanted = {id(metadata) for metadata in metadatas}
    wanted |= {id(table) for metadata in metadatas for table in metadata.tables.values() if table not in mapped}
    found: dict[int, list[str]] = defaultdict(list)
    for name, module in sorted(sys.modules.items()):
        namespace = getattr(module, "__dict__", {})
        for value in list(namespace.values()) if _may_declare(name, namespace.get("__file__")) else ():
            if id(value) in wanted:
                found[id(value)].append(name)
            elif isinstance(value, type) and id(value.__dict__.get("metadata")) in wanted:
                found[id(value.__dict__["metadata"])].append(name)
    return found


def _may_declare(module: str, file: object) -> bool:
    """Whether it is worth looking through: half of all modules are those of Python and SQLAlchemy themselves."""
    if not isinstance(file, str) or module.partition(".")[0] in _LIBRARIES:
        return False
    return not file.startswith(_STANDARD) or "-packages" in file


def _asked(info: Mapping[Any, Any]) -> Mapping[str, object]:
    asked = info.get(INFO_KEY)
    return dict(asked) if isinstance(asked, Mapping) else {}


def _ignored(asked: Mapping[str, object]) -> tuple[str, ...]:
    names = asked.get("ignore", ())
    if isinstance(names, str):
        return (names,)
    return tuple(map(str, names)) if isinstance(names, Iterable) else ()
