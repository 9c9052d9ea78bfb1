"""A new import of a model's file stands where isort and ruff would put it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import libcst as cst
import pytest

from alembic_pgpatterns.fix.model_imports import with_imports

HEAD = '"""Models."""\n\nfrom __future__ import annotations\n\nimport os\nfrom datetime import datetime\n\n'
BODY = "\n\nprint(os, datetime, {names}, BigInteger, Text, JSONB)\n"
NEEDED = {"sqlalchemy": ["Text", "BigInteger"], "sqlalchemy.dialects.postgresql": ["JSONB"]}


@pytest.mark.parametrize(
    ("imports", "names"),
    [
        ("from sqlalchemy.orm import Mapped\n\nfrom app.base import Base", "Mapped, Base"),
        ("from sqlmodel import Field\n\nfrom app.base import Base", "Field, Base"),
        ("import sqlalchemy as sa\nfrom alembic import op\nfrom sqlalchemy import func", "sa, op, func"),
        ("import click\nfrom zope import interface\n\nfrom .base import Base", "click, interface, Base"),
        ("# the mapper\nfrom sqlalchemy.orm import Mapped", "Mapped"),
    ],
)
def test_the_order_is_that_of_ruff(imports: str, names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ruff.toml").write_text('lint.isort.known-first-party = ["app"]\n')
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "models.py"
    path.write_text(with_imports(cst.parse_module(HEAD + imports + BODY.format(names=names)), NEEDED, []).code)
    text = path.read_text()
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "I,F", "--diff", "models.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0 and "JSONB" in text, run.stdout
    assert "# the mapper\nfrom sqlalchemy.orm" in text or "# the mapper" not in imports
