from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern, Severity
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, as_written, block, python, with_words, worked
from alembic_pgpatterns.revisions.alter_table import AlterAction
from alembic_pgpatterns.revisions.commands import Command
from alembic_pgpatterns.revisions.model import RevisionRun, Statement, is_strong
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.expressions import text_literal, zones_of
from alembic_pgpatterns.schema.types import DataType

_UTC = frozenset({"utc", "gmt", "etc/utc", "etc/gmt"})
STAGED = (
    "Add a new column, fill both from the application, copy the old rows in batches (op.backfill), change over, and "
    "drop the old column in a later revision."
)


class TableRewrite(RevisionPattern):
    """An existing table that PostgreSQL rewrites row by row while nobody can use it.

    The rewrite holds ACCESS EXCLUSIVE until the table and all its indexes are written: reads and writes wait, and the
    disk must hold both copies. Causes: most changes of a column's type; a new column with a volatile default
    (``gen_random_uuid()``, ``clock_timestamp()``), of a domain with a constraint, serial, identity or GENERATED …
    STORED; SET LOGGED and UNLOGGED; SET TABLESPACE; VACUUM FULL; CLUSTER; REFRESH MATERIALIZED VIEW without
    CONCURRENTLY, for its readers; and copying the rows into a table that then takes the old one's name, as
    ``batch_alter_table(recreate="always")`` does.

    No rewrite: varchar to a longer varchar or to text, numeric to a larger precision of the same scale, timestamp to
    timestamptz in a session whose TimeZone is UTC, a constant default, ``now()`` as a default. PostgreSQL itself
    reported the rewrite when the revision ran; nothing is guessed.
    """

    severity = Severity.ERROR
    fold = Fold.REVISION
    weighs_rows = True
    references = (ALTER_TABLE,)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, pages integer, title varchar(50));"
    bad = """
        def upgrade():
            op.alter_column("book", "pages", type_=sa.BigInteger())
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.alter_column("book", "title", type_=sa.Text())
            op.add_column("book", sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.func.now()))
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Rewrites of tables that were there before."""
        for statement in run.statements:
            for work in worked(statement, "rewrite", run):
                change = _reason(statement)
                cause = _words(change, run, work.table) if change is not None else _verb(statement)
                mode = statement.mode(work.root) or "ACCESS EXCLUSIVE"
                effect = f"under {mode}: reads and writes wait until every row and every index is written"
                if not is_strong(mode):
                    effect = "and writes are not blocked during the copy: rows that are written after it are lost"
                yield self.at(
                    run,
                    statement,
                    f"{work.root} is rewritten ({cause}) {effect}",
                    work.root,
                    _instead(run, statement, change, work.root),
                    object=f"{work.root}.{change.name}" if change is not None and change.name else str(work.root),
                )


def _reason(statement: Statement) -> AlterAction | None:
    kinds = ("alter type", "set logged", "set unlogged", "set tablespace", "set access method", "set expression")
    for change in statement.actions:
        if change.kind in kinds or (change.kind == "add column" and (change.default or change.generated)):
            return change
    return next((change for change in statement.actions if change.kind == "add column"), None)


def _words(change: AlterAction, run: RevisionRun, table: Name) -> str:
    if change.kind == "alter type":
        old, new = _type(run.before, table, change), _type(run.after, table, change)
        longer = ", which fails where a value is longer" if _shorter(old, new) and not change.using else ""
        words = f"from {old.display if old else '?'} to {new.display if new else change.type}"
        if _more_labels(old, new):
            words = "to an enum of the same name with more labels"
        elif _made_again(old, new):
            words = "to an enum of the same name with other labels"
        return f"the type of {change.name} {words}{longer}"
    if change.kind == "add column":
        default = f"default {change.default}" if change.default else change.type
        return f"new column {change.name}: {change.generated or default}"
    return change.kind.upper()


def _more_labels(old: DataType | None, new: DataType | None) -> tuple[str, ...]:
    """The labels that an enum made again has besides those of the one that it replaces."""
    if old is None or new is None or not _made_again(old, new) or not {*old.labels} <= {*new.labels}:
        return ()
    return tuple(label for label in new.labels if label not in old.labels)


def _made_again(old: DataType | None, new: DataType | None) -> bool:
    """Whether an enum takes the place of another one of its name."""
    if old is None or new is None or (old.kind, new.kind) != ("enum", "enum"):
        return False
    return old.display == new.display and old.labels != new.labels


