"""Statistics derived from a schema: keys, foreign keys, enums, CHECKs, defaults, types and names.

They are guesses, and the advice says so; of an export none is needed.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from alembic_pgpatterns.advisor.facts import ColumnFacts, Statistics
from alembic_pgpatterns.advisor.hints import Parents, Tails, Waiting, is_key, parents, tails, waiting
from alembic_pgpatterns.schema.model import UNKNOWN, Column, ForeignKey, Schema, Table
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.expressions import is_now
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.model import Workload

YEARS = 3
"""The time during which a table's rows were made."""
WEEK = datetime.timedelta(days=7)
FARTHEST = 20
"""A time more than this many years from now does not show when rows were made: an epoch, or a "for ever"."""
BOUNDS = 101
"""As many as a server keeps by default (``default_statistics_target``)."""
_DOCUMENTS = tuple(f'{{"pgpatterns": {number}}}' for number in range(BOUNDS))
"""A histogram of documents. Without one the server takes each ``@>`` for a hundredth of all rows; with one, for what of
it is true for these, which is next to nothing."""
TEXTS = tuple(sorted(hashlib.md5(bytes([number]), usedforsecurity=False).hexdigest() for number in range(BOUNDS)))
"""A histogram of texts, for the same reason: LIKE '%word%' is true for few."""
_ELEMENTS = frozenset({"text", "varchar", "int2", "int4", "int8", "numeric"})

_WIDTHS = {"bool": 1, "int2": 2, "int4": 4, "int8": 8, "uuid": 16, "date": 4, "float4": 4, "numeric": 8}
_WIDE = {"json": 200, "jsonb": 200, "xml": 300, "bytea": 500, "tsvector": 150}
_TIMES = frozenset({"timestamptz", "timestamp", "date"})
_RANGES: Mapping[str, tuple[str | None, str]] = {
    "tstzrange": ("%Y-%m-%d %H:%M:%S+00", "86400"),
    "tsrange": ("%Y-%m-%d %H:%M:%S", "86400"),
    "daterange": ("%Y-%m-%d", "1"),
    "int4range": (None, "1"),
    "int8range": (None, "1"),
    "numrange": (None, "1"),
}
"""Range types: how their bounds are written (None: numbers), and how long a day is."""
_DISTINCT_NAMES = ("email", "slug", "token", "uuid", "hash", "url", "reference", "number")
_KIND_NAMES = ("status", "state", "kind", "type", "category", "level", "priority", "currency", "country", "role")
_KIND_WORDS = frozenset(
    {"action", "event", "region", "language", "locale", "gender", "channel", "tier", "stage", "phase"}
)
_BUSY = {
    "int2": "-1",
    "int4": "-1",
    "int8": "-1",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "text": "",
    "varchar": "",
}
"""By type, a value that stands for the parent with the most children."""
BUSY = 100.0
"""How many times as many children as others that parent has; at most `BUSY_SHARE` of all."""
BUSY_SHARE = 0.05
_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
_BEYOND = 0.05
"""Share of the rows beyond a limit that statements compare a number with."""
_WAITING = 0.01
"""Share of the rows that wait in a queue."""
_LONG_NAMES = ("body", "text", "content", "description", "note", "comment", "message", "payload", "bio", "summary")
_DONE = re.compile(r"(ed|sent|paid|done|seen|read|run)_(at|on)$")
"""Names of times at which something was done to a row: to most of them it has been."""
_DELETED = ("deleted", "archived", "discarded", "removed", "cancelled", "canceled", "failed", "blocked", "revoked")


@dataclass(frozen=True, slots=True)
class Period:
    """When the rows of a table were made."""

    start: datetime.datetime
    end: datetime.datetime


@dataclass(frozen=True, slots=True)
class Hints:
    """What a workload says of values: see `hints`."""

    waiting: Waiting = frozenset()
    tails: Tails = field(default_factory=dict)
    parents: Parents = field(default_factory=dict)


def hints_of(workload: Workload, schema: Schema) -> Hints:
    """The hints of a workload."""
    return Hints(waiting(workload, schema.default_schema), tails(workload), parents(workload, schema))


