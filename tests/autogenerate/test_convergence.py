"""Whatever the models were and become: upgrade, then nothing to do; downgrade restores; upgrade again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from tests.autogenerate.inprocess import InProcess, differences
from tests.examples import examples

NAMES = ("one", "two", "Three")
KEYS = (sa.Integer, sa.BigInteger, sa.SmallInteger)
TYPES: dict[str, tuple[sa.types.TypeEngine[Any], ...]] = {
    "name": (sa.String(20), sa.String(80), sa.Text(), sa.Unicode(20)),
    "code": (sa.CHAR(3), sa.String(3), sa.Text()),
    "tags": (postgresql.ARRAY(sa.String(10)), postgresql.ARRAY(sa.Text())),
    "at": (sa.DateTime(), sa.DateTime(timezone=True)),
    "flag": (sa.Boolean(),),
    "doc": (postgresql.JSONB(), sa.JSON()),
    "mood": (sa.Enum("sad", "ok", name="mood"),),
    "small": (sa.Integer(), sa.BigInteger()),
}
DEFAULTS = {"name": "x'y", "flag": sa.true(), "at": sa.func.now(), "small": "3"}
IGNORED = {"pgpatterns": {"ignore": ["varchar-length", "unindexed-foreign-key"], "reason": "a test"}}


CONVENTIONS: dict[str | None, dict[str, str] | None] = {
    None: None,
    "full": {
        "ix": "ix_%(table_name)s__%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    },
    "without ix": {"fk": "fk_%(table_name)s_%(column_0_name)s"},
}


@st.composite
def column(draw: Any, name: str) -> dict[str, Any]:
    return {
        "type": draw(st.integers(0, len(TYPES[name]) - 1)),
        "nullable": draw(st.booleans()),
        "default": name in DEFAULTS and draw(st.booleans()),
        "comment": draw(st.sampled_from((None, None, "why"))),
        "index": name not in ("doc", "tags") and draw(st.booleans()),
        "unique": name in ("name", "code") and draw(st.booleans()),
        "ignored": draw(st.integers(0, 9)) == 0,
    }


@st.composite
def table(draw: Any, others: list[str]) -> dict[str, Any]:
    return {
        "key": draw(st.integers(0, len(KEYS) - 1)),
        "identity": draw(st.booleans()),
        "columns": {name: draw(column(name)) for name in TYPES if draw(st.booleans())},
        "parents": draw(st.lists(st.sampled_from(others), max_size=2, unique=True)),
        "own_type": draw(st.booleans()),
        "covered": draw(st.sampled_from(("no", "no", "index", "wider", "partial"))),
        "on delete": draw(st.sampled_from((None, "CASCADE"))),
        "comment": draw(st.sampled_from((None, "a table"))),
    }


@st.composite
def models(draw: Any) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    tables = {name: draw(table(chosen)) for name in chosen}
    return {"tables": tables, "link": draw(st.booleans()), "convention": draw(st.sampled_from([*CONVENTIONS]))}


def metadata_of(given: dict[str, Any], convention: str | None) -> sa.MetaData:
    metadata = sa.MetaData(naming_convention=CONVENTIONS[convention])
    for name, one in given["tables"].items():
        made = sa.Table(name, metadata, *columns_of(one, given), comment=one["comment"])
        for parent in one["parents"]:
            if one["covered"] != "no":
                cover(made, parent, one["covered"])
    if given["link"] and {"one", "two"} <= set(given["tables"]):
        ends = (sa.Column(f"{end}_id", sa.ForeignKey(f"{end}.id"), primary_key=True) for end in ("one", "two"))
        sa.Table("link", metadata, *ends)
    return metadata


def columns_of(one: dict[str, Any], given: dict[str, Any]) -> list[sa.Column[Any]]:
    identity = [sa.Identity()] if one["identity"] else []
    found: list[sa.Column[Any]] = [sa.Column("id", KEYS[one["key"]], *identity, primary_key=True)]
    for name, what in one["columns"].items():
        default = DEFAULTS[name] if what["default"] else None
        given_too = {part: what[part] for part in ("nullable", "comment", "index", "unique")}
        info = IGNORED if what["ignored"] else {}
        found.append(sa.Column(name, TYPES[name][what["type"]], server_default=default, info=info, **given_too))
    for parent in one["parents"]:
        own = [KEYS[given["tables"][parent]["key"]]] if one["own_type"] else []
        key = sa.ForeignKey(f"{parent}.id", ondelete=one["on delete"])
        found.append(sa.Column(f"{parent}_id", *own, key))
    return found


def cover(table: sa.Table, parent: str, how: str) -> None:
    column = table.c[f"{parent}_id"]
    name = f"cover_{table.name}_{parent}"
    if how == "partial":
        sa.Index(name, column, postgresql_where=column.is_not(None))
    elif how == "wider":
        sa.Index(name, column, table.c.id)
    else:
        sa.Index(name, column)


@given(before=models(), after=models())
@settings(
    max_examples=examples(40),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_models(database: Any, tmp_path: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = (metadata_of(given, after["convention"]) for given in (before, after))
    with database.engine().connect() as connection, database.connect() as look:
        project = InProcess(connection, look, tmp_path)
        project.emptied()
        first = project.revise(old)
        project.upgrade(first)
        there = project.snapshot()
        second = project.revise(new)
        project.upgrade(second)
        changed = project.snapshot()
        assert project.diffs(new) == [], text(second)
        project.downgrade(second)
        assert differences(project.snapshot(), there) == [], text(second)
        project.upgrade(second)
        assert differences(project.snapshot(), changed) == [], text(second)
        project.downgrade([*first, *second])
        assert project.snapshot()["relations"] == []


def text(written: Any) -> str:
    return "\n".join(f"{file.upgrade}\n{file.downgrade}" for file in written)
