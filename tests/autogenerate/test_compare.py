"""What models declare and what the database has, compared in PostgreSQL's own form: nothing left out, nothing twice."""

from __future__ import annotations

import re
import textwrap
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns import effective_metadata
from alembic_pgpatterns.config.settings import Settings
from tests.autogenerate.catalog_snapshot import differences
from tests.autogenerate.inprocess import InProcess, there_and_back

ID = "Column('id', BigInteger, primary_key=True)"


def counted(*options: str) -> str:
    return f"Table('box', metadata, Column('id', BigInteger, primary_key=True, {', '.join(options)}))"


SHELF = f"Table('shelf', metadata, {ID}, Column('code', Text, unique=True))"


def box(*items: str) -> str:
    return f"Table('box', metadata, {', '.join((ID, *items))})"


IGNORED = {"pgpatterns": {"ignore": ["varchar-length"], "reason": "a test"}}
HELD = "Table('shelf', metadata, Column('n', Integer), Column('code', Text), UniqueConstraint('code', name='one'{}))"
COMMENTED = "Column('shelf', Text), ForeignKeyConstraint(['shelf'], ['shelf.code'], name='fk', comment='{}')"
FLAGS = "Column('n', Integer), Column('b', Boolean), Column('s', Text)"
KIND = "Column('kind', Enum({labels}, name='box_kind'), server_default='small')"
PAIRS: dict[str, tuple[str, ...]] = {
    "a CHECK is added, changed, dropped": (
        box("Column('n', Integer)"),
        box("Column('n', Integer)", "CheckConstraint('n > 0', name='positive')"),
        box("Column('n', Integer)", "CheckConstraint('n > 1 AND n % 7 < 5', name='positive')"),
        box("Column('n', Integer)"),
    ),
    "CHECKs without names": (
        box("Column('n', Integer, CheckConstraint('n > 0'))"),
        box(
            "Column('n', Integer, CheckConstraint('n > 0'))", "CheckConstraint('id <> n')", "CheckConstraint('id > 5')"
        ),
        box("Column('n', Integer)", "CheckConstraint('id > 5')"),
    ),
    "a CHECK with a list": (
        box("Column('s', String(9))", "CheckConstraint(\"s IN ('a', 'it''s', ':b')\", name='listed')"),
        box("Column('s', String(9))", "CheckConstraint(\"s IN ('a', 'it''s', ':b', '%')\", name='listed')"),
        box("Column('s', String(9))"),
    ),
    "a CHECK is renamed": (
        box("Column('n', Integer)", "CheckConstraint('n > 0', name='old')"),
        box("Column('n', Integer)", "CheckConstraint('n > 0', name='new')"),
    ),
    "a CHECK on a column whose type changes": (
        box("Column('s', String(9))", "CheckConstraint(\"s <> 'x'\", name='no_x')"),
        box("Column('s', Text)", "CheckConstraint(\"s <> 'x'\", name='no_x')"),
    ),
    "an enum that is a CHECK gets a label": (
        box("Column('k', Enum('a', 'b', native_enum=False, create_constraint=True, name='k'))"),
        box("Column('k', Enum('a', 'b', 'longer', native_enum=False, create_constraint=True, name='k'))"),
    ),
    "an index on expressions that need parentheses": (
        f"t = {box(FLAGS)}; Index('ix', ~t.c.b, (-t.c.n).desc(), case((t.c.n > 1, t.c.s)))",
        box(FLAGS),
        box(FLAGS, "Index('ix', text('NOT b'), text('n + 1'), text('s DESC'))"),
    ),
    "indexes with other names, and with other definitions": (
        box(FLAGS, "Index('i', 'n')", "Index('p', 's', postgresql_where=text('b'))", "Index('u', 'n', 's')"),
        box(FLAGS, "Index('j' * 70, 'n')", "Index('p', 's', postgresql_where=text('n > 1'))", "Index('v', 'n', 's')"),
        box(FLAGS, "Index('p', 'n')", "Index('v', 'b', unique=True)", "Index('w', text('s DESC'))"),
    ),
    "a domain over an enum": (
        box(),
        box("Column('k', postgresql.DOMAIN('d', Enum('a', 'b', name='e'), not_null=True), server_default='a')"),
    ),
    "a default that needs parentheses": (
        box("Column('at', DateTime, server_default=text(\"now() at time zone 'utc'\"))"),
        box("Column('b', Boolean, server_default=text('1 IN (1, 2)'), nullable=False)"),
    ),
    "literals that SQLAlchemy cannot write": (
        box("Column('d', Date)", "CheckConstraint(column('d') > cast('2020-01-01', Date), name='late')"),
        box(
            "Column('j', postgresql.JSONB)",
            "CheckConstraint(column('j', postgresql.JSONB).contains({'a': [1, ':b%']}))",
        ),
    ),
    "a new table references one that was UNLOGGED": (
        f"Table('shelf', metadata, {ID}, prefixes=['UNLOGGED'])",
        f"Table('shelf', metadata, {ID}); " + box("Column('shelf_id', ForeignKey('shelf.id'))"),
    ),
    "what another dialect creates": (
        box(FLAGS, "Index('i', 's')", "CheckConstraint('len(s) > 1', name='c').ddl_if(dialect='mssql')"),
        f"t = {box(FLAGS)}; Index('i', t.c.s).ddl_if(dialect=('mysql', 'sqlite')); Index('o', t.c.s); "
        "Index('c', t.c.s).ddl_if(callable_=lambda *_, dialect, **kw: dialect.name.startswith('spanner'))",
        box(FLAGS, "CheckConstraint('s IS JSON', name='o', _create_rule=lambda c: c.dialect.name == 'oracle')"),
    ),
    "names that SQLAlchemy refuses": (
        box("Column('n', Integer)", "CheckConstraint('n > 0', name='c' * 70)", "Index('i' * 70, 'n')"),
        box("Column('n', Integer, ForeignKey('box.id', name='f' * 64))", "UniqueConstraint('n', name='u' * 65)"),
    ),
    "a text search configuration": (
        f"t = {box(FLAGS)}; Index('ix', func.to_tsvector('english', t.c.s), postgresql_using='gin')",
        box(FLAGS, "Column('ts', postgresql.TSVECTOR, Computed(func.to_tsvector('simple', column('s'))))"),
    ),
    "EXCLUDE, with an operator class": (
        box("Column('net', postgresql.INET)"),
        box(
            "Column('net', postgresql.INET)",
            "postgresql.ExcludeConstraint(('net', '&&'), using='gist', ops={'net': 'inet_ops'}, name='one_net')",
        ),
        box(
            "Column('net', postgresql.INET)",
            "postgresql.ExcludeConstraint(('net', '='), using='gist', ops={'net': 'inet_ops'}, name='one_net')",
        ),
        "",
    ),
    "a new table with EXCLUDE and an operator class": (
        "",
        box(
            "Column('net', postgresql.INET)",
            "postgresql.ExcludeConstraint(('net', '&&'), using='gist', ops={'net': 'inet_ops'}, name='one_net')",
        ),
    ),
    "options of a unique constraint": (
        box("Column('a', Integer)", "Column('b', Integer)", "UniqueConstraint('a', name='one_a')"),
        box("Column('a', Integer)", "Column('b', Integer)", "UniqueConstraint('a', name='one_a', deferrable=True)"),
        box(
            "Column('a', Integer)", "Column('b', Integer)", "UniqueConstraint('a', name='one_a', initially='DEFERRED')"
        ),
        "",
    ),
    "a primary key of other columns": (
        box("Column('n', Integer, nullable=False)"),
        "Table('box', metadata, Column('id', BigInteger, primary_key=True), Column('n', Integer, primary_key=True))",
        "Table('box', metadata, Column('n', Integer, primary_key=True, autoincrement=False))",
    ),
    "a key that is unique as well": (box("Column('n', Integer)", "UniqueConstraint('id')"), box()),
    "foreign keys with options": (
        f"{SHELF}; {box('''Column('shelf_id', ForeignKey('shelf.id'))''')}",
        f"{SHELF}; {box('''Column('shelf_id', ForeignKey('shelf.id', match='FULL'))''')}",
        f"{SHELF}; {box('''Column('shelf_id', ForeignKey('shelf.id', ondelete='SET NULL'))''')}",
        f"{SHELF}; {box('''Column('shelf_id', ForeignKey('shelf.id', deferrable=True, initially='DEFERRED'))''')}",
        SHELF,
    ),
    "a foreign key with a comment, whose unique constraint is replaced": (
        f"{HELD.format('')}; {box(COMMENTED.format('why'))}",
        f"{HELD.format(', postgresql_include=[chr(110)]')}; {box(COMMENTED.format('why'))}",
        f"{HELD.format('')}; {box(COMMENTED.format('who'))}",
    ),
    "a foreign key to a column that becomes unique": (
        f"Table('shelf', metadata, {ID}, Column('code', Text)); {box('''Column('code', Text)''')}",
        f"{SHELF}; {box('''Column('code', Text, ForeignKey('shelf.code'))''')}",
        f"Table('shelf', metadata, {ID}, Column('code', Text)); {box('''Column('code', Text)''')}",
    ),
    "a new table that references a column that becomes unique": (
        f"Table('shelf', metadata, {ID}, Column('code', Text))",
        f"{SHELF}; {box('''Column('code', Text, ForeignKey('shelf.code'))''')}",
    ),
    "the schema is written out": (
        f"Table('shelf', metadata, {ID}, schema='public'); "
        f"Table('box', metadata, {ID}, Column('s', ForeignKey('public.shelf.id')), schema='public')",
    ),
    "expressions of indexes": (
        box("Column('s', Text)", "Column('j', postgresql.JSONB)"),
        box(
            "Column('s', Text)",
            "Column('j', postgresql.JSONB)",
            "Index('ix_a', text('lower(s) DESC'))",
            "Index('ix_b', text(\"(j ->> 'a')\"), postgresql_where=text(\"s LIKE 'a%' AND s IN ('ab', 'ac')\"))",
            "Index('ix_c', text('s COLLATE \"C\" text_pattern_ops'), postgresql_include=['id'])",
            "Index('ix_d', text(\"(CASE WHEN s = 'x' THEN 1 ELSE 2 END)\"), text('trim(s)'))",
            "Index('ix_e', 's', postgresql_with={'fillfactor': 70}, postgresql_using='hash')",
        ),
        box(
            "Column('s', Text)",
            "Column('j', postgresql.JSONB)",
            "Index('ix_a', text('lower(s)'))",
            "Index('ix_b', text(\"(j ->> 'a')\"), postgresql_where=text(\"s LIKE 'b%'\"))",
            "Index('ix_c', text('s COLLATE \"POSIX\" text_pattern_ops'))",
            "Index('ix_d', text('trim(s)'))",
            "Index('ix_e', 's', postgresql_with={'fillfactor': 80}, postgresql_using='hash')",
        ),
        box("Column('s', Text)", "Column('j', postgresql.JSONB)"),
    ),
    "types that differ by a word": (
        box("Column('a', Float(24))", "Column('b', Numeric(10, 2))", "Column('c', Text)"),
        box("Column('a', Float(53))", "Column('b', Numeric)", "Column('c', Text(collation='C'))"),
        box("Column('a', Float(24))", "Column('b', Numeric(10, 2))", "Column('c', Text)"),
    ),
    "types that need a cast": (
        box(
            "Column('a', Text)", "Column('b', Integer, server_default='1')", "Column('c', Integer)", "Column('d', Text)"
        ),
        box(
            "Column('a', Uuid)",
            "Column('b', Boolean, server_default=true())",
            "Column('c', postgresql.ARRAY(Integer))",
            "Column('d', Enum('x', 'y', name='box_d'))",
        ),
        box(
            "Column('a', Text)", "Column('b', Integer, server_default='1')", "Column('c', Integer)", "Column('d', Text)"
        ),
    ),
    "defaults": (
        box("Column('j', JSON, server_default='{}')", "Column('s', Text, server_default='100%')"),
        box("Column('j', JSON, server_default='[]')", "Column('s', Text, server_default=\"it's\")"),
        box("Column('j', JSON)", "Column('s', Text, server_default=text(\"'a' || 'b'\"))"),
    ),
    "generated columns": (
        box("Column('n', Integer)", "Column('twice', Integer, Computed('n * 2', persisted=True))"),
        box("Column('n', Integer)", "Column('twice', Integer, Computed('n * 3', persisted=True), index=True)"),
        box("Column('n', BigInteger)", "Column('twice', Integer, Computed('n * 3', persisted=True), index=True)"),
        box("Column('n', BigInteger)", "Column('twice', Integer, index=True)"),
        box("Column('n', BigInteger)", "Column('twice', BigInteger, Computed('n % 2', persisted=True))"),
        box("Column('n', BigInteger)", "Column('twice', Numeric, Computed('n % 2', persisted=True))"),
        box(),
    ),
    "a generated column, what is on it, and the column that it is made of": (
        box(
            "Column('n', Integer)",
            "Column('twice', Integer, Computed('n * 2', persisted=True))",
            "CheckConstraint('twice > 0', name='ck')",
            "Index('ix', 'twice', 'n')",
            "Index('gone', 'twice')",
            "UniqueConstraint('twice', name='uq')",
        ),
        box(
            "Column('n', BigInteger)",
            "Column('twice', BigInteger, Computed('n * 3', persisted=True))",
            "CheckConstraint('twice > 1', name='ck')",
            "Index('ix', 'n', 'twice')",
            "UniqueConstraint('n', 'twice', name='uq')",
        ),
        box("Column('n', Integer)", "Column('twice', Integer, Computed('n', persisted=True))"),
    ),
    "a generated column of a new and of a changed column": (
        box("Column('n', Integer)"),
        box(
            "Column('n', BigInteger)",
            "Column('m', Integer)",
            "Column('a', BigInteger, Computed('n + m', persisted=True))",
        ),
    ),
    "identity and its options": (
        counted("*[Identity()]"),
        counted("*[Identity(always=True, start=5, increment=5)]"),
        counted("*[Identity(minvalue=3, maxvalue=99, cycle=True)]"),
        counted(),
        counted("*[Identity()]"),
        counted("autoincrement=False"),
        counted(),
    ),
    "counting columns of an UNLOGGED table": tuple(
        f"Table('box', metadata, {columns}, prefixes=['UNLOGGED'])"
        for columns in (
            "Column('id', Integer, primary_key=True)",
            "Column('id', Integer, Identity(start=7), primary_key=True)",
            "Column('id', Integer, primary_key=True)",
            "Column('id', Integer, primary_key=True, autoincrement=False)",
            "Column('id', Integer, primary_key=True)",
            "Column('no', BigInteger, primary_key=True)",
        )
    ),
    "serial gets a wider type": (
        "Table('box', metadata, Column('id', Integer, primary_key=True))",
        "Table('box', metadata, Column('id', BigInteger, primary_key=True))",
    ),
    "a serial key becomes another one": (
        "Table('box', metadata, Column('id', Integer, primary_key=True), Column('n', Integer))",
        "Table('box', metadata, Column('id', Uuid, primary_key=True, server_default=func.gen_random_uuid()))",
    ),
    "a serial column gets a default": (
        "Table('box', metadata, Column('id', BigInteger, primary_key=True))",
        "Table('box', metadata, Column('id', BigInteger, primary_key=True, server_default='5'))",
    ),
    "labels of an enum": (
        box(KIND.format(labels="'small'")),
        box(KIND.format(labels="'small', 'large'")),
        box(
            KIND.format(labels="'tiny', 'small', 'medium', 'large'"), "Column('more', ARRAY(Enum('x', name='more_t')))"
        ),
        box(KIND.format(labels="'small', 'large'")),
        box(),
    ),
    "a label is used at once": (
        box(KIND.format(labels="'small'")),
        box(KIND.format(labels="'small', 'it''s'").replace("='small'", '="it\'s"').replace("'it''s'", '"it\'s"')),
    ),
    "a label that is a default gets another name": (
        box(
            "Column('k', Enum('new', 'done', name='k'), server_default='new')",
            "Column('ks', ARRAY(Enum('new', 'done', name='k')), server_default='{new}')",
        ),
        box(
            "Column('k', Enum('open', 'done', name='k'), server_default='open', comment='state')",
            "Column('ks', ARRAY(Enum('open', 'done', name='k')), server_default='{open,done}')",
        ),
    ),
    "an enum gets another name": (
        box("Column('k', Enum('a', 'b', name='k1'), server_default='a')"),
        box("Column('k', Enum('a', 'b', name='k2'), server_default='a')"),
    ),
    "a type of several tables": (
        "k = Enum('a', name='k', metadata=metadata)",
        f"k = Enum('a', name='k', metadata=metadata); {box('''Column('k', k)''')}; "
        f"Table('u', metadata, {ID}, Column('k', k))",
        f"k = Enum('a', 'b', name='k', metadata=metadata); {box('''Column('k', k)''')}; "
        f"Table('u', metadata, {ID}, Column('k', k), Column('ks', ARRAY(k)))",
        f"k = Enum('a', 'b', name='k'); {box('''Column('k', k)''')}",
        box(),
    ),
    "domains": (
        box("Column('n', postgresql.DOMAIN('pos', Integer, check='VALUE > 0'))"),
        box("Column('n', postgresql.DOMAIN('pos', Integer, check='VALUE > 1', default='5', not_null=True))"),
        box("Column('n', Integer)", "Column('ns', ARRAY(postgresql.DOMAIN('pos2', Integer)))"),
        box(),
    ),
    "a primary key that references another table": (
        f"{SHELF}; Table('box', metadata, Column('id', ForeignKey('shelf.id'), primary_key=True))",
        f"{SHELF}; "
        "Table('box', metadata, Column('id', ForeignKey('shelf.id'), primary_key=True), Column('n', Integer))",
    ),
    "sequences": (
        "",
        "s = Sequence('tickets', metadata=metadata, start=100); "
        + box("Column('no', BigInteger, s, server_default=s.next_value())"),
        "s = Sequence('tickets', metadata=metadata, start=200, minvalue=150, increment=5, cycle=True); "
        + box("Column('no', BigInteger, s, server_default=s.next_value())"),
        box(),
    ),
    "a schema that is not there": (
        "",
        f"Table('box', metadata, {ID}, Column('k', Enum('a', name='k', schema='store')), schema='store')",
    ),
    "percent signs everywhere": (
        "",
        "Table('a%b', metadata, Column('c%d', BigInteger, primary_key=True), "
        "Column('e', Text, server_default='5%', comment='%'), "
        "CheckConstraint(\"e LIKE '%x'\", name='like%'), Index('ix%', text(\"(e || '%')\")), comment='100%')",
        "Table('a%b', metadata, Column('c%d', BigInteger, primary_key=True), "
        "Column('e', Text, server_default='%s', nullable=False), Column('f', ForeignKey('a%b.c%d')), "
        "CheckConstraint(\"e LIKE '%%y'\", name='like%'), Index('ix%', text(\"(e || '%%')\")))",
        "",
    ),
    "objects that go where only one way has stages": (
        box(
            "Column('m', Text, index=True)",
            "Column('n', Numeric)",
            "Index('both', 'm', 'n')",
            "CheckConstraint('n > 1', name='positive')",
            "Index('some', 'id', postgresql_where=text(\"m > 'a'\"))",
        ),
        box(f"Column('m', String(90), info={IGNORED})", "Column('n', Numeric(9, 2))"),
        box(f"Column('m', String(9), info={IGNORED}, index=True)", "Column('n', Numeric, index=True)"),
        box(f"Column('m', String(5), info={IGNORED})", "Column('n', Numeric(7, 2))"),
    ),
    "columns beside an index's key, with their type": (
        box("Column('m', Text)", "Column('n', Integer)", "Index('covering', 'n', postgresql_include=['m'])"),
        box("Column('m', Integer)", "Column('n', Integer)", "Index('covering', 'n', postgresql_include=['m', 'id'])"),
        box("Column('m', Integer)", "Column('n', BigInteger)", "Index('covering', 'n')"),
        box(
            "Column('m', BigInteger)", "Column('n', Integer)", "Index('covering', 'id', postgresql_include=['m', 'n'])"
        ),
    ),
    "objects on two columns whose types change": (
        box(
            "Column('m', Text)",
            "Column('n', Integer)",
            "CheckConstraint(\"m > '1' OR n > 1\", name='either')",
            "Index('shrinks', 'm', 'n')",
            "Index('grows', 'n')",
            "Index('some', 'm', postgresql_where=text('n > 1'))",
        ),
        box(
            "Column('m', Integer)",
            "Column('n', Text)",
            "CheckConstraint(\"m > 1 OR n > '1'\", name='either')",
            "Index('shrinks', 'm')",
            "Index('grows', 'm', 'n')",
            "Index('some', 'n', postgresql_where=text('m > 1'))",
        ),
        box("Column('m', BigInteger)", "Column('n', Integer)", "Index('shrinks', 'n')"),
    ),
    "percent signs in enums and domains": (
        box(),
        box(
            "Column('e', Enum('6%', '%(x)s', name='e%'), server_default='6%')",
            "Column('d', postgresql.DOMAIN('d%', Text, check=text(\"VALUE LIKE '5%'\")), server_default='5%')",
        ),
        box("Column('e', Enum('6%', '%(x)s', '%%', name='e%'), server_default='%(x)s')"),
        box(),
    ),
    "names with spaces": (
        "Table('my box', metadata, Column('id', BigInteger, primary_key=True), Column('my n', Text, index=True), "
        "CheckConstraint('\"my n\" <> \\'\\'', name='my ck'), Index('my ix', text('lower(\"my n\")')))",
        "Table('my box', metadata, Column('id', BigInteger, primary_key=True))",
    ),
    "operator classes with options": (
        box(
            "Column('v', postgresql.TSVECTOR)",
            "Index('ix', text('v tsvector_ops(siglen=64)'), postgresql_using='gist')",
        ),
        box(),
    ),
    "colons everywhere": (
        box(
            "Column('s', Text, server_default=text(r\"' \\:a'\"))",
            "CheckConstraint(\"s ~ '^[[:alpha:]]+:'\", name='word')",
        ),
        box(
            "Column('s', Text, server_default=' :b')",
            "Column('g', Text, Computed(r\"s || ' \\:c'\", persisted=True))",
            "CheckConstraint(r\"s ~ '^[[:digit:]]+ \\:d'\", name='word')",
            "Index('ix', text(r\"(s || ' \\:e')\"), postgresql_where=text(r\"s > ' \\:f'\"))",
        ),
        box(),
        "",
    ),
    "defaults of columns whose type changes": (
        box("Column('n', Integer, server_default='7', nullable=False)", "Column('j', JSON, server_default='{}')"),
        box("Column('n', BigInteger, server_default='7', nullable=False)", "Column('j', JSON, server_default='{}')"),
        box(
            "Column('n', Numeric, server_default='8', nullable=False)",
            "Column('j', postgresql.JSONB, server_default='{}')",
        ),
    ),
    "expressions on a column whose type changes": (
        box("Column('n', Integer)", "CheckConstraint('n BETWEEN 0 AND 9', name='ck')", "Index('ix', text('(n + 1)'))"),
        box("Column('n', Numeric)", "CheckConstraint('n BETWEEN 0 AND 9', name='ck')", "Index('ix', text('(n + 1)'))"),
        box("Column('n', Integer)", "CheckConstraint('n BETWEEN 0 AND 9', name='ck')", "Index('ix', text('(n + 1)'))"),
    ),
    "casts that mean something": (
        box("Column('a', Interval)", "Column('b', BigInteger)", "Column('c', ARRAY(Text))"),
        box("Column('a', Integer)", "Column('b', DateTime(timezone=True))", "Column('c', postgresql.JSONB)"),
    ),
    "a generated column goes, and its source gets another type": (
        box("Column('s', String(9))", "Column('g', Text, Computed('upper(s)', persisted=True), index=True)"),
        box("Column('s', Text)"),
    ),
    "comments of constraints": (
        box(
            "Column('n', Integer)",
            "CheckConstraint('n > 0', name='ck', comment='a')",
            "UniqueConstraint('n', name='uq')",
        ),
        box(
            "Column('n', Integer)",
            "CheckConstraint('n > 1', name='ck', comment='a')",
            "UniqueConstraint('n', name='uq', comment='b')",
        ),
        box("Column('n', Integer)", "CheckConstraint('n > 1', name='ck')", "UniqueConstraint('n', name='uq')"),
        box("Column('n', Integer)", "UniqueConstraint('n', name='uq', comment='c')"),
        "",
    ),
    "names that PostgreSQL numbers": (
        f"{SHELF}; Table('room', metadata, {ID}); "
        + box(
            "Column('a', BigInteger, CheckConstraint('a > 9'), CheckConstraint('a < 99'))",
            "CheckConstraint('a <> 50')",
            "CheckConstraint('id > a')",
            "CheckConstraint('id <> a + 1')",
            "ForeignKeyConstraint(['a'], ['shelf.id'])",
            "ForeignKeyConstraint(['a'], ['room.id'])",
        ),
        "",
    ),
    "a unique constraint that a foreign key holds is replaced": (
        "Table('shelf', metadata, Column('code', Text, unique=True)); "
        + box("Column('code', Text, ForeignKey('shelf.code'))"),
        "Table('shelf', metadata, Column('code', Text, primary_key=True)); "
        + box("Column('code', Text, ForeignKey('shelf.code'))"),
    ),
    "labels that CHECKs, indexes and foreign keys compare": (
        "k = Enum('a', 'b', 'c', name='k'); Table('shelf', metadata, Column('k', k, primary_key=True)); "
        + box(
            "Column('k', k, ForeignKey('shelf.k'), server_default='c')",
            "CheckConstraint(\"k IN ('a', 'c')\", name='ck')",
            "Index('ix', 'id', postgresql_where=text(\"k <> 'b'\"))",
        ),
        "k = Enum('a', 'b', name='k'); Table('shelf', metadata, Column('k', k, primary_key=True)); "
        + box(
            "Column('k', k, ForeignKey('shelf.k'), server_default='a')",
            "CheckConstraint(\"k IN ('a', 'b')\", name='ck')",
            "Index('ix', 'id', postgresql_where=text(\"k <> 'b'\"))",
        ),
        "k = Enum('a', 'b', 'd', name='k'); Table('shelf', metadata, Column('k', k, primary_key=True)); "
        + box("Column('k', k, ForeignKey('shelf.k'), server_default='a')", "CheckConstraint(\"k <> 'd'\", name='ck')"),
        "",
    ),
    "storage parameters, and the precision of an interval": (
        box(
            "Column('i', Interval(second_precision=3))",
            "Column('s', Text)",
            "postgresql_with={'fillfactor': 70, 'toast.autovacuum_enabled': 'off'}",
        ),
        box(
            "Column('i', Interval)",
            "Column('s', Text)",
            "postgresql_with={'autovacuum_enabled': 'off', 'fillfactor': 80}",
        ),
        box("Column('i', Interval)", "postgresql_with={'toast.autovacuum_enabled': 'off', 'fillfactor': 80}"),
    ),
    "a table that nothing of is lost": (
        f"{SHELF}; Table('box', metadata, {ID}, Column('q', postgresql.TSQUERY), Column('s', String(9)), "
        "Column('shelf_id', ForeignKey('shelf.id', match='FULL', deferrable=True)), "
        "Column('k', Enum('a', name='k')), Column('p', postgresql.DOMAIN('pos', Integer, default='5')), "
        "CheckConstraint(\"s IN ('a', 'b')\", name='listed'), UniqueConstraint('s', name='one_s', deferrable=True), "
        "prefixes=['UNLOGGED'], postgresql_with={'fillfactor': 50})",
        SHELF,
    ),
    "keys of columns whose type changes": (
        "Table('box', metadata, Column('id', Text, primary_key=True), Column('n', Integer, unique=True))",
        "Table('box', metadata, Column('id', Uuid, primary_key=True), Column('n', Text, unique=True))",
    ),
    "a partitioned table": (
        "Table('box', metadata, Column('at', DateTime(timezone=True), primary_key=True), "
        "postgresql_partition_by='RANGE (at)')",
        "",
    ),
    "columns that a table inherits": (
        f"Table('base', metadata, {ID}); Table('box', metadata, Column('x', Integer), postgresql_inherits='base')",
        "",
    ),
    "a child whose name comes before its parents'": (
        f"Table('base', metadata, {ID}); Table('Zoo', metadata, Column('z', Integer)); "
        "Table('ape', metadata, Column('x', Integer), postgresql_inherits=('base', 'Zoo'))",
        "",
    ),
    "columns that parent and child declare both": (
        f"Table('base', metadata, {ID}, Column('n', Integer)); "
        f"Table('ape', metadata, {ID}, Column('n', Integer), postgresql_inherits='base'); "
        f"Table('bonobo', metadata, {ID}, Column('n', Integer), postgresql_inherits='ape')",
        f"Table('base', metadata, {ID}, Column('n', Text), Column('y', Integer)); "
        f"Table('ape', metadata, {ID}, Column('n', Text), Column('y', Integer), postgresql_inherits='base'); "
        f"Table('bonobo', metadata, {ID}, Column('n', Text), Column('y', Integer), postgresql_inherits='ape')",
        f"Table('base', metadata, {ID}, Column('y', Integer)); "
        f"Table('ape', metadata, {ID}, Column('y', Integer), postgresql_inherits='base'); "
        f"Table('bonobo', metadata, {ID}, Column('y', Integer), postgresql_inherits='ape')",
        "",
    ),
    "equal unique constraints": (
        box("Column('u', Text, unique=True)", "UniqueConstraint('u', name='one_u')"),
        box("Column('u', Text)"),
    ),
    "keys with values from elsewhere": (
        "Table('box', metadata, Column('id', Integer, primary_key=True, default=1), Column('n', Integer)); "
        f"Table('bag', metadata, Column('id', Text, primary_key=True)); {SHELF}; "
        "Table('page', metadata, Column('id', BigInteger, ForeignKey('shelf.id'), primary_key=True))",
    ),
    "a plain column becomes generated, under a unique constraint, a CHECK and a foreign key": (
        f"{SHELF}; "
        + box(
            "Column('n', BigInteger)",
            "Column('m', BigInteger, ForeignKey('shelf.id'), index=True)",
            "UniqueConstraint('m', 'id', name='one_m')",
            "CheckConstraint('m > 0', name='some_m')",
        ),
        f"{SHELF}; "
        + box(
            "Column('n', BigInteger)",
            "Column('m', BigInteger, Computed('n + 1', persisted=True), ForeignKey('shelf.id'), index=True)",
            "UniqueConstraint('m', 'id', name='one_m')",
            "CheckConstraint('m > 0', name='some_m')",
        ),
    ),
    "keys that count, added and dropped": (
        "Table('box', metadata, Column('code', Text, primary_key=True))",
        "Table('box', metadata, Column('id', BigInteger, primary_key=True), Column('code', Text, nullable=False))",
        "Table('box', metadata, Column('no', Integer, primary_key=True), Column('code', Text, nullable=False))",
        "Table('box', metadata, Column('code', Text, primary_key=True), Column('no', Integer, Identity(start=5)))",
    ),
    "an index on expressions of columns whose types change": (
        box("Column('n', Integer)", "Column('s', String(9))", "Index('ix', text('(n % 7)'), text(\"(s LIKE 'a%')\"))"),
        box("Column('n', BigInteger)", "Column('s', Text)", "Index('ix', text('(n % 7)'), text(\"(s LIKE 'a%')\"))"),
    ),
    "both sides of a foreign key get a type that is not compared with the old one": (
        "Table('shelf', metadata, Column('code', Integer, unique=True)); "
        + box("Column('code', ForeignKey('shelf.code', name='fk'))"),
        "Table('shelf', metadata, Column('code', Text, unique=True)); "
        + box("Column('code', ForeignKey('shelf.code', name='fk'))"),
    ),
    "a table goes with the key to it, beside changes in stages": (
        f"{SHELF}; " + box("Column('n', Integer)", "Column('shelf_id', ForeignKey('shelf.id'))"),
        box("Column('n', Integer, nullable=False)", "postgresql_with={'fillfactor': 70}"),
    ),
    "an index that the new type does not have goes, and storage parameters": (
        box(
            "Column('j', postgresql.JSONB)",
            "Index('ix', 'j', postgresql_using='gin')",
            "postgresql_with={'fillfactor': 70}",
        ),
        box("Column('j', Text)", "postgresql_with={'fillfactor': '80', 'autovacuum_vacuum_scale_factor': '0.02'}"),
        box("Column('j', Text)", "postgresql_with={'fillfactor': '80'}"),
    ),
    "labels that a generated column is made of": (
        box(
            "Column('k', Enum('a', 'b', name='k'))",
            "Column('g', Boolean, Computed(\"k = 'a'\", persisted=True), nullable=False, index=True, comment='is a')",
            "UniqueConstraint('g', 'id', name='one_g')",
            "CheckConstraint('g OR id > 0', name='some_g')",
        ),
        box(
            "Column('k', Enum('a', 'c', name='k'))",
            "Column('g', Boolean, Computed(\"k = 'a'\", persisted=True), nullable=False, index=True, comment='is a')",
            "UniqueConstraint('g', 'id', name='one_g')",
            "CheckConstraint('g OR id > 0', name='some_g')",
        ),
    ),
    "bytes": (
        box("Column('a', Uuid)", "Column('b', Text)", "Column('c', LargeBinary)"),
        box("Column('a', LargeBinary)", "Column('b', LargeBinary)", "Column('c', String(9))"),
    ),
    "types that SQLAlchemy does not reflect": (
        box("Column('p', postgresql.JSONPATH)", "Column('q', postgresql.TSQUERY)"),
        box("Column('p', Text, nullable=False)", "Column('q', Text, index=True)"),
    ),
    "an identity that counts down": (
        box("Column('n', Integer, nullable=False)"),
        box("Column('n', Integer, Identity(start=10, increment=-1, minvalue=-100, maxvalue=100))"),
        box("Column('n', Integer)"),
        box("Column('n', Integer, Identity(always=True))"),
    ),
    "a foreign key is replaced while both its sides get another type": (
        box("Column('key', Uuid, unique=True)", "Column('up', Uuid, ForeignKey('box.key'))"),
        box("Column('key', Text, unique=True)", "Column('up', Text, ForeignKey('box.key', ondelete='CASCADE'))"),
        box("Column('key', Uuid, unique=True)", "Column('up', Uuid, ForeignKey('box.key', onupdate='CASCADE'))"),
    ),
    "a generated column with a comment becomes a plain one": (
        box("Column('n', Integer)", "Column('g', Integer, Computed('n + 1', persisted=True), comment='sum')"),
        box("Column('n', Integer)", "Column('g', Integer)"),
    ),
    "an array of an enum becomes its text": (
        box("Column('ks', ARRAY(Enum('a', 'b', name='k')), server_default='{b}')"),
        box("Column('ks', Text, server_default='{a}')"),
    ),
    "a type that SQLAlchemy does not know gets a default": (
        box("Column('at', POINT)"),
        box("Column('at', POINT, server_default='(1,2)', nullable=False)"),
    ),
    "an interval that is stored as a timestamp": (
        box("Column('i', Interval(native=False)), Column('j', Interval)"),
        box("Column('i', Interval), Column('j', Interval(native=False))"),
    ),
    "a key that counts in spite of its foreign key": (
        f"{SHELF}; Table('box', metadata, Column('id', ForeignKey('shelf.id'), primary_key=True, "
        "autoincrement='ignore_fk'))",
    ),
    "long names in another alphabet": (
        box("Column('ä' * 20, Integer)"),
        box("Column('ä' * 20, Integer, index=True, unique=False)", "CheckConstraint('id > 0', name='ü' * 31)"),
        box("Column('ä' * 20, Integer)"),
    ),
}