def period_of(workload: Workload, now: datetime.datetime | None = None) -> Period:
    """The last three years, and as far back or forward as the times go that the workload asks for.

    Tests have a present of their own: it ends a week after the newest time that they send, if that is before now.
    """
    end = now or datetime.datetime.now(datetime.UTC)
    values = (value for item in workload.statements for sample in item.values for value in sample)
    sent = list(_near(values, end))
    named = [*sent, *_near((text for item in workload.statements for text in _strings(item.text)), end)]
    newest = max(sent, default=end) + WEEK
    end = newest if newest < end else max([end, *named])
    start = end - datetime.timedelta(days=365 * YEARS)
    margin = datetime.timedelta(days=30)
    return Period(min([start, *(time - margin for time in named)]), end)


def _near(values: Iterable[object], end: datetime.datetime) -> Iterator[datetime.datetime]:
    """The times among values that may be those of rows."""
    times = (time for text in values if isinstance(text, str) and (time := _as_time(text)) is not None)
    return (time for time in times if abs(end - time) < datetime.timedelta(days=365 * FARTHEST))


def _strings(text: str) -> Iterator[str]:
    """The constants in quotes of a statement."""
    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return
    yield from (item.sval.sval for item in postgast.find_nodes(tree, pg.A_Const) if item.HasField("sval"))


def _as_time(text: str) -> datetime.datetime | None:
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def synthesised(schema: Schema, statistics: Statistics, period: Period, hints: Hints | None = None) -> Statistics:
    """The statistics with guesses for the columns of which the file says nothing. Sizes must be there."""
    columns = dict(statistics.columns)
    hints = hints or Hints()
    for table in schema.tables:
        exported = any(key[0] == table.name for key in statistics.columns)
        for column in table.columns:
            key = (table.name, column.name)
            rare = frozenset(value for *of, value in hints.waiting if tuple(of) == key)
            if exported:
                columns |= {key: _redacted(columns[key], rare)} if key in columns else {}
                continue
            facts = _rare(_guess(table, column, statistics, period, hints.parents.get(key)), column, rare)
            columns[key] = _tailed(facts, column, hints.tails.get((table.name.name, column.name)))
    return replace(statistics, columns=columns)


def _redacted(facts: ColumnFacts, rare: frozenset[str]) -> ColumnFacts:
    """Exported facts without values, with the rarest shares for the values that workers take from a queue."""
    if facts.values or not rare or len(facts.frequencies) < len(rare):
        return facts
    return replace(facts, values=tuple(sorted(rare)), frequencies=tuple(sorted(facts.frequencies)[: len(rare)]))


def _tailed(facts: ColumnFacts, column: Column, tail: tuple[float, bool] | None) -> ColumnFacts:
    """The facts with few rows beyond a limit. Without a histogram, a third of all are beyond any."""
    if tail is None or column.type.name not in _NUMBERS or facts.bounds or facts.values or facts.n_distinct == -1.0:
        return facts
    limit, above = tail
    step = max(abs(limit), 1.0) / 100
    beyond = round(BOUNDS * _BEYOND)
    first = limit - step * (BOUNDS - beyond if above else beyond)
    whole = column.type.name in ("int2", "int4", "int8")
    values = (first + step * number for number in range(BOUNDS))
    bounds = tuple(dict.fromkeys(str(round(value)) if whole else f"{value:.4f}" for value in values))
    return replace(facts, bounds=bounds) if len(bounds) > 1 else facts


def _rare(facts: ColumnFacts, column: Column, rare: frozenset[str]) -> ColumnFacts:
    """The facts with few rows for the values that workers take from a queue."""
    others = [value for value in facts.values if value not in rare]
    if not rare or not (others or _is_kind(column)):
        return facts
    left = 1.0 - facts.null_frac - _WAITING * len(rare)
    values = (*others, *sorted(rare))
    return replace(
        facts, values=values, frequencies=(*[left / max(len(others), 1)] * len(others), *[_WAITING] * len(rare))
    )


