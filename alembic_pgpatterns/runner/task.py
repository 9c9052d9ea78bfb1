"""What a command does in the project's process itself, with every connection redirected."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from alembic_pgpatterns.runner.channel import Parent
from alembic_pgpatterns.runner.run_env import environment_variables
from alembic_pgpatterns.runner.sandbox import sandboxed
from alembic_pgpatterns.runner.server_access import ServerAccess
from alembic_pgpatterns.server.real_database import RealDatabase
from alembic_pgpatterns.server.redirect import redirect


@dataclass(frozen=True)
class Route:
    """Where the project's connections lead. See `EnvRequest`."""

    server: Mapping[str, str]
    databases: tuple[tuple[RealDatabase, str], ...]
    variables: Mapping[str, str]


@contextlib.contextmanager
def redirected(parent: Parent, route: Route) -> Iterator[None]:
    """Every connection of the project leads to the server, as in a run of env.py."""
    access = ServerAccess(parent, route.server)
    access.make_current()
    parent.tell("running", os.curdir)
    with (
        environment_variables(route.variables),
        redirect(access, access.prepare, access.statement) as routes,
        sandboxed(),
    ):
        routes.databases.update(route.databases)
        yield
