"""The changes of type that teams fear, on a table in use: how long readers and writers wait, and what killing does.

One reader and one writer work all the time, and the writer keeps a ledger of all rows in another schema, in the same
transactions. Each change is made once by ``ALTER TABLE`` alone and once by what autogenerate writes: up, down and up
again, with the ledger compared each time. ``type_change_kills.py`` shows what killing does.

How long a statement takes also depends on who else uses the machine. So a second number says how long the server let
it wait for locks: each session of the load logs every such wait of over a millisecond. "no change" is the load alone,
for as long as the upgrade takes (12 seconds at most). The server is set up as for production: memory for the table, and
room for the log, so that no reader waits for a checkpoint or for a new file of the log.

    python benchmarks/type_changes.py [rows=1000000] [part of a change's name] [up]

With ``up`` only the upgrade is made with so many rows. The way down and up again has 20,000 then, with the same ledger.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine

from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server

HEAD = "from sqlalchemy import *\nfrom sqlalchemy.dialects import postgresql\n\nmetadata = MetaData()\n"
MODELS = """
author = Table("author", metadata, Column("id", Integer, primary_key=True),
    Column("boss_id", ForeignKey("author.id", name="boss"), index=True))
book = Table("book", metadata, Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("author.id", name="author"), index=True, nullable=False),
    Column("before_id", ForeignKey("book.id", name="before"), index=True),
    Column("pages", Integer, CheckConstraint("pages >= 0", name="book_pages"), nullable=False, server_default="1"),
    Column("price", Float), Column("doc", JSON), Column("made", DateTime, index=True), Column("word", String(20)),
    Column("state", Text, server_default="new"), Column("token", Text))
credit = Table("credit", metadata, Column("book_id", ForeignKey("book.id", name="credit_book"), primary_key=True),
    Column("author_id", ForeignKey("author.id", name="credit_author"), primary_key=True, index=True))
share = Table("share", metadata, Column("id", BigInteger, primary_key=True), Column("book_id", Integer),
    Column("author_id", Integer), ForeignKeyConstraint(["book_id", "author_id"],
        ["credit.book_id", "credit.author_id"], name="share_credit"))
Index("share_both", share.c.book_id, share.c.author_id)
Index("book_pages_made", book.c.pages, book.c.id, unique=True)
Index("book_thick", func.abs(book.c.pages), postgresql_where=book.c.pages > 500)
"""
# Without what references a book: its key would have to be the partition key.
PARTITIONED = """
author = Table("author", metadata, Column("id", Integer, primary_key=True),
    Column("boss_id", ForeignKey("author.id", name="boss"), index=True))
book = Table("book", metadata, Column("id", Integer, primary_key=True, autoincrement=True),
    Column("shelf", SmallInteger, primary_key=True, server_default=text("floor(random() * 5)")),
    Column("author_id", ForeignKey("author.id", name="author"), index=True, nullable=False),
    Column("before_id", Integer),
    Column("pages", Integer, CheckConstraint("pages >= 0", name="book_pages"), nullable=False, server_default="1"),
    Column("price", Float), Column("doc", JSON), Column("made", DateTime, index=True), Column("word", String(20)),
    Column("state", Text, server_default="new"), Column("token", Text), postgresql_partition_by="HASH (shelf)")
Index("book_pages_made", book.c.pages, book.c.id, book.c.shelf, unique=True)
Index("book_thick", func.abs(book.c.pages), postgresql_where=book.c.pages > 500)
"""
VIRTUAL = MODELS.replace(
    'Column("token", Text))',
    'Column("token", Text), Column("double", BigInteger, Computed("pages * 2", persisted=False)))',
)
ROWS = """
    INSERT INTO author SELECT g, nullif(g / 2, 0) FROM generate_series(1, 1000) g;
    INSERT INTO book (id, author_id, before_id, pages, price, doc, made, word, state, token)
        SELECT g, 1 + g % 1000, nullif(g / 2, 0), g % 900, g / 4.0, '{"a": 1}', timestamp '2020-01-01' +
        g * interval '1 minute', 'word ' || g % 5000, (ARRAY['new', 'old'])[1 + g % 2], md5(g::text)::uuid::text
        FROM generate_series(1, {rows}) g;
    SELECT setval('book_id_seq', {rows}), setval('author_id_seq', 1000);
