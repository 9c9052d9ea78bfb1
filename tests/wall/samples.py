"""Small projects beside a production server that they reach for: where a kind stands, and the files around it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.projects import Project, make
from tests.wall import kinds_of_drivers, kinds_of_python, kinds_of_sql
from tests.wall.production import Production

# HERE is the project and not the folder of this module: pgrevision works in a copy, and hooks run there.
REACH = """
import os, socket, sys
PORT, FOLDER = {port}, {folder!r}
PATH = f"{{FOLDER}}/.s.PGSQL.{{PORT}}"
TCP = f"host=127.0.0.1 port={{PORT}} user=u password=p dbname=d connect_timeout=3"
UNIX = f"host={{FOLDER}} port={{PORT}} user=u password=p dbname=d connect_timeout=3"
URL = f"postgresql://u:p@127.0.0.1:{{PORT}}/d"
HERE = {home!r}


def tcp():
    socket.create_connection(("127.0.0.1", PORT), 3).close()


def unix():
    with socket.socket(socket.AF_UNIX) as out:
        out.connect(PATH)


def quiet(what, *arguments):
    try:
        what(*arguments)
    except (Exception, SystemExit):
        pass


def tried(name):
    with open(os.path.join(HERE, "tried"), "a") as file:
        file.write(f"{{name}}\\n")
"""
IMPORT = "from reach import FOLDER, PATH, PORT, TCP, UNIX, URL, quiet, tcp, tried, unix\n"
MODELS = """
{code}
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, mapped_column


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id = mapped_column(sa.BigInteger, primary_key=True)
    title = mapped_column(sa.String(255))
    note = mapped_column(sa.Text)
"""
TABLE = 'op.create_table("book", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("title", sa.String(255)))'
SQL = """
def run(statement):
    try:
        with op.get_bind().begin_nested():
            op.execute(sa.text(statement.replace(":", chr(92) + ":")))
    except sa.exc.DBAPIError as error:
        print(error)
for statement in STATEMENTS:
    run(statement)
"""
OUTSIDE = """
with op.get_context().autocommit_block():
    for statement in STATEMENTS:
        try:
            op.execute(sa.text(statement.replace(":", chr(92) + ":")))
        except sa.exc.DBAPIError as error:
            print(error)
