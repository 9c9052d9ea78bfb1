"""An application's source, as people write it, and the queries that are read off it."""

from __future__ import annotations

import pickle
import textwrap
from pathlib import Path

import pytest

from alembic_pgpatterns.evidence.model import Evidence, QueryShape
from alembic_pgpatterns.evidence.source import read_source

MODELS = """
from __future__ import annotations
import enum
from datetime import datetime
from sqlalchemy import Boolean, Column, ForeignKey, Integer, MetaData, String, Table, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class Timestamps:
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]

    @hybrid_property
    def is_deleted(self):
        return self.deleted_at is not None

class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

class Job(Timestamps, Base):
    __tablename__ = "job"
    __table_args__ = {"schema": "work"}
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    status: Mapped[str] = mapped_column("state", String)
    urgent = Column(Boolean)
    tags = Column(ARRAY(String))
    data = Column(JSONB)
    email: Mapped[str]
    team: Mapped[Team] = relationship()

    @hybrid_property
    def is_open(self):
        return self.status == "new"

    @is_open.inplace.expression
    @classmethod
    def _is_open(cls):
        return and_(cls.status == State.fresh, cls.deleted_at.is_(None), cls.id < 7)

    @hybrid_property
    def email_key(self):
        return self.email.lower()

audit = Table("audit", MetaData(), Column("id", Integer), Column("actor", String))
"""


def read(folder: Path, source: str, **more: str) -> Evidence:
    files = {"app/__init__.py": "from app.models import Job, Team", "app/models.py": MODELS, "app/queries.py": source}
    files |= {f"app/{name}.py": text for name, text in more.items()}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    return read_source([folder], folder)


def shown(shape: QueryShape) -> str:
    """A shape on one line."""
    parts = []
    for item in shape.conditions:
        name = f"{item.function}({item.column})" if item.function else item.column
        other = f" {'.'.join(item.other)}" if item.other else ""
        marks = ("|" if item.alternative else "") + ("?" if item.optional else "")
        parts.append(f"{name} {item.use}{f' {item.literal}' if item.literal else ''}{other}{marks}")
    order = [f"{key.column}{' desc' if key.descending else ''}" for key in shape.order]
    tail = [f"order {', '.join(order)}"] if order else []
    tail += ["limit" + (f" {shape.limit_rows}" if shape.limit_rows else "")] if shape.limit else []
    tail += [f"for {shape.lock}{' skip locked' if shape.skip_locked else ''}"] if shape.lock else []
    tail += [] if shape.complete else ["incomplete"]
    command = "" if shape.command == "select" else f"{shape.command} "
    return f"{command}{shape.table}: " + "; ".join([*parts, *tail])


