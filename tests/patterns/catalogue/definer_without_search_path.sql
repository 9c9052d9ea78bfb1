-- version: 15
CREATE SCHEMA "Sales";
CREATE EXTENSION citext;
CREATE TYPE "Sales"."State" AS ENUM ('a');
-- defect: public.plain(bigint) -- no search_path
CREATE FUNCTION plain(n bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN n; END';
-- defect: public.first() -- pg_temp comes first because it is not named
CREATE FUNCTION first() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT 1';
-- defect: public.early() -- pg_temp is named, but not last
CREATE FUNCTION early() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_temp, public AS 'SELECT 1';
-- defect: public.one_name() -- one schema of an odd name, as a string is
CREATE FUNCTION one_name() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = 'public, pg_temp' AS 'SELECT 1';
-- defect: public.other_setting() -- another setting
CREATE FUNCTION other_setting() RETURNS int LANGUAGE sql SECURITY DEFINER SET work_mem = '8MB' AS 'SELECT 1';
-- defect: public.proc(integer) -- a procedure
CREATE PROCEDURE proc(n int) LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN NULL; END';
-- defect: "Sales"."Total Of"("Sales"."State", text[]) -- quoted, with types of its schema
CREATE FUNCTION "Sales"."Total Of"(a "Sales"."State", b text[]) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
-- defect: public.ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt() -- 63 bytes
CREATE FUNCTION ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = "$user", public AS 'SELECT 1';
-- defect: public.trigger_function() -- triggers too
CREATE FUNCTION trigger_function() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END';

-- trap: public.invoker() -- runs with the rights of its caller
CREATE FUNCTION invoker() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- trap: public.safe() -- as the documentation has it
CREATE FUNCTION safe() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = "Sales", public, pg_temp AS 'SELECT 1';
-- trap: public.empty() -- an empty path: all names are qualified
CREATE FUNCTION empty() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
-- defect: public.empty_first() -- an empty name, then a schema
CREATE FUNCTION empty_first() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '', public AS 'SELECT 1';
-- trap: public.empty_then_temp() -- an empty name, then pg_temp
CREATE FUNCTION empty_then_temp() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '', pg_temp AS 'SELECT 1';
-- trap: public.catalog_only() -- the same
CREATE FUNCTION catalog_only() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1';
-- trap: public.only_temp() -- pg_temp alone, so last
CREATE FUNCTION only_temp() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_temp AS 'SELECT 1';
-- trap: public.upper_case() -- folded as PostgreSQL folds it
CREATE FUNCTION upper_case() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = PUBLIC, PG_TEMP AS 'SELECT 1';
-- trap: public.atomic() -- names were resolved when it was created
CREATE FUNCTION atomic() RETURNS int LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT 1; END;
-- trap: public.returns() -- the same
CREATE FUNCTION returns() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1;
-- trap: public.total(integer) -- an aggregate
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
ALTER FUNCTION citext_eq(citext, citext) SECURITY DEFINER;
-- trap: citext -- the extension one of whose functions was just made a definer
