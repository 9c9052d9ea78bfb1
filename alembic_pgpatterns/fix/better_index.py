"""Indexes that would be replaced as soon as they exist are built in their better form at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alembic_pgpatterns.fix.plan import Fix, both_ways
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.fixable import why_not_fixable
from alembic_pgpatterns.remedies.model import CreateIndex, ReplaceIndex
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.schema.model import Name, Schema


def better_at_once(fixes: Sequence[Fix], later: Sequence[Finding], schema: Schema, *, named: bool) -> list[Fix]:
    """The fixes, with the index that the next run would create in place of the one that a fix creates.

    Args:
        fixes: what is to be done.
        later: what is found where the fixes are done.
        schema: of the database before.
        named: see `plan`.
    """
    better = {
        finding.remedy.index: finding.remedy.new
        for finding in later
        if isinstance(finding.remedy, ReplaceIndex)
        and why_not_fixable(finding.remedy, guess=finding.guess and not named) is None
    }
    return [_better(fix, better, schema) for fix in fixes]


def _better(fix: Fix, better: dict[Name, CreateIndex], schema: Schema) -> Fix:
    if not isinstance(fix.remedy, CreateIndex):
        return fix
    new = better.get(Name(fix.remedy.table.schema, index_name(fix.remedy)))
    if new is None:
        return fix
    up, down = both_ways(new, schema)
    return replace(fix, remedy=new, up=up, down=down)
