"""``alembic pgfix`` as a user runs it: what it writes is right, or it writes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.projects import BOOKS_AND_AUTHORS, Project, make

BOOKS = """
CREATE TABLE author (id bigserial PRIMARY KEY);
CREATE TABLE book (id bigserial PRIMARY KEY,
  author_id bigint CONSTRAINT book_author_id_fkey REFERENCES author, title varchar(255));
CREATE TABLE note (line text);
"""
IMPORT = "import sys; sys.path.insert(0, '.')\nfrom shop_models import Base\ntarget_metadata = Base.metadata"


@pytest.fixture
def books(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.write("shop_models.py", BOOKS_AND_AUTHORS)
    project.env(models=IMPORT)
    project.sql("a1", BOOKS)
    return project


def found(project: Project, *arguments: str) -> dict[str, Any]:
    run = project.alembic("pgcheck", "--format", "json", "--exit-zero", *arguments)
    assert run.returncode == 0, run.stderr
    return {finding["fingerprint"]: finding for finding in json.loads(run.stdout)["findings"]}


def files(project: Project) -> set[str]:
    return {path.name for path in project.versions.glob("*.py")}


def test_everything_that_can_be_fixed_is(books: Project) -> None:
    run = books.alembic("pgfix", "--all", "--models")
    assert run.returncode == 1, run.stderr
    assert "Models and database agree" in run.stdout
    assert "Generating" not in run.stdout + run.stderr
    assert "missing-primary-key public.note: a person has to decide" in run.stdout
    models = (books.folder / "shop_models.py").read_text()
    assert 'mapped_column(ForeignKey("author.id"), index=True)' in models
    assert "title: Mapped[str | None] = mapped_column(Text)" in models
    assert "index-on-sparse-foreign-key" not in run.stdout, "a guess, which pgcheck hides"
    chosen = ("--select", "indexes,types,model-drift")
    assert set(found(books, *chosen)) == set()


@pytest.mark.long
def test_it_is_the_next_revision_and_concurrent(books: Project) -> None:
    run = books.alembic("pgfix", "--select", "unindexed-foreign-key", "-m", "keys")
    assert run.returncode == 1, "the models have to be written by a person"
    (name,) = files(books) - {"a1.py"}
    text = (books.versions / name).read_text()
    assert name.endswith("_keys.py")
    assert "down_revision = 'a1'" in text
    assert "postgresql_concurrently=True" in text
    assert "autocommit_block" in text


@pytest.mark.long
def test_models_that_do_not_say_so_are_told(books: Project) -> None:
    run = books.alembic("pgfix", "book", "--ignore", "varchar-length")
    assert run.returncode == 1, run.stderr
    assert 'shop_models.py:18: Index("ix_book_author_id", "author_id")' in run.stdout
    assert (books.folder / "shop_models.py").read_text() == BOOKS_AND_AUTHORS


@pytest.mark.long
def test_what_the_baseline_accepted_is_paid(books: Project) -> None:
    assert books.alembic("pgcheck", "--write-baseline").returncode == 0
    path = books.folder / "pgpatterns-baseline.txt"
    assert "varchar-length public.book.title" in path.read_text()
    run = books.alembic("pgfix", "--select", "varchar-length")
    assert run.returncode == 1, run.stderr
    assert "varchar-length" not in path.read_text()
    assert "missing-primary-key public.note" in path.read_text()
    assert not [name for name in found(books) if name.startswith("varchar-length")]


@pytest.mark.long
def test_only_what_autogenerate_would_undo_is_for_the_models(books: Project) -> None:
    """Where env.py names the plugin, it makes text of ``String(255)`` itself; a time zone it only suggests."""
    books.env(models=IMPORT, options='autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]')
    imports = "from datetime import datetime\nfrom sqlalchemy import DateTime\n"
    seen = "    seen: Mapped[datetime] = mapped_column(DateTime)\n"
    books.write("shop_models.py", imports + BOOKS_AND_AUTHORS + seen)
    books.sql("b2", "ALTER TABLE book ADD COLUMN seen timestamp NOT NULL", down="a1")
    assert books.alembic("pgcheck", "--write-baseline").returncode == 0
    run = books.alembic("pgfix", "--select", "varchar-length,timestamp-without-time-zone")
    assert "DateTime(timezone=True)" in run.stdout and "mapped_column(Text)" not in run.stdout, run.stdout


@pytest.mark.long
def test_a_dry_run_leaves_nothing(books: Project) -> None:
    before = {path: path.read_bytes() for path in books.folder.rglob("*") if path.suffix in (".py", ".txt")}
    run = books.alembic("pgfix", "--all", "--models", "--dry-run")
    assert run.returncode == 1, "as without --dry-run: a finding is left"
    assert run.stdout.startswith("--- /dev/null\n+++ b/migrations/versions/")
    assert "+++ b/shop_models.py" in run.stdout
    assert "dry run: nothing is written" in run.stdout
    assert {path: path.read_bytes() for path in books.folder.rglob("*") if path.suffix in (".py", ".txt")} == before


def test_nothing_to_do(books: Project) -> None:
    run = books.alembic("pgfix", "author")
    assert run.returncode == 0, run.stderr
    assert "0 findings fixed" in run.stdout
    assert files(books) == {"a1.py"}


@pytest.mark.long
def test_what_postgresql_refuses_is_left_with_the_reason(books: Project) -> None:
    function = "CREATE FUNCTION whole(t titles) RETURNS text LANGUAGE sql AS 'SELECT t.title'"
    books.sql("b2", f"CREATE VIEW titles AS SELECT title FROM book; {function}", down="a1")
    run = books.alembic("pgfix", "--select", "varchar-length,unindexed-foreign-key")
    assert run.returncode == 1, run.stderr
    assert "1 finding fixed" in run.stdout
    assert "titles" in run.stdout
    assert len(files(books)) == 3


READ = """
CREATE TABLE item (id serial PRIMARY KEY, code varchar(255), name varchar(255), made timestamp DEFAULT now() NOT NULL,
  words tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, name::text)) STORED);
