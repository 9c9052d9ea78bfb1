"""The entry point of the group ``alembic.plugins``: registers, and does nothing else.

No module-level imports: Alembic imports this while ``import alembic`` is half done.
"""


def setup(plugin):  # type: ignore[no-untyped-def]
    """Register what Alembic loads at import; never raises, since that would break every ``import alembic``."""
