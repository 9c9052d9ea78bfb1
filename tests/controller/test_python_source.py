"""What is read from the source of a revision or module, without running it."""

from __future__ import annotations

import textwrap

import pytest

from alembic_pgpatterns.runner.python_source import ALL_VARIABLES, read_source, with_packages


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ('import os\nx = os.environ["A"]', {"A"}),
        ('from os import environ\nx = environ.get("A", "b")', {"A"}),
        ('import os\nx = os.getenv(\n    "A",\n    default="b",\n)', {"A"}),
        ('# os.environ["A"]\ntext = """os.environ["B"]"""', set()),
        ("import os\nx = {**os.environ}", {ALL_VARIABLES}),
        ("import os\nx = os.environ[name]", {ALL_VARIABLES}),
        ('from os import environ as e\nx = e["A"]', {ALL_VARIABLES}),
        ("from pydantic_settings import BaseSettings", {ALL_VARIABLES}),
        ("import dotenv", {ALL_VARIABLES}),
        ("from dotenv import load_dotenv as load\nload()", {ALL_VARIABLES}),
        ("no Python at all", {ALL_VARIABLES}),
    ],
)
def test_variables(text: str, variables: set[str]) -> None:
    assert read_source(text).variables == variables


@pytest.mark.parametrize(
    ("text", "imports"),
    [
        ("import a.b, c as d", ["a", "a.b", "c"]),
        ("from a.b import (\n    c,  # a comment, with a comma\n    d as e,\n)", ["a", "a.b", "a.b.c", "a.b.d"]),
        ("from . import x\nfrom .y import z", ["p", "p.q", "p.q.x", "p.q.y", "p.q.y.z"]),
        ("from .. import x", ["p", "p.x"]),
        ("def f():\n    from a import b; import c", ["a", "a.b", "c"]),
        ('import importlib\nimportlib.import_module("a.b")', ["a", "a.b", "importlib"]),
        ('text = "import a"\n# import b', []),
        ("from a \\\n    import b", ["a", "a.b"]),
    ],
)
def test_imports(text: str, imports: list[str]) -> None:
    source = read_source(text)
    assert sorted({part for name in source.imports for part in with_packages(name, "p.q")}) == imports


def test_words() -> None:
    source = read_source(
        textwrap.dedent(
            """
            from sqlalchemy import event, Table
            event.listen(x, "y", z)
            users = Table("users", metadata)
            when = datetime.utcnow
            op.execute("SELECT Current_Date")
            """
        )
    )
    assert source.uses_clock and "Table" in source.called and "event.listen" in source.pairs
    assert source.mentions("current_date") and not source.mentions("date_trunc")
    assert not read_source("x = sa.func.now()\ny = time.sleep(1)").uses_clock