CREATE INDEX item_words ON item USING gin (words);
CREATE VIEW codes AS SELECT id, code, made FROM item;
CREATE MATERIALIZED VIEW days AS SELECT made::date AS day, count(*) AS items FROM codes GROUP BY made::date;
CREATE POLICY mine ON item USING (id > 0);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER noted BEFORE UPDATE OF code ON item FOR EACH ROW EXECUTE FUNCTION noted();
"""


@pytest.mark.long
def test_what_reads_a_column_makes_way_for_its_new_type(tmp_path: Path) -> None:
    """A view, a materialised view, a policy, a trigger, a stored generated column: nothing is left to do by hand."""
    project = make(tmp_path)
    project.sql("a1", READ)
    patterns = "integer-primary-key,varchar-length,timestamp-without-time-zone"
    advised = found(project, "--select", patterns)
    texts = [finding["remedy"]["advice"] for finding in advised.values()]
    assert texts and all(text.startswith("alembic pgfix changes public.item.") for text in texts)
    run = project.alembic("pgfix", "--select", patterns)
    assert run.returncode == 0 and "4 findings fixed" in run.stdout, run.stdout + run.stderr
    assert found(project, "--select", patterns) == {}


SEASONED_MODELS = """
import uuid
from datetime import datetime

from sqlalchemy import DateTime, Index, String, Uuid, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Member(Base):
    __tablename__ = "member"
    __table_args__ = (Index("member_email", text("lower(email)"), unique=True),)
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    email: Mapped[str] = mapped_column(String(255))
    plan: Mapped[str] = mapped_column(String(20), server_default="free", comment="what is paid: for")
    joined_at: Mapped[datetime] = mapped_column(DateTime, server_default=text("now()"))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
"""
SEASONED = """
CREATE TABLE member (id uuid PRIMARY KEY, email varchar(255) NOT NULL, plan varchar(20) DEFAULT 'free' NOT NULL,
  joined_at timestamp DEFAULT now() NOT NULL, deleted_at timestamptz);
