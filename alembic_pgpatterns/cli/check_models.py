"""The separate process in which pgfix checks changed models: see `fix.models_check`."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from alembic.config import Config

from alembic_pgpatterns.checks.project import check
from alembic_pgpatterns.config.sources import settings_of
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fix.models_check import Request, read_from_memory
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.report.progress import Silent


def main() -> None:
    """Read a request from stdin, and write the answer to the descriptor in the last argument."""
    # Not stdout: env.py and the application may print there.
    with os.fdopen(int(sys.argv[-1]), "w", encoding="utf-8") as answer:
        request = Request(**json.loads(sys.stdin.read()))
        # Some env.py read the arguments.
        sys.argv, sys.path[:] = ["alembic"], request.path
        try:
            result: dict[str, Any] = {"drift": _check(request)}
        except Exception as error:
            result = {"failure": str(error)}
        json.dump(result, answer)


def _check(request: Request) -> list[dict[str, str]]:
    read_from_memory({path: text.encode("utf-8", "surrogateescape") for path, text in request.sources.items()})
    options = Namespace(x=list(request.x) or None, config=None, name=request.section)
    config = Config(request.ini, toml_file=request.toml, ini_section=request.section, cmd_opts=options)
    setattr(config, "get_version_locations_list", lambda: list(request.versions))  # noqa: B010  # as `workspace` does
    flags: dict[str, object] = {"select": (ModelDrift.name,), "ignore": (), "cache": False, **_paths(request)}
    settings = settings_of(config, flags)
    with _started(request, config), Project(config, settings) as project:
        report = check(project, settings, Silent())
    if report.missed:
        raise PgPatternsError("; ".join(f"{item.subject}: {item.reason}" for item in report.missed))
    return [{"object": finding.object, "message": finding.message} for finding in report.findings]


def _started(request: Request, config: Config) -> AbstractContextManager[None]:
    """What the program that runs the command does around env.py."""
    if request.flask is None:
        return nullcontext()
    # Flask is imported only where a project has it.
    from alembic_pgpatterns.cli.flask_commands import started_again

    return started_again(config, request.flask)


def _paths(request: Request) -> dict[str, object]:
    paths: dict[str, object] = {name: Path(value) for name, value in request.flags.items() if name == "prepare"}
    paths |= {name: value for name, value in request.flags.items() if name != "prepare"}
    return paths | ({"baseline": Path(request.baseline)} if request.baseline else {})
