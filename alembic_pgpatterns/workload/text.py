"""The text of a statement in the form of PostgreSQL's parser: ``$n`` for parameters; its shape, kind and tables."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.schema.sql.parser import pg, postgast

_NAMED = re.compile(r"%\((?P<name>[^)]+)\)s|%%")
_POSITIONAL = re.compile(r"%s|%%")
_KINDS = {"select_stmt": "select", "insert_stmt": "insert", "update_stmt": "update", "delete_stmt": "delete"}


@dataclass(frozen=True, slots=True)
class Dollar:
    """A statement with ``$n``. ``names``: of the parameters in their order; None if they are positional."""

    text: str
    names: tuple[str, ...] | None

    def values(self, parameters: Any) -> tuple[object, ...] | None:
        """The parameters of one call in the order of ``$n``; None if they do not match."""
        if isinstance(parameters, Mapping):
            if self.names is None:
                return None if parameters else ()
            return tuple(parameters.get(name) for name in self.names)
        if isinstance(parameters, Sequence) and not isinstance(parameters, (str, bytes)):
            return tuple(parameters)
        return () if not parameters else None


def dollar(statement: str, parameters: Any) -> Dollar:
    """The statement with ``$n`` instead of the driver's placeholders.

    Drivers look for ``%(name)s`` and ``%s`` in the text alone, strings of SQL included, so that this may as well; and
    only where parameters come along, as the drivers do.
    """
    if isinstance(parameters, Mapping) and parameters:
        names: dict[str, int] = {}
        return Dollar(_NAMED.sub(_numbered(names, parameters), statement), tuple(names))
    if parameters and "$1" not in statement:
        # The protocol counts the parameters of a statement in 16 bits.
        count = iter(range(1, 65536))
        return Dollar(_POSITIONAL.sub(lambda m: "%" if m[0] == "%%" else f"${next(count)}", statement), None)
    return Dollar(statement, None)


def _numbered(names: dict[str, int], values: Mapping[str, Any]) -> Callable[[re.Match[str]], str]:
    def number(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "%"
        # Drivers send the type. Without it ``now() - $1`` is read as a difference of two times.
        cast = "::interval" if isinstance(values.get(name), timedelta) else ""
        return f"${names.setdefault(name, len(names) + 1)}{cast}"

    return number


@dataclass(frozen=True, slots=True)
class Reading:
    """The parser's facts about a statement: see `Recorded`."""

    fingerprint: str
    kind: str
    writes: tuple[str, ...]


@lru_cache(maxsize=16384)
def read(text: str) -> Reading | None:
    """Fingerprint, kind and tables of one statement; None if PostgreSQL cannot parse it, or if it is several."""
    try:
        tree = postgast.parse(text)
        if len(tree.stmts) != 1:
            return None
        shape = str(postgast.fingerprint(text).hex)
    except postgast.PgQueryError:
        return None
    node = tree.stmts[0].stmt
    constants = _constants(node)
    # In the parser's fingerprint all constants are the same. Constants that the application wrote into the statement
    # (status = 'pending') may be the condition of a partial index, so two of them are two statements.
    fingerprint = f"{shape}-{hashlib.sha256(repr(constants).encode()).hexdigest()[:6]}" if constants else shape
    return Reading(fingerprint, _KINDS.get(node.WhichOneof("node"), "other"), tuple(_written(node)))


def _constants(node: Any) -> list[str]:
    """Texts and flags in comparisons. Lists of any length have the same shape."""
    return [
        constant.sval.sval if constant.HasField("sval") else str(constant.boolval.boolval)
        for expression in postgast.find_nodes(node, pg.A_Expr)
        if expression.kind == pg.AEXPR_OP
        for constant in postgast.find_nodes(expression, pg.A_Const)
        if constant.HasField("sval") or constant.HasField("boolval")
    ]


def _written(node: Any) -> dict[str, None]:
    relations = (
        getattr(statement, "relation", None)
        for kind in (pg.InsertStmt, pg.UpdateStmt, pg.DeleteStmt)
        for statement in postgast.find_nodes(node, kind)
    )
    names = (f"{r.schemaname}.{r.relname}" if r.schemaname else r.relname for r in relations if r is not None)
    return dict.fromkeys(names)


def relations(text: str) -> tuple[tuple[tuple[str, str], ...], frozenset[str]]:
    """Schema (empty if none is written) and name of each table of a statement, and all names in it."""
    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return (), frozenset()
    tables = [(item.schemaname, item.relname) for item in postgast.find_nodes(tree, pg.RangeVar)]
    fields = [part for column in postgast.find_nodes(tree, pg.ColumnRef) for part in column.fields]
    targets = [item.name for item in postgast.find_nodes(tree, pg.ResTarget) if item.name]
    columns = [part.string.sval for part in fields if part.HasField("string")]
    return tuple(dict.fromkeys(tables)), frozenset([*(name for _, name in tables), *targets, *columns])


def first_row(text: str) -> str | None:
    """An INSERT of several rows as one of its first row; None for any other statement. The text can be parsed."""
    tree = postgast.parse(text)
    select = tree.stmts[0].stmt.insert_stmt.select_stmt.select_stmt
    if len(select.values_lists) < 2:
        return None
    del select.values_lists[1:]
    return str(postgast.deparse(tree))
