"""Autogenerate with the plugin in this process, without env.py and without files: many models in little time."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.autogenerate.api import RevisionContext
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql

from tests.autogenerate import catalog_snapshot
from tests.autogenerate.catalog_snapshot import differences

_DEFAULTS = {
    "upgrade_token": "upgrades",
    "downgrade_token": "downgrades",
    "alembic_module_prefix": "op.",
    "sqlalchemy_module_prefix": "sa.",
    "user_module_prefix": None,
    "render_item": None,
    "process_revision_directives": None,
    "compare_type": True,
}
"""What ``context.configure()`` would fill in."""


@dataclass
class Written:
    """One revision file, as code."""

    upgrade: str
    downgrade: str


@dataclass
class InProcess:
    """A history of rendered revisions on one connection; each ends in a ``commit``."""

    connection: sa.Connection
    look: Any
    root: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    history: list[Written] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    metadata: Any = None
    """The models of the last revision: env.py names the models in upgrades and downgrades too."""

    def __post_init__(self) -> None:
        (self.root / "versions").mkdir(parents=True, exist_ok=True)
        (self.root / "alembic.ini").write_text("[alembic]\n")
        self.config = Config(str(self.root / "alembic.ini"), toml_file=str(self.root / "pyproject.toml"))
        self.config.set_main_option("script_location", str(self.root))
        self.config.print_stdout = self._print  # type: ignore[method-assign]
        self.script = ScriptDirectory(str(self.root))

    def _print(self, text: str, *args: object) -> None:
        self.output.append(text % args if args else text)

    def context(self, metadata: Any) -> MigrationContext:
        self.connection.rollback()
        environment = EnvironmentContext(self.config, self.script)
        plugins = ["alembic.autogenerate.*", "alembic_pgpatterns"]
        options = {**_DEFAULTS, "target_metadata": metadata, "autogenerate_plugins": plugins, **self.options}
        return MigrationContext.configure(self.connection, environment_context=environment, opts=options)

    def produced(self, metadata: Any) -> tuple[MigrationContext, list[Any]]:
        """The scripts that ``alembic revision --autogenerate`` would write."""
        names = ("message", "head", "splice", "branch_label", "version_path", "rev_id", "depends_on")
        given = {**dict.fromkeys(names), "sql": False, "message": "change"}
        made = RevisionContext(self.config, self.script, given)
        context = self.context(metadata)
        self.metadata = metadata
        made.run_autogenerate((), context)
        return context, made.generated_revisions

    def diffs(self, metadata: Any) -> list[Any]:
        """What ``alembic check`` would complain about."""
        _, scripts = self.produced(metadata)
        self.connection.rollback()
        return [diff for script in scripts for ops in script.upgrade_ops_list for diff in ops.as_diffs()]

    def revise(self, metadata: Any) -> list[Written]:
        """Autogenerate; what was written joins the history."""
        context, scripts = self.produced(metadata)
        written = []
        for script in scripts:
            imports: set[str] = set(script.imports)
            up, down = (self._rendered(ops, context, imports) for ops in (script.upgrade_ops, script.downgrade_ops))
            head = "\n".join(sorted(imports))
            written.append(Written(f"{head}\ndef run():\n    {up}", f"{head}\ndef run():\n    {down}"))
        self.connection.rollback()
        self.history += written
        return written

    def _rendered(self, ops: Any, context: MigrationContext, imports: set[str]) -> str:
        options = context.opts
        return render_python_code(
            ops,
            render_as_batch=options.get("render_as_batch", False),
            render_item=options.get("render_item"),
            imports=imports,
            migration_context=context,
        )

    def run(self, code: str) -> None:
        context = self.context(self.metadata)
        scope: dict[str, Any] = {"op": Operations(context), "sa": sa, "postgresql": postgresql, "Text": sa.Text}
        for name in set(re.findall(r"\b((?:tests|models_\w+|sqlmodel)(?:\.\w+)*)\.\w+", code)):
            importlib.import_module(name)
            scope[name.split(".")[0]] = importlib.import_module(name.split(".")[0])
        try:
            exec(compile(code, "<revision>", "exec"), scope)
            with context.begin_transaction():
                scope["run"]()
        except Exception as error:
            raise AssertionError(f"{error}\n{code}") from error

    def upgrade(self, written: Sequence[Written]) -> None:
        for file in written:
            self.run(file.upgrade)

    def downgrade(self, written: Sequence[Written]) -> None:
        for file in reversed(written):
            self.run(file.downgrade)

    def snapshot(self) -> dict[str, list[Any]]:
        return catalog_snapshot.everything(self.look)

    def emptied(self) -> None:
        """Back to an empty database, and no history."""
        self.connection.rollback()
        schemas = self.look.execute(
            "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        ).fetchall()
        for (name,) in schemas:
            self.look.execute(f"DROP SCHEMA {name} CASCADE")
        self.look.execute("CREATE SCHEMA public")
        self.history.clear()
        for path in self.root.glob("pgpatterns-baseline.txt"):
            path.unlink()


def there_and_back(project: InProcess, metadata: Any, restores: bool = True) -> list[Written]:
    """Autogenerate, upgrade, nothing more to do; downgrade restores, upgrade again gives the same."""
    before = project.snapshot()
    written = project.revise(metadata)
    project.upgrade(written)
    there = project.snapshot()
    shown = "\n".join(file.upgrade for file in written)
    assert (diffs := project.diffs(metadata)) == [], f"{diffs}\n{shown}"
    project.downgrade(written)
    back = project.snapshot()
    if restores:
        lost = differences(back, before)
        assert lost == [], "\n".join([*lost, *(file.downgrade for file in written)])
    project.upgrade(written)
    changed = differences(project.snapshot(), there)
    assert changed == [], "\n".join([*changed, shown])
    assert (diffs := project.diffs(metadata)) == [], f"{diffs}\n{shown}"
    return written
