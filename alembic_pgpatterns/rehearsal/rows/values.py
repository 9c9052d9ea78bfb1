"""A value of each type as an SQL expression over a number: different values for different numbers, if possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from alembic_pgpatterns.rehearsal.rows.facts import Facts
from alembic_pgpatterns.rehearsal.rows.limits import NO_LIMIT, Constant, Limit
from alembic_pgpatterns.rehearsal.rows.model import Unfillable
from alembic_pgpatterns.rehearsal.rows.text import Expression, TextStyle, short, style_of
from alembic_pgpatterns.schema.model import Column, Name

WHOLE = {"int2": 32767, "int4": 2147483647, "int8": 9223372036854775807, "oid": 4294967295}
FLOATS = ("float4", "float8")
TIMES = ("date", "timestamp", "timestamptz", "time", "timetz")
TEXTS = ("text", "varchar", "bpchar", "name", "citext")
ENDS = (
    "end",
    "ends",
    "until",
    "to",
    "updated",
    "modified",
    "finished",
    "completed",
    "expires",
    "last",
    "stop",
    "closed",
)
"""Words in names of times that are later than others in the same row."""
PLAIN: dict[str, str] = {
    "uuid": "md5(({i})::text)::uuid",
    "bytea": "decode(md5(({i})::text), 'hex')",
    "interval": "make_interval(secs => ({i} % 1000000)::double precision)",
    "inet": "('10.0.0.0'::inet + ({i} % 16777216))",
    "cidr": "('10.0.0.0'::inet + ({i} % 16777216))::cidr",
    "macaddr": "lpad(to_hex({i}), 12, '0')::macaddr",
    "macaddr8": "lpad(to_hex({i}), 16, '0')::macaddr8",
    "money": "({i})::numeric::money",
    "point": "point(({i})::float8, ({i} % 1000)::float8)",
    "box": "box(point(({i})::float8, 0), point(({i} + 1)::float8, 1))",
    "lseg": "lseg(point(({i})::float8, 0), point(({i} + 1)::float8, 1))",
    "circle": "circle(point(({i})::float8, 0), 1)",
    "path": "path(polygon(box(point(({i})::float8, 0), point(({i} + 1)::float8, 1))))",
    "polygon": "polygon(box(point(({i})::float8, 0), point(({i} + 1)::float8, 1)))",
    "line": "line(point(({i})::float8, 0), point(({i} + 1)::float8, 1))",
    "tsvector": "to_tsvector('simple', 'word' || ({i}))",
    "tsquery": "to_tsquery('simple', 'word' || ({i}))",
    "xml": "('<row id=\"' || ({i}) || '\"/>')::xml",
    "pg_lsn": "('0/' || to_hex({i}))::pg_lsn",
    "hstore": "('id=>' || ({i}))::{t}",
    "ltree": "('row.' || ({i}))::{t}",
    "jsonpath": "('$.a' || ({i}))::jsonpath",
    "xid": "(({i} % 4000000000)::text)::xid",
    "tid": "('(' || ({i}) || ',1)')::tid",
}
"""Types without limits; ``{i}`` is the number, ``{t}`` the type as written."""


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How a column gets its values.

    ``unique``: they must differ from row to row, so the number of the row is the number of the value. ``style``: of
    text, where a trial chose one. ``json_keys``: that generated columns look for in a document. ``like``: a column of
    another type, whose values these must look like.
    """

    column: Column
    limit: Limit = NO_LIMIT
    unique: bool = False
    style: TextStyle | None = None
    json_keys: tuple[str, ...] = ()
    like: Column | None = None