@pytest.fixture
def in_process(database: Any, tmp_path: Path) -> Any:
    with database.engine().connect() as connection, database.connect() as look:
        project = InProcess(connection, look, tmp_path, {"compare_server_default": True, "include_schemas": True})
        project.config.attributes.clear()
        (tmp_path / "alembic.ini").write_text("[alembic]\n[pgpatterns]\nignore = *\n")
        yield project


class POINT(sa.types.UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self) -> str:
        return "point"


def test_a_connection_in_autocommit(database: Any, tmp_path: Path) -> None:
    """Some env.py files set it, and a savepoint needs a transaction."""
    (tmp_path / "alembic.ini").write_text("[alembic]\n[pgpatterns]\nignore = *\n")
    engine = database.engine().execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, database.connect() as look:
        project = InProcess(connection, look, tmp_path)
        checked = "Column('n', Integer, CheckConstraint('n > 0', name='c'), server_default='1')"
        for columns in ("Column('n', Integer)", checked, checked.replace("n > 0", "n > 1").replace("'1'", "'2'")):
            there_and_back(project, metadata_of(box(columns)))
        assert look.execute("INSERT INTO box DEFAULT VALUES RETURNING n").fetchone() == (2,)


def metadata_of(code: str, **options: Any) -> sa.MetaData:
    metadata = sa.MetaData(**options)
    scope = {name: getattr(sa, name) for name in sa.__all__} if hasattr(sa, "__all__") else dict(vars(sa))
    try:
        exec(textwrap.dedent(code), {**scope, "metadata": metadata, "postgresql": postgresql, "POINT": POINT})
    except sa.exc.ArgumentError as error:
        if not re.match(r"Argument 'postgresql_\w+' is not accepted by dialect", str(error)):
            raise
        pytest.skip(f"SQLAlchemy {sa.__version__}: {error}")
    return metadata


