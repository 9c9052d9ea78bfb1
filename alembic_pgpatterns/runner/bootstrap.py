"""What the parent needs to start the project's process: the names of its functions, and the configuration as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

ENTRY = "alembic_pgpatterns.runner.start:run"
"""The function that a fork of the command calls. By name, as in `BOOTSTRAP`, so that the parent need not import it."""

Task = Callable[[Any, Any], Any]
"""A command's task in a fork; takes a `ProjectScripts` and a `processes.channel.Parent`."""


@dataclass(frozen=True)
class ConfigFacts:
    """Alembic's configuration as plain data. ``sections``: of the file, and what the program has set."""

    ini: str | None
    toml: str | None
    section: str
    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


def config_facts(config: Any) -> ConfigFacts:
    """Alembic's Config as plain data. Values in its attributes and options that are not plain are left out."""
    parser = config.file_config
    return ConfigFacts(
        str(config.config_file_name) if config.config_file_name else None,
        str(config.toml_file_name) if getattr(config, "toml_file_name", None) else None,
        config.config_ini_section,
        # Raw: the values are interpolated when they are used, and doing it twice would turn %% into a lone %.
        {name: dict(parser.items(name, raw=True)) for name in parser.sections()},
        _plain(vars(config.cmd_opts) if config.cmd_opts is not None else {}),
        _plain(config.attributes),
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in values.items() if _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return value is None or isinstance(value, str | int | float | bool)


# It imports this package by a finder of its own, and not from our site-packages on sys.path: there the project would
# find our versions of its libraries. After an error it says the same to each request, until the parent closes the
# socket.
_FINDER = """
import sys
# `python -c` looks in the current folder first, where a project may have a types.py of its own.
sys.path[:] = [path for path in sys.path if path]
import importlib.util, json, os, struct
root, *arguments = sys.argv[1:]
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "alembic_pgpatterns":
            init = os.path.join(root, "__init__.py")
            return importlib.util.spec_from_file_location(name, init, submodule_search_locations=[root])
sys.meta_path.insert(0, Finder)
sys.argv[:] = ["alembic"]
"""

BOOTSTRAP = f"""{_FINDER}
requests, callbacks, dump, kernel_fences = arguments
def version(name):
    import importlib.metadata
    try:
        return name + " " + importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "no " + name
try:
    from alembic_pgpatterns.runner.start import serve
except (ImportError, SyntaxError, AttributeError) as error:
    message = "%s cannot run the project: %s: %s. " % (sys.executable, type(error).__name__, error)
    message += "It has Python %d.%d, %s and %s; needed are Python 3.11, Alembic 1.8 and SQLAlchemy 1.4, or later. " % (
        *sys.version_info[:2], version("Alembic"), version("SQLAlchemy"))
    message += "Name another interpreter: --python PATH."
    failure = ["t", "failed", ["c", "alembic_pgpatterns.runner.messages:Failure", {{"message": message}}]]
    text = json.dumps(failure).encode()
    os.write(int(requests), struct.pack(">Q", len(text)) + text)
    try:
        while os.read(int(requests), 65536):
            os.write(int(requests), struct.pack(">Q", len(text)) + text)
    except OSError:
        pass
    os._exit(0)
serve(int(requests), int(callbacks), int(dump), kernel_fences)
"""
"""The program for another interpreter. Of our environment it can import this package, and no other one."""

BOOTSTRAP_BY_PORT = f"""{_FINDER}
from alembic_pgpatterns.runner.start import serve_at
serve_at(int(arguments[0]))
"""
"""The same where nothing can be handed down but a port; see `processes.program`."""
