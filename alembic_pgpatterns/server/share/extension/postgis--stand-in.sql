\echo Use "CREATE EXTENSION postgis" to load this file. \quit

-- The types hold a polygon of PostgreSQL's own, so that its functions serve them. Whatever text is given, the value is
-- one point.
CREATE TYPE geometry;
CREATE TYPE geography;

-- The text of a type modifier, such as "(Point,4326)", is a label of this enum, and the modifier is the label's oid,
-- since only an internal function may return a cstring: enum_out turns the one into the other.
CREATE TYPE postgis_modifier AS ENUM ();

CREATE FUNCTION postgis_modifier(words text[], is_geography boolean) RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
    kinds text[] := '{Geometry,Point,LineString,Polygon,MultiPoint,MultiLineString,MultiPolygon,GeometryCollection,CircularString,CompoundCurve,CurvePolygon,MultiCurve,MultiSurface,PolyhedralSurface,Triangle,Tin}';
    word text := words[1];
    base text := regexp_replace(word, '(zm|z|m)$', '', 'i');
    dimensions text := upper(substr(word, length(base) + 1));
    kind integer := array_position(ARRAY(SELECT lower(k) FROM unnest(kinds) k), lower(base));
    srid integer := coalesce(nullif(words[2], '')::integer, 0);
    code integer;
    label text;
BEGIN
    IF kind IS NULL THEN
        RAISE 'Invalid geometry type modifier: %', word USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF is_geography AND srid = 0 THEN
        srid := 4326;
    END IF;
    code := 1000000000 + srid * 256 + (kind - 1) * 4 + CASE dimensions WHEN 'ZM' THEN 3 WHEN 'Z' THEN 2 WHEN 'M' THEN 1 ELSE 0 END;
    label := CASE
        WHEN srid > 0 THEN format('(%s%s,%s)', kinds[kind], dimensions, srid)
        WHEN kind > 1 OR dimensions <> '' THEN format('(%s%s)', kinds[kind], dimensions)
        ELSE '' END;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_enum WHERE oid = code::oid) THEN
        INSERT INTO pg_catalog.pg_enum (oid, enumtypid, enumsortorder, enumlabel)
        SELECT code::oid, '@extschema@.postgis_modifier'::regtype, count(*), label
        FROM pg_catalog.pg_enum WHERE enumtypid = '@extschema@.postgis_modifier'::regtype;
    END IF;
    RETURN code;
END
$$;

CREATE FUNCTION geometry_typmod_in(words text[]) RETURNS integer LANGUAGE sql STABLE STRICT SECURITY DEFINER
AS 'SELECT @extschema@.postgis_modifier($1::pg_catalog.text[], false)';
CREATE FUNCTION geography_typmod_in(words text[]) RETURNS integer LANGUAGE sql STABLE STRICT SECURITY DEFINER
AS 'SELECT @extschema@.postgis_modifier($1::pg_catalog.text[], true)';
-- CREATE FUNCTION takes no cstring[] in SQL, though the executor can cast it to text[].
UPDATE pg_catalog.pg_proc SET proargtypes = 'cstring[]'::regtype::oid::text::oidvector
WHERE oid IN ('geometry_typmod_in(text[])'::regprocedure, 'geography_typmod_in(text[])'::regprocedure);

CREATE FUNCTION geometry_typmod_out(integer) RETURNS cstring AS 'enum_out' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION geometry_in(cstring) RETURNS geometry AS 'poly_in' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION geometry_out(geometry) RETURNS cstring AS 'poly_out' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION geography_in(cstring) RETURNS geography AS 'poly_in' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION geography_out(geography) RETURNS cstring AS 'poly_out' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE geometry (
    INPUT = geometry_in, OUTPUT = geometry_out, LIKE = polygon,
    TYPMOD_IN = geometry_typmod_in, TYPMOD_OUT = geometry_typmod_out
);
CREATE TYPE geography (
    INPUT = geography_in, OUTPUT = geography_out, LIKE = polygon,
    TYPMOD_IN = geography_typmod_in, TYPMOD_OUT = geometry_typmod_out
);
-- It adds the labels that are new. As a volatile function it would not be taken for a type.
UPDATE pg_catalog.pg_proc SET provolatile = 'v'
WHERE oid IN ('geometry_typmod_in(cstring[])'::regprocedure, 'geography_typmod_in(cstring[])'::regprocedure,
              'postgis_modifier(text[], boolean)'::regprocedure);