def test_storage_parameters_come_back_with_their_table(in_process: InProcess) -> None:
    """SQLAlchemy before 2.1 has no ``Table(postgresql_with=...)``, so the downgrade cannot say it so either."""
    there_and_back(in_process, metadata_of(box()))
    in_process.look.execute("ALTER TABLE box SET (fillfactor = 50, autovacuum_enabled = off)")
    (written,) = there_and_back(in_process, metadata_of(""))
    assert "fillfactor" in written.downgrade


@pytest.mark.sample(10)
@pytest.mark.parametrize("steps", PAIRS.values(), ids=PAIRS)
def test_models_become_the_database(in_process: InProcess, steps: tuple[str, ...]) -> None:
    for code in steps:
        there_and_back(in_process, metadata_of(code))
    migrated = in_process.snapshot()
    in_process.emptied()
    settings = Settings(ignore=("*",))
    effective_metadata(metadata_of(steps[-1]), settings).create_all(in_process.connection)
    in_process.connection.commit()
    assert differences(migrated, in_process.snapshot()) == []


CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


@pytest.mark.long
def test_a_schema_and_a_convention_for_all_tables(in_process: InProcess) -> None:
    """``ForeignKey("shelf.id")`` means a table of the MetaData's schema, and names come from its convention."""
    in_process.options = {}
    small = "Column('k', Enum('a', 'b', name='kk', native_enum=False, create_constraint=True))"
    steps = (
        f"{SHELF}; {box()}",
        f"{SHELF}; " + box(small, "Column('shelf_id', ForeignKey('shelf.id'), unique=True)"),
        f"{SHELF}; " + box(small.replace("'b'", "'b', 'c'"), "Column('shelf_id', ForeignKey('shelf.id'), index=True)"),
    )
    for code in steps:
        there_and_back(in_process, metadata_of(code, schema="iris", naming_convention=CONVENTION))
        names = {name for (name,) in in_process.look.execute("SELECT conname FROM pg_constraint")}
        assert code == steps[0] or {"ck_box_kk", "fk_box_shelf_id", "pk_box", "uq_shelf_code"} <= names
    migrated = in_process.snapshot()
    in_process.emptied()
    last = metadata_of(steps[-1], schema="iris", naming_convention=CONVENTION)
    effective_metadata(last, Settings(ignore=("*",))).create_all(in_process.connection)
    in_process.connection.commit()
    assert differences(migrated, in_process.snapshot()) == []


