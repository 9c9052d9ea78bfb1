"""What reads a column, found again when the revision runs."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from sqlalchemy import Connection, text

from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified

# Objects by what pg_identify_object() says: it depends neither on search_path nor on the language of messages.
USERS = Template("""WITH RECURSIVE changed AS (
    SELECT a.attrelid, a.attnum FROM pg_attribute a
    WHERE a.attrelid = to_regclass($table) AND a.attname = $column AND NOT a.attisdropped
  ), used (classid, objid, objsubid) AS (
    SELECT d.classid, d.objid, d.objsubid FROM changed a JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    UNION
    SELECT d.classid, d.objid, d.objsubid FROM used u
    JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid AND r.rulename = '_RETURN'
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.ev_class
      AND d.classid = 'pg_rewrite'::regclass
  ), named AS (
    SELECT u.*, i.type || ' ' || i.identity AS identity FROM used u
    CROSS JOIN LATERAL pg_identify_object(u.classid, u.objid, u.objsubid) i
    UNION ALL
    SELECT 0, 0, 0, 'the partition key' FROM changed a JOIN pg_partitioned_table p ON p.partrelid = a.attrelid
    WHERE a.attnum = ANY (p.partattrs::int2[]))""")
# The labels of `recast_sql` and of `Facts.blocks_type_change`.
_LABELS = """
    SELECT label, identity FROM named CROSS JOIN LATERAL (VALUES
      (CASE WHEN classid = 0 THEN identity
       ELSE replace(pg_describe_object(classid, objid, objsubid), 'rule _RETURN on ', '') END),
      ((SELECT 'generated column ' || quote_ident(a.attname) FROM pg_attrdef f JOIN pg_attribute a
        ON a.attrelid = f.adrelid AND a.attnum = f.adnum WHERE classid = 'pg_attrdef'::regclass AND f.oid = objid)),
      ((SELECT 'the row filter of publication ' || quote_ident(p.pubname) FROM pg_publication_rel r
        JOIN pg_publication p ON p.oid = r.prpubid WHERE classid = 'pg_publication_rel'::regclass AND r.oid = objid)),
      ((SELECT 'check ' || k.conname FROM pg_constraint k WHERE classid = 'pg_constraint'::regclass AND k.oid = objid)),
      ((SELECT 'index ' || c.relname FROM pg_class c WHERE classid = 'pg_class'::regclass AND c.oid = objid)),
      ((SELECT 'statistics object ' || s.stxname FROM pg_statistic_ext s
        WHERE classid = 'pg_statistic_ext'::regclass AND s.oid = objid))
    ) AS of_object (label) WHERE label IS NOT NULL
"""


def read_identities(connection: Connection, table: tuple[str, str], column: str) -> Mapping[str, str]:
    """Return what reads a column: what the notes call it, and what PostgreSQL identifies it by. Takes no lock.

    Args:
        connection: to the database.
        table: its schema and name.
        column: its name.
    """
    query = USERS.substitute(table=":table", column=":column") + _LABELS
    values = {"table": qualified(*table), "column": column}
    return {str(label): str(identity) for label, identity in connection.execute(text(query), values)}
