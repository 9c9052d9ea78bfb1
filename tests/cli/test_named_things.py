"""A flag that names nothing is an error, also where there is nothing to do: every command, every flag of that kind."""

from __future__ import annotations

import subprocess

import pytest

from tests.projects import Project, make

MODELS = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, mapped_column


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id = mapped_column(sa.BigInteger, primary_key=True)


target_metadata = Base.metadata
"""
FILES = ("/nowhere/gone.txt", "migrations", "garbage.bin")
SERVERS = ("not a url", "postgresql://u:hunter2@127.0.0.1:1/d", "mysql://u@h/d")
PYTHONS = ("/nowhere/python", "migrations")
KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "pgcheck": {
        **dict.fromkeys(("--stats", "--prepare", "--baseline"), FILES),
        "--server": SERVERS,
        "--python": PYTHONS,
        **dict.fromkeys(("--since", "--explain", "--select", "--ignore", "--live", "--format"), ("nothing",)),
        **dict.fromkeys(("--diff-base", "--old-code"), ("nothing", "0" * 40, "--help")),
        "--target-version": ("99",),
    },
    "pgrehearse": {
        **dict.fromkeys(("--stats", "--seed-rows", "--prepare", "--baseline"), FILES),
        "--server": SERVERS,
        "--python": PYTHONS,
        **dict.fromkeys(("--since", "--diff-base", "--budget", "--disk", "--format", "--rows"), ("nothing",)),
        "REV": ("nothing",),
    },
    "pgrebase": {
        "--prepare": FILES,
        "--server": SERVERS,
        "--python": PYTHONS,
        **dict.fromkeys(("--onto", "--diff-base", "REV"), ("nothing",)),
    },
    "pgrevision": {
        "--prepare": FILES,
        "--server": SERVERS,
        "--python": PYTHONS,
        **dict.fromkeys(("--head", "--depends-on"), ("nothing",)),
        "--version-path": ("/nowhere", "migrations"),
        "--rehearse": ("0", "nothing"),
    },
    "pgfix --all": {
        "--prepare": FILES,
        "--server": SERVERS,
        "--python": PYTHONS,
        **dict.fromkeys(("--head", "--select", "--ignore", "TABLE"), ("nothing",)),
    },
    "pgadvise": {
        **dict.fromkeys(("--stats", "--workload"), FILES[:2]),
        "--server": SERVERS,
        "--python": PYTHONS,
        **dict.fromkeys(("--table", "--explain", "--select", "--ignore"), ("nothing",)),
        "--max-indexes": ("0",),
    },
    "pgexpand": {"--python": PYTHONS},
    "pgstats": {"URL": SERVERS, "-o": ("/nowhere/gone.txt",)},
}
"""By command: the flags that name a file, a server, a revision, a reference or a number, and what they cannot name."""
CASES = [
    (command, flag, value)
    for command, flags in KINDS.items()
    for flag, values in flags.items()
    for value in values
    # A baseline that is to be written may be anything that is no folder; a text of statistics or SQL that is read
    # but not run is not looked into, except for its letters.
    if (flag, value) != ("--baseline", "migrations")
]


@pytest.fixture(scope="module")
def at_head(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing is left to check, to write or to move."""
    project = make(tmp_path_factory.mktemp("named"))
    project.env(models=MODELS)
    project.sql("a1", "CREATE TABLE book (id bigint PRIMARY KEY)")
    (project.folder / "garbage.bin").write_bytes(b"%%% \xff\x01 ;;; SELEC\n\n{")
    project.write("pgpatterns-baseline.txt", "# heads: a1\n")
    git = ["git", "-C", str(project.folder), "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    return project


@pytest.mark.sample(12)
@pytest.mark.parametrize(("command", "flag", "value"), CASES)
def test_what_is_named_must_be_there(command: str, flag: str, value: str, at_head: Project) -> None:
    before = {path: path.read_bytes() for path in at_head.folder.rglob("*.py")}
    arguments = [value] if flag.isupper() else [f"{flag}={value}"] if flag.startswith("--") else [flag, value]
    run = at_head.alembic(*command.split(), *arguments, CI="")
    assert run.returncode in (2, 255), run.stdout + run.stderr
    assert run.returncode == 2 or "FAILED: " in run.stderr, run.stderr
    assert "Traceback" not in run.stderr and "internal error" not in run.stderr
    assert "hunter2" not in run.stdout + run.stderr
    assert {path: path.read_bytes() for path in at_head.folder.rglob("*.py")} == before


def test_nothing_is_to_do(at_head: Project) -> None:
    """Else the cases above would prove nothing."""
    assert "0 revisions" in at_head.alembic("pgrehearse").stdout
    assert "Nothing to do" in at_head.alembic("pgrebase").stdout
