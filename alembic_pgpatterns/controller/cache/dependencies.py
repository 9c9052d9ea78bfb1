"""Whether everything that the project's code depended on is unchanged."""

from __future__ import annotations

from alembic_pgpatterns.runner.dependencies import digest_or_none, variable
from alembic_pgpatterns.runner.messages import Dependencies


def hold(dependencies: Dependencies, digests: dict[str, str | None]) -> bool:
    """Whether everything is unchanged.

    Args:
        dependencies: of the earlier run.
        digests: of files that were read already; more are added.
    """
    for path in dependencies.files:
        if path not in digests:
            digests[path] = digest_or_none(path)
    files = all(digests[path] == content for path, content in dependencies.files.items())
    return files and all(variable(name) == value for name, value in dependencies.variables.items())