def test_what_others_made_is_not_dropped(in_process: InProcess) -> None:
    parted = (
        "Table('box', metadata, Column('id', BigInteger, primary_key=True){}, postgresql_partition_by='RANGE (id)')"
    )
    there_and_back(in_process, metadata_of(parted.format("")))
    for statement in (
        "CREATE TABLE box_1 PARTITION OF box FOR VALUES FROM (0) TO (9) PARTITION BY HASH (id)",
        "CREATE TABLE box_1_0 PARTITION OF box_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "CREATE TABLE box_rest PARTITION OF box DEFAULT",
        "CREATE INDEX by_hand ON box_rest (id)",
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE far (id bigint) SERVER elsewhere",
    ):
        in_process.look.execute(statement)
    (written,) = there_and_back(in_process, metadata_of(parted.format(", Column('n', Integer, index=True)")))
    assert "drop_" not in written.upgrade


@pytest.mark.filterwarnings("error")
def test_nothing_warns_of_what_is_written(in_process: InProcess) -> None:
    """Alembic writes ``autoincrement=``, which only MySQL has; SQLAlchemy warns of a CHECK that is NOT VALID."""
    there_and_back(in_process, metadata_of(box("Column('n', Integer)")))
    in_process.look.execute("ALTER TABLE box ADD CONSTRAINT positive CHECK (n > 0) NOT VALID")
    key = "Column('id', BigInteger, primary_key=True, comment='a key')"
    check = "CheckConstraint('n > 0', name='positive')"
    (written,) = there_and_back(in_process, metadata_of(box("Column('n', Integer)", check).replace(ID, key)))
    assert "a key" in written.upgrade


