-- version: 15
-- defect: public.account keep -- DO INSTEAD NOTHING
-- defect: public.account noted -- a second rule of the same table
-- defect: "Other"."Account" "Kept Rows" -- quoted names
-- defect: public.part routed -- a rule on a partitioned table
-- trap: public.seen -- a view is a rule inside
-- trap: public.writable -- a view with a rule of its own
-- trap: public.triggered -- a trigger
-- trap: public.plain -- a table without rules
-- trap: public.kept -- a materialised view
CREATE SCHEMA "Other";
CREATE TABLE account (id bigint PRIMARY KEY, email text);
CREATE TABLE notes (note text);
CREATE RULE keep AS ON DELETE TO account DO INSTEAD NOTHING;
CREATE RULE noted AS ON INSERT TO account DO ALSO INSERT INTO notes VALUES (NEW.email);
CREATE TABLE "Other"."Account" (id bigint PRIMARY KEY);
CREATE RULE "Kept Rows" AS ON DELETE TO "Other"."Account" DO INSTEAD NOTHING;
CREATE TABLE part (id bigint PRIMARY KEY) PARTITION BY HASH (id);
CREATE RULE routed AS ON DELETE TO part DO INSTEAD NOTHING;
CREATE TABLE plain (id bigint PRIMARY KEY);
CREATE VIEW seen AS SELECT * FROM plain;
CREATE VIEW writable AS SELECT id FROM plain;
CREATE RULE written AS ON INSERT TO writable DO INSTEAD INSERT INTO plain VALUES (NEW.id);
CREATE MATERIALIZED VIEW kept AS SELECT * FROM plain;
CREATE TABLE triggered (id bigint PRIMARY KEY);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION keep();
