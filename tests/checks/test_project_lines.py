"""What is said of a project's models, and where: compared as they are written, at the project's own lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.projects import Project, make

LIBRARY = """
from datetime import datetime

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Model(DeclarativeBase):
    pass


class Dated:
    made_at: Mapped[datetime] = mapped_column()
"""
APP = """
from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from library import Dated, Model


class Item(Dated, Model):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
"""
ONLINE_ALONE = """
from alembic import context
from sqlalchemy import create_engine

import sys

sys.path[:0] = [".", "site-packages"]


def run_online():
    from app import Model

    with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
        context.configure(connection=connection, target_metadata=Model.metadata)
        with context.begin_transaction():
            context.run_migrations()


def run_offline():
    context.configure(url="postgresql://", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


run_offline() if context.is_offline_mode() else run_online()
"""


def project(folder: Path) -> Project:
    """Its base class and a mixin are installed, and only the online branch of env.py names the models."""
    made = make(folder)
    made.write("site-packages/library.py", LIBRARY)
    made.write("app.py", APP)
    made.write("migrations/env.py", ONLINE_ALONE)
    made.sql(
        "a1", "CREATE TABLE item (id bigserial PRIMARY KEY, name varchar(255) NOT NULL, made_at timestamp NOT NULL)"
    )
    return made


def findings(made: Project, *options: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    run = made.alembic("pgcheck", "--exit-zero", "--format", "json", *options)
    assert run.returncode == 0, run.stdout + run.stderr
    document = json.loads(run.stdout)
    return [*document["findings"], *document["guesses"]], document["skipped"]


def test_places_and_models_of_the_online_branch(tmp_path: Path) -> None:
    found, skipped = findings(project(tmp_path), "--select", "types")
    assert {(item["pattern"], item["location"]["path"], item["location"]["line"]) for item in found} == {
        ("varchar-length", "app.py", 11),
        # The column is declared in an installed package; what the project can change is its own class.
        ("timestamp-without-time-zone", "app.py", 8),
    }
    assert not [item for item in skipped if "target_metadata" in item["reason"]]


def test_without_the_plugin_models_are_compared_as_they_are_written(tmp_path: Path) -> None:
    """A baseline says that the patterns are adopted; only with the plugin does autogenerate enforce them."""
    made = project(tmp_path)
    made.write("pgpatterns-baseline.txt", "")
    assert drifts(made) == []
    plugin = 'autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"], target_metadata='
    made.write("migrations/env.py", ONLINE_ALONE.replace("target_metadata=", plugin))
    differing = ["column public.item.name: type is text in the models, character varying(255) at head"]
    assert drifts(made) == differing
    # Autogenerate knows nothing of the flags of this command.
    assert drifts(made, "model-drift") == differing


def drifts(made: Project, selected: str = "model-drift,varchar-length") -> list[str]:
    """The differences, with a pattern selected that autogenerate would enforce."""
    found, _ = findings(made, "--select", selected, "--since", "base")
    return [item["message"] for item in found if item["pattern"] == "model-drift"]


SHOP_ENV = """
from alembic import context
from sqlalchemy import create_engine

from app import Base


def include_object(object, name, type_, reflected, compare_to):
    if type_ == "table" and name == "by_object":
        return False
    if type_ == "unique_constraint" and name == "by_hand":
        assert reflected and compare_to is None and object.table.name == "item"
        return False
    return not (type_ == "column" and name == "size" and str(compare_to.type) == "INTEGER")


def include_name(name, type_, parent_names):
    return not (type_ == "index" and name == "ix_hidden" and parent_names["table_name"] == "item")


with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, include_object=include_object, include_name=include_name
    )
    with context.begin_transaction():
        context.run_migrations()
