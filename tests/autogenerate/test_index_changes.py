"""Indexes of tables in use: a new name is a new name, and a new definition leaves no moment without an index."""

from __future__ import annotations

from tests.autogenerate.conftest import AlembicProject

MODELS = """
Table("bill", metadata, Column("id", BigInteger, primary_key=True), Column("method", Text), Column("paid", Date),
    Index("ix_bill_method", "method", postgresql_where=text("id > {least}")), Index("{name}", "paid", "method"))
"""


def test_a_new_name_and_a_new_condition(project: AlembicProject) -> None:
    project.models(MODELS.format(least=1, name="by_day"))
    project.revise("start")
    project.alembic("upgrade", "head")
    before = project.snapshot()
    project.models(MODELS.format(least=2, name="bill_by_day"))
    named, replaced = project.revise("change")
    assert "ALTER INDEX by_day RENAME TO bill_by_day" in named and "create_index" not in named
    for body in replaced.split("def downgrade"):
        built, dropped = body.index("create_index(op.f('ix_bill_method_new'"), body.index("'ix_bill_method'")
        assert built < dropped < body.index("ALTER INDEX ix_bill_method_new RENAME TO ix_bill_method")
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "-2")
    assert project.snapshot() == before
