"""The child half of the project's process, which its parent starts by name."""

from __future__ import annotations

import pkgutil
import re

from alembic_pgpatterns.runner import messages, start
from alembic_pgpatterns.runner.bootstrap import BOOTSTRAP, ENTRY


def test_the_entry_points_exist() -> None:
    assert pkgutil.resolve_name(ENTRY) is start.run
    imported = re.findall(r"from (alembic_pgpatterns[.\w]*) import (\w+)", BOOTSTRAP)
    named = re.findall(r'"(alembic_pgpatterns[.\w]*):(\w+)"', BOOTSTRAP)
    assert [pkgutil.resolve_name(f"{module}:{name}") for module, name in (*imported, *named)] == [
        start.serve,
        messages.Failure,
    ]
