"""One query told apart by its tables: what it asks of each, and how they are joined."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from alembic_pgpatterns.evidence.classes import Classes
from alembic_pgpatterns.evidence.conditions import OPPOSITE
from alembic_pgpatterns.evidence.model import Condition, OrderKey, Place, QueryShape, Use
from alembic_pgpatterns.evidence.scope import VARIES
from alembic_pgpatterns.evidence.symbols import PathCondition, PathQuery

_CONTAINERS = ("JSON", "ARRAY", "HSTORE", "TSVECTOR", "list", "dict", "List", "Dict", "TSVectorType")

Column = tuple[str, str, str]
"""Table, name and the words of the type."""


class Tables:
    """One query, told apart by its tables."""

    def __init__(self, classes: Classes, query: PathQuery, written: str, owner: str) -> None:
        self.classes, self.query, self.written, self.owner = classes, query, written, owner
        self.complete = query.complete
        self.links: dict[tuple[tuple[str, str], tuple[str, str]], None] = {}
        self.conditions: dict[str, list[Condition]] = defaultdict(list)
        self.order: dict[str, list[OrderKey]] = defaultdict(list)
        self.grouped: dict[str, list[str]] = defaultdict(list)

    def shapes(self, place: Place) -> Iterator[QueryShape]:
        """A shape per table, the main one first."""
        sets = [item.within for item in self.query.conditions if item.within is not None]
        entities = [entity for path in self.query.entities if (entity := self._entity(path)) is not None]
        joined = [entity for path in self.query.joined if (entity := self._entity(path)) is not None]
        joined += [entity for item in sets for path in item.entities if (entity := self._entity(path)) is not None]
        main = entities[0] if entities else None
        self._named(joined[-1] if self.query.joined and joined else main)
        self._by_primary_key(main)
        for item in self.query.conditions:
            self._condition(item, main)
        self._ordered(main)
        tables = dict.fromkeys(filter(None, map(self.classes.table, (*entities, *joined))))
        tables |= dict.fromkeys((*self.conditions, *self.order))
        alone = len(tables) < 2 and not self.query.joined
        primary = self.classes.table(main) if main is not None else next(iter(tables), None)
        shaped = (self._shape(table, table == primary, entities, place) for table in tables)
        shapes = {shape.table: replace(shape, alone=alone) for shape in shaped}
        self._implied_links([*entities, *joined])
        # A query within another one compares with the tables of that; they are none of its own.
        outer = set(tables) - set(map(self.classes.table, (*entities, *joined))) if self.query.nested else set()
        whole = primary is not None and len(tables) > 1 and not outer and self._are_joined(tables)
        for table, shape in shapes.items():
            if table == primary and whole:
                others = tuple(self._joined_shape(other) for name, other in shapes.items() if name != primary)
                yield replace(shape, joined=others, links=tuple(self.links))
            elif table == primary or self.conditions[table] or self.order[table]:
                yield replace(shape, part=whole)

    def _joined_shape(self, shape: QueryShape) -> QueryShape:
        fetched = tuple(dict.fromkeys(self._named_columns(shape.table, self.query.fetched)))
        return replace(shape, fetched=fetched, places=(), complete=True)

    def _implied_links(self, entities: Sequence[str]) -> None:
        """Joins without a condition follow the one foreign key between the two: ``join(Job.team)``, ``join(Team)``."""
        linked = {table for pair in self.links for table, _ in pair}
        for number, entity in enumerate(entities):
            table = self.classes.table(entity)
            for other in entities[:number] if table not in linked else ():
                for child, parent in ((other, entity), (entity, other)):
                    column, keys = self.classes.key_to(child, parent), self.classes.keys(parent)
                    tables = self.classes.table(child), self.classes.table(parent)
                    if column is not None and len(keys) == 1 and tables[0] and tables[1] and tables[0] != tables[1]:
                        self.links[(tables[0], column), (tables[1], keys[0])] = None
                        linked |= {tables[0], tables[1]}

    def _are_joined(self, tables: Iterable[str]) -> bool:
        """Whether the joins lead from each table to all others."""
        waiting = set(tables)
        connected = {waiting.pop()}
        while further := {b for pair in self.links for a, b in _both_ways(pair) if a in connected and b in waiting}:
            connected |= further
            waiting -= further
        return not waiting

    def _shape(self, table: str, primary: bool, entities: list[str], place: Place) -> QueryShape:
        query = self.query
        whole = any(path.rsplit(".", 1)[-1] == item.rsplit(".", 1)[-1] for path in query.fetched for item in entities)
        fetched = () if whole or not primary else tuple(dict.fromkeys(self._named_columns(table, query.fetched)))
        return QueryShape(
            table=table,
            command=query.command if primary else "select",
            conditions=tuple(dict.fromkeys(self.conditions[table])),
            order=tuple(self.order[table]),
            limit=query.limit and primary,
            limit_rows=query.limit_rows if primary else None,
            offset=query.offset and primary,
            lock=query.lock if primary else "",
            skip_locked=query.skip_locked and primary,
            distinct=query.distinct and primary,
            grouped=tuple(self.grouped[table]),
            fetched=fetched,
            aggregates=tuple(self._aggregates(table, primary)),
            assigned=tuple(dict.fromkeys(self._named_columns(table, query.assigned, next(iter(entities), None))))
            if primary
            else (),
            complete=self.complete,
            places=(place,),
        )

    def _named_columns(self, table: str, paths: Sequence[str], main: str | None = None) -> Iterator[str]:
        for path in paths:
            column = self._column(path, main)
            if column is not None and column[0] == table:
                yield column[1]

    def _aggregates(self, table: str, primary: bool) -> Iterator[tuple[str, str]]:
        for function, path in self.query.aggregates:
            column = self._column(path) if path != "*" else None
            if column is not None and column[0] == table:
                yield function, column[1]
            elif path == "*" and primary:
                yield function, "*"

    def _entity(self, path: str) -> str | None:
        """The mapped class a path means, or whose column or relationship it is."""
        owner = self._owner(path)
        if owner is not None:
            return owner
        head, _, attribute = path.rpartition(".")
        below = self._owner(head) if head else None
        if below is None:
            return None
        target = self.classes.relationship(below, attribute)
        if target is not None and self.classes.table(target) is not None:
            return self.classes.canonical(target)
        return below if self.classes.column(below, attribute) is not None else None

    def _owner(self, path: str) -> str | None:
        """The mapped class that a whole path means."""
        if not path.startswith("@"):
            return self.classes.canonical(path) if self.classes.table(path) is not None else None
        rest = path[1:]
        if self.written and (rest == self.written or rest.startswith(f"{self.written}.")):
            rest = self.owner + rest[len(self.written) :]
        if self.classes.table(rest) is not None:
            return self.classes.canonical(rest)
        head, _, attribute = rest.rpartition(".")
        return self.classes.bound(head, attribute) if self.classes.get(head) is not None else None

    def _column(self, path: str, main: str | None = None) -> tuple[str, str, str] | None:
        """Table, column and type of a path; ``?.name`` is a column of the main table."""
        head, _, attribute = path.rpartition(".")
        if attribute in ("expression", "comparator") and head:
            return self._column(head, main)
        owner = main if head == "?" else self._owner(head) if head else None
        if owner is None:
            return None
        column = self.classes.column(owner, attribute)
        table = self.classes.table(owner)
        if column is None or table is None:
            return None
        return table, column.name, column.kind

    def _condition(self, item: PathCondition, main: str | None) -> None:
        if item.within is not None:
            self._within(item, item.within, main)
            return
        left, right = self._column(item.path, main), self._column(item.other, main) if item.other else None
        if left is None and right is None:
            self.complete &= self._hybrid(item, main) or self._related(item)
            return
        if left is not None and right is not None and item.use is Use.EQUAL:
            self._join(left, right, item)
            return
        table, column, kind = left or right or ("", "", "")
        use = Use.PATTERN if item.use is Use.CONTAINS and not any(word in kind for word in _CONTAINERS) else item.use
        self.conditions[table].append(
            Condition(
                column, use, self._literal(item, kind), item.function, item.alternative, None, item.optional,
                item.operator, _template(item, kind), item.branch,
            )
        )  # fmt: skip

    def _within(self, item: PathCondition, query: PathQuery, main: str | None) -> None:
        """``Job.team_id.in_(select(Team.id).where(…))``: a join, as PostgreSQL plans it."""
        self._condition(replace(item, use=Use.EQUAL, other=query.fetched[0], within=None), main)
        self.complete &= query.complete
        for inner in query.conditions:
            alternative = inner.alternative or item.alternative
            self._condition(replace(inner, alternative=alternative, optional=inner.optional or item.optional), main)

    def _literal(self, item: PathCondition, kind: str) -> str | None:
        """The constant of a condition, or the list of them, by its name where it is one of a module or class."""
        if item.use is Use.MEMBER:
            texts = [self.classes.constants(text[1:], kind) if text[0] == "@" else (text,) for text in item.values]
            if not texts and item.other:
                texts = [self.classes.constants(item.other, kind)]
            return ", ".join(text for group in texts for text in group) if texts and all(texts) else None
        if item.literal is not None or not item.other:
            return item.literal
        values = self.classes.constants(item.other, kind)
        return values[0] if len(values) == 1 else None

    def _hybrid(self, item: PathCondition, main: str | None) -> bool:
        """A hybrid property that tests columns, itself tested for true or false; or one that is a function of one."""
        head, _, attribute = item.path.rpartition(".")
        owner = main if head == "?" else self._owner(head) if head else None
        computed = self.classes.computed(owner, attribute) if owner is not None else None
        if computed is not None:
            self._condition(replace(item, path=f"{head}.{computed[0]}", function=computed[1]), main)
            return True
        tests = self.classes.tests(owner, attribute) if owner is not None else ()
        # What is not true of a and b together says of neither that it is false.
        if item.use is not Use.EQUAL or item.literal not in ("true", "false")[: 2 if len(tests) == 1 else 1]:
            return False
        for name, use, literal, operator in tests:
            opposite = OPPOSITE.get(use, Use.OTHER) if item.literal == "false" else use
            self._condition(
                PathCondition(f"{head}.{name}", opposite, literal, "", item.alternative, "", item.optional, operator),
                main,
            )
        return bool(tests)

    def _related(self, item: PathCondition) -> bool:
        """``Post.author == user``: a condition on the foreign key of that relationship."""
        head, _, attribute = item.path.rpartition(".")
        owner = self._owner(head) if head else None
        key = self._key_of(owner, attribute)
        if owner is None or key is None or item.use not in (Use.EQUAL, Use.NOT_EQUAL, Use.IS_NULL, Use.IS_NOT_NULL):
            return False
        table = self.classes.table(owner) or ""
        self.conditions[table].append(Condition(key, item.use, None, "", item.alternative, None, item.optional))
        return True

    def _key_of(self, owner: str | None, attribute: str) -> str | None:
        target = self.classes.relationship(owner, attribute) if owner is not None else None
        return self.classes.key_to(owner, target) if owner is not None and target is not None else None

    def _join(self, left: Column, right: Column, item: PathCondition) -> None:
        if left[0] != right[0] and not item.alternative:
            self.links[left[:2], right[:2]] = None
        for side, other in ((left, right), (right, left)):
            joined = Condition(side[1], Use.JOIN, None, item.function, item.alternative, other[:2], item.optional)
            self.conditions[side[0]].append(joined)

    def _named(self, entity: str | None) -> None:
        """``filter_by(name=…)`` asks the table that was joined last."""
        for name, literal, optional in self.query.by_name:
            if not name.startswith("="):
                continue
            column = self.classes.column(entity, name[1:]) if entity is not None else None
            table = self.classes.table(entity) if entity is not None else None
            if column is None or table is None:
                key = self._key_of(entity, name[1:])
                if key is None or table is None:
                    self.complete = False
                else:
                    use = Use.IS_NULL if literal == "null" else Use.EQUAL
                    self.conditions[table].append(Condition(key, use, optional=optional))
            elif literal == "null":
                self.conditions[table].append(Condition(column.name, Use.IS_NULL, optional=optional))
            else:
                self.conditions[table].append(Condition(column.name, Use.EQUAL, literal, optional=optional))

    def _by_primary_key(self, main: str | None) -> None:
        table = self.classes.table(main) if main is not None and self.query.by_key else None
        if table is not None and main is not None:
            self.conditions[table] += [Condition(name, Use.EQUAL) for name in self.classes.keys(main)]

    def _ordered(self, main: str | None) -> None:
        for key in self.query.order:
            path = key.path if "." in key.path else f"?.{key.path}"
            column = self._column(path, main)
            if column is None:
                self.complete &= bool(key.function)
            else:
                self.order[column[0]].append(
                    OrderKey(column[1], key.descending, key.nulls_first, key.function, key.template)
                )
        for path in self.query.grouped:
            column = self._column(path, main)
            if column is not None:
                self.grouped[column[0]].append(column[1])


def _both_ways(pair: tuple[tuple[str, str], tuple[str, str]]) -> Iterator[tuple[str, str]]:
    (first, _), (second, _) = pair
    yield first, second
    yield second, first


def _template(item: PathCondition, kind: str) -> str:
    """SQL of what is compared, with ``{}`` for the column; empty where it is the column, or not known."""
    if not item.keys or VARIES in item.keys:
        return item.template
    inner = "{}"
    for key in item.keys[:-1]:
        inner = f"{inner}[{key}]" if "JSONB" in kind and _HAS_SUBSCRIPTS else f"({inner} -> {key})"
    last = item.keys[-1]
    taken = f"({inner} #>> {last[1:]})" if last[0] == "#" else f"({inner} ->> {last})"
    outer = item.template or (f"{item.function}({{}})" if item.function.isidentifier() else "{}")
    return outer.replace("{}", taken)


def _has_subscripts() -> bool:
    """Whether SQLAlchemy writes ``data['a'] ->> 'b'`` for JSONB, which needs another index than ``->``."""
    try:
        numbers = re.findall(r"\d+", version("sqlalchemy"))
    except PackageNotFoundError:
        return True
    return tuple(map(int, numbers[:3])) >= (2, 0, 42)


_HAS_SUBSCRIPTS = _has_subscripts()
