"""A driver that SQLAlchemy looks for, and that the project's environment does not have."""

from __future__ import annotations

import traceback

import sqlalchemy
from sqlalchemy.engine import URL

from alembic_pgpatterns.output.causes import causes
from alembic_pgpatterns.runner.drivers import DRIVERS, is_usable, usable_driver


def missing_driver(error: BaseException) -> str | None:
    """The driver that SQLAlchemy looked for and the project's environment does not have; None: it is not about that.

    Args:
        error: raised by env.py, or by a module that it imports.
    """
    for cause in causes(error, contexts=False):
        if isinstance(cause, ModuleNotFoundError) and cause.name in DRIVERS:
            last = traceback.extract_tb(cause.__traceback__)[-1:]
            if last and "/sqlalchemy/" in last[0].filename.replace("\\", "/"):
                return cause.name
    return None


def driver_to_install(error: BaseException) -> str:
    """What to do about a missing driver, for the end of a message; empty if the error is about something else."""
    missing = missing_driver(error)
    if missing is None:
        return ""
    default, present = URL.create("postgresql").get_dialect().driver, usable_driver()
    # psycopg since SQLAlchemy 2.1, psycopg2 before it (its docs, "What's New in SQLAlchemy 2.1?").
    reason = f"SQLAlchemy {sqlalchemy.__version__} takes it where a URL names no driver. " if missing == default else ""
    others = f", or name the one that is there in the URL: postgresql+{present}://…" if is_usable(present) else ""
    return f"\nThe project's environment has no {missing}. {reason}Install it there (pip install {missing}){others}"