"""
REFERENCES = """
    INSERT INTO credit SELECT id, author_id FROM book WHERE id % 5 = 0;
    INSERT INTO share SELECT id, id, author_id FROM book WHERE id % 10 = 0;
"""
PARTITIONS = ";".join(
    f"CREATE TABLE book_{i} PARTITION OF book FOR VALUES WITH (MODULUS 3, REMAINDER {i})" for i in range(3)
)
VALUES = """id::bigint, author_id::bigint, before_id::bigint, pages::bigint, price::numeric, doc::jsonb,
    extract(epoch FROM made), word::text, state::text, token::uuid"""
VIEWS = """
    CREATE VIEW thick AS SELECT id, pages, word FROM book WHERE pages > 3;
    CREATE VIEW named AS SELECT thick.id, thick.pages, author.id AS author FROM thick JOIN book USING (id)
        JOIN author ON author.id = book.author_id;
    CREATE MATERIALIZED VIEW counted AS SELECT author, count(*) AS books, sum(pages) AS pages
        FROM named GROUP BY author;
    CREATE UNIQUE INDEX counted_author ON counted (author);
"""
POLICIES = """
    ALTER TABLE book ENABLE ROW LEVEL SECURITY;
    CREATE POLICY thick ON book USING (pages >= 0);
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER noted BEFORE UPDATE OF pages ON book FOR EACH ROW WHEN (NEW.pages < 0) EXECUTE FUNCTION noted();
    CREATE TRIGGER always AFTER UPDATE ON book FOR EACH ROW EXECUTE FUNCTION noted();
"""


@dataclass(frozen=True)
class Change:
    """Words of the models before and after, further objects, and the change as one statement per table."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    naive: str
    objects: str = ""
    models: str = MODELS

    def after(self) -> str:
        """The models after the change."""
        text = self.models
        for old, new in zip(self.old, self.new, strict=True):
            text = text.replace(old, new)
        return text


