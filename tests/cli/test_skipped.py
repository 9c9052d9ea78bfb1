"""What could not be checked fails the run in CI, unless the settings say otherwise; it is always said."""

from __future__ import annotations

import subprocess

import pytest

from tests.projects import Project, make


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The release before has no models, so that nothing can be said of its code, which was asked for."""
    made = make(tmp_path_factory.mktemp("skipped"))
    made.sql("a1", "CREATE TABLE book (id bigint PRIMARY KEY)")
    made.write("pyproject.toml", '[tool.alembic_pgpatterns]\nold_code = "HEAD"\n')
    git = ["git", "-C", str(made.folder), "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    return made


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("variable", "flags", "code"),
    [
        ("true", (), 255),
        ("1", ("--exit-zero",), 255),
        ("", (), 0),
        ("false", (), 0),
        ("true", ("--allow-skipped",), 0),
    ],
)
def test_it_fails_in_ci(variable: str, flags: tuple[str, ...], code: int, project: Project) -> None:
    run = project.alembic("pgcheck", "--select", "missing-primary-key,breaks-old-code", *flags, CI=variable)
    assert run.returncode == code, run.stdout + run.stderr
    assert ("FAILED: not everything was checked:" in run.stderr) is (code == 255)
    summary = run.stdout.strip().splitlines()[-1]
    assert "old code" in run.stdout and "no findings" in summary and "skipped: " in summary, run.stdout


def test_the_setting_decides_too(project: Project) -> None:
    text = (project.folder / "pyproject.toml").read_text()
    for value, code in (("always", 255), ("never", 0)):
        project.write("pyproject.toml", f'{text}fail_on_skipped = "{value}"\n')
        assert (
            project.alembic("pgcheck", "--select", "breaks-old-code", CI="true" * (value == "never")).returncode == code
        )
    project.write("pyproject.toml", text)
