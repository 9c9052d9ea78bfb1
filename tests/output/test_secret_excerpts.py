"""PostgreSQL quotes 60 characters of a statement in its errors: wherever they begin, no secret is shown."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from alembic_pgpatterns.output.secrets import without_passwords, without_secrets
from alembic_pgpatterns.runner.failures import failure_of
from alembic_pgpatterns.server.throwaway import ThrowawayServer

SECRET = "Zqwi9vXk7Lm"
STATEMENTS = (
    f"INSERT INTO nosuch (name, password) VALUES ('bob', '{SECRET}'), ('o''hara', '{SECRET}x'), ('', '{SECRET}')",
    f"INSERT INTO nosuch (title, api_token, x) VALUES ($q$bob$q$, $q${SECRET}$q$, 1) ON CONFLICT (title) DO NOTHING",
    f"INSERT INTO nosuch (title, pwd) SELECT 'bob', '{SECRET}' FROM other UNION SELECT 'bob', '{SECRET}'",
    f"UPDATE nosuch SET title = 'bob', password = E'{SECRET}', note = 'bob' WHERE id = 1",
    f"ALTER ROLE nosuch PASSWORD '{SECRET}' VALID UNTIL 'bob'",
    f"INSERT INTO passwords\n  VALUES (1, '{SECRET}'),\n  (2, '{SECRET}')",
)


def shows(text: str) -> bool:
    return any(SECRET[begin : begin + 3] in text for begin in range(len(SECRET) - 2))


def excerpts(statement: str) -> list[str]:
    """The error for each place of a statement, as libpq writes it (fe-protocol3.c, reportErrorPosition)."""
    result = []
    for number, line in enumerate(statement.split("\n"), 1):
        for begin in range(0, max(1, len(line) - 20), 5):
            end = begin + 34
            shown = f"{'...' * (begin > 0)}{line[begin:end]}{'...' * (end < len(line))}"
            result.append(f"it does not exist\nLINE {number}: {shown}\n              ^")
    return result


@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
def test_wherever_the_excerpt_begins(statement: str) -> None:
    for error in excerpts(statement):
        whole = f"{error}\n[SQL: {statement}]"
        for text in (whole, f"It failed: {whole!r} (a.py:3)"):
            hidden = without_secrets(text)
            assert not shows(hidden), text
        assert not shows(without_passwords(whole))
        # The harmless values of the statement stay, however the excerpt cuts it.
        if "'bob'" in statement and "UNION" not in statement:
            assert without_secrets(whole).count("bob") >= statement.count("bob"), error


@pytest.mark.parametrize("statement", STATEMENTS[:3], ids=range(3))
def test_an_excerpt_without_its_statement(statement: str) -> None:
    for error in excerpts(statement):
        assert not shows(without_secrets(error)), error
        assert not shows(without_passwords(error)), error


def test_a_statement_that_is_cut_in_the_middle() -> None:
    for length in range(1, 4):
        rows = ", ".join(f"('{'b' * length}', '{SECRET}')" for _ in range(2000))
        assert not shows(without_secrets(f"it failed\n[SQL: INSERT INTO nosuch (name, password) VALUES {rows}]"))


def test_the_servers_own_errors(server: ThrowawayServer) -> None:
    engine = sa.create_engine(server.url("postgres"), poolclass=sa.NullPool)
    for statement in (*STATEMENTS, f"DO $$ BEGIN {STATEMENTS[0]}; END $$"):
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as raised:
            connection.exec_driver_sql(statement)
        failure = failure_of(raised.value, "/nosuch")
        assert not shows("\n".join([failure.message, *failure.texts])), failure
        if "LINE 1: INSERT INTO nosuch (name" in failure.message:
            assert 'relation "nosuch"' in failure.message
            assert "bob" in failure.message.partition("Statement:")[0]


def test_what_follows_a_statement_is_no_part_of_it() -> None:
    text = f"it failed\nStatement: {STATEMENTS[2]}\nNo revision created 'nosuch'. The history does not start from it"
    assert without_secrets(without_secrets(text)).endswith(
        "\nNo revision created 'nosuch'. The history does not start from it"
    )
