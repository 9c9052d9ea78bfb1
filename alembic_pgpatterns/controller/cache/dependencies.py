"""Whether what the project's code depended on is still as it was."""

from __future__ import annotations

from alembic_pgpatterns.runner.dependencies import digest_or_none, variable
from alembic_pgpatterns.runner.messages import Dependencies


def hold(dependencies: Dependencies, known: dict[str, str | None]) -> bool:
    """Whether everything is as it was.

    Args:
        dependencies: of the earlier run.
        known: digests of files that were read before; added to.
    """
    for path in dependencies.files:
        if path not in known:
            known[path] = digest_or_none(path)
    files = all(known[path] == content for path, content in dependencies.files.items())
    return files and all(variable(name) == value for name, value in dependencies.variables.items())
