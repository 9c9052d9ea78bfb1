"""Tables that migration tools keep for themselves: they are not part of the application's schema.

Name and columns must both fit, because an application may have a table named ``migrations`` too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from alembic_pgpatterns.schema.names import Name


@dataclass(frozen=True, slots=True)
class _Columns:
    needed: frozenset[str]
    optional: frozenset[str] = frozenset()

    def fit(self, columns: Collection[str]) -> bool:
        return self.needed <= set(columns) <= self.needed | self.optional


def _columns(needed: str, optional: str = "") -> _Columns:
    return _Columns(frozenset(needed.split()), frozenset(optional.split()))


_FLYWAY = _columns(
    "version description type script checksum installed_by installed_on execution_time success",
    "installed_rank version_rank",
)
_LIQUIBASE = _columns(
    "id author filename dateexecuted orderexecuted exectype md5sum description comments tag liquibase",
    "contexts labels deployment_id",
)
_KNEX = _columns("id name batch migration_time")
_KNEX_LOCK = _columns("index is_locked")

TABLES: dict[str, tuple[_Columns, ...]] = {
    "__diesel_schema_migrations": (_columns("version run_on"),),
    "__drizzle_migrations": (_columns("id hash created_at"),),
    "__efmigrationshistory": (_columns("migrationid productversion"), _columns("migration_id product_version")),
    "_prisma_migrations": (
        _columns("id checksum finished_at migration_name logs rolled_back_at started_at applied_steps_count"),
    ),
    "_sqlx_migrations": (_columns("version description installed_on success checksum execution_time"),),
    "_yoyo_log": (_columns("id migration_hash migration_id operation username hostname comment created_at_utc"),),
    "_yoyo_migration": (_columns("migration_hash migration_id applied_at_utc"),),
    "_yoyo_version": (_columns("version installed_at_utc"),),
    "aerich": (_columns("id version app content"),),
    "alembic_version": (_columns("version_num"),),
    "ar_internal_metadata": (_columns("key value created_at updated_at"),),
    "databasechangelog": (_LIQUIBASE,),
    "databasechangeloglock": (_columns("id locked lockgranted lockedby"),),
    "django_migrations": (_columns("id app name applied"),),
    "flyway_schema_history": (_FLYWAY,),
    "goose_db_version": (_columns("id version_id is_applied tstamp"),),
    "knex_migrations": (_KNEX,),
    "knex_migrations_lock": (_KNEX_LOCK,),
    "kysely_migration": (_columns("name timestamp"),),
    "kysely_migration_lock": (_columns("id is_locked"),),
    "migrate_version": (_columns("repository_id repository_path version"),),
    "pgmigrations": (_columns("id name run_on"),),
    "refinery_schema_history": (_columns("version name applied_on checksum"),),
    "schema_migration": (_columns("version"),),
    "schema_migrations": (_columns("version", "dirty inserted_at"),),
    "schema_version": (_FLYWAY,),
    "sequelizemeta": (_columns("name"),),
    "yoyo_lock": (_columns("locked ctime pid"),),
}


def is_bookkeeping(table: Name, columns: Collection[str], version_tables: Collection[Name] = ()) -> bool:
    """Whether the table is a migration tool's own.

    Args:
        table: its name.
        columns: names of its columns.
        version_tables: the project's own Alembic version tables.
    """
    folded = [column.lower() for column in columns]
    return table in version_tables or any(tool.fit(folded) for tool in TABLES.get(table.name.lower(), ()))
