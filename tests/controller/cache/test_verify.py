"""`pgcheck --verify-cache`: with the cache and without it the same, or the run fails and says in what they differ."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import CommandLine

from tests import projects
from tests.tracing import inside

# What a process may write at most is nothing that a cache could know of.
LIMIT = "import resource\nwidth = 7 if resource.getrlimit(resource.RLIMIT_CORE)[0] == 0 else 9\n"


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def pgcheck(project: projects.Project, *flags: str) -> int:
    with inside(project.folder):
        try:
            CommandLine(prog="alembic").main(["pgcheck", "--exit-zero", *flags])
        except SystemExit as error:
            return int(error.code or 0)
    return 0


@pytest.mark.long
def test_a_stale_cache_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    if most == 0:
        pytest.skip("the limit cannot be raised here")
    project = projects.make(tmp_path)
    project.revision("a1", f"{LIMIT}op.execute(f'CREATE TABLE t (id bigint PRIMARY KEY, x varchar({{width}}))')")
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    assert pgcheck(project, "--verify-cache") == 0
    resource.setrlimit(resource.RLIMIT_CORE, (4096, most))
    capsys.readouterr()
    assert pgcheck(project, "--verify-cache") == 255
    said = capsys.readouterr().err
    assert "FAILED: The cache gives another report than a run from scratch" in said
    assert "only with the cache: " in said and "limited to 7" in said
    assert "only without it: " in said and "limited to 9" in said
    assert pgcheck(project, "--no-cache") == 0
