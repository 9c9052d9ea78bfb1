"""The entry point of the group ``alembic.plugins``: registers, and does nothing else.

No module-level imports: Alembic imports this while ``import alembic`` is half done, and an exception here would break
every ``import alembic``, also in production.
"""


def setup(plugin):  # type: ignore[no-untyped-def]
    """Register comparators, operations and renderers with Alembic, and the commands with its command line."""
    from alembic_pgpatterns.autogenerate import setup as setup_autogenerate
    from alembic_pgpatterns.cli.install import add_commands_when_loaded, add_write_hook_when_loaded
    from alembic_pgpatterns.operations import setup as setup_operations

    setup_operations(plugin)
    setup_autogenerate(plugin)
    add_write_hook_when_loaded()
    add_commands_when_loaded()
