"""``alembic pgrevision --phases``, ``alembic pgexpand``: what old code cannot live with has revisions of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.revisions.contract import MARK
from tests.projects import ENGINE, Project, make

LOAD = "import sys; sys.path.insert(0, '.')\nfrom shop_models import metadata as target_metadata"
PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]'
HEAD = """
from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text

metadata = MetaData()
"""
OLD = f"""{HEAD}
Table("person", metadata, Column("id", BigInteger, primary_key=True), Column("name", Text), Column("fax", Text),
    Column("limited", Text), Index("ix_person_fax", "fax"))
Table("letter", metadata, Column("id", BigInteger, primary_key=True))
"""
NEW = f"""{HEAD}
from alembic_pgpatterns.declare import Grant, Policy, RowSecurity

Table("person", metadata, Column("id", BigInteger, primary_key=True), Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, default="nobody@example.org"), Column("limited", Text),
    Index("ix_person_name", "name"))
Table("mail", metadata, Column("id", BigInteger, primary_key=True), RowSecurity(),
    Policy("own", using="id = (SELECT 1)"), Grant("SELECT", "pg_monitor"))
"""
OLD_ROW = "INSERT INTO person (id, fax) SELECT coalesce(max(id), 0) + 1, '1' FROM person"
NEW_ROW = "INSERT INTO person (id, name, email) SELECT coalesce(max(id), 0) + 1, 'n', 'e' FROM person"


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.env(models=LOAD, options=PLUGIN)
    project.write("shop_models.py", OLD)
    assert project.alembic("pgrevision", "-m", "start").returncode == 0
    return project


def in_order(project: Project) -> list[Path]:
    by_parent = {}
    for path in project.versions.glob("*.py"):
        values: dict[str, object] = {}
        lines = [line for line in path.read_text().splitlines() if line.startswith(("revision =", "down_revision ="))]
        exec("\n".join(lines), values)
        by_parent[values["down_revision"]] = (values["revision"], path)
    result, parent = [], None
    while parent in by_parent:
        parent, path = by_parent[parent]
        result.append(path)
    return result


@pytest.mark.parametrize("directives", [False, pytest.param(True, marks=pytest.mark.long)])
def test_old_and_new_code_run_between_the_phases(shop: Project, directives: bool, database) -> None:
    shop.write("pyproject.toml", f"[tool.alembic_pgpatterns]\ndirectives = {str(directives).lower()}\n")
    shop.write("shop_models.py", NEW)
    run = shop.alembic("pgrevision", "-m", "change", "--phases")
    assert run.returncode == 0, run.stderr
    assert "contract: run part" in run.stdout
    # What is dropped may be a rename, and rows may lack a name.
    warnings = [line for line in run.stdout.splitlines() if "warning: " in line and "public.mail" not in line]
    assert all("drop-under-running-code" in line or "person.name" in line for line in warnings)
    marks = [MARK in path.read_text() for path in in_order(shop)]
    assert marks == sorted(marks)
    assert marks[-1]
    assert run.stdout.count("keep running the old code: no") == sum(marks)
    shop.env(models=LOAD, options=PLUGIN, engine=f'__import__("sqlalchemy").create_engine({str(database.url)!r})')
    start = in_order(shop)[0].name.partition("_")[0]
    assert shop.alembic("upgrade", start).returncode == 0
    database.execute(OLD_ROW)
    expand = shop.alembic("pgexpand")
    assert expand.returncode == 0, expand.stderr
    upgraded = shop.alembic("upgrade", expand.stdout.strip())
    assert upgraded.returncode == 0, upgraded.stderr
    database.execute("INSERT INTO letter VALUES (1)")
    database.execute("INSERT INTO mail VALUES (1)")
    for row in (OLD_ROW, NEW_ROW):
        database.execute(row)
    # Rows lack a name. What old code uses is still there, since it goes last.
    assert shop.alembic("upgrade", "head").returncode != 0
    database.execute("SELECT fax FROM person")
    database.execute("INSERT INTO letter VALUES (2)")
    # Old code is gone; what it has left is put in order by hand, as part 2 of the console says.
    database.execute("UPDATE person SET name = 'nobody' WHERE name IS NULL")
    upgraded = shop.alembic("upgrade", "head")
    assert upgraded.returncode == 0, upgraded.stderr
    assert shop.alembic("check").returncode == 0
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM person WHERE email = 'nobody@example.org'").fetchone() == (2,)
    for target in (expand.stdout.strip(), start, "head"):
        moved = shop.alembic("downgrade" if target != "head" else "upgrade", target)
        assert moved.returncode == 0, moved.stderr
    assert shop.alembic("check").returncode == 0


def test_a_file_that_only_asks_a_person_stays_in_its_chain(shop: Project) -> None:
    with_age = OLD.replace('Column("name", Text)', 'Column("name", Text), Column("age", BigInteger, nullable=False)')
    shop.write("shop_models.py", with_age)
    run = shop.alembic("pgrevision", "-m", "age", "--phases")
    assert run.returncode == 0, run.stderr
    files = in_order(shop)[1:]
    assert any("UPDATE person SET age = ..." in path.read_text() and "op.add" not in path.read_text() for path in files)
    assert "up, down and up again" in run.stdout


@pytest.mark.long
def test_what_only_old_code_suffers_from_is_not_reported_in_a_contract_revision(shop: Project) -> None:
    without = OLD.replace(', Column("fax", Text)', "").replace(', Index("ix_person_fax", "fax")', "")
    shop.write("shop_models.py", without)
    run = shop.alembic("pgrevision", "-m", "no fax", "--phases")
    assert run.returncode == 0, run.stderr
    (contract,) = in_order(shop)[1:]
    upgrade = contract.read_text().partition("def downgrade")[0]
    assert "op.drop_index(" in upgrade
    assert "op.drop_column(" in upgrade
    checked = shop.alembic("pgcheck", "--select", "drop-under-running-code")
    assert checked.returncode == 0, checked.stdout
    contract.write_text(contract.read_text().replace(MARK, "# contract"))
    assert shop.alembic("pgcheck", "--select", "drop-under-running-code").returncode == 1


@pytest.mark.parametrize(
    ("revisions", "said"),
    [
        ([], "The history has no revision."),
        ([("a", None, True)], "Every revision is a contract revision"),
        ([("a", None, False), ("b", "a", True), ("c", "a", True)], "The history has 2 heads: b, c"),
    ],
)
@pytest.mark.sample(3)
def test_where_no_revision_is_the_last_one_that_is_said(revisions: list, said: str, tmp_path: Path) -> None:
    project = make(tmp_path)
    project.env(engine=ENGINE)
    for name, parent, contract in revisions:
        project.revision(name, f"{MARK}\npass" if contract else "pass", down=parent)
    run = project.alembic("pgexpand")
    assert run.returncode == 255
    assert said in run.stderr


def test_a_contract_revision_that_a_merge_hides_is_named(tmp_path: Path) -> None:
    """Its file is in the encoding that it names, with lines that end as on Windows."""
    project = make(tmp_path)
    project.env(engine=ENGINE)
    for name, parents, contract in (("a", None, False), ("b", "a", True), ("c", "a", False), ("m", ("b", "c"), False)):
        project.revision(name, f"{MARK}\npass" if contract else "pass", down=parents)
    path = project.versions / "b.py"
    path.write_bytes(b"# -*- coding: latin-1 -*-\r\n# \xe9\r\n" + path.read_bytes().replace(b"\n", b"\r\n"))
    run = project.alembic("pgexpand")
    assert (run.returncode, run.stdout) == (0, "m\n")
    assert "m merges the contract revision b" in run.stderr


def test_branches_with_labels_have_their_own_last_revision(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.env(engine=ENGINE)
    for name, parent, contract in (("a", None, False), ("b", "a", True), ("s", None, False)):
        project.revision(name, f"{MARK}\npass" if contract else "pass", down=parent)
    for name, label in (("a", "shop"), ("s", "stock")):
        path = project.versions / f"{name}.py"
        path.write_text(path.read_text() + f"\nbranch_labels = ('{label}',)\n")
    run = project.alembic("pgexpand")
    assert run.returncode == 255
    assert "Name a branch: `alembic pgexpand shop`, `alembic pgexpand stock`." in run.stderr
    assert project.alembic("pgexpand", "shop").stdout == "a\n"
    assert project.alembic("pgexpand", "stock").stdout == "s\n"
    assert "No head of the history has the label 'other'" in project.alembic("pgexpand", "other").stderr


def test_without_the_plugin_in_env_py_no_phases_are_promised(tmp_path: Path) -> None:
    """Alembic's own file would be written, with the drops in front."""
    project = make(tmp_path)
    project.env(models=LOAD)
    project.write("shop_models.py", OLD)
    run = project.alembic("pgrevision", "-m", "start", "--phases")
    assert run.returncode == 255
    assert "FAILED: phases: env.py does not name the plugin" in run.stderr
    assert 'autogenerate_plugins=["alembic.autogenerate.*"' in run.stderr
    assert not list(project.versions.glob("*.py"))


def test_an_env_py_that_fails_in_the_dry_run_is_named(shop: Project) -> None:
    """It writes the revisions and then does not run them: they are proven without what it does."""
    shop.write("pyproject.toml", '[tool.alembic_pgpatterns]\nmodels = ["shop_models"]\n')
    path = shop.folder / "migrations/env.py"
    fails = """
from alembic import context
if len(list(context.script.walk_revisions())) > 1:
    raise KeyError("TOKEN")
"""
    path.write_text(fails + path.read_text())
    shop.write("shop_models.py", NEW)
    run = shop.alembic("pgrevision", "-m", "mail", "--phases")
    assert run.returncode == 0, run.stdout + run.stderr
    said = " ".join(run.stdout.split())
    assert "up, down and up again" in said and "pgpatterns: contract: run part" in said
    assert "warning: env.py failed, so the revisions ran without what it does" in said and "env.py:4" in said, said