_DROPPED = "DROP MATERIALIZED VIEW counted; DROP VIEW named, thick;"
CHANGES = {
    "an integer key, all that references it": Change(
        (" Integer, primary_key", '"book_id", Integer', '"author_id", Integer'),
        (" BigInteger, primary_key", '"book_id", BigInteger', '"author_id", BigInteger'),
        """ALTER TABLE author ALTER id TYPE bigint, ALTER boss_id TYPE bigint;
        ALTER TABLE book ALTER id TYPE bigint, ALTER author_id TYPE bigint, ALTER before_id TYPE bigint;
        ALTER TABLE credit ALTER book_id TYPE bigint, ALTER author_id TYPE bigint;
        ALTER TABLE share ALTER book_id TYPE bigint, ALTER author_id TYPE bigint""",
    ),
    "integer, indexed and in a CHECK": Change(
        ('"pages", Integer',), ('"pages", BigInteger',), "ALTER TABLE book ALTER pages TYPE bigint"
    ),
    "integer, under views": Change(
        ('"pages", Integer',),
        ('"pages", BigInteger',),
        f"{_DROPPED} ALTER TABLE book ALTER pages TYPE bigint; {VIEWS}",
        VIEWS,
    ),
    "integer, under policies and triggers": Change(
        ('"pages", Integer',),
        ('"pages", BigInteger',),
        """DROP POLICY thick ON book; DROP TRIGGER noted ON book; ALTER TABLE book ALTER pages TYPE bigint;
        CREATE POLICY thick ON book USING (pages >= 0);
        CREATE TRIGGER noted BEFORE UPDATE OF pages ON book FOR EACH ROW WHEN (NEW.pages < 0)
        EXECUTE FUNCTION noted()""",
        POLICIES,
    ),
    "timestamp to timestamptz, indexed": Change(
        ("DateTime,",),
        ("DateTime(timezone=True),",),
        "ALTER TABLE book ALTER made TYPE timestamptz USING made AT TIME ZONE 'UTC'",
    ),
    "varchar to text, under views": Change(
        ("String(20)",), ("Text",), f"{_DROPPED} ALTER TABLE book ALTER word TYPE text; {VIEWS}", VIEWS
    ),
    "json to jsonb": Change(("JSON",), ("postgresql.JSONB",), "ALTER TABLE book ALTER doc TYPE jsonb"),
    "float to numeric": Change(("Float",), ("Numeric",), "ALTER TABLE book ALTER price TYPE numeric"),
    "text to an enum": Change(
        ('"state", Text',),
        ('"state", Enum("new", "old", name="state")',),
        """CREATE TYPE state AS ENUM ('new', 'old'); ALTER TABLE book ALTER state DROP DEFAULT;
        ALTER TABLE book ALTER state TYPE state USING state::state; ALTER TABLE book ALTER state SET DEFAULT 'new'""",
    ),
    "text to uuid": Change(
        ('"token", Text',), ('"token", Uuid',), "ALTER TABLE book ALTER token TYPE uuid USING token::uuid"
    ),
    "integer, source of a virtual column": Change(
        ('"pages", Integer',),
        ('"pages", BigInteger',),
        """ALTER TABLE book DROP double; ALTER TABLE book ALTER pages TYPE bigint;
        ALTER TABLE book ADD double bigint GENERATED ALWAYS AS (pages * 2) VIRTUAL""",
        models=VIRTUAL,
    ),
    "partitioned: a key, and the key it references": Change(
        (" Integer, primary_key",),
        (" BigInteger, primary_key",),
        """ALTER TABLE author ALTER id TYPE bigint, ALTER boss_id TYPE bigint;
        ALTER TABLE book ALTER id TYPE bigint, ALTER author_id TYPE bigint""",
        models=PARTITIONED,
    ),
    "partitioned: integer, indexed and in a CHECK": Change(
        ('"pages", Integer',),
        ('"pages", BigInteger',),
        "ALTER TABLE book ALTER pages TYPE bigint",
        models=PARTITIONED,
    ),
    "serial to identity": Change(
        ('"book", metadata, Column("id", Integer,',),
        ('"book", metadata, Column("id", Integer, Identity(),',),
        """ALTER TABLE book ALTER id DROP DEFAULT; DROP SEQUENCE book_id_seq;
        ALTER TABLE book ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START 2000000)""",
    ),
}