COMMENT ON COLUMN member.plan IS 'what is paid: for';
CREATE UNIQUE INDEX member_email ON member (lower(email));
"""


@pytest.mark.long
def test_the_way_back_keeps_defaults_comments_and_uniqueness(tmp_path: Path) -> None:
    """`--all` on what old tables have: each was once lost by the downgrade, and pgfix then refused all of it."""
    project = make(tmp_path)
    project.write("shop_models.py", SEASONED_MODELS)
    project.env(models=IMPORT)
    project.sql("a1", SEASONED)
    run = project.alembic("pgfix", "--all")
    assert run.returncode == 1, run.stderr
    assert "random-uuid-primary-key public.member.id: a person has to decide" in run.stdout
    written = "".join((project.versions / name).read_text() for name in files(project) - {"a1.py"})
    assert written.count("execute(\"SET LOCAL TimeZone = 'UTC'\")\n    op.alter_column('member', 'joined_at'") == 2
    for fingerprint in ("varchar-length public.member.plan", "unique-across-soft-deleted public.member_email"):
        assert fingerprint not in found(project)


@pytest.mark.long
def test_a_remedy_of_plain_sql_limits_its_wait(tmp_path: Path) -> None:
    project = make(tmp_path)
    item = 'Table("item", metadata, Column("code", Text, nullable=False, unique=True))'
    project.write("shop_models.py", f"from sqlalchemy import *\n\nmetadata = MetaData()\n{item}\n")
    project.env(models="from shop_models import metadata as target_metadata")
    project.sql("a1", "CREATE TABLE item (code text NOT NULL UNIQUE)")
    run = project.alembic("pgfix", "--select", "missing-primary-key")
    assert run.returncode == 1, "the models have no primary key yet"
    (written,) = files(project) - {"a1.py"}
    assert (project.versions / written).read_text().count("SET LOCAL lock_timeout = '5s'") == 2
    assert "missing-lock-timeout" not in project.alembic("pgcheck", "--since", "a1", "--all", "--exit-zero").stdout


@pytest.mark.parametrize("arguments", [(), ("--select", "no-such-pattern")])
def test_wrong_use(books: Project, arguments: tuple[str, ...]) -> None:
    run = books.alembic("pgfix", *arguments)
    assert run.returncode == 2
    assert "alembic pgfix:" in run.stderr


def test_a_table_that_is_not_there_is_told(books: Project) -> None:
    run = books.alembic("pgfix", "boook")
    assert run.returncode == 2
    assert "alembic pgfix: there is no table 'boook' at head. Did you mean 'book'" in run.stderr


@pytest.mark.long
def test_a_failure_leaves_nothing_behind(books: Project) -> None:
    """A template whose downgrade fails: the chain is run before it may stay."""
    mako = (books.folder / "migrations/script.py.mako").read_text()
    broken = mako.replace("def downgrade():\n", "def downgrade():\n    raise ValueError\n")
    books.write("migrations/script.py.mako", broken)
    run = books.alembic("pgfix", "--all", "--models")
    assert run.returncode == 255
    assert "downgrade failed" in run.stderr
    assert "Traceback" not in run.stderr
    assert files(books) == {"a1.py"}
    assert (books.folder / "shop_models.py").read_text() == BOOKS_AND_AUTHORS


FAILS = """
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_query() LIKE '%CONCURRENTLY%author_id%' THEN RAISE 'not on a day like this'; END IF;
END $$;
CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION refuse();
"""
LEAVES = """
CREATE FUNCTION leave() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_name = 'ix_book_author_id') THEN
    ALTER TABLE book ADD COLUMN IF NOT EXISTS left_behind integer;
  END IF;
