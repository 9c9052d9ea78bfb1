-- version: 15
DO $$ BEGIN CREATE ROLE pgpatterns_editor; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
-- defect [error]: public -- as up to PostgreSQL 14
GRANT CREATE ON SCHEMA public TO PUBLIC;
-- defect: "Sales" -- quoted
CREATE SCHEMA "Sales";
GRANT ALL ON SCHEMA "Sales" TO PUBLIC;
-- defect: ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt -- 63 bytes
CREATE SCHEMA ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt;
GRANT USAGE, CREATE ON SCHEMA ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt TO PUBLIC;
-- defect: owned -- the owner is another role
CREATE SCHEMA owned AUTHORIZATION pgpatterns_editor;
GRANT CREATE ON SCHEMA owned TO PUBLIC;
-- trap: closed -- nothing granted
CREATE SCHEMA closed;
-- trap: readable -- USAGE only
CREATE SCHEMA readable;
GRANT USAGE ON SCHEMA readable TO PUBLIC;
-- trap: by_name -- to a role
CREATE SCHEMA by_name;
GRANT CREATE ON SCHEMA by_name TO pgpatterns_editor;
-- trap: revoked -- granted and taken back
CREATE SCHEMA revoked;
GRANT CREATE ON SCHEMA revoked TO PUBLIC;
REVOKE CREATE ON SCHEMA revoked FROM PUBLIC;
