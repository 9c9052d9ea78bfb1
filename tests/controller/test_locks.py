"""What statements lock, scan, rewrite and build, as PostgreSQL itself does it: the table that patterns rest on."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.revisions.commands import parse
from alembic_pgpatterns.revisions.model import Statement, stronger
from tests import projects
from tests.tracing import trace

EXISTING = """
    CREATE EXTENSION btree_gist;
    CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TABLE parent (id bigint PRIMARY KEY, name text);
    CREATE TABLE t (
        id bigint PRIMARY KEY, parent_id bigint, kept_id bigint REFERENCES parent,
        n integer, title varchar(50), body text, price numeric(10,2), at timestamp, precise timestamp(3), code char(5),
        checked varchar(50) CHECK (checked <> ''), partly varchar(50), folded varchar(50), sure integer, unsure integer,
        mood mood);
    CREATE INDEX t_title ON t (title);
    CREATE INDEX t_partly ON t (id) WHERE partly IS NOT NULL;
    CREATE INDEX t_folded ON t (lower(folded));
    CREATE UNIQUE INDEX t_unique ON t (n);
    ALTER TABLE t ADD CONSTRAINT sure_there CHECK (sure IS NOT NULL);
    ALTER TABLE t ADD CONSTRAINT unsure_there CHECK (unsure IS NOT NULL) NOT VALID;
    ALTER TABLE t ADD CONSTRAINT pending CHECK (n > 0) NOT VALID;
    ALTER TABLE t ADD CONSTRAINT pending_key FOREIGN KEY (parent_id) REFERENCES parent NOT VALID;
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER noted AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION noted();
    CREATE MATERIALIZED VIEW m AS SELECT id FROM parent;
    CREATE UNIQUE INDEX m_id ON m (id);
    CREATE TABLE whole (id bigint, at date) PARTITION BY RANGE (at);
    CREATE TABLE part PARTITION OF whole FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE rest PARTITION OF whole DEFAULT;
    CREATE TABLE loose (id bigint, at date);
    CREATE TABLE proven (id bigint, at date,
        CHECK (at IS NOT NULL AND at >= DATE '2027-01-01' AND at < DATE '2028-01-01'));
