"""Where a connection would have gone: the real server and database, in whatever way they were given."""

from __future__ import annotations

import configparser
import getpass
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic_pgpatterns.output.files import read_text

ENVIRONMENT = {
    "PGHOST": "host",
    "PGHOSTADDR": "hostaddr",
    "PGPORT": "port",
    "PGDATABASE": "dbname",
    "PGUSER": "user",
    "PGOPTIONS": "options",
    "PGSERVICE": "service",
    "PGSERVICEFILE": "servicefile",
}
"""The libpq variables that decide where a connection goes (PostgreSQL docs, section "Environment Variables")."""

_LOCAL = {"", "localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, order=True)
class RealDatabase:
    """A server and database that a project wanted to connect to.

    All names of this machine (none, a socket's folder, localhost) count as one host: projects use several of them for
    the same server. Several hosts are one name, joined by commas.
    """

    host: str
    port: str
    database: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


def completed(parameters: Mapping[str, object]) -> dict[str, str]:
    """libpq's parameters with what libpq would add: the environment's values and those of the service file.

    As in libpq, ``parameters`` have priority over the service file, and that over the environment.
    """
    explicit = {name: str(value) for name, value in parameters.items() if value is not None}
    ambient = {name: os.environ[variable] for variable, name in ENVIRONMENT.items() if os.environ.get(variable)}
    service = explicit.get("service") or ambient.get("service")
    of_service = _service(service, explicit.get("servicefile") or ambient.get("servicefile")) if service else {}
    # libpq's order: what is written, then the service file, then the variables (fe-connect.c, conninfo_add_defaults).
    return ambient | of_service | explicit


def real_database(parameters: Mapping[str, str]) -> RealDatabase:
    """The real database of libpq's `completed` parameters."""
    host = parameters.get("host") or parameters.get("hostaddr") or ""
    ports = parameters.get("port") or ""
    user = parameters.get("user") or _system_user()
    return RealDatabase(
        _joined(host.split(","), _host), _joined(ports.split(","), _port), parameters.get("dbname") or user
    )


def _joined(parts: Iterable[str], read: object) -> str:
    assert callable(read)
    return ",".join(dict.fromkeys(str(read(part.strip())) for part in parts))


def _host(name: str) -> str:
    return "localhost" if name in _LOCAL or name.startswith(("/", "@")) else name.lower()


def _port(number: str) -> str:
    return number or "5432"


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container the user id may have no name
        return "postgres"


def _service(name: str, file: str | None) -> dict[str, str]:
    """One section of the connection service file (PostgreSQL docs, "The Connection Service File")."""
    places = [Path(file)] if file else [Path.home() / ".pg_service.conf"]
    if "PGSYSCONFDIR" in os.environ:
        places.append(Path(os.environ["PGSYSCONFDIR"]) / "pg_service.conf")
    for place in places:
        # libpq takes a file in which a section stands twice, and knows no interpolation.
        parser = configparser.RawConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(read_text(place))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        if parser.has_section(name):
            return dict(parser.items(name))
    return {"host": f"service {name}"}
