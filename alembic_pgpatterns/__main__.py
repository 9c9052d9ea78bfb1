"""``python -m alembic_pgpatterns pgcheck``."""

from alembic_pgpatterns.cli.program import main

if __name__ == "__main__":
    main()
