"""Tiny Alembic projects for tests, as a user would have them on disk."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from importlib.util import cache_from_source
from pathlib import Path

from tests import warm

ENV = """
from alembic import context
from sqlalchemy import engine_from_config, pool
{models}
config = context.config
{head}

def run_offline():
    context.configure(url="postgresql+psycopg://", target_metadata=target_metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online():
    engine = {engine}
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata, {options})
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
"""
ENGINE = (
    'engine_from_config(config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool)'
)
NO_MODELS = "target_metadata = None\n"
INI = """
[alembic]
script_location = %(here)s/migrations
sqlalchemy.url = {url}
"""
REVISION = '''
"""{identifier}"""
from alembic import op
import sqlalchemy as sa

revision = {identifier!r}
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''
MAKO = '''"""${message}"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''

BOOKS_AND_AUTHORS = """
from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))
    title: Mapped[str | None] = mapped_column(String(255))
"""


@dataclass
class Project:
    """A project on disk, and the ``alembic`` program run in it."""

    folder: Path
    files: list[Path] = field(default_factory=list)

    @property
    def versions(self) -> Path:
        return self.folder / "migrations/versions"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.suffix == ".py":
            # Python takes old bytecode for that of a file as long, written within the same second.
            Path(cache_from_source(path)).unlink(missing_ok=True)
        return path

    def env(self, models: str = NO_MODELS, head: str = "", engine: str = ENGINE, options: str = "") -> None:
        filled = ENV.format(models=textwrap.dedent(models), head=textwrap.dedent(head), engine=engine, options=options)
        self.write("migrations/env.py", filled)

    def revision(
        self, identifier: str, upgrade: str = "pass", down: str | None = None, downgrade: str = "pass"
    ) -> Path:
        body = {
            "upgrade": textwrap.indent(textwrap.dedent(upgrade).strip(), "    "),
            "downgrade": textwrap.indent(textwrap.dedent(downgrade).strip(), "    "),
        }
        text = REVISION.format(identifier=identifier, down=down, **body)
        return self.write(f"migrations/versions/{identifier}.py", text.lstrip())

    def sql(self, identifier: str, script: str, down: str | None = None) -> Path:
        """A revision that runs SQL."""
        return self.revision(identifier, f"op.execute(sa.text({script.replace(':', chr(92) + ':')!r}))", down)

    def alembic(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the stock program; nothing of it is asserted here."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}"
        # Programs that a test names (python, ruff) are those beside the running one, activated or not.
        given = {**os.environ, "NO_COLOR": "1", "PATH": programs + os.environ["PATH"], **environment}
        return warm.run(arguments, self.folder, given, timeout=600)


def make(folder: Path, url: str = "postgresql+psycopg://nobody:secret@db.example.invalid/shop") -> Project:
    """A project with alembic.ini, env.py without models, and no revision."""
    project = Project(folder)
    project.write("alembic.ini", INI.format(url=url.replace("%", "%%")))
    project.write("migrations/script.py.mako", MAKO)
    project.versions.mkdir(parents=True, exist_ok=True)
    project.env()
    return project