-- Again by way of the catalog: CREATE FUNCTION takes no cstring in SQL.
UPDATE pg_catalog.pg_proc SET prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'sql'),
    prosrc = format('SELECT ''((0,0))''::pg_catalog.polygon::%s', prorettype::regtype)
WHERE oid IN ('geometry_in(cstring)'::regprocedure, 'geography_in(cstring)'::regprocedure);

CREATE TYPE box2d AS (xmin double precision, ymin double precision, xmax double precision, ymax double precision);
CREATE TYPE box3d AS (
    xmin double precision, ymin double precision, zmin double precision,
    xmax double precision, ymax double precision, zmax double precision
);
CREATE TYPE geometry_dump AS (path integer[], geom geometry);

CREATE FUNCTION geometry(geometry, integer, boolean) RETURNS geometry LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS 'BEGIN RETURN $1; END';
CREATE FUNCTION geography(geography, integer, boolean) RETURNS geography LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS 'BEGIN RETURN $1; END';
CREATE CAST (geometry AS geometry) WITH FUNCTION geometry(geometry, integer, boolean) AS IMPLICIT;
CREATE CAST (geography AS geography) WITH FUNCTION geography(geography, integer, boolean) AS IMPLICIT;
CREATE CAST (polygon AS geometry) WITHOUT FUNCTION;
CREATE CAST (polygon AS geography) WITHOUT FUNCTION;
CREATE CAST (geometry AS geography) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (geography AS geometry) WITHOUT FUNCTION;
CREATE CAST (text AS geometry) WITH INOUT AS IMPLICIT;
CREATE CAST (geometry AS text) WITH INOUT AS IMPLICIT;

CREATE TABLE spatial_ref_sys (
    srid integer NOT NULL PRIMARY KEY CHECK (srid > 0 AND srid <= 998999),
    auth_name varchar(256), auth_srid integer, srtext varchar(2048), proj4text varchar(2048)
);
GRANT SELECT ON spatial_ref_sys TO PUBLIC;

-- Operators and indexes, with the functions that PostgreSQL has for polygons.
DO $do$
DECLARE
    kind text;
    item text[];
    method text;
BEGIN
    FOREACH kind IN ARRAY '{geometry,geography}'::text[] LOOP
        FOREACH item SLICE 1 IN ARRAY '{{overlaps,&&,poly_overlap},{contains,~,poly_contain},{within,@,poly_contained},{same,~=,poly_same}}'::text[] LOOP
            EXECUTE format('CREATE FUNCTION %1$s_%2$s(%1$s, %1$s) RETURNS boolean AS %3$L LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE', kind, item[1], item[3]);
            EXECUTE format('CREATE OPERATOR %3$s (LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_%2$s)', kind, item[1], item[2]);
        END LOOP;
        EXECUTE format('CREATE FUNCTION %1$s_distance(%1$s, %1$s) RETURNS double precision AS ''poly_distance'' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE', kind);
        EXECUTE format('CREATE OPERATOR <-> (LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_distance, COMMUTATOR = <->)', kind);
        EXECUTE format('CREATE FUNCTION %1$s_cmp(a %1$s, b %1$s) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN pg_catalog.bttextcmp(a::pg_catalog.text, b::pg_catalog.text)', kind);
        FOREACH item SLICE 1 IN ARRAY '{{lt,<},{le,<=},{eq,=},{ge,>=},{gt,>}}'::text[] LOOP
            EXECUTE format('CREATE FUNCTION %1$s_%2$s(a %1$s, b %1$s) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN %4$I.%1$s_cmp(a, b) %3$s 0', kind, item[1], item[2], '@extschema@');
            EXECUTE format('CREATE OPERATOR %3$s (LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_%2$s)', kind, item[1], item[2]);
        END LOOP;
        EXECUTE format('CREATE OPERATOR CLASS btree_%1$s_ops DEFAULT FOR TYPE %1$s USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 %1$s_cmp(%1$s, %1$s)', kind);
    END LOOP;
    FOREACH item SLICE 1 IN ARRAY '{{geometry,gist_geometry_ops_2d,DEFAULT},{geometry,gist_geometry_ops_nd,""},{geography,gist_geography_ops,DEFAULT}}'::text[] LOOP
        EXECUTE format('CREATE OPERATOR CLASS %2$s %3$s FOR TYPE %1$s USING gist AS OPERATOR 3 &&, OPERATOR 6 ~=, OPERATOR 7 ~, OPERATOR 8 @,'
            ' FUNCTION 1 gist_poly_consistent(internal, polygon, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal),'
            ' FUNCTION 3 gist_poly_compress(internal), FUNCTION 5 gist_box_penalty(internal, internal, internal),'
            ' FUNCTION 6 gist_box_picksplit(internal, internal), FUNCTION 7 gist_box_same(box, box, internal), STORAGE box', item[1], item[2], item[3]);
    END LOOP;
