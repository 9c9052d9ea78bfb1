"""The start of the project's process: streams, signals, fences; also with another interpreter."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Callable, Collection
from typing import Any

from alembic_pgpatterns.fences.allowed import Allowed
from alembic_pgpatterns.fences.own_path import project_s_imports
from alembic_pgpatterns.fences.stand import stand
from alembic_pgpatterns.runner import child, server_access
from alembic_pgpatterns.runner.bootstrap import DUMP_SIGNAL, ChildEnds, ConfigFacts, Task
from alembic_pgpatterns.runner.channel import receive


def run(ends: ChildEnds, allowed: Allowed, config: Callable[[], Any], task: Task | None = None) -> None:
    """Run as the project's process; does not return.

    Args:
        ends: of the channels to the parent.
        allowed: where the project may connect.
        config: makes Alembic's Config; this is the first call that imports anything of the project's environment.
        task: what the request "task" does, in a fork.
    """
    project_s_imports()
    begin(allowed, ends.dump)
    child.main(ends, config(), task)


def begin(allowed: Allowed, dump: int, kernel_fences: Collection[str] | None = None) -> None:
    """Prepare this process for the project's code. Call it before anything of the project is imported.

    Args:
        allowed: where it may connect.
        dump: a descriptor that gets the stack of this process after `DUMP_SIGNAL`.
        kernel_fences: the fences of the kernel that stand already; None if none were tried.
    """
    # A fork has the command's handlers, which stop the command's servers; and exec() keeps signals ignored that a
    # parent, such as nohup, has ignored (POSIX).
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _stdout_to_stderr()
    stand(allowed, lambda: server_access.current, kernel_fences=kernel_fences)
    faulthandler.register(DUMP_SIGNAL, file=dump, all_threads=True)


def _stdout_to_stderr() -> None:
    """The project's output is not part of the report. A closed stream's number would go to the next opened file."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)


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


def serve(requests: int, callbacks: int, dump: int, kernel_fences: str) -> None:
    """Run as the project's process in another interpreter. The first request contains the configuration.

    ``kernel_fences``: names of the fences that stand since before the interpreter started, separated by commas.
    """
    ends = ChildEnds(socket.socket(fileno=requests), socket.socket(fileno=callbacks), dump)
    allowed, facts = receive(ends.requests)
    begin(allowed, dump, [name for name in kernel_fences.split(",") if name])
    child.main(ends, config_of(facts))
