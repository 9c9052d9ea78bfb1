"""``alembic.op`` with the directives of this package. Written by `op_stub`: change the directives, not this file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, type_check_only

from alembic.op import (
    add_column as add_column,
)
from alembic.op import (
    alter_column as alter_column,
)
from alembic.op import (
    bulk_insert as bulk_insert,
)
from alembic.op import (
    create_check_constraint as create_check_constraint,
)
from alembic.op import (
    create_exclude_constraint as create_exclude_constraint,
)
from alembic.op import (
    create_foreign_key as create_foreign_key,
)
from alembic.op import (
    create_index as create_index,
)
from alembic.op import (
    create_primary_key as create_primary_key,
)
from alembic.op import (
    create_table as create_table,
)
from alembic.op import (
    create_table_comment as create_table_comment,
)
from alembic.op import (
    create_unique_constraint as create_unique_constraint,
)
from alembic.op import (
    drop_column as drop_column,
)
from alembic.op import (
    drop_constraint as drop_constraint,
)
from alembic.op import (
    drop_index as drop_index,
)
from alembic.op import (
    drop_table as drop_table,
)
from alembic.op import (
    drop_table_comment as drop_table_comment,
)
from alembic.op import (
    execute as execute,
)
from alembic.op import (
    f as f,
)
from alembic.op import (
    get_bind as get_bind,
)
from alembic.op import (
    get_context as get_context,
)
from alembic.op import (
    implementation_for as implementation_for,
)
from alembic.op import (
    inline_literal as inline_literal,
)
from alembic.op import (
    invoke as invoke,
)
from alembic.op import (
    register_operation as register_operation,
)
from alembic.op import (
    rename_table as rename_table,
)
from alembic.op import (
    run_async as run_async,
)
from alembic.operations import BatchOperations
from sqlalchemy import Column, ColumnElement, Table, TextClause
from sqlalchemy.sql.elements import ClauseElement

from alembic_pgpatterns.operations.lock_attempts import Attempt, WrittenAttempt
from alembic_pgpatterns.operations.settings import SettingValue
from alembic_pgpatterns.operations.storage import ParameterValue
from alembic_pgpatterns.operations.upsert import Rows

def create_extension(
    extension: str,
    *,
    schema: str | None = None,
    version: str | None = None,
    cascade: bool = False,
    if_not_exists: bool = True,
) -> None:
    """Create an extension."""

def drop_extension(
    extension: str,
    *,
    if_exists: bool = True,
    cascade: bool = False,
    schema: str | None = None,
    version: str | None = None,
) -> None:
    """Drop an extension."""

def set_extension_schema(extension: str, schema: str, *, previous: str | None = None) -> None:
    """Move the objects of an extension into another schema."""

def enable_row_security(table: str, *, schema: str | None = None) -> None:
    """Apply a table's policies. Without a policy only the owner sees rows."""

def disable_row_security(table: str, *, schema: str | None = None) -> None:
    """Stop applying a table's policies. They stay in the catalog."""

def force_row_security(table: str, *, schema: str | None = None) -> None:
    """Apply a table's policies to its owner too, which is often the application's own role."""

def no_force_row_security(table: str, *, schema: str | None = None) -> None:
    """Do not apply a table's policies to its owner, which is PostgreSQL's default."""

def create_policy(
    policy: str,
    table: str,
    *,
    using: str | None = None,
    with_check: str | None = None,
    command: str = "ALL",
    roles: Sequence[str] = ("public",),
    permissive: bool = True,
    schema: str | None = None,
) -> None:
    """Create a policy of row-level security."""

def alter_policy(
    policy: str,
    table: str,
    *,
    using: str | None = None,
    with_check: str | None = None,
    roles: Sequence[str] | None = None,
    schema: str | None = None,
) -> None:
    """Change the expressions or roles of a policy. What is not given stays as it is."""

def drop_policy(policy: str, table: str, *, if_exists: bool = False, schema: str | None = None) -> None:
    """Drop a policy."""

def grant(
    privileges: str | Sequence[str],
    on: str,
    roles: str | Sequence[str],
    *,
    kind: str = "table",
    schema: str | None = None,
    grant_option: bool = False,
) -> None:
    """Grant privileges to roles."""

def revoke(
    privileges: str | Sequence[str],
    on: str,
    roles: str | Sequence[str],
    *,
    kind: str = "table",
    schema: str | None = None,
    grant_option: bool = False,
) -> None:
    """Revoke privileges from roles."""

