"""How long a revision stops readers and writers: the rewriter's chain against what stock autogenerate writes.

One process applies the revisions to a table of a million rows, by ``alembic upgrade head``; two more read and write it
all the time. Printed: the longest time that one read, and one write, had to wait.

    python benchmarks/rewrite_under_load.py [rows] [part of a change's name]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server

HEAD = "from sqlalchemy import *\n\nmetadata = MetaData()\n"
BEFORE = (
    HEAD
    + """
author = Table("author", metadata, Column("id", BigInteger, primary_key=True))
book = Table("book", metadata, Column("id", BigInteger, primary_key=True), Column("title", Text),
    Column("author_id", BigInteger), Column("isbn", Text), Column("pages", Integer))
"""
)
CHANGES = {
    "an index": 'Index("ix_book_title", book.c.title)',
    "a foreign key": 'book.append_constraint(ForeignKeyConstraint(["author_id"], ["author.id"], name="fk_author"))',
    "a column with a foreign key": 'book.append_column(Column("editor_id", ForeignKey("author.id", name="fk_editor")))',
    "NOT NULL": "book.c.pages.nullable = False",
    "a unique constraint": 'book.append_constraint(UniqueConstraint("isbn", name="uq_book_isbn"))',
    "a volatile default": 'book.append_column(Column("token", Uuid, server_default=text("gen_random_uuid()")))',
    "a wider type": "book.c.pages.type = BigInteger()",
}
ROWS = """
    INSERT INTO author SELECT generate_series(1, 1000);
    INSERT INTO book SELECT g, 'title ' || g, 1 + g % 1000, 'isbn' || g, g % 900 FROM generate_series(1, {rows}) g;
    ANALYZE
"""
PLUGIN = ', autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]'


@dataclass
class Load:
    """Reads and writes without a pause, and the longest of each in seconds."""

    server: ThrowawayServer
    database: str
    rows: int

    def __post_init__(self) -> None:
        self.longest = {"read": 0.0, "write": 0.0}
        self.count = {"read": 0, "write": 0}
        self.over = threading.Event()
        reading = "SELECT title FROM book WHERE id = %s"
        writing = "UPDATE book SET title = title WHERE id = %s"
        self.threads = [
            threading.Thread(target=self.run, args=given) for given in (("read", reading), ("write", writing))
        ]

    def run(self, kind: str, statement: str) -> None:
        with self.server.connect(self.database) as connection:
            while not self.over.is_set():
                self.count[kind] += 1
                begun = time.perf_counter()
                connection.execute(statement, (self.count[kind] * 7919 % self.rows + 1,))
                self.longest[kind] = max(self.longest[kind], time.perf_counter() - begun)
                time.sleep(0.001)

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.3)
        self.over.set()
        for thread in self.threads:
            thread.join()


def alembic(root: Path, *arguments: str) -> float:
    """Run the program; how long it took."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "alembic", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"alembic {' '.join(arguments)}:\n{done.stderr}")
    return time.perf_counter() - begun


def project(root: Path, url: str, rewritten: bool) -> None:
    """A project of the generic template."""
    alembic(root, "init", "migrations")
    ini = root / "alembic.ini"
    settings = "\n[pgpatterns]\nignore = *\n"
    ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", url.replace("%", "%%")) + settings)
    env = root / "migrations" / "env.py"
    text = env.read_text().replace("target_metadata = None", "import models\ntarget_metadata = models.metadata")
    env.write_text(
        text.replace("target_metadata=target_metadata", f"target_metadata=target_metadata{PLUGIN * rewritten}")
    )


def measured(server: ThrowawayServer, change: str, rows: int, rewritten: bool) -> tuple[dict[str, float], float, int]:
    """The longest waits, the time of the upgrade, and the number of files."""
    name = server.create_database(f"load_{uuid.uuid4().hex[:8]}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        project(root, server.url(name).render_as_string(hide_password=False), rewritten)
        (root / "models.py").write_text(BEFORE)
        alembic(root, "revision", "--autogenerate", "-m", "before")
        alembic(root, "upgrade", "head")
        with server.connect(name) as connection:
            connection.execute(ROWS.format(rows=rows))
        (root / "models.py").write_text(BEFORE + change + "\n")
        alembic(root, "revision", "--autogenerate", "-m", "after")
        files = len(list((root / "migrations" / "versions").glob("*.py"))) - 1
        with Load(server, name, rows) as load:
            took = alembic(root, "upgrade", "head")
    server.drop_database(name)
    return load.longest, took, files


def main() -> None:
    """Print a table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    print(f"{rows:,} rows; the longest wait of one statement in milliseconds, beside `alembic upgrade head`\n")
    print(f"{'change':30} {'':6} {'read':>8} {'write':>8} {'upgrade':>9} {'files':>6}")
    with throwaway_server() as server:
        for what, change in CHANGES.items():
            if wanted not in what:
                continue
            for rewritten in (False, True):
                longest, took, files = measured(server, change, rows, rewritten)
                label = "rewritten" if rewritten else "stock"
                waits = f"{longest['read'] * 1000:8.0f} {longest['write'] * 1000:8.0f}"
                print(f"{'' if rewritten else what:30} {label:6} {waits} {took:8.1f}s {files:6}", flush=True)


if __name__ == "__main__":
    main()
