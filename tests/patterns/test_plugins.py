"""Patterns of the user's own: found where they are named, like built-in ones, and never missing without a word."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from alembic_pgpatterns.checks.pattern_examples import ExampleFailed, check_examples
from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns import (
    Needs,
    RevisionPattern,
    SchemaPattern,
    Severity,
    built_in,
    option_docs,
    registry,
    use_plugins,
)
from alembic_pgpatterns.patterns._described import ATTRIBUTES
from alembic_pgpatterns.patterns._host import PluginHost
from alembic_pgpatterns.report import pages
from alembic_pgpatterns.schema.model import Name, Schema, Table
from tests import projects
from tests.reader import read as read_models

PATTERN = '''
from alembic_pgpatterns.patterns import Action, SchemaPattern, Severity


class {name}(SchemaPattern):
    """A table whose name is too short."""

    action = Action.REPORT
    bad = "CREATE TABLE x (id bigint PRIMARY KEY)"
    good = "CREATE TABLE exercise (id bigint PRIMARY KEY)"

    def detect(self, schema):
        """Tables."""
        for table in schema.checked_tables():
            if len(table.name.name) < 3:
                yield self.finding(table, f"{{table.name}} is a short name")
'''


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    before = set(sys.modules)
    yield
    use_plugins((), "")
    for name in set(sys.modules) - before:
        del sys.modules[name]


def read(folder: Path, plugins: str, **files: str) -> Settings:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "pyproject.toml").write_text(f"[tool.alembic_pgpatterns]\nplugins = [{plugins}]\n")
    return read_settings(None, folder / "pyproject.toml")


def test_a_plugin_is_in_the_registry_and_can_be_set(tmp_path: Path) -> None:
    text = PATTERN.format(name="ShortName")
    (tmp_path / "rules.py").write_text(text)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.alembic_pgpatterns]\nplugins = ["rules"]\nselect = ["rules"]\n'
        '[tool.alembic_pgpatterns.patterns.short-name]\nseverity = "error"\n'
    )
    settings = read_settings(None, tmp_path / "pyproject.toml")
    (pattern,) = chosen_patterns(settings)
    assert (pattern.name, pattern.folder, str(pattern.severity)) == ("short-name", "rules", "error")
    assert str(tmp_path) not in sys.path


def test_a_package_gives_the_patterns_of_all_its_modules(tmp_path: Path) -> None:
    first, second = PATTERN.format(name="ShortName"), PATTERN.format(name="BriefName")
    read(tmp_path, '"house"', house____init__="", house__one=first, house__two=second)
    assert {"short-name", "brief-name"} == registry().keys() - built_in().keys()
    assert registry()["short-name"].folder == "house"


def test_plugins_go_with_the_settings_that_name_them(tmp_path: Path) -> None:
    read(tmp_path, '"rules"', rules=PATTERN.format(name="ShortName"))
    read(tmp_path, "")
    assert registry().keys() == built_in().keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os\nimport nowhere_at_all\n", "rules.py:2: ModuleNotFoundError"),
        ("x = 1\ny = x / 0\n", "rules.py:2: ZeroDivisionError"),
        ("def broken(:\n", "rules.py:1: SyntaxError"),
        ("raise SystemExit(3)\n", "rules.py:1: SystemExit"),
        ("x = 1\n", "defines no pattern. Define a subclass"),
        (PATTERN.format(name="VarcharLength"), "rules.py:5: a pattern named varchar-length exists already"),
        (PATTERN.format(name="ShortName").replace('    """A table whose name is too short."""\n', ""), "no docstring"),
        (PATTERN.format(name="ShortName").replace("def detect", "def find"), "has no method `detect`"),
        (PATTERN.format(name="ShortName").replace("Action.REPORT", "Action.SUGGEST"), "no `not_when`"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PgPatternsError) as error:
        read(tmp_path, '"rules"', rules=text)
    assert message in str(error.value)
    assert "rules" in str(error.value)
    assert registry().keys() == built_in().keys()


def test_a_module_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(PgPatternsError, match=r"plugins: there is no module 'nowhere'\. A module is found in"):
        read(tmp_path, '"nowhere"')


def test_two_plugins_with_one_name(tmp_path: Path) -> None:
    text = PATTERN.format(name="ShortName")
    with pytest.raises(PgPatternsError, match=r"second\.py:5: a pattern named short-name exists already .*first\.py:5"):
        read(tmp_path, '"first", "second"', first=text, second=text)


def test_the_whole_way_through_a_project(tmp_path: Path) -> None:
    """Report, suppression by the baseline, and FAILED where the plugin is broken."""
    project = projects.make(tmp_path)
    project.write("src/rules.py", PATTERN.format(name="ShortName"))
    ini = (tmp_path / "alembic.ini").read_text()
    project.write("alembic.ini", f"{ini}prepend_sys_path = src\n[pgpatterns]\nplugins = rules\n")
    project.sql("r0", "CREATE TABLE x (id bigint PRIMARY KEY)")
    run = project.alembic("pgcheck", "--select", "short-name", "--format", "json")
    assert run.stdout, run.stderr
    report = json.loads(run.stdout)
    assert [item["fingerprint"] for item in report["findings"]] == ["short-name public.x"]
    sarif = json.loads(project.alembic("pgcheck", "--select", "short-name", "--format", "sarif").stdout)
    assert [rule["id"] for rule in sarif["runs"][0]["tool"]["driver"]["rules"]] == ["short-name"]
    assert project.alembic("pgcheck", "--select", "short-name", "--write-baseline").returncode == 0
    assert project.alembic("pgcheck", "--select", "short-name").returncode == 0
    project.write("src/rules.py", "import nowhere_at_all\n")
    run = project.alembic("pgcheck")
    assert run.returncode == 255
    assert "FAILED: alembic.ini [pgpatterns]: plugins: rules cannot be imported: " in run.stdout + run.stderr


@pytest.mark.long
def test_an_installed_package_needs_no_setting(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(PATTERN.format(name="ShortName"))
    metadata = tmp_path / "house_rules-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: house-rules\nVersion: 1\n")
    points = metadata / "entry_points.txt"
    points.write_text("[alembic_pgpatterns.patterns]\nhouse = rules\n")
    command = [
        sys.executable,
        "-c",
        "from alembic_pgpatterns.patterns import registry; print('short-name' in registry())",
    ]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "True", run.stderr
    points.write_text("[alembic_pgpatterns.patterns]\nhouse = nowhere\n")
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "entry point 'house' of house-rules: there is no module 'nowhere'" in run.stderr


def test_pages_of_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules.py").write_text(PATTERN.format(name="ShortName"))
    monkeypatch.chdir(tmp_path)
    pages.main(["out", "rules"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["index.md", "short-name.md"]
    assert "| [short-name](short-name.md) |" in (tmp_path / "out/index.md").read_text()


class SilentPattern(SchemaPattern):
    """It finds nothing."""

    bad = "CREATE TABLE x ()"

    def detect(self, schema):
        return iter(())


class LoudPattern(SchemaPattern):
    """It finds everything."""

    bad = good = "CREATE TABLE x ()"

    def detect(self, schema):
        for table in schema.checked_tables():
            yield self.finding(table, f"{table.name} is a table")


def test_examples_that_do_not_do_what_they_promise(server) -> None:
    with pytest.raises(ExampleFailed, match="silent-pattern: `bad` is not reported"):
        check_examples(SilentPattern, server)
    with pytest.raises(ExampleFailed, match=r"loud-pattern: `good` is reported: public\.x is a table"):
        check_examples(LoudPattern, server)


@pytest.mark.long
def test_examples_of_built_in_patterns(server) -> None:
    assert check_examples(built_in()["nullable-flag"], server) == (
        "public.account.active is a boolean that allows null",
    )
    assert check_examples(built_in()["unnamed-constraint"], server)
    revision = built_in()["blocking-index-drop"]
    assert issubclass(revision, RevisionPattern)
    (message,) = check_examples(revision, server)
    assert "DROP INDEX takes ACCESS EXCLUSIVE" in message


OPTIONS = PATTERN.format(name="ShortName").replace(
    "class ShortName",
    '''import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class Case(enum.Enum):
    UPPER = 1
    LOWER = 2

    def __str__(self):
        return self.name.lower()


@dataclass(frozen=True)
class Options:
    """Its options."""

    least: int = 3
    """Letters that a name has at least."""
    names: tuple[str, ...] = ("x",)
    case: Case = Case.UPPER
    files: tuple[Path, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    ratio: float | None = None


class ShortName''',
).replace("    bad =", "    Options = Options\n    bad =").replace(
    "is a short name", "{self.options!r}"
)  # fmt: skip


@pytest.mark.parametrize("in_command", [True, False])
def test_options_arrive_with_their_types(in_command: bool, tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(OPTIONS)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.alembic_pgpatterns]\nplugins = ["rules"]\nselect = ["short-name"]\n'
        '[tool.alembic_pgpatterns.patterns.short-name]\nleast = 7\ncase = "lower"\nfiles = ["a", "b"]\nratio = 0.5\n'
        'severity = "error"\naction = "report"\nwords = { a = "b" }\n'
    )
    settings = read_settings(None, tmp_path / "pyproject.toml", in_command=in_command)
    (pattern,) = chosen_patterns(settings, (SchemaPattern,))
    assert isinstance(pattern, SchemaPattern)
    assert option_docs(pattern.Options)["least"] == "Letters that a name has at least."
    short = Schema(source="models", tables=(Table(Name("public", "x")),))
    (finding,) = pattern.detect(short)
    assert finding.severity is Severity.ERROR
    for part in ("least=7", "names=('x',)", "case=<Case.LOWER: 2>", "Path('a')", "words={'a': 'b'}", "ratio=0.5"):
        assert part in finding.message.replace("PosixPath", "Path").replace("mappingproxy({'a': 'b'})", "{'a': 'b'}")
    wrong = (tmp_path / "pyproject.toml").read_text().replace('"lower"', '"middle"')
    (tmp_path / "pyproject.toml").write_text(wrong)
    with pytest.raises(PgPatternsError, match=r"case: 'middle' is not one of upper, lower"):
        read_settings(None, tmp_path / "pyproject.toml", in_command=in_command)


def test_a_pattern_says_the_same_from_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every built-in pattern, as if it were a plugin's: class attributes, options, and what it finds in real models."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "sample_project")
    schema = read_models(importlib.import_module("shop.models").Base.metadata)
    host = PluginHost(None, 60)
    folders = sorted({cls.__module__.rpartition(".")[0] for cls in built_in().values()})
    hosted = {cls.name: cls for folder in folders for cls in host.load(folder, "test", ())}
    assert hosted.keys() == built_in().keys()
    count = 0
    for name, cls in built_in().items():
        stand_in = hosted[name]
        assert {key: getattr(stand_in, key, None) for key in ATTRIBUTES} == {
            key: getattr(cls, key, None) for key in ATTRIBUTES
        }
        assert [item.name for item in fields(stand_in.Options)] == [item.name for item in fields(cls.Options)]
        if issubclass(cls, SchemaPattern) and cls.needs is not Needs.DATABASE:
            expected = list(cls(target_version=18).detect(schema))
            actual = stand_in(target_version=18)
            assert isinstance(actual, SchemaPattern)
            assert list(actual.detect(schema)) == expected, name
            count += len(expected)
    assert count > 20
