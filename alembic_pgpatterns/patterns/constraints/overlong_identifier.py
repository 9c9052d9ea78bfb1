from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import ForeignKey, Key, Schema
from alembic_pgpatterns.schema.names import MAX_IDENTIFIER_BYTES, truncate


class OverlongIdentifier(SchemaPattern):
    """A name in the models that is longer than the 63 bytes PostgreSQL keeps.

    PostgreSQL cuts the name and only prints a NOTICE. Two long names with the same beginning become one, so the second
    CREATE fails. The database and the models then disagree about the name: autogenerate drops and creates the object
    every time, and a downgrade looks for a name that does not exist.

    Bytes are counted, not characters: 40 letters with accents are more than 63 bytes. SQLAlchemy counts characters and
    lets such a name pass.

    Not reported: names that a naming convention or SQLAlchemy shortens itself, with a hash at the end.
    """

    severity = Severity.ERROR
    action = Action.REPORT
    needs = Needs.MODELS
    references = ("https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS",)
    bad_models = """
from sqlalchemy import BigInteger, Column, MetaData, Table

metadata = MetaData()
Table(
    "measurement",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("mean_temperature_of_the_surface_water_at_the_northern_shore_in_kelvin", BigInteger),
)
"""
    good_models = """
from sqlalchemy import BigInteger, Column, MetaData, Table

metadata = MetaData()
Table(
    "measurement",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("mean_water_temperature_north_kelvin", BigInteger),
)
"""

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Names in the models that PostgreSQL will cut."""
        for at, name in schema.overlong:
            yield self.finding(
                at=at,
                message=f"the name {name} has {len(name.encode())} bytes; PostgreSQL keeps {truncate(name)}",
                remedy=Advice(f"Choose a name of at most {MAX_IDENTIFIER_BYTES} bytes."),
                detail=f'"{name}"' if isinstance(at, Key | ForeignKey) else "",
            )
