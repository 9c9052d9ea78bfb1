"""The models' tables, whatever revisions do to the MetaData that holds them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, create_engine

from alembic_pgpatterns.runner.model_tables import ModelTables


def test_what_a_revision_reflects_into_the_models_is_no_model() -> None:
    engine = create_engine("sqlite://")
    old = MetaData()
    Table("book", old, Column("id", Integer, primary_key=True), Column("shelf_id", ForeignKey("shelf.id")))
    Table("shelf", old, Column("id", Integer, primary_key=True))
    models = MetaData()
    Table("book", models, Column("id", Integer, primary_key=True), Column("author_id", ForeignKey("author.id")))
    author = Table("author", models, Column("id", Integer, primary_key=True))
    tables = ModelTables()
    tables.note([models])
    with engine.begin() as connection:
        old.create_all(connection)
        models.reflect(connection, extend_existing=True, only=["book", "shelf"])
    assert models.tables["book"].c.keys() == ["id", "shelf_id"], "what the revision works with"
    with tables.alone([models]):
        assert sorted(models.tables) == ["author", "book"] and models.tables["author"] is author
        assert models.tables["book"].c.keys() == ["id", "author_id"]
        models.create_all(create_engine("sqlite://"))
    assert sorted(models.tables) == ["book", "shelf"]
    assert tables.names() == ("author", "book")
