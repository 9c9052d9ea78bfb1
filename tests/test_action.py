"""The GitHub action's scripts, run as its steps run them, and the problem matcher on real output."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.projects import Project, make

ROOT = Path(__file__).parent.parent
NO_DATABASE = "postgresql+psycopg://nobody@db.example.invalid/shop"
GH = """#!/usr/bin/env python3
import json, os, pathlib, sys

store = pathlib.Path(os.environ["STORE"])
comments = json.loads(store.read_text()) if store.exists() else []
if "--jq" in sys.argv:
    assert "startswith" in sys.argv[sys.argv.index("--jq") + 1]
    print("\\n".join(str(number) for number, body in enumerate(comments) if body.startswith("<!-- alembic-pgpatterns")))
else:
    path, body = sys.argv[-3], pathlib.Path(sys.argv[-1].removeprefix("body=@")).read_text()
    if "PATCH" in sys.argv:
        comments[int(path.rpartition("/")[2])] = body
    else:
        comments.append(body)
    store.write_text(json.dumps(comments))
"""
"""Stands for GitHub's program: it keeps the comments in a file."""


def step(script: str, folder: Path, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "FOLDER": str(folder), "GITHUB_OUTPUT": str(folder / "out"), **variables}
    command = ["bash", str(ROOT / "action" / script)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def outputs(folder: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / "out").read_text().splitlines())


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The check's step on the sample project."""
    folder = tmp_path_factory.mktemp("action")
    sample = folder / "sample"
    shutil.copytree(ROOT / "sample_project", sample, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    arguments = (
        f"--select indexes,table-rewrite --since a92b5c1de8f0 --no-downgrade --all --format text={folder}/report.txt"
    )
    return folder, step("check.sh", folder, sample, ARGUMENTS=arguments, DATABASE_URL=NO_DATABASE)


@pytest.mark.long
def test_the_check_leaves_reports_and_its_exit_code(checked) -> None:
    folder, done = checked
    assert done.returncode == 0, done.stderr
    assert "::warning " in done.stdout and "unindexed-foreign-key" in done.stdout
    found = outputs(folder)
    assert found["exit-code"] == "1"
    assert json.loads(Path(found["sarif"]).read_text())["runs"]
    report = Path(found["report"]).read_text()
    assert report.startswith("### pgcheck: ") and "### What a deployment locks" in report and "```mermaid" in report


def test_a_check_that_cannot_be_done_says_so(tmp_path: Path) -> None:
    step("check.sh", tmp_path, tmp_path)
    assert outputs(tmp_path)["exit-code"] not in ("0", "1") and outputs(tmp_path)["sarif"] == ""
    report = Path(outputs(tmp_path)["report"]).read_text()
    assert "could not be done" in report and "alembic.ini" in report


def test_there_is_one_comment_and_it_is_the_newest(checked, tmp_path: Path) -> None:
    program = tmp_path / "gh"
    program.write_text(GH)
    program.chmod(0o755)
    store = tmp_path / "comments.json"
    store.write_text(json.dumps(["a person's words"]))
    variables = {"STORE": str(store), "REPOSITORY": "o/r", "NUMBER": "7"}
    for text in ("first", "x" * 100_000, Path(outputs(checked[0])["report"]).read_text()):
        (tmp_path / "report.md").write_text(text)
        done = step("comment.sh", tmp_path, **variables, REPORT=str(tmp_path / "report.md"))
        assert done.returncode == 0, done.stderr
        kept, ours = json.loads(store.read_text())
        assert kept == "a person's words" and text[:1000] in ours and len(ours) <= 65_536


def test_inputs_are_used_and_documented() -> None:
    text = (ROOT / "action.yml").read_text()
    inputs = re.findall(r"^  ([a-z-]+):\n    description: .+", text[: text.index("\noutputs:")], re.MULTILINE)
    assert len(inputs) >= 8
    assert not [name for name in inputs if f"inputs.{name}" not in text]


def test_the_problem_matcher_finds_the_lines_of_the_report(checked) -> None:
    report, revision = json.loads((ROOT / "action/problem-matcher.json").read_text())["problemMatcher"]
    first, second = (re.compile(item["regexp"]) for item in report["pattern"])
    lines = (checked[0] / "report.txt").read_text().splitlines()
    found = [
        (first.match(a)[report["pattern"][0]["code"]], second.match(b)[report["pattern"][1]["file"]])
        for a, b in pairwise(lines)
        if first.match(a) and second.match(b)
    ]
    assert ("unindexed-foreign-key", "shop/models.py") in found
    line = "pgpatterns: error: table-rewrite: public.a is rewritten (b) under X: c (migrations/versions/x2.py:15)"
    groups = re.compile(revision["pattern"][0]["regexp"]).match(line).groups()
    assert groups[0] == "error" and groups[3:] == ("migrations/versions/x2.py", "15")


@pytest.mark.long
def test_the_job_for_gitlab_runs_as_its_file_says(tmp_path: Path) -> None:
    """The file read as GitLab reads it, and its lines run by one shell, as GitLab's runner does."""
    yaml = pytest.importorskip("yaml")
    text = (ROOT / "action/gitlab.yml").read_text()
    job = yaml.safe_load(text)["pgcheck"]
    example = yaml.safe_load("\n".join(line.removeprefix("#") for line in text.splitlines() if line.startswith("#   ")))
    assert set(example["pgcheck"]["variables"]) < set(job["variables"])
    shop, origin = tmp_path / "shop", tmp_path / "origin.git"
    make(shop).sql("a1", "CREATE TABLE book (title varchar(255))")
    for words in (
        ["init", "-q", "-b", "main", "."],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "first"],
        ["clone", "-q", "--bare", ".", str(origin)],
        ["remote", "add", "origin", str(origin)],
    ):
        subprocess.run(["git", *words], cwd=shop, check=True)
    Project(shop).sql("b2", "CREATE TABLE author (name varchar(255))", down="a1")
    variables = {
        **{name: value.replace("$CI_PROJECT_DIR", str(shop)) for name, value in job["variables"].items()},
        "PGCHECK_INSTALL": "true",  # it is installed
        "PGCHECK_ARGUMENTS": "--no-downgrade",
        "CI": "true",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(job["script"])]
    done = subprocess.run(command, cwd=shop, env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "missing-primary-key" in done.stdout
    artifacts = job["artifacts"]
    issues = json.loads((shop / artifacts["reports"]["codequality"]).read_text())
    places = {item["location"]["path"] for item in issues}
    assert issues and all((shop / place).exists() for place in places), places
    page = (shop / artifacts["paths"][0]).read_text()
    assert page.startswith("<!DOCTYPE html>") and "public.author" in page
    assert (shop / job["cache"]["paths"][0]).parent == Path(variables["XDG_CACHE_HOME"])
