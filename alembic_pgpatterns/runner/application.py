"""The application around env.py, where env.py needs what a program of its framework would give it."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

from alembic_pgpatterns.errors import ApplicationFailed
from alembic_pgpatterns.runner.advanced_alchemy import take_over
from alembic_pgpatterns.runner.failures import described
from alembic_pgpatterns.runner.messages import Supplies
from alembic_pgpatterns.runner.missing_settings import settings_to_add


@contextlib.contextmanager
def application(config: Any, supplies: Supplies) -> Iterator[None]:
    """Flask's application context, and advanced-alchemy's configuration, as the settings name them.

    Args:
        config: Alembic's; it changes.
        supplies: of the settings.

    Raises:
        ApplicationFailed: what they name cannot be had.
    """
    if supplies.advanced_alchemy is not None:
        take_over(config, supplies.advanced_alchemy)
    if supplies.flask_app is None:
        yield
        return
    made = _flask_application(supplies.flask_app)
    with made.app_context():
        configure(made, config)
        yield


def configure(made: Any, config: Any) -> None:
    """Call the functions of ``@migrate.configure``, as Flask-Migrate's commands do.

    Args:
        made: the Flask application.
        config: Alembic's.
    """
    extension = made.extensions.get("migrate")
    if extension is not None:
        extension.migrate.call_configure_callbacks(config)


def _flask_application(name: str) -> Any:
    try:
        cli = importlib.import_module("flask.cli")  # the project's own
        return cli.ScriptInfo(app_import_path=name).load_app()
    except (Exception, SystemExit) as error:
        words = f"{described(error, None)}{settings_to_add(error)}"
        raise ApplicationFailed(f"flask_app: {name!r} gives no application: {words}") from error
