"""Run a pattern's own examples: it must report ``bad`` but not after its remedies, and never ``good``."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns import Finding, Needs, Pattern, RevisionPattern, SchemaPattern
from alembic_pgpatterns.remedies.apply import apply
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.metadata import reader as metadata
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql import sqltext
from alembic_pgpatterns.server.throwaway import ThrowawayServer

_INI = "[alembic]\nscript_location = migrations\nsqlalchemy.url = postgresql+psycopg://nobody@localhost/example\n"
_ENV = """
import sqlalchemy as sa
from alembic import context

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
_HEADER = "from alembic import op\nimport sqlalchemy as sa\n\nrevision = {name!r}\ndown_revision = {before!r}\n\n\n"
_NO_DOWNGRADE = "\n\ndef downgrade():\n    raise NotImplementedError\n"


class ExampleFailed(AssertionError):
    """An example does not do what it should; the message says which one, and what was reported."""


def check_examples(cls: type[Pattern], server: ThrowawayServer) -> tuple[str, ...]:
    """Run a pattern's examples on a server.

    Args:
        cls: a pattern about schemas (``bad``, ``good``, ``bad_models``, ``good_models``) or about revisions
            (``existing``, ``bad``, ``good``).
        server: a throw-away server. Each example has its own database, which is dropped afterwards.

    Returns:
        The messages for ``bad``.

    Raises:
        ExampleFailed: ``bad`` is not reported, is still reported after its remedy, or ``good`` is reported.
        PgPatternsError: an example cannot be run, or the pattern is of a kind that has no examples.
    """
    if issubclass(cls, RevisionPattern):
        return _revision_examples(cls)
    if not issubclass(cls, SchemaPattern):
        raise PgPatternsError(
            f"{cls.name} checks a whole history or a server, so it has no examples: write a test for its detect()."
        )
    messages: tuple[str, ...] = ()
    if cls.needs is not Needs.MODELS:
        messages += _schema_examples(cls, server)
    if cls.bad_models:
        messages += _model_examples(cls, server)
    if not messages:
        raise ExampleFailed(f"{cls.name} has no `bad`.")
    return messages


def _schema_examples(cls: type[SchemaPattern], server: ThrowawayServer) -> tuple[str, ...]:
    if not cls.bad.strip():
        return ()
    before = _findings(cls, server, cls.bad)
    if not before:
        raise ExampleFailed(f"{cls.name}: `bad` is not reported.")
    remedies = [sql(remedy) for remedy in _distinct(before)]
    after = _findings(cls, server, cls.bad, *(statement for statements in remedies for statement in statements))
    fixable = {item.fingerprint for item in before if not isinstance(item.remedy, Advice | None)}
    remaining = [item.message for item in after if item.fingerprint in fixable]
    if remaining:
        raise ExampleFailed(f"{cls.name}: `bad` is still reported after its remedy: {'; '.join(remaining)}")
    _demand_silent(cls, "good", _findings(cls, server, cls.good))
    return tuple(item.message for item in before)