END $$;
CREATE EVENT TRIGGER leave ON sql_drop EXECUTE FUNCTION leave();
"""


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        (FAILS, "its revision fails: upgrade failed:"),
        pytest.param(
            LEAVES,
            "the downgrade of its revision would not restore the schema: column public.book.left_behind is left behind",
            marks=pytest.mark.long,
        ),
    ],
)
def test_one_that_cannot_be_proven_takes_no_other_along(books: Project, trigger: str, reason: str) -> None:
    books.sql("b2", "CREATE TABLE shelf (id bigserial PRIMARY KEY, book_id bigint REFERENCES book)", down="a1")
    books.sql("c3", trigger, down="b2")
    run = books.alembic("pgfix", "--select", "unindexed-foreign-key", "shelf", "book")
    assert run.returncode == 1, run.stderr
    assert "unindexed-foreign-key public.book(author_id)" in run.stdout
    assert reason in run.stdout
    (name,) = files(books) - {"a1.py", "b2.py", "c3.py"}
    text = (books.versions / name).read_text()
    assert "ix_shelf_book_id" in text and "ix_book_author_id" not in text


@pytest.mark.long
def test_several_heads_want_one_named(books: Project) -> None:
    books.sql("b2", "CREATE TABLE b (id bigint PRIMARY KEY)", down="a1")
    books.sql("c3", "CREATE TABLE c (id bigint PRIMARY KEY)", down="a1")
    run = books.alembic("pgfix", "--select", "unindexed-foreign-key")
    assert run.returncode == 255
    assert "2 heads: b2, c3." in run.stderr and "(--head), or make one of them: alembic pgrebase" in run.stderr
    for command in (("pgrevision", "-m", "x"), ("pgrevision", "-m", "x", "--autogenerate")):
        assert "make one of them: alembic pgrebase" in books.alembic(*command).stderr
    assert books.alembic("pgfix", "--select", "unindexed-foreign-key", "--head", "c3").returncode == 1


WORKLOAD = [
    {"workload": 1, "source": "pytest", "engines": [], "notes": []},
    {
        "fingerprint": "f1",
        "text": "SELECT id FROM book WHERE title = $1 ORDER BY id LIMIT 10",
        "kind": "select",
        "values": [["t1"]],
        "usages": [{"site": {"path": "app.py", "line": 7, "function": "by_title", "test": False}, "calls": 3}],
    },
]


@pytest.mark.long
def test_indexes_of_the_workload_are_written_and_kept(books: Project) -> None:
    books.write("workload.jsonl", "".join(json.dumps(line) + "\n" for line in WORKLOAD))
    books.write("rows.txt", "book 5000000\n")
    books.write("pyproject.toml", '[tool.alembic_pgpatterns]\nworkload = "workload.jsonl"\nstats = "rows.txt"\n')
    run = books.alembic("pgfix", "--select", "statement-without-index", "--models")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "app.py:7" in "".join(path.read_text() for path in books.versions.glob("*without_index.py"))
    assert "ix_book_title_id" in (books.folder / "shop_models.py").read_text()
    again = books.alembic("pgfix", "--select", "statement-without-index", "--models")
    assert "pgfix: 0 findings fixed" in again.stdout, again.stdout + again.stderr


@pytest.mark.long
def test_the_extension_of_an_operator_class_is_created_first(books: Project) -> None:
    """Once, although two indexes need it; the downgrade drops it when both are gone."""
    site = WORKLOAD[1]["usages"]
    searches = [
        {"fingerprint": name, "text": text, "kind": "select", "values": [["%sea%"]], "usages": site}
        for name, text in (
            ("f1", "SELECT id FROM book WHERE title ILIKE $1"),
            ("f2", "SELECT line FROM note WHERE line ILIKE $1"),
        )
    ]
    books.write("workload.jsonl", "".join(json.dumps(line) + "\n" for line in (WORKLOAD[0], *searches)))
    books.write("rows.txt", "book 5000000\nnote 5000000\n")
    books.write("pyproject.toml", '[tool.alembic_pgpatterns]\nworkload = "workload.jsonl"\nstats = "rows.txt"\n')
    run = books.alembic("pgfix", "--select", "statement-without-index")
    assert "does not exist" not in run.stdout + run.stderr
    texts = [path.read_text() for path in books.versions.glob("*.py") if path.name != "a1.py"]
    upgrades = "".join(text.partition("def downgrade")[0] for text in texts)
    downgrades = "".join(text.partition("def downgrade")[2] for text in texts)
    assert upgrades.count("gin_trgm_ops") == 2, run.stdout + run.stderr
    assert upgrades.count("CREATE EXTENSION IF NOT EXISTS pg_trgm") == 1
    assert downgrades.count("DROP EXTENSION IF EXISTS pg_trgm") == 1


@pytest.mark.long
def test_each_column_of_a_group_has_its_own_line(tmp_path: Path) -> None:
    """A key and the column that refers to it, in two files: only together can they become text."""
    project = make(tmp_path)
    project.env(models=IMPORT.replace("shop_models", "shop_child"))
    head = "from sqlalchemy import ForeignKey, String, Text\nfrom sqlalchemy.orm import "
    project.write(
        "shop_models.py",
        f"""{head}DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase):
    pass
class Parent(Base):
    __tablename__ = "parent"
    code: Mapped[str] = mapped_column(String(20), primary_key=True)
""",
    )
    project.write(
        "shop_child.py",
        f"""{head}Mapped, mapped_column
from shop_models import Base
class Child(Base):
    __tablename__ = "child"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    parent_code: Mapped[str] = mapped_column(ForeignKey("parent.code"), index=True)
