"""What contributors and package indexes read: links, versions, workflows and the sdist agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
URLS = PYPROJECT["project"]["urls"]
TEXT = {".md", ".py", ".toml", ".yml", ".yaml", ".ini", ".json", ".cfg", ".html", ""}
LINK = re.compile(r"https://(?:github\.com/([\w-]+)/alembic-pgpatterns\b|([\w-]+)\.github\.io/alembic-pgpatterns\b)")


def texts() -> list[Path]:
    """The project's own text files: those below the folders that the sdist is made of."""
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    paths = [path for pattern in included for path in ROOT.glob(pattern.lstrip("/"))]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return [file for file in files if file.is_file() and file.suffix in TEXT and "__pycache__" not in file.parts]


def test_the_owner_is_spelled_in_one_way() -> None:
    owner = URLS["Repository"].split("/")[3]
    assert owner == LINK.match(URLS["Documentation"])[2]
    others = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in [*texts(), ROOT / "pyproject.toml"]
        for match in LINK.finditer(path.read_text(encoding="utf-8"))
        if (match[1] or match[2]) != owner
    }
    assert not others


def test_the_changelog_has_this_version() -> None:
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[:2] == ["Unreleased", PYPROJECT["project"]["version"]]


def test_ci_runs_every_python_that_the_package_names() -> None:
    prefix = "Programming Language :: Python :: 3."
    named = [item.removeprefix(prefix) for item in PYPROJECT["project"]["classifiers"] if item.startswith(prefix)]
    quoted = ", ".join(f'"3.{minor}"' for minor in named)
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert f"python: [{quoted}]" in workflow


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no git repository: an sdist")
def test_the_sdist_has_all_that_is_tracked() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    patterns = [pattern.lstrip("/") for pattern in included]
    ours = {".gitignore", "pyproject.toml"}  # hatchling adds these itself
    left_out = [
        name
        for name in listed.splitlines()
        if name not in ours
        and not any(name == item or name.startswith(f"{item}/") or Path(name).match(item) for item in patterns)
    ]
    assert not left_out


def test_ci_runs_every_test_but_those_on_real_projects() -> None:
    deselected = set(re.findall(r"not (\w+)", " ".join(PYPROJECT["tool"]["pytest"]["ini_options"]["addopts"])))
    marked = {marker.partition(":")[0] for marker in PYPROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    assert deselected == marked - {"sample(n)"} == {"long", "real"}
    assert "-m long" in (ROOT / ".ci/long").read_text(encoding="utf-8")
    assert "- run: .ci/long" in (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")


def test_the_hook_for_pre_commit_is_the_documented_one() -> None:
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    (documented,) = re.findall(r"```yaml\n(repos:.+?)```", (ROOT / "docs/ci.md").read_text(encoding="utf-8"), re.DOTALL)
    identifier, pages = re.compile(r"^ *- id: (\S+)$", re.MULTILINE), re.compile(r"^ *files: (.+)$", re.MULTILINE)
    assert identifier.findall(documented) == identifier.findall(hooks) == ["pgcheck"]
    assert f"repo: {URLS['Repository']}" in documented
    assert "\n  entry: alembic pgcheck\n" in hooks and "\n  language: system\n" in hooks
    for pattern in (*pages.findall(documented), *pages.findall(hooks)):
        assert re.search(pattern, "migrations/versions/a1.py") and not re.search(pattern, "README.md")
