"""A project's own source as evidence: what a query supports is a finding, the rest are guesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import projects

MODELS = """
from sqlalchemy import BigInteger, Boolean
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    is_lost: Mapped[bool] = mapped_column(Boolean, index=True)
    labels: Mapped[dict] = mapped_column(JSONB)
"""
QUERIES = """
from app.models import Parcel
from sqlalchemy import select


def lost(session):
    return session.scalars(select(Parcel).where(Parcel.is_lost))
"""
TABLE = """
CREATE TABLE parcel (id bigserial PRIMARY KEY, is_lost boolean NOT NULL, labels jsonb NOT NULL);
CREATE INDEX ix_parcel_is_lost ON parcel (is_lost);
"""


@pytest.fixture
def project(tmp_path: Path) -> projects.Project:
    project = projects.make(tmp_path)
    project.write("app/__init__.py", "")
    project.write("app/models.py", MODELS)
    project.write("app/queries.py", QUERIES)
    project.env(
        models="import sys; sys.path.insert(0, '.')\nfrom app.models import Base\n",
        head="target_metadata = Base.metadata\n",
    )
    project.sql("r0", TABLE)
    return project


def report(project: projects.Project, *arguments: str) -> dict[str, Any]:
    run = project.alembic("pgcheck", "--select", "indexes", "--exit-zero", "--format", "json", *arguments)
    assert run.returncode == 0, run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return document


def test_a_finding_names_its_query_and_a_guess_is_none(project: projects.Project) -> None:
    document = report(project)
    (finding,) = document["findings"]
    assert finding["message"].endswith("only true is searched for in 1 query, app/queries.py:7")
    assert [guess["pattern"] for guess in document["guesses"]] == ["unindexed-document"]
    text = project.alembic("pgcheck", "--select", "indexes", "--fail-on", "info").stdout
    assert "1 guess without evidence in the application's queries: --guesses shows them." in text
    shown = project.alembic("pgcheck", "--select", "indexes", "--guesses").stdout
    assert "unindexed-document" in shown and "--guesses shows" not in shown


@pytest.mark.long
def test_guesses_alone_fail_nothing(project: projects.Project) -> None:
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nsource = ["elsewhere"]\n')
    document = report(project)
    assert document["findings"] == []
    assert len(document["guesses"]) == 2
    assert project.alembic("pgcheck", "--select", "indexes", "--fail-on", "info").returncode == 0