@dataclass
class Load:
    """A reader and a writer without a pause, the longest wait of each in seconds, and what they could not do."""

    server: ThrowawayServer
    database: str
    rows: int
    views: bool
    longest: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "write": 0.0})
    locked: float = 0.0
    """The longest wait for a lock."""
    errors: list[str] = field(default_factory=list)
    done: int = 0
    pause: float = 0.001
    logs_locks: bool = True
    """Not where sessions may wait for each other in a circle: the one that looks first would be ended."""

    def __enter__(self) -> Load:
        self.over = threading.Event()
        assert self.server.log is not None
        self.log_start = self.server.log.stat().st_size
        self.threads = [threading.Thread(target=self.run, args=(kind,)) for kind in self.longest]
        for thread in self.threads:
            thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.3)
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert self.server.log is not None
        lines = self.server.log.read_text(errors="replace")[self.log_start :].splitlines()
        self.locked = max((float(match[1]) / 1000 for line in lines if (match := _ACQUIRED.search(line))), default=0.0)

    def run(self, kind: str) -> None:
        number = 0
        while not self.over.is_set():
            try:
                with self.server.connect(self.database) as connection:
                    # A prepared SELECT fails once when the type of its columns changes, however that is made.
                    connection.prepare_threshold = None
                    connection.execute("SET TimeZone = 'UTC'")
                    if self.logs_locks:
                        connection.execute("SET log_lock_waits = on; SET deadlock_timeout = '1ms'")
                    while not self.over.is_set():
                        number += 1
                        (self.read if kind == "read" else self.write)(connection, number)
                        time.sleep(self.pause)
            except psycopg.OperationalError as error:
                # The server restarts after a kill of a backend; a deadlock is none of these.
                if (
                    not isinstance(error, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown)
                    and error.sqlstate
                ):
                    self.errors.append(f"{kind}: {error}")
                time.sleep(0.05)
            except psycopg.Error as error:
                self.errors.append(f"{kind}: {error}")

    def timed(self, kind: str, connection: psycopg.Connection, statement: str, values: tuple = ()) -> psycopg.Cursor:
        begun = time.perf_counter()
        result = connection.execute(statement, values)
        self.longest[kind] = max(self.longest[kind], time.perf_counter() - begun)
        return result

    def read(self, connection: psycopg.Connection, number: int) -> None:
        key = number * 7919 % self.rows + 1
        self.timed("read", connection, "SELECT pages, word FROM book WHERE id = %s", (key,))
        if self.views:
            self.timed("read", connection, "SELECT pages FROM thick WHERE id = %s", (key,))
            self.timed("read", connection, "SELECT books FROM counted WHERE author = %s", (key % 1000,))

    def write(self, connection: psycopg.Connection, number: int) -> None:
        key = number * 7907 % self.rows + 1
        with connection.transaction():
            if number % 4 == 0:
                self.timed("write", connection, _INSERT, (key % 1000 + 1, number % 700, f"w{number}", number))
            elif number % 7 == 0:
                # Only rows that nothing references: the newest.
                self.timed("write", connection, "DELETE FROM book WHERE id = (SELECT max(id) FROM book)")
            else:
                self.timed("write", connection, _UPDATE, (number, number, number, key))
            # The ledger: what the statement says, and not what the table has.
            connection.execute(*_ledger(number, key))
        self.done += 1


_ACQUIRED = re.compile(r"process \d+ acquired \w+ on .* after ([\d.]+) ms")
_INSERT = """INSERT INTO book (author_id, pages, word, price, doc, made, token) VALUES
    (%s, %s, %s, %s / 8.0, '{"b": 2}', '2024-02-03', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')"""
_UPDATE = """UPDATE book SET pages = %s, price = %s / 4.0, word = 'x' || %s, doc = NULL, made = '2021-01-01',
    state = 'old' WHERE id = %s"""


def _ledger(number: int, key: int) -> tuple[str, tuple]:
    if number % 4 == 0:
        values = (key % 1000 + 1, number % 700, number, f"w{number}")
        return (
            """INSERT INTO ledger.book SELECT max(id), %s, NULL, %s, %s / 8.0, '{"b": 2}', extract(epoch FROM
            timestamptz '2024-02-03Z'), %s, 'new', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' FROM book""",
            values,
        )
    if number % 7 == 0:
        return "DELETE FROM ledger.book WHERE id = (SELECT max(id) FROM ledger.book)", ()
    return (
        """UPDATE ledger.book SET pages = %s, price = %s / 4.0, word = 'x' || %s, doc = NULL, state = 'old',
        made = extract(epoch FROM timestamptz '2021-01-01Z') WHERE id = %s""",
        (number, number, number, key),
    )


