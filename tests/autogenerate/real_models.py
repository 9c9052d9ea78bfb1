"""The models of a real application, taken through revisions: from nothing to all of them, then one change at a time.

Runs in the application's own interpreter, with the package installed there, and needs nothing else of the tests:

    python tests/autogenerate/real_models.py MODULE[,MODULE...]:ATTRIBUTE [--changes N] [--seed N]

Each change starts from the whole schema: autogenerate, upgrade, autogenerate again (must be empty), downgrade (must
restore the catalog), upgrade. What fails is printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import io
import random
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server
from tests.autogenerate.catalog_snapshot import differences, everything

ENV = """
from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes["metadata"],
    autogenerate_plugins=attributes["plugins"],
    include_schemas=attributes["include_schemas"],
)
with context.begin_transaction():
    context.run_migrations()
"""
PLUGINS = ["alembic.autogenerate.*", "alembic_pgpatterns"]
NEW_TYPES: tuple[tuple[str, Callable[[], sa.types.TypeEngine[Any]], str | None], ...] = (
    ("text", sa.Text, None),
    ("varchar", lambda: sa.String(40), "x'%y:z"),
    ("integer", sa.Integer, "7"),
    ("boolean", sa.Boolean, "true"),
    ("timestamp", sa.DateTime, None),
    ("jsonb", postgresql.JSONB, "{}"),
    ("uuid", sa.Uuid, None),
    ("text[]", lambda: postgresql.ARRAY(sa.Text()), None),
    ("numeric", lambda: sa.Numeric(10, 2), "0.5"),
    ("enum", lambda: sa.Enum("small", "large", name="changed_size"), "small"),
    ("checked enum", lambda: sa.Enum("a", "b", name="checked", native_enum=False, create_constraint=True), None),
)


class Failure(Exception):
    """A step that did not come out as it should."""


@dataclass
class Database:
    """One database, and the history of revisions in a folder that leads there."""

    server: ThrowawayServer
    name: str
    folder: Path

    @classmethod
    def empty(cls, server: ThrowawayServer, folder: Path) -> Database:
        (folder / "versions").mkdir(parents=True)
        template = Path(command.__file__).parent / "templates/generic/script.py.mako"
        shutil.copy(template, folder / "script.py.mako")
        (folder / "env.py").write_text(ENV)
        (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s\n")
        return cls(server, server.create_database(folder.name), folder)

    def copy(self, folder: Path) -> Database:
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return Database(self.server, self.server.create_database(folder.name, template=self.name), folder)

    def run(self, what: Callable[..., Any], metadata: sa.MetaData, *arguments: Any, **options: Any) -> Any:
        """One of Alembic's commands, on a connection of its own."""
        config = Config(str(self.folder / "alembic.ini"), stdout=io.StringIO())
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            schemas = any(table.schema for table in metadata.tables.values())
            config.attributes.update(connection=connection, metadata=metadata, plugins=PLUGINS, include_schemas=schemas)
            return what(config, *arguments, **options)

    @property
    def url(self) -> str:
        host = self.server.parameters()
        return f"postgresql+psycopg://{host['user']}@/{self.name}?host={host['host']}&port={host['port']}"

    def snapshot(self) -> dict[str, list[Any]]:
        with self.server.connect(self.name) as connection:
            return everything(connection)

    def drop(self) -> None:
        self.server.drop_database(self.name)
        shutil.rmtree(self.folder)

    def files(self) -> set[Path]:
        return set((self.folder / "versions").glob("*.py"))


def step(database: Database, metadata: sa.MetaData, down_to: str) -> None:
    """Autogenerate, up, nothing more to do, down, up.

    Raises:
        Failure: with the revision's text.
    """
    before, files = database.snapshot(), database.files()
    shown = "(not written)"

    def text() -> str:
        new = sorted(database.files() - files, key=lambda path: path.stat().st_mtime_ns)
        return "\n".join(path.read_text() for path in new) or shown

    at = "autogenerate"
    try:
        database.run(command.revision, metadata, message="change", autogenerate=True)
        at = "upgrade"
        database.run(command.upgrade, metadata, "heads")
        there = database.snapshot()
        at = "next autogenerate"
        check(database, metadata)
        at = "downgrade"
        database.run(command.downgrade, metadata, down_to)
        compare("downgrade does not restore", database.snapshot(), before)
        at = "second upgrade"
        database.run(command.upgrade, metadata, "heads")
        compare("second upgrade differs", database.snapshot(), there)
    except Failure as error:
        raise Failure(f"{error}\n{text()}") from error
    except Exception as error:
        trace = "".join(traceback.format_exception(error)[-4:])
        raise Failure(f"{at}: {type(error).__name__}: {error}\n{trace}\n{text()}") from error


