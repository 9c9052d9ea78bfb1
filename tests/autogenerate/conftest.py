"""An Alembic project on disk, run in this process, and the schema that a database has."""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import CommandLine, Config

from tests import warm
from tests.autogenerate import catalog_snapshot

PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]'
REWRITER = "process_revision_directives=__import__('alembic_pgpatterns').rewriter"
HEAD = """
from sqlalchemy import *
from sqlalchemy.dialects import postgresql

metadata = MetaData()
"""


class AlembicProject:
    """``alembic init`` of a template, with two lines changed: target_metadata and the plugin."""

    def __init__(
        self, root: Path, database, template: str = "generic", driver: str = "psycopg", way: str = PLUGIN
    ) -> None:
        self.root = root
        self.database = database
        self.template = template
        self.url = database.url.set(drivername=f"postgresql+{driver}").render_as_string(hide_password=False)
        self.ini = root / "alembic.ini"
        self.output = ""
        command.init(Config(str(self.ini), toml_file=str(root / "pyproject.toml")), str(root / "migrations"), template)
        self.replace(self.ini, "driver://user:pass@localhost/dbname\n", self.url.replace("%", "%%") + "\n")
        if template == "multidb":
            return
        self.env("target_metadata = None", "import models\ntarget_metadata = models.metadata")
        if way:
            self.configure(way)

    def without_patterns(self) -> AlembicProject:
        """Turn every pattern off, so that the rewriter gets the models as they are written."""
        with self.ini.open("a") as file:
            file.write("\n[pgpatterns]\nignore = *\n")
        return self

    def env(self, old: str, new: str) -> None:
        """Change env.py."""
        self.replace(self.root / "migrations" / "env.py", old, new)

    def configure(self, argument: str) -> None:
        """Give context.configure() one more argument."""
        self.env("target_metadata=target_metadata", f"target_metadata=target_metadata, {argument}")

    @staticmethod
    def replace(path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text, f"{old!r} is not in {path.name}"
        path.write_text(text.replace(old, new))

    def models(self, code: str) -> None:
        """Write models.py; ``metadata`` is there already."""
        (self.root / "models.py").write_text(HEAD + textwrap.dedent(code))
        # Python takes a compiled file for that of a source with the same size and second.
        shutil.rmtree(self.root / "__pycache__", ignore_errors=True)

    def alembic(self, *arguments: str) -> str:
        """Run the command line; its output."""
        sys.modules.pop("models", None)
        sys.path.insert(0, str(self.root))
        stream, toml = io.StringIO(), self.root / "pyproject.toml"
        line = CommandLine()
        options = line.parser.parse_args(["-c", str(self.ini), *arguments])
        config = Config(str(self.ini), toml_file=str(toml), stdout=stream, output_buffer=stream, cmd_opts=options)
        try:
            line.run_cmd(config, options)
        except SystemExit as end:
            raise AssertionError(f"alembic {' '.join(arguments)} exited: {stream.getvalue()}") from end
        finally:
            sys.path.remove(str(self.root))
            sys.modules.pop("models", None)
            self.output = stream.getvalue()
        return self.output

    def outside(self, *arguments: str) -> str:
        """The same in a process of its own."""
        done = warm.run(["-c", str(self.ini), *arguments], self.root, os.environ, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def revise(self, message: str = "change", *more: str) -> list[str]:
        """Autogenerate a revision; the texts of its files, in order of their chain."""
        before = set(self.versions())
        self.alembic("revision", "--autogenerate", "-m", message, *more)
        new = [path for path in self.versions() if path not in before]
        return [path.read_text() for path in sorted(new, key=lambda path: path.stat().st_mtime_ns)]

    def versions(self) -> list[Path]:
        return sorted((self.root / "migrations" / "versions").rglob("*.py"))

    def clean(self) -> bool:
        """Whether ``alembic check`` finds nothing."""
        return "No new upgrade operations detected" in self.alembic("check")

    def snapshot(self) -> dict[str, list[tuple]]:
        with self.database.connect() as connection:
            return catalog_snapshot.tables(connection)


@pytest.fixture
def make_project(tmp_path: Path, new_database) -> Callable[..., AlembicProject]:
    """A function that makes one more project, with a database of its own."""
    made: list[AlembicProject] = []

    def make(template: str = "generic", driver: str = "psycopg", way: str = PLUGIN, database=None) -> AlembicProject:
        root = tmp_path / f"project{len(made)}"
        root.mkdir()
        made.append(AlembicProject(root, database or new_database(), template, driver, way))
        return made[-1]

    return make


@pytest.fixture
def project(make_project: Callable[..., AlembicProject]) -> AlembicProject:
    """A project of the generic template on PostgreSQL 18."""
    return make_project()
