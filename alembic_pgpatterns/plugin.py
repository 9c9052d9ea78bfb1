"""The entry point of the group ``alembic.plugins``: registers, and does nothing else.

No module-level imports but of the standard library: Alembic imports this while ``import alembic`` is half done, and an
exception here would break every ``import alembic``, also in production.
"""

import sys
from types import ModuleType


class _Plugin(ModuleType):
    """A module that is a collection of itself: Alembic 1.18.0 to 1.20.0 iterates over what an entry point names, and
    1.20.1 (https://github.com/sqlalchemy/alembic/issues/1873) takes a module as it is.
    """

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter((self,))


sys.modules[__name__].__class__ = _Plugin


def setup(plugin):  # type: ignore[no-untyped-def]
    """Register comparators, operations and renderers with Alembic, and the commands with its command line."""
    from alembic_pgpatterns.autogenerate import setup as setup_autogenerate
    from alembic_pgpatterns.cli.install import add_commands_when_loaded, add_write_hook_when_loaded
    from alembic_pgpatterns.operations import setup as setup_operations

    setup_operations(plugin)
    setup_autogenerate(plugin)
    add_write_hook_when_loaded()
    add_commands_when_loaded()
