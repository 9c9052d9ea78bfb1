"""The rewriter beside what users set in env.py, and beside other plugins."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.autogenerate.rewrite.alembic_versions import HAS_INLINE_REFERENCES

ID = 'Column("id", BigInteger, primary_key=True)'
BASE = f"""
author = Table("author", metadata, {ID})
book = Table("book", metadata, {ID}, Column("title", Text), Column("size", Integer))
"""
AFTER = f"""
author = Table("author", metadata, {ID})
book = Table("book", metadata, {ID}, Column("title", Text, nullable=False), Column("size", Integer),
    Column("author_id", ForeignKey("author.id", name="to_author")), Column("at", DateTime, server_default=func.now()),
    Index("ix_title", "title"), Index("ix_lower", text("lower(title)")), UniqueConstraint("size", name="uq_size"))
"""
ENV_TOP = "def run_migrations_offline"


@pytest.fixture
def make_project(make_project):
    """Projects in which no pattern is enforced or suggested."""
    return lambda *given, **named: make_project(*given, **named).without_patterns()


@pytest.fixture
def project(make_project):
    return make_project()


def there_and_back(project, before: str = BASE, after: str = AFTER) -> str:
    """Two revisions, up, down and up; the text of the second one's files."""
    project.models(before)
    project.revise("before")
    project.alembic("upgrade", "head")
    start, first = project.alembic("heads").split()[0], project.snapshot()
    project.models(after)
    text = "\n".join(project.revise("after"))
    project.alembic("upgrade", "head")
    there = project.snapshot()
    assert project.clean()
    project.alembic("downgrade", start)
    assert project.snapshot() == first
    project.alembic("upgrade", "head")
    assert project.snapshot() == there
    return text


@pytest.mark.parametrize(
    "settings",
    [
        "compare_type=False, compare_server_default=True",
        "compare_type=lambda *given: None, compare_server_default=False",
        "include_object=lambda item, name, kind, reflected, other: name != 'ix_lower'",
        "include_name=lambda name, kind, parents: name != 'left_alone'",
        "transaction_per_migration=True, include_schemas=True, version_table='versions'",
        "alembic_module_prefix='op.', sqlalchemy_module_prefix='sa.', user_module_prefix=None",
    ],
)
@pytest.mark.sample(2)
def test_arguments_of_configure(project, settings: str) -> None:
    project.configure(settings)
    project.database.execute("CREATE TABLE left_alone (id int)" if "left_alone" in settings else "SELECT 1")
    if "versions" in settings:
        project.database.execute("CREATE TABLE versions (version_num varchar(32) PRIMARY KEY)")
    there_and_back(project)


def test_render_item_that_renders_columns(project) -> None:
    """A column that is rendered as something else still gets its foreign key."""
    project.env(
        ENV_TOP,
        "def render(kind, item, context):\n"
        "    if kind == 'column' and item.name == 'author_id':\n"
        '        context.imports.add(\'columns = {"author_id": sa.Column("author_id", sa.BigInteger())}\')\n'
        "        return 'columns[\"author_id\"]'\n"
        "    return False\n\n\n" + ENV_TOP,
    )
    project.configure("render_item=render")
    text = there_and_back(project)
    assert "op.add_column('book', columns[\"author_id\"])" in text and "inline_references" not in text
    assert "to_author" in {row[1] for row in project.snapshot()["constraints"]}


def test_render_item_that_renders_types(project) -> None:
    big = "'sa.BIGINT()' if kind == 'type' and str(item) == 'BIGINT' else False"
    project.configure(f"render_item=lambda kind, item, context: {big}")
    key = ", sa.ForeignKey('author.id')" if HAS_INLINE_REFERENCES else ""
    assert f"sa.Column('author_id', sa.BIGINT(){key}, nullable=True)" in there_and_back(project)


