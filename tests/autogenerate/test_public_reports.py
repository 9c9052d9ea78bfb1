"""Changes of models that public reports describe, on tables with rows: there, nothing left to do, and back."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tests.autogenerate.inprocess import InProcess, there_and_back
from tests.versions import accepts

ID = "Column('id', BigInteger, primary_key=True)"


@pytest.fixture
def project(database: Any, tmp_path: Path) -> Iterator[InProcess]:
    """With patterns: what they make of the models has to converge too."""
    with database.engine().connect() as connection, database.connect() as look:
        yield InProcess(connection, look, tmp_path)


def models(code: str) -> sa.MetaData:
    metadata = sa.MetaData()
    exec(textwrap.dedent(code), {**vars(sa), "metadata": metadata, "postgresql": postgresql})
    return metadata


def box(*items: str, **options: str) -> str:
    more = "".join(f", {name}={value!r}" for name, value in options.items())
    return f"box = Table('box', metadata, {', '.join((ID, *items))}{more})"


def test_a_uuid_becomes_a_text_too_short_for_its_dashes(project: InProcess) -> None:
    native = box("Column('u', Uuid)", "Column('v', Uuid)")
    there_and_back(project, models(native))
    project.look.execute("INSERT INTO box(u, v) SELECT gen_random_uuid(), gen_random_uuid() FROM generate_series(1, 5)")
    before = project.look.execute("SELECT u, v FROM box ORDER BY id").fetchall()
    there_and_back(project, models(box("Column('u', Uuid(native_uuid=False))", "Column('v', String(36))")))
    rows = project.look.execute("SELECT u, v FROM box ORDER BY id").fetchall()
    assert [(u.hex, str(v)) for u, v in before] == rows
    there_and_back(project, models(native))
    assert project.look.execute("SELECT u, v FROM box ORDER BY id").fetchall() == before


@pytest.mark.parametrize("kind", ["JSON", "JSONB"])
def test_documents_become_hstore(project: InProcess, kind: str) -> None:
    column = "Column('d', postgresql.{})"
    there_and_back(project, models(box(column.format(kind))))
    hostile = {"a\\": 'x": ', "}{[],": "\n\t\\", "n": 5, "b": None, "": {"deep": [1]}}
    for document in (json.dumps(hostile), "{}", None):
        project.look.execute("INSERT INTO box(d) VALUES (%s)", [document])
    project.look.execute("CREATE EXTENSION hstore")
    there_and_back(project, models(box(column.format("HSTORE"))))
    assert any("become text" in line for line in project.output)
    stored = [row[0] for row in project.look.execute("SELECT hstore_to_jsonb(d) FROM box ORDER BY id")]
    assert stored == [{**hostile, "n": "5", "": '{"deep": [1]}'}, {}, None]


def test_another_collation_of_columns_with_rows(project: InProcess) -> None:
    """It rewrites no row; only an index has another order, so its column is changed in stages."""
    columns = ["Column('a', Text{0})", "Column('b', Text{0}, index=True)", "Column('c', ARRAY(Text{0}))"]
    there_and_back(project, models(box(*(column.format("") for column in columns))))
    project.look.execute("INSERT INTO box(a, b, c) SELECT n, n, ARRAY[n::text] FROM generate_series(1, 5) n")
    where = "SELECT relfilenode FROM pg_class WHERE relname = 'box'"
    before = project.look.execute(where).fetchall()
    collated = [column.format("(collation='C')") for column in columns]
    there_and_back(project, models(box(collated[0], columns[1].format(""), collated[2])))
    assert project.look.execute(where).fetchall() == before
    written = there_and_back(project, models(box(*collated)))
    assert "with a second column" in written[0].upgrade


def test_bytes_in_a_predicate(project: InProcess) -> None:
    data = "Column('data', LargeBinary)"
    there_and_back(project, models(box(data)))
    project.look.execute("INSERT INTO box(data) VALUES ('abc')")
    where = "box.c.data != b'\\x00%:a\\\\'"
    checked = f"box.append_constraint(CheckConstraint({where}, name='no_nul'))"
    there_and_back(project, models(f"{box(data)}; Index('other', box.c.id, postgresql_where={where}); {checked}"))
    (check,) = project.look.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'no_nul'")
    assert "'\\x00253a615c'::bytea" in check[0]


PARTED = "Table('ev', metadata, Column('id', BigInteger), Column('k', Enum({}, name='kind')), {})"
KEY = "postgresql_partition_by='LIST (k)'"


def test_labels_of_an_enum_that_is_a_partition_key(project: InProcess) -> None:
    """PostgreSQL adds labels to it. Without a label it would be another type, which a partition key cannot get."""
    there_and_back(project, models(PARTED.format("'a', 'b'", KEY)))
    project.look.execute("CREATE TABLE ev_a PARTITION OF ev FOR VALUES IN ('a'); INSERT INTO ev VALUES (1, 'a')")
    more = project.revise(models(PARTED.format("'a', 'b', 'c'", KEY)))
    for step in (project.upgrade, project.downgrade, project.upgrade):
        step(more)
    assert "The downgrade leaves new labels of kind" in more[0].upgrade
    assert project.diffs(models(PARTED.format("'a', 'b', 'c'", KEY))) == []
    project.output.clear()
    fewer = project.revise(models(PARTED.format("'a'", KEY)))
    project.upgrade(fewer)
    (warning,) = [line for line in project.output if "warning: model-drift" in line]
    assert "because ev.k is part of a partition key" in warning
    assert "keeps its labels ('a', 'b', 'c')" in warning


def test_a_domain_over_an_enum_with_its_table(project: InProcess) -> None:
    kind = "Column('k', postgresql.DOMAIN('graded', Enum({}, name='grade')))"
    there_and_back(project, models(box(kind.format("'a', 'b'"))))
    project.look.execute("INSERT INTO box(k) VALUES ('a')")
    more = there_and_back(project, models(box(kind.format("'a', 'b', 'c'"))), restores=False)
    assert "because the domain graded is over it" in more[0].upgrade
    there_and_back(project, models(box()))
    assert project.look.execute("SELECT to_regtype('graded'), to_regtype('grade')").fetchone() == (None, None)


def test_a_function_that_takes_an_enum_is_named(project: InProcess) -> None:
    kind = "Column('k', Enum({}, name='grade'))"
    there_and_back(project, models(box(kind.format("'a', 'b'"))))
    project.look.execute("CREATE FUNCTION better(grade) RETURNS grade LANGUAGE sql AS 'SELECT $1'")
    (written,) = project.revise(models(box(kind.format("'a'"))))
    assert "function better(grade) (drop it before, and create it again after)" in written.upgrade


@pytest.mark.skipif(not accepts(sa.Table, "with"), reason="SQLAlchemy before 2.1")
def test_options_of_a_toast_table_that_comes_with_a_column(project: InProcess) -> None:
    there_and_back(project, models(box()))
    options = {"postgresql_with": {"toast.autovacuum_enabled": "false"}}
    there_and_back(project, models(box("Column('s', Text)").removesuffix(")") + f", **{options})"))


def test_a_column_goes_together_with_a_label_of_its_enum(project: InProcess) -> None:
    """On the way down the column comes back first, and its rows cannot have the label yet."""
    kind = "Column('{}', Enum({}, name='kind'), nullable=False)"
    there_and_back(project, models(box(kind.format("k", "'a', 'b'"), kind.format("j", "'a', 'b'"))))
    project.look.execute("INSERT INTO box(k, j) VALUES ('b', 'b')")
    there_and_back(project, models(box(kind.format("k", "'b', 'c'"))))


@pytest.mark.parametrize("beside", ["Column('n', Integer)", "Column('n', Integer, nullable=False, server_default='1')"])
def test_the_statement_that_a_person_completes(project: InProcess, beside: str) -> None:
    """Alone in its file or in an autocommit block with other statements: it is short, and runs once it is completed."""
    there_and_back(project, models(box("Column('n', Integer)")))
    project.look.execute("INSERT INTO box SELECT FROM generate_series(1, 3000)")
    written = project.revise(models(box(beside, "Column('u', Uuid, nullable=False)")))
    for file in written:
        lines = file.upgrade.splitlines()
        start = next((n for n, line in enumerate(lines) if "Existing rows need a value in box.u" in line), len(lines))
        comment = list(itertools.takewhile(lambda line: line.lstrip().startswith("#  "), lines[start + 1 :]))
        assert len(comment) < 20
        completed = [line.replace("#   ", "", 1).replace("= ...", "= gen_random_uuid()") for line in comment]
        file.upgrade = "\n".join(lines[: start + 1] + completed + lines[start + 1 + len(comment) :])
    project.upgrade(written)
    assert project.look.execute("SELECT count(DISTINCT u) FROM box").fetchone() == (3000,)


def test_a_table_becomes_unlogged_when_what_references_it_goes(project: InProcess) -> None:
    referencing = f"Table('lid', metadata, {ID}, Column('box_id', ForeignKey('box.id')))"
    there_and_back(project, models(f"{box()}; {referencing}"))
    there_and_back(project, models(f"Table('box', metadata, {ID}, prefixes=['UNLOGGED'])"))
    there_and_back(project, models(f"{box()}; {referencing}"))


class Pair(sa.types.UserDefinedType[Any]):
    """As CompositeType of SQLAlchemy-Utils: its repr names classes that no file imports."""

    cache_ok = True

    def __init__(self, name: str, columns: list[sa.Column[Any]]) -> None:
        self.name = name
        self.columns = columns

    def get_col_spec(self, **_: Any) -> str:
        return self.name


def test_a_type_whose_repr_is_no_code(project: InProcess) -> None:
    project.look.execute("CREATE TYPE pair AS (one int, two text)")
    metadata = sa.MetaData()
    kind = Pair("pair", [sa.Column("one", sa.Integer), sa.Column("two", sa.Text)])
    sa.Table("box", metadata, sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("p", kind))
    there_and_back(project, metadata)
    there_and_back(project, models(box()))


class Composite(Pair, sa.types.SchemaType):
    """The same with a name that SQLAlchemy's metadata knows."""

    def __init__(self, name: str, columns: list[sa.Column[Any]], **_: Any) -> None:
        sa.types.SchemaType.__init__(self, name=name)
        self.columns = columns


