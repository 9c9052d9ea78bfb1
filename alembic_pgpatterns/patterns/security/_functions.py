"""Which functions give one value for a whole query, so that calling them once per row is a waste."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from alembic_pgpatterns.schema.model import Function, Name, Schema
from alembic_pgpatterns.schema.names import quote

SESSION = frozenset(
    {
        "current_database", "current_schema", "current_schemas", "current_setting", "has_any_column_privilege",
        "has_column_privilege", "has_database_privilege", "has_foreign_data_wrapper_privilege",
        "has_function_privilege", "has_language_privilege", "has_parameter_privilege", "has_schema_privilege",
        "has_sequence_privilege", "has_server_privilege", "has_table_privilege", "has_tablespace_privilege",
        "has_type_privilege", "inet_client_addr", "inet_client_port", "inet_server_addr", "inet_server_port",
        "pg_has_role", "row_security_active",
    }
)  # fmt: skip
"""PostgreSQL's STABLE functions about the session (docs, "System Information Functions", "Configuration Settings
Functions"). Clocks are not among them: they cost nothing, and planned as they stand they give better estimates."""

AGGREGATES = frozenset(
    {
        "any_value", "array_agg", "avg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "count", "every",
        "json_agg", "json_agg_strict", "json_object_agg", "json_object_agg_strict", "json_object_agg_unique",
        "json_object_agg_unique_strict", "jsonb_agg", "jsonb_agg_strict", "jsonb_object_agg",
        "jsonb_object_agg_strict", "jsonb_object_agg_unique", "jsonb_object_agg_unique_strict", "max", "min",
        "range_agg", "range_intersect_agg", "stddev", "stddev_pop", "stddev_samp", "string_agg", "sum", "var_pop",
        "var_samp", "variance", "xmlagg",
    }
)  # fmt: skip
"""Those that can be called without a column (docs, "Aggregate Functions")."""

VOLATILE = frozenset(
    {
        "array_sample", "array_shuffle", "clock_timestamp", "current_query", "currval", "gen_random_uuid", "lastval",
        "nextval", "query_to_xml", "random", "random_normal", "set_config", "setval", "timeofday", "txid_status",
        "uuidv4", "uuidv7",
    }
)  # fmt: skip
"""PostgreSQL's, but for those about the server, which begin with pg_ or lo_ (pg_proc.provolatile)."""

BUILT_IN = "pg_catalog"


class Functions:
    """The functions of a schema, as policies call them."""

    def __init__(self, schema: Schema, listed: Iterable[str]) -> None:
        self._default = schema.default_schema
        self._listed = frozenset(listed)
        self._of_project: dict[Name, list[Function]] = defaultdict(list)
        for function in schema.functions:
            self._of_project[function.name].append(function)

    def same_for_all_rows(self, name: tuple[str, ...]) -> bool:
        """Whether a policy that calls it without a column gets one value for a query, or is meant to.

        Args:
            name: as the policy spells it, split at its dots.
        """
        overloads = self._overloads(name)
        if overloads:
            return all(function.kind == "f" and function.volatility != "immutable" for function in overloads)
        return ".".join(name) in self._listed or (name[-1] in SESSION and name[:-1] in ((), (BUILT_IN,)))

    def movable(self, name: tuple[str, ...]) -> bool:
        """Whether a call of it without a column gives the same from within a sub-select.

        Not so: aggregates, functions that PostgreSQL declares volatile, and those nothing is known of. A volatile one
        of the project's own is left to the project: see `volatile`.
        """
        overloads = self._overloads(name)
        if overloads:
            return all(function.kind == "f" for function in overloads)
        if self.same_for_all_rows(name):
            return True
        excluded = name[-1] in AGGREGATES | VOLATILE or name[-1].startswith(("pg_", "lo_"))
        return name[:-1] in ((), (BUILT_IN,)) and not excluded

    def volatile(self, name: tuple[str, ...]) -> bool:
        """Whether it is declared VOLATILE."""
        return any(function.volatility == "volatile" for function in self._overloads(name))

    def _overloads(self, name: tuple[str, ...]) -> list[Function]:
        schema = name[-2] if len(name) > 1 else self._default
        return self._of_project.get(Name(schema, name[-1]), [])


def spelled(name: tuple[str, ...]) -> str:
    """The name for people: ``auth.uid()``."""
    return ".".join(map(quote, name)) + "()"
