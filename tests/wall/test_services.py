"""Servers that are named by a service of libpq's: ours is found, and the project's is not reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server
from tests.projects import make
from tests.wall.production import production

PLACES = {
    "a file": {"PGSERVICEFILE": "FOLDER/pg_service.conf"},
    "a folder": {"PGSYSCONFDIR": "FOLDER"},
    "the user's own": {"HOME": "FOLDER"},
}


@pytest.fixture(scope="module")
def theirs() -> Iterator[ThrowawayServer]:
    with throwaway_server(listen=True) as server:
        yield server


@pytest.mark.parametrize("place", PLACES)
def test_the_server_of_the_check_may_be_one(place: str, theirs: ThrowawayServer, tmp_path: Path) -> None:
    """By TCP, so the project's process must be allowed to connect there, and to nothing else."""
    project = make(tmp_path)
    project.sql("a1", "CREATE TABLE book (id bigint PRIMARY KEY)")
    lines = [f"{name}={value}" for name, value in theirs.parameters().items() if name != "dbname"]
    name = ".pg_service.conf" if place == "the user's own" else "pg_service.conf"
    project.write(name, "\n".join(["[scratch]", *lines, "dbname=postgres"]))
    variables = {key: value.replace("FOLDER", str(tmp_path)) for key, value in PLACES[place].items()}
    run = project.alembic("pgcheck", "--exit-zero", "--server", "postgresql:///?service=scratch", **variables)
    assert run.returncode == 0, run.stderr
    assert "1 revision, 1 table" in run.stdout
    assert "was refused" not in run.stderr


def test_a_service_of_the_project_is_redirected_even_where_its_server_is_allowed(tmp_path: Path) -> None:
    with production() as target:
        project = make(tmp_path, "postgresql+psycopg:///?service=prod")
        project.sql("a1", "CREATE TABLE book (id bigint PRIMARY KEY)")
        connects = "psycopg.connect('service=prod').close()\npsycopg2.connect('service=prod').close()"
        project.env(head=f"import psycopg, psycopg2\n{connects}")
        project.write("pg_service.conf", f"[prod]\nhost=127.0.0.1\nport={target.port}\nuser=u\npassword=p\ndbname=d\n")
        project.write("pyproject.toml", f'[tool.alembic_pgpatterns]\nallow_connect = ["127.0.0.1:{target.port}"]\n')
        run = project.alembic("pgcheck", "--exit-zero", PGSERVICEFILE=str(tmp_path / "pg_service.conf"))
        assert run.returncode == 0, run.stderr
        assert target.reached == 0
