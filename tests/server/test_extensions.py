"""Extensions: what is stood in for does what the real ones do, and what is missing is named."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from alembic_pgpatterns.server import binaries
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.explain import explain

DIGESTS = ("md5", "sha224", "sha256", "sha384", "sha512")
SAME_AS_REAL = (
    "SELECT uuid_nil(), uuid_ns_dns(), uuid_ns_url(), uuid_ns_oid(), uuid_ns_x500()",
    "SELECT uuid_generate_v3(uuid_ns_url(), 'http://example.com/ünï')",
    *(f"SELECT uuid_generate_v5(uuid_ns_dns(), repeat('x', {n}))" for n in (0, 3, 39, 40, 47, 48, 49, 111, 500)),
    *(f"SELECT digest('ünï', '{kind}'), digest('\\x00ff'::bytea, upper('{kind}'))" for kind in DIGESTS),
    "SELECT digest(NULL::text, 'md5')",
)


@pytest.fixture
def stood_in(database: Any) -> Iterator[psycopg.Connection]:
    with database.connect() as connection:
        connection.execute('CREATE EXTENSION pgcrypto; CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public')
        yield connection


def test_stand_ins_answer_as_the_real_ones(stood_in: psycopg.Connection, old_database: Any) -> None:
    with old_database.connect() as real:
        available = {name for (name,) in real.execute("SELECT name FROM pg_available_extensions")}
        if not {"pgcrypto", "uuid-ossp"} <= available:
            pytest.skip("the older PostgreSQL of this machine comes without contrib")
        real.execute('CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp"')
        for query in SAME_AS_REAL:
            assert stood_in.execute(query).fetchall() == real.execute(query).fetchall(), query
        signatures = """
            SELECT p.proname, p.proargtypes::regtype[]::text, p.prorettype::regtype::text, p.proisstrict, p.provolatile
            FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
            JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = %s AND proname <> 'pgp_armor_headers'"""
        for extension in ("pgcrypto", "uuid-ossp"):
            theirs = set(real.execute(signatures, [extension]).fetchall())
            ours = set(stood_in.execute(signatures, [extension]).fetchall())
            assert theirs == ours


def test_stand_ins_answer_as_python_does(stood_in: psycopg.Connection) -> None:
    for name in ("", "ünï", *("x" * length for length in (39, 40, 47, 48, 55, 56, 500))):
        row = stood_in.execute(
            "SELECT uuid_generate_v3(uuid_ns_url(), %(n)s), uuid_generate_v5(uuid_ns_x500(), %(n)s),"
            " digest(%(n)s, 'sha512'), digest(convert_to(%(n)s, 'UTF8'), 'MD5')",
            {"n": name},
        ).fetchone()
        hashes = hashlib.sha512(name.encode()).digest(), hashlib.md5(name.encode()).digest()
        assert row == (uuid.uuid3(uuid.NAMESPACE_URL, name), uuid.uuid5(uuid.NAMESPACE_X500, name), *hashes)


def test_stand_ins_make_new_values(stood_in: psycopg.Connection) -> None:
    row = stood_in.execute("""
        SELECT uuid_generate_v4() <> uuid_generate_v4(), public.gen_random_uuid() <> public.gen_random_uuid(),
            uuid_extract_version(uuid_generate_v1()), uuid_extract_version(uuid_generate_v1mc()),
            abs(extract(epoch FROM uuid_extract_timestamp(uuid_generate_v1()) - now())) < 5,
            octet_length(gen_random_bytes(1024)), gen_random_bytes(16) <> gen_random_bytes(16)""").fetchone()
    assert row == (True, True, 1, 1, True, 1024, True)


def test_stand_ins_can_be_moved_and_dropped(stood_in: psycopg.Connection) -> None:
    stood_in.execute("""
        CREATE TABLE t (id uuid DEFAULT uuid_generate_v4(), h bytea GENERATED ALWAYS AS (digest('x', 'sha256')) STORED);
        CREATE SCHEMA extensions;
        ALTER EXTENSION "uuid-ossp" SET SCHEMA extensions;
        ALTER EXTENSION pgcrypto SET SCHEMA extensions;
        INSERT INTO t DEFAULT VALUES;
        DROP EXTENSION pgcrypto CASCADE""")
    assert stood_in.execute("SELECT count(*) FROM t WHERE id IS NOT NULL").fetchone() == (1,)


def test_what_is_not_stood_in_for_says_so_when_called(stood_in: psycopg.Connection, server: Any) -> None:
    stood_in.execute("CREATE VIEW v AS SELECT crypt('a', gen_salt('bf')) AS c")
    refused = psycopg.errors.FeatureNotSupported
    with pytest.raises(refused, match=r"stand-in for pgcrypto has no gen_salt\(\)") as caught:
        stood_in.execute("SELECT * FROM v")
    assert "--server URL" in (explain(caught.value, server) or "")
    with pytest.raises(refused, match="no digest 'sha1'"):
        stood_in.execute("SELECT digest('a', 'sha1')")


def test_uuidv7(database: Any) -> None:
    with database.connect() as connection:
        connection.execute("CREATE EXTENSION pg_uuidv7")
        made = "SELECT uuid_extract_version(u), uuid_v7_to_timestamptz(u) < now() + '1h'::interval"
        made += " FROM uuid_generate_v7() u"
        assert connection.execute(made).fetchone() == (7, True)


def test_types_of_postgis_keep_their_modifiers_in_every_database(database: Any) -> None:
    columns = (
        "a geometry, b geometry(POINT,4326), c geometry(MultiPolygonZ), d geography(point), e geometry(geometry,900913)"
    )
    with database.connect() as connection:
        connection.execute(
            f"CREATE EXTENSION postgis; CREATE TABLE t ({columns}); CREATE TABLE u (b geometry(Point,4326))"
        )
        shown = """
            SELECT attname, format_type(atttypid, atttypmod), atttypmod FROM pg_attribute
            WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"""
        rows = connection.execute(shown, ["t"]).fetchall()
        assert [kind for _, kind, _ in rows] == [
            "geometry",
            "geometry(Point,4326)",
            "geometry(MultiPolygonZ)",
            "geography(Point,4326)",
            "geometry(Geometry,900913)",
        ]
        assert connection.execute(shown, ["u"]).fetchall() == [rows[1]], "one type, however it is written"
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="Invalid geometry type modifier: pont"):
            connection.execute("CREATE TABLE w (a geometry(pont, 4326))")


def test_statements_about_postgis_run_and_do_nothing(database: Any) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE SCHEMA gis;
            CREATE EXTENSION postgis SCHEMA gis;
            SET search_path = public, gis;
            CREATE TABLE place (id bigint, spot geometry(Point,4326) NOT NULL, area geography, CHECK (ST_IsValid(spot)),
                x float8 GENERATED ALWAYS AS (ST_X(spot)) STORED);
            CREATE INDEX ON place USING gist (spot);
            CREATE INDEX ON place USING gist (ST_Transform(spot, 3857)) WHERE ST_Area(area) > 1""")
        connection.execute("INSERT INTO place VALUES (1, 'SRID=4326;POINT(1 2)', ST_GeogFromText('POINT(1 2)'))")
        connection.execute("UPDATE place SET spot = ST_SetSRID(ST_MakePoint(1, 2.5), 4326)")
        connection.execute("ALTER TABLE place ALTER area TYPE geometry(Geometry,4326) USING ST_Multi(area::geometry)")
        assert connection.execute("SELECT AddGeometryColumn('place', 'g', 4326, 'POINT', 2)").fetchone() == ("place",)
        query = "SELECT count(*) FROM place WHERE spot && area AND x IS NULL"
        assert connection.execute(query).fetchone() == (1,)