"""
AEL, SRE, SHARE, SUE = "ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE", "SHARE UPDATE EXCLUSIVE"
T, P = "public.t", "public.parent"

TABLE = [
    # statement, the strongest lock on each table, work
    ("CREATE INDEX ON t (body)", {T: SHARE}, {"build t"}),
    ("CREATE UNIQUE INDEX ON t (body)", {T: SHARE}, {"build t"}),
    ("CREATE INDEX ON whole (at)", {"public.whole": SHARE}, {"build whole"}),
    ("CREATE INDEX ON ONLY whole (at)", {"public.whole": SHARE}, set()),
    ("DROP INDEX t_title", {T: AEL}, set()),
    ("REINDEX TABLE t", {T: SHARE}, {"build t"}),
    ("REINDEX INDEX t_title", {T: SHARE}, {"build t"}),
    ("ALTER TABLE t ADD FOREIGN KEY (parent_id) REFERENCES parent", {T: SRE, P: SRE}, {"foreign key t"}),
    ("ALTER TABLE t ADD FOREIGN KEY (parent_id) REFERENCES parent NOT VALID", {T: SRE, P: SRE}, set()),
    ("ALTER TABLE t VALIDATE CONSTRAINT pending_key", {T: SUE, P: "ROW SHARE"}, {"foreign key t"}),
    ("ALTER TABLE t ADD COLUMN c bigint REFERENCES parent", {T: AEL, P: SRE}, set()),
    ("ALTER TABLE t DROP CONSTRAINT t_kept_id_fkey", {T: AEL, P: AEL}, set()),
    ("DROP TABLE t", {T: AEL, P: AEL}, set()),
    ("DROP TABLE loose", {"public.loose": AEL}, set()),
    ("ALTER TABLE t ADD CHECK (n > 0)", {T: AEL}, {"scan t"}),
    ("ALTER TABLE t ADD CHECK (n > 0) NOT VALID", {T: AEL}, set()),
    ("ALTER TABLE t VALIDATE CONSTRAINT pending", {T: SUE}, {"scan t"}),
    ("ALTER TABLE t DROP CONSTRAINT pending", {T: AEL}, set()),
    ("ALTER TABLE t ADD UNIQUE (body)", {T: AEL}, {"build t"}),
    ("ALTER TABLE t ADD UNIQUE USING INDEX t_unique", {T: AEL}, set()),
    ("ALTER TABLE loose ADD PRIMARY KEY (id)", {"public.loose": AEL}, {"build loose", "scan loose"}),
    ("ALTER TABLE t ADD EXCLUDE USING gist (n WITH =)", {T: AEL}, {"build t"}),
    ("ALTER TABLE t ADD COLUMN c text", {T: AEL}, set()),
    ("ALTER TABLE t ADD COLUMN c text NOT NULL DEFAULT 'x'", {T: AEL}, set()),
    ("ALTER TABLE t ADD COLUMN c timestamptz DEFAULT now()", {T: AEL}, set()),
    ("ALTER TABLE t ADD COLUMN c timestamptz DEFAULT clock_timestamp()", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid()", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ADD COLUMN c integer CHECK (c > 0)", {T: AEL}, {"scan t"}),
    ("ALTER TABLE t ADD COLUMN c positive", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ADD COLUMN c serial", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ADD COLUMN c bigint GENERATED ALWAYS AS IDENTITY", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ADD COLUMN c bigint GENERATED ALWAYS AS (n * 2) STORED", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t DROP COLUMN body", {T: AEL}, set()),
    ("ALTER TABLE t RENAME COLUMN body TO text", {T: AEL}, set()),
    ("ALTER TABLE t RENAME TO u", {T: AEL}, set()),
    ("ALTER TABLE t ALTER body SET NOT NULL", {T: AEL}, {"scan t"}),
    ("ALTER TABLE t ALTER sure SET NOT NULL", {T: AEL}, set()),
    ("ALTER TABLE t ALTER unsure SET NOT NULL", {T: AEL}, {"scan t"}),
    ("ALTER TABLE t ALTER body DROP NOT NULL", {T: AEL}, set()),
    ("ALTER TABLE t ALTER n SET DEFAULT 1", {T: AEL}, set()),
    ("ALTER TABLE t ALTER title TYPE varchar(100)", {T: AEL}, set()),
    ("ALTER TABLE t ALTER title TYPE text", {T: AEL}, set()),
    ("ALTER TABLE t ALTER body TYPE varchar", {T: AEL}, set()),
    ("ALTER TABLE t ALTER title TYPE varchar(20)", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ALTER n TYPE bigint", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ALTER price TYPE numeric(12,2)", {T: AEL}, set()),
    ("ALTER TABLE t ALTER price TYPE numeric", {T: AEL}, set()),
    ("ALTER TABLE t ALTER price TYPE numeric(12,3)", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ALTER precise TYPE timestamp(6)", {T: AEL}, set()),
    ("ALTER TABLE t ALTER at TYPE timestamptz", {T: AEL}, set()),
    ("SET LOCAL timezone = 'Europe/Berlin'; ALTER TABLE t ALTER COLUMN at TYPE timestamptz", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ALTER code TYPE text", {T: AEL}, {"rewrite t"}),
    ("ALTER TABLE t ALTER checked TYPE text", {T: AEL}, {"scan t"}),
    ("ALTER TABLE t ALTER partly TYPE text", {T: AEL}, {"build t"}),
    ("ALTER TABLE t ALTER folded TYPE text", {T: AEL}, {"build t"}),
    ("ALTER TYPE mood ADD VALUE 'calm'", {}, set()),
    ("CREATE TRIGGER more AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION noted()", {T: SRE}, set()),
    ("ALTER TABLE t DISABLE TRIGGER noted", {T: SRE}, set()),
    ("DROP TRIGGER noted ON t", {T: AEL}, set()),
    ("CREATE POLICY own ON t USING (true)", {T: AEL}, set()),
    ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", {T: AEL}, set()),
    ("ALTER TABLE t OWNER TO CURRENT_USER", {T: AEL}, set()),
    ("ALTER TABLE t REPLICA IDENTITY FULL", {T: AEL}, set()),
    ("ALTER TABLE whole ATTACH PARTITION proven FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
     {"public.whole": AEL, "public.proven": AEL}, {"scan whole"}),
    ("CREATE TABLE p2 PARTITION OF whole FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
     {"public.whole": AEL}, set()),  # PostgreSQL reads the default partition, and no log says so
    ("ALTER TABLE whole DETACH PARTITION part", {"public.whole": AEL}, set()),
    ("ALTER TABLE loose SET UNLOGGED", {"public.loose": AEL}, {"rewrite loose"}),
    ("CLUSTER t USING t_pkey", {T: AEL}, {"rewrite t"}),
    ("REFRESH MATERIALIZED VIEW m", {"public.m": AEL}, {"rewrite m"}),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", {"public.m": "EXCLUSIVE"}, None),
    ("COMMENT ON TABLE t IS 'x'", {T: SUE}, set()),
    ("COMMENT ON COLUMN t.n IS 'x'", {T: SUE}, set()),
    ("ALTER TABLE t ALTER n SET STATISTICS 500", {T: SUE}, set()),
    ("ALTER TABLE t SET (fillfactor = 80)", {T: SUE}, set()),
    ("ALTER TABLE t ALTER body SET STORAGE EXTERNAL", {T: AEL}, set()),
    ("TRUNCATE t", {T: AEL}, set()),
    ("LOCK TABLE t IN SHARE MODE", {T: SHARE}, set()),
    ("UPDATE t SET n = 1", {T: "ROW EXCLUSIVE"}, set()),
    ("DELETE FROM loose", {"public.loose": "ROW EXCLUSIVE"}, set()),
    ("INSERT INTO loose SELECT id FROM parent", {"public.loose": "ROW EXCLUSIVE", P: "ACCESS SHARE"}, set()),
    ("ANALYZE t", {T: SUE}, set()),
    ("CREATE VIEW v AS SELECT id FROM t", {T: "ACCESS SHARE"}, set()),
    ("CREATE STATISTICS s ON n, title FROM t", {T: SUE}, set()),
    ("GRANT SELECT ON t TO PUBLIC", {}, set()),
]  # fmt: skip
ALONE = [
    ("CREATE INDEX CONCURRENTLY ON t (body)", {T: SUE}, {"build t"}),
    ("DROP INDEX CONCURRENTLY t_title", {T: SUE}, set()),
    ("REINDEX TABLE CONCURRENTLY t", {T: SUE}, {"build t"}),
    ("VACUUM t", {T: SUE}, set()),
    ("VACUUM FULL t", {T: AEL}, {"rewrite t"}),
    ("TRUNCATE t", {T: AEL}, set()),
    ("ALTER TABLE t ADD COLUMN c text", {T: AEL}, set()),
    ("ALTER TABLE t VALIDATE CONSTRAINT pending", {T: SUE}, {"scan t"}),
]


def test_the_table_is_long_enough() -> None:
    assert len({statement for statement, *_ in TABLE + ALONE}) >= 60


UPGRADE = """
for statement in {statements!r}:
    op.execute("SAVEPOINT before")
    op.get_bind().exec_driver_sql(statement)
    op.execute("ROLLBACK TO SAVEPOINT before")
