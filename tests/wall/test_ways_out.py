"""Small projects that reach for production in every way, in every place of a project's code, by every command."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.fences import seccomp
from tests.examples import mostly_long
from tests.wall import ways
from tests.wall.production import Production, production

COUNT = 31
"""How many ways `ways.SOURCE` has; each place tries them all."""

ENV = """
{top}
from alembic import context
from sqlalchemy import create_engine, pool
from app.models import Base

with create_engine("{url}", poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
{top}
revision = "a1"
down_revision = None


def upgrade():
    op.create_table("book", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("title", sa.String(255)))
    {upgrade}


def downgrade():
    op.drop_table("book")
    {downgrade}
"""
MODELS = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, mapped_column
{models}

class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id = mapped_column(sa.BigInteger, primary_key=True)
    title = mapped_column(sa.String(255))
"""
GO = "import app.ways; app.ways.go()"
LATER = "import app.ways, threading, time; threading.Thread(target=lambda: (time.sleep(0.3), app.ways.go())).start()"
PLACES: dict[str, dict[str, str]] = {
    "env.py": {"top": GO},
    "a revision's import": {"revision": GO},
    "an upgrade": {"upgrade": "import app.ways; app.ways.go(slow=True)"},
    "a downgrade": {"downgrade": GO},
    "the models' import": {"models": GO},
    "a thread of the models": {"models": LATER},
    "at exit": {"models": "import app.ways, atexit; atexit.register(app.ways.go)"},
    "a listener of an engine": {
        "top": "import app.ways, sqlalchemy\n"
        "sqlalchemy.event.listen(sqlalchemy.engine.Engine, 'first_connect', lambda *a: app.ways.go())"
    },
}


@pytest.fixture(scope="module")
def target() -> Iterator[Production]:
    with production() as server:
        yield server


def make(folder: Path, target: Production, place: dict[str, str]) -> None:
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").touch()
    (folder / "app" / "ways.py").write_text(ways.SOURCE.format(port=target.port, folder=str(target.folder)))
    (folder / "app" / "models.py").write_text(MODELS.format(models=place.get("models", "")))
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = migrations\nprepend_sys_path = .\n")
    url = target.url.replace("postgresql:", "postgresql+psycopg:")
    (folder / "migrations" / "env.py").write_text(ENV.format(url=url, top=place.get("top", "")))
    template = '"""${message}"""\nrevision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n'
    template += "from alembic import op\nimport sqlalchemy as sa\n${imports if imports else ''}\n"
    template += "def upgrade():\n    ${upgrades if upgrades else 'pass'}\n"
    template += "def downgrade():\n    ${downgrades if downgrades else 'pass'}\n"
    (folder / "migrations" / "script.py.mako").write_text(template)
    parts = {name: place.get(name, "pass") for name in ("upgrade", "downgrade")}
    (versions / "a1.py").write_text(REVISION.format(top=place.get("revision", ""), **parts))


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *command],
        cwd=folder,
        env={**os.environ, "CI": "", "GIT_CEILING_DIRECTORIES": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


needs_gate = pytest.mark.skipif(
    not seccomp.available(), reason="the kernel has no seccomp with user notification (Linux 5.5, x86-64 or ARM64)"
)


@pytest.mark.sample(4)
@needs_gate
@pytest.mark.parametrize("place", mostly_long(PLACES, "an upgrade", "the models' import"))
def test_no_way_leads_out_of_pgcheck(place: str, target: Production, tmp_path: Path) -> None:
    make(tmp_path, target, PLACES[place])
    before = target.by_way
    result = run(tmp_path, "pgcheck", "--exit-zero", "--no-cache", **target.environment)
    assert target.by_way == before, result.stderr
    assert result.returncode == 0, result.stderr
    if place not in ("at exit", "a thread of the models"):
        # What is still to come ends with the process; all else has run to its end.
        assert set((tmp_path / "tried").read_text().split()) == {str(COUNT)}, result.stderr


@pytest.mark.long
@needs_gate
@pytest.mark.parametrize(
    "command",
    mostly_long(
        ["pgcheck --exit-zero --create-all", "pgrevision -m next", "pgfix --all", "pgcheck --exit-zero --format json"],
        "pgrevision -m next",
    ),
)
def test_no_way_leads_out_of_another_command(command: str, target: Production, tmp_path: Path) -> None:
    make(tmp_path, target, {"models": GO, "upgrade": GO})
    before = target.by_way
    variables = {**target.environment, "PGHOST": str(target.folder), "PGHOSTADDR": "127.0.0.1"}
    result = run(tmp_path, *command.split(), **variables)
    assert target.by_way == before, result.stderr
    assert "internal error" not in result.stderr
    assert (tmp_path / "tried").exists(), result.stderr


SHELLS: dict[str, dict[str, str]] = {
    "an address": {"PGHOSTADDR": "127.0.0.1", "PGREQUIREAUTH": "scram-sha-256", "PGCHANNELBINDING": "require"},
    "a socket": {"PGHOST": "FOLDER", "PGREQUIREPEER": "somebody", "PGTARGETSESSIONATTRS": "standby"},
    "a service": {"PGSERVICE": "prod", "PGSERVICEFILE": "services.conf", "PGCLIENTENCODING": "LATIN1"},
    "a service's folder": {
        "PGSERVICE": "prod",
        "PGSYSCONFDIR": ".",
        "PGOPTIONS": "-c statement_timeout=60s",
    },
    "TLS": {
        "PGSSLNEGOTIATION": "direct",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/nonexistent",
        "PGSSLCERT": "/nonexistent",
        "PGSSLCERTMODE": "require",
        "PGGSSENCMODE": "require",
    },
    "nonsense": {"PGPORT": "x", "PGLOADBALANCEHOSTS": "z", "PGMINPROTOCOLVERSION": "9"},
}


@pytest.mark.long
@pytest.mark.sample(4)
@pytest.mark.parametrize("shell", mostly_long(SHELLS, "an address", "TLS"))
def test_the_variables_of_a_shell_mean_nothing(shell: str, target: Production, tmp_path: Path) -> None:
    make(tmp_path, target, {})
    service = f"[prod]\nhost=127.0.0.1\nport={target.port}\nuser=u\npassword=p\ndbname=d\n"
    for name in ("services.conf", "pg_service.conf"):
        (tmp_path / name).write_text(service)
    before = target.by_way
    variables = {name: value.replace("FOLDER", str(target.folder)) for name, value in SHELLS[shell].items()}
    result = run(tmp_path, "pgcheck", "--exit-zero", **{**target.environment, **variables})
    assert target.by_way == before, result.stderr
    assert (result.returncode, "1 revision, 1 table" in result.stdout) == (0, True), result.stderr


STATEMENTS = """
for sql in (
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE SERVER prod FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port 'PORT', dbname 'd')",
    "CREATE USER MAPPING FOR CURRENT_USER SERVER prod OPTIONS (user 'u', password 'p')",
    "CREATE FOREIGN TABLE far (id int) SERVER prod",
):
    op.execute(sql)
for sql in (
    "INSERT INTO far VALUES (1)",
    "SELECT * FROM far",
    "IMPORT FOREIGN SCHEMA public FROM SERVER prod INTO public",
    "SELECT dblink_connect('host=127.0.0.1 port=PORT user=u password=p')",
    "SELECT dblink_connect('hostaddr=127.0.0.1 port=PORT user=u password=p')",
    "SELECT dblink_connect('host=FOLDER port=PORT user=u password=p')",
    "SELECT dblink_exec('host=127.0.0.1 port=PORT user=u password=p', 'DELETE FROM t')",
    "COPY book TO PROGRAM 'bash -c \\"exec 3<>/dev/tcp/127.0.0.1/PORT\\"'",
):
    try:
        with op.get_bind().begin_nested():
            op.execute(sa.text(sql))
    except sa.exc.DBAPIError:
        pass
with op.get_context().autocommit_block():
    op.execute("CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=PORT user=u password=p dbname=d' PUBLICATION p")
    op.execute("ALTER SUBSCRIPTION s ENABLE")
    op.execute("ALTER SUBSCRIPTION s REFRESH PUBLICATION")
"""


@pytest.mark.long
def test_no_statement_makes_the_server_go_out(target: Production, tmp_path: Path) -> None:
    """And a revision with a subscription is checked like any other, up and down."""
    statements = STATEMENTS.replace("PORT", str(target.port)).replace("FOLDER", str(target.folder))
    place = {"upgrade": textwrap.indent(statements, "    ").lstrip(), "downgrade": ""}
    place["downgrade"] = textwrap.indent(
        "op.execute('DROP SUBSCRIPTION s')\nop.execute('DROP SERVER prod CASCADE')\n"
        "op.execute('DROP EXTENSION dblink')\nop.execute('DROP EXTENSION postgres_fdw')",
        "    ",
    ).lstrip()
    make(tmp_path, target, place)
    before = target.by_way
    result = run(tmp_path, "pgcheck", "--exit-zero", "--no-cache", **target.environment)
    assert target.by_way == before
    assert (result.returncode, "1 revision, " in result.stdout) == (0, True), result.stderr


def test_a_subscription_inside_of_a_transaction_is_told(target: Production, tmp_path: Path) -> None:
    sql = "CREATE SUBSCRIPTION s CONNECTION 'host=prod.invalid dbname=d' PUBLICATION p"
    make(tmp_path, target, {"upgrade": f'op.execute("{sql}")'})
    result = run(tmp_path, "pgcheck", "--no-cache", **target.environment)
    assert result.returncode == 255
    assert "migrations/versions/a1.py" in result.stderr and "autocommit block" in result.stderr


@needs_gate
def test_what_is_refused_is_said_with_its_line_and_the_setting_opens_it(target: Production, tmp_path: Path) -> None:
    connect = f"import socket\nsocket.create_connection(('127.0.0.1', {target.port}), 3).close()"
    make(tmp_path, target, {"top": f"try:\n    {connect}\nexcept OSError: pass".replace("\nsocket", "\n    socket")})
    before = target.by_way
    result = run(tmp_path, "pgcheck", "--exit-zero", "--no-cache", **target.environment)
    assert target.by_way == before
    assert f"migrations/env.py:4: a connection to 127.0.0.1:{target.port} was refused" in result.stderr
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.alembic_pgpatterns]\nallow_connect = ["localhost:{target.port}"]\n'
    )
    result = run(tmp_path, "pgcheck", "--exit-zero", "--no-cache", **target.environment)
    assert target.by_way["tcp"] > before["tcp"], result.stderr
    assert "was refused" not in result.stderr


