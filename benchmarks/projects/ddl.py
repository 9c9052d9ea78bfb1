"""Print the PostgreSQL DDL of a project's models; run by the Python of the environment they are installed in.

python ddl.py package.module:Base [module to import first ...]
"""

import importlib
import sys

from sqlalchemy import create_mock_engine


def main(target: str, *modules: str) -> None:
    """Import the modules, then print one statement a line group, each ended by a semicolon."""
    for name in modules:
        importlib.import_module(name)
    module, _, attribute = target.partition(":")
    base = getattr(importlib.import_module(module), attribute)

    def show(statement: object, *_: object, **__: object) -> None:
        print(str(statement.compile(dialect=engine.dialect)).strip().rstrip(";") + ";")  # type: ignore[attr-defined]

    engine = create_mock_engine("postgresql+psycopg2://", show)
    base.metadata.create_all(engine, checkfirst=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
