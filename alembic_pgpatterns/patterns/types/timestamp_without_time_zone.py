from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from alembic_pgpatterns.evidence.model import Place
from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import Linked, Obstacles, by_pgfix, checked_columns
from alembic_pgpatterns.remedies.model import Advice, ChangeType, Remedy, TypeChange
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import calls
from alembic_pgpatterns.schema.sql.values import columns as columns_in

_NAIVE = frozenset({"datetime.datetime.utcnow", "datetime.datetime.now", "datetime.datetime.today"})
"""Python's clocks that give a time without a zone if they are called without arguments, as SQLAlchemy calls them."""


_NAMED = 6
"""Places in the source that a message names."""
_HEAVY = 1_000_000
"""More than any number of queries."""


class TimestampWithoutTimeZone(SchemaPattern):
    """A timestamp column that does not say which time zone its values are in.

    Two servers, or two sessions with a different `TimeZone`, store different values for the same moment; in one night
    in autumn one value means two moments; and differences across a change to summer time are wrong by an hour.
    `timestamptz` has the same size (8 bytes), stores the moment itself, and shows it in the session's zone.

    The change needs a decision: which zone the stored values are in. The fix says UTC, as most applications use.

    `default=` or `onupdate=` such as `datetime.utcnow` must change together with the type: it fills in a time without a
    zone, which PostgreSQL reads in the session's zone when it stores it as `timestamptz` (asyncpg: in the program's
    own zone). The finding says so. So does a TypeDecorator whose `process_bind_param` takes the zone away.

    Where the source compares an attribute of that name with `datetime.utcnow()` or `datetime.now()`, or subtracts them,
    the finding names the place: Python raises TypeError there once the value has a zone.

    The fix rewrites the table. Where the values are UTC, `SET LOCAL timezone = 'UTC'` in the same transaction and the
    change without USING rewrite only the indexes on the column (PostgreSQL 12 and later).

    Arrays and domains are checked too. Only described: a column under an expression index, or one whose default makes a
    local time (`now() AT TIME ZONE 'utc'`). Under a view or a generated column PostgreSQL refuses the statement alone:
    `pgfix` writes the revision that drops and creates these again.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    of_postgresql = True
    weighs_queries = True
    fold = Fold.TABLE
    not_when = (
        "Keep it for clock times of a place that is named elsewhere, such as opening hours or the start of an "
        "event; if the stored values are not in UTC, name their zone in USING."
    )
    references = (
        "https://www.postgresql.org/docs/current/datatype-datetime.html",
        "https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_timestamp_.28without_time_zone.29",
    )
    bad = """
        CREATE TABLE visit (id bigint PRIMARY KEY, came_at timestamp NOT NULL DEFAULT now());
    """
    good = """
        CREATE TABLE visit (id bigint PRIMARY KEY, came_at timestamptz NOT NULL DEFAULT now());
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns of timestamp, through arrays and domains."""
        linked, obstacles = schema.fact(Linked), schema.fact(Obstacles)
        moments = [(table, column) for table, column in checked_columns(schema) if _is_moment(column)]
        compared_at = _compared_naively(schema, [column for _, column in moments])
        for table, column in moments:
            has_foreign_key = len(linked.group(column).columns) > 1
            naive = naive_default(column, "one") or _unknown_default(column)
            more = f", and {naive}" if naive else ""
            compared = compared_at.get(column.name, "")
            finding = self.finding(
                at=column,
                message=f"{column.identifier} does not say which time zone it is in{more}{compared}",
                remedy=_remedy(
                    column,
                    _obstacle(table, column, has_foreign_key) or obstacles.of(column),
                    obstacles.around(column),
                ),
                cause=column.type.decorator or "no zone",  # how a project stores moments is one decision
            )
            # Who follows the fix of another column alone breaks this code.
            yield finding.but(weight=_HEAVY if compared else 0)


def _is_moment(column: Column) -> bool:
    return column.type.name == "timestamp" and column.type.schema == "pg_catalog"


def _compared_naively(schema: Schema, moments: list[Column]) -> dict[str, str]:
    """By column name: where the source compares it, and then the others, with a time without a zone."""
    naive = schema.evidence.naive if schema.evidence is not None else {}
    names = [name for name in dict.fromkeys(column.name for column in moments) if name in naive]
    return {name: _places_text(sorted(names, key=lambda other: other != name), naive) for name in names}


def _places_text(names: Sequence[str], naive: Mapping[str, Sequence[Place]]) -> str:
    """The columns of one cause are one finding, so that the places of all stand in it."""
    numbered = [(number, name, place) for name in names for number, place in enumerate(naive[name])]
    # Of each column one, then the rest.
    places = [f"{place} ({name})" for _, name, place in sorted(numbered, key=lambda item: item[0])]
    return (
        "; with timestamptz Python refuses to compare it with a time without a zone, so write "
        f"datetime.now(timezone.utc) there too: {listed(places, _NAMED)}"
    )


def naive_default(column: Column, zone: str = "a time zone") -> str:
    """What the models fill in without a zone, and what they must fill in with timestamptz; empty if nothing.

    PostgreSQL reads a value without a zone that it stores as timestamptz in the session's zone.

    Args:
        column: with the models' defaults.
        zone: how the text calls the zone.
    """
    # A Field of SQLModel takes `default=` for the value itself.
    default = "default_factory" if (column.origin.call or "").rpartition(".")[2] == "Field" else "default"
    values = {default: column.python_default, "onupdate": column.python_onupdate}
    naive = {name: value for name, value in values.items() if value in _NAIVE}
    if not naive:
        return ""
    written = " and ".join(f"{name}={value}" for name, value in naive.items())
    fills = "fill in values" if len(naive) > 1 else "fills in a value"
    aware = " and ".join(f"{name}=lambda: datetime.now(timezone.utc)" for name in naive)
    return f"{written} {fills} without {zone}: with timestamptz, write {aware} in the model too"


def _unknown_default(column: Column) -> str:
    """What to look at where a function of the application fills a moment in."""
    values = {"default": column.python_default, "onupdate": column.python_onupdate}
    calls = [f"{name}={value}" for name, value in values.items() if isinstance(value, str) and _is_function(value)]
    return f"see that {' and '.join(calls)} gives a value with one" if calls else ""


def _is_function(value: str) -> bool:
    """Whether it is the dotted name of a function. What a lambda gives stands beside the column."""
    parts = value.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts) and parts[0] != "datetime"


def _remedy(column: Column, obstacle: str | None, around: str | None) -> Remedy:
    if column.type.decorator:
        return _decorated(column)
    precision = "" if column.type.precision is None else f"({column.type.precision})"
    new = f"timestamp{precision} with time zone"
    if obstacle is not None:
        return Advice(
            f"Write the change to {new} in a revision yourself, with the zone of the stored values, because {obstacle}."
        )
    using = f"{quote(column.name)} AT TIME ZONE 'UTC'"
    change = TypeChange(column.table, column.name, column.type.display, new, using=using)
    return by_pgfix(ChangeType((change,), rewrites=True), [(column, around)] if around else [])


def _decorated(column: Column) -> Advice:
    """The TypeDecorator stays: it converts values, and one line of it holds for all of its columns."""
    return Advice(
        f"Keep {column.type.decorator} as the type, let its impl be DateTime(timezone=True), and see that its "
        "process_bind_param, if it has one, keeps the zone of each value. Then, for each column: ALTER TABLE … ALTER "
        "COLUMN … TYPE timestamp with time zone USING … AT TIME ZONE 'UTC'."
    )


def _obstacle(table: Table, column: Column, has_foreign_key: bool) -> str | None:
    if column.type.array:
        return "AT TIME ZONE works on single values, not on arrays"
    if has_foreign_key:
        return "a foreign key connects it to another column"
    if column.generated is not None:
        return "its generation expression makes a local time"
    # timezone() is what AT TIME ZONE becomes in the catalog.
    if isinstance(column.default, str) and "timezone" in calls(column.default):
        return f"its default, {column.default}, makes a local time and must become now()"
    return _immutable(table, column)


def _immutable(table: Table, column: Column) -> str | None:
    """Expressions of indexes must be immutable; on a timestamptz most functions of time depend on the session."""
    for index in table.indexes:
        texts = [key.expression for key in index.keys] + [index.predicate]
        if any(text is not None and text is not UNKNOWN and column.name in columns_in(text) for text in texts):
            return f"an expression of the index {quote(index.name.name)} reads it"
    return None
