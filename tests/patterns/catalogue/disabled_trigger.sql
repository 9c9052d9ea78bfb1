-- version: 15
-- defect: public.book book_author_id_fkey -- ALL switches off the foreign key
-- defect: public.author book_author_id_fkey -- and its other side
-- defect: public.book book_audit -- and the audit
-- defect: "Other"."Book" "Audit" -- quoted names
-- defect: public.single single_audit -- one by name
-- trap: public.good -- all on
-- trap: public.again -- off and on again
-- trap: public.replica -- only on a replica
-- trap: public.free -- no trigger at all
CREATE SCHEMA "Other";
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE author (id bigint PRIMARY KEY);
CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author);
CREATE TRIGGER book_audit AFTER INSERT ON book FOR EACH ROW EXECUTE FUNCTION audit();
ALTER TABLE book DISABLE TRIGGER ALL;
ALTER TABLE author DISABLE TRIGGER ALL;
CREATE TABLE "Other"."Book" (id bigint PRIMARY KEY);
CREATE TRIGGER "Audit" AFTER INSERT ON "Other"."Book" FOR EACH ROW EXECUTE FUNCTION audit();
ALTER TABLE "Other"."Book" DISABLE TRIGGER "Audit";
CREATE TABLE single (id bigint PRIMARY KEY);
CREATE TRIGGER single_audit AFTER INSERT ON single FOR EACH ROW EXECUTE FUNCTION audit();
ALTER TABLE single DISABLE TRIGGER USER;
CREATE TABLE good (id bigint PRIMARY KEY);
CREATE TRIGGER good_audit AFTER INSERT ON good FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TABLE again (id bigint PRIMARY KEY);
CREATE TRIGGER again_audit AFTER INSERT ON again FOR EACH ROW EXECUTE FUNCTION audit();
ALTER TABLE again DISABLE TRIGGER ALL;
ALTER TABLE again ENABLE TRIGGER ALL;
CREATE TABLE replica (id bigint PRIMARY KEY);
CREATE TRIGGER replica_audit AFTER INSERT ON replica FOR EACH ROW EXECUTE FUNCTION audit();
ALTER TABLE replica ENABLE REPLICA TRIGGER replica_audit;
CREATE TABLE free (id bigint PRIMARY KEY);
