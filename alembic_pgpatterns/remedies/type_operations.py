"""Operations that change a column's type with a USING clause."""

from __future__ import annotations

from alembic.operations import ops

from alembic_pgpatterns.remedies.model import ChangeType, TypeChange
from alembic_pgpatterns.schema.names import quote

ASSUMED_ZONE = ". The stored times are read as UTC: if somebody wrote local times, name their zone instead"


class AlterTypeOp(ops.AlterColumnOp):
    """ALTER COLUMN … TYPE … USING. Alembic executes the USING and does not render it; `autogenerate.rendering` does."""

    @classmethod
    def reading_utc(cls, op: ops.AlterColumnOp) -> AlterTypeOp:
        """A comparator's op, which has no USING, for stored times that are read as UTC."""
        new = cls(op.table_name, op.column_name)
        vars(new).update(vars(op))
        new.kw = {**op.kw, "postgresql_using": in_utc(str(op.column_name))}
        return new

    @property
    def using(self) -> str | None:
        """The expression; none in the downgrade, where PostgreSQL needs no USING."""
        using: str | None = self.kw.get("postgresql_using")
        return using

    @property
    def in_utc(self) -> bool:
        """Whether it reads the stored times as UTC. A session in UTC does the same, without rewriting rows."""
        return self.using == in_utc(str(self.column_name))

    def reverse(self) -> ops.AlterColumnOp:
        """The old type again; times are read in UTC there too."""
        back = super().reverse()
        if not self.in_utc:
            back.kw.pop("postgresql_using", None)
        return back


class CastTypeOp(AlterTypeOp):
    """ALTER COLUMN … TYPE with a USING for each direction, and the default dropped before and set after it."""

    using_forth: str | None = None
    using_back: str | None = None
    drops_default: bool = False

    @classmethod
    def with_both(cls, op: ops.AlterColumnOp, forth: str | None, back: str | None, drops_default: bool) -> CastTypeOp:
        """A comparator's op with the expressions that cast there and back."""
        new = cls(op.table_name, op.column_name)
        vars(new).update(vars(op))
        new.kw = {name: value for name, value in op.kw.items() if name != "postgresql_using"}
        if forth is not None:
            new.kw["postgresql_using"] = forth
        new.using_forth, new.using_back, new.drops_default = forth, back, drops_default
        return new

    def reverse(self) -> ops.AlterColumnOp:
        """The old type, with its own USING."""
        plain = ops.AlterColumnOp.reverse(self)
        return CastTypeOp.with_both(plain, self.using_back, self.using, self.drops_default)


def in_utc(column: str) -> str:
    """The USING that reads the stored times as UTC, or writes them so."""
    return f"{quote(column)} AT TIME ZONE 'UTC'"


def reads_utc(change: TypeChange) -> bool:
    """Whether a change of type reads the stored times as UTC."""
    return change.using == in_utc(change.column)


def assumed_zone(remedy: object) -> str:
    """What a change of stored times takes for granted, in words; empty for other remedies."""
    return ASSUMED_ZONE if isinstance(remedy, ChangeType) and any(map(reads_utc, remedy.changes)) else ""


def read_in_utc(op: ops.AlterColumnOp) -> bool:
    """Whether the op sets the session's TimeZone to UTC for itself."""
    return isinstance(op, AlterTypeOp) and op.in_utc
