"""Small projects whose revisions are rehearsed, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from alembic.config import Config

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.rehearsal.model import Rehearsal
from alembic_pgpatterns.rehearsal.options import Options
from alembic_pgpatterns.rehearsal.rehearse import rehearse
from alembic_pgpatterns.rehearsal.server import rehearsal_server
from alembic_pgpatterns.rehearsal.verdict import rehearsal_of
from alembic_pgpatterns.server.protocol import Server

ENV = """
from alembic import context
from sqlalchemy import create_engine, pool

URL = "postgresql+psycopg://nobody@db.example.invalid/app"

with create_engine(URL, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
NAMES = ("second", "third", "fourth", "fifth", "sixth", "seventh")
HEAD = "import sqlalchemy as sa\nimport time\nfrom alembic import op\n"


class Quiet:
    """Progress that nobody looks at."""

    def say(self, what: str) -> None:
        """Nothing."""

    def step(self, done: int, total: int, revision: str) -> None:
        """Nothing."""

    def running(self, revision: str) -> None:
        """Nothing."""


def write_revision(folder: Path, name: str, parent: str | None, source: str) -> None:
    text = f"{HEAD}\nrevision = {name!r}\ndown_revision = {parent!r}\n\n{dedent(source).strip()}\n"
    if "def downgrade" not in text:
        text += "\n\ndef downgrade():\n    pass\n"
    (folder / "versions" / f"{name}.py").write_text(text, encoding="utf-8")


Rehearse = Callable[..., Rehearsal]


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """The server of all rehearsals of this session: to start one each time would take longer than what it does."""
    with rehearsal_server(Settings()) as server:
        yield server


@pytest.fixture
def rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_server: Server) -> Rehearse:
    """A function: SQL of the tables there are, sources of revisions' functions, options; gives the result.

    The revisions are named second, third and so on; each follows the one before.
    """

    @contextmanager
    def same_server(settings: Settings, disk: int) -> Iterator[Server]:
        yield shared_server

    monkeypatch.setattr("alembic_pgpatterns.rehearsal.rehearse.rehearsal_server", same_server)

    def run(existing: str, *sources: str, settings: dict[str, object] | None = None, **options: Any) -> Rehearsal:
        folder = tmp_path / "migrations"
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(ENV, encoding="utf-8")
        start = f"def upgrade():\n    op.execute('''\n{indent(dedent(existing), '    ')}    ''')"
        write_revision(folder, "start", None, start)
        names = NAMES[: len(sources)]
        for parent, name, source in zip(("start", *names), names, sources, strict=False):
            write_revision(folder, name, parent, source)
        (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n", encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        config = Config(str(tmp_path / "alembic.ini"))
        given = settings_of(config, settings or {})
        asked = Options(**{"rows": 4000, "revisions": names, **options})
        with Project(config, given) as project:
            return rehearsal_of(rehearse(project, given, asked, Quiet()), given)

    return run