with op.get_context().autocommit_block():
    for statement in {alone!r}:
        op.execute(statement)
"""


def run(folder, server) -> dict[str, Statement]:
    """All statements in one revision, each from the same start; by their text."""
    project = projects.make(folder)
    project.sql("r0", EXISTING)
    statements, alone = [text for text, *_ in TABLE], [text for text, *_ in ALONE]
    project.revision("r1", UPGRADE.format(statements=statements, alone=alone), "r0", "raise NotImplementedError")
    traced = trace(project, server, ["r1"])
    assert traced.skipped == ()
    found: dict[tuple[str, bool], Statement] = {}
    for statement in traced.runs[0].statements:
        found[statement.sql, statement.transactional] = statement
    return found


@pytest.fixture(scope="module")
def facts(request, traced_server, old_traced_server, tmp_path_factory):
    servers = {"18": traced_server, "old": old_traced_server}
    return {name: run(tmp_path_factory.mktemp(name), server) for name, server in servers.items()}


@pytest.mark.sample(5)
@pytest.mark.parametrize("version", ["18", "old"])
@pytest.mark.parametrize(
    ("text", "locks", "work", "transactional"),
    [(*row, True) for row in TABLE] + [(*row, False) for row in ALONE],
    ids=[row[0] for row in TABLE] + [f"alone: {row[0]}" for row in ALONE],
)
def test_what_a_statement_does(facts, version, text, locks, work, transactional) -> None:
    statement = facts[version][parse(text)[-1].text, transactional]
    strongest: dict[str, str] = {}
    for lock in statement.locks:
        strongest[str(lock.root)] = stronger(strongest.get(str(lock.root), lock.mode), lock.mode)
    assert {name: mode for name, mode in strongest.items() if name in locks} == locks
    unexpected = {name for name, mode in strongest.items() if name not in locks and mode != "ACCESS SHARE"}
    assert unexpected == set()
    if work is not None:
        done = {f"{item.kind} {item.root.name}" for item in statement.work}
        # A table that is written anew has its indexes built and its rows verified on the way.
        rewritten = {item.removeprefix("rewrite ") for item in done if item.startswith("rewrite ")}
        assert {item for item in done if item.startswith("rewrite ") or item.split()[-1] not in rewritten} == work
