"""What a person can do about each object because of which no other column can take a column's place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_AGAIN = "drop it in a revision before, write this one again, and create it again in a revision after"
_OWN_REVISION = "make the change of type a revision of its own: write the models' other changes first, or later"
# In this order: the first text that an obstacle contains decides. `obstacles` and `dependents_sql` write them.
_RECIPES = (
    ("which has the name that", "rename it, or drop it, in a revision before"),
    (
        "which fires after the one that fills",
        "give it an earlier name in a revision before (ALTER TRIGGER … RENAME TO …): the names are the order in which "
        "triggers fire",
    ),
    (
        "which let no row be updated",
        "give the table a replica identity with all columns of the row filter (ALTER TABLE … REPLICA IDENTITY FULL) "
        "that the publication sends, or let it send no updates, in a revision before",
    ),
    ("of a column that gets another default", "change the default in a revision of its own, before or after this one"),
    ("which this revision", _OWN_REVISION),
    ("another change of", _OWN_REVISION),
    (
        "which depends on the session",
        "say how it is cast with postgresql_using, by an expression that is the same in every session, such as "
        "made AT TIME ZONE 'UTC'",
    ),
    (
        "which opens a transaction of its own",
        "let context.begin_transaction() open it: autocommit blocks fail in a transaction that Alembic does not know",
    ),
    (
        "which PostgreSQL refuses with the new type",
        "drop it in a revision before, change the models so that it fits the new type, and write this one again",
    ),
    ("could not be read", "write the revision on a database that has the table"),
    ("whose definition cannot be read", _AGAIN),
    (
        "which references the partitioned table",
        f"{_AGAIN}, NOT VALID and then validated. Until then nothing checks the rows",
    ),
    (
        "which cannot be NOT VALID before PostgreSQL 18",
        "drop it in a revision before, write this one again, and after it add it to each partition, NOT VALID and then "
        "validated, and at last to the partitioned table, which takes over those of its partitions and reads no row",
    ),
    ("foreign table", "detach it (DETACH PARTITION CONCURRENTLY), write this again, attach it again with the new type"),
    (
        "of partition",
        "give it to the partitioned table as a whole, or take it from the partition, in a revision before",
    ),
    (
        "of a partition",
        "give it to the partitioned table as a whole, or take it from the partition, in a revision before",
    ),
    (
        "the partition key",
        "PostgreSQL never changes it. Create a table with the new type and the same partitions, copy the rows in "
        "batches while a trigger copies what is written, and swap the names in one transaction",
    ),
    (
        "a partition or a parent",
        "a partition has the types of its partitioned table: change that. Tables that only inherit have to be "
        "changed together: add the column and the trigger to each, fill them, and swap all in one transaction",
    ),
    (
        "generated column",
        "let a trigger compute it from now on: ALTER TABLE … ALTER COLUMN … DROP EXPRESSION keeps the values and reads "
        "no row; then write this again. Or declare it persisted=False (PostgreSQL 18), which stores nothing",
    ),
    (
        "is materialised or read by one that is",
        "name all its columns in GROUP BY, in a revision before: then it needs no primary key",
    ),
    (
        "exclusion constraint",
        "PostgreSQL builds an EXCLUDE constraint under ACCESS EXCLUSIVE only. Drop it in a revision before, write this "
        "again, and add it again at a quiet hour; until then nothing keeps the rows apart",
    ),
    ("which is not valid", "REINDEX INDEX CONCURRENTLY, or drop it, in a revision before"),
    ("storage of the column", "set it to the default in a revision before (SET STORAGE DEFAULT), and again after"),
    ("rights on sequence", "revoke them in the same transaction before the swap, and grant them again after it"),
    (
        "several sequences",
        "ALTER SEQUENCE … OWNED BY NONE for those that the default does not use, in a revision before",
    ),
    ("belongs to an extension", "ALTER EXTENSION … DROP VIEW, in a revision before, and ADD VIEW after"),
    (
        "function",
        "write its body as a string (AS $$ … $$) in a revision before: PostgreSQL ties only a body of BEGIN ATOMIC to "
        "the column",
    ),
    (
        "foreign key",
        "PostgreSQL does not compare the two types. Drop it in a revision before, change both columns in stages, and "
        "create it again, NOT VALID and then validated. Until then nothing checks the rows",
    ),
    (
        "constraint",
        "if it is an EXCLUDE constraint, PostgreSQL builds it under ACCESS EXCLUSIVE only. " + _AGAIN.capitalize(),
    ),
)


def recipes(obstacles: Sequence[str]) -> Iterator[str]:
    """Yield a line for each obstacle: its name, and what to do about it.

    Args:
        obstacles: what `column_swap.obstacles` returns.
    """
    seen: dict[str, list[str]] = {}
    for obstacle in obstacles:
        seen.setdefault(recipe(obstacle), []).append(obstacle)
    for advice, names in seen.items():
        yield f"{'; '.join(dict.fromkeys(names))}: {advice}."


def recipe(obstacle: str) -> str:
    """Return what to do about one obstacle."""
    return next((advice for words, advice in _RECIPES if words in obstacle), _AGAIN)
