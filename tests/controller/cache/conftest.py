"""Shared by the tests of the cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.controller import head_schema as head
from alembic_pgpatterns.controller.cache.history import OFF


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, in which every state is worth keeping; gone with the test, for a state is many megabytes."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.delenv(OFF)
    monkeypatch.setattr(head, "WORTH_CACHING", 0.0)
    yield folder / "alembic-pgpatterns"
    shutil.rmtree(folder)
