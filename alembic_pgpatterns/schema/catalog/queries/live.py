"""Queries for facts that only a server in use has."""

# Statistics that were never reset count from the start of the server.
SERVER = """
SELECT current_setting('server_version_num')::int8, current_database()::text, session_user::text,
       coalesce((SELECT s.stats_reset FROM pg_stat_database s WHERE s.datname = current_database()),
                pg_postmaster_start_time()),
       clock_timestamp(), pg_is_in_recovery(), d.datconnlimit::int8,
       pg_has_role(session_user, 'pg_read_all_stats', 'MEMBER')
FROM pg_database d
WHERE d.datname = current_database()
"""

SETTINGS = """
SELECT s.name, s.reset_val, coalesce(s.unit, ''), s.source
FROM pg_settings s
WHERE s.name IN (
  'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout', 'max_connections',
  'superuser_reserved_connections', 'reserved_connections', 'work_mem', 'hash_mem_multiplier', 'shared_buffers',
  'effective_cache_size', 'maintenance_work_mem', 'autovacuum', 'autovacuum_freeze_max_age', 'shared_preload_libraries',
  'track_counts')
"""
"""``reset_val`` and not ``setting``, because this session sets timeouts of its own. Some need pg_monitor."""

# The first = ends the name; a value may have others.
ROLE_SETTINGS = """
SELECT r.rolname::text, d.datname::text, split_part(item, '=', 1), substr(item, strpos(item, '=') + 1)
FROM pg_db_role_setting s
LEFT JOIN pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_database d ON d.oid = s.setdatabase
CROSS JOIN LATERAL unnest(s.setconfig) item
WHERE (s.setrole = 0 OR r.oid IS NOT NULL) AND (s.setdatabase = 0 OR d.oid IS NOT NULL)
"""

ROLES = """
SELECT r.rolname::text, r.rolsuper, r.rolconnlimit::int8,
       (SELECT count(*) FROM pg_stat_activity a
        WHERE a.usesysid = r.oid AND a.datname = current_database() AND a.pid <> pg_backend_pid()),
       EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.oid >= 16384 AND c.relkind IN ('r', 'p'))
FROM pg_roles r
WHERE r.rolcanlogin
ORDER BY r.rolname
"""

SESSIONS = """
SELECT coalesce(sum(d.numbackends), 0)::int8,
       coalesce(sum(d.numbackends) FILTER (WHERE d.datname = current_database()), 0)::int8,
       (SELECT extract(epoch FROM clock_timestamp() - min(a.xact_start))::float8
        FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.backend_type = 'client backend')
FROM pg_stat_database d
"""
"""Everybody may see the number of backends, but not whose they are and since when."""

RECORDING = """
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements'),
       (SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements')
"""

HIDDEN = "<insufficient privilege>"
"""The text that pg_stat_statements shows for other roles' statements."""

# Nobody can connect to template0, but its rows get older too.
AGES = """
SELECT d.datname::text, age(d.datfrozenxid)::int8, mxid_age(d.datminmxid)::int8
FROM pg_database d
WHERE d.datallowconn OR d.datname = 'template0'
ORDER BY 2 DESC
"""

# A TOAST table (t) has an age of its own.
TABLE_AGES = """
SELECT n.nspname::text, c.relname::text, age(c.relfrozenxid)::int8, mxid_age(c.relminmxid)::int8
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 't') AND c.relfrozenxid <> 0
ORDER BY 3 DESC
LIMIT 5
"""

# A line with an error is no rule of the server: it keeps the rules of its last good reading.
HBA = """
SELECT r.line_number::int8, r.type, r.database::text[], r.user_name::text[], coalesce(r.address, ''),
       coalesce(r.netmask, ''), r.auth_method
FROM pg_hba_file_rules r
WHERE r.error IS NULL
ORDER BY r.line_number
"""

REPLICAS = """
SELECT coalesce(nullif(r.application_name, ''), host(r.client_addr), 'a replica')::text
FROM pg_stat_replication r
ORDER BY 1
"""
"""Everybody sees the rows, but their columns are NULL without pg_read_all_stats."""

SLOTS = """
SELECT s.slot_name::text
FROM pg_replication_slots s
WHERE NOT s.active AND (s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL)
ORDER BY 1
"""
"""Slots that nobody reads and that keep old row versions from being removed."""

BLOCKERS = """
SELECT DISTINCT l.relation::regclass::text, l.mode
FROM pg_locks l
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.relation >= 16384
ORDER BY 1
LIMIT 5
"""