@pytest.mark.long
def test_a_domain_that_refuses_null_comes_to_a_table_with_rows(in_process: InProcess) -> None:
    there_and_back(in_process, metadata_of(box()))
    in_process.look.execute("INSERT INTO box DEFAULT VALUES")
    domain = "postgresql.DOMAIN('mark', Text, check=\"VALUE <> ''\", not_null=True)"
    written = there_and_back(in_process, metadata_of(box(f"Column('m', {domain}, server_default='x')")))
    assert "makes PostgreSQL rewrite" in " ".join(written[0].upgrade.replace("#", "").split())
    assert in_process.look.execute("SELECT m FROM box").fetchone() == ("x",)
    there_and_back(in_process, metadata_of(box()))


def test_schemas_that_env_py_does_not_include(in_process: InProcess) -> None:
    in_process.options["include_schemas"] = False
    in_process.look.execute("CREATE SCHEMA store; CREATE TABLE store.theirs (id int PRIMARY KEY)")
    table = f"Table('box', metadata, {ID}, {{}}, schema='store')"
    there_and_back(in_process, metadata_of(table.format("Column('n', Integer)")))
    there_and_back(in_process, metadata_of(table.format("Column('n', BigInteger, index=True)")))
    assert in_process.look.execute("SELECT to_regclass('store.theirs') IS NOT NULL").fetchone() == (True,)


def test_what_cannot_run_is_named(in_process: InProcess) -> None:
    there_and_back(in_process, metadata_of(box("Column('n', Integer)")))
    virtual = "Column('g', Integer, Computed('n + 1', persisted=False))"
    written = in_process.revise(metadata_of(box("Column('n', Integer)", virtual, "Index('ix_g', 'g')")))
    assert any("PostgreSQL refuses ix_g of box" in file.upgrade for file in written)
    in_process.look.execute("CREATE VIEW stock AS SELECT n FROM box")
    written = in_process.revise(sa.MetaData())
    assert re.search(r"this\W+uses\W+the\W+table:\W+view\W+stock\.", written[0].upgrade), written[0].upgrade
    in_process.emptied()
    in_process.connection.execution_options(schema_translate_map={None: "tenant"})
    written = in_process.revise(metadata_of(box("Column('m', Integer)")))
    assert "env.py sets schema_translate_map" in written[0].upgrade


STOCK = """
    CREATE ROLE {reader};
    CREATE VIEW stock WITH (security_barrier = true) AS SELECT n, kind FROM box WHERE n <> 5;
    CREATE VIEW report AS SELECT stock.n, box.kind, box.id FROM stock JOIN box USING (n);
    CREATE MATERIALIZED VIEW total AS SELECT kind, count(*) AS boxes FROM report GROUP BY kind;
    CREATE UNIQUE INDEX one_kind ON total (kind);
    COMMENT ON VIEW stock IS 'what''s there';
    COMMENT ON COLUMN stock.n IS 'number';
    ALTER VIEW stock ALTER COLUMN n SET DEFAULT 7;
    CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER kept INSTEAD OF INSERT ON stock FOR EACH ROW EXECUTE FUNCTION kept();
    CREATE RULE no_delete AS ON DELETE TO report DO INSTEAD NOTHING;
    GRANT SELECT ON box TO {reader};
    ALTER VIEW report OWNER TO {reader};
    GRANT SELECT ON stock TO {reader} WITH GRANT OPTION;
    GRANT SELECT (n) ON report TO PUBLIC;
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
    INSERT INTO box (n, kind) VALUES (1, 'small')"""
