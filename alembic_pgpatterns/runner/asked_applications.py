"""Errors of an env.py that asks for its application, or for its configuration, and the settings that name it."""

from __future__ import annotations

import logging.config
import sys
import traceback
from collections.abc import Iterator

from alembic_pgpatterns.output.causes import causes

FLASK_APP, ADVANCED_ALCHEMY = "flask_app", "advanced_alchemy"
"""The settings, which are also the kinds of need."""


def asked_applications(error: BaseException) -> Iterator[str]:
    """The setting that gives what an error says is missing.

    Args:
        error: raised by env.py, by a revision, or by a module that they import.
    """
    for each in causes(error, contexts=False):
        if _of_advanced_alchemy(each):
            yield ADVANCED_ALCHEMY
        if _of_flask(each):
            yield FLASK_APP


def application_to_name(error: BaseException) -> str:
    """What to add to the settings for it, for the end of a message; empty if the error is about something else."""
    settings = set(asked_applications(error))
    if ADVANCED_ALCHEMY in settings:
        return (
            "\nThis is advanced-alchemy's env.py. Name the application's configuration in pyproject.toml:\n"
            '[tool.alembic_pgpatterns]\nadvanced_alchemy = "app.config:alchemy"'
        )
    if FLASK_APP in settings:
        return (
            "\nFlask's application is needed. Name it as `flask --app` takes it, in pyproject.toml; or run "
            '`flask --app MODULE pgcheck`:\n[tool.alembic_pgpatterns]\nflask_app = "package.module:create_app"'
        )
    return ""


def _of_advanced_alchemy(error: BaseException) -> bool:
    """Its env.py asks Alembic's configuration for what only its own has."""
    attribute = getattr(error, "name", None) if isinstance(error, AttributeError) else None
    return attribute in ("db_url", "engine", "bind_key", "version_table_name")


def _of_flask(error: BaseException) -> bool:
    """Flask finds no application, or its env.py runs under a program that loads none."""
    if is_without_application(error):
        return True
    outside = isinstance(error, RuntimeError) and str(error.args[:1]).startswith(
        "('Working outside of application context"
    )
    # Its env.py begins with fileConfig(), and `alembic` without -c has no file to give.
    early = any(
        frame.f_code.co_filename == logging.config.__file__ for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return outside or (early and _asks_flask(error))


def is_without_application(error: BaseException) -> bool:
    """Whether Flask has looked for an application and found none, or more than one."""
    kind = getattr(sys.modules.get("flask.cli"), "NoAppException", None)
    return kind is not None and isinstance(error, kind)


def _asks_flask(error: BaseException) -> bool:
    """Whether a module on the way to the error, as env.py is, has imported ``current_app`` from Flask."""
    application = getattr(sys.modules.get("flask"), "current_app", None)
    frames = traceback.walk_tb(error.__traceback__)
    return application is not None and any(frame.f_globals.get("current_app") is application for frame, _ in frames)
