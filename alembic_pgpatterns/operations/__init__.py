"""The directives: operations that Alembic lacks. One file per kind, with operation, reverse and comparator."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin

KINDS = {
    "extensions": ("create_extension", "drop_extension", "set_extension_schema"),
    "row_security": (
        "enable_row_security",
        "disable_row_security",
        "force_row_security",
        "no_force_row_security",
    ),
    "policies": ("create_policy", "alter_policy", "drop_policy"),
    "grants": ("grant", "revoke", "revoke_public_schema"),
    "default_privileges": ("grant_default_privileges", "revoke_default_privileges"),
    "settings": (
        "alter_database_set",
        "alter_role_set",
        "alter_system",
        "apply_recommended_settings",
        "reset_settings",
    ),
    "storage": ("set_storage_parameters",),
    "indexes": ("create_index_concurrently", "drop_index_concurrently", "reindex_concurrently"),
    "constraints": ("create_foreign_key_not_valid", "create_check_not_valid", "validate_constraint"),
    "not_null": ("set_not_null",),
    "keys": ("create_unique_using_index", "create_primary_key_using_index"),
    "columns": ("add_column_with_reference", "convert_serial_to_identity", "convert_identity_to_serial"),
    "enums": ("add_enum_value",),
    "partitions": ("attach_partition", "detach_partition"),
    "lock_attempts": ("lock_attempts",),
    "backfill": ("backfill",),
    "upsert": ("upsert",),
}
"""The modules with directives. For each, the names of its directives on ``op``."""

IN_BATCH = ("row_security", "policies", "storage")
"""The modules whose directives exist on ``batch_op`` too."""

COMPARED = ("extensions", "row_security", "policies", "grants", "default_privileges", "storage")
"""The modules with a comparator, ``compare_<kind>``, in the order in which the comparators run."""


def setup(plugin: Plugin) -> None:
    """Register every directive (``op.…``) and comparator by name. Called while Alembic is being imported.

    Each module is imported when one of its directives is first used: most programs that import Alembic use none.
    """
    from alembic import op
    from alembic.operations import BatchOperations, Operations
    from alembic.util import DispatchPriority

    from alembic_pgpatterns.operations.support.announcing import announce, announce_on_module

    homes = {name: _home(kind) for kind, names in KINDS.items() for name in names}
    announce(Operations, homes)
    announce(BatchOperations, {name: _home(kind) for kind in IN_BATCH for name in KINDS[kind]})
    announce_on_module(op, homes)
    comparators = {f"pgpatterns_{kind}": (_home(kind), f"compare_{kind}") for kind in COMPARED}
    comparators["pgpatterns_declarations"] = (_home("support.comparing"), "hide_declarations")
    for element, (home, function) in comparators.items():
        plugin.add_autogenerate_comparator(
            _comparator(home, function), "autogenerate", element, qualifier="postgresql", priority=DispatchPriority.LAST
        )


def _home(kind: str) -> str:
    return f"{__name__}.{kind}"


def _comparator(home: str, function: str) -> Callable[..., Any]:
    def compare(*arguments: Any) -> Any:
        return getattr(import_module(home), function)(*arguments)

    return compare


# Last in this file, and before any other module of this package: importing Alembic runs setup(), so setup() must
# be defined by then.
import alembic  # noqa: E402, F401