def _type(schema: Schema, table: Name, change: AlterAction) -> DataType | None:
    before = schema.table(table)
    column = before.column(change.name) if before is not None else None
    return column.type if column is not None else None


def _shorter(old: DataType | None, new: DataType | None) -> bool:
    text = ("varchar", "text")
    if old is None or new is None or old.name not in text or new.name != "varchar" or new.length is None:
        return False
    return not new.array and (old.length is None or old.length > new.length)


def _verb(statement: Statement) -> str:
    kind = statement.command.kind if statement.command is not None else ""
    verbs = {"refresh": "REFRESH MATERIALIZED VIEW", "insert": "copied into a table that replaces it"}
    return verbs.get(kind, kind.upper()) or "by a function"


def _instead(run: RevisionRun, statement: Statement, change: AlterAction | None, table: Name) -> str:
    command = statement.command
    if command is not None and command.kind == "refresh":
        return f"{block(with_words(command.text, 'CONCURRENTLY'))}\n# needs a unique index on the view"
    if command is not None and command.kind == "insert" and not _is_batch(command):
        return (
            f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE before the copy: writes then wait "
            "until the tables are exchanged, and none is lost. Or copy in batches while a trigger writes to both."
        )
    if command is not None and command.kind == "insert":
        return (
            'ALTER the table in place, which PostgreSQL can: op.* or batch_alter_table(…) without recreate="always", '
            "copy_from and table_args."
        )
    if command is not None and command.kind in ("vacuum full", "cluster"):
        return "Not in a revision; pg_repack does the same without the lock."
    if change is None or change.kind not in ("alter type", "add column"):
        return "Do this at a time when nobody needs the table."
    if change.kind == "alter type":
        return _retyped(run, statement, change, table)
    if change.generated == "stored":
        return "Add a plain column, keep it up to date by a trigger, and fill the old rows in batches (op.backfill)."
    return (
        f"Add {change.name} nullable and without a default, ALTER COLUMN {change.name} SET DEFAULT for new rows, fill "
        "the old ones in batches (op.backfill), then NOT NULL (op.set_not_null)."
    )


def _is_batch(command: Command) -> bool:
    """Whether Alembic's batch mode copies, whose new table has a name of this kind until it is renamed."""
    return any(relation.name.startswith("_alembic_tmp_") for relation in command.relations)


def _becomes_aware(old: DataType | None, new: DataType | None) -> bool:
    if old is None or new is None or new.array:
        return False
    return (old.name, new.name) == ("timestamp", "timestamptz") and old.precision in (None, new.precision)


def _is_utc(change: AlterAction) -> bool:
    """Whether the values are taken as UTC: nothing else is said, or the expression says so and no other zone."""
    zones: frozenset[str | None] = zones_of(change.using) if change.using else _UTC
    return bool(zones) and zones <= _UTC


def _retyped(run: RevisionRun, statement: Statement, change: AlterAction, table: Name) -> str:
    old, new = _type(run.before, table, change), _type(run.after, table, change)
    written, column = as_written(statement, table), quote(change.name)
    more = _more_labels(old, new)
    if more and old is not None:
        # A new label needs no rewrite. In a transaction since PostgreSQL 12, where it can be used after the commit.
        kind = old.display.removesuffix("[]")
        added = (f"ALTER TYPE {kind} ADD VALUE IF NOT EXISTS {text_literal(label)}" for label in more)
        return "\n".join(f"op.execute({python(text)})" for text in added) + "  # in place of a new type"
    # Where the session's zone is UTC the values stay as they are, and PostgreSQL rewrites nothing (since 12).
    if _becomes_aware(old, new) and _is_utc(change):
        alter = f"ALTER TABLE {written} ALTER COLUMN {column} TYPE {change.type}"
        return (
            f'op.execute("SET LOCAL timezone = \'UTC\'")\nop.execute({python(alter)})\nop.execute("RESET timezone")'
            "  # values that are UTC stay as they are, and so does the table; only indexes on the column are rebuilt"
        )
    if new is not None and _shorter(old, new):
        name = quote(f"{table.name}_{change.name}_length")
        check = f"ALTER TABLE {written} ADD CONSTRAINT {name} CHECK (char_length({column}) <= {new.length}) NOT VALID"
        return (
            f"op.execute({python(check)})\n{block(f'ALTER TABLE {written} VALIDATE CONSTRAINT {name}')}\n"
            "# in place of the new type: a CHECK limits the length just as well"
        )
    return STAGED
