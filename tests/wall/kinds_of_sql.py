"""Projects whose revisions make the server reach for production; by name, the statements, each in a savepoint.

What stands before ``;;`` and after it are statements of their own. A statement that fails, because its extension or its
language is missing, say, ends nothing. ``<PORT>`` and the like stand for the server's.
``AUTOCOMMIT`` as the first word: all of it runs outside of a transaction.
"""

from __future__ import annotations

BASH = 'bash -c "exec 3<>/dev/tcp/127.0.0.1/<PORT>"'
SERVER = (
    "CREATE EXTENSION IF NOT EXISTS postgres_fdw;;"
    "CREATE SERVER prod FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '<PORT>', dbname 'd');;"
    "CREATE USER MAPPING FOR PUBLIC SERVER prod OPTIONS (user 'u', password 'p');;"
    "CREATE FOREIGN TABLE far (id int) SERVER prod;;"
)
DBLINK = "CREATE EXTENSION IF NOT EXISTS dblink;;"
SLOTLESS = "connect = false, slot_name = 's', create_slot = false"

KINDS = {
    "dblink": DBLINK + "SELECT dblink_connect('<TCP>')",
    "dblink by a Unix socket": DBLINK + "SELECT dblink_connect('<UNIX>')",
    "dblink with an empty address": DBLINK + "SELECT dblink_connect('hostaddr='''' <UNIX>')",
    "dblink by a service": DBLINK + "SELECT dblink_connect('service=prod')",
    "dblink in a DO block": DBLINK + "DO $$ BEGIN PERFORM dblink_exec('<TCP>', 'DROP TABLE t'); END $$",
    "dblink in a text that is executed": DBLINK
    + "DO $$ BEGIN EXECUTE 'SELECT db' || 'link_connect(' || quote_literal('<TCP>') || ')'; END $$",
    "dblink in a function": DBLINK
    + "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT dblink_connect('<TCP>') $$;;SELECT f()",
    "dblink in a trigger": DBLINK
    + "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM dblink_connect('<TCP>'); RETURN NEW; END $$;;"
    "CREATE TRIGGER t BEFORE INSERT ON book FOR EACH ROW EXECUTE FUNCTION g();;INSERT INTO book VALUES (1)",
    "dblink in an event trigger": DBLINK + "CREATE FUNCTION h() RETURNS event_trigger LANGUAGE plpgsql AS "
    "$$ BEGIN BEGIN PERFORM dblink_connect('<TCP>'); EXCEPTION WHEN OTHERS THEN NULL; END; END $$;;"
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION h();;CREATE TABLE more (id int)",
    "dblink in a default": DBLINK
    + "CREATE FUNCTION i() RETURNS text LANGUAGE sql AS $$ SELECT dblink_connect('<TCP>') $$;;"
    "ALTER TABLE book ADD COLUMN x text DEFAULT i()",
    "dblink in an index": DBLINK + "INSERT INTO book VALUES (2);;"
    "CREATE FUNCTION j(bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT dblink_connect('<TCP>') $$;;"
    "CREATE INDEX strange ON book (j(id))",
    "dblink in a materialized view": DBLINK + "CREATE MATERIALIZED VIEW v AS SELECT dblink_connect('<TCP>')",
    "dblink by a wrapper": DBLINK
    + "CREATE SERVER link FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host '127.0.0.1', port '<PORT>', dbname 'd');;"
    "CREATE USER MAPPING FOR CURRENT_USER SERVER link OPTIONS (user 'u', password 'p');;SELECT dblink_connect('link')",
    "a foreign table": SERVER + "SELECT * FROM far",
    "a foreign table that is written": SERVER + "INSERT INTO far VALUES (1)",
    "a foreign table in a query's part": SERVER + "WITH x AS (DELETE FROM far RETURNING id) SELECT * FROM x",
    "a foreign table that is analyzed": SERVER + "ANALYZE far",
    "a foreign table behind a view": SERVER + "CREATE VIEW near AS SELECT * FROM far;;SELECT * FROM near",
    "a foreign table as a partition": SERVER + "CREATE TABLE parts (id int) PARTITION BY RANGE (id);;"
    "CREATE FOREIGN TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9) SERVER prod;;INSERT INTO parts VALUES (1)",
    "a foreign schema": SERVER + "IMPORT FOREIGN SCHEMA public FROM SERVER prod INTO public",
    "a foreign schema in a DO block": SERVER
    + "DO $$ BEGIN EXECUTE 'IMPORT FOREIGN SCHEMA public FROM SERVER prod INTO public'; END $$",
    "a foreign server by its address": SERVER
    + "ALTER SERVER prod OPTIONS (ADD hostaddr '127.0.0.1');;SELECT * FROM far",
    "a foreign server by a Unix socket": SERVER + "ALTER SERVER prod OPTIONS (SET host '<FOLDER>');;SELECT * FROM far",
    "a file that is a program": "CREATE EXTENSION file_fdw;;CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;;"
    f"CREATE FOREIGN TABLE program (line text) SERVER files OPTIONS (program '{BASH}');;SELECT * FROM program",
    "a subscription": "AUTOCOMMIT CREATE SUBSCRIPTION s CONNECTION '<TCP>' PUBLICATION p",
    "a subscription by a Unix socket": "AUTOCOMMIT CREATE SUBSCRIPTION s CONNECTION '<UNIX>' PUBLICATION p",
    "a subscription without a slot": "CREATE SUBSCRIPTION s CONNECTION '<TCP>' PUBLICATION p WITH (create_slot = false)",
    "a subscription that is enabled": f"CREATE SUBSCRIPTION s CONNECTION '<TCP>' PUBLICATION p WITH ({SLOTLESS});;"
    "ALTER SUBSCRIPTION s ENABLE",
    "a subscription in a DO block": "DO $$ BEGIN CREATE SUBSCRIPTION s CONNECTION '<TCP>' PUBLICATION p "
    "WITH (create_slot = false, slot_name = 'x'); END $$",
    "a subscription in a text that is executed": "DO $$ BEGIN EXECUTE 'CREATE SUBSCRIPTION s CONNECTION ''<TCP>'' "
    "PUBLICATION p WITH (create_slot = false, slot_name = ''x'')'; END $$",
    "a subscription in a function": f"CREATE FUNCTION k() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
    f"CREATE SUBSCRIPTION s CONNECTION '<TCP>' PUBLICATION p WITH ({SLOTLESS}); "
    "EXECUTE 'ALTER SUBSCRIPTION s ENABLE'; END $$;;SELECT k()",
    "a subscription in a procedure": "CREATE PROCEDURE l() LANGUAGE plpgsql AS $$ BEGIN "
    f"CREATE SUBSCRIPTION s CONNECTION '<UNIX>' PUBLICATION p WITH ({SLOTLESS}); "
    "ALTER SUBSCRIPTION s ENABLE; END $$;;CALL l()",
    "a subscription that is moved": f"CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH ({SLOTLESS});;"
    "ALTER SUBSCRIPTION s CONNECTION '<TCP>';;ALTER SUBSCRIPTION s ENABLE;;ALTER SUBSCRIPTION s SET (enabled = true)",
    "a subscription that is dropped": f"CREATE SUBSCRIPTION s CONNECTION '<TCP>' PUBLICATION p WITH ({SLOTLESS});;"
    "DO $$ BEGIN DROP SUBSCRIPTION s; EXCEPTION WHEN OTHERS THEN NULL; END $$",
    "a program that copies": f"COPY book TO PROGRAM '{BASH}'",
    "a program that is copied from": f"CREATE TABLE lines (line text);;COPY lines FROM PROGRAM '{BASH}'",
    "a program in a text that is executed": f"DO $$ BEGIN EXECUTE 'COPY book TO PROGRAM ''{BASH}'''; END $$",
    "a program that stays": "COPY book TO PROGRAM "
    "'setsid nohup bash -c \"while :; do exec 3<>/dev/tcp/127.0.0.1/<PORT>; sleep 0.1; done\" >/dev/null 2>&1 &'",
    "a program by a Unix socket": "COPY book TO PROGRAM 'python3 -c \"import socket; "
    "socket.socket(socket.AF_<UNIX>).connect(''<PATH>'')\"'",
    "a command of the archive": f"AUTOCOMMIT ALTER SYSTEM SET archive_command = '{BASH}';;"
    "ALTER SYSTEM SET archive_mode = 'on';;SELECT pg_reload_conf();;SELECT pg_switch_wal()",
    "a command of a restore": f"AUTOCOMMIT ALTER SYSTEM SET restore_command = '{BASH}';;"
    "ALTER SYSTEM SET primary_conninfo = '<TCP>';;SELECT pg_reload_conf()",
    "a command of TLS": f"AUTOCOMMIT ALTER SYSTEM SET ssl_passphrase_command = '{BASH}';;"
    "ALTER SYSTEM SET ssl_passphrase_command_supports_reload = 'on';;ALTER SYSTEM SET ssl = 'on';;SELECT pg_reload_conf()",
    "libraries to load": "AUTOCOMMIT ALTER SYSTEM SET shared_preload_libraries = 'dblink';;"
    "ALTER SYSTEM SET session_preload_libraries = 'postgres_fdw';;SELECT pg_reload_conf()",
    "a library of C": "CREATE FUNCTION run(cstring) RETURNS int LANGUAGE c AS 'libc.so.6', 'system';;"
    f"SELECT run('{BASH}')",
    "a language that may do all": "CREATE EXTENSION plpython3u;;DO LANGUAGE plpython3u $$ import socket\n"
    "socket.create_connection(('127.0.0.1', <PORT>)) $$",
    "another language that may do all": "CREATE EXTENSION plperlu;;DO LANGUAGE plperlu $$ use IO::Socket; "
    "IO::Socket::INET->new('127.0.0.1:<PORT>') $$",
    "libraries that are not there, for everybody": "ALTER ROLE ALL SET local_preload_libraries = 'dblink'",
    "a trigger on login": DBLINK
    + "CREATE FUNCTION m() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM dblink_connect('<TCP>'); "
    "EXCEPTION WHEN OTHERS THEN NULL; END $$;;CREATE EVENT TRIGGER e ON login EXECUTE FUNCTION m()",
    "files of the server": "SELECT pg_read_file('/etc/passwd');;SELECT lo_export(lo_from_bytea(0, '\\\\x00'), "
    "'<HERE>/exported');;COPY book TO '<HERE>/copied';;SELECT pg_ls_dir('<FOLDER>')",
}
