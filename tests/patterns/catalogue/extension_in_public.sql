CREATE SCHEMA extensions;
CREATE SCHEMA "Ext";
-- defect [info]: pg_trgm -- in public because nobody said otherwise
CREATE EXTENSION pg_trgm;
-- defect: citext -- named
CREATE EXTENSION citext SCHEMA public;
-- defect: hstore -- moved there
CREATE EXTENSION hstore SCHEMA extensions;
ALTER EXTENSION hstore SET SCHEMA public;
-- defect: btree_gist -- relocatable as well
CREATE EXTENSION btree_gist;
-- trap: plpgsql -- comes with every database
-- trap: btree_gin -- in a schema of its own
CREATE EXTENSION btree_gin SCHEMA extensions;
-- trap: intarray -- in a quoted one
CREATE EXTENSION intarray SCHEMA "Ext";
-- trap: unaccent -- moved away
CREATE EXTENSION unaccent;
ALTER EXTENSION unaccent SET SCHEMA extensions;
