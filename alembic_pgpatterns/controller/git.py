"""Ask git about the project's repository; nothing in it is changed."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import demand_regular

# This process starts git, and no code of the project: no hook (read-tree runs post-index-change), no monitor of files,
# no filter of contents (as git-lfs has). Nothing is fetched either: a partial clone would ask its remote for contents.
_NO_PROGRAMS = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")
_NO_TRANSPORT = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
_FILTERS = ("clean", "smudge", "process")
_READS_CONTENTS = ("read-tree", "checkout-index", "diff")


def git(folder: Path, flag: str, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """Run a command of git, and return what it prints.

    Args:
        folder: a folder of the repository.
        flag: the flag or setting that asks for it, for messages.
        arguments: of git.
        variables: of the environment, besides those there are.

    Raises:
        SettingsError: git refuses: no repository, no such reference.
        PgPatternsError: there is no git, it does not come to an end, or a partial clone lacks what it reads.
    """
    _demand_regular_files(folder, flag)
    names = _run(folder, flag, ["config", "--null", "--name-only", "--list"], variables).stdout.split("\0")
    done = _run(folder, flag, [*_without_filters(names, flag), *arguments], variables)
    if not done.returncode:
        return done.stdout
    message = done.stderr.strip() or "there is no common ancestor"
    if arguments[0] in _READS_CONTENTS and any(_PROMISOR.match(name) for name in names):
        raise PgPatternsError(
            f"{flag}: git {arguments[0]}: this partial clone lacks contents, and nothing is fetched here. "
            f"Fetch them first: `git fetch --refetch --no-filter`. ({message})"
        )
    raise SettingsError(f"{flag}: git {arguments[0]}: {message}")


def _run(
    folder: Path, flag: str, arguments: Sequence[str], variables: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *_NO_PROGRAMS, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **_NO_TRANSPORT, **(variables or {})},
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        raise PgPatternsError(f"{flag}: git ran for longer than {LIMIT} s and was ended.") from error
    except OSError as error:
        raise PgPatternsError(f"{flag} needs git: {error}") from error


def _without_filters(names: Iterable[str], flag: str) -> Iterator[str]:
    """Arguments of git that turn off the filters of its configuration.

    Raises:
        PgPatternsError: the name of one cannot be written as such an argument.
    """
    filters = {name.rpartition(".")[0] for name in names if name.startswith("filter.")}
    for name in sorted(filters):
        if "=" in name:
            raise PgPatternsError(
                f"{flag}: git's configuration has {name!r}: it runs a program, and cannot be left out."
            )
        yield from itertools.chain.from_iterable(("-c", f"{name}.{each}=") for each in _FILTERS)
        yield from ("-c", f"{name}.required=false")


_PROMISOR = re.compile(r"remote\..*\.promisor|extensions\.partialclone")


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