@pytest.mark.long
def test_beside_alembic_postgresql_enum(make_project) -> None:
    """The types are its business: no DROP TYPE of ours, and what it writes keeps its place."""
    index = """Index("some", "id", postgresql_where=text("kind = 'a'"))"""
    held = f"""CheckConstraint("kind <> 'a' OR id > 0", name="held"), {index}"""
    before = f't = Table("t", metadata, {ID}, Column("kind", Enum("a", "b", name="kind")), {held})'
    after = f"""
    t = Table("t", metadata, {ID}, Column("kind", Enum("a", "b", "c", name="kind")), {held},
        Column("mood", Enum("sad", "ok", name="mood"), index=True))
    """
    project = make_project()
    project.env("from alembic import context", "import alembic_postgresql_enum\nfrom alembic import context")
    # Importing it enables it for good, so not in this process.
    project.alembic = project.outside
    text = there_and_back(project, before, after)
    assert "DROP TYPE" not in text and "sync_enum_values" in text
    # Its columns have another type, which has the labels of a Python enum alone.
    python = 'import enum; Size = enum.Enum("Size", "s m"); '
    project.database.execute("INSERT INTO t DEFAULT VALUES")
    sized = (
        after.rstrip().removesuffix(")") + ', Column("size", Enum(Size, name="size"), nullable=False, default=Size.m))'
    )
    there_and_back(project, after, python + sized.lstrip())
    # A label goes: what names the old type goes before, and comes back.
    there_and_back(project, after, after.replace('"a", "b", "c"', '"c", "a"'))


@pytest.mark.long
def test_what_alembic_postgresql_enum_writes_runs_among_the_other_ops(make_project) -> None:
    """A new label is the default at once and another table has it; the type goes after all tables that have it."""
    before = f't = Table("t", metadata, {ID}, Column("kind", Enum("a", "b", name="kind"), server_default="a"))'
    kind = 'Column("kind", Enum("a", "b", "c", name="kind"), server_default="c")'
    after = f't = Table("t", metadata, {ID}, {kind}); u = Table("u", metadata, {ID}, {kind})'
    project = make_project()
    project.env("from alembic import context", "import alembic_postgresql_enum\nfrom alembic import context")
    project.alembic = project.outside
    there_and_back(project, before, after)
    # Without a cast the package cuts a default's last quote off.
    project.models(before)
    project.revise("back")
    project.alembic("upgrade", "head")
    project.models("")
    project.revise("none")
    project.alembic("upgrade", "head")
    assert project.snapshot()["types"] == []


@pytest.mark.long
def test_what_alembic_postgresql_enum_gets_wrong_is_mended(make_project) -> None:
    """A label in front of others, quotes in labels, a cast's way back, schemas, and a name that contains ``Enum``."""
    before = f"""
    t = Table("t", metadata, {ID}, Column("kind", Enum("b", "c", name="kind", schema="left_out"), server_default="b"),
        Column("mood", Enum("sad", name="UserEnum")))
    """
    after = f"""
    from sqlalchemy.dialects.postgresql import DOMAIN
    t = Table("t", metadata, {ID}, Column("kind", Enum("it's", "b", "c", name="kind", schema="left_out"),
        server_default="it's"), Column("mood", Enum("sad", name="OtherEnum")), Column("d", DOMAIN("d", Integer)))
    u = Table("u", metadata, {ID}, Column("size", Enum("s", name="SizeEnum", schema="apart")),
        Column("e", DOMAIN("e", Integer, check="VALUE > 0")), schema="apart")
    """
    project = make_project()
    project.database.execute("CREATE SCHEMA left_out; CREATE TYPE left_out.foreign_one AS ENUM ('x')")
    project.env("from alembic import context", "import alembic_postgresql_enum\nfrom alembic import context")
    project.alembic = project.outside
    project.models(before)
    project.revise("first")
    project.alembic("upgrade", "head")
    project.database.execute("INSERT INTO t(mood) VALUES ('sad')")
    there_and_back(project, before, after)
    labels = "SELECT enum_range(NULL::left_out.kind)::text, to_regtype('left_out.foreign_one')::text"
    with project.database.connect() as connection:
        assert connection.execute(labels).fetchone() == ("{it's,b,c}", "left_out.foreign_one")


