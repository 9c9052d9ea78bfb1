"""``flask pgcheck`` and the other commands, for projects with Flask-Migrate, or with an env.py that asks Flask.

Flask finds them by the entry point ``flask.commands``, without loading the application. The application is loaded when
env.py runs for the first time. By then every connection is redirected, including those of the application.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask.cli import ScriptInfo

from alembic_pgpatterns.cli.exit_codes import NOT_DONE, say_error
from alembic_pgpatterns.config.location import migration_folders, shown
from alembic_pgpatterns.fix.models_check import FLASK
from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.output.program import set_program
from alembic_pgpatterns.runner.application import configure

PASSED_ON = {"ignore_unknown_options": True, "allow_interspersed_args": True, "help_option_names": []}
"""All other flags are those of the ``alembic`` command, whose parser reads them and shows their help."""


def _command(name: str, help: str) -> click.Command:
    @click.command(name, context_settings=PASSED_ON, short_help=help)
    @click.option("-d", "--directory", help="Flask-Migrate's folder (default: migrations, else the one that there is).")
    @click.option("-x", "--x-arg", multiple=True, help="Argument for env.py, as `flask db upgrade -x` has it.")
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def command(
        context: click.Context, directory: str | None, x_arg: tuple[str, ...], arguments: tuple[str, ...]
    ) -> None:
        run(name, context.ensure_object(ScriptInfo), directory, x_arg, arguments)

    return command


pgcheck = _command("pgcheck", "Check schema, revisions and models on a throw-away PostgreSQL.")
pgrevision = _command("pgrevision", "Autogenerate a revision and try it, without a database.")
pgfix = _command("pgfix", "Write the revisions that fix findings.")
pgexpand = _command("pgexpand", "Print up to where old and new code can both run.")
pgrebase = _command("pgrebase", "Put one branch's revisions behind the other's head.")
pgrehearse = _command("pgrehearse", "Run new revisions on made-up rows, while others work.")
pgadvise = _command("pgadvise", "Choose the indexes that statements need.")
pgstats = _command("pgstats", "Export the sizes and statistics of a live database.")


def run(name: str, info: ScriptInfo, directory: str | None, x_arg: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    """Run one of the commands, with the application context around env.py.

    Args:
        name: of the command.
        info: how Flask loads the application.
        directory: Flask-Migrate's folder, with its alembic.ini; None: the one that there is.
        x_arg: for env.py.
        arguments: flags of ``alembic NAME``.
    """
    from alembic.config import CommandLine

    folders = _folders() if directory is None else []
    plain = directory is None and not folders and OWN_INI.is_file()
    directory = directory or (folders[0] if len(folders) == 1 else MIGRATIONS)
    ini = OWN_INI if plain else Path(directory) / "alembic.ini"
    set_program("flask")
    line = CommandLine("flask")
    line.subparsers.choices[name].prog = f"flask {name}"
    options = line.parser.parse_args(["-c", str(ini), *(word for x in x_arg for word in ("-x", x)), name, *arguments])
    if not ini.is_file():
        first = f"Run `flask db init` first, or name the folder: flask {name} -d FOLDER."
        several = (
            f"These folders have migrations: {listed(folders, 6)}. Name one: flask {name} -d {folders[0]}"
            if folders
            else ""
        )
        say_error(f"FAILED: there is no {ini}. {several or first}")
        raise SystemExit(NOT_DONE)
    config = _config_class()(str(ini), cmd_opts=options)
    if not plain:
        _set_folder(config, directory)
    config.attributes[FLASK] = {"application": _application(info), "directory": "" if plain else directory}
    if name == "pgrevision":
        options.autogenerate = True  # Flask-Migrate's env.py asks for it
    with _application_around_env_py(info):
        line.run_cmd(config, options)


MIGRATIONS = "migrations"
"""Where Flask-Migrate has its files, if the application names no other folder."""
OWN_INI = Path("alembic.ini")
"""Of a project without Flask-Migrate, whose env.py asks ``current_app``; it says where the migrations are."""


def _config_class() -> Any:
    """Flask-Migrate's Config, which knows its own templates; Alembic's if the project has no Flask-Migrate."""
    try:
        from flask_migrate import Config
    except ImportError:
        from alembic.config import Config
    return Config


def _folders() -> list[str]:
    """The folders that may be Flask-Migrate's. The application knows which, and it is not loaded here."""
    if (Path(MIGRATIONS) / "alembic.ini").is_file():
        return [MIGRATIONS]
    return [shown(folder) for folder in migration_folders(Path.cwd()) if (folder / "alembic.ini").is_file()]


@contextmanager
def started_again(config: Any, start: Mapping[str, str]) -> Iterator[None]:
    """In another process: env.py runs as it does in the command that started this process.

    Args:
        config: Alembic's.
        start: what that command noted about itself.
    """
    set_program("flask")
    if start["directory"]:
        _set_folder(config, start["directory"])
    with _application_around_env_py(ScriptInfo(app_import_path=start["application"] or None)):
        yield


def _application(info: ScriptInfo) -> str:
    """The application as ``flask --app`` takes it; empty: Flask looks for it.

    Only the path or the factory says which one it is. The variables of ``.env`` and ``.flaskenv`` are in this process's
    environment already, and so in that of the processes that it starts.
    """
    create = info.create_app
    if create is None:
        return info.app_import_path or ""
    # A program with a FlaskGroup(create_app=...) of its own. Where it runs as a script, other processes know its file.
    module = create.__module__
    place = module if module != "__main__" else getattr(sys.modules[module], "__file__", None) or module
    return f"{place}:{create.__qualname__}"


def _set_folder(config: Any, directory: str) -> None:
    # Flask-Migrate sets it in its commands (Migrate.get_config), and its alembic.ini leaves it out. ConfigParser reads
    # a single % as the start of a reference.
    config.set_main_option("script_location", directory.replace("%", "%%"))


@contextmanager
def _application_around_env_py(info: ScriptInfo) -> Iterator[None]:
    """Every run of env.py has an application context; the functions of ``@migrate.configure`` see its configuration."""
    from alembic.script import ScriptDirectory

    # Alembic has no hook around env.py, and Flask-Migrate's templates ask `current_app`.
    stock = ScriptDirectory.run_env
    ScriptDirectory.run_env = _with_application(stock, info)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ScriptDirectory.run_env = stock  # type: ignore[method-assign]


def _with_application(stock: Callable[[Any], None], info: ScriptInfo) -> Callable[[Any], None]:
    def run_env(script: Any) -> None:
        from alembic import context
        from flask import has_app_context

        if has_app_context():  # that of the setting
            stock(script)
            return
        application = info.load_app()
        with application.app_context():
            configure(application, context.config)
            stock(script)

    return run_env