class Project:
    """A project of the generic template and its database, with all rows."""

    def __init__(self, server: ThrowawayServer, template: str, name: str, change: Change) -> None:
        self.server, self.change = server, change
        self.database = server.create_database(name, template=template)
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        with server.connect(self.database) as connection:
            connection.execute(change.objects or "SELECT 1")
        self.alembic("init", "migrations")
        ini, env = self.root / "alembic.ini", self.root / "migrations" / "env.py"
        url = server.url(name).render_as_string(hide_password=False).replace("%", "%%")
        ini.write_text(
            ini.read_text().replace("driver://user:pass@localhost/dbname", url) + "\n[pgpatterns]\nignore = *\n"
        )
        text = env.read_text().replace("target_metadata = None", "import models\ntarget_metadata = models.metadata")
        plugins = (
            'target_metadata=target_metadata, autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]'
        )
        env.write_text(text.replace("target_metadata=target_metadata", plugins))
        (self.root / "models.py").write_text(HEAD + change.after())
        self.alembic("revision", "--autogenerate", "-m", "types")
        self.files = list((self.root / "migrations" / "versions").glob("*.py"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the program."""
        command = [sys.executable, "-m", "alembic", *arguments]
        environment = {**os.environ, "PGAPPNAME": "alembic"}
        return subprocess.Popen(
            command, cwd=self.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def alembic(self, *arguments: str) -> float:
        """Run the program; how long it took."""
        begun = time.perf_counter()
        process = self.start(*arguments)
        output, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"alembic {' '.join(arguments)}:\n{output}")
        return time.perf_counter() - begun

    def wrong(self) -> int:
        """Number of rows that are not what the ledger says."""
        with self.server.connect(self.database) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            row = connection.execute(_WRONG.replace("{values}", VALUES)).fetchone()
            return int(row[0]) if row else -1

    def catalog(self) -> list[str]:
        """Columns, constraints, indexes, triggers, policies and views, without the order of columns."""
        with self.server.connect(self.database) as connection:
            return [row[0] for row in connection.execute(_CATALOG).fetchall()]

    def close(self) -> None:
        self.server.drop_database(self.database)
        self.folder.cleanup()


_WRONG = """
    WITH present AS (SELECT {values} FROM book)
    SELECT count(*) FROM ((SELECT * FROM present EXCEPT ALL SELECT * FROM ledger.book)
                          UNION ALL (SELECT * FROM ledger.book EXCEPT ALL SELECT * FROM present)) d
"""
_CATALOG = """
    SELECT concat_ws(' ', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attidentity)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm') AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid) FROM pg_index JOIN pg_class c
    ON c.oid = indexrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat_ws(' ', tablename, policyname, qual) FROM pg_policies
    UNION ALL SELECT concat_ws(' ', relname, pg_get_viewdef(oid), relispopulated) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')
    UNION ALL SELECT concat_ws(' ', 'function', oid::regproc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ORDER BY 1
"""


def prepared(server: ThrowawayServer, rows: int, change: Change) -> str:
    """Return the name of a database with the tables, the rows and the ledger, to be copied."""
    partitioned = change.models == PARTITIONED
    kind = ["plain", "virtual", "partitioned"][partitioned * 2 or change.models == VIRTUAL]
    name = f"rows_{kind}_{rows}"
    with server.connect() as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return name
    server.create_database(name)
    with server.connect(name) as connection:
        scope: dict[str, Any] = {}
        exec(HEAD + change.models, scope)
        engine = create_engine(server.url(name))
        scope["metadata"].create_all(engine)
        engine.dispose()
        filled = f"{PARTITIONS};{ROWS}" if partitioned else ROWS + REFERENCES
        for statement in filled.replace("{rows}", str(rows)).split(";"):
            if statement.strip():
                connection.execute(statement.encode())
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE SCHEMA ledger; CREATE TABLE ledger.book AS SELECT {VALUES} FROM book")
        connection.execute(
            "ALTER TABLE ledger.book RENAME extract TO made; CREATE UNIQUE INDEX ON ledger.book (id); ANALYZE"
        )
    return name


def naive(server: ThrowawayServer, template: str, change: Change, rows: int, seconds: float) -> tuple[Load, Load]:
    """The load alone: what the machine and PostgreSQL make anybody wait for. Then beside plain statements."""
    name = server.create_database("naive", template=template)
    views = change.objects == VIEWS
    with server.connect(name) as connection:
        connection.execute(change.objects or "SELECT 1")
        with Load(server, name, rows, views) as alone:
            time.sleep(seconds)
        with Load(server, name, rows, views) as load:
            connection.execute("SET TimeZone = 'UTC'")
            while True:
                # It takes its locks table by table, and the writer the other way round.
                with contextlib.suppress(psycopg.errors.DeadlockDetected), connection.transaction():
                    connection.execute(change.naive)
                    break
    server.drop_database(name)
    return alone, load


ALONE = 12
"""Seconds."""
BACK = 20_000
"""Rows for the ways that are not measured with all rows."""
WAYS = (("upgrade", "head"), ("downgrade", "base"), ("upgrade", "head"))


def staged(
    server: ThrowawayServer, template: str, change: Change, rows: int, ways: Sequence[tuple[str, str]] = WAYS
) -> tuple[list[Load], list[float], str]:
    """The load beside each of the ways, how long each took in seconds, and what was wrong.

    Args:
        server: that has the template.
        template: the database to copy.
        change: what to do.
        rows: of the largest table.
        ways: commands of alembic, of which the second one has to undo the first.
    """
    project = Project(server, template, "staged", change)
    loads, took = [], []
    try:
        states = [project.catalog()]
        for arguments in ways:
            with Load(server, project.database, rows, bool(change.objects == VIEWS)) as load:
                took.append(project.alembic(*arguments))
            loads.append(load)
            states.append(project.catalog())
            if load.errors or project.wrong():
                return loads, took, f"{' '.join(arguments)}: {project.wrong()} wrong rows; {load.errors[:3]}"
            if len(states) > 2 and states[-1] != states[-3]:
                return loads, took, f"{' '.join(arguments)}: {sorted(set(states[-1]) ^ set(states[-3]))}"
        return loads, took, ""
    finally:
        project.close()


_PRODUCTION = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "min_wal_size": "1GB",
    "wal_init_zero": "off",
    "restart_after_crash": "on",
}


@contextlib.contextmanager
def running() -> Iterator[ThrowawayServer]:
    """A server that is set up for production, and starts again after a crash."""
    with throwaway_server(settings=_PRODUCTION) as server:
        yield server


def shown(load: Load) -> str:
    """The longest wait in ms, and how much of one was for a lock."""
    return f"{max(load.longest.values()) * 1000:.0f} ({load.locked * 1000:.0f})"


def measured(server: ThrowawayServer, change: Change, rows: int, ways: Sequence[tuple[str, str]]) -> str:
    """A line of the table."""
    template = prepared(server, rows, change)
    loads, took, wrong = staged(server, template, change, rows, ways)
    if wrong:
        return f"FAILED: {wrong}"
    alone, plain = naive(server, template, change, rows, min(took[0], ALONE))
    longest, locked = (
        f"1/{before / max(after, 0.001):.0f}"
        for before, after in (
            (max(plain.longest.values()), max(loads[0].longest.values())),
            (plain.locked, loads[0].locked),
        )
    )
    if len(ways) < len(WAYS):
        wrong = staged(server, prepared(server, BACK, change), change, BACK)[2]
        if wrong:
            return f"FAILED with {BACK:,} rows: {wrong}"
    waits = "".join(f"{shown(load):>13}" for load in (plain, alone, *loads))
    # Then no change of type can show it: the load alone has longer waits.
    hidden = max(plain.longest.values()) / 50 < max(alone.longest.values())
    return f"{waits} {took[0]:7.1f}s {longest:>7} {locked:>7}{' 1/50 < no change' if hidden else ''}"


def main() -> None:
    """Print a table."""
    rows, part = int((sys.argv[1:] or ["1000000"])[0]), "".join(sys.argv[2:3])
    ways = WAYS[:1] if sys.argv[3:] == ["up"] else WAYS
    print(f"{rows:,} rows; longest wait in ms (for a lock)\n")
    names = ("ALTER TABLE", "no change", "up", "down", "up again")[: 2 + len(ways)]
    print(f"{'change':47}{''.join(f'{name:>13}' for name in names)}  up took   ratio for locks")
    with running() as server:
        for what, change in CHANGES.items():
            if part in what:
                print(f"{what:47}{measured(server, change, rows, ways)}", flush=True)
    print(
        "\nEvery line that is not FAILED: up, down and up again, all rows as the writer's ledger says, the catalog too."
    )


if __name__ == "__main__":
    main()
