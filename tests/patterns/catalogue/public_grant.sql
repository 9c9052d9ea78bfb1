-- version: 15
DO $$ BEGIN CREATE ROLE pgpatterns_editor; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
CREATE SCHEMA "Sales";
-- defect [warning]: public.readable -- everybody reads
CREATE TABLE readable (id bigint PRIMARY KEY);
GRANT SELECT ON readable TO PUBLIC;
-- defect: "Sales"."Order" -- quoted, partitioned, several privileges
CREATE TABLE "Sales"."Order" (id bigint, day date) PARTITION BY RANGE (day);
GRANT SELECT, INSERT, UPDATE ON "Sales"."Order" TO PUBLIC;
-- trap: "Sales"."Order_2025" -- a partition
CREATE TABLE "Sales"."Order_2025" PARTITION OF "Sales"."Order" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
GRANT SELECT ON "Sales"."Order_2025" TO PUBLIC;
-- defect: public.columns -- on a column only
CREATE TABLE columns (id bigint PRIMARY KEY, "Name" text);
GRANT SELECT ("Name"), UPDATE (id) ON columns TO PUBLIC;
-- defect: public.ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt -- a view, 63 bytes
CREATE VIEW ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt AS SELECT 1 AS one;
GRANT SELECT ON ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt TO PUBLIC;
-- defect: public.kept -- a materialised view
CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one;
GRANT SELECT ON kept TO PUBLIC;
-- defect: default privileges of postgres in "Sales" on tables -- in one schema
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA "Sales" GRANT SELECT ON TABLES TO PUBLIC;
-- defect: default privileges of pgpatterns_editor on sequences -- in all schemas
ALTER DEFAULT PRIVILEGES FOR ROLE pgpatterns_editor GRANT USAGE ON SEQUENCES TO PUBLIC;
-- trap: public.closed -- nothing granted
CREATE TABLE closed (id bigint PRIMARY KEY);
-- trap: public.by_name -- to a role
CREATE TABLE by_name (id bigint PRIMARY KEY);
GRANT ALL ON by_name TO pgpatterns_editor WITH GRANT OPTION;
-- trap: public.revoked -- granted and taken back
CREATE TABLE revoked (id bigint PRIMARY KEY);
GRANT ALL ON revoked TO PUBLIC;
REVOKE ALL ON revoked FROM PUBLIC;
-- trap: public.f() -- functions are PUBLIC's by default
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER DEFAULT PRIVILEGES FOR ROLE pgpatterns_editor GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
-- trap: public.counter -- no table
CREATE SEQUENCE counter;
GRANT USAGE ON SEQUENCE counter TO PUBLIC;
-- trap: pg_stat_statements -- its views are readable by everybody
CREATE EXTENSION pg_stat_statements;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT SELECT ON TABLES TO pgpatterns_editor;
