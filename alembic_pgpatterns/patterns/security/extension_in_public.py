from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Extension, Schema

PUBLIC_SCHEMA = "public"
BUILT_IN = "plpgsql"


class ExtensionInPublic(SchemaPattern):
    """An extension whose objects are in the schema public.

    Its functions, types and operators then stand among the application's own: they show up in dumps and generated
    interfaces, their names collide with yours, and who can use the one can use the other. A schema of its own
    (`CREATE EXTENSION … SCHEMA extensions`) keeps them apart, and can be granted by itself.

    There is no statement to cure it without a person: whatever names the extension's objects without a schema
    needs the new one in its search_path. Types and indexes that exist find theirs in any case; an operator that is
    not found fails, or, with citext, gives way in silence to the one for text.

    What does not count: plpgsql, extensions in schemas of their own or in pg_catalog.
    """

    severity = Severity.INFO
    action = Action.REPORT
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
                    message=f"the extension {extension.name} has its objects in public",
                    remedy=_advice(extension),
                )


def _advice(extension: Extension) -> Advice:
    if extension.relocatable:
        move = f"ALTER EXTENSION {extension.identifier} SET SCHEMA"
        return Advice(f"Put a schema for extensions into every search_path, grant USAGE on it, then {move} to it.")
    return Advice(
        f"Leave {extension.name} where it is, since it cannot be moved; a new database can have it in a schema of its "
        f"own: CREATE EXTENSION {extension.identifier} SCHEMA …."
    )
