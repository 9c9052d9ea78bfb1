\echo Use "CREATE EXTENSION timescaledb" to load this file. \quit

CREATE TYPE dimension_info AS (column_name name, part_interval text);
CREATE FUNCTION by_range(column_name name, partition_interval anyelement DEFAULT NULL::bigint, partition_func regproc DEFAULT NULL)
RETURNS dimension_info LANGUAGE sql IMMUTABLE AS 'SELECT ROW($1, $2::text)::@extschema@.dimension_info';
CREATE FUNCTION by_hash(column_name name, number_partitions integer, partition_func regproc DEFAULT NULL)
RETURNS dimension_info LANGUAGE sql IMMUTABLE RETURN ROW(column_name, number_partitions::text)::dimension_info;

-- The table stays a plain one, and gets the index that TimescaleDB gives it.
CREATE FUNCTION hypertable_index(relation regclass, time_column name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    table_name name;
    schema_name name;
BEGIN
    SELECT c.relname, n.nspname INTO table_name, schema_name FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = relation AND a.attnum = i.indkey[0]
        WHERE i.indrelid = relation AND a.attname = time_column
    ) THEN
        EXECUTE format('CREATE INDEX %I ON %I.%I (%I DESC)', table_name || '_' || time_column || '_idx', schema_name, table_name, time_column);
    END IF;
END
$$;

CREATE FUNCTION create_hypertable(
    relation regclass, time_column_name name, partitioning_column name DEFAULT NULL, number_partitions integer DEFAULT NULL,
    associated_schema_name name DEFAULT NULL, associated_table_prefix name DEFAULT NULL,
    chunk_time_interval anyelement DEFAULT NULL::bigint, create_default_indexes boolean DEFAULT true,
    if_not_exists boolean DEFAULT false, partitioning_func regproc DEFAULT NULL, migrate_data boolean DEFAULT false,
    chunk_target_size text DEFAULT NULL, chunk_sizing_func regproc DEFAULT NULL, time_partitioning_func regproc DEFAULT NULL
) RETURNS TABLE (hypertable_id integer, schema_name name, table_name name, created boolean) LANGUAGE plpgsql AS $$
BEGIN
    IF create_default_indexes THEN
        PERFORM @extschema@.hypertable_index(relation, time_column_name);
    END IF;
    RETURN QUERY SELECT 1, n.nspname, c.relname, true FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
END
$$;
CREATE FUNCTION create_hypertable(
    relation regclass, dimension dimension_info, create_default_indexes boolean DEFAULT true,
    if_not_exists boolean DEFAULT false, migrate_data boolean DEFAULT false
) RETURNS TABLE (hypertable_id integer, created boolean) LANGUAGE plpgsql AS $$
BEGIN
    IF create_default_indexes THEN
        PERFORM @extschema@.hypertable_index(relation, (dimension).column_name);
    END IF;
    RETURN QUERY SELECT 1, true;
END
$$;

CREATE FUNCTION add_dimension(
    hypertable regclass, column_name name, number_partitions integer DEFAULT NULL, chunk_time_interval anyelement DEFAULT NULL::bigint,
    partitioning_func regproc DEFAULT NULL, if_not_exists boolean DEFAULT false
) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION add_dimension(hypertable regclass, dimension dimension_info, if_not_exists boolean DEFAULT false)
RETURNS integer LANGUAGE sql RETURN 1;
CREATE FUNCTION set_chunk_time_interval(hypertable regclass, chunk_time_interval anyelement, dimension_name name DEFAULT NULL)
RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION set_integer_now_func(hypertable regclass, integer_now_func regproc, replace_if_exists boolean DEFAULT false)
RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION add_retention_policy(
    relation regclass, drop_after anyelement DEFAULT NULL::bigint, if_not_exists boolean DEFAULT false, schedule_interval interval DEFAULT NULL,
    initial_start timestamptz DEFAULT NULL, timezone text DEFAULT NULL, drop_created_before interval DEFAULT NULL
) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION remove_retention_policy(relation regclass, if_exists boolean DEFAULT false) RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION add_compression_policy(
    hypertable regclass, compress_after anyelement DEFAULT NULL::bigint, if_not_exists boolean DEFAULT false, schedule_interval interval DEFAULT NULL,
    initial_start timestamptz DEFAULT NULL, timezone text DEFAULT NULL, compress_created_before interval DEFAULT NULL
) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION remove_compression_policy(hypertable regclass, if_exists boolean DEFAULT false) RETURNS boolean LANGUAGE sql RETURN true;
CREATE FUNCTION add_continuous_aggregate_policy(
    continuous_aggregate regclass, start_offset anyelement, end_offset anyelement, schedule_interval interval,
    if_not_exists boolean DEFAULT false, initial_start timestamptz DEFAULT NULL, timezone text DEFAULT NULL
) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION remove_continuous_aggregate_policy(continuous_aggregate regclass, if_not_exists boolean DEFAULT false, if_exists boolean DEFAULT NULL)
RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION add_reorder_policy(hypertable regclass, index_name name, if_not_exists boolean DEFAULT false)
RETURNS integer LANGUAGE sql RETURN 1;
CREATE FUNCTION drop_chunks(
    relation regclass, older_than anyelement DEFAULT NULL::bigint, newer_than anyelement DEFAULT NULL::bigint, "verbose" boolean DEFAULT false
) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text WHERE false';
CREATE FUNCTION show_chunks(relation regclass) RETURNS SETOF regclass LANGUAGE sql AS 'SELECT NULL::regclass WHERE false';
CREATE FUNCTION decompress_chunk(uncompressed_chunk regclass, if_compressed boolean DEFAULT true) RETURNS regclass LANGUAGE sql RETURN $1;
CREATE FUNCTION compress_chunk(uncompressed_chunk regclass, if_not_compressed boolean DEFAULT true) RETURNS regclass LANGUAGE sql RETURN $1;
CREATE PROCEDURE refresh_continuous_aggregate(continuous_aggregate regclass, window_start timestamptz, window_end timestamptz)
LANGUAGE sql BEGIN ATOMIC END;

CREATE FUNCTION time_bucket(bucket_width interval, ts timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.date_bin(bucket_width, ts, '2000-01-03 00:00:00+00');
CREATE FUNCTION time_bucket(bucket_width interval, ts timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.date_bin(bucket_width, ts, '2000-01-03 00:00:00');
CREATE FUNCTION time_bucket(bucket_width interval, ts date) RETURNS date LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.date_bin(bucket_width, ts::timestamp, '2000-01-03 00:00:00')::date;
