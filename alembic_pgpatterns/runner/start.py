"""The start of the project's process: streams, signals, fences; also with another interpreter."""

from __future__ import annotations

import argparse
import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any

from alembic_pgpatterns.fences.allowed import Allowed
from alembic_pgpatterns.fences.own_path import project_s_imports
from alembic_pgpatterns.processes.begin import begin
from alembic_pgpatterns.processes.channel import receive
from alembic_pgpatterns.processes.program import connected
from alembic_pgpatterns.processes.supervisor import ChildEnds
from alembic_pgpatterns.runner import child, server_access
from alembic_pgpatterns.runner.bootstrap import ConfigFacts, Task


def run(ends: ChildEnds, allowed: Allowed, config: Callable[[], Any], task: Task | None = None) -> None:
    """Run as the project's process; does not return.

    Args:
        ends: of the channels to the parent.
        allowed: where the project may connect.
        config: makes Alembic's Config; this is the first call that imports anything of the project's environment.
        task: what the request "task" does, in a fork.
    """
    project_s_imports()
    begin(allowed, ends.dump, _parameters)
    child.main(ends, config(), task)


def _parameters() -> Mapping[str, str]:
    """Of the check's server, which is another one after each start."""
    return server_access.current


def config_of(facts: ConfigFacts) -> Any:
    """Alembic's Config from plain data, with whatever version of Alembic is installed."""
    from alembic.config import Config

    arguments: dict[str, Any] = {"toml_file": facts.toml} if facts.toml else {}
    options = argparse.Namespace(**facts.options)
    try:
        config = Config(facts.ini, ini_section=facts.section, cmd_opts=options, **arguments)
    except TypeError:  # before 1.16 Alembic does not read pyproject.toml
        config = Config(facts.ini, ini_section=facts.section, cmd_opts=options)
    config.attributes.update(facts.attributes)
    parser = config.file_config
    for section, items in facts.sections.items():
        if not parser.has_section(section):
            parser.add_section(section)
        for name, value in items.items():
            # ConfigParser refuses a value with a lone %, which a file may contain, but set() may not get.
            with contextlib.suppress(ValueError):
                parser.set(section, name, value)
    return config


def serve_at(port: int) -> None:
    """The same where nothing can be handed down but the port of the parent; see `processes.program`."""
    requests, callbacks = connected(port)
    allowed, facts = receive(requests)
    begin(allowed, None, _parameters)
    child.main(ChildEnds(requests, callbacks, -1), config_of(facts))


def serve(requests: int, callbacks: int, dump: int, kernel_fences: str) -> None:
    """Run as the project's process in another interpreter. The first request contains the configuration.

    ``kernel_fences``: names of the fences that stand since before the interpreter started, separated by commas.
    """
    ends = ChildEnds(socket.socket(fileno=requests), socket.socket(fileno=callbacks), dump)
    allowed, facts = receive(ends.requests)
    begin(allowed, dump, _parameters, [name for name in kernel_fences.split(",") if name])
    child.main(ends, config_of(facts))