def revoke_public_schema(
    schema: str = "public", *, privileges: Sequence[str] = ("CREATE",), previous: Sequence[str] = ()
) -> None:
    """Stop everybody from creating objects in a schema, which is the default since PostgreSQL 15."""

def grant_default_privileges(
    privileges: str | Sequence[str],
    on: str,
    roles: str | Sequence[str],
    *,
    schema: str | None = None,
    creator: str | None = None,
) -> None:
    """Grant roles privileges on objects that are created from now on."""

def revoke_default_privileges(
    privileges: str | Sequence[str],
    on: str,
    roles: str | Sequence[str],
    *,
    schema: str | None = None,
    creator: str | None = None,
) -> None:
    """Stop granting roles privileges on objects that are created from now on."""

def alter_database_set(
    setting: str, value: SettingValue, *, database: str | None = None, previous: SettingValue = None
) -> None:
    """Set the default of a setting in one database, for new sessions."""

def alter_role_set(
    role: str, setting: str, value: SettingValue, *, database: str | None = None, previous: SettingValue = None
) -> None:
    """Set the default of a setting for one role, for new sessions."""

def alter_system(setting: str, value: SettingValue, *, previous: SettingValue = None, reload: bool = True) -> None:
    """Write a setting into the server's configuration (``postgresql.auto.conf``), for every database."""

def apply_recommended_settings(
    *,
    memory_mb: int | None = None,
    max_connections: int | None = None,
    statement_timeout: str = "30s",
    idle_in_transaction_session_timeout: str = "60s",
    lock_timeout: str = "10s",
    previous: dict[str, SettingValue] | None = None,
) -> None:
    """Set timeouts and working memory that suit a web application as defaults of the current database."""

def reset_settings(settings: dict[str, SettingValue]) -> None:
    """Set the current database's settings back to their old values: the reverse of the recommended settings."""

def set_storage_parameters(
    table: str,
    parameters: Mapping[str, ParameterValue],
    *,
    previous: Mapping[str, ParameterValue] | None = None,
    schema: str | None = None,
) -> None:
    """Set storage parameters of a table: fillfactor, autovacuum thresholds."""

def create_index_concurrently(
    index_name: str,
    table_name: str,
    columns: Sequence[Any],
    *,
    schema: str | None = None,
    unique: bool = False,
    if_not_exists: bool = True,
    **kw: Any,
) -> None:
    """Build an index while the table is read and written, with everything that this needs."""

def drop_index_concurrently(
    index_name: str, table_name: str | None = None, *, schema: str | None = None, if_exists: bool = True
) -> None:
    """Drop an index while the table is read and written."""

def reindex_concurrently(
    index_name: str | None = None, *, table_name: str | None = None, schema: str | None = None
) -> None:
    """Rebuild an index, or all indexes of a table, while the table is read and written."""

def create_foreign_key_not_valid(
    constraint_name: str,
    source_table: str,
    referent_table: str,
    local_cols: Sequence[str],
    remote_cols: Sequence[str],
    *,
    source_schema: str | None = None,
    referent_schema: str | None = None,
    if_not_exists: bool = True,
    **kw: Any,
) -> None:
    """Add a foreign key without checking the existing rows. New rows are checked from now on."""

def create_check_not_valid(
    constraint_name: str,
    table_name: str,
    condition: str | ClauseElement,
    *,
    schema: str | None = None,
    if_not_exists: bool = True,
) -> None:
    """Add a CHECK without checking the existing rows. New rows are checked from now on."""

def validate_constraint(constraint_name: str, table_name: str, *, schema: str | None = None) -> None:
    """Check all rows against a foreign key or CHECK that is NOT VALID, and mark it as valid."""

def set_not_null(table_name: str, column_name: str, *, schema: str | None = None) -> None:
    """Make a column NOT NULL without reading the table under a strong lock."""

def create_unique_using_index(
    constraint_name: str,
    table_name: str,
    columns: Sequence[str] | None = None,
    *,
    index_name: str | None = None,
    deferrable: bool = False,
    initially_deferred: bool = False,
    schema: str | None = None,
) -> None:
    """Add a unique constraint without blocking: its index is built CONCURRENTLY first."""

def create_primary_key_using_index(
    constraint_name: str,
    table_name: str,
    columns: Sequence[str] | None = None,
    *,
    index_name: str | None = None,
    deferrable: bool = False,
    initially_deferred: bool = False,
    schema: str | None = None,
) -> None:
    """Add a primary key without blocking: its index is built CONCURRENTLY, its columns become NOT NULL first."""