@pytest.mark.long
def test_labels_that_alembic_postgresql_enum_cannot_write(make_project) -> None:
    """It puts labels between quotes as they are, on the way down too, where the new type has the labels of before."""
    held = """CheckConstraint("kind <> 'it''s'", name="held")"""
    models = f't = Table("t", metadata, {ID}, Column("kind", Enum({{}}, name="kind"), server_default={{}}), {held})'
    project = make_project()
    project.env("from alembic import context", "import alembic_postgresql_enum\nfrom alembic import context")
    project.alembic = project.outside
    labels = """"it's", "a:b", 'c'"""
    there_and_back(project, models.format(labels, '"a:b"'), models.format(f"""{labels}, "d'':e" """, '"a:b"'))
    project.database.execute("INSERT INTO t(id, kind) VALUES (1, 'a:b'), (2, 'c')")
    there_and_back(
        project, models.format(f"""{labels}, "d'':e" """, '"a:b"'), models.format("""'c', "a:b", "it's" """, '"c"')
    )


ENTITIES = """
from alembic_utils.pg_function import PGFunction
from alembic_utils.pg_trigger import PGTrigger
from alembic_utils.pg_view import PGView

function = PGFunction("public", "stamp()", "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
trigger = PGTrigger("public", "on_item", "BEFORE UPDATE ON public.item FOR EACH ROW EXECUTE FUNCTION public.stamp()",
                    on_entity="public.item")
"""
CATALOG = "SELECT viewname FROM pg_views WHERE schemaname = 'public' UNION SELECT tgname FROM pg_trigger ORDER BY 1"


@pytest.fixture
def beside_alembic_utils(make_project):
    project = make_project()
    project.env("from alembic import context", "from alembic import context\nimport alembic_utils.replaceable_entity")
    register = "alembic_utils.replaceable_entity.register_entities(models.entities)\ntarget_metadata = models.metadata"
    project.env("target_metadata = models.metadata", register)
    # Importing it enables it for good, so not in this process.
    project.alembic = project.outside
    return project


@pytest.mark.long
def test_entities_of_alembic_utils_come_with_their_table(beside_alembic_utils) -> None:
    project = beside_alembic_utils
    shown = "entities = [PGView('public', 'shown', 'SELECT box.n, item.id FROM item JOIN box USING (id)')"
    box = f'Table("box", metadata, {ID}'
    item = f'Table("item", metadata, {ID})'
    there_and_back(
        project,
        f"{box}){ENTITIES}entities = []",
        f"{box}, Column('n', Integer)); {item}{ENTITIES}{shown}, trigger, function]",
    )
    with project.database.connect() as connection:
        assert connection.execute(CATALOG).fetchall() == [("on_item",), ("shown",)]


@pytest.mark.long
def test_entities_of_alembic_utils_go_with_their_table(beside_alembic_utils) -> None:
    project = beside_alembic_utils
    box = f'Table("box", metadata, {ID}, Column("{{}}", Integer))'
    shown = "PGView('public', 'shown', 'SELECT {} FROM box')"
    item = f'Table("item", metadata, {ID})'
    before = f"{box.format('n')}; {item}{ENTITIES}entities = [{shown.format('n')}, trigger, function]"
    there_and_back(project, before, f"{box.format('m')}{ENTITIES}entities = [{shown.format('m')}]")


def test_another_dialect_is_left_alone(make_project) -> None:
    from alembic.operations import ops
    from alembic.runtime.migration import MigrationContext

    from alembic_pgpatterns import rewriter

    context = MigrationContext.configure(dialect_name="sqlite")
    index = ops.CreateIndexOp("ix", "t", ["c"])
    script = ops.MigrationScript("1", ops.UpgradeOps([index]), ops.DowngradeOps([index.reverse()]))
    rewriter(context, "base", directives := [script])
    assert directives == [script] and script.upgrade_ops.ops == [index]