HEADER = "import sqlalchemy as sa\nfrom sqlalchemy import and_, delete, desc, func, or_, not_, select, text, update\n"
HEADER += "from sqlalchemy.orm import aliased\nfrom app.models import Job, Team, audit\n\n"
CASES = {
    "where": (
        "select(Job).where(Job.team_id == 7, Job.status == 'done')",
        ["work.job: team_id equal 7; state equal 'done'"],
    ),
    "query": ("session.query(Job).filter(Job.team_id == x).first()", ["work.job: team_id equal; limit 1"]),
    "filter by": ("session.query(Job).filter_by(team_id=x, status='a')", ["work.job: team_id equal; state equal 'a'"]),
    "filter by of what was joined": (
        "session.query(Job).join(Job.team).filter_by(name=x)",
        ["work.job: ", "team: name equal"],
    ),
    "flask": (
        "Job.query.filter_by(team_id=x).order_by(Job.id.desc()).paginate()",
        ["work.job: team_id equal; order id desc; limit"],
    ),
    "an alias": ("J = aliased(Job)\n    select(J).where(J.team_id == x)", ["work.job: team_id equal"]),
    "a variable": (
        "q = select(Job)\n    q = q.where(Job.team_id == x)\n    if x:\n        q = q.where(Job.urgent)\n"
        "    q = q.limit(9)",
        ["work.job: team_id equal; urgent equal true?; limit 9"],
    ),
    "a list of conditions": (
        "c = [Job.team_id == x]\n    if x:\n        c.append(Job.urgent == True)\n    select(Job).where(*c)",
        ["work.job: team_id equal; urgent equal true?"],
    ),
    "a dictionary": ("w = dict(team_id=x)\n    session.query(Job).filter_by(**w)", ["work.job: team_id equal"]),
    "and or not": (
        "select(Job).where(and_(Job.id > 3, or_(Job.team_id == x, Job.email == x)), not_(Job.urgent))",
        ["work.job: id range 3; team_id equal|; email equal|; urgent equal false"],
    ),
    "operators": (
        "select(Job).where((Job.id > 3) & ~Job.urgent | (Job.team_id == x))",
        ["work.job: id range 3|; urgent equal false|; team_id equal|"],
    ),
    "or of one column": ("select(Job).where(or_(Job.id == 1, Job.id == 2))", ["work.job: id member"]),
    "null": (
        "select(Job).where(Job.deleted_at.is_(None), Job.email != None, Job.id.is_not(None))",
        ["work.job: deleted_at is null; email is not null; id is not null"],
    ),
    "in and between": (
        "select(Job).where(Job.id.in_(xs), Job.team_id.not_in(xs), Job.created_at.between(a, b))",
        ["work.job: id member; team_id not equal; created_at range"],
    ),
    "like": (
        "select(Job).where(Job.email.like('a%'), Job.email.ilike('a%'), Job.email.like(f'%{x}'), "
        "Job.email.startswith(x), Job.email.contains(x))",
        ["work.job: email prefix 'a%'; email pattern 'a%'; email pattern; email prefix"],
    ),
    "containers": (
        "select(Job).where(Job.tags.contains([x]), Job.tags.overlap(x), "
        "Job.data.has_key('a'), Job.data['a'].astext == x, "
        "Job.tags.any(x), Job.data.op('@>')(x))",
        ["work.job: tags contains; tags overlap; data key; data path; data contains"],
    ),
    "a function": ("select(Job).where(func.lower(Job.email) == x.lower())", ["work.job: lower(email) equal"]),
    "a hybrid property": ("select(Job).where(~Job.is_deleted)", ["work.job: deleted_at is null"]),
    "a join": (
        "select(Job).join(Team, Team.id == Job.team_id).where(Team.name == x)",
        ["work.job: team_id join team.id", "team: id join work.job.team_id; name equal"],
    ),
    "order": (
        "select(Job).order_by(desc(Job.created_at), Job.id.asc(), 'email')",
        ["work.job: order created_at desc, id, email"],
    ),
    "a lock": (
        "select(Job).where(Job.status == 'new').with_for_update(skip_locked=True).limit(1)",
        ["work.job: state equal 'new'; limit 1; for update skip locked"],
    ),
    "update and delete": (
        "update(Job).where(Job.id == x).values(urgent=True)\n    session.query(Job).filter(Job.team_id == x).delete()",
        ["update work.job: id equal", "delete work.job: team_id equal"],
    ),
    "get": ("session.get(Job, x)", ["work.job: id equal; limit 1"]),
    "a hybrid property that tests several columns": (
        "select(Job).where(Job.is_open)",
        ["work.job: state equal 'fresh'; deleted_at is null; id range"],
    ),
    "not a hybrid property that tests several columns": ("select(Job).where(~Job.is_open)", ["work.job: incomplete"]),
    "a hybrid property that is a function": (
        "select(Job).where(Job.email_key == x)",
        ["work.job: lower(email) equal"],
    ),
    "a core table": ("select(audit.c.id).where(audit.c.actor == x)", ["audit: actor equal"]),
    "by the module": (
        "sa.select(Job).where(sa.or_(Job.id == x, Job.email == x))",
        ["work.job: id equal|; email equal|"],
    ),
    "sql": (
        "session.execute(text('SELECT * FROM work.job WHERE team_id = :t AND urgent AND lower(email) "
        "LIKE :e ORDER BY id DESC LIMIT 5'))",
        ["work.job: team_id equal; urgent equal true; lower(email) pattern; order id desc; limit"],
    ),
    "a piece of sql": ("select(Job).where(text('team_id = :t'))", ["work.job: team_id equal"]),
    "driver sql": ("cursor.execute('DELETE FROM audit WHERE actor = %s', (x,))", ["delete audit: actor equal"]),
    "a relationship": (
        "select(Job).where(Job.team == x)\n    session.query(Job).filter_by(team=x)",
        ["work.job: team_id equal"],
    ),
    "having": ("select(Job.team_id).group_by(Job.team_id).having(func.count(Job.id) == 1)", ["work.job: "]),
    "one query per branch": (
        "if x:\n        q = session.query(Job).filter(Job.id == x)\n"
        "    else:\n        q = session.query(Job).filter_by(email=x)",
        ["work.job: id equal", "work.job: email equal"],
    ),
    "what is not understood": ("select(Job).where(whatever(x), Job.id == x)", ["work.job: id equal; incomplete"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_query(case: str, tmp_path: Path) -> None:
    code, expected = CASES[case]
    evidence = read(tmp_path, f"{HEADER}def find(session, x, xs, a, b, cursor):\n    {code}\n")
    assert sorted(map(shown, evidence.shapes)) == sorted(expected)


def test_a_repository_that_inherits_how_its_queries_begin(tmp_path: Path) -> None:
    base = HEADER + "class Repo:\n    model: type\n\n    def base(self):\n        return select(self.model)\n"
    use = "from app.base import Repo\nfrom app.models import Job, Team\n\n"
    for name, model, word in (("Jobs", "Job", "team_id"), ("Teams", "Team", "name")):
        use += f"class {name}(Repo):\n    model = {model}\n\n    def found(self, x):\n"
        use += f"        return self.session.scalars(self.base().filter_by({word}=x))\n\n"
    shapes = [shown(shape) for shape in read(tmp_path, use, base=base).shapes]
    assert sorted(shapes) == ["team: name equal", "work.job: team_id equal"]


def test_short_names_of_a_module(tmp_path: Path) -> None:
    code = HEADER + "a = audit.c\nliving = Job.deleted_at.is_(None)\n\n"
    code += "def one(x, some):\n    q = select(a.id).where(a.actor == x)\n    return q\n\n"
    code += (
        "def two(x, a):\n    q = select(Job)\n    if x:\n        q = q.where(living)\n    return q.where(a.id == 3)\n\n"
    )
    code += "def three(x):\n    return select(Job).where(living, Job.team_id == x)\n"
    shapes = [shown(shape) for shape in read(tmp_path, code).shapes]
    assert "audit: actor equal" in shapes
    assert "work.job: deleted_at is null; team_id equal" in shapes
    assert not any("audit" in shape and "id equal" in shape for shape in shapes)


def test_an_sql_text_is_at_its_function(tmp_path: Path) -> None:
    code = "def clean(session):\n    sql = 'DELETE FROM audit WHERE actor = 3'\n    session.execute(text(sql))\n"
    evidence = read(tmp_path, f"{HEADER}{code}\ntext('DELETE FROM audit WHERE id = 3')\n")
    places = [place for shape in evidence.shapes for place in shape.places]
    assert sorted(place.function for place in places) == ["<module>", "clean"]


def test_a_query_through_functions_and_files(tmp_path: Path) -> None:
    """The shape that runs, once, at the place that finishes it."""
    base = HEADER + "def living():\n    return select(Job).where(Job.deleted_at.is_(None))\n\n"
    base += "def newest(query):\n    return query.order_by(Job.created_at.desc())\n"
    use = "from app.base import living, newest\nfrom app.models import Job\n\n"
    use += "def of_team(session, x):\n    return session.execute(newest(living().where(Job.team_id == x)))\n"
    evidence = read(tmp_path, use, base=base)
    assert list(map(shown, evidence.shapes)) == ["work.job: deleted_at is null; team_id equal; order created_at desc"]
    assert str(evidence.shapes[0].places[0]) == "app/queries.py:5"


def test_repositories_and_services(tmp_path: Path) -> None:
    """A method of a base class asks for each class that a subclass is for."""
    source = """
    from typing import Generic, TypeVar
    from sqlalchemy import select
    from app.models import Job, Team
    T = TypeVar("T")

    class Repository(Generic[T]):
        model: type[T]
        def base(self):
            return select(self.model)
        def by_id(self, session, key):
            return session.scalar(self.base().where(self.model.id == key))

    class Jobs(Repository[Job]):
        model = Job
        def of_team(self, session, key):
            return session.scalars(self.base().where(Job.team_id == key))

    class Teams(Repository[Team]):
        pass
    """
    shapes = sorted(map(shown, read(tmp_path, source).shapes))
    assert shapes == ["team: id equal", "work.job: id equal", "work.job: team_id equal"]


def test_repositories_of_advanced_alchemy(tmp_path: Path) -> None:
    source = """
    from advanced_alchemy.repository import SQLAlchemyAsyncRepository
    from advanced_alchemy.service import SQLAlchemyAsyncRepositoryService
    from app.models import Job

    class JobService(SQLAlchemyAsyncRepositoryService[Job]):
        class Repo(SQLAlchemyAsyncRepository[Job]):
            model_type = Job
        repository_type = Repo

    async def find(jobs: JobService, key):
        await jobs.get_one_or_none(team_id=key, email=key)
        await jobs.list(Job.urgent.is_(True))
    """
    assert sorted(map(shown, read(tmp_path, source).shapes)) == [
        "work.job: team_id equal; email equal",
        "work.job: urgent equal true",
    ]


def test_sqlmodel(tmp_path: Path) -> None:
    source = """
    from sqlmodel import Field, SQLModel, col, select

    class HeroBase(SQLModel):
        name: str
        age: int | None = Field(default=None, index=True)

    class Hero(HeroBase, table=True):
        id: int | None = Field(default=None, primary_key=True)

    def find(session, x):
        session.exec(select(Hero).where(Hero.name == x, col(Hero.age) > 3).order_by(Hero.id))
    """
    assert list(map(shown, read(tmp_path, source).shapes)) == ["hero: name equal; age range 3; order id"]


def test_a_class_asks_for_itself(tmp_path: Path) -> None:
    source = """
    from app.models import Base
    from sqlalchemy import select
    from sqlalchemy.orm import Mapped, mapped_column

    class User(Base):
        __tablename__ = "user"
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str]

        @classmethod
        def find(cls, session, email):
            return session.scalar(select(cls).where(cls.email == email))
    """
    assert list(map(shown, read(tmp_path, source).shapes)) == ["user: email equal"]


def test_what_is_added_and_how_much_was_understood(tmp_path: Path) -> None:
    source = (
        HEADER + "def f(session, x):\n    session.add(Team(name=x))\n    select(Job).where(x)\n"
        "    select(Team).where(Team.id == x)\n"
    )
    evidence = read(tmp_path, source)
    assert list(evidence.inserted) == ["team"]
    assert (evidence.queries, evidence.understood) == (2, 1)
    assert [str(use.use) for use in evidence.uses("public", "team", "id")] == ["equal"]


def test_tables_by_the_place_of_their_columns(tmp_path: Path) -> None:
    """A table's name that only a running program knows comes from the loaded models."""
    models = "from app.models import Base\nfrom sqlalchemy import Column, Integer\n\nclass Odd(Base):\n"
    models += "    id = Column(Integer, primary_key=True)\n"
    read(
        tmp_path, "from app.odd import Odd\nfrom sqlalchemy import select\nselect(Odd).where(Odd.id == 1)\n", odd=models
    )
    evidence = read_source([tmp_path], tmp_path, {("app/odd.py", 5): "x.t_odd"})
    assert list(map(shown, evidence.shapes)) == ["x.t_odd: id equal 1"]


def test_files_that_are_not_the_applications(tmp_path: Path) -> None:
    query = f"{HEADER}select(Job).where(Job.id == 1)\n"
    for name in ("tests/a.py", "migrations/versions/b.py", ".venv/lib/c.py", "app/test_d.py", "conftest.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(query)
    assert read(tmp_path, "").shapes == ()


def test_a_file_that_is_no_python_is_told(tmp_path: Path) -> None:
    evidence = read(tmp_path, "select(\n")
    assert [text.split(":")[0] for text in evidence.unread] == ["app/queries.py"]


MARKED = """
from app.models import Job, Team

class SoftDeleted:
    def remove(self):
        self.deleted_at = now()
        self.urgent = False
        self.nowhere = 1

class OldJob(SoftDeleted, Job):
    pass

class Report:
    def __init__(self, job: Job):
        self.email = "mine"
        job.status = "reported"

def restore(session, x):
    found = session.query(Team).first()
    found.name = "again"
    found.deleted_at = None
"""


def test_what_is_assigned_to_rows(tmp_path: Path) -> None:
    """By the class of self and all below it; None and False take a mark away; of other objects only the name counts."""
    evidence = read(tmp_path, MARKED)
    assert evidence.assigned == {("work.job", "deleted_at"), ("work.job", "state"), ("", "name")}
    assert evidence.may_set("work", "job", "deleted_at") and evidence.may_set("public", "team", "name")
    assert not evidence.may_set("public", "team", "deleted_at")


@pytest.mark.parametrize(
    ("code", "assigned"),
    [
        ("update(Job).values(urgent=True, status=x)", {"urgent", "state"}),
        ("update(Job).values({Job.email: x, 'team_id': 3})", {"email", "team_id"}),
        ("session.query(Job).update({'urgent': True}, synchronize_session=False)", {"urgent"}),
        ("w = {'email': x}\n    session.query(Job).update(w)", {"email"}),
        ("update(Job).values(x)", set()),
        ("session.execute(text('UPDATE work.job SET email = :x, urgent = true WHERE id = 3'))", {"email", "urgent"}),
    ],
)
def test_what_an_update_sets(code: str, assigned: set[str], tmp_path: Path) -> None:
    (shape,) = read(tmp_path, f"{HEADER}def change(session, x):\n    {code}\n").shapes
    assert (shape.command, set(shape.assigned)) == ("update", assigned)


@pytest.mark.parametrize(
    ("condition", "operators"),
    [
        ("Job.id < x", ["<"]),
        ("x < Job.id", [">"]),
        ("~(Job.id >= x)", ["<"]),
        ("Job.id.between(a, b)", ["between"]),
        ("and_(Job.id > a, Job.id <= b)", [">", "<="]),
        ("Job.id.op('<')(x)", ["<"]),
        ("text('id < :x')", ["<"]),
        ("text('3 >= id')", ["<="]),
        ("text('id BETWEEN 3 AND 4')", ["between"]),
        ("Job.id == x", [""]),
    ],
)
def test_how_a_range_is_written(condition: str, operators: list[str], tmp_path: Path) -> None:
    (shape,) = read(tmp_path, f"{HEADER}def find(x, a, b):\n    select(Job).where({condition})\n").shapes
    assert [item.operator for item in shape.conditions] == operators


def test_what_is_kept_is_used_and_can_run_nothing(tmp_path: Path) -> None:
    read(tmp_path, f"{HEADER}select(Job).where(Job.id == 1)\n")
    cache = tmp_path / ".cache"
    first = read_source([tmp_path], tmp_path, cache=cache)
    (kept,) = cache.glob("*.pickle")
    assert read_source([tmp_path], tmp_path, cache=cache) == first
    kept.write_bytes(pickle.dumps({"x": Path("/")}))
    assert read_source([tmp_path], tmp_path, cache=cache) == first


def test_what_is_optional(tmp_path: Path) -> None:
    """Only what is added deeper than its query begins: not all that stands in a loop."""
    source = """
    from sqlalchemy import select
    from app.models import Job

    def chosen(columns):
        return select(*columns)

    def run(session, keys, late):
        for key in keys:
            session.scalars(chosen([Job.id]).where(Job.email == key))
            conditions = []
            conditions.append(Job.team_id == key)
            query = select(Job).where(*conditions)
            if late:
                query = query.where(Job.urgent == True)
            session.scalars(query)
    """
    found = {item.column: item.optional for shape in read(tmp_path, source).shapes for item in shape.conditions}
    assert found == {"email": False, "team_id": False, "urgent": True}


def test_a_query_that_comes_to_its_rows_through_another_table(tmp_path: Path) -> None:
    source = """
    from app.models import Job, Team

    def run(session):
        session.query(Job).join(Job.team).filter(Job.email == "x").all()
        session.query(Team).filter(Team.name == "y").all()
    """
    assert {shape.table: shape.alone for shape in read(tmp_path, source).shapes if shape.conditions} == {
        "work.job": False,
        "team": True,
    }


def test_classes_of_one_name_that_are_each_others_bases(tmp_path: Path) -> None:
    twin = """
    from elsewhere import Asset as Foreign
    from sqlalchemy.orm import Mapped, mapped_column

    class Asset(Foreign):
        id: Mapped[int] = mapped_column(primary_key=True)
    """
    evidence = read(tmp_path, "from sqlalchemy import select\nselect(Job).where(Job.email == x)", one=twin, two=twin)
    assert not evidence.unread


def test_what_the_source_says_beside_its_queries(tmp_path: Path) -> None:
    """Columns that a helper compares for queries of others, and options of other databases under a condition."""
    evidence = read(
        tmp_path,
        """
        from app.models import Job
        def conditions(urgent, engine):
            options = {"mysql_engine": "InnoDB"} if engine == "mysql" else {}
            return [Job.urgent == urgent, Job.email == "a"], options

        class Wanted:
            team_id: int = 1

        def more(wanted: Wanted):
            return [Job.team_id == wanted.team_id]
        """,
    )
    varying = {column for table, column in evidence.varying if table == "work.job"}
    assert {"urgent", "team_id"} <= varying and "email" not in varying
    assert evidence.databases == {"mysql"}
