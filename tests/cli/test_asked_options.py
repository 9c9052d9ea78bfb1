"""Options of Alembic's configuration and ``-x`` arguments without which a project stops."""

from __future__ import annotations

import configparser
import json
import tomllib
from pathlib import Path

import pytest

from alembic_pgpatterns.runner.asked_options import AskedOptions
from alembic_pgpatterns.runner.messages import Need
from tests.projects import make

REVISION = """
    prefix = op.get_context().config.get_main_option("shop.table_prefix")
    if prefix is None:
        raise RuntimeError("shop.table_prefix is not set")
    op.execute(f"CREATE TABLE {prefix}_book (x text)")
"""


def test_an_option_that_a_revision_demands_is_named_and_written_by_init(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.env()
    path = project.sql("a1", "SELECT 1")
    path.write_text(path.read_text().replace("def upgrade():\n", f"def upgrade():{REVISION}", 1))
    project.write("pyproject.toml", '[project]\nname = "shop"\nversion = "1"\n')
    refused = project.alembic("pgcheck", "--no-downgrade")
    assert refused.returncode == 255
    assert 'alembic_options = { "shop.table_prefix" = "pgpatterns" }' in refused.stderr
    run = project.alembic("pgcheck", "--no-downgrade", "--exit-zero", "--format", "json", "--init")
    assert run.returncode == 0, run.stderr
    assert "public.pgpatterns_book" in {finding["object"] for finding in json.loads(run.stdout)["findings"]}
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["alembic_pgpatterns"]
    assert settings["alembic_options"] == {"shop.table_prefix": "pgpatterns"}


def test_an_argument_that_env_py_demands_is_named(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.env(head="tenant = context.get_x_argument(as_dictionary=True)['tenant']")
    project.sql("a1", "CREATE TABLE a (x text)")
    assert "alembic -x tenant=VALUE pgcheck" in project.alembic("pgcheck").stderr


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (RuntimeError("schema is not set"), ["schema"]),
        (ValueError("Give -x tenant=NAME!"), ["tenant"]),
        (KeyError("tenant"), ["tenant"]),
        (configparser.NoOptionError("region", "alembic"), ["region"]),
        (RuntimeError("the app.schema is not set"), []),
        (RuntimeError("schemas are not set"), []),
        (RuntimeError("another thing is not set"), []),
    ],
)
def test_what_an_error_says_is_missing_is_what_was_asked_for(error: Exception, names: list[str]) -> None:
    asked = AskedOptions(["schema", "timezone"], ["tenant"])
    assert [need.name for need in asked.needs(error)] == names


def test_the_value_follows_the_name() -> None:
    asked = AskedOptions(["shop.database_url", "schema"])
    error = RuntimeError("shop.database_url and schema are missing")
    needs = [Need("option", "shop.database_url", "{url}"), Need("option", "schema", "pgpatterns")]
    assert list(asked.needs(error)) == needs
