from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._statements import security_invoker
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.schema.model import Name, Schema, Table, View

SECURITY_INVOKER = 15


class ViewPastRowSecurity(SchemaPattern):
    """A view that shows rows which row-level security would hide from the user who queries it.

    A view reads its tables with the rights of its owner, so the policies for the owner apply. If the owner of the view
    also owns the tables, no policy applies: everybody who may read the view sees all rows. Since PostgreSQL 15,
    `security_invoker` makes a view read with the rights of the user who queries it.

    Checked are views that read such a table directly, or through a view that has the same fault; fixing that one fixes
    both. A materialised view contains the rows its owner saw; it has no such setting and needs privileges of its own.
    If all the tables force row security on their owner, the finding is an info: policies apply, but those for the
    view's owner.

    Not reported: views with `security_invoker`, and what is read through one; what is read through a materialised view,
    which is reported itself.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    example_version = SECURITY_INVOKER
    not_when = (
        "Leave it if the view is meant to show more than its reader may see, and chooses the rows itself. With "
        "security_invoker its readers need privileges on its tables."
    )
    references = (
        "https://www.postgresql.org/docs/current/sql-createview.html",
        "https://www.postgresql.org/docs/current/rules-privileges.html",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
        CREATE VIEW recent_invoice AS SELECT * FROM invoice ORDER BY id DESC LIMIT 100;
    """
    good = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
        CREATE VIEW recent_invoice WITH (security_invoker = true) AS SELECT * FROM invoice ORDER BY id DESC LIMIT 100;
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Views and materialised views."""
        reading = _Reading(schema)
        for view in schema.views:
            passed = [] if view.security_invoker else reading.protected(view)
            if passed:
                forced = all(table.force_row_security is True for table in passed)
                yield self.finding(
                    at=view,
                    message=_message(view, passed),
                    remedy=self._remedy(view, reading.at_fault(view)),
                    # With FORCE row security holds for the owner too, with whose rights the view reads.
                    severity=Severity.INFO if forced else None,
                )

    def _remedy(self, view: View, at_fault: list[Name]) -> Remedy:
        if view.materialized:
            return Advice(
                "Revoke it from those who may not see all of its rows: a materialised view knows neither policies nor "
                "security_invoker."
            )
        if at_fault:
            return Advice(f"Change {', '.join(map(str, at_fault))}, through which it reads them.")
        if self.allows(SECURITY_INVOKER):
            return security_invoker(view.name)
        return Advice(
            "Revoke it from those who may not see all of its rows, or repeat the policies' conditions in it: "
            "security_invoker comes with PostgreSQL 15."
        )


def _message(view: View, passed: list[Table]) -> str:
    tables = ", ".join(str(table.name) for table in passed)
    if view.materialized:
        return f"{view.name} keeps the rows that {view.owner} saw of {tables}, past row security"
    return f"{view.name} reads {tables} with the rights of {view.owner}, past the row security of whoever queries it"


class _Reading:
    """What the views of a schema read with the rights of their owners."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        # What a security_invoker view reads is read with the rights of who queries, whatever view is above it.
        self._views = {view.name: view for view in schema.views if not (view.materialized or view.security_invoker)}
        self._read_by: dict[Name, frozenset[Name]] = {}

    def protected(self, view: View) -> list[Table]:
        """The tables with row security it reads, directly or through others, in order."""
        return self._row_security(self._relations(view))

    def at_fault(self, view: View) -> list[Name]:
        """The views through which it reads them, where it reads none itself."""
        direct = _read(view)
        if self._row_security(direct):
            return []
        return sorted(name for name in direct & self._views.keys() if self.protected(self._views[name]))

    def _row_security(self, names: frozenset[Name]) -> list[Table]:
        tables = map(self._schema.table, sorted(names))
        return [table for table in tables if table is not None and table.row_security is True]

    def _relations(self, view: View) -> frozenset[Name]:
        """All that it reads; each view is looked through once."""
        if view.name not in self._read_by:
            direct = _read(view)
            through = (self._relations(self._views[name]) for name in sorted(direct & self._views.keys()))
            self._read_by[view.name] = direct.union(*through)
        return self._read_by[view.name]


def _read(view: View) -> frozenset[Name]:
    return frozenset(relation for relation, _ in view.reads)
