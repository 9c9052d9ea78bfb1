"""What the process of plugins answers, and what is said where their code goes wrong. One process serves all tests."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns import patterns
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.detected import detected
from alembic_pgpatterns.patterns import Action, Pattern, PatternFailed, Severity
from alembic_pgpatterns.patterns._described import finding_data, plain_value, restored, type_data, type_of
from alembic_pgpatterns.patterns._host import PluginHost
from alembic_pgpatterns.patterns._plugins import place_of
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import Name, Schema, Table
from tests.findings.test_run_patterns import NOW

RULES = '''
import enum
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alembic_pgpatterns.patterns import Action, SchemaPattern, ServerPattern, Severity


@dataclass(frozen=True)
class Options:
    """Its options."""

    least: int
    folder: Path = Path("here")
    """Where it
    looks."""
    words: Mapping[str, str] = field(default_factory=dict)
    ratio: float | None = None


class WhatItIsGiven(SchemaPattern):
    """It says what it was given."""

    Options = Options
    severity = Severity.INFO
    action = Action.REPORT

    def detect(self, schema):
        """All."""
        self.calls = getattr(self, "calls", 0) + 1
        told = f"{self.calls} {id(schema)} {self.severity} {self.action} {self.target_version} {self.options}"
        yield self.finding(schema.tables[0], told)


class Troublesome(SchemaPattern):
    """It does what the name of the table says."""

    def detect(self, schema):
        """All."""
        name = schema.tables[0].name.name
        if name == "raise":
            raise ValueError("no luck")
        if name == "exit":
            sys.exit("enough")
        if name == "text":
            yield "a text"
        if name == "remedy":
            yield self.finding(schema.tables[0], "short", "DROP TABLE x")
        if name == "library":
            Path(None)
        if name == "end":
            os._exit(7)
        while name == "loop":
            pass


class ServerRule(ServerPattern):
    """About a server."""

    def cannot_tell(self, server):
        """It never can."""
        return f"{server.database} is closed"

    def detect(self, server):
        """Nothing."""
        return iter(())
'''


def said_at(message: str) -> str:
    """The message with the lines of the module in place of words in capitals."""
    for word, line in {"RAISE": 'raise ValueError("no luck")', "EXIT": 'sys.exit("enough")'}.items():
        message = message.replace(f":{word}", f":{[text.strip() for text in RULES.split(chr(10))].index(line) + 1}")
    return message


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "hosted_rules.py").write_text(RULES)
    (folder / "broken_rules.py").write_text("from alembic_pgpatterns.patterns import SchemaPattern\n1 / 0\n")
    return folder


@pytest.fixture(scope="module")
def host() -> Iterator[PluginHost]:
    made = PluginHost("the tests", 30)
    yield made
    made._process.close()


@pytest.fixture(scope="module")
def rules(host: PluginHost, place: Path) -> dict[str, type[Pattern]]:
    return {cls.name: cls for cls in host.load("hosted_rules", "plugins", (place,))}


def schema(table: str = "x") -> Schema:
    return Schema(source="models", tables=(Table(Name("public", table)),))


def detect(cls: type[Pattern], facts: Any, **values: Any) -> list[Any]:
    pattern: Any = cls(**values)
    return list(pattern.detect(facts))


def test_a_stand_in_is_like_the_class(rules: dict[str, type[Pattern]], place: Path) -> None:
    cls = rules["what-it-is-given"]
    line = RULES.split("\n").index("class WhatItIsGiven(SchemaPattern):") + 1
    assert place_of(cls) == f"{place}/hosted_rules.py:{line}"
    assert (cls.__doc__, cls.__module__, cls.__name__) == (
        "It says what it was given.",
        "hosted_rules",
        "WhatItIsGiven",
    )
    assert (cls.severity, cls.action) == (Severity.INFO, Action.REPORT)
    described: Any = cls
    assert described.described_source == RULES
    assert patterns.option_docs(cls.Options) == {"folder": "Where it looks."}
    assert cls.Options.__name__ == "Options"
    options: Any = cls.Options
    with pytest.raises(TypeError):
        options()
    with pytest.raises(TypeError):
        options(3)
    made = options(least=3)
    assert (made.folder, made.words, made.ratio) == (Path("here"), {}, None)
    with pytest.raises(FrozenInstanceError):
        made.least = 4
    assert [item.name for item in fields(options)] == ["least", "folder", "words", "ratio"]


def test_what_a_pattern_is_given(rules: dict[str, type[Pattern]]) -> None:
    cls = rules["what-it-is-given"]
    options: Any = cls.Options
    facts = schema()
    pattern: Any = cls(options(least=3, ratio=0.5), severity=Severity.ERROR, action=Action.SUGGEST, target_version=16)
    first, second = (next(iter(pattern.detect(facts))) for _ in range(2))
    assert first.severity is Severity.ERROR
    told = first.message.split(" ", 2)
    assert told[0] == "1" and told[2].startswith("error suggest 16 Options(least=3, folder=")
    assert second.message.split(" ", 2)[:2] == ["2", told[1]], (
        "one object on the other side, for one pattern and schema"
    )
    (usual,) = detect(cls, facts, options=options(least=3))
    assert usual.severity is Severity.INFO
    assert usual.message.split(" ", 2)[0] == "1", "another object of the same class"
    assert usual.message.split(" ", 2)[1] == told[1], "the schema is sent once, whoever looks at it"
    assert " info report None Options(" in usual.message
    (other,) = detect(cls, schema("y"), options=options(least=3))
    assert other.fingerprint == "what-it-is-given public.y"


def test_a_severity_of_the_class_is_no_decision_of_the_user(rules: dict[str, type[Pattern]]) -> None:
    cls = rules["what-it-is-given"]
    options: Any = cls.Options
    assert [item.severity for item in detect(cls, schema(), options=options(least=1), severity=Severity.INFO)] == [
        Severity.INFO
    ]


def test_a_pattern_of_servers_says_why_it_cannot_tell(rules: dict[str, type[Pattern]]) -> None:
    server = LiveServer(160004, "shop", "app", NOW, NOW)
    rule: Any = rules["server-rule"]()
    assert rule.cannot_tell(server) == f"{server.database} is closed"
    assert list(rule.detect(server)) == []


@pytest.mark.parametrize(
    ("table", "failure", "message"),
    [
        ("raise", PatternFailed, r"ValueError: no luck \(.*/hosted_rules\.py:RAISE\)"),
        ("exit", PatternFailed, r"SystemExit: enough \(.*/hosted_rules\.py:EXIT\)"),
        ("library", PatternFailed, r"TypeError: .* \(.*\.py:\d+\)"),
        ("text", PgPatternsError, r"The pattern troublesome is not right: `detect` gave 'a text' \(str\)\. It must "
         r"give what self\.finding\(\) returns\. Until it is corrected, leave the pattern out: --ignore troublesome\."),
        ("remedy", PgPatternsError, r"the remedy of its finding about public\.remedy is 'DROP TABLE x' \(str\)\. It "
         r"must be one of alembic_pgpatterns\.remedies\.model: Advice\(TEXT\) for words, Statements\(\(SQL,\)\) for "
         r"SQL"),
    ],
)  # fmt: skip
def test_code_that_fails(table: str, failure: type[Exception], message: str, rules: dict[str, type[Pattern]]) -> None:
    with pytest.raises(failure, match=said_at(message)):
        detect(rules["troublesome"], schema(table))
    assert detect(rules["troublesome"], schema()) == [], "the process goes on"


def test_a_module_that_cannot_be_used(host: PluginHost, place: Path) -> None:
    with pytest.raises(PgPatternsError, match=r"^plugins: broken_rules cannot be imported: .*broken_rules\.py:2: Zero"):
        host.load("broken_rules", "plugins", (place,))
    with pytest.raises(PgPatternsError, match=r"^here: there is no module 'nowhere_rules'\. A module is found in the"):
        host.load("nowhere_rules", "here", ())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("end", r"^the pattern troublesome: the code ended its process \(exit code 7\)\. The setting `plugins` names "
         r"it: correct it, or leave it out\.$"),
        ("loop", r"^the pattern troublesome: the code ran for longer than time_limit \(0\.5 s\) at "
         r".*hosted_rules\.py:\d+\. The setting"),
    ],
)  # fmt: skip
def test_code_that_does_not_answer(table: str, message: str, place: Path) -> None:
    ended = PluginHost(None, 0.5)
    ended.seconds = 30
    cls = next(item for item in ended.load("hosted_rules", "plugins", (place,)) if item.name == "troublesome")
    ended.seconds = 0.5
    with pytest.raises(PgPatternsError, match=message):
        detect(cls, schema(table))


def test_a_system_without_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(PgPatternsError, match=r"a fork, which this system does not have: leave them out here\.$"):
        PluginHost(None, 1)


def test_what_is_remembered_is_not_sent(rules: dict[str, type[Pattern]]) -> None:
    """`Schema.fact` remembers what patterns compute, which may be anything."""
    facts = schema()
    assert facts.fact(lambda _: sys) is sys
    with pytest.raises((TypeError, AttributeError)):
        pickle.dumps(facts)
    options: Any = rules["what-it-is-given"].Options
    assert len(detect(rules["what-it-is-given"], facts, options=options(least=1))) == 1


@pytest.mark.parametrize(
    ("kind", "value", "plain"),
    [
        (int, 3, 3),
        (bool, True, True),
        (float, 0.5, 0.5),
        (str, "a", "a"),
        (Path, Path("a/b"), "a/b"),
        (int | None, None, None),
        (int | None, 4, 4),
        (tuple[str, ...], ("a", "b"), ("a", "b")),
        (tuple[Path, ...], (Path("a"),), ("a",)),
        (Severity, Severity.ERROR, "error"),
        (tuple[Action, ...], (Action.REPORT,), ("report",)),
    ],
)
def test_options_as_plain_data(kind: Any, value: Any, plain: Any) -> None:
    assert plain_value(value) == plain
    assert restored(kind, plain) == value
    known = type_of(type_data(kind))
    assert known is not None
    if value is None or isinstance(value, (tuple, Severity)):
        return
    assert known is kind or kind == int | None


def test_a_finding_about_something_of_the_plugin_s_own() -> None:
    class Own:
        identifier = "thing"
        table = None
        origin = Table(Name("public", "x")).origin

    cls: Any = next(iter(patterns.built_in().values()))
    finding = replace(cls().finding(Table(Name("public", "x")), "said"), at=Own())
    subject = finding_data(finding)[9]
    assert (subject.identifier, subject.table) == ("thing", None)


def test_a_file_of_patterns_must_hold_one_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "from alembic_pgpatterns.patterns import SchemaPattern\n"
    both = "class OneRule(SchemaPattern):\n    'It.'\nclass OtherRule(SchemaPattern):\n    'It.'\n"
    (tmp_path / "no_rule.py").write_text(head)
    (tmp_path / "one_rule.py").write_text(head + both)
    (tmp_path / "other_rule.py").write_text(head + both.partition("class OtherRule")[0])
    (tmp_path / "bad_rule.py").write_text("import nowhere_at_all\n")
    (tmp_path / "right_rule.py").write_text(head + "class RightRule(SchemaPattern):\n    'It.'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert patterns._load("right_rule").name == "right-rule"
    for module, message in {
        "no_rule": "must define one pattern named 'no-rule'; it defines none.",
        "one_rule": "must define one pattern named 'one-rule'; it defines one-rule, other-rule.",
        "other_rule": "must define one pattern named 'other-rule'; it defines one-rule.",
        "bad_rule": "cannot be loaded: ModuleNotFoundError",
    }.items():
        with pytest.raises(PgPatternsError) as error:
            patterns._load(module)
        assert f"The pattern file {module} {message}" in str(error.value)


def test_the_mistake_of_a_pattern_of_one_s_own_is_not_ours() -> None:
    class MineRule(patterns.SchemaPattern):
        """It fails."""

        def detect(self, schema: Schema) -> Iterator[Any]:
            raise ValueError("no luck")

    with pytest.raises(PgPatternsError, match=r"a mistake in the pattern; correct it\. Until then, leave the pattern"):
        detected(MineRule(), schema())
