"""Every command and hook reads the same files, wherever it is started."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from alembic.config import Config

from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.config.sources import settings_of
from tests.projects import BOOKS_AND_AUTHORS, make

TABLE = '[tool.alembic_pgpatterns]\nlock_timeout = "7s"\nprepare = "sql/before.sql"\n'


def config_in(folder: Path, toml: str | None = "pyproject.toml") -> Config:
    """As the program makes it: the second name is always given, whether there is such a file or not."""
    return Config(str(folder / "alembic.ini"), toml_file=toml)


@pytest.mark.parametrize("start", [".", "shop", "shop/app"])
@pytest.mark.parametrize("home", ["shop", "shop/app"])
def test_the_same_from_every_folder(home: str, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings stand beside alembic.ini or above it; another file in the current folder is not read."""
    (tmp_path / "shop/app").mkdir(parents=True)
    (tmp_path / "shop/app/alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    (tmp_path / "shop/.git").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.alembic_pgpatterns]\nlock_timeout = "1s"\n')
    (tmp_path / home / "pyproject.toml").write_text(TABLE)
    monkeypatch.chdir(tmp_path / start)
    settings = settings_of(Config("alembic.ini" if start == "shop/app" else str(tmp_path / "shop/app/alembic.ini")))
    program = settings_of(config_in(tmp_path / "shop/app"))
    assert settings == program
    assert settings.lock_timeout == "7s"
    assert settings.prepare is not None
    assert settings.path(settings.prepare) == tmp_path / home / "sql/before.sql"
    assert settings.path(settings.baseline) == tmp_path / "shop/app/pgpatterns-baseline.txt"


def test_a_pyproject_named_to_alembic_comes_first(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "alembic.ini").write_text("[alembic]\n")
    (tmp_path / "pyproject.toml").write_text('[tool.alembic_pgpatterns]\nlock_timeout = "1s"\n')
    (tmp_path / "other/pyproject.toml").write_text(TABLE)
    assert settings_of(config_in(tmp_path, str(tmp_path / "other/pyproject.toml"))).lock_timeout == "7s"


def test_without_alembic_ini_the_one_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    assert settings_of(Config("alembic.ini", toml_file="pyproject.toml")).lock_timeout == "7s"
    assert settings_of(Config(toml_file="pyproject.toml")).lock_timeout == "7s"
    assert settings_of(None).lock_timeout == "7s"


@pytest.mark.long
def test_pgrevision_writes_the_same_from_the_parent_folder(tmp_path: Path) -> None:
    """The rewriter once read other files than the target: no lock_timeout of ours, and one file in place of two."""
    written = []
    for number, (start, flags) in enumerate((("app", ()), (".", ("-c", "app/alembic.ini")))):
        folder = tmp_path / str(number)
        project = make(folder / "app")
        project.write("shopmodels.py", BOOKS_AND_AUTHORS)
        project.env(
            head="import sys; sys.path.insert(0, config.config_file_name.rpartition('/')[0] or '.')",
            models="",
            options='autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]',
        )
        env = project.folder / "migrations/env.py"
        env.write_text(
            env.read_text().replace(
                "def run_offline",
                "from shopmodels import Base\ntarget_metadata = Base.metadata\n\n\ndef run_offline",
                1,
            )
        )
        project.sql("a1", "CREATE TABLE author (id bigint PRIMARY KEY)")
        project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nlock_timeout = "7s"\nadopt = "all"\n')
        project.folder = folder / start
        run = project.alembic(*flags, "pgrevision", "-m", "books", "--rev-id", "b2")
        assert run.returncode == 0, run.stderr
        (path,) = (folder / "app/migrations/versions").glob("*b2*.py")
        lines = path.read_text().splitlines()
        written.append(
            [line for line in lines if not line.lstrip().startswith("#")]
        )  # comments name files as seen here
    assert written[0] == written[1]
    assert any("7s" in line for line in written[0])


@pytest.mark.parametrize("wrong", ["tool.alembic-pgpatterns", "tool.pgpatterns", 'tool."Alembic.PgPatterns"'])
@pytest.mark.parametrize("beside", ["", TABLE])
def test_a_table_of_a_similar_name_is_not_left_out_silently(wrong: str, beside: str, tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    (tmp_path / "pyproject.toml").write_text(f'{beside}\n[{wrong}]\nlock_timeout = "1s"\n')
    with pytest.raises(SettingsError, match=r"is not read: the table's name is \[tool\.alembic_pgpatterns\]"):
        settings_of(config_in(tmp_path))


@pytest.mark.parametrize(
    "wrong", ["alembic_pgpatterns", "tool.alembic_pgpatterns", "PgPatterns", "pg-patterns:varchar"]
)
def test_a_section_of_a_similar_name_is_not_left_out_silently(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = migrations\n[{wrong}]\nselect = *\n")
    with pytest.raises(SettingsError, match=r"is not read: the section's name is \[pgpatterns\]"):
        settings_of(config_in(tmp_path))


def test_other_tools_have_tables_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n[post_write_hooks]\nhooks =\n")
    (tmp_path / "pyproject.toml").write_text(f"{TABLE}\n[tool.alembic]\n[tool.pgpatch]\n[tool.alembic-utils]\n")
    assert settings_of(config_in(tmp_path)).lock_timeout == "7s"


def test_a_file_that_the_environment_names_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic goes on without it, and other settings would be used."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALEMBIC_CONFIG", "nope.ini")
    config = Config("nope.ini", cmd_opts=argparse.Namespace(config=None))
    with pytest.raises(SettingsError, match=r"ALEMBIC_CONFIG: there is no nope\.ini"):
        settings_of(config, {})
    assert settings_of(config).lock_timeout == "5s"
