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


def test_another_postgresql_of_this_machine_is_named(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = find_binaries().directory
    with database.connect() as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute('CREATE EXTENSION "no-such.thing"')
    source = database.server.source
    said = []
    for places in ([(folder, source)], [(folder, source), (tmp_path, "broken")], [(tmp_path, "broken"), (folder, "b")]):
        monkeypatch.setattr(binaries, "_candidates", lambda places=places: iter(places))
        said.append(explain(caught.value, database.server) or "")
    assert [f'try the setting postgres = "{folder}" first' in text for text in said] == [False, False, True]
