"""What a statement is, decided by PostgreSQL's parser: words in comments, strings and names decide nothing."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.revisions.commands import Command, SettingChange, parse
from alembic_pgpatterns.revisions.session import Session, milliseconds


def kinds(text: str) -> list[str]:
    return [command.kind for command in parse(text)]


@pytest.mark.parametrize(
    "text",
    [
        "COMMENT ON TABLE book IS 'see CREATE ROLE reader'",
        "SELECT 1 -- CREATE ROLE reader",
        "/* DROP USER x */ ALTER TABLE book ADD COLUMN drop_role text",
        "INSERT INTO book (title) VALUES ('DROP ROLE reader')",
        'CREATE TABLE "CREATE ROLE x" (id int)',
        "CREATE USER MAPPING FOR reader SERVER other",
        "GRANT reader TO writer",
        "DO $$ BEGIN RAISE NOTICE 'CREATE ROLE reader'; END $$",
    ],
)
def test_words_are_no_statement(text: str) -> None:
    assert not [command for found in parse(text) for command in found.all() if "role" in command.kind]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE ROLE reader",
        "create user reader",
        "CREATE GROUP readers",
        "DROP ROLE IF EXISTS reader",
        "/* */ CREATE -- a comment\n ROLE reader",
        "DO $$ BEGIN CREATE ROLE reader; END $$",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles) THEN EXECUTE 'CREATE ROLE reader'; END IF; END $$",
        "DO $$ BEGIN EXECUTE format('CREATE ROLE %I PASSWORD %L', 'a', 'b'); END $$",
        "DO $$ BEGIN EXECUTE 'DROP ROLE ' || quote_ident('reader'); EXCEPTION WHEN OTHERS THEN NULL; END $$",
    ],
)
def test_roles_wherever_they_are_made(text: str) -> None:
    assert {"create role", "drop role"} & {command.kind for found in parse(text) for command in found.all()}


def test_transactions() -> None:
    text = 'START TRANSACTION; SAVEPOINT "a b"; ROLLBACK TO "a b"; RELEASE "a b"; END; ABORT; COMMIT AND CHAIN'
    assert kinds(text) == ["begin", "savepoint", "rollback to", "release", "commit", "rollback", "commit"]
    assert [command.name for command in parse(text)][1:4] == ["a b"] * 3
    assert parse(text)[-1].options == {"chain"}


@pytest.mark.parametrize(
    ("text", "assigned"),
    [
        ("UPDATE t SET a = 1, b = DEFAULT", (("a", "1"), ("b", "DEFAULT"))),
        ("UPDATE t SET (a, b) = (SELECT 1, 2)", ()),
        ("UPDATE t SET (a, b) = ROW (1, 2), c = 3", ()),
        ("UPDATE t SET a[1] = 1", ()),
        ("UPDATE t SET a = s.a FROM s", ()),
    ],
)
def test_what_an_update_assigns(text: str, assigned: tuple[tuple[str, str], ...]) -> None:
    (command,) = parse(text)
    assert command.kind == "update"
    assert command.assigned == assigned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET lock_timeout = '2s'", SettingChange("lock_timeout", "2s")),
        ("SET LOCAL lock_timeout TO 500", SettingChange("lock_timeout", "500", local=True)),
        ("SET SESSION Lock_Timeout = 1.5", SettingChange("lock_timeout", "1.5")),
        ("RESET lock_timeout", SettingChange("lock_timeout", None)),
        ("SET lock_timeout TO DEFAULT", SettingChange("lock_timeout", None)),
        ("RESET ALL", SettingChange("", None)),
        ("DISCARD ALL", SettingChange("", None)),
        ("SELECT set_config('lock_timeout', '2s', true)", SettingChange("lock_timeout", "2s", local=True)),
        ("SELECT pg_catalog.set_config('lock_timeout', '2s', false)", SettingChange("lock_timeout", "2s")),
        ("DO $$ BEGIN PERFORM set_config('lock_timeout', '2s', false); END $$", SettingChange("lock_timeout", "2s")),
    ],
)
def test_settings(text: str, expected: SettingChange) -> None:
    (command,) = parse(text)
    assert command.settings == (expected,)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT set_config('lock_timeout', current_setting('x'), true)",
        "SELECT set_config(name, '2s', true) FROM pg_settings",
        "DO $$ DECLARE before text := current_setting('lock_timeout'); BEGIN "
        "PERFORM set_config('lock_timeout', before, true); END $$",
    ],
)
def test_what_is_computed_says_nothing_of_a_setting(text: str) -> None:
    (command,) = parse(text)
    assert command.settings == ()


@pytest.mark.parametrize(
    "text",
    [
        "ALTER ROLE web SET lock_timeout = '2s'",
        "ALTER DATABASE app SET lock_timeout = '2s'",
        "COMMENT ON TABLE book IS 'SET lock_timeout = 2'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET lock_timeout = '2s' AS 'SELECT 1'",
    ],
)
def test_what_sets_nothing_for_this_session(text: str) -> None:
    assert [change for command in parse(text) for change in command.settings] == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5s", 5000),
        ("250", 250),
        ("2 min", 120_000),
        ("0", 0),
        ("1500us", 2),
        ("1d", 86_400_000),
        ("x", None),
        (None, None),
    ],
)
def test_durations(value: str | None, expected: int | None) -> None:
    assert milliseconds(value) == expected


def test_a_local_setting_ends_with_its_transaction() -> None:
    session, numbers = Session(), iter(range(99))

    def run(text: str) -> int | None:
        (command,) = parse(text)
        if isinstance(command, Command) and not command.settings:
            session.transaction_command(command, lambda: next(numbers), {})
        session.set(command.settings, ())
        return session.timeouts.get("lock_timeout")

    texts = ["SET lock_timeout = '1s'", "BEGIN", "SET LOCAL lock_timeout = '2s'", "COMMIT", "RESET lock_timeout"]
    assert list(map(run, texts)) == [1000, 1000, 2000, 1000, None]
