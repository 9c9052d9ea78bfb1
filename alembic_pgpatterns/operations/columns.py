"""Columns with a foreign key, and columns with a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from alembic.operations.ops import AddColumnOp, DropColumnOp
from sqlalchemy import Column, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register
from alembic_pgpatterns.operations.support.session import emit
from alembic_pgpatterns.operations.support.template import Name, Sql, Template, Value, always_quoted, literal

if TYPE_CHECKING:
    from alembic.operations import Operations


_ACTIONS = ("CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION")


class AddColumnWithReferenceOp(Directive):
    """Add a column and its foreign key in one statement. No row is read, since the new column is NULL everywhere.

    Args:
        table_name: the table.
        column: ``sa.Column`` with name and type; nullable, without a server default.
        referent_table: the table it points to.
        referent_column: the column it points to.
        constraint_name: the foreign key's name; None leaves it to PostgreSQL (``<table>_<column>_fkey``).
        referent_schema: the schema of the other table; None: PostgreSQL looks along the search path.
        ondelete: ``CASCADE``, ``SET NULL``, ``SET DEFAULT``, ``RESTRICT``; None is NO ACTION.
        onupdate: the same, for changes of the referenced key.
        deferrable: whether the key may be checked at the end of a transaction.
        initially_deferred: whether it is, unless the transaction changes that.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    If the column is added first and the foreign key later, PostgreSQL reads the whole table under the lock.

    Lock: ACCESS EXCLUSIVE on the table, SHARE ROW EXCLUSIVE on the referenced one, both for a moment.
    Errors: PgPatternsError if the column has a server default (then each row would have to be checked), or if an
    action is unknown; the server's if the column exists already.
    Reversible: yes, by ``op.drop_column``. Offline: the same statement.
    Source: measured; PostgreSQL documentation, "ALTER TABLE", ADD COLUMN.
    """

    name = "add_column_with_reference"

    def __init__(
        self,
        table_name: str,
        column: Column[Any],
        referent_table: str,
        referent_column: str,
        *,
        constraint_name: str | None = None,
        referent_schema: str | None = None,
        ondelete: str | None = None,
        onupdate: str | None = None,
        deferrable: bool = False,
        initially_deferred: bool = False,
        schema: str | None = None,
    ) -> None:
        self.table_name = table_name
        self.column = column
        self.referent_table = referent_table
        self.referent_column = referent_column
        self.constraint_name = constraint_name
        self.referent_schema = referent_schema
        self.ondelete = ondelete
        self.onupdate = onupdate
        self.deferrable = deferrable
        self.initially_deferred = initially_deferred
        self.schema = schema
        self._check()

    def _check(self) -> None:
        call = f"op.{self.name}({self.table_name!r}, {self.column.name!r})"
        for action in (self.ondelete, self.onupdate):
            if action is not None and action.upper() not in _ACTIONS:
                raise errors.PgPatternsError(f"{call}: {action!r} is not one of {', '.join(_ACTIONS)}")
        if self.column.server_default is not None:
            raise errors.PgPatternsError(
                f"{call}: with a server default PostgreSQL would have to check every row. Add the column without it, "
                "set the default afterwards, and fill the rows with op.backfill"
            )

    @classmethod
    def from_column(cls, column: Column[Any]) -> AddColumnWithReferenceOp:
        """The operation that adds a column of the models. The column must have one foreign key, of one column.

        Raises:
            PgPatternsError: the column has no foreign key, or several.
        """
        keys = list(column.foreign_keys)
        if len(keys) != 1:
            raise errors.PgPatternsError(f"column {column} has {len(keys)} foreign keys; exactly one is expected")
        key, target = keys[0], keys[0].column
        name = key.constraint.name if key.constraint is not None else key.name
        return cls(
            column.table.name,
            column,
            target.table.name,
            target.name,
            constraint_name=str(name) if name is not None else None,
            referent_schema=target.table.schema,
            ondelete=key.ondelete,
            onupdate=key.onupdate,
            deferrable=bool(key.deferrable),
            initially_deferred=(key.initially or "").upper() == "DEFERRED",
            schema=column.table.schema,
        )

    def run(self, operations: Operations) -> None:
        """ADD COLUMN ... REFERENCES, then its comment."""
        table = Name(self.schema, self.table_name)
        emit(
            operations,
            "ALTER TABLE {table} ADD COLUMN {column}{constraint} REFERENCES {referent} ({key}){options}",
            table=table,
            column=Sql(self._specification()),
            constraint=Template(" CONSTRAINT {n}", n=Name(self.constraint_name)) if self.constraint_name else Sql(""),
            referent=Name(self.referent_schema, self.referent_table),
            key=Name(self.referent_column),
            options=Sql("".join(self._options())),
        )
        if self.column.comment is not None:
            path = Name(*table.path, self.column.name)
            emit(operations, "COMMENT ON COLUMN {column} IS {text}", column=path, text=Value(self.column.comment))

    def _specification(self) -> str:
        # By a dialect that doubles no percent signs: the statement around this text does it, if the driver needs it.
        dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
        bare: Column[Any] = Column(self.column.name, self.column.type, nullable=self.column.nullable)
        create = CreateTable(Table(self.table_name, MetaData(), bare))
        specify: Callable[..., str] = dialect.ddl_compiler(dialect, create).get_column_specification
        return specify(bare)

    def _options(self) -> Iterator[str]:
        for words, action in (("ON DELETE", self.ondelete), ("ON UPDATE", self.onupdate)):
            if action is not None:
                yield f" {words} {action.upper()}"
        if self.deferrable:
            yield " DEFERRABLE"
        if self.initially_deferred:
            yield " INITIALLY DEFERRED"

    def reverse(self) -> DropColumnOp:
        """Drop the column."""
        return AddColumnOp(self.table_name, self.column, schema=self.schema).reverse()

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The tuple of Alembic's own operation."""
        return AddColumnOp(self.table_name, self.column, schema=self.schema).to_diff_tuple()