def _guess(table: Table, column: Column, statistics: Statistics, period: Period, joined: Name | None) -> ColumnFacts:
    facts = ColumnFacts(avg_width=width(column), null_frac=_null_share(column, table))
    labels = _labels(table, column)
    if labels:
        return _common(facts, labels)
    if column.type.name == "bool" and not column.type.array:
        return _flag(facts, column)
    if is_key(table, column.name):
        ordered = column.identity is not None or column.sequence is not None or column.type.name in ("int4", "int8")
        return replace(facts, n_distinct=-1.0, correlation=1.0 if ordered else 0.0, null_frac=0.0)
    key = _foreign_key(table, column.name)
    parent = key.referred_table if key is not None else joined
    if parent is not None:
        return _child(facts, table, column, _of_parent(table.name, parent, statistics), statistics)
    if column.type.name in _TIMES and not column.type.array:
        return _time(facts, column, period)
    if column.type.name in _RANGES and not column.type.array:
        return _range(facts, column.type.name, period)
    size = statistics.sizes.get(table.name)
    return _by_type_and_name(facts, column, max(10.0, math.sqrt(size.rows)) if size is not None else 1000.0)


def width(column: Column) -> int:
    """Average bytes of a value."""
    kind = column.type
    if kind.array:
        return 48
    if kind.name in _WIDE:
        return _WIDE[kind.name]
    if kind.name in ("text", "varchar", "bpchar", "citext"):
        usual = 120 if _named(column, _LONG_NAMES) else 10 if _is_kind(column) else 24
        return min(usual, kind.length) if kind.length else usual
    return _WIDTHS.get(kind.name, 8)


def _null_share(column: Column, table: Table) -> float:
    if not column.nullable or column.name in (table.primary_key.columns if table.primary_key else ()):
        return 0.0
    if _named(column, _DELETED):
        return 0.95
    if column.type.name in _TIMES:
        return 0.1 if _DONE.search(column.name) else 0.5
    return 0.2 if _foreign_key(table, column.name) else 0.1


def _is_kind(column: Column) -> bool:
    """Whether the column distinguishes a few kinds of rows, by its name."""
    return _named(column, _KIND_NAMES) or bool(_KIND_WORDS & set(column.name.lower().split("_")))


def _named(column: Column, words: tuple[str, ...]) -> bool:
    return any(word in column.name.lower() for word in words)


def _common(facts: ColumnFacts, values: tuple[str, ...]) -> ColumnFacts:
    share = (1.0 - facts.null_frac) / len(values)
    return replace(
        facts, values=values, frequencies=(share,) * len(values), n_distinct=float(len(values)), correlation=0.3
    )


def _flag(facts: ColumnFacts, column: Column) -> ColumnFacts:
    """A flag with a default mostly has that value."""
    default = str(column.default if column.default not in (None, UNKNOWN) else column.python_default).lower()
    first = "t" if default.startswith("true") else "f"
    often, seldom = (0.85, 0.15) if default.startswith(("true", "false")) else (0.5, 0.5)
    values = (first, "f" if first == "t" else "t")
    left = 1.0 - facts.null_frac
    return replace(facts, values=values, frequencies=(often * left, seldom * left), n_distinct=2.0, correlation=0.5)


def _time(facts: ColumnFacts, column: Column, period: Period) -> ColumnFacts:
    """Spread evenly over the last years; in the order of the rows where the default is now."""
    step = (period.end - period.start) / (BOUNDS - 1)
    moments = [period.end - step * number for number in reversed(range(BOUNDS))]
    pattern = "%Y-%m-%d" if column.type.name == "date" else "%Y-%m-%d %H:%M:%S"
    suffix = "+00" if column.type.name == "timestamptz" else ""
    bounds = tuple(dict.fromkeys(moment.strftime(pattern) + suffix for moment in moments))
    ordered = (isinstance(column.default, str) and is_now(column.default)) or column.name.startswith("created")
    distinct = float(365 * YEARS) if column.type.name == "date" else -1.0 + facts.null_frac
    return replace(facts, n_distinct=distinct, bounds=bounds, correlation=1.0 if ordered else 0.3)


def _range(facts: ColumnFacts, kind: str, period: Period) -> ColumnFacts:
    """Ranges of a day, spread evenly over the last years. Without a histogram, a hundredth of all overlap with any."""
    step, day = (period.end - period.start) / (BOUNDS - 1), datetime.timedelta(days=1)
    starts = [period.start + step * number for number in range(BOUNDS)]
    pattern, length = _RANGES[kind]
    if pattern is None:
        ranges = tuple(f"[{number * 1000},{number * 1000 + 1})" for number in range(BOUNDS))
    else:
        ranges = tuple(f'["{start:{pattern}}","{start + day:{pattern}}")' for start in starts)
    return replace(facts, n_distinct=-0.5, ranges=ranges, lengths=(length, length))


