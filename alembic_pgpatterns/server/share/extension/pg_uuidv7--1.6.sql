\echo Use "CREATE EXTENSION pg_uuidv7" to load this file. \quit

CREATE FUNCTION uuid_generate_v7() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN uuidv7();

CREATE FUNCTION uuid_v7_to_timestamptz(uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN uuid_extract_timestamp($1);
