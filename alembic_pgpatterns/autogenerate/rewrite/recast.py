"""What reads a column, tried on an empty temporary table that has the column's new type already.

``state = 'new'::text`` is what PostgreSQL prints of a policy on a text column, and on an enum it is refused: there is
no operator for both. Such an expression gets a cast back, ``(state)::text``, so that it means what it meant. The
downgrade needs nothing: a cast to the type that a column has is not printed. What is refused with the cast too stands
in the way of the new type, and is named before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeEngine

from alembic_pgpatterns.autogenerate.rewrite.dependents import Dependents
from alembic_pgpatterns.autogenerate.rewrite.inner_types import create_statement, named_types_of
from alembic_pgpatterns.autogenerate.rewrite.own_transaction import in_transaction
from alembic_pgpatterns.autogenerate.rewrite.recast_sql import (
    NEW_TYPE,
    OBJECTS,
    OBJECTS_BEFORE_15,
    PLACE,
    VIEWS,
    Tried,
    cast_in,
    on_scratch,
)
from alembic_pgpatterns.autogenerate.rewrite.renamed_column import NotRenamedError
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import comparable, type_name, type_text
from alembic_pgpatterns.errors import first_line
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds

REFUSED = "which PostgreSQL refuses with the new type"


@dataclass(frozen=True, slots=True)
class Recast:
    """What a new type of a column does to what reads it."""

    names: tuple[str, ...] = ()
    """The objects that get a cast."""
    old_type: str = ""
    """The type that they read the column as."""
    definitions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Definitions of CHECKs and statistics objects with the cast, by kind and name."""
    recreated: tuple[str, ...] = ()
    """The objects that `pieces` are about."""
    pieces: tuple[tuple[str, str], ...] = ()
    """Pieces of the statements that create policies, triggers, rules and generated columns, and what they become."""
    views: tuple[tuple[str, str, str], ...] = ()
    """Views: the quoted name with its schema, the query and what it becomes."""
    refused: tuple[str, ...] = ()
    """Objects that PostgreSQL refuses with the cast too, with its message."""
    fails_for_some: bool = False
    """The new type is a text, and the cast back fails for a value that has no value of the old type."""

    def with_definitions(self, dependents: Dependents) -> Dependents:
        """The dependents of the column with the definitions that the new column needs."""
        new = self.definitions
        checks = (
            replace(item, definition=new.get(("check", item.name), item.definition)) for item in dependents.checks
        )
        statistics = (
            replace(item, definition=new.get(("statistics", item.name), item.definition))
            for item in dependents.statistics
        )
        return replace(dependents, checks=tuple(checks), statistics=tuple(statistics))

    def by_statement(self) -> tuple[str, ...]:
        """The objects because of which ALTER COLUMN TYPE fails: it makes CHECKs and statistics again as they are."""
        needed = [f"{'check' if kind == 'check' else 'statistics object'} {name}" for kind, name in self.definitions]
        return (*(f"{each}, {REFUSED}" for each in needed), *self.refused)

    def words(self, column: str) -> str:
        """A sentence about the objects that get a cast; empty if there are none."""
        if not self.names:
            return ""
        read = f"{quote(column)}::{self.old_type}"
        later = f"; a value that is no {self.old_type} will make them fail" if self.fails_for_some else ""
        names = ", ".join(self.names)
        return f". From now on {names} read {read}, since PostgreSQL refuses them with the new type{later}"

    def beside(self, others: Sequence[tuple[ops.AlterColumnOp, Recast]], dropped: Collection[str]) -> Recast:
        """The same in a revision that changes other columns of the table too.

        PostgreSQL may print differently what reads two columns, once the first one has its new type.

        Args:
            others: changes of type, with what each does.
            dropped: the columns that the revision drops. Generated ones go before their source changes.
        """
        labels = {f"generated column {quote(name)}" for name in dropped}
        pairs = [(n, p) for n, p in zip(self.recreated, self.pieces, strict=True) if n not in labels]
        refused = [each for each in self.refused if each.partition(f", {REFUSED}")[0] not in labels]
        for op, recast in others:
            column = str(op.column_name)
            assert op.modify_type is not None
            printed_alike = op.existing_type is not None and comparable(op.existing_type, op.modify_type)
            for name, definition in self._changed():
                if name in recast.names or (not printed_alike and column in _words(definition)):
                    refused.append(f"{name}, which reads {column} too, of which this revision changes the type")
        return replace(
            self,
            names=tuple(name for name in self.names if name not in labels),
            recreated=tuple(name for name, _ in pairs),
            pieces=tuple(piece for _, piece in pairs),
            refused=tuple(dict.fromkeys(refused)),
        )

    def _changed(self) -> Iterator[tuple[str, str]]:
        yield from ((name, old) for (old, _), name in zip(self.pieces, self.recreated, strict=True))
        yield from ((f"view {name}", query) for name, query, _ in self.views)