"""


@dataclass(frozen=True)
class Sample:
    """``models``: code when they are imported; ``upgrade``: in the revision. ``files``: others, by name.

    ``command``: the one that runs it.
    """

    models: str = ""
    upgrade: str = ""
    env: str = ""
    files: dict[str, str] = field(default_factory=dict)
    command: str = "pgcheck"


def all_samples() -> dict[str, Sample]:
    """Every kind, by a name that says what it does and where."""
    several = (_of_python(), _of_programs(), _of_sql(), _of_files(), _of_drivers())
    return {name: sample for samples in several for name, sample in samples}


def _of_python() -> Iterator[tuple[str, Sample]]:
    for name, code in kinds_of_python.AT_IMPORT.items():
        yield f"at import: {name}", Sample(models=f"{IMPORT}tried('x')\n{code}")
    for name, code in kinds_of_python.WAYS.items():
        body = f"{IMPORT}def way():\n{textwrap.indent(code, '    ')}\ntried('x')\nquiet(way)"
        yield f"in a revision: {name}", Sample(upgrade=body)


def _of_drivers() -> Iterator[tuple[str, Sample]]:
    for name, (place, code) in kinds_of_drivers.KINDS.items():
        if place in ("sql", "autocommit"):
            run = f"{IMPORT}tried('x')\n{OUTSIDE if place == 'autocommit' else SQL}"
            yield f"more: {name}", Sample(upgrade=run, files={"statements": code})
        elif place == "upgrade":
            body = f"{IMPORT}def way():\n{textwrap.indent(code, '    ')}\ntried('x')\nquiet(way)"
            yield f"more: {name}", Sample(upgrade=body)
        else:
            yield f"more: {name}", Sample(**{place: f"{IMPORT}tried('x')\n{code}"})


def _of_programs() -> Iterator[tuple[str, Sample]]:
    for number, (name, code) in enumerate(kinds_of_python.PROGRAMS.items()):
        # Each by another of Python's ways to start a program.
        command = f"command = COMMAND\n{STARTS[number % len(STARTS)]}"
        files = {"command": code}
        yield f"a program: {name}", Sample(upgrade=f"{IMPORT}import os\ntried('x')\n{command}", files=files)


STARTS = (
    "import subprocess\nsubprocess.run(['bash', '-c', command], timeout=20)",
    "import subprocess\nsubprocess.run(['bash', '-c', command], timeout=20, env={**os.environ})",
    "os.waitpid(os.posix_spawnp('bash', ['bash', '-c', command], os.environ), 0)",
    "os.spawnlp(os.P_WAIT, 'bash', 'bash', '-c', command)",
    "if os.fork() == 0:\n    os.execvp('bash', ['bash', '-c', command])\nos.wait()",
    "open('go.sh', 'w').write(command)\nos.system('bash go.sh')",
    "open('go.sh', 'w').write(command)\nos.popen('bash go.sh').read()",
)


def _of_sql() -> Iterator[tuple[str, Sample]]:
    for name, text in kinds_of_sql.KINDS.items():
        outside, text = text.startswith("AUTOCOMMIT "), text.removeprefix("AUTOCOMMIT ")
        code = f"{IMPORT}tried('x')\n{OUTSIDE if outside else SQL}"
        yield f"the server: {name}", Sample(upgrade=code, files={"statements": text})


def _of_files() -> Iterator[tuple[str, Sample]]:
    config = (
        "[loggers]\nkeys=root\n[handlers]\nkeys=far\n[formatters]\nkeys=\n[logger_root]\nhandlers=far\nlevel=DEBUG\n"
    )
    config += "[handler_far]\nclass=handlers.SocketHandler\nargs=('127.0.0.1', <PORT>)\n"
    env = "import logging, logging.config\nlogging.config.fileConfig('logging.ini')\nlogging.error('x')"
    yield "files: a configuration of logging", Sample(env=f"{IMPORT}tried('x')\n{env}", files={"logging.ini": config})
    template = "<% import reach; reach.tried('x'); reach.quiet(reach.tcp) %>"
    yield "files: a template of revisions", Sample(files={"template": template}, command="pgrevision")
    hook = "import reach\nreach.tried('x')\nreach.quiet(reach.tcp)\nreach.quiet(reach.unix)\n"
    yield "files: a hook after writing", Sample(files={"hook.py": hook}, command="pgrevision")
    yield "files: a package of migrations", Sample(files={"package": f"{IMPORT}tried('x')\nquiet(tcp)\n"})
    dblink = f"{kinds_of_sql.DBLINK}SELECT dblink_connect('<TCP>')".replace(";;", ";\n")
    yield "files: SQL before the first revision", Sample(files={"prepare.sql": dblink})


def write(folder: Path, sample: Sample, target: Production) -> Project:
    """A project of one revision and one model, with the sample's code in its place."""
    project = make(folder, target.url.replace("postgresql:", "postgresql+psycopg:"))
    project.write("reach.py", REACH.format(port=target.port, folder=str(target.folder), home=str(folder)))
    project.write("shop.py", MODELS.format(code=sample.models))
    project.write("services.conf", f"[prod]\nhost=127.0.0.1\nport={target.port}\nuser=u\npassword=p\ndbname=d\n")
    project.write("pg_service.conf", (folder / "services.conf").read_text())
    project.write("passwords", f"127.0.0.1:{target.port}:*:u:secret-of-production\n").chmod(0o600)
    (folder / "alembic.ini").write_text((folder / "alembic.ini").read_text() + "prepend_sys_path = .\n")
    project.env("from shop import Base\ntarget_metadata = Base.metadata", head=sample.env)
    upgrade = sample.upgrade
    if "statements" in sample.files:
        statements = _filled(sample.files["statements"], target).replace("<HERE>", str(folder)).split(";;")
        upgrade = f"STATEMENTS = {json.dumps(statements)}\n{upgrade}"
    if "command" in sample.files:
        upgrade = upgrade.replace("COMMAND", json.dumps(_filled(sample.files["command"], target)))
    project.revision("a1", f"{TABLE}\n{upgrade}", downgrade='op.drop_table("book")')
    for name, text in sample.files.items():
        _write(project, name, _filled(text, target))
    return project


def _write(project: Project, name: str, text: str) -> None:
    if name == "template":
        mako = project.folder / "migrations" / "script.py.mako"
        mako.write_text(text + mako.read_text())
    elif name == "package":
        ini = project.folder / "alembic.ini"
        (project.folder / "migrations" / "__init__.py").write_text(text)
        ini.write_text(ini.read_text().replace("%(here)s/migrations", "migrations:."))
    elif name == "hook.py":
        ini = project.folder / "alembic.ini"
        hooks = "[post_write_hooks]\nhooks = far\nfar.type = exec\nfar.executable = python3\n"
        hooks += "far.options = hook.py REVISION_SCRIPT_FILENAME\n"
        ini.write_text(ini.read_text() + hooks)
        project.write(name, text)
    elif name == "prepare.sql":
        project.write(name, text)
        project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nprepare = "prepare.sql"\n')
    elif name not in ("statements", "command"):
        project.write(name, text)


def _filled(text: str, target: Production) -> str:
    address = f"port={target.port} user=u password=p dbname=d"
    values = {
        "<TCP>": f"host=127.0.0.1 {address}",
        "<UNIX>": f"host={target.folder} {address}",
        "<URL>": f"postgresql://u:p@127.0.0.1:{target.port}/d",
        "<PATH>": f"{target.folder}/.s.PGSQL.{target.port}",
        "<PORT>": str(target.port),
        "<FOLDER>": str(target.folder),
    }
    for name, value in values.items():
        text = text.replace(name, value)
    return text