VIEWS = """
    SELECT c.relname, pg_get_userbyid(c.relowner), coalesce(c.relacl, acldefault('r', c.relowner))::text, c.reloptions,
        pg_get_viewdef(c.oid), obj_description(c.oid),
        array_agg(concat_ws(' ', a.attname, a.attacl::text, col_description(c.oid, a.attnum),
                            pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum),
        (SELECT array_agg(pg_get_triggerdef(t.oid)) FROM pg_trigger t WHERE t.tgrelid = c.oid),
        (SELECT array_agg(pg_get_ruledef(r.oid) ORDER BY 1) FROM pg_rewrite r WHERE r.ev_class = c.oid),
        (SELECT array_agg(pg_get_indexdef(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.oid), c.relispopulated
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm') GROUP BY c.oid ORDER BY 1"""
RETYPED = {
    "types": ("Column('n', Integer)", "Column('n', BigInteger)", "Column('kind', String(9))", "Column('kind', Text)"),
    "labels": (
        "Column('n', Integer)",
        "Column('n', Integer)",
        "Column('kind', Enum('small', 'odd', 'large', name='kind'))",
        "Column('kind', Enum('small', 'large', name='kind'))",
    ),
    "a new label": (
        "Column('n', Integer)",
        "Column('n', Integer)",
        "Column('kind', Enum('small', 'large', name='kind'))",
        "Column('kind', Enum('small', 'odd', 'large', name='kind'))",
    ),
}


@pytest.mark.parametrize("columns", RETYPED.values(), ids=RETYPED)
@pytest.mark.sample(2)
def test_views_go_and_come_back_with_all_that_they_have(in_process: InProcess, columns: tuple[str, ...]) -> None:
    there_and_back(in_process, metadata_of(box(columns[0], columns[2])))
    reader = f"reader_{uuid.uuid4().hex[:8]}"
    in_process.look.execute(STOCK.format(reader=reader))
    before = in_process.look.execute(VIEWS).fetchall()
    written = there_and_back(in_process, metadata_of(box(columns[1], columns[3])))
    assert in_process.look.execute(VIEWS).fetchall() == before
    assert in_process.look.execute("SELECT kind, boxes FROM total").fetchall() == [("small", 1)]
    assert any("DROP TABLE pgpatterns_views" in file.downgrade for file in written)


READERS = """
    CREATE ROLE {reader};
    ALTER TABLE box ADD big boolean GENERATED ALWAYS AS (kind = 'large') STORED;
    GRANT SELECT (big) ON box TO {reader};
    CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER of_kind AFTER INSERT OR UPDATE OF kind ON box FOR EACH ROW EXECUTE FUNCTION kept();
    CREATE TRIGGER of_big BEFORE UPDATE ON box FOR EACH ROW WHEN (OLD.big) EXECUTE FUNCTION kept();
    CREATE TRIGGER was_small AFTER UPDATE ON box FOR EACH ROW WHEN (OLD.kind = 'small') EXECUTE FUNCTION kept();
    ALTER TABLE box DISABLE TRIGGER was_small;
    COMMENT ON TRIGGER was_small ON box IS 'what''s small';
    CREATE TABLE seen (kind kind);
    CREATE RULE noted AS ON UPDATE TO box WHERE NEW.kind = 'large' DO ALSO INSERT INTO seen VALUES (NEW.kind);
    CREATE POLICY small ON box FOR SELECT TO {reader} USING (kind = 'small' AND NOT big);
    CREATE PUBLICATION {reader} FOR TABLE box (id, kind);
    INSERT INTO box (kind) VALUES ('small'), ('large')"""
READING = """
    SELECT pg_get_triggerdef(oid) || tgenabled::text || coalesce(obj_description(oid), '') FROM pg_trigger
    WHERE NOT tgisinternal
    UNION ALL SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE rulename = 'noted'
    UNION ALL SELECT concat_ws(' ', polname, polcmd, polroles::text, pg_get_expr(polqual, polrelid)) FROM pg_policy
    UNION ALL SELECT to_jsonb(t)::text FROM pg_publication_tables t
    UNION ALL SELECT concat_ws(' ', attname, attacl::text) FROM pg_attribute WHERE attname = 'big'
    UNION ALL SELECT concat_ws(' ', kind, big) FROM box
    ORDER BY 1"""


@pytest.mark.parametrize("change", ["labels", pytest.param("a new label", marks=pytest.mark.long)])
def test_what_reads_an_enum_goes_and_comes_back(in_process: InProcess, change: str) -> None:
    _, _, old, new = RETYPED[change]
    there_and_back(in_process, metadata_of(box(old)))
    in_process.options["include_object"] = lambda item, name, *_: name not in ("big", "seen")
    in_process.look.execute(READERS.format(reader=f"reader_{uuid.uuid4().hex[:8]}"))
    before = in_process.look.execute(READING).fetchall()
    written = there_and_back(in_process, metadata_of(box(new)))
    assert in_process.look.execute(READING).fetchall() == before and len(before) == 9
    text = " ".join("".join(file.upgrade for file in written).replace("#", "").split())
    assert change == "a new label" or "trigger of_kind on table box" in text
    assert "PostgreSQL refuses while" not in text


def test_a_view_that_something_else_uses_is_named(in_process: InProcess) -> None:
    there_and_back(in_process, metadata_of(box("Column('n', Integer)")))
    in_process.look.execute("CREATE VIEW stock AS SELECT n FROM box")
    in_process.look.execute("CREATE FUNCTION first() RETURNS stock LANGUAGE sql AS 'SELECT stock FROM stock LIMIT 1'")
    (written,) = in_process.revise(metadata_of(box("Column('n', Text)")))
    assert "pgpatterns_views" not in written.upgrade
    assert "is used by: view stock" in " ".join(written.upgrade.replace("#", "").split())


def test_serial_columns_that_models_do_not_have_are_restored(in_process: InProcess) -> None:
    there_and_back(in_process, metadata_of(box()))
    in_process.look.execute("ALTER TABLE box ADD COLUMN n serial")
    in_process.look.execute("CREATE TABLE old (id int, n smallserial, b bigserial PRIMARY KEY)")
    in_process.look.execute("INSERT INTO box SELECT FROM generate_series(1, 3)")
    written = there_and_back(in_process, metadata_of(box()))
    in_process.downgrade(written)
    assert in_process.look.execute("SELECT array_agg(n ORDER BY n) FROM box").fetchone() == ([1, 2, 3],)


def test_models_that_name_the_sequence_of_a_serial_column(in_process: InProcess) -> None:
    """As SQLAlchemy-Continuum's do: SQLAlchemy calls nextval(), and the history has made the column serial."""
    in_process.look.execute("CREATE TABLE box (id serial PRIMARY KEY, n bigint)")
    for kind in ("Integer", "BigInteger"):
        column = f"Column('id', {kind}, Sequence('box_id_seq'), primary_key=True)"
        named = f"Table('box', metadata, {column}, Column('n', BigInteger))"
        there_and_back(in_process, metadata_of(named))
    row = in_process.look.execute("INSERT INTO box DEFAULT VALUES RETURNING id, nextval('box_id_seq')").fetchone()
    assert row == (1, 2)
    limit = "SELECT seqmax FROM pg_sequence WHERE seqrelid = 'box_id_seq'::regclass"
    assert in_process.look.execute(limit).fetchone() == (2**63 - 1,)


GUARDED = """
    CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER kept BEFORE INSERT ON box FOR EACH ROW EXECUTE FUNCTION kept();
    ALTER TABLE box DISABLE TRIGGER kept, ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON box AS RESTRICTIVE FOR UPDATE TO CURRENT_USER USING (id > 0) WITH CHECK (id > 1);
    CREATE POLICY "all" ON box;
    CREATE RULE none AS ON DELETE TO box DO INSTEAD NOTHING"""
GUARDS = """
    SELECT relrowsecurity, relforcerowsecurity, (SELECT array_agg(p::text ORDER BY p) FROM pg_policies p),
        (SELECT array_agg(pg_get_triggerdef(oid) || tgenabled::text) FROM pg_trigger WHERE tgrelid = c.oid),
        (SELECT array_agg(pg_get_ruledef(oid)) FROM pg_rewrite WHERE ev_class = c.oid)
    FROM pg_class c WHERE oid = to_regclass('box')"""


def test_what_goes_with_a_table_comes_back(in_process: InProcess) -> None:
    there_and_back(in_process, metadata_of(box()))
    in_process.look.execute(GUARDED)
    before = in_process.look.execute(GUARDS).fetchall()
    written = in_process.revise(metadata_of(""))
    in_process.upgrade(written)
    assert in_process.look.execute(GUARDS).fetchall() == []
    in_process.downgrade(written)
    assert in_process.look.execute(GUARDS).fetchall() == before