def add_column_with_reference(
    table_name: str,
    column: Column[Any],
    referent_table: str,
    referent_column: str,
    *,
    constraint_name: str | None = None,
    referent_schema: str | None = None,
    ondelete: str | None = None,
    onupdate: str | None = None,
    deferrable: bool = False,
    initially_deferred: bool = False,
    schema: str | None = None,
) -> None:
    """Add a column and its foreign key in one statement. No row is read, since the new column is NULL everywhere."""

def convert_serial_to_identity(
    table_name: str, column_name: str, *, always: bool = False, schema: str | None = None
) -> None:
    """Turn a serial column into an identity column, which continues counting at the same value."""

def convert_identity_to_serial(
    table_name: str, column_name: str, *, always: bool = False, schema: str | None = None
) -> None:
    """Turn an identity column into a serial column, which continues counting at the same value."""

def add_enum_value(
    enum_name: str,
    value: str,
    *,
    before: str | None = None,
    after: str | None = None,
    if_not_exists: bool = True,
    schema: str | None = None,
) -> None:
    """Add a value to an enum type. The next statement can use it already."""

def attach_partition(
    parent: str, partition: str, bound: str, *, schema: str | None = None, partition_schema: str | None = None
) -> None:
    """Attach a table to a partitioned table without reading rows under a strong lock."""

def detach_partition(
    parent: str, partition: str, bound: str, *, schema: str | None = None, partition_schema: str | None = None
) -> None:
    """Detach a partition while the partitioned table is read and written."""

def lock_attempts(
    lock_timeout: str | int = "2s", attempts: int = 5, *, pause: float = 1.0
) -> Iterator[Attempt | WrittenAttempt]:
    """Run statements that need a strong lock: wait only briefly for it, and try several times."""

def backfill(
    table_name: str,
    values: Mapping[str, Any],
    where: str | ColumnElement[bool] | TextClause,
    batch_size: int = 1000,
    *,
    pause: float = 0.0,
    rate: float | None = None,
    key: Sequence[str] | None = None,
    schema: str | None = None,
) -> int:
    """Update rows in batches, in the order of the table's key. Each batch is a transaction of its own."""

def upsert(
    table_name: str,
    rows: Rows,
    conflict: Sequence[str],
    update: Sequence[str] | None = None,
    *,
    batch_size: int = 1000,
    schema: str | None = None,
) -> None:
    """Insert rows, and update those that exist already (INSERT ... ON CONFLICT)."""

@type_check_only
class _BatchOperations(BatchOperations):
    """``batch_op`` with the directives that work on its table."""

    def enable_row_security(self) -> None:
        """Apply a table's policies. Without a policy only the owner sees rows."""

    def disable_row_security(self) -> None:
        """Stop applying a table's policies. They stay in the catalog."""

    def force_row_security(self) -> None:
        """Apply a table's policies to its owner too, which is often the application's own role."""

    def no_force_row_security(self) -> None:
        """Do not apply a table's policies to its owner, which is PostgreSQL's default."""

    def create_policy(
        self,
        policy: str,
        *,
        using: str | None = None,
        with_check: str | None = None,
        command: str = "ALL",
        roles: Sequence[str] = ("public",),
        permissive: bool = True,
    ) -> None:
        """Create a policy of row-level security."""

    def alter_policy(
        self,
        policy: str,
        *,
        using: str | None = None,
        with_check: str | None = None,
        roles: Sequence[str] | None = None,
    ) -> None:
        """Change the expressions or roles of a policy. What is not given stays as it is."""

    def drop_policy(self, policy: str, *, if_exists: bool = False) -> None:
        """Drop a policy."""

    def set_storage_parameters(
        self, parameters: Mapping[str, ParameterValue], *, previous: Mapping[str, ParameterValue] | None = None
    ) -> None:
        """Set storage parameters of a table: fillfactor, autovacuum thresholds."""

def batch_alter_table(
    table_name: str,
    schema: str | None = None,
    recreate: Literal["auto", "always", "never"] = "auto",
    partial_reordering: list[tuple[str, ...]] | None = None,
    copy_from: Table | None = None,
    table_args: tuple[Any, ...] = (),
    table_kwargs: Mapping[str, Any] = ...,
    reflect_args: tuple[Any, ...] = (),
    reflect_kwargs: Mapping[str, Any] = ...,
    naming_convention: dict[str, str] | None = None,
) -> AbstractContextManager[_BatchOperations]:
    """Alembic's, whose ``batch_op`` has directives too."""
