"""squawk (SQL) and zdm (Alembic files) on the revisions that our pages call bad and good, and on known false alarms.

    python benchmarks/other_linters.py FOLDER_WITH_THE_TWO_PROGRAMS

squawk gets what `alembic upgrade --sql` prints, zdm the revision's file. That our own patterns fire on each bad one
and on none of the good ones is what tests/checks/test_examples.py runs; this shows the others beside them.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from alembic_pgpatterns.patterns import RevisionPattern, registry
from tests import projects

HEADER = 'from alembic import op\nimport sqlalchemy as sa\n\nrevision = "r1"\ndown_revision = "r0"\n\n\n'
BACK = "\n\ndef downgrade():\n    raise NotImplementedError\n"
BOOK = "CREATE TABLE book (id bigint PRIMARY KEY, title varchar(50), at timestamp);"
TIMEOUT = "op.execute(\"SET LOCAL lock_timeout = '5s'\")\n    "
HARMLESS = {
    "index on a table of the same revision": 'op.execute("CREATE TABLE new (id bigint PRIMARY KEY, n int)")\n'
    '    op.create_index("ix", "new", ["n"])',
    "varchar(50) to text": TIMEOUT + 'op.alter_column("book", "title", type_=sa.Text())',
    "timestamp to timestamptz in UTC": TIMEOUT + 'op.alter_column("book", "at", type_=sa.DateTime(timezone=True))',
    "default now()": TIMEOUT + 'op.add_column("book", sa.Column("c", sa.DateTime(), server_default=sa.func.now()))',
    "NOT NULL with a constant": TIMEOUT
    + 'op.add_column("book", sa.Column("c", sa.Text(), nullable=False, server_default="x"))',
}


def written(folder: Path, existing: str, body: str) -> projects.Project:
    project = projects.make(folder)
    project.sql("r0", inspect.cleandoc(existing))
    source = textwrap.dedent(body).strip() + "\n"
    project.write("migrations/versions/r1.py", HEADER + source + ("" if "def downgrade" in source else BACK))
    return project


def squawk(program: Path, project: projects.Project) -> str:
    sql = project.alembic("upgrade", "r0:r1", "--sql")
    if sql.returncode:
        return "(no SQL offline)"
    path = project.write("r1.sql", "\n".join(line for line in sql.stdout.splitlines() if "alembic_version" not in line))
    done = subprocess.run([program, "--reporter", "json", path], capture_output=True, text=True, check=False)
    return ", ".join(sorted({item["rule_name"] for item in json.loads(done.stdout or "[]")})) or "-"


def zdm(program: Path, project: projects.Project) -> str:
    path = project.versions / "r1.py"
    done = subprocess.run(
        [program, "--output-format", "compact", path], capture_output=True, text=True, check=False, cwd=project.folder
    )
    return ", ".join(sorted(set(re.findall(r"\b[A-Z]{1,4}\d{2,4}\b", done.stdout)))) or "-"


def main() -> None:
    folder = Path(sys.argv[1])
    rows = []
    for pattern in registry().values():
        if issubclass(pattern, RevisionPattern):
            rows.append((f"{pattern.name}: bad", pattern.existing, pattern.bad))
            rows.append((f"{pattern.name}: good", pattern.existing, pattern.good))
    rows += [(name, BOOK, f"def upgrade():\n    {body}") for name, body in HARMLESS.items()]
    for name, existing, body in rows:
        with tempfile.TemporaryDirectory() as scratch:
            project = written(Path(scratch), existing, body)
            print(name)
            print(f"    squawk  {squawk(folder / 'squawk', project)}")
            print(f"    zdm     {zdm(folder / 'zdm', project)}")


if __name__ == "__main__":
    main()
