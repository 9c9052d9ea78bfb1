"""Whatever the models were and become: upgrade, then nothing to do; downgrade restores; upgrade again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from tests.autogenerate.catalog_snapshot import differences
from tests.autogenerate.inprocess import InProcess
from tests.examples import examples
from tests.versions import only_if

NAMES = ("one", "two", "Three")
KEYS = (sa.Integer, sa.BigInteger, sa.SmallInteger)
MOODS = (("sad", "ok"), ("sad", "ok", "glad"), ("dull", "sad", "ok"), ("ok", "sad"), ("ok",))
TYPES: dict[str, tuple[Any, ...]] = {
    "name": (sa.String(20), sa.String(80), sa.Text(), sa.Unicode(20), sa.Text(collation="C")),
    "code": (sa.CHAR(3), sa.String(3), sa.Text()),
    "tags": (postgresql.ARRAY(sa.String(10)), postgresql.ARRAY(sa.Text())),
    "at": (sa.DateTime(), sa.DateTime(timezone=True)),
    "flag": (sa.Boolean(),),
    "doc": (postgresql.JSONB(), sa.JSON()),
    "mood": ("mood",),
    "moods": ("moods",),
    "small": (sa.Integer(), sa.BigInteger()),
    "price": (sa.Numeric(), sa.Numeric(10, 2), sa.Float(), sa.Integer()),
    "size": (sa.Enum("s", "m", "l", name="size", native_enum=False, create_constraint=True), sa.String(1)),
    "span": (postgresql.TSTZRANGE(), postgresql.TSTZMULTIRANGE()),
    "mail": (sa.Text(), sa.String(90)),
}
DEFAULTS = {
    "name": "x'y%z:a",
    "flag": sa.true(),
    "at": sa.func.now(),
    "small": "3",
    "price": sa.text("1 + 1"),
    "size": "s",
}
EXPRESSIONS = {
    "name": "lower(name)",
    "small": "(small % 7)",
    "doc": "((doc ->> 'a%b'))",
    "code": "(code || ':x')",
    "price": "(-price)",
}
CHECKS = {
    "name": ("name <> ''", "length(name) BETWEEN 1 AND 40 OR name LIKE '%x:y'"),
    "small": ("small IN (1, 2, 3)", "small > 0 AND small % 2 = 1"),
    "price": ("price >= 0", "CASE WHEN price > 5 THEN true ELSE price > -1 END"),
    "code": ("code ~ '^[a-z]'", "code IS NULL OR code NOT IN ('x', 'y%')"),
}
COMPUTED = {"small": ("small * 2", "small + 1"), "price": ("price * 2", "round(price::numeric)")}
SEQUENCES = (None, {}, {"start": 7, "increment": 3}, {"always": True, "cycle": True}, {"minvalue": 1, "maxvalue": 900})
IGNORED = {"pgpatterns": {"ignore": ["varchar-length", "unindexed-foreign-key"], "reason": "a test"}}
CONVENTIONS: dict[str | None, dict[str, str] | None] = {
    None: None,
    "full": {
        "ix": "ix_%(table_name)s__%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
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
        "comment": draw(st.sampled_from((None, None, "why: 5%"))),
        "index": name not in ("doc", "tags", "moods", "span") and draw(st.booleans()),
        "unique": name in ("name", "code") and draw(st.booleans()),
        "ignored": draw(st.integers(0, 9)) == 0,
        "expression": name in EXPRESSIONS and draw(st.integers(0, 3)) == 0,
        "check": draw(st.sampled_from((None, None, 0, 1))) if name in CHECKS else None,
        "computed": draw(st.sampled_from((None, None, None, 0, 1))) if name in COMPUTED else None,
    }


@st.composite
def table(draw: Any, others: list[str]) -> dict[str, Any]:
    return {
        "key": draw(st.integers(0, len(KEYS) - 1)),
        "identity": draw(st.integers(0, len(SEQUENCES) - 1)),
        "columns": {name: draw(column(name)) for name in TYPES if draw(st.integers(0, 2)) == 0},
        "parents": draw(st.lists(st.sampled_from(others), max_size=2, unique=True)),
        "own_type": draw(st.booleans()),
        "covered": draw(st.sampled_from(("no", "no", "index", "wider", "partial", "including"))),
        "on delete": draw(st.sampled_from((None, "CASCADE"))),
        "deferrable": draw(st.integers(0, 4)) == 0,
        "comment": draw(st.sampled_from((None, "a table"))),
        "unlogged": draw(st.integers(0, 6)) == 0,
        "fillfactor": draw(st.sampled_from((None, None, 70))),
    }


@st.composite
def models(draw: Any) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    return {
        "tables": {name: draw(table(chosen)) for name in chosen},
        "link": draw(st.booleans()),
        "moods": {name: draw(st.sampled_from(MOODS)) for name in ("mood", "moods")},
        "convention": draw(st.sampled_from([*CONVENTIONS])),
        "schema": draw(st.sampled_from((None, None, "away"))),
        "parted": draw(st.sampled_from((None, None, False, True))),
        "domain": draw(st.sampled_from((None, None, 0, 1, 2))),
        "booked": draw(st.sampled_from((None, None, "&&", "="))),
        "sequence": draw(st.sampled_from((None, None, {}, {"increment": 2, "start": 10}))),
    }


def metadata_of(given: dict[str, Any], convention: str | None) -> sa.MetaData:
    metadata = sa.MetaData(naming_convention=CONVENTIONS[convention])
    # One in another schema: nothing refers to it, and it refers to nothing.
    for name, one in given["tables"].items():
        prefixes = ["UNLOGGED"] if one["unlogged"] and can_be_unlogged(name, given) else []
        options = only_if(sa.Table, "with", {"fillfactor": one["fillfactor"]}) if one["fillfactor"] else {}
        schema = given["schema"] if is_alone(name, given) else None
        items = columns_of(one, given)
        made = sa.Table(name, metadata, *items, comment=one["comment"], prefixes=prefixes, schema=schema, **options)
        for constraint in checks_of(one):
            made.append_constraint(constraint)
        for parent in one["parents"]:
            if one["covered"] != "no":
                cover(made, parent, one["covered"])
        for key, what in one["columns"].items():
            if what["expression"] and what["computed"] is None:
                sa.Index(
                    f"expr_{name}_{key}", sa.text(EXPRESSIONS[key]), postgresql_where=sa.text("id > 5"), _table=made
                )
    if given["link"] and {"one", "two"} <= set(given["tables"]) and not given["schema"]:
        ends = (sa.Column(f"{end}_id", sa.ForeignKey(f"{end}.id"), primary_key=True) for end in ("one", "two"))
        sa.Table("link", metadata, *ends)
    special_tables(given, metadata)
    return metadata


def is_parent(name: str, given: dict[str, Any]) -> bool:
    return any(name in other["parents"] for other in given["tables"].values())


def is_alone(name: str, given: dict[str, Any]) -> bool:
    return not given["tables"][name]["parents"] and not is_parent(name, given)


def can_be_unlogged(name: str, given: dict[str, Any]) -> bool:
    """A permanent table may not reference an UNLOGGED one."""
    return is_alone(name, given) and not (given["link"] and name in ("one", "two"))


def special_tables(given: dict[str, Any], metadata: sa.MetaData) -> None:
    key = sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False)
    if given["parted"] is not None:
        more = [sa.Column("note", sa.Text, index=True)] if given["parted"] else []
        at = sa.Column("at", sa.DateTime(timezone=True), primary_key=True)
        sa.Table("parted", metadata, key, at, *more, postgresql_partition_by="RANGE (at)")
    if given["domain"] is not None:
        checks = (None, sa.text("VALUE > 0"), sa.text("VALUE > 0 AND VALUE < 9"))
        domain = postgresql.DOMAIN("grade", sa.Integer(), check=checks[given["domain"]])
        sa.Table("graded", metadata, key._copy(), sa.Column("grade", domain))
    if given["booked"] is not None:
        exclude = postgresql.ExcludeConstraint(("during", given["booked"]), using="gist", name="no_clash")
        sa.Table("booked", metadata, key._copy(), sa.Column("during", postgresql.TSRANGE), exclude)
    if given["sequence"] is not None:
        sa.Sequence("tickets", metadata=metadata, **given["sequence"])


def columns_of(one: dict[str, Any], given: dict[str, Any]) -> list[sa.Column[Any]]:
    options = SEQUENCES[one["identity"]]
    identity = [sa.Identity(**options)] if options is not None else []
    found: list[sa.Column[Any]] = [sa.Column("id", KEYS[one["key"]], *identity, primary_key=True)]
    for name, what in one["columns"].items():
        found.append(plain_column(name, what, given["moods"]))
        if what["computed"] is not None:
            formula = sa.Computed(COMPUTED[name][what["computed"]], persisted=True)
            found.append(sa.Column(f"{name}_made", sa.Numeric(), formula))
    for parent in one["parents"]:
        own = [KEYS[given["tables"][parent]["key"]]] if one["own_type"] else []
        deferred = {"deferrable": True, "initially": "DEFERRED"} if one["deferrable"] else {}
        key = sa.ForeignKey(f"{parent}.id", ondelete=one["on delete"], **deferred)
        found.append(sa.Column(f"{parent}_id", *own, key))
    return found


def plain_column(name: str, what: dict[str, Any], moods: dict[str, tuple[str, ...]]) -> sa.Column[Any]:
    kind = TYPES[name][what["type"]]
    if name in moods:
        kind = sa.Enum(*moods[name], name=name)
        kind = postgresql.ARRAY(kind) if name == "moods" else kind
    default = DEFAULTS[name] if what["default"] else None
    options = {part: what[part] for part in ("nullable", "comment", "index", "unique")}
    info = IGNORED if what["ignored"] else {}
    return sa.Column(name, kind, server_default=default, info=info, **options)


def checks_of(one: dict[str, Any]) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(sa.text(CHECKS[name][what["check"]].replace(":", "\\:")), name=f"{name}_fits")
        for name, what in one["columns"].items()
        if what["check"] is not None
    ]


def cover(table: sa.Table, parent: str, how: str) -> None:
    column = table.c[f"{parent}_id"]
    name = f"cover_{table.name}_{parent}"
    if how == "partial":
        sa.Index(name, column, postgresql_where=column.is_not(None))
    elif how == "wider":
        sa.Index(name, column, table.c.id.desc())
    elif how == "including":
        sa.Index(name, column, postgresql_include=["id"], postgresql_with={"fillfactor": 60})
    else:
        sa.Index(name, column)


SETTINGS = {
    "deadline": None,
    "phases": (Phase.explicit, Phase.reuse, Phase.generate),
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@given(before=models(), after=models())
@settings(max_examples=examples(6), **SETTINGS)
def test_any_models(database: Any, tmp_path: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    there_and_back_again(database, tmp_path, before, after)


def there_and_back_again(database: Any, tmp_path: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = (metadata_of(given, after["convention"]) for given in (before, after))
    with database.engine().connect() as connection, database.connect() as look:
        project = InProcess(connection, look, tmp_path, {"include_schemas": True})
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
