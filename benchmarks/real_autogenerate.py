"""Adoption on a real project: langflow, with its 162 revisions and years of debt.

Its migration environment is copied, and what is there is accepted by a baseline. Then autogenerate must find nothing,
and a new table must come out as the patterns want it.

    python benchmarks/real_autogenerate.py PYTHON

PYTHON is an interpreter that has langflow-base and this package.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PACKAGE = "langflow.alembic"
INI = """
[alembic]
script_location = %(here)s/migrations
sqlalchemy.url = postgresql+psycopg://nobody:wrong@pgpatterns.invalid/langflow
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(message)s
"""
PLUGIN = '"include_name": include_name, "autogenerate_plugins": ["alembic.autogenerate.*", "alembic_pgpatterns"],'
TABLE = """
from sqlalchemy import Column, DateTime, ForeignKey, Integer, String, Table

if "pgpatterns_review" not in SQLModel.metadata.tables:
    Table(
        "pgpatterns_review",
        SQLModel.metadata,
        Column("id", Integer, primary_key=True),
        Column("flow_id", ForeignKey("flow.id"), nullable=False),
        Column("title", String(255)),
        Column("written", DateTime),
    )
"""
EXPECTED = (
    "create_table('pgpatterns_review'",
    "sa.Column('id', sa.BigInteger()",
    "sa.Column('title', sa.Text()",
    "'ix_pgpatterns_review_flow_id'",
    "# pgpatterns: suggests timestamp-without-time-zone: public.pgpatterns_review.written",
)


def main(python: str) -> int:
    """Go through the adoption, and print what came out."""
    with tempfile.TemporaryDirectory(prefix="pgpatterns-real-") as name:
        return adopt(Path(name), python)


def adopt(root: Path, python: str) -> int:
    """The steps of somebody who begins with the plugin."""
    source = run(python, root, "-c", f"import {PACKAGE} as m; print(m.__path__[0])").split()[-1]
    migrations = root / "migrations"
    shutil.copytree(source, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    env = migrations / "env.py"
    env.write_text(env.read_text().replace('"include_name": include_name,', PLUGIN))
    (root / "alembic.ini").write_text(INI)
    if not (migrations / "script.py.mako").exists():
        templates = run(python, root, "-c", "import alembic; print(alembic.__path__[0])").strip()
        shutil.copy(f"{templates}/templates/generic/script.py.mako", migrations)

    print(run(python, root, "-m", "alembic", "pgcheck", "--write-baseline").strip())
    nothing = revised(python, root, "nothing")
    print("autogenerate after the baseline:", "empty" if is_empty(nothing) else nothing)
    text = env.read_text()
    env.write_text(text.replace("\ntarget_metadata = ", f"{TABLE}\ntarget_metadata = ", 1))
    written = revised(python, root, "review")
    print(written)
    missing = [part for part in EXPECTED if part not in written]
    print("missing:", missing or "nothing")
    return 1 if missing or not is_empty(nothing) else 0


def revised(python: str, root: Path, message: str) -> str:
    """The text of the revision that ``alembic pgrevision`` writes."""
    began = time.perf_counter()
    print(run(python, root, "-m", "alembic", "pgrevision", "-m", message).strip())
    print(f"({time.perf_counter() - began:.1f} s)")
    (path,) = (root / "migrations/versions").glob(f"*_{message}.py")
    return path.read_text()


def is_empty(text: str) -> bool:
    """Whether a revision does nothing."""
    return "please adjust! ###\n    pass\n" in text.partition("def downgrade")[0]


def run(python: str, root: Path, *arguments: str) -> str:
    """The output of a program that ends well."""
    done = subprocess.run([python, *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