def check(database: Database, metadata: sa.MetaData) -> None:
    files = database.files()
    database.run(command.revision, metadata, message="again", autogenerate=True)
    for path in database.files() - files:
        written = path.read_text()
        path.unlink()
        body = written.partition("def upgrade() -> None:")[2].partition("def downgrade")[0]
        code = [line for line in body.splitlines() if line.strip() and not line.strip().startswith(("#", '"""'))]
        if code != ["    pass"]:
            raise Failure("the next autogenerate is not empty:\n" + "\n".join(code))


def compare(what: str, one: dict[str, list[Any]], other: dict[str, list[Any]]) -> None:
    lost = differences(one, other)
    if lost:
        raise Failure("\n".join([what, *lost]))


def changed(metadata: sa.MetaData, seed: int) -> tuple[sa.MetaData, str]:
    """A copy of the models with a few changes, and what they are."""
    copied = sa.MetaData(naming_convention=metadata.naming_convention, schema=metadata.schema)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for table in metadata.tables.values():
            table.to_metadata(copied)
    draw = random.Random(seed)
    kinds = [
        new_column,
        new_type,
        nullability,
        default,
        index,
        unique,
        label,
        drop_column,
        drop_table,
        new_table,
        check_,
    ]
    chosen = [kinds[seed % len(kinds)], *draw.sample(kinds, draw.choice((0, 0, 1, 2)))]
    said = [what for kind in chosen if (what := kind(copied, draw)) is not None]
    return copied, f"{seed}: {'; '.join(said)}"


def a_table(metadata: sa.MetaData, draw: random.Random) -> sa.Table:
    return draw.choice(sorted(metadata.tables.values(), key=lambda table: table.fullname))


def a_column(table: sa.Table, draw: random.Random, fits: Callable[[sa.Column[Any]], bool]) -> sa.Column[Any] | None:
    columns = [column for column in table.columns if fits(column)]
    return draw.choice(columns) if columns else None


def is_plain(column: sa.Column[Any]) -> bool:
    return not (column.primary_key or column.foreign_keys or column.computed is not None or is_referred(column))


def is_referred(column: sa.Column[Any]) -> bool:
    tables = column.table.metadata.tables.values()
    return any(key.column is column for table in tables for key in table.foreign_keys)


def new_column(metadata: sa.MetaData, draw: random.Random) -> str | None:
    table = a_table(metadata, draw)
    name, make, value = draw.choice(NEW_TYPES)
    if "added" in table.columns:
        return None
    nullable, indexed = draw.random() < 0.5, name in ("text", "integer", "uuid") and draw.random() < 0.5
    table.append_column(
        sa.Column("added", make(), server_default=value, nullable=nullable or value is None, index=indexed)
    )
    return f"{table}.added {name} default {value}"


def new_type(metadata: sa.MetaData, draw: random.Random) -> str | None:
    table = a_table(metadata, draw)
    used = {element for item in table.indexes for element in item.columns}
    column = a_column(table, draw, lambda one: is_plain(one) and one not in used)
    if column is None:
        return None
    name, make, _ = draw.choice(NEW_TYPES[:9])
    old = repr(column.type)
    column.type, column.server_default = make(), None
    return f"{table}.{column.name} {old} -> {name}"


def nullability(metadata: sa.MetaData, draw: random.Random) -> str | None:
    table = a_table(metadata, draw)
    column = a_column(table, draw, lambda one: not one.primary_key)
    if column is None:
        return None
    column.nullable = not column.nullable
    return f"{table}.{column.name} nullable {column.nullable}"


def default(metadata: sa.MetaData, draw: random.Random) -> str | None:
    table = a_table(metadata, draw)
    column = a_column(
        table, draw, lambda one: is_plain(one) and isinstance(one.type, (sa.String, sa.Integer, sa.Boolean))
    )
    if column is None or isinstance(column.type, sa.Enum):
        return None
    value = "true" if isinstance(column.type, sa.Boolean) else "3"
    column.server_default = None if column.server_default is not None else sa.DefaultClause(sa.text(f"'{value}'"))
    return f"{table}.{column.name} default {column.server_default}"


def index(metadata: sa.MetaData, draw: random.Random) -> str | None:
    table = a_table(metadata, draw)
    if table.indexes and draw.random() < 0.5:
        gone = draw.choice(sorted(table.indexes, key=lambda item: str(item.name)))
        table.indexes.remove(gone)
        return f"drop index {gone.name}"
    column = a_column(table, draw, lambda one: isinstance(one.type, (sa.String, sa.Integer, sa.DateTime)))
    if column is None:
        return None
    where = column.is_not(None) if draw.random() < 0.5 else None
    element = sa.func.lower(column) if type(column.type) in (sa.String, sa.Text) and draw.random() < 0.5 else column
    sa.Index(f"changed_{column.name}", element, unique=draw.random() < 0.3, postgresql_where=where)
    return f"index on {table}.{column.name}"


