"""SQL type names as SQLAlchemy types: for model lines, operations and changes of MetaData."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects import postgresql

# SQLAlchemy 1.4 has no Uuid and Double. With it, only remedies for models of other environments are applied.
_PLAIN: dict[str, type[Any]] = {
    "text": types.Text,
    "bigint": types.BigInteger,
    "integer": types.Integer,
    "smallint": types.SmallInteger,
    "boolean": types.Boolean,
    # New in SQLAlchemy 2.0, as Double.
    "uuid": getattr(types, "Uuid", postgresql.UUID),
    "date": types.Date,
    "jsonb": postgresql.JSONB,
    "json": postgresql.JSON,
    "money": postgresql.MONEY,
    "double precision": getattr(types, "Double", postgresql.DOUBLE_PRECISION),
    "real": postgresql.REAL,
    "bytea": types.LargeBinary,
    "tsvector": postgresql.TSVECTOR,
}
_TIMES: dict[str, tuple[type[Any], type[Any], bool]] = {
    "timestamp with time zone": (types.DateTime, postgresql.TIMESTAMP, True),
    "timestamp without time zone": (types.DateTime, postgresql.TIMESTAMP, False),
    "time with time zone": (types.Time, postgresql.TIME, True),
    "time without time zone": (types.Time, postgresql.TIME, False),
}
_COLLATE = re.compile(r"\s+COLLATE\s+", re.IGNORECASE)
_SHORT = {
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
    "varchar": "character varying",
    "char": "character",
    "bpchar": "character",
    "int8": "bigint",
    "int4": "integer",
    "int2": "smallint",
    "bool": "boolean",
    "decimal": "numeric",
}


def sqlalchemy_type(sql: str) -> Any | None:
    """The SQLAlchemy type of a built-in SQL type; None if we are not sure.

    Args:
        sql: as format_type() or a person writes it: ``text``, ``varchar(255)``, ``timestamptz(0)[]``. A COLLATE clause
            may follow; it is for the caller to keep (``type_expression`` does).
    """
    base, arguments, array = _parsed(sql)
    made = _scalar(base, arguments)
    if made is None or not array:
        return made
    return postgresql.ARRAY(made)


def type_expression(sql: str) -> str | None:
    """The type as written in a model: ``Text``, ``DateTime(timezone=True)``; None if we are not sure."""
    base, arguments, array = _parsed(sql)
    inner = _collated(_expression(base, arguments), sql)
    return f"ARRAY({inner})" if inner is not None and array else inner


def _collated(expression: str | None, sql: str) -> str | None:
    """``Text(collation="C")``: SQLAlchemy's types name a collation without its schema."""
    clause = _COLLATE.split(sql, maxsplit=1)
    if expression is None or len(clause) == 1:
        return expression
    name = re.findall(r'"(?:[^"]|"")+"|[^".]+', clause[1])[-1].strip('"').replace('""', '"')
    return f"{expression.removesuffix(')')}{', ' if '(' in expression else '('}collation={name!r})"


def _parsed(sql: str) -> tuple[str, tuple[int, ...], bool]:
    text = " ".join(_COLLATE.split(sql, maxsplit=1)[0].lower().split())
    array = text.endswith("[]")
    match = re.search(r"\(([\d, ]+)\)", text)
    arguments = tuple(int(part) for part in match.group(1).split(",")) if match else ()
    base = " ".join(re.sub(r"\([\d, ]+\)|\[\d*\]", " ", text).split())
    return _SHORT.get(base, base), arguments, array


def _scalar(base: str, arguments: tuple[int, ...]) -> Any | None:
    if base in _PLAIN:
        return _PLAIN[base]()
    if base == "character varying":
        return types.String(arguments[0] if arguments else None)
    if base == "character":
        return types.CHAR(arguments[0] if arguments else 1)
    if base == "numeric":
        precision, scale = (*arguments, None, None)[:2]
        return types.Numeric(precision, scale)
    if base in _TIMES:
        plain, precise, zone = _TIMES[base]
        return precise(timezone=zone, precision=arguments[0]) if arguments else plain(timezone=zone)
    return None


def _expression(base: str, arguments: tuple[int, ...]) -> str | None:
    listed = ", ".join(map(str, arguments))
    if base in _PLAIN:
        return _PLAIN[base].__name__
    named = {"character varying": "String", "character": "CHAR", "numeric": "Numeric"}
    if base in named:
        return f"{named[base]}({listed})" if listed else named[base]
    if base in _TIMES:
        plain, precise, zone = _TIMES[base]
        inner = [*(["timezone=True"] if zone else []), *([f"precision={listed}"] if listed else [])]
        name = precise.__name__ if listed else plain.__name__
        return f"{name}({', '.join(inner)})" if inner else name
    return None
