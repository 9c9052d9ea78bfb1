"""These tests start many servers: in memory where there is plenty, or a slow disk takes minutes for them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of this test's own; servers that it starts keep their files beside it."""
    shm = Path("/dev/shm")
    if shm.is_dir() and shutil.disk_usage(shm).free > 2 << 30:
        monkeypatch.setattr(tempfile, "tempdir", str(shm))
    folder = Path(tempfile.mkdtemp(prefix="pgtest-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