def test_a_foreign_key_by_column_into_another_metadata(in_process: InProcess) -> None:
    shelf = metadata_of(f"{SHELF}")
    shelf.create_all(in_process.connection)
    in_process.connection.commit()
    in_process.options["include_name"] = None
    in_process.options["include_object"] = lambda item, name, kind, *_: (kind, name) != ("table", "shelf")
    metadata = metadata_of(box())
    sa.Table("bag", metadata, sa.Column("shelf_id", sa.ForeignKey(shelf.tables["shelf"].c.id, ondelete="CASCADE")))
    there_and_back(in_process, metadata)
    effective_metadata(metadata, Settings(ignore=("*",))).create_all(in_process.connection)


def test_a_table_with_most_of_the_columns_may_be_its_new_name(in_process: InProcess) -> None:
    columns = "Column('id', BigInteger, primary_key=True), Column('a', Text), Column('b', Date), Column('c', {})"
    old = f"Table('old', metadata, {columns.format('Integer')}, Column('d', Integer))"
    there_and_back(in_process, metadata_of(f"{old}; Table('other', metadata, Column('id', BigInteger))"))
    new = f"Table('new', metadata, {columns.format('BigInteger')}, Column('e', Text), Column('f', Date))"
    in_process.output.clear()
    (written,) = in_process.revise(metadata_of(new))
    assert "op.rename_table('old', 'new')" in written.upgrade
    assert "The next autogenerate then changes the columns that differ." in written.upgrade
    warnings = [line for line in in_process.output if "warning: drop-under-running-code" in line]
    assert [line.count("is its new name") for line in warnings] == [1, 0], "the other one is told, too"


def test_what_may_be_a_rename_is_shown(in_process: InProcess) -> None:
    old = "Table('old', metadata, Column('id', BigInteger, primary_key=True), Column('a', Text))"
    there_and_back(in_process, metadata_of(f"{box('''Column('n', Integer), Column('s', Text)''')}; {old}"))
    new = box("Column('m', Integer)", "Column('x', Uuid)") + "; " + old.replace("'old'", "'new'")
    (written,) = in_process.revise(metadata_of(new))
    assert "op.alter_column('box', 'n', new_column_name='m')" in written.upgrade
    assert "op.rename_table('old', 'new')" in written.upgrade
    assert written.upgrade.count("is its new name") == 2
    # What stands in the downgrade would drop the renamed ones.
    assert written.upgrade.count("And in downgrade(), in place of what undoes both:") == 2
    assert "op.alter_column('box', 'm', new_column_name='n')" in written.upgrade
    assert "op.rename_table('new', 'old')" in written.upgrade
    warnings = [line for line in in_process.output if line.startswith("pgpatterns: warning: drop-under-running-code")]
    rename = "If m is its new name, write instead of both, so that the values stay: "
    assert [line for line in warnings if f"{rename}op.alter_column('box', 'n', new_column_name='m')" in line]
    assert [line for line in warnings if line.endswith("so that the rows stay: op.rename_table('old', 'new')")]
    assert any(line.startswith("pgpatterns: drop-under-running-code: drops box.s") for line in in_process.output)


def test_a_column_that_is_made_again_is_no_rename(in_process: InProcess) -> None:
    columns = "Column('n', {}), Column('g', Integer, Computed('n * {}', persisted=True))"
    there_and_back(in_process, metadata_of(box(columns.format("Integer", 2))))
    (written,) = in_process.revise(metadata_of(box(columns.format("Numeric", 3))))
    assert "drop_column" in written.upgrade and "is its new name" not in written.upgrade


@pytest.mark.parametrize("kind", ["{}", "ARRAY({})"])
@pytest.mark.sample(1)
def test_how_to_find_rows_whose_label_goes(in_process: InProcess, kind: str) -> None:
    """On the way down PostgreSQL says only that a value is not valid, and not where it is."""
    labels = [("a", "b"), ("a", "b", "it's"), ("a", "it's", "c")]
    columns = [box(f"Column('k', {kind.format(f'Enum(*{row!r}, name={chr(39)}kk{chr(39)})')})") for row in labels]
    for code in columns[:2]:
        there_and_back(in_process, metadata_of(code))
    added = in_process.history[-1]
    in_process.look.execute("INSERT INTO box(k) VALUES (%s)", ["{it's}" if "ARRAY" in kind else "it's"])
    assert len(rows_named(in_process, added.downgrade)) == 1
    in_process.output.clear()
    (replaced,) = in_process.revise(metadata_of(columns[2]))
    assert rows_named(in_process, replaced.upgrade) == []
    assert "RENAME VALUE 'b' TO 'c'" in "".join(line for line in in_process.output if ": warning: " in line)
    in_process.upgrade([replaced])
    in_process.look.execute("UPDATE box SET k = %s", ["{c}" if "ARRAY" in kind else "c"])
    assert len(rows_named(in_process, replaced.downgrade)) == 1
    with pytest.raises(AssertionError, match="invalid input value for enum"):
        in_process.downgrade([replaced])


def rows_named(in_process: InProcess, code: str) -> list[Any]:
    """What the query in a comment finds."""
    (query,) = re.findall(r"#\s+(SELECT \* FROM .*;)", code)
    return list(in_process.look.execute(query).fetchall())


def test_a_default_that_the_models_leave_to_the_database(in_process: InProcess) -> None:
    there_and_back(in_process, metadata_of(box("Column('n', Integer, server_default=FetchedValue())")))
    in_process.look.execute("ALTER TABLE box ALTER n SET DEFAULT 7")
    known = "Column('n', Integer, server_default=FetchedValue()), Column('m', Integer, server_default='1')"
    there_and_back(in_process, metadata_of(box(known)))
    in_process.options = {"compare_server_default": False}
    none = "Column('n', Integer, server_default=FetchedValue()), Column('m', Integer, server_default=null())"
    there_and_back(in_process, metadata_of(box(none)))
    in_process.look.execute("INSERT INTO box DEFAULT VALUES")
    assert in_process.look.execute("SELECT n, m FROM box").fetchone() == (7, None)
    in_process.look.execute("ALTER TABLE box ALTER m SET DEFAULT 3")
    in_process.revise(metadata_of(box(known.replace(", server_default='1'", ""))))
    assert "has a default that the models do not have: box.m. Autogenerate drops it only" in in_process.output[-1]


def test_what_may_be_a_rename_is_shown_where_patterns_change_the_type(in_process: InProcess) -> None:
    stored = box("Column('phone', String(32)), Column('n', Integer), Column('k', Enum('a', 'b', name='k'))")
    metadata_of(stored).create_all(in_process.connection)
    in_process.connection.commit()
    new = metadata_of(box("Column('mobile', String(32)), Column('m', BigInteger), Column('j', Boolean)"))
    written = in_process.revise(effective_metadata(new, Settings()))
    shown = " ".join("".join(file.upgrade for file in written).replace("#", "").split())
    assert "op.alter_column('box', 'phone', new_column_name='mobile')" in shown
    assert "then changes its type from VARCHAR(32) to TEXT." in shown
    assert "op.alter_column('box', 'n', new_column_name='m')" in shown
    assert "new_column_name='j'" not in shown


def test_an_enum_with_two_sets_of_labels_is_named(in_process: InProcess) -> None:
    first, second = box("Column('k', Enum('a', 'b', name='k'))"), "Column('k', Enum('a', 'c', name='k'))"
    written = there_and_back(in_process, metadata_of(f"{first}; Table('shelf', metadata, {ID}, {second})"))
    shown = " ".join(written[0].upgrade.replace("#", "").split())
    assert "shelf.k declares the enum k as ('a', 'c'), another column as ('a', 'b')" in shown
    assert any(line.startswith("pgpatterns: warning: model-drift: shelf.k") for line in in_process.output)


ROWS = {
    "a default of the server": ("Column('n', Integer, nullable=False, server_default='5')", 5),
    "a default in Python": ("Column('n', Integer, nullable=False, default=6)", 6),
    "an expression": ("Column('n', Integer, nullable=False, default=func.length('abc'))", 3),
}


def test_rows_that_lack_several_values_get_all_of_them(in_process: InProcess) -> None:
    """The CHECK that proves NOT NULL for one column must not stop the filling of another."""
    there_and_back(in_process, metadata_of(box("Column('n', Integer)", "Column('b', LargeBinary)")))
    in_process.look.execute("INSERT INTO box DEFAULT VALUES")
    filled = (
        "Column('n', Integer, nullable=False, default=5)",
        "Column('b', LargeBinary, nullable=False, default=b'x')",
    )
    new = "Column('j', postgresql.JSONB, nullable=False, default={'a%': [1, ':b']})"
    there_and_back(in_process, metadata_of(box(*filled, new)))
    assert in_process.look.execute("SELECT n, b, j FROM box").fetchone() == (5, b"x", {"a%": [1, ":b"]})


