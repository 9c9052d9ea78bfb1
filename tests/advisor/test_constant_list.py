"""A list of states that stands in the application's source is the condition of a partial index."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.workload.model import Workload
from tests.advised import advise, keys_of
from tests.recorded import recorded

TABLES = """
CREATE TABLE ticket (id bigint PRIMARY KEY, agent_id bigint, status text NOT NULL DEFAULT 'new', due_at timestamptz);
"""
SOURCE = """
OPEN = ("new", "open")
def breached(session): return session.scalars(select(Ticket).where(Ticket.status.in_(OPEN)).order_by(Ticket.due_at))
def listed(session, states): return session.scalars(select(Ticket).where(Ticket.status.in_(states)))
"""
STATEMENT = "SELECT * FROM ticket WHERE status IN ($1, $2) AND due_at < $3 ORDER BY due_at LIMIT $4"


def workload(text: str, values: tuple[object, ...], line: int) -> Workload:
    (statement,) = recorded(text).statements
    usages = tuple(replace(item, site=replace(item.site, line=line)) for item in statement.usages if item.site)
    return Workload((replace(statement, values=(values,), usages=usages),))


@pytest.fixture(autouse=True)
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)


def test_the_list_is_the_condition(server: Any) -> None:
    sent = workload(STATEMENT, ("new", "open", "2026-01-01", 100), 3)
    assert keys_of(advise(server, TABLES, sent), "ticket") == ["(due_at) WHERE status IN ('new', 'open')"]


def test_an_array_is_a_list(server: Any) -> None:
    text = STATEMENT.replace("IN ($1, $2)", "= ANY ($1)").replace("$3", "$2").replace("$4", "$3")
    sent = workload(text, (["new", "open"], "2026-01-01", 100), 3)
    assert keys_of(advise(server, TABLES, sent), "ticket") == ["(due_at) WHERE status IN ('new', 'open')"]


def test_what_the_caller_chooses_is_a_key(server: Any) -> None:
    sent = workload(STATEMENT, ("new", "open", "2026-01-01", 100), 4)
    (keys,) = keys_of(advise(server, TABLES, sent), "ticket")
    assert keys in ("(due_at)", "(due_at, status)")