def unique(metadata: sa.MetaData, draw: random.Random) -> str | None:
    table = a_table(metadata, draw)
    column = a_column(table, draw, lambda one: isinstance(one.type, (sa.String, sa.Integer)))
    if column is None:
        return None
    table.append_constraint(sa.UniqueConstraint(column, name=draw.choice((None, "changed_unique"))))
    return f"unique {table}.{column.name}"


def label(metadata: sa.MetaData, draw: random.Random) -> str | None:
    enums = {
        str(column.type.name): column.type
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.Enum) and column.type.native_enum and column.type.name
    }
    if not enums:
        return None
    name = draw.choice(sorted(enums))
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, sa.Enum) and column.type.name == name:
                labels = [*column.type.enums, "one_more"]
                column.type = sa.Enum(*labels, name=name, schema=column.type.schema, metadata=column.type.metadata)
    return f"label of {name}"


def drop_column(metadata: sa.MetaData, draw: random.Random) -> str | None:
    table = a_table(metadata, draw)

    def is_free(one: sa.Column[Any]) -> bool:
        computed = any(one.name in str(other.computed.sqltext) for other in table.columns if other.computed is not None)
        return not (one.primary_key or is_referred(one) or computed)

    column = a_column(table, draw, is_free)
    if column is None:
        return None
    for item in [item for item in table.indexes if uses(item, column)]:
        table.indexes.remove(item)
    for constraint in [item for item in table.constraints if uses(item, column)]:
        table.constraints.remove(constraint)
    table.foreign_keys.difference_update(column.foreign_keys)
    table._columns.remove(column)
    return f"drop {table}.{column.name}"


def uses(item: Any, column: sa.Column[Any]) -> bool:
    text = str(getattr(item, "sqltext", "")) + " ".join(map(str, getattr(item, "expressions", ())))
    where = str(item.dialect_kwargs.get("postgresql_where", "")) if hasattr(item, "dialect_kwargs") else ""
    return column.name in [one.name for one in item.columns] or column.name in text + where


def drop_table(metadata: sa.MetaData, draw: random.Random) -> str | None:
    referred = {key.column.table for table in metadata.tables.values() for key in table.foreign_keys}
    free = [table for table in metadata.tables.values() if table not in referred]
    if len(free) < 2:
        return None
    table = draw.choice(sorted(free, key=lambda table: table.fullname))
    metadata.remove(table)
    return f"drop table {table}"


def new_table(metadata: sa.MetaData, draw: random.Random) -> str | None:
    parent = a_table(metadata, draw)
    if "changed_child" in metadata.tables or len(parent.primary_key.columns) != 1:
        return None
    (key,) = parent.primary_key.columns
    columns = [
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
    ]
    columns += [sa.Column("parent", sa.ForeignKey(key, ondelete="CASCADE"), nullable=draw.random() < 0.5)]
    columns += [sa.Column(name.strip("[]"), make()) for name, make, _ in draw.sample(NEW_TYPES[:9], 3)]
    sa.Table("changed_child", metadata, *columns, schema=metadata.schema)
    return f"new table with a key to {parent}"


def check_(metadata: sa.MetaData, draw: random.Random) -> str | None:
    table = a_table(metadata, draw)
    column = a_column(table, draw, lambda one: isinstance(one.type, sa.Integer))
    if column is None:
        return None
    table.append_constraint(sa.CheckConstraint(column.in_([1, 2, 3]) | (column > 9), name="changed_check"))
    return f"check of {table}.{column.name}"


def load(expression: str) -> sa.MetaData:
    """Import the modules, the last of which has the attribute."""
    modules, _, attribute = expression.partition(":")
    loaded = [importlib.import_module(name) for name in modules.split(",")]
    result: Any = loaded[-1]
    for name in attribute.split("."):
        result = getattr(result, name)
    return result


def failures(metadata: sa.MetaData, seeds: range, server: ThrowawayServer, root: Path) -> Iterator[str]:
    """Everything that does not come out as it should, in words."""
    start = Database.empty(server, root / "start")
    try:
        step(start, metadata, "base")
    except Failure as error:
        yield f"FROM NOTHING: {error}"
        return
    for seed in seeds:
        models, said = changed(metadata, seed)
        database = start.copy(root / f"change{seed}")
        print(said, flush=True)
        try:
            head = next(iter(database.run(heads, metadata)))
            step(database, models, head)
        except Failure as error:
            yield f"CHANGE {said}\n{error}"
        database.drop()


def heads(config: Config) -> list[str]:
    return list(ScriptDirectory.from_config(config).get_heads())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("models")
    parser.add_argument("--changes", type=int, default=22)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    metadata = load(options.models)
    print(f"{options.models}: {len(metadata.tables)} tables", flush=True)
    count = 0
    with tempfile.TemporaryDirectory() as name, throwaway_server(find_binaries()) as server:
        seeds = range(options.seed, options.seed + options.changes)
        for failure in failures(metadata, seeds, server, Path(name)):
            count += 1
            print(f"\n=== {failure}\n", flush=True)
    print(f"{options.models}: {count} failures in {options.changes + 1} steps")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
