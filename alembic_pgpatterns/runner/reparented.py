"""Try a history in which some revisions come after others than their files say, before a file is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.runner.messages import RevisionFacts

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory

DOWN_REVISIONS = "pgpatterns_down_revisions"
"""In a Config's attributes: by a revision's identifier, what it shall come after."""


def reparented_facts(config: Any, facts: Iterable[RevisionFacts]) -> tuple[RevisionFacts, ...]:
    """What the files say, changed as the Config says."""
    parents: Mapping[str, str] = config.attributes.get(DOWN_REVISIONS) or {}
    return tuple(
        replace(item, down_revisions=(parents[item.revision],)) if item.revision in parents else item for item in facts
    )


def reparent(config: Any, directory: ScriptDirectory) -> ScriptDirectory:
    """Have Alembic load the revisions as the Config says; without such an attribute nothing changes."""
    parents: Mapping[str, str] = config.attributes.get(DOWN_REVISIONS) or {}
    if parents:
        revisions = directory.revision_map
        # Alembic reads the files when it first needs them, by this function (RevisionMap.__init__).
        revisions._generator = _reparented(revisions._generator, parents)
    return directory


def _reparented(load: Callable[[], Iterable[Any]], parents: Mapping[str, str]) -> Callable[[], Iterator[Script]]:
    from alembic.script import Script

    def revisions() -> Iterator[Script]:
        for script in load():
            if script.revision in parents:
                script.module.down_revision = parents[script.revision]
                yield Script(script.module, script.revision, script.path)
            else:
                yield script

    return revisions