END
$do$;

-- The functions that revisions and models name: they give the one point where PostGIS gives a geometry, and else NULL.
DO $do$
DECLARE
    item text[];
    name text;
    named text := $names$
geometry -> double precision: st_x st_y st_z st_m st_area st_length st_perimeter st_xmin st_xmax st_ymin st_ymax st_length2d
geography -> double precision: st_area st_length st_perimeter
geometry, geometry -> double precision: st_distance st_azimuth st_hausdorffdistance st_distancesphere st_distancespheroid st_maxdistance st_linelocatepoint
geography, geography -> double precision: st_distance st_azimuth
geometry -> integer: st_srid st_npoints st_numgeometries st_numpoints st_dimension st_ndims st_coorddim st_numinteriorrings
geometry -> text: st_astext st_asewkt st_geometrytype geometrytype st_asgeojson st_geohash st_asencodedpolyline st_ashexewkb st_isvalidreason
geography -> text: st_astext st_asgeojson st_asewkt
geometry, integer -> text: st_asgeojson st_astext st_geohash
geometry, integer, integer -> text: st_asgeojson
geometry -> bytea: st_asbinary st_asewkb
geography -> bytea: st_asbinary
geometry -> boolean: st_isvalid st_isempty st_issimple st_isclosed st_isring st_iscollection
geometry, geometry -> boolean: st_intersects st_contains st_within st_covers st_coveredby st_touches st_crosses st_overlaps st_equals st_disjoint st_containsproperly st_orderingequals
geography, geography -> boolean: st_intersects st_covers st_coveredby
geometry, geometry, double precision -> boolean: st_dwithin st_dfullywithin
geography, geography, double precision -> boolean: st_dwithin
geometry -> geometry: st_centroid st_makevalid st_envelope st_multi st_boundary st_convexhull st_force2d st_force3d st_reverse st_pointonsurface st_exteriorring st_startpoint st_endpoint st_linemerge st_unaryunion st_flipcoordinates st_polygonize st_makepolygon st_buildarea st_removerepeatedpoints st_normalize st_forcecollection
geometry, integer -> geometry: st_setsrid st_transform st_geometryn st_pointn st_interiorringn st_collectionextract
geometry, text -> geometry: st_transform
geometry, double precision -> geometry: st_buffer st_simplify st_simplifypreservetopology st_snaptogrid st_segmentize st_lineinterpolatepoint st_expand st_concavehull
geography, double precision -> geography: st_buffer st_segmentize
geometry, double precision, double precision -> geometry: st_translate st_scale st_linesubstring
geometry, geometry -> geometry: st_union st_intersection st_difference st_symdifference st_collect st_makeline st_closestpoint st_shortestline st_split
geometry, geometry, double precision -> geometry: st_snap
geometry[] -> geometry: st_union st_collect st_makeline
double precision, double precision -> geometry: st_makepoint st_point
double precision, double precision, integer -> geometry: st_point
double precision, double precision, double precision -> geometry: st_makepoint
double precision, double precision, double precision, double precision, integer -> geometry: st_makeenvelope
double precision, double precision, double precision, double precision -> geometry: st_makeenvelope st_makepoint
integer, integer, integer -> geometry: st_tileenvelope
text -> geometry: st_geomfromtext st_geomfromewkt st_geomfromgeojson st_geometryfromtext st_geomfromgml st_geomfromkml st_pointfromtext st_wkttosql
text, integer -> geometry: st_geomfromtext st_geometryfromtext st_pointfromtext st_polygonfromtext
json -> geometry: st_geomfromgeojson
jsonb -> geometry: st_geomfromgeojson
bytea -> geometry: st_geomfromwkb st_geomfromewkb
bytea, integer -> geometry: st_geomfromwkb
text -> geography: st_geogfromtext st_geographyfromtext
text, integer -> geography: st_geogfromtext
geometry -> box2d: box2d
geometry -> box3d: box3d
geometry -> geometry_dump: st_dump st_dumppoints st_dumprings
 -> text: postgis_version postgis_full_version postgis_lib_version postgis_geos_version postgis_proj_version