def test_hypertables_jobs_and_partitions_are_taken(database: Any) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE EXTENSION timescaledb CASCADE; CREATE EXTENSION pg_cron; CREATE EXTENSION pgaudit;
            CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman;
            CREATE TABLE m (at timestamptz NOT NULL, v int); CREATE TABLE n (at timestamptz NOT NULL)""")
        for call in (
            "create_hypertable('m', 'at', if_not_exists => TRUE, chunk_time_interval => INTERVAL '1 day')",
            "create_hypertable('n', by_range('at', INTERVAL '7 days'))",
            "add_retention_policy('m', INTERVAL '90 days')",
            "add_compression_policy('m', compress_after => INTERVAL '7 days', if_not_exists => true)",
            "time_bucket('1 hour', now())",
            "partman.create_parent('public.m', 'at', '1 day', p_premake := 3)",
            "cron.schedule('clear', '0 3 * * *', 'DELETE FROM m')",
            "cron.unschedule('clear')",
        ):
            connection.execute(f"SELECT {call}")
        index = connection.execute("SELECT pg_get_indexdef('m_at_idx'::regclass)").fetchone()
        assert index == ("CREATE INDEX m_at_idx ON public.m USING btree (at DESC)",)


def test_another_postgresql_is_named_if_it_has_the_extension(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect() as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute('CREATE EXTENSION "no-such.thing"')
    for name in ("with", "without"):
        for program in ("postgres", "initdb"):
            place = tmp_path / name / "bin" / program
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 16.1'\n")
            place.chmod(0o755)
        (tmp_path / name / "share" / "extension").mkdir(parents=True)
    (tmp_path / "with" / "share" / "extension" / "no-such.thing.control").touch()
    source = database.server.source
    ours, having, lacking = (
        (find_binaries().directory, source),
        *((tmp_path / n / "bin", n) for n in ("with", "without")),
    )
    said = []
    for places in ([ours], [ours, (tmp_path, "broken")], [ours, lacking], [lacking, having]):
        monkeypatch.setattr(binaries, "_candidates", lambda places=places: iter(places))
        said.append(explain(caught.value, database.server) or "")
    wanted = f'try the setting postgres = "{having[0]}" first'
    assert [wanted in text for text in said] == [False, False, False, True]
    assert "This machine" not in "".join(said[:3])


def test_the_embedded_server_has_what_projects_ask_for(database: Any) -> None:
    with database.connect() as connection:
        for name in ("citext", "hstore", "pg_trgm", "btree_gin", "unaccent", "ltree", "intarray", "vector"):
            connection.execute(f"CREATE EXTENSION {name}")


def test_missing_things_are_named_with_the_way_out(any_database: Any) -> None:
    said = []
    statements = ('CREATE EXTENSION "no-such.thing"', "CREATE TABLE t (); ALTER TABLE t OWNER TO Nobody_Here", "SELEC")
    for statement in statements:
        with any_database.connect() as connection, pytest.raises(psycopg.Error) as caught:
            connection.execute(statement)
        wrapped = RuntimeError("a revision failed")
        wrapped.__cause__ = caught.value
        said.append(explain(wrapped, any_database.server))
    extension, role, syntax = said
    assert extension and "'no-such.thing'" in extension and "--server URL" in extension
    assert role and 'roles = ["nobody_here"]' in role
    assert syntax is None
