"""How a real project is installed and run: one TOML file a project, read into a `Recipe`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
REVISION_LINE = re.compile(r"^revision(?:: str)? *= *\S", re.MULTILINE)
LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARNING
handlers = console
qualname =
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic
[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
"""


class ProjectError(Exception):
    """A project that could not be installed or run, with what its own tools said."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Tables that stand before the first revision: the DDL of a project's models, perhaps of an older release.

    `requirements` name an environment of their own (empty: the project's); `stamp` is the revision these
    models are at (empty: before the first).
    """

    metadata: str
    requirements: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is known about one project.

    `scheme` is the dialect and driver its URL must name; `environment`, `arguments` and `upgrade_command` may
    hold `{url}`, `{root}` (the project's folder) and `{bin}` (its environment's programs). `ini` is a file the
    project ships; without it one is written that points at `script_location`. `fails_with` is what the server
    says about a history that cannot reach head. `models` are the modules that define the models, and after a colon the
    MetaData in the last of them.
    """

    name: str
    summary: str
    requirements: tuple[str, ...]
    scheme: str
    revisions: str
    script_location: str = ""
    ini: str = ""
    url_in_ini: bool = True
    overrides: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    upgrade_command: str = ""
    separate: bool = False
    prepare: Prepare | None = None
    fails_with: str = ""
    models: str = ""


def names() -> list[str]:
    """Return the names of all projects there is a recipe for."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def read(name: str) -> Recipe:
    """Return the recipe of a project. Raises ProjectError for a name without one, with the names there are."""
    path = HERE / f"{name}.toml"
    if not path.exists():
        raise ProjectError(f"no recipe for {name!r}; there are {', '.join(names())}")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    values = _with_tuples(table)
    prepare = values.pop("prepare", None)
    if prepare is not None:
        values["prepare"] = Prepare(**_with_tuples(prepare))
    return Recipe(name=name, **values)


def _with_tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folder of one project: its environment, and the files it is run with."""

    recipe: Recipe
    root: Path

    @property
    def programs(self) -> Path:
        """The folder of the programs in the project's environment."""
        return self.root / "venv" / "bin"

    @property
    def packages(self) -> Path:
        """The folder the project's packages are installed in."""
        return next((self.root / "venv" / "lib").glob("python3.*/site-packages"))

    @property
    def checker(self) -> Path:
        """The `alembic` that has our plugin: the project's own, unless it cannot stand our requirements."""
        return (self.root / "pgpatterns" if self.recipe.separate else self.root / "venv") / "bin" / "alembic"

    @property
    def ini(self) -> Path:
        """The alembic.ini in use, the project's own where it ships a usable one."""
        return self.packages / self.recipe.ini if self.recipe.ini else self.root / "alembic.ini"

    @property
    def bootstrap(self) -> Path:
        """The SQL that runs before the first revision."""
        return self.root / "prepare.sql"

    def fill(self, text: str, url: str) -> str:
        """Put the folders and the URL into a text of the recipe."""
        places = {"{root}": str(self.root), "{bin}": str(self.programs), "{url}": url}
        return re.sub(r"\{(?:root|bin|url)\}", lambda match: places[match[0]], text)

    def environment(self, url: str) -> dict[str, str]:
        """Return the environment variables the project runs with, for a database at `url`."""
        return {key: self.fill(value, url) for key, value in self.recipe.environment.items()}

    def revision_count(self) -> int:
        """Return how many revision files the project ships."""
        files = (self.packages / self.recipe.revisions).rglob("*.py")
        return sum(bool(REVISION_LINE.search(path.read_text(encoding="utf-8"))) for path in files)

    def install(self) -> bool:
        """Make the environments that are not there yet; True when one was made."""
        recipe, made = self.recipe, False
        ours = [f"--editable={CHECKOUT}[embedded]"]
        if not self.programs.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            install(self.root / "venv", [*recipe.requirements, *([] if recipe.separate else ours)], recipe.overrides)
            made = True
        if not self.checker.parent.exists():
            install(self.root / "pgpatterns", ours)
            made = True
        if recipe.prepare is not None and not self.bootstrap.exists():
            self.bootstrap.write_text(self._prepared(recipe.prepare), encoding="utf-8")
        for name, text in recipe.files.items():
            (self.root / name).write_text(text, encoding="utf-8")
        return made

    def _prepared(self, prepare: Prepare) -> str:
        """Return the DDL of the models that stand before the first revision."""
        folder = self.root / "venv"
        if prepare.requirements:
            folder = self.root / "earlier"
            if not folder.exists():
                install(folder, [*prepare.requirements])
        command: list[str | Path] = [folder / "bin" / "python", HERE / "ddl.py", prepare.metadata, *prepare.modules]
        ddl = run(command, self.root).stdout
        if prepare.stamp:
            ddl += "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);\n"
            ddl += f"INSERT INTO alembic_version VALUES ('{prepare.stamp}');\n"
        return ddl

    def write_ini(self, url: str) -> None:
        """Write the alembic.ini that stands in for one the project does not ship."""
        recipe = self.recipe
        if recipe.ini:
            return
        location = recipe.script_location
        if recipe.separate:
            location = str(self.packages.joinpath(*location.split(":")))
        lines = ["[alembic]", f"script_location = {location}"]
        if recipe.url_in_ini:
            lines.append(f"sqlalchemy.url = {url.replace('%', '%%')}")
        self.ini.write_text("\n".join(lines) + "\n" + LOGGING, encoding="utf-8")

    def write_settings(self, url: str) -> None:
        """Write the pyproject.toml with our settings: the prepared SQL, and the variables that carry the URL."""
        lines = ["[tool.alembic_pgpatterns]"]
        if self.recipe.prepare is not None:
            lines.append(f"prepare = {json.dumps(str(self.bootstrap))}")
        if self.recipe.upgrade_command:
            carried = {key: self.fill(v, url) for key, v in self.recipe.environment.items() if "{url}" in v}
            pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in carried.items())
            lines.append(f"env = {{ {pairs} }}")
        (self.root / "pyproject.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Raises ProjectError with the end of what it said when it fails."""
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProjectError(f"{command[0]} failed with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done


def install(folder: Path, requirements: list[str], overrides: tuple[str, ...] = ()) -> None:
    """Make a virtual environment and install into it, with uv where there is one, else with pip.

    A half-made environment is removed again. `overrides` replace what the packages themselves demand; pip
    has no such thing, and installs those last, saying that it breaks a demand.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    try:
        run([uv, "venv", "-q", folder] if uv else [sys.executable, "-m", "venv", folder], folder.parent)
        if uv:
            listed = folder / "overrides.txt"
            listed.write_text("\n".join(overrides), encoding="utf-8")
            python = folder / "bin" / "python"
            run([uv, "pip", "install", "-q", "--python", python, "--overrides", listed, *requirements], folder.parent)
        else:
            for wanted in filter(None, (requirements, [*overrides])):
                run([folder / "bin" / "pip", "install", "-q", *wanted], folder.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
