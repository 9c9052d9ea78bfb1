from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Fold, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Extension, Schema

PUBLIC_SCHEMA = "public"
BUILT_IN = "plpgsql"


class ExtensionInPublic(SchemaPattern):
    """An extension whose functions, types and operators are in the schema public, among the application's own.

    They show up in dumps and generated interfaces, and their names can collide with yours. A schema of its own (`CREATE
    EXTENSION … SCHEMA extensions`) keeps them apart and can have its own grants.

    The move needs a person: code that names the extension's objects without a schema needs the new schema in its
    search_path. Existing columns and indexes keep working. An operator that is no longer found fails; with citext, the
    operator for text is used instead, without an error.

    Off by default: to move an extension is work, and an existing database rarely gains by it.

    Not reported: plpgsql, extensions in other schemas or in pg_catalog.
    """

    severity = Severity.INFO
    action = Action.OFF
    fold = Fold.ALL
    needs = Needs.DATABASE
    references = (
        "https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-RELOCATION",
        "https://www.postgresql.org/docs/current/sql-createextension.html",
    )
    bad = "CREATE EXTENSION pg_trgm;"
    good = "CREATE SCHEMA extensions; CREATE EXTENSION pg_trgm SCHEMA extensions;"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Installed extensions."""
        for extension in schema.extensions:
            if extension.schema == PUBLIC_SCHEMA and extension.name != BUILT_IN:
                yield self.finding(
                    at=extension,
                    message=f"the extension {extension.name} keeps its objects in the schema public",
                    remedy=_advice(extension),
                )


def _advice(extension: Extension) -> Advice:
    if extension.relocatable:
        move = f"ALTER EXTENSION {extension.identifier} SET SCHEMA"
        return Advice(
            f"Create a schema for extensions, add it to every search_path, grant USAGE on it, then: {move} extensions."
        )
    return Advice(
        f"Leave {extension.name} where it is: it cannot be moved. In a new database create it in a schema of its "
        f"own: CREATE EXTENSION {extension.identifier} SCHEMA …."
    )