# A DO block serves both modes (online and --sql): only the server knows the sequence's state.
_TO_IDENTITY = """
DECLARE
    rel regclass := {table};
    col text := {column};
    seq regclass := pg_get_serial_sequence({table}, col)::regclass;
    opt record; acl record; last bigint; called boolean; ident regclass;
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel AND attname = col AND attidentity <> '') THEN
        RETURN;
    END IF;
    IF seq IS NULL THEN
        RAISE EXCEPTION 'column % of % is not a serial: it owns no sequence', col, rel;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', rel);
    SELECT s.*, c.relname, n.nspname INTO opt FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE s.seqrelid = seq;
    EXECUTE format('SELECT last_value, is_called FROM %s', seq) INTO last, called;
    CREATE TEMP TABLE pgpatterns_acl ON COMMIT DROP AS
        SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS role,
               a.privilege_type AS privilege, a.is_grantable AS grantable
        FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = seq AND a.grantee <> c.relowner;
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', rel, col);
    EXECUTE format('DROP SEQUENCE %s', seq);
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED {kind} AS IDENTITY (SEQUENCE NAME %I.%I '
        'START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s)', rel, col, opt.nspname, opt.relname,
        opt.seqstart, opt.seqincrement, opt.seqmin, opt.seqmax, opt.seqcache,
        CASE WHEN opt.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END);
    ident := pg_get_serial_sequence({table}, col)::regclass;
    PERFORM setval(ident, last, called);
    FOR acl IN SELECT * FROM pgpatterns_acl LOOP
        EXECUTE format('GRANT %s ON SEQUENCE %s TO %s %s', acl.privilege, ident, acl.role,
            CASE WHEN acl.grantable THEN 'WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    DROP TABLE pgpatterns_acl;
END
"""

