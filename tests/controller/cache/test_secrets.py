"""What is kept for the next run holds no password, in whatever form of PostgreSQL's strings a revision has it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config

from alembic_pgpatterns.checks.project import check
from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.controller.project import Project
from tests import projects
from tests.tracing import Silent, inside

FORMS = {
    "plain": "CREATE ROLE r{n} PASSWORD '{secret}'",
    "encrypted": "CREATE ROLE r{n} LOGIN ENCRYPTED PASSWORD '{secret}'",
    "escapes": "CREATE ROLE r{n} PASSWORD E'{secret}\\n'",
    "hexadecimal": "CREATE ROLE r{n} PASSWORD E'\\x7a{secret}'",
    "unicode": "CREATE ROLE r{n} PASSWORD U&'{secret}'",
    "dollars": "CREATE ROLE r{n} PASSWORD $${secret}$$",
    "a tag": "CREATE ROLE r{n} PASSWORD $pw${secret}$pw$",
    "two lines": "CREATE ROLE r{n} PASSWORD '{secret}'\n'more'",
    "a comment": "CREATE ROLE r{n} PASSWORD /* new */ '{secret}'",
    "a user": "CREATE USER r{n} WITH PASSWORD '{secret}'",
    "altered": "CREATE ROLE r{n}; ALTER ROLE r{n} WITH LOGIN PASSWORD '{secret}'",
    "a DO block": "DO $do$ BEGIN CREATE ROLE r{n} PASSWORD '{secret}'; END $do$",
    "executed": "DO $do$ BEGIN EXECUTE 'CREATE ROLE r{n} PASSWORD ''{secret}'''; END $do$",
    "executed, formatted": "DO $do$ BEGIN EXECUTE format('CREATE ROLE r{n} PASSWORD %L', '{secret}'); END $do$",
    "a function": "CREATE FUNCTION f{n}() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN "
    "CREATE ROLE r{n} PASSWORD '{secret}'; END $f$; SELECT f{n}()",
    "a mapping": "CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE SERVER s{n} FOREIGN DATA WRAPPER postgres_fdw; "
    "CREATE USER MAPPING FOR PUBLIC SERVER s{n} OPTIONS (user 'u', password '{secret}')",
    "a subscription": "CREATE SUBSCRIPTION b{n} CONNECTION 'host=prod.invalid password={secret}' PUBLICATION p "
    "WITH (connect = false)",
    "a link": "CREATE EXTENSION IF NOT EXISTS dblink; "
    "DO $do$ BEGIN PERFORM dblink_connect('host=prod.invalid password={secret}'); "
    "EXCEPTION WHEN OTHERS THEN NULL; END $do$",
}


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path, data
            if path.suffix != ".json":
                try:
                    yield path, zlib.decompress(data)
                except zlib.error:
                    continue


STORED = ("a mapping", "a subscription", "a function")
"""PostgreSQL keeps these as they are."""


@pytest.mark.sample(4)
@pytest.mark.parametrize("names", [tuple(FORMS), tuple(name for name in FORMS if name not in STORED)])
def test_no_password_is_kept(names: tuple[str, ...], cache: Path, tmp_path: Path) -> None:
    project = projects.make(tmp_path)
    down = None
    for number, name in enumerate(names):
        statement = FORMS[name].replace("{n}", str(number)).replace("{secret}", f"hidden{number:02}value")
        text = statement.replace(":", chr(92) + ":")
        project.revision(f"a{number:02}", f"op.execute(sa.text({text!r}))", down)
        down = f"a{number:02}"
    with inside(project.folder):
        own = Project(Config("alembic.ini"))
        report = check(own, read_settings(own.ini, own.pyproject, {"since": "base"}), Silent())
    assert len(report.runs) == len(names)
    assert list(cache.glob("history-*/traces/*")), "nothing is kept, so this proves nothing"
    assert bool(list(cache.glob("history-*/states/*"))) == (names != tuple(FORMS))
    kept = {
        (name, str(path.relative_to(cache)))
        for path, data in contents(cache)
        for number, name in enumerate(names)
        if f"hidden{number:02}value".encode() in data
    }
    assert sorted(kept) == []