@pytest.mark.sample(3)
@pytest.mark.parametrize("existing", [True, False], ids=["an existing column", "a new column"])
@pytest.mark.parametrize(("column", "value"), ROWS.values(), ids=ROWS)
def test_rows_get_the_default_of_new_rows(in_process: InProcess, column: str, value: int, existing: bool) -> None:
    there_and_back(in_process, metadata_of(box("Column('n', Integer)" if existing else "Column('m', Integer)")))
    in_process.look.execute("INSERT INTO box SELECT FROM generate_series(1, 3)")
    written = there_and_back(in_process, metadata_of(box(column)))
    assert in_process.look.execute("SELECT DISTINCT n FROM box").fetchall() == [(value,)]
    if not existing:
        assert not any("UPDATE" in file.upgrade for file in written)
        default = "SELECT count(*) FROM pg_attrdef WHERE adrelid = 'box'::regclass AND adnum > 1"
        assert in_process.look.execute(default).fetchone() == (int("server_default" in column),)


LOST = {
    "Column('u', Uuid, nullable=False, unique=True)": uuid.UUID,
    "Column('n', Integer, nullable=False)": 0,
    "Column('k', Enum('a', 'b', name='k'), nullable=False)": "a",
    "Column('ns', ARRAY(Text), nullable=False)": [],
    "Column('s', String(9), nullable=False, index=True)": "",
}
VIEW = "CreateView(select(t.c.id, t.c.n).where(t.c.n > 5), 'seen', metadata=metadata)"


@pytest.mark.skipif(not hasattr(sa, "CreateView"), reason="SQLAlchemy before 2.1")
def test_views_of_the_models(in_process: InProcess) -> None:
    """Alembic 1.20 would create a table for each, and a temporary table in every revision."""
    table = "t = " + box("Column('n', Integer)", "Column('s', Text)")
    temporary = "Table('mine', metadata, Column('id', Integer), prefixes=['TEMPORARY'])"
    there_and_back(in_process, metadata_of(f"{table}; {VIEW}; {temporary}"))
    assert in_process.look.execute("SELECT relkind::text FROM pg_class WHERE relname = 'seen'").fetchone() == ("v",)
    in_process.look.execute("INSERT INTO box(n, s) VALUES (7, 'a%:b')")
    changed = VIEW.replace("t.c.n > 5", "t.c.m.like('a%:b')").replace("t.c.n)", "t.c.m)")
    new = "t = " + box("Column('m', Text, server_default='a%:b')")
    (written,) = there_and_back(in_process, metadata_of(f"{new}; {changed}"))
    assert written.upgrade.index("DROP VIEW seen") < written.upgrade.index("drop_column")
    assert in_process.look.execute("SELECT m FROM seen").fetchall() == [("a%:b",)]
    kept = changed.replace("metadata=metadata", "metadata=metadata, materialized=True")
    there_and_back(in_process, metadata_of(f"{new}; v = {kept}; Index('seen_id', v.table.c.id)"))


@pytest.mark.parametrize(("column", "value"), LOST.items())
@pytest.mark.sample(2)
def test_rows_get_a_value_for_a_column_that_comes_back(in_process: InProcess, column: str, value: object) -> None:
    there_and_back(in_process, metadata_of(box(column)))
    written = in_process.revise(metadata_of(box()))
    in_process.upgrade(written)
    in_process.look.execute("INSERT INTO box DEFAULT VALUES")
    in_process.downgrade(written)
    (row,) = in_process.look.execute("SELECT * FROM box").fetchall()
    assert row == (1, value) or isinstance(row[1], value if isinstance(value, type) else ())
    assert "existing rows get " in " ".join(written[-1].downgrade.replace("#", "").split())
    in_process.upgrade(written)


@pytest.mark.parametrize(
    "column", ["Column('n', Integer, nullable=False, unique=True)", "Column('n', ForeignKey('box.id'), nullable=False)"]
)
@pytest.mark.sample(2)
def test_a_lost_key_is_left_to_a_person(in_process: InProcess, column: str) -> None:
    there_and_back(in_process, metadata_of(box(column)))
    (*_, written) = in_process.revise(metadata_of(box()))
    assert "on a table with rows this fails" in " ".join(written.downgrade.replace("#", "").split())


@pytest.mark.sample(3)
@pytest.mark.parametrize("compare", [True, False])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Column('k', Enum('a', 'b', name='k1'), server_default='a')", "Column('k', Enum('a', 'b', name='k2'))"),
        ("Column('k', Integer, server_default='1')", "Column('k', Boolean)"),
    ],
    ids=["enum", "boolean"],
)
def test_a_default_that_only_the_database_has_is_cast(in_process: InProcess, compare: bool, old: str, new: str) -> None:
    in_process.options["compare_server_default"] = compare
    there_and_back(in_process, metadata_of(box(old)))
    there_and_back(in_process, metadata_of(box(new)))
    assert in_process.look.execute(
        "SELECT count(*) FROM pg_attrdef WHERE adrelid = 'box'::regclass AND pg_get_expr(adbin, adrelid) !~ 'nextval'"
    ).fetchone() == (0 if compare else 1,)


def test_an_expression_is_another_default_than_its_value(in_process: InProcess) -> None:
    there_and_back(in_process, metadata_of(box("Column('s', ARRAY(Text), server_default='{}')")))
    there_and_back(in_process, metadata_of(box("Column('s', ARRAY(Text), server_default=text('ARRAY[]::text[]'))")))
    assert in_process.look.execute(
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'box'::regclass AND adnum = 2"
    ).fetchone() == ("ARRAY[]::text[]",)


EXTENSIONS = (
    box(
        "Column('room', Integer)",
        "Column('during', postgresql.TSTZRANGE)",
        "postgresql.ExcludeConstraint(('room', '='), ('during', '&&'), name='one_at_a_time')",
    ),
    box("Column('s', Text)", "Index('ix_s', 's', postgresql_using='gin', postgresql_ops={'s': 'gin_trgm_ops'})"),
    box("Column('s', postgresql.CITEXT)", "Column('h', postgresql.HSTORE)"),
    box("Column('n', Integer)", "Index('ix_n', 'n', postgresql_using='gin')"),
    "",
)


@pytest.mark.long
def test_extensions_are_created(in_process: InProcess) -> None:
    """Each step drops what the one before created, but not the extension: it may be in use elsewhere by then."""
    for code in EXTENSIONS:
        there_and_back(in_process, metadata_of(code))
    names = [name for (name,) in in_process.snapshot()["extensions"]]
    assert names == ["btree_gin", "btree_gist", "citext", "hstore", "pg_trgm", "plpgsql"]


PARTMAN = """
    SET allow_system_table_mods = on;
    CREATE SCHEMA partman;
    CREATE TABLE partman.part_config (parent_table text, template_table text);
    CREATE TABLE partman.template_public_box (id bigint NOT NULL);
    CREATE TABLE partman.left_behind (id bigint NOT NULL);
    INSERT INTO partman.part_config VALUES ('public.box', 'partman.template_public_box');
    INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
        VALUES (99999, 'pg_partman', 10, 'partman'::regnamespace, false, '5.0');
    INSERT INTO pg_depend SELECT 'pg_class'::regclass, 'partman.part_config'::regclass, 0, 'pg_extension'::regclass,
        99999, 0, 'e'"""


def test_templates_of_pg_partman_are_not_dropped(in_process: InProcess) -> None:
    in_process.look.execute(PARTMAN)
    (written,) = in_process.revise(metadata_of(""))
    assert "drop_table('left_behind', schema='partman')" in written.upgrade
    assert "part_config" not in written.upgrade
    assert "template" not in written.upgrade


REFUSED = {
    "Column('b', BINARY(16))": ("b of box", 'type "binary" does not exist'),
    "Column('s', Text(collation='none_such'))": ("s of box", 'collation "none_such"'),
    "Index('ix', 'id', postgresql_using='gist', postgresql_ops={'id': 'no_ops'})": ("ix of box", '"no_ops"'),
    "Column('up', ForeignKey('box.n')), Column('n', BigInteger)": (
        "the foreign key (up) of box",
        "box is on exactly (n)",
    ),
    "CheckConstraint('nowhere > 0', name='fits')": ("fits of box", 'column "nowhere" does not exist'),
}


@pytest.mark.parametrize("exists", [False, True], ids=["new table", "new part"])
@pytest.mark.parametrize("part", REFUSED)
@pytest.mark.sample(2)
def test_what_postgresql_refuses_is_said(in_process: InProcess, part: str, exists: bool) -> None:
    if exists:
        in_process.upgrade(in_process.revise(metadata_of(box())))
    written = "\n".join(file.upgrade for file in in_process.revise(metadata_of(box(part))))
    name, message = REFUSED[part]
    assert f"# pgpatterns: PostgreSQL refuses {name}:" in written
    assert message in written
    assert written.count("PostgreSQL refuses") == 1


def test_a_column_of_a_domain_comes_back_with_it(in_process: InProcess) -> None:
    """SQLAlchemy before 2.0.30 reflects a domain as its base type: that is why it is the lowest."""
    grade = "Column('g', postgresql.DOMAIN('grade', Integer))"
    models = f"{box(grade)}; Table('bag', metadata, {ID}, {grade})"
    there_and_back(in_process, metadata_of(models))
    there_and_back(in_process, metadata_of(f"{models}; Table('case', metadata, {ID}, {grade})"))
    there_and_back(in_process, metadata_of(box()))
