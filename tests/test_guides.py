"""Code blocks in the README and the guides: what can run is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.patterns import use_plugins
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.report import pages
from alembic_pgpatterns.report.project_pages import project_url
from alembic_pgpatterns.schema.catalog import reader as catalog
from tests import projects, warm

ROOT = Path(__file__).parent.parent
GUIDES = [
    ROOT / "README.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if pages.WRITTEN not in path.read_text()),
]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(*languages: str) -> list[tuple[str, str]]:
    found = []
    for path in GUIDES:
        for number, match in enumerate(FENCE.finditer(path.read_text()), 1):
            if match[1] in languages:
                found.append((f"{path.name}-{number}", match[2]))
    return found


def parametrized(*languages: str) -> pytest.MarkDecorator:
    found = blocks(*languages)
    return pytest.mark.parametrize("code", [code for _, code in found], ids=[name for name, _ in found])


@parametrized("python")
def test_python_compiles(code: str) -> None:
    compile(textwrap.dedent(code), "<guide>", "exec")


@parametrized("toml")
def test_settings_are_settings(code: str, tmp_path: Path) -> None:
    if "[tool.alembic_pgpatterns" not in code:
        pytest.skip("not ours")
    for path, text in marked("plugin"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "pyproject.toml").write_text(code)
    try:
        assert read_settings(None, tmp_path / "pyproject.toml").sources
    finally:
        use_plugins((), "")


def marked(kind: str) -> list[tuple[str, str]]:
    """Blocks under a comment such as ``<!-- from PATH -->``, with what the comment names."""
    form = re.compile(rf"^<!-- {kind} (.+?) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(match[1], match[2]) for path in GUIDES for match in form.finditer(path.read_text())]


@pytest.mark.parametrize(("path", "code"), marked("from"))
def test_quoted_code_is_the_files_own(path: str, code: str) -> None:
    assert code in (ROOT / path).read_text()


@pytest.mark.parametrize(("place", "source"), marked("pattern"))
def test_a_guides_pattern_is_one(place: str, source: str, new_database: Callable[[], Any]) -> None:
    folder, name = place.split(".")
    namespace: dict[str, Any] = {"__name__": f"patterns.{place}"}
    exec(compile(source, place, "exec"), namespace)
    cls = next(item for item in namespace.values() if getattr(item, "folder", None) == folder)
    assert cls.name == name.replace("_", "-")
    assert set(found(cls, new_database, cls.bad)) and not found(cls, new_database, cls.good)
    assert not found(cls, new_database, cls.bad, *map(";".join, map(sql, found(cls, new_database, cls.bad).values())))
    (sheet,) = [text for of, text in marked("sheet") if of == place]
    defects = re.findall(r"^-- defect: (.+?) -- ", sheet, re.MULTILINE)
    assert len(defects) >= 4 and set(found(cls, new_database, sheet)) == {f"{cls.name} {defect}" for defect in defects}


@pytest.mark.long
def test_the_guides_own_patterns_run(tmp_path: Path) -> None:
    """As in a project: the setting, the list, the page, and the project's own test with the fixture."""
    project = projects.make(tmp_path)
    for path, code in (*marked("plugin"), *marked("plugin-test")):
        project.write(path, code)
    project.write("pyproject.toml", next(code for _, code in blocks("toml") if "plugins = " in code))
    project.sql("r0", "CREATE TABLE invoice (id bigint PRIMARY KEY, created_at timestamptz)")
    assert "house\n  created-at-without-default" in project.alembic("pgcheck", "--list").stdout
    assert (
        "# created-at-without-default" in project.alembic("pgcheck", "--explain", "created-at-without-default").stdout
    )
    checked = project.alembic("pgcheck", "--select", "house", "--exit-zero", "--all")
    assert "created_at has no default" in checked.stdout, checked.stderr
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert "1 passed" in run.stdout, run.stdout


def found(cls: Any, new_database: Callable[[], Any], *scripts: str) -> dict[str, Any]:
    """Remedies by the fingerprints of what the pattern finds after the scripts."""
    with new_database().connect() as connection:
        for script in scripts:
            connection.execute(script)
        return {finding.fingerprint: finding.remedy for finding in cls().detect(catalog.read(connection))}


def commands() -> list[str]:
    """The `$ alembic …` lines of the guides that need only a project (no server, recording, repository), each once."""
    lines = (line for _, code in blocks("console") for line in code.splitlines())
    found = (line.removeprefix("$ ").split("  #")[0].strip() for line in lines if line.startswith("$ alembic "))
    more = ("--live", "pgrevision", "--workload", "--diff-base", "--old-code")
    return sorted({command for command in found if not any(word in command for word in more)})


def run_in_sample_project(
    command: str, folder: Path, url: str = "postgresql+psycopg://nobody@db.example.invalid/shop"
) -> subprocess.CompletedProcess[str]:
    project = folder / "sample"
    if not project.exists():
        shutil.copytree(ROOT / "sample_project", project, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    program, *arguments = shlex.split(command)
    assert program == "alembic"
    return warm.run(arguments, project, {**os.environ, "DATABASE_URL": url}, timeout=300)


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample project with its baseline, so that its revisions need not all be traced again."""
    folder = tmp_path_factory.mktemp("adopted")
    run = run_in_sample_project("alembic pgcheck --write-baseline", folder)
    assert run.returncode == 0, run.stderr
    return folder


@pytest.mark.parametrize("command", commands())
@pytest.mark.sample(4)
def test_commands_run_in_the_sample_project(command: str, adopted: Path) -> None:
    run = run_in_sample_project(command, adopted)
    assert run.returncode == 0, run.stderr


def test_quoted_output_is_what_comes_out(tmp_path: Path) -> None:
    quoted = marked("output")
    outputs = {command: run_in_sample_project(command, tmp_path).stdout for command in dict(quoted)}
    assert [line for command, text in quoted for line in missing(text, outputs[command])] == []


def test_quoted_output_of_a_live_database(adopted: Path, database: Any) -> None:
    ((statement, text),) = marked("live")
    url = database.url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    assert run_in_sample_project("alembic upgrade head", adopted, url).returncode == 0
    database.execute(statement)
    printed = run_in_sample_project("alembic pgcheck --live", adopted, url).stdout
    assert missing(text, printed) == [], printed


def test_the_quick_starts_revision_is_what_is_written(adopted: Path, tmp_path: Path) -> None:
    (addition,), (revision,) = marked("appended"), marked("revision")
    shutil.copytree(adopted, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "sample" / addition[0]).open("a") as models:
        models.write(f"\n\n{addition[1]}")
    run = run_in_sample_project(f'alembic pgrevision -m "{revision[0]}"', tmp_path)
    assert run.returncode == 0, run.stderr
    ((_, printed),) = marked("printed")
    assert missing(printed, run.stdout) == []
    (written,) = (tmp_path / "sample/migrations/versions").glob(f"*_{revision[0]}.py")
    assert missing(revision[1], written.read_text()) == []


def missing(quoted: str, whole: str) -> list[str]:
    """Quoted lines that are not among the whole's; `…` stands for what was left out."""
    lines = whole.splitlines()
    forms = {line: re.compile(".*".join(map(re.escape, line.split("…")))) for line in quoted.splitlines()}
    return [line for line, form in forms.items() if not any(map(form.fullmatch, lines))]


def test_links_lead_somewhere() -> None:
    repository = f"{project_url('Repository')}/blob/main/"
    for path in GUIDES:
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
            local = ROOT / target.removeprefix(repository) if target.startswith(repository) else path.parent / target
            if "://" not in target or target.startswith(repository):
                assert local.exists(), f"{path.name}: {target}"
