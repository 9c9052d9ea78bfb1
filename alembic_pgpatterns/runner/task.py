"""Do a command's task in the project's process, with every connection redirected."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from alembic_pgpatterns.processes.channel import Parent
from alembic_pgpatterns.runner.application import application
from alembic_pgpatterns.runner.messages import Route
from alembic_pgpatterns.runner.run_env import environment_variables
from alembic_pgpatterns.runner.sandbox import sandboxed
from alembic_pgpatterns.runner.server_access import ServerAccess
from alembic_pgpatterns.runner.supplied import supplied
from alembic_pgpatterns.server.redirect import redirect


@contextlib.contextmanager
def redirected(config: Any, parent: Parent, route: Route) -> Iterator[None]:
    """Redirect every connection of the project to the server, as in a run of env.py."""
    access = ServerAccess(parent, route.server)
    access.make_current()
    parent.tell("running", os.curdir)
    with (
        environment_variables(route.variables),
        redirect(access, access.prepare, access.statement) as routes,
        supplied(config, route.supplies),
        sandboxed(),
        application(config, route.supplies),
    ):
        routes.databases.update(route.databases)
        yield
