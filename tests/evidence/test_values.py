"""What the source does with loaded values that another type of the column would break."""

from __future__ import annotations

import ast
import textwrap

import pytest

from alembic_pgpatterns.evidence.values import naive_uses, text_uses


def read(function: object, code: str) -> dict[str, int]:
    source = textwrap.dedent(code)
    return function(source, ast.parse(source))  # type: ignore[operator,no-any-return]


@pytest.mark.parametrize(
    "line",
    [
        "return session.expires_at < datetime.utcnow()",
        "return datetime.now() > session.expires_at",
        "return dt.datetime.utcnow() - session.expires_at",
        "return session.expires_at + span < datetime.utcnow().replace(microsecond=0)",
        "return session.expires_at <= datetime.now() - timedelta(days=3)",
        "return query.filter(Session.expires_at < datetime.utcnow())",
        "now = datetime.utcnow()\n    return now - timedelta(days=1) > session.expires_at",
        "cut = datetime.utcnow() - timedelta(days=1)\n    return session.expires_at < cut",
    ],
)
def test_beside_a_time_without_a_zone(line: str) -> None:
    assert set(read(naive_uses, f"def f(session):\n    {line}")) == {"expires_at"}


@pytest.mark.parametrize(
    "line",
    [
        "return session.expires_at < datetime.now(timezone.utc)",
        "return session.expires_at < datetime.utcnow().replace(tzinfo=timezone.utc)",
        "return session.expires_at < clock.now()",
        "return session.expires_at < other.utcnow_at",
        "session.expires_at = datetime.utcnow()",
        "now = datetime.utcnow()\n    now = aware()\n    return session.expires_at < now",
        "return session.expires_at.replace(tzinfo=UTC) < datetime.utcnow()",
    ],
)
def test_beside_another_time(line: str) -> None:
    assert read(naive_uses, f"def f(session):\n    {line}\n# datetime.utcnow .now()") == {}


@pytest.mark.parametrize("line", ["row.token[:8]", "'x-' + row.token", "row.token.startswith(a)", "f'{a}' + row.token"])
def test_what_only_a_text_can_do(line: str) -> None:
    assert read(text_uses, f"x = {line}") == {"token": 1}


@pytest.mark.parametrize(
    "line", ["row.token == a", "row.token[0]", "str(row.token)[:8]", "f'{row.token}'", "row.token.hex"]
)
def test_what_a_uuid_can_do_or_its_text(line: str) -> None:
    assert read(text_uses, f"x = {line}") == {}