def _findings(cls: type[SchemaPattern], server: ThrowawayServer, *statements: str) -> list[Finding]:
    name = server.create_database(f"example_{os.urandom(6).hex()}")
    try:
        with server.connect(name) as connection:
            for statement in filter(str.strip, statements):
                connection.execute(statement.encode())
            schema = catalog.read(connection)
        return list(cls(target_version=server.version // 10000).detect(schema))
    finally:
        server.drop_database(name)


def _distinct(findings: Sequence[Finding]) -> Iterator[Remedy]:
    """Each remedy once: one index may fix two findings."""
    seen: list[Remedy] = []
    for item in findings:
        if item.remedy is not None and item.remedy not in seen:
            seen.append(item.remedy)
            yield item.remedy


def _model_examples(cls: type[SchemaPattern], server: ThrowawayServer) -> tuple[str, ...]:
    module = _module(cls.bad_models)
    before = _in_models(cls, module, server)
    if not before:
        raise ExampleFailed(f"{cls.name}: `bad_models` is not reported.")
    fixed = {item.fingerprint for item in before if item.remedy and apply(item.remedy, module.metadata, "public")}
    remaining = [item.message for item in _in_models(cls, module, server) if item.fingerprint in fixed]
    if remaining:
        raise ExampleFailed(f"{cls.name}: `bad_models` is still reported after its remedy: {'; '.join(remaining)}")
    if cls.good_models:
        _demand_silent(cls, "good_models", _in_models(cls, _module(cls.good_models), server))
    return tuple(item.message for item in before)


def _module(source: str) -> types.ModuleType:
    module = types.ModuleType(f"example_{os.urandom(6).hex()}")
    # SQLAlchemy looks the names in annotations up in the module that it finds there.
    sys.modules[module.__name__] = module
    try:
        exec(compile(textwrap.dedent(source), "<example>", "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    if not hasattr(module, "metadata"):
        raise PgPatternsError("Example models must define `metadata`, a MetaData with their tables.")
    return module


def _in_models(cls: type[SchemaPattern], module: types.ModuleType, server: ThrowawayServer) -> list[Finding]:
    bases = [item for item in vars(module).values() if isinstance(item, type) and hasattr(item, "registry")]
    registries = tuple({id(base.registry): base.registry for base in bases}.values())
    version = server.version // 10000
    schema: Schema = metadata.read(module.metadata, sqltext, target_version=version, registries=registries)
    return list(cls(target_version=version).detect(schema))


def _revision_examples(cls: type[RevisionPattern]) -> tuple[str, ...]:
    messages = _in_revision(cls, cls.bad)
    if not messages:
        raise ExampleFailed(f"{cls.name}: `bad` is not reported.")
    of_good = _in_revision(cls, cls.good)
    if of_good:
        raise ExampleFailed(f"{cls.name}: `good` is reported: {'; '.join(of_good)}")
    return messages


def _in_revision(cls: type[RevisionPattern], body: str) -> tuple[str, ...]:
    """The messages for a revision with this body, in a new project with the tables of ``existing``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        existing = f"def upgrade():\n    op.execute({inspect.cleandoc(cls.existing)!r})\n{_NO_DOWNGRADE}"
        source = textwrap.dedent(body).strip() + "\n"
        files = {
            "alembic.ini": _INI,
            "pyproject.toml": f"[tool.alembic_pgpatterns]\nplugins = [{cls.__module__!r}]\n",
            "migrations/env.py": _ENV,
            "migrations/versions/a.py": _HEADER.format(name="a", before=None) + existing,
            "migrations/versions/b.py": _HEADER.format(name="b", before="a")
            + source
            + ("" if "def downgrade" in source else _NO_DOWNGRADE),
        }
        if cls.__module__.startswith("alembic_pgpatterns."):
            del files["pyproject.toml"]
        _write(folder, files)
        return _checked(folder, cls)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _checked(folder: Path, cls: type[Pattern]) -> tuple[str, ...]:
    command = [sys.executable, "-m", "alembic", "pgcheck", "--select", cls.name, "--since", "a", "--format", "json"]
    paths = os.pathsep.join(path for path in sys.path if path)
    run = subprocess.run(
        [*command, "--exit-zero"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "PGPATTERNS_NO_CACHE": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if run.returncode:
        raise PgPatternsError(f"{cls.name}: its example cannot be run: {run.stderr.strip()}")
    document = json.loads(run.stdout)
    if document["skipped"]:
        reasons = "; ".join(f"{item['what']}: {item['reason']}" for item in document["skipped"])
        if not document["findings"] and "b" in {item["what"].split()[-1] for item in document["skipped"]}:
            raise PgPatternsError(f"{cls.name}: its example fails: {reasons}")
    return tuple(item["message"] for item in document["findings"] if item["pattern"] == cls.name)


def _demand_silent(cls: type[Pattern], example: str, findings: Sequence[Finding]) -> None:
    if findings:
        raise ExampleFailed(f"{cls.name}: `{example}` is reported: {'; '.join(item.message for item in findings)}")