NOTHING = Recast()


def changed_since(view: str) -> str:
    """What a revision says of a view that is not the one that it was written for."""
    return f"view {view} is not what it was when this revision was written"


_SIGNS = str.maketrans('"().,', "     ")


def _words(definition: str) -> set[str]:
    """Every word of a definition: maybe too many, and then the types are changed one by one."""
    return set(definition.translate(_SIGNS).split())


class Recasts:
    """`read_recast` for the changes of type of one run. What was tried is not tried again."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.tried: dict[tuple[Any, ...], Recast] = {}

    def __call__(self, table: tuple[str, str], op: ops.AlterColumnOp, dependents: Dependents) -> Recast:
        """Return what the new type of a column does to what reads it.

        Args:
            table: its schema and name.
            op: the change of type.
            dependents: what depends on the column, as the new column is to have it.
        """
        assert op.modify_type is not None
        definitions = [item.definition for item in dependents.checks]
        definitions += [item.definition for item in dependents.statistics]
        definitions += [item.definition for item in dependents.indexes]
        key = (table, str(op.column_name), type_text(op.modify_type), *definitions)
        if key not in self.tried:
            column = str(op.column_name)
            self.tried[key] = read_recast(self.connection, table, column, op.modify_type, dependents)
        return self.tried[key]


def read_recast(
    connection: Connection, table: tuple[str, str], column: str, kind: TypeEngine[Any], dependents: Dependents
) -> Recast:
    """Try all that reads a column with its new type. Everything is rolled back.

    Locks: ACCESS SHARE on the table, and none on what reads it.

    Args:
        connection: to the database.
        table: its schema and name.
        column: its name.
        kind: the new type.
        dependents: what depends on the column, as the new column is to have it.
    """
    values = {"schema": table[0], "table": table[1], "column": column}
    place = connection.execute(text(PLACE), {**values, "type": type_name(kind)}).one_or_none()
    if place is None or place.same:
        return Recast()
    query = OBJECTS if (connection.dialect.server_version_info or (18,)) >= (15,) else OBJECTS_BEFORE_15
    objects = [Tried(**row) for row in connection.execute(text(query), values).mappings()]
    views = [dict(row) for row in connection.execute(text(VIEWS), values).mappings()]
    objects += [Tried(f"check {item.name}", "check", item.definition, name=item.name) for item in dependents.checks]
    objects += [Tried(f"index {item.name}", "index", item.definition) for item in dependents.indexes if not item.key]
    objects += [
        Tried(f"statistics object {item.name}", "statistics", item.definition, item.name)
        for item in dependents.statistics
    ]
    if not objects and not views:
        return Recast()
    try:
        with in_transaction(connection):
            savepoint = connection.begin_nested()
            try:
                trial = _Trial(connection, table, column, str(place.type), bool(place.is_enum))
                trial.make()
                # What cannot be tried, for a reason that has nothing to do with the type, is left as it is.
                objects = [item for item in objects if trial.refusal_of(item, item.definition) is None]
                views = views if trial.first_refused([(view, view["query"]) for view in views]) is None else []
                trial.retype(kind)
                return trial.result(objects, views)
            finally:
                savepoint.rollback()
    except SQLAlchemyError:
        # No right to create temporary tables, or a server that only reads: then nothing is known.
        return Recast()


@dataclass(frozen=True, slots=True)
class _Trial:
    """The temporary table, and what is tried on it."""

    connection: Connection
    real: tuple[str, str]
    """Schema and name of the table."""
    column: str
    old_type: str
    is_enum: bool = False
    """The old type is an enum: a text that is no label has no value of it, and the type may go with its last column."""

    def make(self) -> None:
        """Create the table, with the types that the real one has."""
        self._run(f"CREATE TEMP TABLE {quote(self.real[1])} (LIKE {'.'.join(map(quote, self.real))})")
        self._run(f"ALTER TABLE {self._scratch()} ALTER COLUMN {quote(self.column)} DROP NOT NULL")

    def retype(self, kind: TypeEngine[Any]) -> None:
        """Give the column its new type, which the revision may create."""
        for item in named_types_of(kind):
            self._refusal([create_statement(item)], keep=True)
        self._run(f"ALTER TABLE {self._scratch()} ALTER COLUMN {quote(self.column)} TYPE {type_text(kind)} USING NULL")

    def result(self, objects: Sequence[Tried], views: Sequence[Mapping[str, Any]]) -> Recast:
        """What each object needs."""
        needed: list[tuple[Tried, str]] = []
        refused: list[str] = []
        new = self.connection.execute(text(NEW_TYPE), {**self._place(), "old": self.old_type}).one()
        for item in objects:
            message = self.refusal_of(item, item.definition)
            if item.kind == "filter" and new.user_defined:
                message = "User-defined types are not allowed"
                refused.append(f"{item.label}, {REFUSED} ({message})")
                continue
            if message is None:
                continue
            castable = item.can_be_cast and not self.is_enum and (item.kind != "filter" or new.casts_by_function)
            changed = self._cast(item.wrapped(item.definition)) if castable else None
            changed = item.unwrapped(changed) if changed is not None else None
            if changed is None or self.refusal_of(item, changed) is not None:
                refused.append(f"{item.label}, {REFUSED} ({message})")
            else:
                needed.append((item, changed))
        recast_views, refusals = self._views(views)
        pieces = {item.piece(item.definition): (item.label, item.piece(new)) for item, new in needed if item.recreated}
        labels = dict.fromkeys((*(item.label for item, _ in needed), *(f"view {name}" for name, _, _ in recast_views)))
        return Recast(
            tuple(labels),
            self.old_type,
            {(item.kind, item.name): changed for item, changed in needed if not item.recreated},
            tuple(label for label, _ in pieces.values()),
            tuple((old, new) for old, (_, new) in pieces.items()),
            recast_views,
            tuple(dict.fromkeys((*refused, *refusals))),
            bool(new.fails_for_some),
        )

    def _views(self, views: Sequence[Mapping[str, Any]]) -> tuple[tuple[tuple[str, str, str], ...], list[str]]:
        """The views that need a cast. All that read the column get it, if one on any of them is refused."""
        plain = [(view, view["query"]) for view in views]
        message = self.first_refused(plain)
        if message is None:
            return (), []
        cast = [(view, self._cast(view["query"]) if view["direct"] else view["query"]) for view in views]
        readable = [(view, query) for view, query in cast if query is not None]
        if self.is_enum or len(readable) < len(views) or self.first_refused(readable) is not None:
            return (), [f"{message[0]}, {REFUSED} ({message[1]})"]
        return tuple((view["name"], view["query"], new) for view, new in readable if new != view["query"]), []

    def first_refused(self, views: Sequence[tuple[Mapping[str, Any], str]]) -> tuple[str, str] | None:
        """Create views with some queries; the first that PostgreSQL refuses, with its message."""
        names = {self.real, *((view["schema"], view["relname"]) for view, _ in views)}
        statements: list[str] = []
        for view, query in views:
            try:
                statements.append(on_scratch(f"CREATE VIEW pg_temp.{quote(view['relname'])} AS {query}", names))
            except NotRenamedError as error:
                return view["label"], str(error)
            if (message := self._refusal(statements)) is not None:
                return view["label"], message
        return None

    def refusal_of(self, item: Tried, definition: str) -> str | None:
        """Create an object with a definition; PostgreSQL's message if it refuses that."""
        try:
            statements = [on_scratch(each, {self.real}) for each in item.statements(self.real[1], definition)]
        except NotRenamedError as error:
            return str(error)
        return self._refusal(statements)

    def _place(self) -> dict[str, str]:
        return {"table": self.real[1], "column": self.column}

    def _scratch(self) -> str:
        return f"pg_temp.{quote(self.real[1])}"

    def _cast(self, statement: str) -> str | None:
        try:
            return cast_in(statement, self.column, self.old_type)
        except NotRenamedError:
            return None

    def _refusal(self, statements: Sequence[str], keep: bool = False) -> str | None:
        """Run statements; PostgreSQL's message if it refuses one."""
        savepoint = self.connection.begin_nested()
        end: Callable[[], None] = savepoint.commit if keep else savepoint.rollback
        try:
            for statement in statements:
                self._run(statement)
        except SQLAlchemyError as error:
            end = savepoint.rollback
            return first_line(getattr(error, "orig", None) or error)
        finally:
            end()
        return None

    def _run(self, statement: str) -> None:
        self.connection.execute(text(escape_binds(statement)))
