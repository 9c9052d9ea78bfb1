"""Ask git about the project's repository; nothing in it is changed."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import demand_regular

# This process starts git, and no code of the project: no hook (read-tree runs post-index-change), no monitor of files.
_NO_PROGRAMS = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")


def git(folder: Path, flag: str, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """Run a command of git, and return what it prints.

    Args:
        folder: a folder of the repository.
        flag: the flag or setting that asks for it, for messages.
        arguments: of git.
        variables: of the environment, besides those there are.

    Raises:
        SettingsError: git refuses: no repository, no such reference.
        PgPatternsError: there is no git, or it does not come to an end.
    """
    _demand_regular_files(folder, flag)
    environment = {**os.environ, **(variables or {})}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *_NO_PROGRAMS, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        raise PgPatternsError(f"{flag}: git {arguments[0]} ran for longer than {LIMIT} s and was ended.") from error
    except OSError as error:
        raise PgPatternsError(f"{flag} needs git: {error}") from error
    if done.returncode:
        message = done.stderr.strip() or "there is no common ancestor"
        raise SettingsError(f"{flag}: git {arguments[0]}: {message}")
    return done.stdout


def _demand_regular_files(folder: Path, flag: str) -> None:
    """Raise PgPatternsError if a file that git always reads is a pipe: it would wait for ever."""
    absolute = folder.absolute()
    folders = (above / ".git" for above in (absolute, *absolute.parents) if (above / ".git").is_dir())
    for repository_folder in itertools.islice(folders, 1):
        for name in _READ_BY_GIT:
            try:
                demand_regular(repository_folder / name)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise PgPatternsError(f"{flag}: git cannot read its own file: {error}") from error


_READ_BY_GIT = ("HEAD", "config", "index", "packed-refs", "commondir", "shallow", "info/grafts")
LIMIT = 300
"""Seconds that a command of git may take: the longest one writes the files of a commit."""


def common_ancestor(folder: Path, flag: str, reference: str) -> str:
    """The commit where HEAD left a branch or commit.

    Raises:
        SettingsError: there is none, or the reference is not here; the message says how to fetch it.
        PgPatternsError: there is no git.
    """
    try:
        return git(folder, flag, "merge-base", "--end-of-options", reference, "HEAD").strip()
    except SettingsError as error:
        raise SettingsError(f"{error}{_how_to_fetch(folder, flag, reference)}") from error


def _how_to_fetch(folder: Path, flag: str, reference: str) -> str:
    """What to do if a reference, or the history up to it, was not fetched; empty if neither is the reason."""
    if git(folder, flag, "rev-parse", "--is-shallow-repository").strip() == "true":
        return (
            "\nThis clone has only a part of the history: `git fetch --unshallow`; for GitHub's actions/checkout, "
            "`fetch-depth: 0`; for GitLab, `GIT_DEPTH: 0`."
        )
    remotes = git(folder, flag, "remote").split()
    remote, _, branch = reference.partition("/")
    if remote in remotes and branch:
        return f"\nIf the branch was not fetched: `git fetch {remote} {branch}`."
    if remotes:
        return (
            f"\nIf it is a branch of {remotes[0]}: `git fetch {remotes[0]} {reference}`, then {remotes[0]}/{reference}."
        )
    return ""


def repository(folder: Path, flag: str) -> Path:
    """The top folder of the repository that a folder is in. Raises as `git`."""
    return Path(git(folder, flag, "rev-parse", "--show-toplevel").strip())


def write_tree(root: Path, flag: str, reference: str, folder: Path) -> None:
    """Write the files of a commit into an empty folder. The repository, its index too, stays as it is.

    Raises:
        SettingsError, PgPatternsError: as `git`.
    """
    # An index of its own: the user's has what is staged. And no worktree, since git would keep a record of that.
    index = {"GIT_INDEX_FILE": str(folder / ".git-index")}
    # Otherwise git would take a reference that begins with a dash for an option (git 2.24).
    git(root, flag, "read-tree", "--end-of-options", f"{reference}^{{tree}}", variables=index)
    git(root, flag, "checkout-index", "--all", f"--prefix={folder}/", variables=index)
    (folder / ".git-index").unlink()