"""
SHOP = """
from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    __table_args__ = (
        Index("ix_item_other_id", "other_id"),
        Index("ix_spanner", "code").ddl_if(callable_=lambda *_, dialect, **kw: dialect.name == "spanner"),
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    other_id: Mapped[int] = mapped_column(ForeignKey("item.id"))
    code: Mapped[str] = mapped_column(Text)
    ready: Mapped[bool] = mapped_column(Boolean, nullable=False)
    shown: Mapped[bool] = mapped_column(Boolean, nullable=True, default=True)


class Place(Base):
    __tablename__ = "place"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class ByObject(Base):
    __tablename__ = "by_object"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class VisitLog(Base):
    __tablename__ = "visit_log"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    began: Mapped[int] = mapped_column(BigInteger)
    ended: Mapped[int] = mapped_column(BigInteger)


def items(session, number):
    session.query(VisitLog).filter(VisitLog.began < number).delete()
    session.query(VisitLog).filter(VisitLog.ended < number).order_by(VisitLog.ended).limit(5).all()


def choose(session, number=None):
    query = session.query(VisitLog)
    if number is not None:
        query = query.filter(VisitLog.ended == number)
    return query.order_by(VisitLog.began).limit(3).all()
    return session.query(Item).all()
"""
SHOP_TABLES = """
CREATE TABLE item (
    id bigserial PRIMARY KEY, size integer NOT NULL, other_id bigint NOT NULL REFERENCES item, code text NOT NULL,
    ready boolean, shown boolean, CONSTRAINT by_hand UNIQUE (code)
);
CREATE INDEX ix_hidden ON item (size);
CREATE INDEX ix_spanner ON item (code);
CREATE INDEX ix_by_hand ON item (code, size);
CREATE TABLE place (id bigserial PRIMARY KEY);
CREATE TABLE visit_log (id bigserial PRIMARY KEY, began bigint NOT NULL, ended bigint NOT NULL);
CREATE TABLE item_copy (code varchar(255));
"""


def test_what_autogenerate_compares_and_what_the_models_cure_already(tmp_path: Path) -> None:
    """Not drift: what the filters of env.py hide. Nothing besides drift: what the models have, and no revision does."""
    made = make(tmp_path)
    made.write("app.py", SHOP)
    made.write("migrations/env.py", "import sys\nsys.path.insert(0, '.')\n" + SHOP_ENV)
    made.sql("a1", SHOP_TABLES)
    formats = ("--format", "text", "--format", f"json={tmp_path / 'report.json'}")
    run = made.alembic("pgcheck", "--exit-zero", "--since", "base", *formats)
    assert run.returncode == 0, run.stdout + run.stderr
    document = json.loads((tmp_path / "report.json").read_text())
    drift = {item["object"]: item for item in document["findings"] if item["pattern"] == "model-drift"}
    assert set(drift) == {"public.ix_item_other_id", "public.ix_by_hand", "public.item.ready nullability"}
    assert drift["public.ix_by_hand"]["remedy"]["advice"].startswith("Declare it in the models; or let alembic")
    others = {(item["pattern"], item["object"]) for item in document["findings"]} & {
        ("unindexed-foreign-key", "public.item(other_id)"),
        ("nullable-flag", "public.item.ready"),
        ("nullable-flag", "public.item.shown"),
        ("varchar-length", "public.item_copy.code"),
        ("missing-primary-key", "public.item_copy"),
    }
    # An error stays, whoever uses the table.
    assert others == {("nullable-flag", "public.item.shown"), ("missing-primary-key", "public.item_copy")}
    guesses = {(item["pattern"], item["object"]) for item in document["guesses"]}
    assert guesses >= {("varchar-length", "public.item_copy.code")}
    searched = [item["object"] for item in document["findings"] if item["pattern"] == "query-without-index"]
    assert [name.split(" in ")[0] for name in searched] == ["public.visit_log(ended)"], (
        "to delete what is old is no search, and which filters are chosen is not known"
    )
    assert any("public.visit_log(began)" in object_ for _, object_ in guesses)
    version = (
        "No target_version is set, so nothing is proposed that needs more than PostgreSQL 13: "
        "say which version production runs."
    )
    assert run.stdout.count("target_version") == 1, "which version the remedies are for is said once"
    assert version in run.stdout