""",
    )
    assert project.alembic("pgrevision", "-m", "first").returncode == 0
    run = project.alembic("pgfix", "--select", "varchar-length")
    assert "shop_models.py:7: mapped_column(Text)  # parent.code" in run.stdout, run.stderr
    assert "shop_child.py:7: mapped_column(Text)  # child.parent_code" in run.stdout


TIMED_MODELS = """
from datetime import datetime

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Times:
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Visit(Times, Base):
    __tablename__ = "visit"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    happened_at: Mapped[datetime]


class Guest(Times, Base):
    __tablename__ = "guest"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
"""


@pytest.mark.long
def test_types_of_annotations_and_mixins(tmp_path: Path) -> None:
    """The column of the mixin changes with both tables, or not at all."""
    project = make(tmp_path)
    project.write("shop_models.py", TIMED_MODELS)
    project.env(models=IMPORT)
    columns = "id bigserial PRIMARY KEY, made_at timestamp DEFAULT now() NOT NULL"
    project.sql("a1", f"CREATE TABLE visit ({columns}, happened_at timestamp NOT NULL); CREATE TABLE guest ({columns})")
    chosen = ("--select", "timestamp-without-time-zone", "--models")
    one = project.alembic("pgfix", "guest", *chosen)
    assert one.returncode == 1, one.stderr
    assert "shop_models.py:13 is also the column made_at of public.visit, which" in one.stdout
    assert files(project) == {"a1.py"} and (project.folder / "shop_models.py").read_text() == TIMED_MODELS
    both = project.alembic("pgfix", *chosen)
    assert both.returncode == 0, both.stdout + both.stderr
    assert "Models and database agree" in both.stdout
    models = (project.folder / "shop_models.py").read_text()
    assert "happened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))" in models
    assert "made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())" in models


@pytest.mark.long
def test_new_types_are_made_in_stages_although_an_index_is_missing_too(tmp_path: Path) -> None:
    """In one revision the index would stand in the way of the second column."""
    project = make(tmp_path)
    keys = "CREATE TABLE author (id serial PRIMARY KEY);"
    project.sql("a1", f"{keys} CREATE TABLE book (id serial PRIMARY KEY, author_id integer NOT NULL REFERENCES author)")
    run = project.alembic("pgfix", "--all")
    assert run.returncode == 0, run.stderr
    written = {path.name: path.read_text() for path in project.versions.glob("*.py") if path.name != "a1.py"}
    upgrades = [text.partition("def downgrade")[0] for text in written.values()]
    assert sum("op.add_column('book', sa.Column('author_id_new', sa.BigInteger()" in text for text in upgrades) == 1
    assert not [text for text in upgrades if "does not write these stages" in text]
    (last,) = (text for text in upgrades if "ix_book_author_id" in text)
    assert "_new" not in last
    assert set(found(project, "--select", "integer-primary-key,unindexed-foreign-key")) == set()


AWKWARD = (" :colon", "{curly} :x", "50% of", "it's", 'a "quoted" :y', "back\\slash", "a::b", "[:z")
"""Names that are something else to text(), to format(), to a driver or to Python.

Alembic fails on the sequence of a table with a quotation mark (it takes the name out of nextval() with its doubled
quotes), so the keys count nothing."""


def awkward(string: str, time: str) -> str:
    tables = [
        f"""
class Awkward{number}(Base):
    __tablename__ = {name!r}
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column({name + " t"!r}, {string})
    time: Mapped[datetime.datetime] = mapped_column({name + " d"!r}, {time})
    parent_id: Mapped[int | None] = mapped_column({name + " k"!r}, ForeignKey("parent.id"))
"""
        for number, name in enumerate(AWKWARD)
    ]
    head = """
