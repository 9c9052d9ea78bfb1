"""Hybrid properties: what they test, or compute, of the columns of their class."""

from __future__ import annotations

import ast

from alembic_pgpatterns.evidence.model import Use

Test = tuple[str, Use, str | None, str]
"""Attribute, how it is compared, with which constant (None: with what changes), and the operator of a range."""

_EQUAL: dict[type[ast.cmpop], Use] = {
    ast.Is: Use.EQUAL, ast.Eq: Use.EQUAL, ast.IsNot: Use.NOT_EQUAL, ast.NotEq: Use.NOT_EQUAL,
}  # fmt: skip
_RANGE: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_NULL = {"is_": Use.IS_NULL, "is_not": Use.IS_NOT_NULL, "isnot": Use.IS_NOT_NULL}


def tests_of(value: ast.expr | None) -> tuple[Test, ...]:
    """The tests that a hybrid property returns, all of which must be true; none if one was not understood."""
    tests = [_single(part) for part in _joined(value)]
    return () if None in tests else tuple(test for test in tests if test is not None)


def computed_of(value: ast.expr | None) -> tuple[str, str] | None:
    """Attribute and function of ``func.lower(cls.email)`` and ``self.email.lower()``; None for anything else."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return None
    owner, name = value.func.value, value.func.attr
    if name in ("lower", "upper") and not value.args and (attribute := of_self(owner)):
        return attribute, name
    is_sql = (isinstance(owner, ast.Name) and owner.id == "func") or getattr(owner, "attr", "") == "func"
    attribute = of_self(value.args[0]) if is_sql and len(value.args) == 1 else ""
    return (attribute, name) if attribute else None


def of_self(value: ast.expr | None) -> str:
    """The attribute that ``self.<attribute>`` names; empty for anything else."""
    if not isinstance(value, ast.Attribute) or not isinstance(value.value, ast.Name):
        return ""
    return value.attr if value.value.id in ("self", "cls") else ""


def sql_literal(value: object) -> str | None:
    """A constant of Python as SQL text; None where it is none of SQL's."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value) if isinstance(value, (int, float)) else None


def _joined(value: ast.expr | None) -> list[ast.expr | None]:
    """The parts of ``a and b``, ``a & b`` and ``and_(a, b)``."""
    if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.And):
        return [part for item in value.values for part in _joined(item)]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitAnd):
        return [*_joined(value.left), *_joined(value.right)]
    called = getattr(value.func, "attr", getattr(value.func, "id", "")) if isinstance(value, ast.Call) else ""
    if isinstance(value, ast.Call) and called == "and_":
        return [part for item in value.args for part in _joined(item)]
    return [value]


def _single(value: ast.expr | None) -> Test | None:
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, (ast.Not, ast.Invert)):
        attribute = of_self(value.operand)
        return (attribute, Use.EQUAL, "false", "") if attribute else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and len(value.args) == 1:
        attribute, use = of_self(value.func.value), _NULL.get(value.func.attr)
        nothing = isinstance(value.args[0], ast.Constant) and value.args[0].value is None
        return (attribute, use, None, "") if attribute and use is not None and nothing else None
    if isinstance(value, ast.Compare) and len(value.ops) == 1 and (attribute := of_self(value.left)):
        return _compared(attribute, value.ops[0], value.comparators[0])
    attribute = of_self(value)
    return (attribute, Use.EQUAL, "true", "") if attribute else None


def _compared(attribute: str, operator: ast.cmpop, other: ast.expr) -> Test | None:
    if type(operator) in _RANGE:
        return attribute, Use.RANGE, None, _RANGE[type(operator)]
    use = _EQUAL.get(type(operator))
    if use is None:
        return None
    if isinstance(other, ast.Constant) and other.value is None:
        return attribute, Use.IS_NULL if use is Use.EQUAL else Use.IS_NOT_NULL, None, ""
    if isinstance(other, ast.Constant):
        return attribute, use, sql_literal(other.value), ""
    # A member of an enumeration, by its name: what the database has of it.
    member = isinstance(other, ast.Attribute) and isinstance(other.value, ast.Name) and other.value.id[:1].isupper()
    return (attribute, use, sql_literal(other.attr), "") if member and isinstance(other, ast.Attribute) else None