def test_the_settings_show_the_fences(target: Production, tmp_path: Path) -> None:
    make(tmp_path, target, {})
    result = run(tmp_path, "pgcheck", "--show-settings")
    for name in ("redirect", "libpq", "audit", "gate", "landlock", "server"):
        assert f"fence {name}: " in result.stdout


@pytest.mark.long
@needs_gate
def test_an_upgrade_command_is_fenced_too(target: Production, tmp_path: Path) -> None:
    make(tmp_path, target, {})
    command = (
        f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{target.port}'; {sys.executable} -m app.ways; {sys.executable} up.py"
    )
    up = "import os\nos.environ['PGHOST']\nfrom alembic.config import main\nmain(['upgrade', 'head'])\n"
    (tmp_path / "up.py").write_text(up)
    env = (tmp_path / "migrations" / "env.py").read_text()
    url = target.url.replace("postgresql:", "postgresql+psycopg:")
    (tmp_path / "migrations" / "env.py").write_text(env.replace(f'"{url}"', "__import__('os').environ['APP_URL']"))
    settings = f'[tool.alembic_pgpatterns]\nupgrade_command = """{command}"""\n'
    settings += 'env = { APP_URL = "postgresql+psycopg://{user}@/{database}?host={host}&port={port}" }\n'
    (tmp_path / "pyproject.toml").write_text(settings)
    ways_file = tmp_path / "app" / "ways.py"
    ways_file.write_text(ways_file.read_text() + "\nif __name__ == '__main__':\n    go()\n")
    before = target.by_way
    result = run(tmp_path, "pgcheck", "--exit-zero", "--no-cache", **target.environment)
    assert target.by_way == before, result.stderr
    assert result.returncode == 0 and (tmp_path / "tried").exists(), result.stderr