class Values:
    """Makes the expressions."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def capacity(self, plan: ColumnPlan) -> int | None:
        """How many values there are; None: as many as rows."""
        data_type, limit = plan.column.type, plan.limit
        if data_type.array:
            return None
        if plan.like is not None and limit.choices is None:
            return self.capacity(ColumnPlan(plan.like, limit))
        if limit.choices is not None:
            return len(limit.choices)
        if data_type.kind == "enum" and not data_type.array:
            return len(data_type.labels)
        if data_type.name == "bool":
            return 2
        if data_type.name in WHOLE or data_type.name == "numeric":
            return self._numbers(plan)[2]
        if data_type.name in TEXTS:
            length = _length(plan)
            return 16**length if length is not None and length < 8 else None
        if data_type.name == "bit":
            return int(2 ** (data_type.modifier[0] if data_type.modifier else 1))
        return 250 if data_type.name == "char" else None

    def expression(self, plan: ColumnPlan, index: Expression) -> Expression:
        """The value for a number, which is a bigint of 0 or more.

        Raises:
            Unfillable: nothing is known of the type.
        """
        data_type = plan.column.type
        spelled = sql.SQL(data_type.display)
        if plan.like is not None and plan.limit.choices is None:
            other = self.expression(ColumnPlan(plan.like, plan.limit, plan.unique), index)
            return sql.SQL("({})::text::{}").format(other, spelled)
        if data_type.array:
            if plan.limit.choices is not None:
                return self._choice(plan, index, spelled)
            inner = self._scalar(plan, index)
            return sql.SQL("(ARRAY[{}])::{}").format(inner, spelled)
        if plan.limit.choices is not None:
            return self._choice(plan, index, spelled)
        value = self._scalar(plan, index)
        return sql.SQL("({})::{}").format(value, spelled) if data_type.domains or _shortened(plan) else value

    def _choice(self, plan: ColumnPlan, index: Expression, spelled: Expression) -> Expression:
        choices = [sql.Literal(_as_text(item)) for item in plan.limit.choices or ()]
        if not choices:
            raise Unfillable(f"no value of {plan.column.name} satisfies all conditions on it")
        listed = sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(choices))
        return sql.SQL("(({})[1 + ({}) % {}])::{}").format(listed, index, sql.Literal(len(choices)), spelled)

    def _scalar(self, plan: ColumnPlan, index: Expression) -> Expression:
        data_type = plan.column.type
        name = data_type.name
        if data_type.kind == "enum":
            return self._label(plan, index)
        if data_type.kind == "composite":
            return self._row(plan, index)
        if data_type.kind in ("range", "multirange"):
            return self._range(plan, index)
        writers: dict[str, Callable[[ColumnPlan, Expression], Expression]] = {
            **dict.fromkeys((*WHOLE, "numeric", *FLOATS), self._number),
            **dict.fromkeys(TIMES, self._time),
            **dict.fromkeys(TEXTS, self._text),
            **dict.fromkeys(("json", "jsonb"), self._json),
            **dict.fromkeys(("bit", "varbit"), _bits),
            "bool": lambda plan, index: sql.SQL("(({}) % 2 = 0)").format(index),
            "char": lambda plan, index: sql.SQL('chr(33 + (({}) % 90)::int)::"char"').format(index),
            "vector": _vector,
            "halfvec": _vector,
        }
        if name in writers:
            return writers[name](plan, index)
        if name in PLAIN:
            spelled = sql.SQL(data_type.display.removesuffix("[]"))
            return sql.SQL(PLAIN[name]).format(i=index, t=spelled)
        return self._by_default(plan)

    def _by_default(self, plan: ColumnPlan) -> Expression:
        """The value of an unknown type: its default, or NULL."""
        column = plan.column
        if isinstance(column.default, str) and not plan.unique:
            return sql.SQL("({})").format(sql.SQL(column.default))
        if column.nullable:
            return sql.SQL("NULL")
        raise Unfillable(f"no value of type {column.type.display} is known for {column.name}, which is NOT NULL")

    def _label(self, plan: ColumnPlan, index: Expression) -> Expression:
        labels = [sql.Literal(label) for label in plan.column.type.labels]
        if not labels:
            raise Unfillable(f"the enum of {plan.column.name} has no values")
        listed = sql.SQL("(ARRAY[{}])[1 + ({}) % {}]").format(
            sql.SQL(", ").join(labels), index, sql.Literal(len(labels))
        )
        data_type = plan.column.type
        return sql.SQL("({})::{}").format(listed, sql.Identifier(data_type.schema, data_type.name))

    def _row(self, plan: ColumnPlan, index: Expression) -> Expression:
        name = Name(plan.column.type.schema, plan.column.type.name)
        fields = [sql.SQL("NULL") for _ in self._facts.composites.get(name, ())]
        return sql.SQL("ROW({})::{}").format(sql.SQL(", ").join(fields), sql.Identifier(name.schema, name.name))

    def _range(self, plan: ColumnPlan, index: Expression) -> Expression:
        """Ranges that do not overlap, so that they satisfy an EXCLUDE, too."""
        data_type = plan.column.type
        name = Name(data_type.schema, data_type.name)
        kind = sql.Identifier(name.schema, name.name)
        if data_type.kind == "multirange":
            range_type, bound = self._facts.multiranges[name]
            inner = sql.SQL("{}({}, {})").format(
                sql.SQL(range_type),
                _bound(bound, index),
                _bound(bound, sql.SQL("({} + 1)").format(index)),
            )
            return sql.SQL("{}({})").format(kind, inner)
        bound = self._facts.ranges[name]
        return sql.SQL("{}({}, {})").format(
            kind, _bound(bound, index), _bound(bound, sql.SQL("({} + 1)").format(index))
        )

    def _numbers(self, plan: ColumnPlan) -> tuple[str, str, int | None]:
        """The least value, the step, and how many there are."""
        data_type, limit = plan.column.type, plan.limit
        name = data_type.name
        if name in WHOLE:
            return _steps(limit, 1, 1, WHOLE[name])
        if name in FLOATS:
            low, high = _number(limit.low), _number(limit.high)
            if high is None:
                return str(low if low is not None else 1), "1", None
            low = low if low is not None else high - 1000
            return str(low + (high - low) / 1000001), repr((high - low) / 1000001), 1000000
        precision, scale = (*data_type.modifier, 0, 0)[:2] if data_type.modifier else (0, 0)
        step = 10.0**-scale if scale else 1
        most = 10**precision * step - step if precision else None
        return _steps(limit, step, 0 if precision and precision - scale <= 0 else 1, most)

    def _number(self, plan: ColumnPlan, index: Expression) -> Expression:
        low, step, count = self._numbers(plan)
        # Rows have bigint numbers: so large a count would not change them, and is no bigint itself.
        position = index if count is None or count > 2**62 else sql.SQL("(({}) % {})").format(index, sql.Literal(count))
        kind = sql.SQL(
            {"int2": "smallint", "int4": "integer", "int8": "bigint"}.get(plan.column.type.name, plan.column.type.name)
        )
        if step == "1":
            return sql.SQL("({} + {})::{}").format(sql.SQL(low), position, kind)
        return sql.SQL("({}::numeric + ({}) * {}::numeric)::{}").format(
            sql.Literal(low), position, sql.Literal(step), kind
        )

    def _time(self, plan: ColumnPlan, index: Expression) -> Expression:
        data_type, limit = plan.column.type, plan.limit
        kind = sql.SQL(data_type.name)
        if data_type.name in ("time", "timetz"):
            return sql.SQL("('00:00'::time + make_interval(secs => (({}) % 86400)::float8))::{}").format(index, kind)
        later = 1 if _words(plan.column.name) & set(ENDS) else 0
        if limit.low is not None and limit.high is not None:
            # Mostly in a partition: spread over its range.
            return sql.SQL(
                "({low}::timestamp + ({high}::timestamp - {low}::timestamp)"
                " * ((({i}) % 100000) / 100001.0 + 0.000001))::{kind}"
            ).format(low=sql.Literal(str(limit.low)), high=sql.Literal(str(limit.high)), i=index, kind=kind)
        # Years ago, since many conditions demand a time before now(); a million rows, one each 30 seconds, fill less
        # than a year.
        start = sql.Literal(str(limit.low) if limit.low is not None else "2015-01-01")
        if limit.low is None and limit.high is not None:
            return sql.SQL("({}::timestamp - make_interval(mins => (1 + {})::int))::{}").format(
                sql.Literal(str(limit.high)), index, kind
            )
        if data_type.name == "date":
            days = index if plan.unique else sql.SQL("(({}) % 3650)").format(index)
            return sql.SQL("({}::date + ({} + {})::int)").format(start, days, sql.Literal(later + 1))
        hours = sql.Literal(later)
        return sql.SQL("({}::timestamp + make_interval(secs => (({i}) * 30 + 1)::float8, hours => {}))::{}").format(
            start, hours, kind, i=index
        )

    def _text(self, plan: ColumnPlan, index: Expression) -> Expression:
        length = _length(plan)
        if length is not None and length < 8:
            return short(index, length) if length else sql.SQL("''")
        style = plan.style or style_of(plan.column.name, length)
        if not plan.unique and style.distinct:
            index = sql.SQL("(({}) % {})").format(index, sql.Literal(style.distinct))
        if length is not None and length < style.length:
            fits = length >= len(style.before) + 8
            style = TextStyle((), style.before) if fits else TextStyle(())
        value = style.write(index)
        if style.digest and plan.column.name.lower().endswith(("uuid", "guid")) and (length is None or length >= 36):
            value = sql.SQL("{}::uuid::text").format(value)
        least = plan.limit.min_length
        if least is not None and least > 1:
            value = sql.SQL("rpad({}, greatest({}, length({})), 'x')").format(value, sql.Literal(least), value)
        return value

    def _json(self, plan: ColumnPlan, index: Expression) -> Expression:
        if plan.json_keys:
            return _document(plan, index)
        json_type = plan.limit.json_type
        kind = sql.SQL(plan.column.type.name)
        default = plan.column.default
        if isinstance(default, str) and not plan.unique and json_type is None:
            return sql.SQL("({})::{}").format(sql.SQL(default), kind)
        number = sql.SQL("({})::text").format(index)
        around = {"array": ("[", "]"), "string": ('"', '"'), "number": ("", "")}.get(json_type or "", ('{"id": ', "}"))
        if json_type == "boolean":
            return sql.SQL("'true'::{}").format(kind)
        return sql.SQL("({} || {} || {})::{}").format(sql.Literal(around[0]), number, sql.Literal(around[1]), kind)


def _document(plan: ColumnPlan, index: Expression) -> Expression:
    value = (plan.style or TextStyle(())).write(index)
    pairs = [sql.SQL("{}::text, {}").format(sql.Literal(key), value) for key in plan.json_keys]
    return sql.SQL("jsonb_build_object({})::{}").format(sql.SQL(", ").join(pairs), sql.SQL(plan.column.type.name))


def _steps(limit: Limit, step: float, default_low: int, most: float | None) -> tuple[str, str, int | None]:
    low, high = _number(limit.low), _number(limit.high)
    low = low + (step if limit.low_open else 0) if low is not None else None
    high = high - (step if limit.high_open else 0) if high is not None else None
    high = min((value for value in (high, most) if value is not None), default=None)
    if low is None:
        low = default_low if high is None or high >= default_low else high - 1000000
    # A step such as 0.01 is no exact float, so the quotient may be just below a whole number.
    count = max(0, int((high - low) / step + 1.5e-9) + 1) if high is not None else None
    return str(int(low) if low == int(low) else low), f"{step:.12f}".rstrip("0").rstrip("."), count


def _number(value: Constant | None) -> float | int | None:
    if value is None:
        return None
    try:
        return int(value) if not isinstance(value, float) else value
    except ValueError:
        try:
            return float(value)
        except ValueError:
            return None


def _as_text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _length(plan: ColumnPlan) -> int | None:
    lengths = [n for n in (plan.column.type.length, plan.limit.max_length) if n is not None]
    if plan.column.type.name == "name":
        lengths.append(63)
    return min(lengths, default=None)


def _shortened(plan: ColumnPlan) -> bool:
    return plan.column.type.name in ("bpchar", "citext", "name", "numeric")


def _words(name: str) -> set[str]:
    return set(name.lower().split("_"))


def _bound(kind: str, index: Expression) -> Expression:
    if kind in ("date",):
        return sql.SQL("('2015-01-01'::date + ({})::int)").format(index)
    if kind.startswith("timestamp"):
        return sql.SQL("('2015-01-01'::timestamp + make_interval(hours => ({})::int))::{}").format(index, sql.SQL(kind))
    return sql.SQL("({})::{}").format(index, sql.SQL(kind))


def _bits(plan: ColumnPlan, index: Expression) -> Expression:
    length = (
        plan.column.type.modifier[0] if plan.column.type.modifier else (1 if plan.column.type.name == "bit" else 32)
    )
    width = min(length, 62)
    bits = sql.SQL("right((({})::bigint)::bit(64)::text, {})").format(index, sql.Literal(width))
    return sql.SQL("lpad({}, {}, '0')::{}").format(
        bits, sql.Literal(length), sql.SQL(f"{'bit' if plan.column.type.name == 'bit' else 'varbit'}({length})")
    )


def _vector(plan: ColumnPlan, index: Expression) -> Expression:
    size = plan.column.type.modifier[0] if plan.column.type.modifier else 3
    spelled = sql.SQL(plan.column.type.display)
    return sql.SQL("array_fill((({}) % 1000) / 1000.0::real, ARRAY[{}])::real[]::{}").format(
        index, sql.Literal(size), spelled
    )
