"""Which modules declare a project's tables, as their source says."""

from __future__ import annotations

from pathlib import Path

from alembic_pgpatterns.controller.model_search import models_of
from alembic_pgpatterns.schema.names import Name

SOURCES = {
    "tables.py": 'order = Table("orders", metadata, Column("id", Integer))',
    "classes.py": 'if ON:\n    class Order(Base):\n        __tablename__ = "orders"',
    "reflected.py": 'order = Table("orders", MetaData(), autoload_with=engine)',
    "reflected_as_of_old.py": 'order = Table("orders", MetaData(engine), autoload=True)',
    "status.py": 'def check(engine):\n    return Table("orders", MetaData(), Column("id", Integer))',
    "other.py": 'thing = Table("things", metadata, Column("id", Integer))',
    "deep.py": "x = " + "1 + " * 800 + '1\ny = Table("others", metadata)',
}


def test_what_a_module_reads_from_the_database_it_does_not_declare(tmp_path: Path) -> None:
    (tmp_path / "shop/migrations").mkdir(parents=True)
    (tmp_path / "shop/__init__.py").touch()
    for name, text in SOURCES.items():
        (tmp_path / "shop" / name).write_text(text)
    found = models_of(tmp_path / "shop/migrations", [Name("public", "orders")])
    assert found == ("shop.classes", "shop.tables")
