"""The first steps of the project's process: streams, signals, fences; and how another interpreter becomes it."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alembic_pgpatterns.fences.allowed import Allowed
from alembic_pgpatterns.fences.stand import stand
from alembic_pgpatterns.runner import server_access
from alembic_pgpatterns.runner.channel import receive

DUMP_SIGNAL = signal.SIGUSR2
"""Asks the process where it is."""


def begin(allowed: Allowed, dump: int) -> None:
    """Make this process one for the project's code; to be called before anything of the project is imported.

    Args:
        allowed: where it may connect.
        dump: a descriptor that gets where the process is when `DUMP_SIGNAL` comes.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _stdout_to_stderr()
    stand(allowed, lambda: server_access.current)
    faulthandler.register(DUMP_SIGNAL, file=dump, all_threads=True)


def _stdout_to_stderr() -> None:
    """What the project prints is not the report. A closed stream's number would go to the next file opened."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)


@dataclass(frozen=True)
class ConfigFacts:
    """Alembic's configuration as plain data. ``sections``: of the file, with what the program has set besides."""

    ini: str | None
    toml: str | None
    section: str
    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


def config_facts(config: Any) -> ConfigFacts:
    """A Config of Alembic as plain data; what is not plain in its attributes and options is left out."""
    parser = config.file_config
    return ConfigFacts(
        str(config.config_file_name) if config.config_file_name else None,
        str(config.toml_file_name) if getattr(config, "toml_file_name", None) else None,
        config.config_ini_section,
        {name: dict(parser.items(name, raw=True)) for name in parser.sections()},
        _plain(vars(config.cmd_opts) if config.cmd_opts is not None else {}),
        _plain(config.attributes),
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in values.items() if _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | bool)


def config_of(facts: ConfigFacts) -> Any:
    """The Config of Alembic's that some facts describe, by whichever Alembic there is."""
    from alembic.config import Config

    given: dict[str, Any] = {"toml_file": facts.toml} if facts.toml else {}
    options = argparse.Namespace(**facts.options)
    try:
        config = Config(facts.ini, ini_section=facts.section, cmd_opts=options, **given)
    except TypeError:  # before 1.16, Alembic knows no pyproject.toml
        config = Config(facts.ini, ini_section=facts.section, cmd_opts=options)
    config.attributes.update(facts.attributes)
    parser = config.file_config
    for section, items in facts.sections.items():
        if not parser.has_section(section):
            parser.add_section(section)
        for name, value in items.items():
            with contextlib.suppress(ValueError):
                parser.set(section, name, value)
    return config


BOOTSTRAP = """
import importlib.util, json, os, struct, sys
requests, callbacks, dump, root = sys.argv[1:]
sys.path[:] = [path for path in sys.path if path]
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "alembic_pgpatterns":
            init = root + "/__init__.py"
            return importlib.util.spec_from_file_location(name, init, submodule_search_locations=[root])
sys.meta_path.insert(0, Finder)
try:
    from alembic_pgpatterns.runner.start import serve
except (ImportError, SyntaxError, AttributeError) as error:
    said = "%s cannot run the project: %s: %s. " % (sys.executable, type(error).__name__, error)
    said += "It needs Python 3.11, Alembic 1.8 and SQLAlchemy 1.4 or later. Name another interpreter: --python PATH."
    failure = ["t", "failed", ["c", "alembic_pgpatterns.runner.messages:Failure", {"message": said}]]
    text = json.dumps(failure).encode()
    os.write(int(requests), struct.pack(">Q", len(text)) + text)
    while os.read(int(requests), 65536):
        pass
    os._exit(0)
sys.argv[:] = ["alembic"]
serve(int(requests), int(callbacks), int(dump))
"""
"""What another interpreter runs: of our environment it can reach this package, and no other one."""


def serve(requests: int, callbacks: int, dump: int) -> None:
    """Be the project's process in an interpreter of its own. The first request says what for."""
    from alembic_pgpatterns.runner import child

    ends = [socket.socket(fileno=number) for number in (requests, callbacks)]
    allowed, facts = receive(ends[0])
    begin(allowed, dump)
    child.main(ends[0], ends[1], config_of(facts))
