"""The statements that are read off an application's source, as PostgreSQL is asked to plan them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns.evidence.tables import _has_subscripts
from alembic_pgpatterns.workload.from_source import workload_of
from tests.evidence.test_source import HEADER, read

MODELS = """
import enum
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, String, Table, Enum
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class Kind(enum.Enum):
    small = "s"
    LARGE = "l"

class Level(str, enum.Enum):
    low = "l"
    high = "h"

class Shop(Base):
    __tablename__ = "shop"
    OPEN = "open"
    id: Mapped[int] = mapped_column(primary_key=True)
    city: Mapped[str]

class Sale(Base):
    __tablename__ = "sale"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    state: Mapped[str]
    kind: Mapped[Kind]
    level = Column(Enum(Level, values_callable=lambda kind: [item.value for item in kind]))
    body: Mapped[str]
    data = Column(JSONB)
    at = Column(DateTime)
    total: Mapped[int]
    shop: Mapped[Shop] = relationship()

def stamp(name):
    return Column(name, DateTime)

log = Table("log", MetaData(), Column("id", Integer), Column("sale_id", ForeignKey("sale.id")), stamp("made_at"))
DONE = ("paid", "sent")
PAID = "paid"
"""
IMPORTS = HEADER.replace(
    "from app.models import Job, Team, audit",
    "from sqlalchemy import tuple_\nfrom app.shops import DONE, PAID, Kind, Level, Sale, Shop, log",
)
CASES = {
    "a key of a document": (
        "insurance = Sale.data['a']['b'].astext\n    select(Sale.id).where(insurance == x)",
        [f"SELECT id FROM sale WHERE ({'data[' if _has_subscripts() else '(data -> '}'a'"
         f"{']' if _has_subscripts() else ')'} ->> 'b') = $1"],
    ),
    "a path in a document": (
        "select(Sale.id).where(Sale.data[('a', 'b')].astext.in_(xs))",
        ["SELECT id FROM sale WHERE (data #>> '{a,b}') = ANY ($1)"],
    ),
    "a function of a key": (
        "select(Sale.id).where(func.lower(Sale.data['a'].as_string()) == x)",
        ["SELECT id FROM sale WHERE lower((data ->> 'a')) = $1"],
    ),
    "a key that varies": ("select(Sale.id).where(Sale.data[x].astext == x, Sale.state == x)",
                          ["SELECT id FROM sale WHERE state = $1"]),
    "words in a text": (
        "words = func.to_tsvector('english', Sale.body)\n"
        "    select(Sale.id).where(words.op('@@')(func.plainto_tsquery(x)))\n"
        "    select(Sale.id).where(words.bool_op('@@')(x), Sale.shop_id == 7)",
        ["SELECT id FROM sale WHERE to_tsvector('english', body) @@ $1",
         "SELECT id FROM sale WHERE to_tsvector('english', body) @@ $1 AND shop_id = 7"],
    ),
    "the largest": (
        "session.query(func.max(Sale.at)).filter(Sale.shop_id == x).scalar()",
        ["SELECT max(at) FROM sale WHERE shop_id = $1"],
    ),
    "the largest, in a variable": (
        "newest = func.max(Sale.at)\n    session.scalar(select(newest))", ["SELECT max(at) FROM sale"],
    ),
    "a count": (
        "select(func.count()).select_from(Sale).where(Sale.state == x)\n"
        "    session.query(Sale).filter(Sale.shop_id == x).order_by(Sale.at).count()",
        ["SELECT count(*) FROM sale WHERE state = $1", "SELECT count(*) FROM sale WHERE shop_id = $1"],
    ),
    "sums by group": (
        "select(Sale.shop_id, func.sum(Sale.total)).where(Sale.at > x).group_by(Sale.shop_id)",
        ["SELECT shop_id, sum(total) FROM sale WHERE at > $1 GROUP BY shop_id"],
    ),
    "two steps": (
        "q = select(Sale).where(Sale.shop_id == x)\n    if x:\n        q = q.where(Sale.state == x)\n"
        "    q.order_by(Sale.at.desc()).limit(9)",
        ["SELECT * FROM sale WHERE shop_id = $1 AND state = $2 ORDER BY at DESC LIMIT 9",
         "SELECT * FROM sale WHERE shop_id = $1 ORDER BY at DESC LIMIT 9"],
    ),
    "a join": (
        "select(Sale.total).join(Shop, Shop.id == Sale.shop_id).where(Shop.city == x).order_by(Sale.at)",
        ["SELECT sale.total FROM sale JOIN shop ON shop.id = sale.shop_id WHERE shop.city = $1 ORDER BY sale.at"],
    ),
    "a join by a relationship": (
        "select(Sale).join(Sale.shop).where(Shop.city == x)",
        ["SELECT sale.* FROM sale JOIN shop ON shop.id = sale.shop_id WHERE shop.city = $1"],
    ),
    "a join of tables": (
        "select(log.c.id, Sale.id).select_from(log.join(Sale, Sale.id == log.c.sale_id)).where(log.c.made_at > x)",
        ["SELECT log.id, sale.id FROM log JOIN sale ON sale.id = log.sale_id WHERE log.made_at > $1"],
    ),
    "among the rows of a query": (
        "shops = select(Shop.id).where(Shop.city == x)\n"
        "    select(Sale.id).where(Sale.shop_id.in_(shops), Sale.at > x)",
        ["SELECT sale.id FROM sale JOIN shop ON shop.id = sale.shop_id WHERE sale.at > $1 AND shop.city = $2"],
    ),
    "among the rows of a query of itself": (
        "part = select(Sale.id).where(Sale.state == x)\n    select(Sale.id).where(Sale.id.in_(part))",
        ["SELECT id FROM sale WHERE state = $1", "SELECT id FROM sale WHERE id = ANY ($1)"],
    ),
    "a query within that compares with the outer one": (
        "select(Shop).where(Shop.city == x, select(Sale.id).where(Sale.shop_id == Shop.id, Sale.state == x).exists())",
        ["SELECT * FROM shop WHERE city = $1", "SELECT id FROM sale WHERE shop_id = $1 AND state = $2",
         "SELECT * FROM shop WHERE id = $1"],
    ),
    "each branch of an OR together": (
        "select(Sale.id).where(or_(and_(Sale.shop_id == x, Sale.state == x), and_(Sale.total == x, Sale.at > x)))",
        ["SELECT id FROM sale WHERE (shop_id = $1 AND state = $2 OR total = $3 AND at > $4)"],
    ),
    "two ORs": (
        "select(Sale.id).where(or_(Sale.shop_id == x, Sale.state == x), (Sale.total == x) | (Sale.at > x))",
        ["SELECT id FROM sale WHERE (shop_id = $1 OR state = $2) AND (total = $3 OR at > $4)"],
    ),
    "constants of a module": (
        "select(Sale.id).where(Sale.state == PAID)\n    select(Sale.id).where(Sale.state.in_(DONE))",
        ["SELECT id FROM sale WHERE state = 'paid'", "SELECT id FROM sale WHERE state IN ('paid', 'sent')"],
    ),
    "members of enumerations": (
        "select(Sale.id).where(Sale.kind == Kind.LARGE)\n    select(Sale.id).where(Sale.level == Level.high)\n"
        "    select(Sale.id).where(Sale.kind.in_([Kind.small, Kind.LARGE]))\n"
        "    select(Sale.id).where(Sale.state == Level.low)",
        ["SELECT id FROM sale WHERE kind = 'LARGE'", "SELECT id FROM sale WHERE level = 'h'",
         "SELECT id FROM sale WHERE kind IN ('small', 'LARGE')", "SELECT id FROM sale WHERE state = 'l'"],
    ),
    "a constant of a class": (
        "select(Sale.id).where(Sale.state == Shop.OPEN)", ["SELECT id FROM sale WHERE state = 'open'"],
    ),
    "how a text begins": (
        "select(Sale.id).where(Sale.body.like(f'{x}%'))\n    select(Sale.id).where(Sale.state.like(x + '%'))\n"
        "    select(Sale.id).where(Sale.state.like('%s%%' % x), Sale.body.like(f'%{x}%'))\n"
        "    select(Sale.total).where(Sale.body.like(f'{x}'))",
        ["SELECT id FROM sale WHERE body LIKE 'abcd%'", "SELECT id FROM sale WHERE state LIKE 'abcd%'",
         "SELECT id FROM sale WHERE state LIKE 'abcd%' AND body LIKE '%abcdef%'",
         "SELECT total FROM sale WHERE body LIKE '%abcdef%'"],
    ),
    "a row beyond another one": (
        "select(Sale.id).where(tuple_(Sale.at, Sale.id) < x).order_by(Sale.at, Sale.id).limit(5)",
        ["SELECT id FROM sale WHERE at < $1 ORDER BY at, id LIMIT 5"],
    ),
    "SQL as it is": (
        "session.execute(text('SELECT a.id FROM sale a JOIN shop b ON b.id = a.shop_id WHERE b.city = :c "
        "AND a.state = :s AND a.body <> :c LIMIT 3'))",
        ["SELECT a.id FROM sale a JOIN shop b ON b.id = a.shop_id WHERE b.city = $1 AND a.state = $2 AND a.body <> $1 "
         "LIMIT 3"],
    ),
    "a lock": (
        "select(Sale).where(Sale.state == PAID).order_by(Sale.at).limit(5).with_for_update(skip_locked=True)",
        ["SELECT * FROM sale WHERE state = 'paid' ORDER BY at LIMIT 5 FOR UPDATE SKIP LOCKED"],
    ),
}  # fmt: skip


def statements(folder: Path, code: str) -> list[str]:
    evidence = read(folder, code, shops=MODELS)
    return sorted(item.text for item in workload_of(evidence, whole=True).statements)


@pytest.mark.parametrize("case", CASES)
def test_a_statement(case: str, tmp_path: Path) -> None:
    code, expected = CASES[case]
    assert statements(tmp_path, f"{IMPORTS}def find(session, x, xs):\n    {code}\n") == sorted(expected)


def test_a_helper_runs_the_conditions_that_it_is_given(tmp_path: Path) -> None:
    code = IMPORTS + "class Repo:\n    def base(self):\n        return select(self.model)\n\n"
    code += "    def one(self, *conditions):\n        return self.s.scalars(self.base().where(*conditions)).first()\n\n"
    code += "    def by(self, **words):\n        return self.s.scalars(self.base().filter_by(**words)).all()\n\n"
    code += "class Sales(Repo):\n    model = Sale\n\n"
    code += "    def base(self):\n        return select(Sale).where(Sale.total > 0)\n\n"
    code += "    def a(self, x):\n        return self.one(Sale.state == x)\n\n"
    code += "class Shops(Repo):\n    model = Shop\n\n    def b(self, x):\n        return self.by(city=x)\n"
    assert statements(tmp_path, code) == [
        "SELECT * FROM sale WHERE total > 0 AND state = $1",
        "SELECT * FROM shop WHERE city = $1",
    ]


@pytest.mark.parametrize("kind", [postgresql.JSONB, postgresql.JSON], ids=["jsonb", "json"])
def test_a_key_is_taken_out_as_sqlalchemy_does_it(kind: type[sa.types.TypeEngine[object]], tmp_path: Path) -> None:
    """An index on the one form does not serve the other."""
    models = MODELS.replace("JSONB", kind.__name__)
    code = f"{IMPORTS}def find(x):\n    return select(Sale.id).where(Sale.data['a']['b'].astext == x)\n"
    evidence = read(tmp_path, code, shops=models)
    (text,) = [item.text for item in workload_of(evidence, whole=True).statements]
    column = sa.column("data", kind)["a"]["b"].astext  # type: ignore[attr-defined]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    dialect._supports_jsonb_subscripting = True
    sent = str(column.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    assert sent.translate(str.maketrans("", "", "() ")) in text.translate(str.maketrans("", "", "() "))
