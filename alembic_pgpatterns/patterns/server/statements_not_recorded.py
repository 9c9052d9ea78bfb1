from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.remedies.model import Advice, Remedy, Statements
from alembic_pgpatterns.schema.live import LiveServer


class StatementsNotRecorded(ServerPattern):
    """The server does not record which statements run, how often, and for how long.

    pg_stat_statements counts calls and times of every statement, at a cost that is rarely measurable. Without it
    nothing shows which query makes the server slow, and slow-statement has no data.

    If the extension is installed only in another database of the server, it also counts for this one; the finding then
    says that it cannot be read from here.
    """

    severity = Severity.INFO
    not_when = "Leave it out where another tool records statements."
    references = ("https://www.postgresql.org/docs/current/pgstatstatements.html",)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """At most one finding."""
        recording = server.recording
        if recording.installed and recording.loaded is not False:
            return
        yield self.finding(at=server.place, message=_message(server), remedy=_remedy(server))


def _message(server: LiveServer) -> str:
    if server.recording.installed:
        return "pg_stat_statements is installed, but its library is not loaded: it counts nothing"
    if server.recording.loaded:
        return f"pg_stat_statements is loaded, but its view is not in {server.database}"
    return f"statements in {server.database} are not recorded: pg_stat_statements is not installed"


def _remedy(server: LiveServer) -> Remedy:
    if server.recording.loaded:
        return Statements(("CREATE EXTENSION pg_stat_statements",), ("DROP EXTENSION pg_stat_statements",))
    create = "" if server.recording.installed else ", then CREATE EXTENSION pg_stat_statements here"
    return Advice(f"Add pg_stat_statements to shared_preload_libraries and restart the server{create}.")
