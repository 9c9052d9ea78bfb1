"""Of which tables an application deletes rows, as its source says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evidence.test_source import read

EVERYTHING = frozenset({""})


@pytest.mark.parametrize(
    ("body", "tables", "names"),
    [
        ("def f(session, job: Job):\n    session.delete(job)", {"work.job"}, set()),
        ("def f(session):\n    job = session.query(Job).first()\n    session.delete(job)", {"work.job"}, set()),
        ("def f(session):\n    it = session.get(Job, 1)\n    session.delete(it)", {"work.job"}, set()),
        ("def f(session):\n    session.execute(delete(Job).where(Job.id == 1))", {"work.job"}, set()),
        ("def f(session):\n    session.query(Job).filter(Job.id == 1).delete()", {"work.job"}, set()),
        (
            "def f(session):\n    for kind in [Job, Team]:\n        session.execute(delete(kind))",
            {"work.job", "team"},
            set(),
        ),
        ("def f(session):\n    session.execute(text('DELETE FROM team'))", {"team"}, set()),
        ("def f(db, kind):\n    db.execute(delete(kind))", set(), {""}),
        ("def f(db, kind):\n    db.query(kind).delete()", set(), {""}),
        ("def f(session, found):\n    for member in found:\n        session.delete(member)", set(), {"member"}),
        ("def f(self):\n    self.session.delete(self.job)", set(), {"job"}),
        ("def f(db):\n    db.session.delete(find_team(1))", set(), {"find_team"}),
        # Not of a database, or not of a table that models declare.
        ("def f(self, key):\n    self.get_blob(key).delete()", set(), set()),
        (
            "def f(db, name, table: Job):\n    rows = sa.table(name, schema=s)\n"
            "    do = sa.delete(rows).where(sa.column('id') == 1)\n    db.execute(do)",
            set(),
            set(),
        ),
        ("def f(cache, key):\n    cache.delete(key)", set(), set()),
        ("def f(session, url):\n    session.delete(url)", set(), set()),
        ("def f(session):\n    session.delete('/jobs/1')", set(), set()),
        ("import httpx\ndef f():\n    httpx.delete(address)", set(), set()),
        ("def f(delete):\n    delete()", set(), set()),
    ],
)
def test_what_is_deleted(body: str, tables: set[str], names: set[str], tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        f"import sqlalchemy\nfrom sqlalchemy import delete, select, text\nfrom app.models import Job, Team\n{body}\n",
    )
    assert (evidence.deleted, evidence.deleted_names) == (tables, names)


def test_a_repository_deletes_what_its_classes_are_for(tmp_path: Path) -> None:
    source = """
    from sqlalchemy import delete
    from app.models import Job, Team

    class Repository:
        def remove(self, session, key):
            session.execute(delete(self.model).where(self.model.id == key))

    class Jobs(Repository):
        model = Job

    class Teams(Repository):
        model = Team
    """
    evidence = read(tmp_path, source)
    assert (evidence.deleted, evidence.deleted_names) == ({"work.job", "team"}, set())


def test_a_mixin_deletes_rows_of_all_that_have_it(tmp_path: Path) -> None:
    models = """
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    class Base(DeclarativeBase):
        def remove(self, session):
            session.delete(self)

    class Pen(Base):
        __tablename__ = "pen"
        id: Mapped[int] = mapped_column(primary_key=True)
    """
    evidence = read(tmp_path, "", pens=models)
    assert (evidence.deleted, evidence.deleted_names) == ({"pen"}, set())
