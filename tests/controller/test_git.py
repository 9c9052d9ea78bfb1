"""What git says about branches, and what to do if one was not fetched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.controller.git import common_ancestor, write_tree
from alembic_pgpatterns.controller.git import git as ours
from alembic_pgpatterns.controller.selection import _added
from alembic_pgpatterns.errors import PgPatternsError


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A repository with two commits on main, and a branch that starts at the first."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for name in ("first", "second"):
        git(folder, "commit", "-q", "--allow-empty", "-m", name)
    git(folder, "branch", "work", "main~1")
    return folder


def test_the_commit_where_a_branch_was_left(upstream: Path) -> None:
    assert common_ancestor(upstream, "--diff-base", "work") == git(upstream, "rev-parse", "work").strip()


@pytest.mark.parametrize(
    ("flags", "reference", "way_out"),
    [
        ((), "origin/release", "`git fetch origin release`"),
        ((), "release", "`git fetch origin release`, then origin/release"),
        (("--depth=1",), "origin/main", "`git fetch --unshallow`"),
    ],
)
def test_what_was_not_fetched_is_said_with_the_way_to_fetch_it(
    flags: tuple[str, ...], reference: str, way_out: str, upstream: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", *flags, "--branch=work", f"file://{upstream}", str(clone))
    with pytest.raises(SettingsError) as raised:
        common_ancestor(clone, "--diff-base", reference)
    assert way_out in str(raised.value)
    assert str(raised.value).startswith("--diff-base: git merge-base: ")


def test_without_a_remote_nothing_can_be_fetched(upstream: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        common_ancestor(upstream, "--diff-base", "nowhere")
    assert "fetch" not in str(raised.value)


@pytest.mark.parametrize("name", ["post-index-change", "post-checkout", "fsmonitor"])
def test_git_runs_no_program_of_the_repository(name: str, upstream: Path, tmp_path: Path) -> None:
    """Hooks are code of the project, and this process has no fences."""
    program = upstream / ".git" / "hooks" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    git(upstream, "config", "core.fsmonitor", str(upstream / ".git" / "hooks" / "fsmonitor"))
    (tmp_path / "ran").unlink(missing_ok=True)
    (tmp_path / "copy").mkdir()
    write_tree(upstream, "--old-code", "main", tmp_path / "copy")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["smudge", "process", "clean"])
def test_git_runs_no_filter_of_the_repository(kind: str, upstream: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    program.chmod(0o755)
    (upstream / "models.py").write_text("first")
    (upstream / ".gitattributes").write_text("*.py filter=own")
    git(upstream, "add", ".")
    git(upstream, "commit", "-qm", "third")
    git(upstream, "config", f"filter.own.{kind}", str(program))
    git(upstream, "config", "filter.own.required", "true")
    (upstream / "models.py").write_text("second")
    (tmp_path / "copy").mkdir()
    write_tree(upstream, "--old-code", "main", tmp_path / "copy")
    ours(upstream, "--diff-base", "diff", "--name-only", "HEAD")
    assert (tmp_path / "copy" / "models.py").read_text() == "first"
    assert not (tmp_path / "ran").exists()


def test_git_runs_no_filter_of_a_submodule(upstream: Path, tmp_path: Path) -> None:
    program, inner = tmp_path / "program", upstream / "inner"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    program.chmod(0o755)
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "models.py").write_text("first")
    (inner / ".gitattributes").write_text("*.py filter=own")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "first")
    git(upstream, "add", "inner")
    git(upstream, "commit", "-qm", "third")
    git(inner, "config", "filter.own.clean", str(program))
    (inner / "models.py").write_text("other")
    os.utime(inner / "models.py", (0, 0))  # of the same size and another time: git has to read it
    assert _added("main", upstream) == set()
    assert not (tmp_path / "ran").exists()


def test_a_filter_that_cannot_be_left_out(upstream: Path) -> None:
    with (upstream / ".git" / "config").open("a") as file:
        file.write('[filter "a=b"]\n  clean = touch it\n')
    with pytest.raises(PgPatternsError, match=r"filter\.a=b"):
        common_ancestor(upstream, "--diff-base", "work")


def test_a_partial_clone_fetches_nothing(upstream: Path, tmp_path: Path) -> None:
    (upstream / "models.py").write_text("first")
    git(upstream, "add", ".")
    git(upstream, "commit", "-qm", "third")
    git(upstream, "config", "uploadpack.allowFilter", "true")
    clone, copy = tmp_path / "clone", tmp_path / "copy"
    copy.mkdir()
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{upstream}", str(clone))
    with pytest.raises(PgPatternsError, match=r"`git fetch --refetch --no-filter`") as raised:
        write_tree(clone, "--old-code", "origin/main", copy)
    assert not isinstance(raised.value, SettingsError)


def test_a_pipe_in_place_of_a_file_of_git_is_an_error_and_no_wait(upstream: Path) -> None:
    (upstream / ".git" / "HEAD").unlink()
    os.mkfifo(upstream / ".git" / "HEAD")
    with pytest.raises(PgPatternsError, match="pipe"):
        common_ancestor(upstream, "--diff-base", "work")