def _child(facts: ColumnFacts, table: Table, column: Column, n_distinct: float, statistics: Statistics) -> ColumnFacts:
    """A foreign key: as many values as there are parents, of which one has many more children than the others."""
    facts = replace(facts, n_distinct=n_distinct, correlation=0.0)
    size, busy = statistics.sizes.get(table.name), _BUSY.get(column.type.name)
    if size is None or busy is None or size.rows < 1:
        return facts
    parents = n_distinct if n_distinct > 0 else -n_distinct * size.rows
    share = min(BUSY_SHARE, BUSY / max(parents, 1.0))
    return replace(facts, values=(busy,), frequencies=(share,)) if share > 1 / max(parents, 1.0) else facts


def _by_type_and_name(facts: ColumnFacts, column: Column, some: float) -> ColumnFacts:
    """``some``: the different values of a column of which nothing is known: the square root of the rows.

    That is half-way between one and all in orders of magnitude, so that neither mistake is a large one.
    """
    kind = column.type.name
    if column.type.array:
        return replace(facts, n_distinct=0.0, element=2 / some if kind in _ELEMENTS else None)
    if kind in _WIDE:
        return replace(facts, n_distinct=0.0, bounds=_DOCUMENTS if kind == "jsonb" else ())
    if kind in ("text", "varchar", "bpchar", "citext"):
        if _is_kind(column):
            return replace(facts, n_distinct=6.0, correlation=0.2)
        unique = _named(column, _DISTINCT_NAMES) or _named(column, _LONG_NAMES)
        return replace(facts, n_distinct=-0.95 if unique else some, correlation=0.0, bounds=TEXTS)
    if kind == "uuid":
        return replace(facts, n_distinct=some, correlation=0.0)
    if kind in ("int2", "int4", "int8"):
        by_name = 6.0 if _is_kind(column) else min(some, 100.0) if kind == "int2" else some
        return replace(facts, n_distinct=some if column.name.endswith("_id") else by_name, correlation=0.1)
    return replace(facts, n_distinct=-0.1, correlation=0.1)


def _foreign_key(table: Table, column: str) -> ForeignKey | None:
    return next((key for key in table.foreign_keys if column in key.columns), None)


def _of_parent(table: Name, parent: Name, statistics: Statistics) -> float:
    """As many different values as the parent has rows, as a share of the table's rows where that is below one."""
    sizes: Mapping[Name, object] = statistics.sizes
    if table not in sizes or parent not in sizes:
        return -0.1
    rows, parents = statistics.sizes[table].rows, statistics.sizes[parent].rows
    return -min(1.0, parents / rows) if parents / rows > 0.001 else max(1.0, parents)


def _labels(table: Table, column: Column) -> tuple[str, ...]:
    """The values that an enum or a CHECK allows, at most 50."""
    if column.type.labels and not column.type.array:
        return column.type.labels[:50]
    for check in table.checks:
        listed = listed_values(check.expression) if isinstance(check.expression, str) else None
        if listed is not None and listed[0] == column.name:
            return listed[1][:50]
    return ()


@lru_cache(maxsize=4096)
def listed_values(expression: str) -> tuple[str, tuple[str, ...]] | None:
    """Column and constants of ``column IN (…)``, which the catalog spells ``column = ANY (ARRAY[…])``; else None."""
    try:
        node = postgast.parse(f"SELECT {expression}").stmts[0].stmt.select_stmt.target_list[0].res_target.val
    except (postgast.PgQueryError, IndexError):
        return None
    if node.WhichOneof("node") != "a_expr" or node.a_expr.kind not in (pg.AEXPR_OP_ANY, pg.AEXPR_IN):
        return None
    columns = [ref.fields[-1].string.sval for ref in postgast.find_nodes(node.a_expr.lexpr, pg.ColumnRef)]
    constants = list(postgast.find_nodes(node.a_expr.rexpr, pg.A_Const))
    values = tuple(item.sval.sval if item.HasField("sval") else str(item.ival.ival) for item in constants)
    return (columns[0], values) if len(columns) == 1 and values else None
