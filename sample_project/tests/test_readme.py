"""The README's list of defects against PostgreSQL's own catalogs, without any help of the checker it is for."""

import re
from pathlib import Path

from sqlalchemy import text

README = Path(__file__).parent.parent / "README.md"

CATALOG = {
    "unindexed-foreign-key": """
        SELECT c.conrelid::regclass || '.' || a.attname
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])
    """,
    "duplicate-index": """
        SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_index o USING (indrelid)
        WHERE i.indexrelid <> o.indexrelid AND i.indkey = o.indkey AND i.indclass = o.indclass AND NOT i.indisunique
    """,
    "missing-primary-key": """
        SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'p')
    """,
    "varchar-length": """
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'character varying' AND table_name <> 'alembic_version'
    """,
    "fixed-char": """
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'character'
    """,
    "timestamp-without-time-zone": """
        SELECT c.table_name || '.' || column_name FROM information_schema.columns c JOIN information_schema.tables t
        USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
        AND data_type = 'timestamp without time zone'
    """,
    "integer-primary-key": """
        SELECT c.conrelid::regclass || '.' || a.attname
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
        WHERE c.contype = 'p' AND a.atttypid = 'integer'::regtype
        AND pg_get_serial_sequence(c.conrelid::regclass::text, a.attname) IS NOT NULL
    """,
    "foreign-key-type-mismatch": """
        SELECT c.conrelid::regclass || '.' || a.attname
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
        WHERE c.contype = 'f' AND a.atttypid <> b.atttypid
    """,
    "json-not-jsonb": """
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'json'
    """,
    "nullable-flag": """
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'boolean' AND is_nullable = 'YES'
    """,
    "unforced-row-security": """
        SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity
    """,
    "unprotected-tenant-table": """
        SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE attname = 'tenant_id' AND relkind = 'r' AND NOT relrowsecurity
    """,
    "policy-evaluated-per-row": """
        SELECT tablename FROM pg_policies WHERE qual ~ 'current_setting' AND qual !~* 'select'
    """,
}


def listed(pattern):
    (row,) = re.findall(rf"^\| {pattern} \| (`.*) \|$", README.read_text(), re.MULTILINE)
    return re.findall(r"`([^`]+)`", row)


def test_lists_are_what_the_catalogs_say(run):
    async def check(sessions):
        async with sessions() as session:
            found = {
                pattern: sorted(await session.scalars(text(query.replace("::", "\\:\\:"))))
                for pattern, query in CATALOG.items()
            }
        assert found == {pattern: listed(pattern) for pattern in CATALOG}

    run(check)


def test_every_index_and_column_of_the_list_exists(run):
    named = set(re.findall(r"`((?:ix_|users_)\w+|[a-z_]+\.[a-z_]+)`", README.read_text()))

    async def check(sessions):
        async with sessions() as session:
            names = set(await session.scalars(text("SELECT relname FROM pg_class")))
            columns = "SELECT attrelid\\:\\:regclass || '.' || attname FROM pg_attribute WHERE attnum > 0"
            names |= set(await session.scalars(text(columns)))
        assert len(named) > 30
        assert named <= names

    run(check)
