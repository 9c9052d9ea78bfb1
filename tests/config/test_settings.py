"""Settings from both files and from flags, and the messages about wrong ones."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns, configured
from alembic_pgpatterns.config.conversion import options_of, settings_of
from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.patterns import Action, Severity, built_in
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.patterns.types.varchar_length import VarcharLength
from alembic_pgpatterns.report.settings_schema import settings_schema


def read(folder: Path, toml: str = "", ini: str = "", **flags: object) -> Settings:
    (folder / "pyproject.toml").write_text(toml)
    (folder / "alembic.ini").write_text(f"[alembic]\nscript_location = x\n{ini}")
    return read_settings(folder / "alembic.ini", folder / "pyproject.toml", flags)


def test_sources_in_their_order(tmp_path: Path) -> None:
    toml = '[tool.alembic_pgpatterns]\nfail_on = "info"\ntarget_version = 14\nadopt = "all"\n'
    settings = read(tmp_path, toml, "[pgpatterns]\nfail_on = error\ntarget_version = 15\n", target_version=16)
    assert (settings.fail_on, settings.target_version, settings.adopt) == (Severity.ERROR, 16, "all")
    assert settings.sources["fail_on"] == "alembic.ini [pgpatterns]"
    assert settings.sources["target_version"] == "command line"
    assert settings.sources["adopt"] == "pyproject.toml [tool.alembic_pgpatterns]"


def test_selection_by_name_folder_and_glob(tmp_path: Path) -> None:
    settings = read(tmp_path, '[tool.alembic_pgpatterns]\nselect = ["indexes", "varchar-*"]\nignore = ["duplicate-*"]')
    names = {pattern.name for pattern in chosen_patterns(settings)}
    assert {"unindexed-foreign-key", "varchar-length"} <= names
    assert not names & {"duplicate-index", "missing-primary-key"}


def test_one_pattern_in_either_file(tmp_path: Path) -> None:
    toml = '[tool.alembic_pgpatterns.patterns.varchar-length]\nkeep_limit = "always"\nseverity = "error"\n'
    settings = read(tmp_path, toml, "[pgpatterns:unindexed-foreign-key]\naction = report\n")
    varchar = configured(settings, VarcharLength)
    assert (varchar.severity, varchar.options.keep_limit) == (Severity.ERROR, "always")
    assert configured(settings, UnindexedForeignKey).action is Action.REPORT


def test_off_is_not_checked(tmp_path: Path) -> None:
    settings = read(tmp_path, '[tool.alembic_pgpatterns.patterns.varchar-length]\naction = "off"')
    assert "varchar-length" not in {pattern.name for pattern in chosen_patterns(settings)}


def test_environment_from_ini_keeps_case_and_percent(tmp_path: Path) -> None:
    settings = read(tmp_path, ini="[pgpatterns]\nenv =\n  DATABASE_URL = {url}?a=%%20b\n  MODE = test\n")
    assert dict(settings.env) == {"DATABASE_URL": "{url}?a=%%20b", "MODE": "test"}


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[tool.alembic_pgpatterns]\nfail_onn = "info"', "'fail_on'"),
        ('[tool.alembic_pgpatterns]\nfail_on = "fatal"', "info, warning, error"),
        ('[tool.alembic_pgpatterns]\nselect = ["varchar-lenght"]', "'varchar-length'"),
        ("[tool.alembic_pgpatterns]\ntarget_version = true", "target_version"),
        ('[tool.alembic_pgpatterns]\nadopt = "some"', "new, all"),
        ('[tool.alembic_pgpatterns]\nlock_timeout = "soon"', "5s or 500ms"),
        ('[tool.alembic_pgpatterns.patterns.varchar-lenght]\naction = "off"', "'varchar-length'"),
        ("[tool.alembic_pgpatterns.patterns.varchar-length]\nkeep_limits = true", "'keep_limit'"),
        ('[tool.alembic_pgpatterns.patterns.varchar-length]\nkeep_limit = "perhaps"', "not one of auto, always, never"),
        ('[tool.alembic_pgpatterns.patterns]\nvarchar-length = "off"', 'action = "report"'),
        ("[tool.alembic_pgpatterns\n", "TOML"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, toml)
    assert said in str(caught.value)
    assert "pyproject.toml" in str(caught.value)


def test_exclusion_by_glob(tmp_path: Path) -> None:
    toml = '[tool.alembic_pgpatterns]\nexclude_tables = ["tmp_*", "audit.log"]\nexclude_schemas = ["x*"]'
    settings = read(tmp_path, toml)
    assert settings.excludes("public", "tmp_1")
    assert settings.excludes("audit", "log")
    assert not settings.excludes("public", "log")
    assert settings.excludes("xyz")


SCHEMA = jsonschema.Draft7Validator(json.loads(settings_schema()))


def test_the_schema_is_one_and_has_every_setting() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA.schema)
    assert set(SCHEMA.schema["properties"]) == {*settings_of(Settings), "patterns"}
    patterns = SCHEMA.schema["properties"]["patterns"]["properties"]
    for name, cls in built_in().items():
        assert set(patterns[name]["properties"]) == {"severity", "action", *options_of(cls.Options)}


def test_the_schema_takes_every_default(tmp_path: Path) -> None:
    defaults = {name: node["default"] for name, node in SCHEMA.schema["properties"].items() if "default" in node}
    assert {"select", "fail_on", "history", "cache"} <= set(defaults) and SCHEMA.is_valid(defaults)
    given = "\n".join(f"{name} = {json.dumps(value)}" for name, value in defaults.items())
    settings = read(tmp_path, f"[tool.alembic_pgpatterns]\n{given}\n")
    assert all(getattr(settings, name) == getattr(Settings(), name) for name in defaults)


@pytest.mark.parametrize(
    ("toml", "valid"),
    [
        ('select = ["indexes"]\nhistory = 3\ncache = false\nenv = { A = "b" }', True),
        ('patterns.varchar-length.action = "suggest"\npatterns.varchar-length.keep_limit = "always"', True),
        ('patterns.unindexed-foreign-key.severity = "error"', True),
        ('fail_onn = "info"', False),
        ('fail_on = "fatal"', False),
        ('adopt = "some"', False),
        ("history = [1]", False),
        ("env = { A = 1.5 }", False),
        ("patterns.varchar-length.keep_limits = true", False),
        ('patterns.varchar-length.action = "perhaps"', False),
    ],
)
def test_the_schema_says_what_the_reader_says(tmp_path: Path, toml: str, valid: bool) -> None:
    text = f"[tool.alembic_pgpatterns]\n{toml}\n"
    assert SCHEMA.is_valid(tomllib.loads(text)["tool"]["alembic_pgpatterns"]) is valid
    if valid:
        read(tmp_path, text)
    else:
        with pytest.raises(SettingsError):
            read(tmp_path, text)