@pytest.mark.long
def test_a_composite_type_comes_and_goes_with_its_columns(project: InProcess) -> None:
    def with_pair(*fields: sa.Column[Any]) -> sa.MetaData:
        metadata = models(box())
        metadata.tables["box"].append_column(sa.Column("p", Composite("pair", list(fields))))
        metadata.tables["box"].append_column(sa.Column("ps", sa.ARRAY(Composite("pair", list(fields)))))
        return metadata

    there_and_back(project, models(box()))
    there_and_back(project, with_pair(sa.Column("one", sa.Integer), sa.Column("Two", sa.Text)))
    there_and_back(project, with_pair(sa.Column("one", sa.Integer), sa.Column("three", sa.Date)))
    (changed,) = project.revise(with_pair(sa.Column("one", sa.BigInteger), sa.Column("three", sa.Date)))
    assert "The models have one of pair as bigint, the database as" in changed.upgrade
    there_and_back(project, models(box()))
    assert project.look.execute("SELECT to_regtype('pair')").fetchone() == (None,)


def test_columns_of_a_generated_one_change_and_its_index_comes_back(project: InProcess) -> None:
    """The generated column goes before and comes after the stages of its sources, and its index after that."""

    def priced(price: str, qty: str, total: str) -> sa.MetaData:
        generated = f"Column('total', {total}, Computed('price * qty', persisted=True), index=True)"
        return models(box(f"Column('price', {price})", f"Column('qty', {qty})", generated))

    there_and_back(project, priced("Numeric(10, 2)", "Integer", "Numeric(12, 2)"))
    project.look.execute("INSERT INTO box(price, qty) VALUES (1.5, 2)")
    written = there_and_back(project, priced("Numeric(12, 4)", "BigInteger", "Numeric(14, 4)"))
    assert any("a plain column cannot become a generated one" in file.upgrade for file in written)


