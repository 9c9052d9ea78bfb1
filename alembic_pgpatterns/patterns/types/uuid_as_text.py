from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import Linked, Obstacles, by_pgfix, checked_columns, special_opclass
from alembic_pgpatterns.patterns._words import names_any
from alembic_pgpatterns.patterns.indexes._evidence import queries_on
from alembic_pgpatterns.remedies.model import Advice, ChangeType, Remedy, TypeChange
from alembic_pgpatterns.schema.model import Column, Name, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import calls

LENGTHS = (32, 36)
"""Characters of a UUID without and with its hyphens."""

FUNCTIONS = frozenset(
    {"gen_random_uuid", "uuidv4", "uuidv7", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"}
)


@dataclass(frozen=True, slots=True)
class Options:
    """How a UUID column is recognised."""

    names: tuple[str, ...] = ("uuid", "guid")
    """Words in a column's name that say it holds a UUID."""


class UuidAsText(SchemaPattern):
    """A UUID that is stored in a text column instead of `uuid`.

    As text it takes 37 bytes instead of 16, in the table and in every index and foreign key; comparing it uses the
    collation; and nothing refuses upper case, a missing hyphen or a value that is no UUID at all.

    Recognised are columns of `varchar` or `char` with 32 or 36 characters, and text columns in a primary, unique or
    foreign key, that have a name for a UUID (`names`, as whole words) or a default that makes one, on the server or in
    Python.

    A guess: a column that a query compares with a text which holds no UUIDs, or of which the source takes parts or asks
    what only a text can do (`token[:8]`): the message names the place. Not reported: other columns of these
    lengths (hashes, codes), text outside of keys, columns whose type a TypeDecorator chooses.

    The change rewrites the table, fails on values that are no UUIDs, and makes drivers return `uuid.UUID` instead of
    `str`. With a default or foreign keys it takes several steps, which the fix lists.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    of_postgresql = True
    weighs_queries = True
    not_when = "Keep text if the values only look like UUIDs, or if their exact spelling matters to others."
    Options = Options
    references = ("https://www.postgresql.org/docs/current/datatype-uuid.html",)
    bad = """
        CREATE TABLE upload (id bigint PRIMARY KEY, file_uuid varchar(36) NOT NULL);
    """
    good = """
        CREATE TABLE upload (id bigint PRIMARY KEY, file_uuid uuid NOT NULL, file_md5 varchar(32) NOT NULL);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Text columns that are named or defaulted as a UUID."""
        linked, obstacles = schema.fact(Linked), schema.fact(Obstacles)
        for table, column in checked_columns(schema):
            if holds_uuid(table, column, self.options.names):
                has_foreign_key = len(linked.group(column).columns) > 1
                as_text = _used_as_text(schema, column)
                finding = self.finding(
                    at=column,
                    message=f"{column.identifier} holds UUIDs as {column.type.display}{as_text}",
                    remedy=_remedy(
                        column,
                        has_foreign_key,
                        obstacles.of(column) or special_opclass(table, column),
                        obstacles.around(column),
                    ),
                    # Columns that foreign keys connect can only change together. Who makes one key of text makes all
                    # of them so, and how a project keeps its other UUIDs is one habit, too.
                    cause="keys" if has_foreign_key else "columns",
                )
                # A default alone, which nobody may use: without a model and a length any text may be there.
                of_default = column.type.length is None and not names_any(column.name, self.options.names)
                guess = of_default and not table.modelled
                guess = guess or bool(as_text) or self._joins_text(schema, linked.group(column).columns)
                yield finding.but(guess=guess)

    def _joins_text(self, schema: Schema, group: Sequence[Column]) -> bool:
        """Whether a query compares one of the columns with a text that holds no UUIDs, which would fail then."""
        return any(
            item.other is not None and self._is_text(schema, *item.other)
            for column in group
            if (table := schema.table(column.table)) is not None
            for shape in queries_on(schema, table)
            for item in shape.conditions
            if item.column == column.name
        )

    def _is_text(self, schema: Schema, table_name: str, name: str) -> bool:
        namespace, _, bare = table_name.rpartition(".")
        table = schema.table(Name(namespace or schema.default_schema, bare))
        column = table.column(name) if table is not None else None
        if table is None or column is None or column.type.name not in ("varchar", "bpchar", "text"):
            return False
        return not holds_uuid(table, column, self.options.names)


def _used_as_text(schema: Schema, column: Column) -> str:
    """Where the source does with it what a `uuid.UUID` refuses."""
    places = schema.evidence.as_text.get(column.name, ()) if schema.evidence is not None else ()
    return f"; {places[0]} uses it as a text, which uuid.UUID refuses: write str() there" if places else ""


def holds_uuid(table: Table, column: Column, names: tuple[str, ...]) -> bool:
    """Whether a column of text holds UUIDs: by its name, or by the default that makes one."""
    return _shaped(table, column) and _names_a_uuid(column, names)


def _names_a_uuid(column: Column, names: tuple[str, ...]) -> bool:
    if names_any(column.name, names):
        return True
    if isinstance(column.default, str) and calls(column.default) & FUNCTIONS:
        return True
    default = column.python_default
    if not isinstance(default, str):
        return False
    # What a function of that name returns may be longer: "usr_" and a UUID. 32 or 36 characters hold no more.
    named = column.type.length in LENGTHS and names_any(default.rpartition(".")[2], ("uuid",))
    return named or default.startswith("uuid.uuid")


def _shaped(table: Table, column: Column) -> bool:
    kind = column.type
    if kind.array or kind.decorated or kind.schema != "pg_catalog" or kind.name not in ("varchar", "bpchar", "text"):
        return False
    return kind.length in LENGTHS or (kind.length is None and _in_key(table, column.name))


def _in_key(table: Table, name: str) -> bool:
    primary = table.primary_key is not None and name in table.primary_key.columns
    unique = any(name in key.columns for key in table.unique_constraints)
    return primary or unique or any(name in key.columns for key in table.foreign_keys)


def _remedy(column: Column, has_foreign_key: bool, obstacle: str | None, around: str | None) -> Remedy:
    name = quote(column.name)
    together = None
    if has_foreign_key:
        together = "together with the columns that foreign keys connect it to"
    elif column.default is not None:
        together = f"with a default of type uuid in place of {column.default}"
    elif isinstance(column.python_default, str):
        together = "with a default that makes a uuid.UUID and no text"
    if together is not None:
        return Advice(
            f"Make it Uuid in the models, {together}: then the plugin's autogenerate writes the change (USING "
            f"{name}::uuid), in stages where nothing stands in the way."
        )
    if obstacle is not None:
        return Advice(f"Write the change to uuid in a revision yourself (USING {name}::uuid), because {obstacle}.")
    change = TypeChange(column.table, column.name, column.type.display, "uuid", using=f"{name}::uuid")
    return by_pgfix(ChangeType((change,), rewrites=True), [(column, around)] if around else [])
