"""The post-write hook ``pgpatterns``: runs the file that Alembic has written."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alembic_pgpatterns.cli.revision_task import DRY_RUN
from alembic_pgpatterns.cli.run_pgrevision import try_out_file
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_regular


def run(path: str, options: Mapping[str, Any]) -> None:
    """Run the new file up, down and up again on a throw-away server; all files of a chain, once the last is written.

    Raises:
        PgPatternsError: it fails. The file stays.
    """
    config, scripts = _of_caller()
    if config is None:
        raise PgPatternsError(
            "The hook pgpatterns was called by a program without an Alembic configuration, so it cannot run the "
            "file. Remove it from [post_write_hooks] there, or write the revision with the `alembic` program."
        )
    if config.attributes.get(DRY_RUN):
        return
    identifiers = [str(script.rev_id) for script in scripts]
    # Alembic calls the hook after each file. The chain is run once, when all files of it are there.
    if len(identifiers) > 1 and not _is_last(path, identifiers[-1]):
        return
    try_out_file(config, path, identifiers)


def _is_last(path: str, identifier: str) -> bool:
    """Whether the file is the one of the chain's last revision."""
    for statement in ast.parse(read_regular(Path(path))).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = getattr(statement, "value", None)
        if any(isinstance(target, ast.Name) and target.id == "revision" for target in targets):
            return isinstance(value, ast.Constant) and value.value == identifier
    return False


def _of_caller() -> tuple[Any, list[Any]]:
    """Alembic's Config and the scripts it writes: a hook gets only the file's path, its callers have the rest."""
    from alembic.autogenerate.api import RevisionContext

    for variables in _frames():
        holder = variables.get("self")
        if isinstance(holder, RevisionContext):
            return holder.config, holder.generated_revisions
        config = variables.get("config")
        if hasattr(config, "get_main_option") and hasattr(config, "attributes"):
            return config, []
    return None, []


def _frames() -> Iterator[Mapping[str, Any]]:
    # inspect.stack() would read the source of each frame.
    frame = sys._getframe(1)
    while frame is not None:
        yield frame.f_locals
        frame = frame.f_back  # type: ignore[assignment]
