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
    return document["findings"], document["skipped"]


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
    assert drifts(made) == ["column public.item.name: type is text in the models, character varying(255) at head"]


def drifts(made: Project) -> list[str]:
    """The differences, with a pattern selected that autogenerate would enforce."""
    found, _ = findings(made, "--select", "model-drift,varchar-length", "--since", "base")
    return [item["message"] for item in found if item["pattern"] == "model-drift"]
