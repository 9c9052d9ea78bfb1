"""``alembic pgrebase``, as a user runs it: two heads become one, or no file is changed."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import alembic
import pytest

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fix.down_revision import with_down_revision
from conftest import Database
from tests.projects import Project, make

REVISION = '''"""{revision}

Revises: {down}
"""
from typing import Union

from alembic import op
import sqlalchemy as sa

revision: str = "{revision}"
down_revision: Union[str, None] = {down!r}  # noqa: kept
{more}

def upgrade() -> None:
    op.execute("""{up}""")


def downgrade() -> None:
    op.execute("""{back}""")
'''


def add(project: Project, revision: str, down: str | None, up: str, back: str = "SELECT 1", more: str = "") -> Path:
    path = project.versions / f"{revision}.py"
    path.write_text(REVISION.format(revision=revision, down=down, up=up, back=back, more=more))
    return path


@pytest.fixture
def branches(tmp_path: Path) -> Project:
    """A table, and two branches that each add to it; the second has two revisions."""
    project = make(tmp_path)
    add(project, "base1", None, "CREATE TABLE item (id bigint PRIMARY KEY)", "DROP TABLE item")
    add(project, "left1", "base1", "ALTER TABLE item ADD l1 text", "ALTER TABLE item DROP l1")
    add(project, "right1", "base1", "ALTER TABLE item ADD r1 text", "ALTER TABLE item DROP r1")
    add(project, "right2", "right1", "ALTER TABLE item ADD r2 text", "ALTER TABLE item DROP r2")
    return project


def contents(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.versions.glob("*.py")}


@pytest.mark.long
def test_one_line_of_one_file_changes(branches: Project) -> None:
    before = contents(branches)
    run = branches.alembic("pgrebase", "right2")
    assert run.returncode == 0, run.stderr
    assert "right1 comes after left1 now." in run.stdout
    assert "right1.py, " in run.stdout and "right2.py: up, down and up again on PostgreSQL" in run.stdout
    assert "`alembic stamp --purge right2`" in run.stdout
    assert 'A docstring\'s "Revises:" still names the old parent.' in run.stdout, "nothing else in the file is touched"
    after = contents(branches)
    expected = before["right1.py"].replace(b"Union[str, None] = 'base1'", b"Union[str, None] = 'left1'")
    assert after == {**before, "right1.py": expected}
    again = branches.alembic("pgrebase", "right2")
    assert (again.returncode, again.stdout) == (0, "Nothing to do: the history has one head.\n")


@pytest.mark.long
def test_an_env_py_that_fails_here_is_named(branches: Project) -> None:
    """The revisions run all the same, and so the order can be proven."""
    path = branches.folder / "migrations/env.py"
    path.write_text(path.read_text().replace("def run_online", "raise KeyError('TOKEN')\n\n\ndef run_online", 1))
    run = branches.alembic("pgrebase", "right2")
    assert run.returncode == 0, run.stderr
    said = " ".join(run.stdout.split())
    assert "warning: env.py failed, so the revisions ran without what it does" in said and "env.py:" in said, said


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def committed(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "more")


def test_a_merge_that_is_not_committed_shows_which_head_is_new(tmp_path: Path) -> None:
    project = make(tmp_path)
    git(tmp_path, "init", "-qb", "main")
    add(project, "base1", None, "CREATE TABLE item (id bigint PRIMARY KEY)", "DROP TABLE item")
    committed(tmp_path)
    git(tmp_path, "checkout", "-qb", "work")
    add(project, "right1", "base1", "ALTER TABLE item ADD r1 text", "ALTER TABLE item DROP r1")
    committed(tmp_path)
    git(tmp_path, "checkout", "-q", "main")
    add(project, "left1", "base1", "ALTER TABLE item ADD l1 text", "ALTER TABLE item DROP l1")
    committed(tmp_path)
    git(tmp_path, "checkout", "-q", "work")
    git(tmp_path, "merge", "-q", "--no-commit", "--no-ff", "main")
    run = project.alembic("pgrebase", "--diff-base", "main")
    assert run.returncode == 0, run.stderr
    assert "right1 comes after left1 now." in run.stdout


@pytest.mark.long
def test_the_advice_for_a_database_that_has_run_the_branch_holds(branches: Project, database: Database) -> None:
    make(branches.folder, database.url.render_as_string(hide_password=False))
    assert branches.alembic("upgrade", "right2").returncode == 0
    assert branches.alembic("upgrade", "heads").returncode == 0
    assert branches.alembic("pgrebase", "right2").returncode == 0
    overlapping = branches.alembic("upgrade", "head")
    assert overlapping.returncode != 0, "else the advice is not needed"
    assert branches.alembic("stamp", "--purge", "right2").returncode == 0
    assert branches.alembic("upgrade", "head").returncode == 0
    assert "right2 (head)" in branches.alembic("current").stdout


@pytest.mark.long
def test_a_project_in_another_environment(branches: Project) -> None:
    """The new order reaches an interpreter that is no fork of the command."""
    venv.create(branches.folder / "env", with_pip=False)
    (packages,) = (branches.folder / "env/lib").glob("python*/site-packages")
    packages.joinpath("ours.pth").write_text(f"{Path(str(alembic.__file__)).parent.parent}\n")
    python = str(branches.folder / "env/bin/python")
    run = branches.alembic("pgrebase", "right2", "--dry-run", "--python", python)
    assert run.returncode == 0, run.stderr
    assert "right1 can come after left1; no file was changed" in run.stdout


@pytest.mark.long
def test_which_branch_must_be_said(branches: Project) -> None:
    run = branches.alembic("pgrebase")
    assert run.returncode == 2
    assert "say which branch moves" in run.stderr and "left1 (" in run.stderr and "right2 (" in run.stderr
    assert branches.alembic("pgrebase", "base1").returncode == 2
    assert branches.alembic("pgrebase", "nothere").returncode == 2
    assert "no revision ''" in branches.alembic("pgrebase", "").stderr
    add(branches, "third1", "base1", "CREATE TABLE third (id bigint PRIMARY KEY)", "DROP TABLE third")
    assert "say behind which head" in branches.alembic("pgrebase", "right2").stderr
    run = branches.alembic("pgrebase", "right2", "--onto", "third1", "--dry-run")
    assert run.returncode == 0, run.stderr
    assert "right1 can come after third1; no file was changed" in run.stdout


def test_two_that_make_the_same_stay(tmp_path: Path) -> None:
    project = forked(tmp_path, "ALTER TABLE item ADD same text", "ALTER TABLE item ADD same text")
    before = contents(project)
    run = project.alembic("pgrebase", "left1")
    assert run.returncode == 255
    assert "the two branches do not run in one database" in run.stderr and "left1.py" in run.stderr
    assert contents(project) == before


@pytest.mark.long
def test_two_whose_order_matters_have_one_order_only(tmp_path: Path) -> None:
    """Side by side, Alembic runs them in one of the two orders."""
    make_a, make_b = (f"CREATE TABLE IF NOT EXISTS extra ({column} text)" for column in "ab")
    project = forked(tmp_path, make_a, make_b)
    before = contents(project)
    runs = {head: project.alembic("pgrebase", head, "--dry-run") for head in ("left1", "right1")}
    assert sorted(run.returncode for run in runs.values()) == [0, 255], [run.stderr for run in runs.values()]
    refused = next(run for run in runs.values() if run.returncode)
    assert "No file was changed." in refused.stderr and "column public.extra." in refused.stderr
    assert contents(project) == before


def forked(folder: Path, left: str, right: str) -> Project:
    project = make(folder)
    add(project, "base1", None, "CREATE TABLE item (id bigint PRIMARY KEY)", "DROP TABLE item")
    add(project, "left1", "base1", left, "DROP TABLE IF EXISTS extra")
    add(project, "right1", "base1", right, "DROP TABLE IF EXISTS extra")
    return project


def test_what_the_other_branch_needs_stays_before_it(branches: Project) -> None:
    add(branches, "left2", "left1", "SELECT 1", more='depends_on = "right1"')
    run = branches.alembic("pgrebase", "right2")
    assert run.returncode == 0, run.stderr
    assert "right2 comes after left2 now." in run.stdout


def test_what_a_third_branch_stands_on_does_not_move(branches: Project) -> None:
    add(branches, "third1", "right1", "SELECT 1")
    run = branches.alembic("pgrebase", "right2", "--onto", "left1")
    assert run.returncode == 255
    assert "third1.py needs right1, which is in the branch that is to move" in run.stderr


@pytest.mark.long
def test_what_needs_the_other_head_moves_behind_it(branches: Project) -> None:
    """Alembic refuses to upgrade to both: one comes with the other."""
    add(branches, "right1", "base1", "ALTER TABLE item ADD r1 text", "ALTER TABLE item DROP r1", 'depends_on = "left1"')
    run = branches.alembic("pgrebase", "right2")
    assert run.returncode == 0, run.stderr
    assert "right1 comes after left1 now." in run.stdout


def test_a_branch_whose_revisions_each_need_one_of_the_other_moves_behind_it(branches: Project) -> None:
    """As histories of expand and contract do. The first one then names its new parent and an ancestor of that."""
    add(branches, "left2", "left1", "ALTER TABLE item ADD l2 text", "ALTER TABLE item DROP l2")
    for revision, down, needed in (("right1", "base1", "left1"), ("right2", "right1", "left2")):
        up, back = f"ALTER TABLE item ADD {revision} text", f"ALTER TABLE item DROP {revision}"
        add(branches, revision, down, up, back, f'depends_on = "{needed}"')
    run = branches.alembic("pgrebase", "right2")
    assert run.returncode == 0, run.stderr
    assert "right1 comes after left2 now." in run.stdout


@pytest.mark.long
def test_a_downgrade_that_fails_can_be_left_out(branches: Project) -> None:
    add(branches, "right2", "right1", "ALTER TABLE item ADD r2 text", "SELECT 1/0")
    run = branches.alembic("pgrebase", "right2")
    assert run.returncode == 255
    assert "downgrade failed" in run.stderr
    assert branches.alembic("pgrebase", "right2", "--no-downgrade").returncode == 0


@pytest.mark.parametrize(
    "data",
    [
        "down_revision = 'x'\r\nrevision = 'ü'\r\n".encode(),
        b"\xef\xbb\xbfdown_revision = 'x'",
        b"# coding: latin-1\na = '\xfc'; down_revision = 'x'; b = '\xfc'\n",
        b"'\x0c'\ndown_revision: 'str' = (\n    'x'\n)\n",
        b"a = 'down_revision = 1'\ndown_revision = 'x' # down_revision = 'x'\n",
        b"down_revision = ('x', )\n",
        'é = "é"; down_revision = "x"\n'.encode(),
        b"down_revision = None\n",
    ],
)
def test_every_other_byte_stays(data: bytes) -> None:
    changed = with_down_revision(Path("f.py"), data, "new1")
    assert changed.count(b"new1") == 1
    at = changed.index(b"new1")
    assert data.startswith(changed[: at - 1].removesuffix(b"("))
    assert data.endswith(changed[at + 5 :])
    namespace: dict[str, object] = {}
    exec(compile(changed, "f.py", "exec"), namespace)
    assert namespace["down_revision"] == "new1"


@pytest.mark.parametrize(
    "data",
    [
        b"x = 1\n",
        b"down_revision = f()\n",
        b"down_revision = 'a'\ndown_revision = 'b'\n",
        b"down_revision = 'a'  # \xff\n",
        b"# coding: nowhere\ndown_revision = 'a'\n",
        b"\xcb\r\r\n compiled",
    ],
)
def test_what_is_not_plain_is_left_to_a_person(data: bytes) -> None:
    with pytest.raises(PgPatternsError, match=r"f\.py.*Change down_revision yourself"):
        with_down_revision(Path("f.py"), data, "new1")
