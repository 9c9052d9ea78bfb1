"""The plugin for pytest: fixtures for a project's tests, and the recording of statements. It does nothing by itself.

    def test_schema(pgcheck):
        assert not pgcheck.findings

    def test_our_pattern(pgpattern_examples):
        assert pgpattern_examples(OurPattern)

And ``pytest --pgpatterns-record=workload.jsonl``: what the tests' bodies send to the database is recorded, checked at
the end of the run, and kept for ``alembic pgadvise``.

Imports nothing of this package or of Alembic: every run of pytest loads it wherever this package is installed.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

INI = "pgpatterns_alembic_ini"
ARGUMENTS = "pgpatterns_arguments"


@dataclass(frozen=True)
class Problem:
    """A finding. ``location`` is ``file:line`` or None, ``severity`` info, warning or error."""

    pattern: str
    severity: str
    object: str
    message: str
    fingerprint: str
    location: str | None = None
    revision: str | None = None

    def __repr__(self) -> str:
        where = f" ({self.location})" if self.location else ""
        return f"<{self.severity} {self.pattern}: {self.message}{where}>"


@dataclass(frozen=True)
class Checked:
    """The report of ``alembic pgcheck`` on the project.

    ``findings``: those that the baseline does not accept. ``accepted``: the fingerprints of the others. ``skipped``:
    what was not looked at, with the reason. ``text``: the report for people.
    """

    findings: tuple[Problem, ...]
    accepted: tuple[str, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    def at_least(self, severity: str) -> tuple[Problem, ...]:
        """The findings of this severity (info, warning, error) or worse."""
        order = ("info", "warning", "error")
        return tuple(problem for problem in self.findings if order.index(problem.severity) >= order.index(severity))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Settings for pytest's own configuration file, and flags for recording statements."""
    parser.addini(INI, "alembic.ini of the project for the fixture pgcheck, from rootdir", default="alembic.ini")
    parser.addini(ARGUMENTS, "more arguments for `alembic pgcheck`, for the fixture pgcheck", type="args", default=[])
    group = parser.getgroup("pgpatterns", "statements that go to PostgreSQL")
    group.addoption(
        "--pgpatterns-record",
        metavar="FILE",
        nargs="?",
        const="workload.jsonl",
        help="record what tests send through SQLAlchemy, for `alembic pgadvise` (default: workload.jsonl)",
    )
    group.addoption(
        "--pgpatterns-values",
        choices=("all", "safe", "none"),
        default="all",
        help="values that the file may hold: all (default), safe (numbers, booleans, times, enums), none",
    )
    group.addoption(
        "--pgpatterns-statements",
        choices=("off", "warn", "fail"),
        help="check the statements at the end of the run: warn (default when recording), fail the run, or off",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start recording, if the flags ask for it."""
    file, statements = config.getoption("--pgpatterns-record"), config.getoption("--pgpatterns-statements")
    if file is None and statements in (None, "off"):
        return
    if file is not None and (file.endswith(".py") or Path(file).is_dir() or "::" in file):
        raise pytest.UsageError(
            f"--pgpatterns-record took {file!r} for the file to write. Write --pgpatterns-record=workload.jsonl {file}"
        )
    from alembic_pgpatterns.workload.pytest_session import NAME, RecordingPlugin

    conclude = None if statements == "off" else functools.partial(_conclude, config, fail=statements == "fail")
    path = config.invocation_params.dir / file if file is not None else None
    plugin = RecordingPlugin(config, path, config.getoption("--pgpatterns-values"), conclude)
    config.pluginmanager.register(plugin, NAME)


def _conclude(config: pytest.Config, workload: Any, terminal: Any, fail: bool) -> bool:
    """Print the findings about the statements. Returns whether the run fails because of them."""
    from alembic_pgpatterns.errors import PgPatternsError
    from alembic_pgpatterns.findings.statements import check_statements
    from alembic_pgpatterns.report.statements import lines

    try:
        settings = _settings(config)
        report = check_statements(workload, settings)
    except PgPatternsError as error:
        terminal.write_line(f"FAILED: the statements could not be checked: {error}", red=True)
        return fail
    if report.findings:
        terminal.section("pgpatterns: statements")
        for line in lines(report):
            terminal.write_line(line)
    return fail and bool(report.at_least(settings.fail_on))


def _settings(config: pytest.Config) -> Any:
    from alembic_pgpatterns.config.reading import read_settings

    ini = config.rootpath / str(config.getini(INI))
    return read_settings(ini, config.rootpath / "pyproject.toml")


@pytest.fixture(scope="session")
def pgcheck(pytestconfig: pytest.Config) -> Checked:
    """The project checked on a throw-away PostgreSQL, once per session.

    It runs in a process of its own: what env.py does to logging, to engines and to connections is no concern of the
    tests that come after it.
    """
    ini = pytestconfig.rootpath / str(pytestconfig.getini(INI))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "alembic", "-c", str(ini), "pgcheck", "--format", f"json={report}"]
        run = subprocess.run(
            [*command, "--format", "text", "--all", "--exit-zero", *pytestconfig.getini(ARGUMENTS)],
            cwd=ini.parent if ini.parent.is_dir() else None,
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if run.returncode or not report.exists():
            pytest.fail(f"alembic pgcheck could not be done:\n{run.stderr}", pytrace=False)
        return _checked(json.loads(report.read_text(encoding="utf-8")), run.stdout)


@pytest.fixture(scope="session")
def pgpattern_examples() -> Iterator[Callable[[Any], tuple[str, ...]]]:
    """A function that runs the examples of your own pattern; see docs/own-patterns.md.

    It starts a PostgreSQL when it is first called, and gives the messages of the bad example. It fails if `bad` is not
    found, if it is still found after its remedy, or if `good` is found.
    """
    import contextlib

    with contextlib.ExitStack() as stack:
        servers: list[Any] = []

        def examples(pattern: Any) -> tuple[str, ...]:
            from alembic_pgpatterns.checks.pattern_examples import check_examples
            from alembic_pgpatterns.server.throwaway import throwaway_server

            if not servers:
                servers.append(stack.enter_context(throwaway_server()))
            return check_examples(pattern, servers[0])

        yield examples


def _checked(document: dict[str, Any], text: str) -> Checked:
    return Checked(
        tuple(_problem(**finding) for finding in document["findings"]),
        tuple(document["accepted"]),
        {item["what"]: item["reason"] for item in document["skipped"]},
        text,
    )


def _problem(location: dict[str, Any] | None, **values: Any) -> Problem:
    names = ("pattern", "severity", "object", "message", "fingerprint", "revision")
    place = f"{location['path']}:{location['line']}" if location else None
    return Problem(location=place, **{name: values[name] for name in names})


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failing test that uses ``pgcheck`` shows the report."""
    outcome: Any = yield
    checked = getattr(item, "funcargs", {}).get("pgcheck")
    result = outcome.get_result()
    if isinstance(checked, Checked) and call.when == "call" and result.failed:
        result.sections.append(("alembic pgcheck", checked.text))