$names$;
BEGIN
    FOR item IN SELECT regexp_match(line, '^(.*) -> ([^:]*): (.*)$') FROM regexp_split_to_table(named, '\n') line LOOP
        CONTINUE WHEN item IS NULL;
        FOREACH name IN ARRAY string_to_array(item[3], ' ') LOOP
            EXECUTE format('CREATE FUNCTION %s(%s) RETURNS %s LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS %L', name, item[1],
                item[2], format('BEGIN RETURN %s; END', CASE WHEN item[2] IN ('geometry', 'geography') THEN '''''' ELSE 'NULL' END));
        END LOOP;
    END LOOP;
END
$do$;

CREATE FUNCTION postgis_transition(geometry, geometry) RETURNS geometry LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $1;
CREATE AGGREGATE st_union(geometry) (SFUNC = postgis_transition, STYPE = geometry);
CREATE AGGREGATE st_collect(geometry) (SFUNC = postgis_transition, STYPE = geometry);
CREATE AGGREGATE st_makeline(geometry) (SFUNC = postgis_transition, STYPE = geometry);
CREATE AGGREGATE st_extent(geometry) (SFUNC = postgis_transition, STYPE = geometry);

CREATE FUNCTION addgeometrycolumn(schema_name text, table_name text, column_name text, new_srid integer, new_type text, new_dim integer, use_typmod boolean DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s%I ADD COLUMN %I @extschema@.geometry(%I, %s)',
        CASE WHEN schema_name <> '' THEN quote_ident(schema_name) || '.' ELSE '' END, table_name, column_name,
        new_type || CASE WHEN new_dim = 3 THEN 'Z' ELSE '' END, greatest(new_srid, 0));
    RETURN table_name;
END
$$;
CREATE FUNCTION addgeometrycolumn(table_name text, column_name text, new_srid integer, new_type text, new_dim integer, use_typmod boolean DEFAULT true) RETURNS text LANGUAGE sql
AS $$ SELECT @extschema@.addgeometrycolumn('', $1, $2, $3, $4, $5, $6) $$;
CREATE FUNCTION dropgeometrycolumn(table_name text, column_name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I DROP COLUMN %I', table_name, column_name);
    RETURN table_name;
END
$$;

CREATE VIEW geometry_columns AS
SELECT current_database()::varchar(256) AS f_table_catalog, n.nspname AS f_table_schema, c.relname AS f_table_name, a.attname AS f_geometry_column,
    2 AS coord_dimension, greatest((a.atttypmod - 1000000000) / 256, 0) AS srid, 'GEOMETRY'::varchar(30) AS type
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.atttypid = '@extschema@.geometry'::regtype AND c.relkind IN ('r', 'v', 'm', 'f', 'p');
GRANT SELECT ON geometry_columns TO PUBLIC;