import datetime
from sqlalchemy import BigInteger, DateTime, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
"""
    return head + "".join(tables)


@pytest.mark.long
def test_awkward_names_stay_names(tmp_path: Path) -> None:
    """In the CHECKs, indexes and casts of pgfix, in the models that it edits, and in what pgcheck reads of them."""
    project = make(tmp_path)
    project.env(models=IMPORT)
    project.write("shop_models.py", awkward("String(12)", "DateTime"))
    assert project.alembic("pgrevision", "-m", "first").returncode == 0
    run = project.alembic("pgfix", "--all", "--models")
    assert run.returncode == 1, "names of constraints are left"
    assert "24 findings fixed" in run.stdout and "Models and database agree" in run.stdout, run.stdout
    chosen = ("--select", "varchar-length,timestamp-without-time-zone,unindexed-foreign-key,model-drift")
    assert set(found(project, *chosen)) == set()


@pytest.mark.long
def test_awkward_names_stay_names_where_autogenerate_follows_the_patterns(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.env(models=IMPORT, options='autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]')
    patterns = ("varchar-length", "timestamp-without-time-zone", "unindexed-foreign-key")
    enforced = "".join(f'[tool.alembic_pgpatterns.patterns.{name}]\naction = "enforce"\n' for name in patterns)
    project.write("pyproject.toml", enforced)
    project.write("shop_models.py", awkward("String", "DateTime(timezone=True)").replace(' k"', ' l"'))
    first = project.alembic("pgrevision", "-m", "first")
    assert (first.returncode, "not empty" in first.stderr) == (0, False), first.stderr
    project.write("shop_models.py", awkward("String(12)", "DateTime"))
    second = project.alembic("pgrevision", "-m", "second")
    assert (second.returncode, "not empty" in second.stderr) == (0, False), second.stderr
    assert "char_length" in "".join(path.read_text() for path in project.versions.glob("*.py"))
    assert set(found(project, "--select", ",".join((*patterns, "model-drift")))) == set()


SORTS = """
from alembic.operations import ops
from alembic.util import Dispatcher

kinds = Dispatcher()


@kinds.dispatch_for(ops.CreateIndexOp)
def expand(op):
    return op


@kinds.dispatch_for(ops.AlterColumnOp)
def alter(op):
    raise NotImplementedError(f"Don't know if this is an expand or contract: {op}")


def sort(context, revision, directives):
    for script in directives:
        script.upgrade_ops.ops[:] = [kinds.dispatch(op)(op) for op in script.upgrade_ops.ops]
        script.version_path = str(context.script.dir) + "/elsewhere"
"""


@pytest.mark.long
def test_a_hook_that_knows_few_operations(books: Project) -> None:
    """OpenStack's env.py sorts operations by their classes: it gets none of ours, and what it refuses is left."""
    books.env(models=IMPORT, head=SORTS, options="process_revision_directives=sort")
    template = books.folder / "migrations/script.py.mako"
    template.write_text(template.read_text().partition("def downgrade()")[0])
    run = books.alembic("pgfix", "--all", "--models")
    assert run.returncode == 1, run.stderr
    assert "New revisions, run up, and checked:" in run.stdout
    assert re.search(
        r"^Nothing was run down: migrations/versions/\S+\.py has no downgrade\(\)\.$", run.stdout, re.MULTILINE
    )
    (name,) = files(books) - {"a1.py"}
    text = (books.versions / name).read_text()
    assert "# pgpatterns: unindexed-foreign-key" in text
    assert "postgresql_concurrently=True" in text and "op.drop_index" in text
    assert "varchar-length public.book.title: process_revision_directives of env.py refuses it" in run.stdout
    assert "NotImplementedError: Don't know if this is an expand or contract" in run.stdout
    assert "title: Mapped[str | None] = mapped_column(String(255))" in (books.folder / "shop_models.py").read_text()
    again = books.alembic("pgfix", "--all", "--models")
    assert "pgfix: 0 findings fixed" in again.stdout, again.stderr


def test_findings_that_are_left_for_the_same_reason_are_named_together(tmp_path: Path) -> None:
    """A column of a mixin is left in each of its tables; the line to change is one."""
    project = make(tmp_path)
    decorator = """
from sqlalchemy import BigInteger, DateTime, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

class Naive(TypeDecorator):
    impl = DateTime
    cache_ok = True

class Base(DeclarativeBase):
    pass

class Timed:
    at: Mapped[str] = mapped_column(Naive, nullable=False)
"""
    tables = "".join(
        f"class {name.title()}(Timed, Base):\n    __tablename__ = '{name}'\n"
        "    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)\n"
        for name in ("visit", "order")
    )
    project.write("shop_models.py", decorator + tables)
    project.env(models=IMPORT)
    create = "CREATE TABLE {} (id bigserial PRIMARY KEY, at timestamp NOT NULL)"
    project.sql("a1", f"{create.format('visit')}; {create.format(chr(34) + 'order' + chr(34))}")
    run = project.alembic("pgfix", "--select", "timestamp-without-time-zone")
    assert run.returncode == 1, run.stderr
    (line,) = (line for line in run.stdout.splitlines() if "timestamp-without-time-zone" in line)
    assert "visit.at" in line and 'order".at' in line
    assert run.stdout.count("let its impl be DateTime(timezone=True)") == 1
