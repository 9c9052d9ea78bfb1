"""Whether a table will have many rows, as far as the schema and the application's source can tell."""

from __future__ import annotations

from collections import Counter

from alembic_pgpatterns.patterns._columns import STRINGS
from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.schema.model import Name, Schema, Table

LARGE = 10_000
"""Rows from which reading the whole table is noticed."""

MANY = 1_000_000
"""Rows from which a key of 32 bits is worth a thought: a thousandth of its numbers, and a sign of how fast they go."""

FEW_COLUMNS = 5
"""Columns that a short list has at most."""

LONG = 6
"""Letters from which a word is looked for at the end of another one."""

LISTS = frozenset({
    "authority", "category", "config", "configuration", "country", "currency", "department", "group", "kind",
    "language", "model", "organisation", "organization", "permission", "plan", "plugin", "policy", "preset", "priority",
    "provider", "role", "rule", "scope", "setting", "severity", "state", "status", "team", "template", "tenant", "type",
    "workspace",
})  # fmt: skip
"""Last words of the names of tables that people fill by hand: they hold tens or hundreds of rows, not millions."""

KINDS = frozenset({
    "authority", "category", "country", "currency", "kind", "language", "permission", "plugin", "policy", "priority",
    "provider", "role", "scope", "severity", "state", "status", "type",
})  # fmt: skip
"""Those of them of which even a whole installation, with all its tenants, has a few."""

_ABOUT = frozenset({"detail", "info", "information", "metadata", "property"})
"""Last words of names of tables that say more about what the word before names."""

SERIES = frozenset({
    "activity", "alert", "attempt", "audit", "click", "delivery", "entry", "event", "execution", "history",
    "impression", "item", "job", "line", "log", "measurement", "message", "metric", "notification", "payment",
    "position", "queue", "reading", "record", "request", "response", "result", "run", "sample", "session", "snapshot",
    "task", "trace", "transaction", "view", "visit", "vote",
})  # fmt: skip
"""Last words of the names of tables that the program fills by itself."""


def rows_of(table: Table) -> float | None:
    """Rows of a table, where they are declared in its model or known of production."""
    if table.statistics is not None:
        return table.statistics.rows
    declared = table.origin.info.get("rows")
    return float(declared) if isinstance(declared, int | float) else None


def looks_like_a_list(schema: Schema, table: Table) -> bool:
    """A few columns, and others point at it: kinds, countries, roles.

    One of the columns is a unique name, or the revisions fill it. Not where the application adds rows to it.
    """
    if len(table.columns) > FEW_COLUMNS or table.foreign_keys or not schema.fact(_referred)[table.name]:
        return False
    evidence = schema.evidence
    names = {table.name.name, f"{table.name.schema}.{table.name.name}"}
    if evidence is not None and names & set(evidence.inserted):
        return False
    if table.seeded:
        return True
    rules: list[tuple[str | None, ...]] = [key.columns for key in table.unique_constraints]
    rules += [index.columns for index in table.indexes if index.unique and index.predicate is None]
    unique = [table.column(columns[0] or "") for columns in rules if len(columns) == 1]
    return any(column is not None and column.type.name in STRINGS | {"citext"} for column in unique)


def is_named_list(table: Table) -> bool:
    """Whether its name and a unique name of each row say that people fill it by hand: providers, plans, teams.

    The name may be unique within what another table has: the types of incidents of each project.
    """
    if last_word(table) not in LISTS:
        return False
    unique: list[tuple[str | None, ...]] = [key.columns for key in table.unique_constraints]
    unique += [index.columns for index in table.indexes if index.unique and index.predicate is None]
    linked = {name for key in table.foreign_keys for name in key.columns}
    return any(_names_rows([name for name in columns if name not in linked]) for columns in unique)


def _names_rows(columns: list[str | None]) -> bool:
    return len(columns) == 1 and words(columns[0] or "")[-1:] == ("name",)


def links_short_lists(schema: Schema, table: Table) -> bool:
    """Whether each row only connects rows of short lists: roles with priorities, rules with policies."""
    parents = [schema.table(key.referred_table) for key in table.foreign_keys]
    if any(parent is None or parent.name == table.name for parent in parents):
        return False
    return bool(parents) and all(last_word(parent) in KINDS or is_named_list(parent) for parent in parents if parent)


def stays_short(schema: Schema, table: Table) -> bool:
    """Whether its name says that people fill it by hand, and no row of it belongs to a row of a table that may grow.

    A row of the settings of users comes with each user.
    """
    parents = (schema.table(key.referred_table) for key in table.foreign_keys if key.referred_table != table.name)
    return last_word(table) in LISTS and all(parent is not None and last_word(parent) in LISTS for parent in parents)


def last_word(table: Table) -> str:
    """The word of a table's name that says what a row is, in the singular."""
    # The details of providers are as few as the providers.
    names = [singular(word) for word in words(table.name.name)]
    word = next((word for word in reversed(names) if word not in _ABOUT), "")
    # Some frameworks name a table by its class without a break: `storageconfig`. Short words end others by chance.
    return next((item for item in LISTS if len(item) >= LONG and word.endswith(item)), word)


def likely_grows(schema: Schema, table: Table) -> bool:
    """Whether something speaks for many rows: the table's name, or a row of it for each of another table's.

    How many rows a table has, only statistics say. Without them an index on a table of fifty rows would be proposed
    as loudly as one on the largest.
    """
    if last_word(table) in LISTS or looks_like_a_list(schema, table):
        return False
    return grows_by_itself(table) or any(key.referred_table != table.name for key in table.foreign_keys)


def grows_by_itself(table: Table) -> bool:
    """Whether the table's name says that the program fills it by itself: events, jobs, messages."""
    return last_word(table) in SERIES


def singular(word: str) -> str:
    """A plural of the usual kind without its ending; a word such as ``status`` stays as it is."""
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("us", "ss")):
        return word
    if word.endswith("uses"):
        return word[:-2]
    return word.removesuffix("s")


def _referred(schema: Schema) -> Counter[Name]:
    return Counter(key.referred_table for table in schema.tables for key in table.foreign_keys)