def test_rows_that_a_new_unique_index_refuses_are_shown(project: InProcess) -> None:
    columns = ("Column('Mail', Text)", "Column('gone', Boolean)")
    there_and_back(project, models(box(*columns)))
    project.look.execute("""INSERT INTO box("Mail") VALUES ('a'), ('A'), ('b'), (NULL), (NULL)""")
    options = "unique=True, postgresql_where=text('gone IS NOT TRUE')"
    index = f"""Index('one', text('lower("Mail")'), {options})"""
    (written,) = project.revise(models(box(*columns, index)))
    (query,) = [line.lstrip(" #") for line in written.upgrade.splitlines() if "GROUP BY" in line]
    assert project.look.execute(query).fetchall() == [("a", 2)]
    (written,) = project.revise(models(box(*columns, "UniqueConstraint('Mail', 'gone', name='two')")))[:1]
    assert 'SELECT "Mail", gone, count(*) FROM box WHERE ("Mail", gone) IS NOT NULL GROUP BY' in written.upgrade


class Bare(sa.types.UserDefinedType[Any]):
    """As packages make a type of PostgreSQL's that SQLAlchemy does not have."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "money"


class Stores(sa.TypeDecorator[Any]):
    """A decorator of the application around it."""

    impl = Bare
    cache_ok = True


def test_a_decorator_around_the_type_of_a_package(project: InProcess) -> None:
    metadata = models(box())
    metadata.tables["box"].append_column(sa.Column("at", Stores()))
    (written,) = there_and_back(project, metadata)
    assert "Bare()" in written.upgrade and "Stores" not in written.upgrade


def test_more_bits(project: InProcess) -> None:
    """PostgreSQL accepts the type, and refuses the first row."""
    there_and_back(project, models(box("Column('flags', postgresql.BIT(4))")))
    project.look.execute("INSERT INTO box(flags) VALUES ('1010')")
    there_and_back(project, models(box("Column('flags', postgresql.BIT(8))")))
    assert project.look.execute("SELECT flags FROM box").fetchone() == ("10100000",)


def test_an_integer_is_no_uuid(project: InProcess) -> None:
    there_and_back(project, models(box("Column('n', Integer)")))
    project.revise(models(box("Column('n', Uuid)")))
    assert any("No integer is a uuid, so this fails where the table has rows" in line for line in project.output)


def test_a_cast_to_a_type_whose_extension_is_not_there_yet(project: InProcess) -> None:
    there_and_back(project, models(box("Column('tags', Text)")))
    project.look.execute("INSERT INTO box(tags) VALUES ('a=>1')")
    there_and_back(project, models(box("Column('tags', postgresql.HSTORE)")), restores=False)
    assert project.look.execute("SELECT (tags -> 'a')::text FROM box").fetchone() == ("1",)


def test_what_a_dropped_table_references_goes_with_it(project: InProcess) -> None:
    target = f"Table('target', metadata, {ID}, Column('kept', Integer"
    before = f"{target}, unique=True), Column('gone', Integer, unique=True))"
    for name, referenced in (("a", "kept"), ("b", "gone"), ("z", "kept")):
        before += f"; Table('{name}', metadata, {ID}, Column('to', ForeignKey('target.{referenced}')))"
    there_and_back(project, models(before))
    there_and_back(project, models(f"{target}))"))


@pytest.mark.long
def test_a_name_moves_to_another_table(project: InProcess) -> None:
    a, b = (f"Table('{name}', metadata, {ID}, Column('n', Integer)" for name in "ab")
    moving = (", Index('name', 'n')", ", UniqueConstraint('n', name='name')")
    for first in moving:
        for second in moving:
            there_and_back(project, models(f"{a}{first}); {b})"))
            there_and_back(project, models(f"{a}); {b}{second})"))


@pytest.mark.long
def test_types_with_a_collation(project: InProcess) -> None:
    index = "Index('ix', 'name', 'n')"
    kinds = ("Text, server_default='a'", "Text(collation='POSIX'), server_default='x'", "String(9, collation='C')")
    for kind in kinds:
        there_and_back(project, models(box(f"Column('n', {kind})", "Column('name', Text)", index)))


def test_a_key_with_values_of_a_shared_sequence_comes_back(project: InProcess) -> None:
    key = "Column('id', BigInteger, s, server_default=s.next_value(), primary_key=True)"
    one, two = (f"; Table('{name}', metadata, {key})" for name in ("one", "two"))
    there_and_back(project, models(f"s = Sequence('shared'){one}{two}"))
    there_and_back(project, models(f"s = Sequence('shared'){one}"))


def test_an_operator_class_in_the_sql_of_an_index(project: InProcess) -> None:
    index = "Index('ix', text('lower(n) gin_trgm_ops'), postgresql_using='gin')"
    (written,) = there_and_back(project, models(box("Column('n', Text)", index)))
    assert "CREATE EXTENSION IF NOT EXISTS pg_trgm" in written.upgrade
