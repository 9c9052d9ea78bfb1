"""Give the project what the settings supply, for the time that its code runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from alembic_pgpatterns.runner.computed import computed_is_stored
from alembic_pgpatterns.runner.drivers import ASYNC_DRIVERS, usable_driver
from alembic_pgpatterns.runner.messages import Supplies
from alembic_pgpatterns.runner.supplies import asked_options, set_options, sqlite_replaced, watched_attributes


@contextlib.contextmanager
def supplied(config: Any, supplies: Supplies) -> Iterator[None]:
    """Options, attributes and engines as the settings have them.

    Args:
        config: Alembic's; it changes.
        supplies: of the settings.
    """
    set_options(config, supplies.options)
    if supplies.stores_computed:
        computed_is_stored()
    watched_attributes(config).missing.clear()
    asked_options(config).clear()
    if not supplies.replace_sqlite:
        yield
        return
    with sqlite_replaced(usable_driver(), usable_driver(ASYNC_DRIVERS)):
        yield