# The lock comes first: nobody takes a number between the reading of the counter and the end.
_TO_SERIAL = """
DECLARE
    rel regclass := {table};
    col text := {column};
    seq regclass := pg_get_serial_sequence({table}, col)::regclass;
    opt record; acl record; last bigint; called boolean; made text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel AND attname = col AND attidentity <> '') THEN
        RETURN;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', rel);
    SELECT s.*, c.relname, c.relpersistence, n.nspname, format_type(s.seqtypid, NULL) AS type INTO opt
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE s.seqrelid = seq;
    EXECUTE format('SELECT last_value, is_called FROM %s', seq) INTO last, called;
    CREATE TEMP TABLE pgpatterns_acl ON COMMIT DROP AS
        SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS role,
               a.privilege_type AS privilege, a.is_grantable AS grantable
        FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = seq AND a.grantee <> c.relowner;
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', rel, col);
    made := format('%I.%I', opt.nspname, opt.relname);
    EXECUTE format('CREATE %s SEQUENCE %s AS %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s '
        'OWNED BY %s.%I', CASE opt.relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE '' END, made, opt.type,
        opt.seqstart, opt.seqincrement, opt.seqmin, opt.seqmax, opt.seqcache,
        CASE WHEN opt.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END, rel, col);
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT nextval(%L)', rel, col, made);
    PERFORM setval(made::regclass, last, called);
    FOR acl IN SELECT * FROM pgpatterns_acl LOOP
        EXECUTE format('GRANT %s ON SEQUENCE %s TO %s %s', acl.privilege, made, acl.role,
            CASE WHEN acl.grantable THEN 'WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    DROP TABLE pgpatterns_acl;
END
"""


class _Counted(Directive):
    """The table and the column, for the two conversions."""

    def __init__(self, table_name: str, column_name: str, *, always: bool = False, schema: str | None = None) -> None:
        self.table_name = table_name
        self.column_name = column_name
        self.always = always
        self.schema = schema

    code = ""
    """The body of the DO block, with places for the table, the column and the kind of identity."""

    def body(self) -> str:
        """The body of the DO block for this column."""
        return self.code.format(
            table=literal(always_quoted(self.schema, self.table_name)),
            column=literal(self.column_name),
            kind="ALWAYS" if self.always else "BY DEFAULT",
        )

    def run(self, operations: Operations) -> None:
        """Execute the DO block."""
        emit(operations, "DO {body}", body=Value(self.body()))


class ConvertSerialToIdentityOp(_Counted):
    """Turn a serial column into an identity column, which continues counting at the same value.

    Args:
        table_name: the table.
        column_name: the column.
        always: whether it is GENERATED ALWAYS, which refuses values given by an INSERT; otherwise BY DEFAULT.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    The sequence keeps its name, value, step, limits and privileges. A column that is an identity is not changed.

    Lock: ACCESS EXCLUSIVE on the table until the transaction ends; nothing is read or rewritten.
    Errors: the server's if the column is not a serial, allows NULL, or its sequence is used elsewhere.
    Reversible: yes, by ``op.convert_identity_to_serial``. Offline: the same block of code.
    Source: PostgreSQL documentation, "Identity Columns".
    """

    name = "convert_serial_to_identity"
    code = _TO_IDENTITY

    def reverse(self) -> ConvertIdentityToSerialOp:
        """Back to serial."""
        return ConvertIdentityToSerialOp(self.table_name, self.column_name, always=self.always, schema=self.schema)


class ConvertIdentityToSerialOp(_Counted):
    """Turn an identity column into a serial column, which continues counting at the same value.

    Args:
        table_name: the table.
        column_name: the column.
        always: what the identity was, for the downgrade.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Lock: ACCESS EXCLUSIVE on the table until the transaction ends; nothing is read or rewritten.
    Errors: the server's if the column does not exist. A column that is not an identity is not changed.
    Reversible: yes, by ``op.convert_serial_to_identity``. Offline: the same block of code.
    """

    name = "convert_identity_to_serial"
    code = _TO_SERIAL

    def reverse(self) -> ConvertSerialToIdentityOp:
        """Back to identity."""
        return ConvertSerialToIdentityOp(self.table_name, self.column_name, always=self.always, schema=self.schema)


register(AddColumnWithReferenceOp, ConvertSerialToIdentityOp, ConvertIdentityToSerialOp)
